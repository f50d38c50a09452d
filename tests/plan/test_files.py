"""Plans as files: written whole, read strictly, and broken ones located."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from vdjax.plan import PlanError, VideoPlan, plan


@pytest.fixture
def film() -> VideoPlan:
    return plan("A cat walks to the beach, then meets a dog")


def test_a_plan_survives_a_file(film: VideoPlan, tmp_path: Path):
    path = film.save(tmp_path / "new" / "plan.json")
    assert VideoPlan.load(path) == film
    assert sorted(os.listdir(path.parent)) == ["plan.json"]


def test_the_file_is_plain_json_with_one_keyframe_to_a_line(film: VideoPlan):
    text = film.replace(seed=None).to_json()
    data = json.loads(text)
    assert list(data) == ["version", "prompt", "scenes", "groups", "alpha"]
    assert list(data["scenes"][0]) == [
        "description",
        "background",
        "entities",
        "keyframes",
        "notes",
    ]
    box = data["scenes"][1]["keyframes"][8]["dog"]
    assert json.dumps(data["scenes"][1]["keyframes"][8]) in text
    assert len(box) == 4


def test_other_letters_stay_readable(film: VideoPlan, tmp_path: Path):
    named = film.replace(prompt="Mäuse → 猫")
    path = named.save(tmp_path / "plan.json")
    assert "Mäuse → 猫" in path.read_text(encoding="utf-8")
    assert VideoPlan.load(path).prompt == "Mäuse → 猫"
    assert VideoPlan.parse(b"\xef\xbb\xbf" + path.read_bytes()) == named


def test_every_cut_of_a_plan_is_refused(film: VideoPlan):
    text = film.to_json().rstrip()
    for end in range(0, len(text), 37):
        with pytest.raises(PlanError, match=r"line \d+, column \d+|is empty"):
            VideoPlan.parse(text[:end], "plan.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"prompt": "x",}', r"plan.json: not valid JSON at line 1, column 16"),
        ('{\n"prompt": "x"\n"scenes": []}', "line 3, column 1"),
        ("", "the plan is empty"),
        ("  \n", "the plan is empty"),
        ("[" * 100_000, "nested too deeply"),
        ('{"alpha": ' + "9" * 5000 + "}", "thousands of digits"),
        ('{"scenes": [{"keyframes": [{}, {"cat": 1, "cat": 2}]}]}',
         "scene 1, keyframe 2: 'cat' is given twice"),
        ('{"alpha": 1, "alpha": 0}', "'alpha' is given twice"),
        ('{"prompt": "", "scenes": [], "alpha": NaN}', "alpha is NaN"),
        (b"\xff\xfe{}", "byte 0 is not UTF-8"),
        (b'{"prompt": "' + b"x" * 34_000_000 + b'"}', "at most 33554432"),
    ],
)  # fmt: skip
def test_broken_text_is_located(text: str | bytes, message: str):
    with pytest.raises(PlanError, match=message):
        VideoPlan.parse(text, "plan.json")


def test_paths_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(PlanError, match=r"there is no plan at .*nothing.json; write one with"):
        VideoPlan.load(tmp_path / "nothing.json")
    with pytest.raises(PlanError, match="is a folder; give the plan file inside it"):
        VideoPlan.load(tmp_path)
    with pytest.raises(PlanError, match="cannot read the plan"):
        VideoPlan.load("a\0b")


def test_paths_that_cannot_be_written(film: VideoPlan, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match="choose another place"):
        film.save(tmp_path / "file" / "plan.json")
    with pytest.raises(PlanError, match="choose another place"):
        film.save(tmp_path)
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_old_plan_and_nothing_else(
    film: VideoPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = film.save(tmp_path / "plan.json")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PlanError, match="No space left on device"):
        film.replace(alpha=0.1).save(path)
    assert os.listdir(tmp_path) == ["plan.json"]
    assert VideoPlan.load(path).alpha == film.alpha
