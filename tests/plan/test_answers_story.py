"""Stories as models tell them: read, mended with a note, or refused with what to do instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vdjax.plan import PlanError
from vdjax.plan.answers import (
    AnswerError,
    SceneIdea,
    partial_scenes,
    read_story,
    story_schema,
)

CAT = SceneIdea("A cat walks on the beach", ("cat",), "beach")
DOG = SceneIdea("The cat meets a dog.", ("cat", "dog"), "park")
GOOD: dict[str, Any] = {
    "scenes": [
        {"description": "A cat walks on the beach", "entities": ["cat"], "background": "beach"},
        {"description": "The cat meets a dog.", "entities": ["cat", "dog"], "background": "park"},
    ]
}
TEXT = json.dumps(GOOD)


def told(**changes: Any) -> str:
    """The good story with its second scene changed."""
    first, second = GOOD["scenes"]
    return json.dumps({"scenes": [first, {**second, **changes}]})


def test_a_good_answer_is_read_as_it_is():
    answer = read_story(TEXT, scenes=2)
    assert answer.scenes == (CAT, DOG)
    assert answer.alpha is None
    assert answer.notes == ()


SAME = [
    f"Sure! Here is the story:\n```json\n{TEXT}\n```\nI hope you like it.",
    f"<think>Perhaps {{two}} scenes?</think>{TEXT}",
    TEXT.replace('"', "'"),
    TEXT.replace('"', "“"),
    TEXT.replace('", "', '" "'),
    TEXT.replace("]", ",]").replace("}", ",}"),
    TEXT[:-2],
    json.dumps(GOOD["scenes"]),
    json.dumps({"Scenes": {"scene_1": GOOD["scenes"][0], "scene_2": GOOD["scenes"][1]}}),
    json.dumps([{"step_1": GOOD["scenes"][0]}, {"step_2": GOOD["scenes"][1]}]),
    TEXT.replace("description", "Prompt").replace("entities", "Objects").replace("back", "Back"),
    json.dumps([[i.description, list(i.entities), i.background] for i in (CAT, DOG)]),
    TEXT.replace('["cat", "dog"]', '"a cat and the dog"'),
    TEXT.replace('["cat", "dog"]', '[{"name": "The Cat"}, {"name": "dog", "look": "brown"}]'),
    # The paper's grammar, its example, VideoStudio's grammar, and what models make of them.
    "[step_1: [A cat walks on the beach, [cat], beach]; "
    "step_2: [The cat meets a dog., [cat, dog], park]]",
    'step_1: ["A cat walks on the beach", ["cat"], "beach"];\n'
    'step_2: ["The cat meets a dog.", ["cat", "dog"], "park"]',
    "Step 1: [Prompt: A cat walks on the beach; Entities: cat; Background: beach]\n"
    "Step 2: [Prompt: The cat meets a dog.; Entities: cat, dog; Background: park]\nEnjoy!",
    "[step_1: [A cat walks on the beach; entities: cat; background: beach]]\n"
    "[step_2: [The cat meets a dog.; entities: cat, dog; background: park]]",
    "**Scene 1:** A cat walks on the beach\n**Entities:** cat\n**Background:** beach\n\n"
    "**Scene 2:** The cat meets a dog.\n**Entities:**\n- cat\n- dog\n\n**Background:** park\n\nEnd",
    "1. Description: A cat walks on the beach\n   Entities: [cat]\n   Setting: beach\n"
    "2. Description: The cat meets a dog.\n   Entities: [cat, dog]\n   Setting: park",
    "step_1: [A cat walks on the beach; cat; beach]\n"
    "step_2: [The cat meets a dog.; cat, dog; park]",
]  # fmt: skip


@pytest.mark.parametrize("text", SAME, ids=range(len(SAME)))
def test_the_same_story_in_many_hands(text: str):
    assert read_story(text).scenes == (CAT, DOG)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (TEXT[:-2], "cut off"),
        (TEXT.replace('"', "'"), "quotes"),
        (told(entities=["The Cat", "dog"]), "'The Cat' read as 'cat'"),
        (told(entities=["cat", "dog", "cat"]), "scene 2: 'cat' was given twice"),
        (told(entities=["cat 1", "dog"]), "'cat 1' read as 'cat'"),
        (told(entities=["cat", "dog", "the park"]), "scene 2: 'park' is the background"),
        (told(background=None), "scene 2: no background; kept from the scene before"),
        (told(entities=[f"{n}" for n in "abcdefghi"]), "left out: h, i"),
        (told(description="x" * 2000), "cut to 1000 characters"),
    ],
)
def test_every_repair_is_told(text: str, note: str):
    answer = read_story(text)
    assert len(answer.scenes) == 2
    assert note in "; ".join(answer.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I cannot help with that.", "no scenes are found in the answer; answer with"),
        ("{}", "no scenes are found"),
        ('{"scenes": []}', "no scenes are found"),
        ("<html><body>502 Bad Gateway</body></html>", "no scenes are found"),
        (told(entities=[]), "scene 2 has no entities; name at least one thing to draw"),
        (told(entities=["park"]), "scene 2 has no entities"),
        (told(description=" "), "scene 2 has no description"),
        (json.dumps({"scenes": [{"description": "a", "entities": ["b"]}]}), "has no background"),
        (json.dumps({"scenes": GOOD["scenes"] * 9}), "18 scenes; at most 16"),
        (TEXT[:60], "cut off in its first scene"),
        ("[" * 99, "nested more than"),
    ],
)
def test_what_cannot_be_read_says_what_to_give(text: str, message: str):
    with pytest.raises(AnswerError, match=message):
        read_story(text)
    assert issubclass(AnswerError, PlanError)


def test_a_fixed_number_of_scenes_is_held():
    with pytest.raises(AnswerError, match="the answer has 2 scenes; exactly 3 are wanted"):
        read_story(TEXT, scenes=3)


def test_a_scene_that_is_cut_off_is_left_out():
    answer = read_story(TEXT[:-8])
    assert answer.scenes == (CAT,)
    assert "cut off" in answer.notes[0]


@pytest.mark.parametrize(
    ("said", "alpha"),
    [("0.1", 0.1), ('"20%"', 0.2), ("30%", 0.3), ("1", 1.0), ("5", None), ('"DEFAULT"', None),
     ("NaN", None), ("null", None)],
)  # fmt: skip
def test_alpha_is_a_share_or_left_out(said: str, alpha: float | None):
    answer = read_story(TEXT[:-1] + f', "alpha": {said}}}')
    assert answer.alpha == alpha
    assert bool(answer.notes) == (alpha is None and said != "null")


def test_alpha_beside_brackets():
    text = "step_1: [Prompt: a cat; Entities: cat; Background: park]\nalpha: 0.2"
    assert read_story(text).alpha == 0.2


def test_names_are_spelled_in_one_way():
    scenes = [
        {"description": "a", "entities": ["a Fluffy cat"], "background": "The Park"},
        {"description": "b", "entities": ["the fluffy Cat"], "background": "park"},
    ]
    first, second = read_story(json.dumps({"scenes": scenes})).scenes
    assert first.entities == second.entities == ("Fluffy cat",)
    assert first.background == second.background == "Park"


def test_scenes_appear_while_an_answer_is_written():
    seen = [partial_scenes(TEXT[:end]) for end in range(len(TEXT) + 1)]
    assert seen[0] == ()
    assert seen[-1] == (CAT, DOG)
    assert [len(ideas) for ideas in seen] == sorted(len(ideas) for ideas in seen)
    assert any(ideas and ideas[-1].description == "A cat wa" for ideas in seen)
    for ideas in seen:
        assert all(DOG.description.startswith(idea.description) for idea in ideas[1:])


@pytest.mark.parametrize("text", ["", "[" * 99, "Hello", "{", '{"scenes": [', "<think>a"])
def test_an_answer_that_says_nothing_yet_has_no_scenes(text: str):
    assert partial_scenes(text) == ()


def test_the_schema_says_what_was_asked():
    free = story_schema()
    scenes = free["properties"]["scenes"]
    assert (scenes["minItems"], scenes["maxItems"]) == (1, 16)
    fixed = story_schema(3, max_entities=4, names=("cat", "dog"), backgrounds=("park",))
    scenes = fixed["properties"]["scenes"]
    assert (scenes["minItems"], scenes["maxItems"]) == (3, 3)
    entities = scenes["items"]["properties"]["entities"]
    assert entities["maxItems"] == 4
    assert entities["items"]["enum"] == ["cat", "dog"]
    assert "alpha" in story_schema(ask_alpha=True)["required"]
