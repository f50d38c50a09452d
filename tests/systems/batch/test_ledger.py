"""What is done of a batch: claims that die with their process, and a manifest nobody races."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vdjax.errors import OutputError, UserError
from vdjax.media.film import save_film
from vdjax.systems.batch.asks import Ask
from vdjax.systems.batch.ledger import NOTES, Ledger

CLAIMS_AND_HANGS = """
import sys, time
from vdjax.systems.batch.asks import Ask
from vdjax.systems.batch.ledger import Ledger
ask = Ask(id="cat", request={"prompt": "A cat"}, line=1)
lock = Ledger(sys.argv[1], [ask], "killed").claim(ask)
print(lock is not None, flush=True)
time.sleep(300)
"""


def ask(name, **request):
    return Ask(id=name, request={"prompt": f"A {name}", **request}, line=1)


CAT, DOG = ask("cat"), ask("dog")


def make(folder, plan, clips, made):
    report = {"seed": 3, "batch": {"request": dict(made.request), "worker": "me"}}
    save_film(Path(folder) / made.id, plan, clips, report)


def test_what_is_claimed_is_nobody_elses_until_it_is_let_go(tmp_path):
    mine, yours = (Ledger(tmp_path, [CAT, DOG], worker) for worker in ("me", "you"))
    lock = mine.claim(CAT)
    assert yours.claim(CAT) is None
    other = yours.claim(DOG)
    assert other is not None
    mine.forget(CAT)
    lock.close()
    again = yours.claim(CAT)
    assert again is not None
    again.close()
    other.close()


def test_a_killed_process_holds_nothing_and_its_try_is_for_the_next_run(tmp_path):
    this_run = Ledger(tmp_path, [CAT], "this")
    command = [sys.executable, "-c", CLAIMS_AND_HANGS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "True\n"
        assert Ledger(tmp_path, [CAT], "next").claim(CAT) is None
        process.send_signal(signal.SIGKILL)
    assert this_run.claim(CAT) is None  # it may be what killed its worker
    assert this_run.write_manifest() == {"done": 0, "failed": 0, "started": 1, "open": 0}
    lock = Ledger(tmp_path, [CAT], "next").claim(CAT)
    assert lock is not None
    lock.close()


def test_a_failure_is_tried_again_by_the_next_run_alone(tmp_path):
    first = Ledger(tmp_path, [CAT], "first")
    with first.claim(CAT):
        first.fail(CAT, "no cat", "Traceback")
    assert not first.is_open(CAT)
    assert first.write_manifest()["failed"] == 1
    (film,) = json.loads((tmp_path / "manifest.json").read_text())["films"]
    assert film == {
        "id": "cat",
        "state": "failed",
        "prompt": "A cat",
        "reason": "no cat",
        "seconds": film["seconds"],
        "seed": 0,
        "worker": "first",
    }
    assert Ledger(tmp_path, [CAT], "next").is_open(CAT)


def test_a_film_is_done_whoever_looks(tmp_path, plan, clips):
    make(tmp_path, plan, clips, CAT)
    ledger = Ledger(tmp_path, [CAT, DOG], "me")
    ledger.check()
    assert not ledger.is_open(CAT)
    assert ledger.claim(CAT) is None
    assert ledger.write_manifest() == {"done": 1, "failed": 0, "started": 0, "open": 1}
    done, still_open = json.loads((tmp_path / "manifest.json").read_text())["films"]
    assert (done["state"], done["seed"], done["scenes"], done["worker"]) == ("done", 3, 2, "me")
    assert still_open == {"id": "dog", "state": "open", "prompt": "A dog"}


def test_a_film_of_another_request_is_neither_replaced_nor_taken_for_it(tmp_path, plan, clips):
    make(tmp_path, plan, clips, CAT)
    before = (tmp_path / "cat" / "report.json").read_bytes()
    for changed, named in ((ask("cat", seed=4), "seed"), (ask("cat", prompt="A"), "prompt")):
        with pytest.raises(UserError, match=rf"cat is a film of another .*\({named} differ\)"):
            Ledger(tmp_path, [DOG, changed], "me").check()
    save_film(tmp_path / "dog", plan, clips, {"seed": 1})  # as `vdjax film` makes it
    with pytest.raises(UserError, match="dog is a film of another request"):
        Ledger(tmp_path, [CAT, DOG], "me").check()
    assert (tmp_path / "cat" / "report.json").read_bytes() == before


def test_somebodys_files_are_refused(tmp_path):
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"mine\.txt"):
        Ledger(tmp_path, [CAT, DOG], "me").check()
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        Ledger(tmp_path / "file", [CAT], "me").check()


def test_only_its_own_leavings_are_swept(tmp_path):
    own, others = ".cat.abc_4567.partial", (".cat.b.abc_4567.partial", ".cat.abc_4567.former")
    for name in (own, *others):
        (tmp_path / name / "scene_1").mkdir(parents=True)
    Ledger(tmp_path, [CAT], "me").claim(CAT).close()
    assert not (tmp_path / own).exists()
    assert all((tmp_path / name).exists() for name in others)


def test_the_manifest_keeps_films_of_another_list(tmp_path, plan, clips):
    make(tmp_path, plan, clips, CAT)
    assert Ledger(tmp_path, [CAT], "me").write_manifest()["done"] == 1
    counts = Ledger(tmp_path, [DOG], "me").write_manifest()
    assert counts == {"done": 0, "failed": 0, "started": 0, "open": 1}
    states = {
        film["id"]: film["state"]
        for film in json.loads((tmp_path / "manifest.json").read_text())["films"]
    }
    assert states == {"dog": "open", "cat": "done"}


def test_a_damaged_note_or_manifest_stops_nobody(tmp_path):
    (tmp_path / NOTES).mkdir()
    (tmp_path / NOTES / "cat.json").write_text('{"at": ')
    (tmp_path / "manifest.json").write_text("[]")
    ledger = Ledger(tmp_path, [CAT], "me")
    assert ledger.is_open(CAT)
    assert ledger.write_manifest()["open"] == 1


def test_an_older_view_never_replaces_a_newer_one(tmp_path):
    """Whoever settles a prompt writes the manifest after it: the last one to do so saw all."""
    names = [f"film{n}" for n in range(24)]
    asks = [ask(name) for name in names]

    def settle(share):
        ledger = Ledger(tmp_path, asks, f"worker {share}")
        for one in asks[share::4]:
            with ledger.claim(one):
                ledger.fail(one, "as planned")
            ledger.write_manifest()

    threads = [threading.Thread(target=settle, args=(share,)) for share in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["failed"] == len(names)
    assert [film["id"] for film in manifest["films"]] == names
