"""Answers of language models, whatever they look like: a valid plan or a refusal in words.

The usual run takes a few hundred examples; `VDJAX_FUZZ_EXAMPLES=10000` asks for more.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vdjax.plan import PlanError, Scene, VideoPlan
from vdjax.plan.answers import (
    AnswerError,
    layout_schema,
    partial_scenes,
    read_layout,
    read_story,
    story_schema,
    words_schema,
)
from vdjax.plan.answers.words import MOTION_WORDS, SIZE_WORDS, X_WORDS, Y_WORDS
from vdjax.plan.boxes import Box
from vdjax.plan.schema import MAX_ENTITIES

EXAMPLES = int(os.environ.get("VDJAX_FUZZ_EXAMPLES", "300"))
BOXES = [(0.0, 0.0, 1.0, 1.0), (0.1, 0.2, 0.5, 0.9), (0.25, 0.5, 0.75, 0.95), (0.0, 0.6, 0.3, 0.8)]
NAMES = ("cat", "cat 2", "fluffy dog", "fire truck", "ʻōhiʻa", "the <b>thing</b>", "tree")


def check_story(text: str) -> None:
    """A story makes scenes that a plan can take, or is refused; so far as it goes, it is shown."""
    partial_scenes(text)
    with contextlib.suppress(AnswerError):
        story = read_story(text)
        VideoPlan(
            prompt="",
            scenes=[
                Scene(
                    description=idea.description,
                    background=idea.background,
                    entities=idea.entities,
                    keyframes=[dict.fromkeys(idea.entities, BOXES[1]), *[{}] * 8],
                    notes=story.notes,
                )
                for idea in story.scenes
            ],
            alpha=1.0 if story.alpha is None else story.alpha,
        )


def check_layout(text: str, names: tuple[str, ...] = ("cat", "fluffy dog")) -> None:
    """A layout makes a valid scene, or is refused."""
    with contextlib.suppress(AnswerError):
        layout = read_layout(text, names)
        Scene(
            description="",
            background="park",
            entities=names,
            keyframes=layout.keyframes,
            captions=layout.captions or None,
            reasoning=layout.reasoning,
            notes=layout.notes,
        )


def check(text: str) -> None:
    check_story(text)
    check_layout(text)


@given(st.text(max_size=200))
@settings(max_examples=EXAMPLES)
@example("")
@example("\ud800")
@example("[" * 3000)
@example('{"scenes":' * 3000)
@example('{"a": ' + "9" * 5000 + "}")
@example('{"keyframes": [{"boxes": {"cat": [1e999, -1e999, NaN, 0]}}, {}]}')
@example("'; __import__('os').system('true') #")
def test_any_text(text: str):
    check(text)


PIECES = st.sampled_from(
    [*"{}[](),:;=\"'“”`\n\\#|-*%", " ", "//", "/*", "*/", "```json", "<think>", "</think>", "null",
     "None", "scenes", "description", "entities", "background", "keyframes", "boxes", "caption",
     "reasoning", "alpha", "layout", "x", "y", "size", "motion", "left", "ground", "large", "cat",
     "a cat", "fluffy dog", "dogs", "park", "step_1:", "Scene 2:", "Frame_1:", "Frame_2:", "1.",
     "Prompt:", "Entities:", "Background:", "Reasoning:", "0", "1", "0.5", "-3", "512", "1e400",
     "50%", "NaN", "[0.1, 0.2, 0.5, 0.9]", '"cat": [0, 0, 1, 1]', '"boxes": {', '"scenes": [{',
     '"keyframes": [{', '{"x": "left"}', "\\u00", "\\ud83d", "enter from left", "x: left"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=60).map("".join), st.booleans())
@settings(max_examples=EXAMPLES)
def test_any_pieces_of_answers(text: str, spaced: bool):
    check(text)


WORDS = {"x": X_WORDS, "y": Y_WORDS, "size": SIZE_WORDS, "motion": MOTION_WORDS}


@st.composite
def stories(draw: st.DrawFn) -> str:
    """A good story, in one of the formats."""
    scenes = [
        {
            "description": draw(st.sampled_from(["A cat sits", "The dog's day; it runs, jumps."])),
            "entities": draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)),
            "background": draw(st.sampled_from(["park", "the beach"])),
        }
        for _ in range(draw(st.integers(1, 4)))
    ]
    if draw(st.booleans()):
        return json.dumps({"scenes": scenes, "alpha": 0.2}, indent=draw(st.sampled_from([None, 1])))
    return "\n".join(
        f"Step {k}: [Prompt: {s['description']}; Entities: {', '.join(s['entities'])};"
        f" Background: {s['background']}]"
        for k, s in enumerate(scenes, 1)
    )


def boxes(draw: st.DrawFn, names: tuple[str, ...], least: int = 2) -> list[dict[str, Box]]:
    number = draw(st.integers(least, 12))
    return [{name: draw(st.sampled_from(BOXES)) for name in names} for _ in range(number)]


@st.composite
def layouts(draw: st.DrawFn) -> tuple[str, tuple[str, ...]]:
    """A good layout in one of the formats, and its entities."""
    names = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)))
    form = draw(st.sampled_from(["json", "brackets", "words"]))
    if form == "words":
        told = {
            name: {key: draw(st.sampled_from(words)) for key, words in WORDS.items()}
            for name in names
        }
        return json.dumps({"entities": told}), names
    frames = boxes(draw, names)
    if form == "json":
        told = [{"boxes": frame, "caption": "a cat's day"} for frame in frames]
        return json.dumps({"reasoning": "so", "keyframes": told}), names
    lines = [
        f"Frame_{k}: [{', '.join(f'[{n}, {list(box)}]' for n, box in frame.items())}], caption: c"
        for k, frame in enumerate(frames, 1)
    ]
    return "\n".join([*lines, "Reasoning: so"]), names


@given(layouts())
@settings(max_examples=60)
def test_good_layouts_are_never_refused(drawn: tuple[str, tuple[str, ...]]):
    text, names = drawn
    read_layout(text, names)
    check_layout(text, names)


@given(stories())
@settings(max_examples=60)
def test_good_stories_are_never_refused(text: str):
    read_story(text)
    check_story(text)


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A text with a few pieces taken out, put in, doubled or exchanged, perhaps cut."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        to = min(len(text), at + draw(st.integers(0, 6)))
        kind = draw(st.sampled_from(["out", "in", "double", "cut", "swap", "quotes", "wrap"]))
        if kind == "cut":
            text = text[:at]
        elif kind == "double":
            text = text[:to] + text[at:]
        elif kind == "swap":
            sign, other = draw(st.sampled_from([("]", "}"), ("{", "["), (",", ""), (":", "=")]))
            text = text[:at] + text[at:].replace(sign, other, draw(st.sampled_from([1, -1])))
        elif kind == "quotes":
            text = text.replace('"', draw(st.sampled_from(["'", "“", "", "`"])))
        elif kind == "wrap":
            text = f"Of course [as asked]:\n```json\n{text}\n```\nIs it {{good}}?"
        else:
            new = draw(PIECES) if kind == "in" else ""
            text = text[:at] + new + text[to if kind == "out" else at :]
    return text


@given(st.data())
@settings(max_examples=EXAMPLES)
def test_damaged_stories(data: st.DataObject):
    check_story(data.draw(damaged(data.draw(stories()))))


@given(st.data())
@settings(max_examples=EXAMPLES)
def test_damaged_layouts(data: st.DataObject):
    text, names = data.draw(layouts())
    check_layout(data.draw(damaged(text)), names)


def of_schema(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Anything that a schema allows."""
    if "anyOf" in schema:
        return of_schema(draw, draw(st.sampled_from(schema["anyOf"])))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if schema["type"] == "object":
        return {key: of_schema(draw, inner) for key, inner in schema["properties"].items()}
    if schema["type"] == "array":
        length = draw(st.integers(schema["minItems"], min(schema["maxItems"], 9)))
        return [of_schema(draw, schema["items"]) for _ in range(length)]
    if schema["type"] == "number":
        return draw(st.one_of(st.floats(0, 1), st.floats(allow_nan=False), st.integers()))
    return None if schema["type"] == "null" else draw(st.text(max_size=20))


