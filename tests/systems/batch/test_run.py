"""A batch in one process: what it makes, what it leaves alone, and how it is stopped."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from vdjax.errors import OutputError, UserError
from vdjax.files import output_error
from vdjax.systems.batch.asks import Ask
from vdjax.systems.batch.ledger import NOTES
from vdjax.systems.batch.run import run_batch
from vdjax.systems.videodirectorgpt import Film, film

pytestmark = pytest.mark.loose_dtypes

SENTENCES = {"cat": "A cat walks on the beach", "dog": "A dog sleeps in the kitchen"}
UNPLANNABLE = "A cat " + "and a dog " * 400


def asks(**prompts):
    return [
        Ask(id=name, request={"prompt": prompt, "steps": 1, "seed": 3}, line=line)
        for line, (name, prompt) in enumerate((prompts or SENTENCES).items(), 1)
    ]


@pytest.fixture
def batch(tmp_path):
    """Run a batch with the toy: (counts, lines that it told)."""

    def run(asked, **options):
        told = []
        given = {"preset": "toy", "report": told.append, **options}
        return run_batch(asked, tmp_path / "films", **given), told

    return run


def manifest(tmp_path):
    return json.loads((tmp_path / "films" / "manifest.json").read_text())


def counted(**counts):
    return {"done": 0, "failed": 0, "started": 0, "open": 0, **counts}


def contents(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if NOTES not in str(path)}


def test_it_makes_each_film_as_film_does_and_once(tmp_path, batch):
    counts, told = batch(asks())
    assert counts == counted(done=2)
    assert [line.split()[:2] for line in told] == [["made", "cat"], ["made", "dog"]]
    assert told[-1].endswith("2 of 2 done")
    alone = film(SENTENCES["dog"], preset="toy", steps=1, seed=3)
    frame = np.asarray(Image.open(tmp_path / "films" / "dog" / "scene_1" / "frame_02.png"))
    np.testing.assert_array_equal(frame, alone.frames[0][2])
    films = manifest(tmp_path)["films"]
    assert [(each["id"], each["state"], each["seed"]) for each in films] == [
        ("cat", "done", 3),
        ("dog", "done", 3),
    ]
    report = json.loads((tmp_path / "films" / "cat" / "report.json").read_text())
    assert films[0]["seconds"] == pytest.approx(sum(report["seconds"].values()), abs=0.01)
    assert films[0]["worker"] == report["batch"]["worker"]
    assert not list((tmp_path / "films" / NOTES).glob("*.json"))
    before = contents(tmp_path / "films")
    assert batch(asks()) == (counted(done=2), [])
    changed = {path for path, at in contents(tmp_path / "films").items() if before.get(path) != at}
    assert changed <= {tmp_path / "films", tmp_path / "films" / "manifest.json"}


def test_a_prompt_that_fails_is_told_and_the_others_go_on(tmp_path, batch):
    asked = asks(bad=UNPLANNABLE, **SENTENCES)
    counts, told = batch(asked)
    assert counts == counted(done=2, failed=1)
    assert told[0].startswith("failed bad: ")
    entry = manifest(tmp_path)["films"][0]
    assert entry["state"] == "failed"
    assert "2000" in entry["reason"]
    assert not (tmp_path / "films" / "bad").exists()
    # The next run takes up what failed, and only that.
    counts, told = batch(asked)
    assert [line.split()[1] for line in told] == ["bad:"]


def test_a_fault_of_ours_is_kept_with_its_traceback(tmp_path, batch, monkeypatch):
    monkeypatch.setattr("vdjax.systems.batch.run.render", lambda made, progress: 1 / 0)
    counts, told = batch(asks(cat=SENTENCES["cat"]))
    assert counts == counted(failed=1)
    assert "ZeroDivisionError: division by zero" in told[0]
    note = json.loads((tmp_path / "films" / NOTES / "cat.json").read_text())
    assert "Traceback" in note["details"]


def test_several_shares_make_each_film_once(tmp_path, batch):
    asked = asks(**{f"film{n}": SENTENCES["cat"] for n in range(3)})
    first = []

    def one(stage, done, total):
        """The other process makes its own share while this one is at its first film."""
        if not first:
            first.append(batch(asked, process=1, processes=2))

    counts, told = batch(asked, process=0, processes=2, progress=one)
    other_counts, other_told = first[0]
    assert other_counts == counted(done=2, started=1)  # its own one, and one that nobody had begun
    assert [line.split()[1] for line in other_told] == ["film1", "film2"]
    assert [line.split()[1] for line in told] == ["film0"]
    assert counts == counted(done=3)


def test_what_is_stopped_is_as_never_begun(tmp_path, batch):
    asked = []

    def stop():
        asked.extend([1] * (tmp_path / "films" / "cat").exists())
        return len(asked) > 2  # in the midst of the second film

    counts, told = batch(asks(), stop=stop)
    assert counts == counted(done=1, open=1)
    assert len(told) == 1
    names = {path.name for path in (tmp_path / "films").iterdir()}
    assert names == {"cat", "manifest.json", NOTES}
    assert not list((tmp_path / "films" / NOTES).glob("*.json"))
    counts, told = batch(asks())
    assert [line.split()[1] for line in told] == ["dog"]


def test_an_interrupt_lets_go_of_what_was_claimed(tmp_path, batch):
    def interrupt(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch(asks(), progress=interrupt)
    assert batch(asks())[0] == counted(done=2)


def test_a_full_disk_ends_it(tmp_path, batch, monkeypatch):
    def full(self, folder):
        error = OSError(28, "No space left on device")
        raise output_error(error, folder) from error

    monkeypatch.setattr(Film, "save", full)
    with pytest.raises(OutputError, match="no room left"):
        batch(asks())
    states = [each["state"] for each in manifest(tmp_path)["films"]]
    assert states == ["failed", "open"]


def test_a_film_that_is_in_the_way_ends_it_before_any_work(tmp_path, batch):
    batch(asks(cat=SENTENCES["cat"]))
    calls = []
    with pytest.raises(UserError, match="of another request than line 2"):
        batch(
            [*asks(dog=SENTENCES["dog"]), Ask(id="cat", request={"prompt": "A dog"}, line=2)],
            progress=lambda *call: calls.append(call),
        )
    assert calls == []
    assert not (tmp_path / "films" / "dog").exists()


def test_too_many_devices_are_refused_before_any_work(tmp_path, batch):
    with pytest.raises(UserError, match="99 devices are asked for"):
        batch(asks(), devices=99)
    assert list(tmp_path.iterdir()) == []
