"""`vdjax plan` as people call it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from plan.directors import weather as w
from plan.directors.scripted import ALONE, TOGETHER, TWO, Scripted, layout, story

from vdjax.cli import main
from vdjax.plan import VideoPlan
from vdjax.plan.directors.language import LanguageDirector
from vdjax.plan.directors.replay import Recorded
from vdjax.plan.vocabulary import Vocabulary

PROMPT = "A cat walks on the beach, then meets a dog"
KEY = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OPENAI_MODEL", raising=False)


def test_chat_plans_shows_scenes_as_they_come_and_what_they_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("openai")
    record, out = tmp_path / "cat.jsonl", tmp_path / "plan.json"
    with w.serving(w.says(TWO, pieces=20), w.says(ALONE), w.says(TOGETHER)) as server:
        command = ["plan", PROMPT, "--director", "chat", "--base-url", server.url]
        assert main([*command, "--record", str(record), "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert "scene 1: A cat walks on the beach (cat; beach)\n" in said.err
    assert "scene 2: The cat meets a dog in the park (cat, dog; park)\n" in said.err
    assert "m: 3 answers, 300 + 60 tokens" in said.out
    assert VideoPlan.load(out).director == "m"
    for text in (said.out, said.err, out.read_text(), record.read_text()):
        assert KEY not in text

    again = tmp_path / "again.json"
    assert (
        main(["plan", PROMPT, "--director", "replay", "--replay", str(record), "-o", str(again)])
        == 0
    )
    assert VideoPlan.load(again) == VideoPlan.load(out)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--director", "chat", "--base-url", "nowhere"], "no address of a server"),
        (["--director", "local", "--model", "none.gguf"], "there is no model at none.gguf"),
        (["--director", "replay"], "--replay FILE"),
        (["--director", "oracle"], "'oracle' is not known"),
        (["--model", "qwen"], "director 'rules' takes no option 'model'"),
        (["--director", "chat", "--rounds", "-1"], "'-1' is not a whole number from 0"),
        (
            ["--director", "chat", "--ask", "smell", "--base-url", "http://h/v1"],
            "'smell' is unknown",
        ),
        (["--director", "chat", "--form", "verse", "--base-url", "http://h/v1"], "'verse'"),
    ],
)
def test_wrong_options_are_one_sentence(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("openai")
    assert main(["plan", PROMPT, *options]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_nothing_to_plan(capsys: pytest.CaptureFixture[str]):
    assert main(["plan"]) == 2
    assert "what is to be planned?" in capsys.readouterr().err


@pytest.mark.parametrize("names", [("cat", "beach"), ("xylograph", "atrium")])
def test_storyboard_of_a_plan(tmp_path: Path, names: tuple[str, str]):
    thing, place = names
    record = tmp_path / "record.jsonl"
    told = story((f"A {thing} in the {place}", [thing], place))
    model = Recorded(Scripted(told, layout(**{thing: [0.2, 0.2, 0.8, 0.8]})), record)
    world = Vocabulary.storybook() if thing == "cat" else None
    LanguageDirector(model, vocabulary=world).plan("show it")
    command = ["plan", "show it", "--director", "replay", "--replay", str(record)]
    command += [] if world else ["--any-name"]
    picture, plan = tmp_path / "plan.png", tmp_path / "plan.json"
    assert main([*command, "--storyboard", str(picture), "-o", str(plan)]) == 0
    assert VideoPlan.load(plan).scene(1).entities == (thing,)
    with Image.open(picture) as image:
        assert image.width == 1170
        assert image.height > 400


def test_check_names_what_is_odd(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    jumps = [{"cat": [0.0, 0.5, 0.3, 0.8] if k % 2 else [0.7, 0.5, 1.0, 0.8]} for k in range(9)]
    odd = VideoPlan.from_data(
        {
            "prompt": "a cat",
            "scenes": [
                {
                    "description": "A cat walks",
                    "background": "beach",
                    "entities": ["cat"],
                    "keyframes": jumps,
                }
            ],
        }
    ).save(tmp_path / "odd.json")
    assert main(["plan", "--check", str(odd)]) == 1
    said = capsys.readouterr().out
    assert "cat" in said
    assert "scene 1" in said
    assert "finding" in said
    good = tmp_path / "good.json"
    assert main(["plan", "A cat sits on the beach", "-o", str(good)]) == 0
    capsys.readouterr()
    assert main(["plan", "--check", str(good)]) == 0
    assert "valid, no findings" in capsys.readouterr().out


def test_diff_says_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    assert main(["plan", "A cat sits on the beach", "-o", str(a)]) == 0
    assert main(["plan", "A cat and a dog sit in the park", "-o", str(b)]) == 0
    capsys.readouterr()
    assert main(["plan", "--diff", str(a), str(a)]) == 0
    assert capsys.readouterr().out == "no difference\n"
    assert main(["plan", "--diff", str(a), str(b)]) == 1
    said = capsys.readouterr().out
    assert "dog" in said
    assert "beach" in said
