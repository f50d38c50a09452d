"""Records of a conversation: what was said is said again, and nothing is made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plan.directors.scripted import ALONE, TOGETHER, TWO, Scripted

from vdjax.plan import PlanError, get_director, plan
from vdjax.plan.directors.language import LanguageDirector
from vdjax.plan.directors.model import ModelError, Request
from vdjax.plan.directors.replay import Recorded, Replayed
from vdjax.plan.vocabulary import Vocabulary

PROMPT = "A cat walks on the beach, then meets a dog"


def record(path: Path, *answers: str) -> object:
    heard = Recorded(Scripted(*answers), path)
    return LanguageDirector(heard, vocabulary=Vocabulary.storybook()).plan(PROMPT)


def test_a_record_gives_the_same_plan_without_the_model(tmp_path: Path):
    made = record(tmp_path / "cat.jsonl", TWO, ALONE, TOGETHER)
    again = plan(PROMPT, director=get_director("replay", replay=tmp_path / "cat.jsonl"))
    assert again == made
    assert again.director == "scripted"


def test_repairs_are_recorded_too(tmp_path: Path):
    made = record(tmp_path / "cat.jsonl", TWO, "what?", ALONE, TOGETHER)
    director = get_director("replay", replay=tmp_path / "cat.jsonl")
    assert plan(PROMPT, director=director) == made
    assert director.last_report["rounds"] == 1  # type: ignore[attr-defined]


def test_each_exchange_is_a_line_people_can_read(tmp_path: Path):
    record(tmp_path / "cat.jsonl", TWO, ALONE, TOGETHER)
    lines = [json.loads(line) for line in (tmp_path / "cat.jsonl").read_text().splitlines()]
    assert [line["answer"] for line in lines] == [TWO, ALONE, TOGETHER]
    assert PROMPT in lines[0]["messages"][-1]["content"]


def test_another_question_has_no_answer(tmp_path: Path):
    record(tmp_path / "cat.jsonl", TWO, ALONE, TOGETHER)
    model = Replayed(tmp_path / "cat.jsonl")
    asked = Request(messages=({"role": "user", "content": "a whale"},))
    with pytest.raises(ModelError, match=r"no answer to 'a whale': it holds 3"):
        model.answer(asked, seconds=1)


def test_replay_needs_a_record(tmp_path: Path):
    with pytest.raises(PlanError, match="--replay FILE"):
        get_director("replay")
    with pytest.raises(ModelError, match="cannot read the record"):
        get_director("replay", replay=tmp_path / "none.jsonl")


@pytest.mark.parametrize("line", ["{", "[]", '{"key": 1}', "[" * 5000, '{"key": "a", "answer": 1}'])
def test_damaged_line_is_named(tmp_path: Path, line: str):
    path = tmp_path / "cat.jsonl"
    record(path, TWO, ALONE, TOGETHER)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ModelError, match="line 4 of the record"):
        Replayed(path)


def test_record_that_cannot_be_written_is_refused_beforehand(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot write the record"):
        Recorded(Scripted(TWO), tmp_path / "file" / "cat.jsonl")