@given(st.data())
@settings(max_examples=25)
def test_whatever_a_schema_allows(data: st.DataObject):
    some = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
    names = tuple(data.draw(some))
    draw = data.draw
    check_story(json.dumps(of_schema(draw, story_schema(ask_alpha=True))))  # type: ignore[arg-type]
    check_layout(json.dumps(of_schema(draw, layout_schema(names))), names)  # type: ignore[arg-type]
    words = json.dumps(of_schema(draw, words_schema(names)))  # type: ignore[arg-type]
    check_layout(words, names)
    assert read_layout(words, names).notes == () or "smaller" in read_layout(words, names).notes[0]


@pytest.mark.parametrize(
    "schema",
    [story_schema(), story_schema(4, names=NAMES, backgrounds=("park",), ask_alpha=True),
     layout_schema(NAMES), words_schema(NAMES)],
)  # fmt: skip
def test_schemas_are_of_the_kind_that_servers_take(schema: dict[str, Any]):
    """OpenAI's strict mode: closed objects, all properties required, few keywords."""

    def walk(part: dict[str, Any]) -> None:
        known = {"type", "properties", "required", "additionalProperties", "items", "anyOf"}
        assert part.keys() <= known | {"enum", "minItems", "maxItems"}
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert part["required"] == list(part["properties"])
        inner = [*part.get("properties", {}).values(), *part.get("anyOf", [])]
        for child in [*inner, *([part["items"]] if "items" in part else [])]:
            walk(child)

    walk(schema)
    assert json.loads(json.dumps(schema)) == schema


def test_llama_cpp_makes_grammars_of_the_schemas():
    xllamacpp = pytest.importorskip("xllamacpp")
    for schema in (story_schema(3, ask_alpha=True), layout_schema(NAMES), words_schema(NAMES)):
        assert xllamacpp.json_schema_to_grammar(json.dumps(schema))


@given(st.lists(st.sampled_from([*NAMES, "", " x", "x" * 61, "\x00"]), max_size=9))
@settings(max_examples=60)
def test_any_entities(names: list[str]):
    """Entities of a scene are taken; others are refused, and no answer is blamed for it."""
    text = json.dumps({"keyframes": [{"boxes": dict.fromkeys(names, BOXES[1])}] * 9})
    if 0 < len(set(names)) == len(names) <= MAX_ENTITIES and set(names) <= set(NAMES):
        check_layout(text, tuple(names))
        read_layout(text, names)
        return
    with pytest.raises(PlanError) as caught:
        read_layout(text, names)
    assert not isinstance(caught.value, AnswerError)
