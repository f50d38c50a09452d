"""What is hard to believe in a plan is found, named with its place, and left as it is."""

from __future__ import annotations

from typing import Any

import pytest

from vdjax.plan import Scene, VideoPlan, plan
from vdjax.plan.check import check
from vdjax.plan.vocabulary import Vocabulary

Path = list[list[float] | None]
STILL: Path = [[0.1, 0.5, 0.4, 0.9]] * 9


def slide(step: float = 0.05, start: float = 0.05) -> Path:
    return [[start + step * k, 0.5, start + step * k + 0.3, 0.9] for k in range(9)]


def scene(description: str = "a scene", background: str = "park", **paths: Path) -> Scene:
    keyframes: list[dict[str, Any]] = [
        {name: path[k] for name, path in paths.items() if path[k] is not None} for k in range(9)
    ]
    return Scene(
        description=description, background=background, entities=list(paths), keyframes=keyframes
    )


def kinds(*scenes: Scene, **options: Any) -> list[tuple[str, int, int | None, str]]:
    found = check(VideoPlan(prompt="", scenes=scenes), **options)
    return [(one.kind, one.scene, one.keyframe, one.name) for one in found]


def test_a_sane_scene_has_no_findings():
    assert kinds(scene("a cat walks", cat=slide()), scene("a cat sleeps", cat=STILL)) == []


def test_a_jump_is_found_at_its_worst():
    path = slide(0.0)
    path[4:] = [[0.6, 0.5, 0.9, 0.9]] * 5
    assert kinds(scene(cat=path)) == [("jump", 1, 5, "cat")]


def test_a_slide_as_fast_as_the_training_clips_is_none():
    assert kinds(scene(cat=slide(0.7 / 8, 0.0))) == []


def test_swelling_is_found_but_not_growing():
    grown: Path = [
        [0.4 - 0.03 * k, 0.4 - 0.03 * k, 0.6 + 0.03 * k, 0.6 + 0.03 * k] for k in range(9)
    ]
    assert kinds(scene(cat=grown)) == []
    grown[6:] = [[0.1, 0.1, 0.9, 0.9]] * 3
    assert kinds(scene(cat=[*grown[:2], *grown[6:], *grown[6:], grown[8]])) == [
        ("swell", 1, 3, "cat")
    ]


def test_a_box_that_the_edge_cuts_does_not_swell():
    entering: Path = [[0.0, 0.5, 0.05 + 0.1 * min(k, 3), 0.9] for k in range(9)]
    assert kinds(scene("a cat enters", cat=entering)) == []


def test_tiny_boxes_are_found():
    small: Path = [*STILL[:8], [0.1, 0.5, 0.2, 0.59]]
    assert ("tiny", 1, 9, "cat") in kinds(scene(cat=small))


def test_one_identity_in_two_sizes():
    small: Path = [[0.4, 0.5, 0.5, 0.63]] * 9
    big = scene(cat=STILL)
    assert kinds(big, scene(cat=small)) == [("size", 2, None, "cat")]
    apart = VideoPlan(prompt="", scenes=[big, scene(cat=small)], groups={"cat": [1]})
    assert check(apart) == []  # somebody else may be small


def test_what_is_hidden_all_the_time():
    behind: Path = [[0.2, 0.55, 0.35, 0.8]] * 9
    assert kinds(scene(cat=behind, bus=STILL)) == [("hidden", 1, None, "cat")]
    # What the large one does not cover in some keyframe is seen then.
    assert kinds(scene(cat=[*behind[:8], [0.6, 0.55, 0.75, 0.8]], bus=STILL)) == [
        ("jump", 1, 9, "cat")
    ]


@pytest.mark.parametrize(
    ("description", "box", "found"),
    [
        ("a cat sits", [0.3, 0.3, 0.6, 0.6], True),
        ("a cat sits", [0.0, 0.3, 0.3, 0.6], False),  # over the edge
        ("a cat appears", [0.3, 0.3, 0.6, 0.6], False),
        ("a cat sits there in the second half", [0.3, 0.3, 0.6, 0.6], False),
    ],
)
def test_from_nowhere(description: str, box: list[float], found: bool):
    late: Path = [None] * 4 + [box] * 5
    expected = [("from nowhere", 1, 5, "cat")] if found else []
    assert kinds(scene(description, cat=late, dog=[[0.7, 0.7, 0.95, 0.95]] * 9)) == expected
    early = late[::-1]
    expected = [("from nowhere", 1, 6, "cat")] if found else []
    assert kinds(scene(description, cat=early, dog=[[0.7, 0.7, 0.95, 0.95]] * 9)) == expected


@pytest.mark.parametrize(
    ("description", "found"),
    [
        ("a cat runs through the park", True),
        ("the kitten jumps", True),
        ("a cat sleeps", False),
        ("a cat plays with a ball", False),
        ("two cats run", False),  # which of them is not said
        ("a dog runs past a cat", False),
    ],
)
def test_still_though_the_words_move(description: str, found: bool):
    path: Path = [[0.6, 0.5, 0.9, 0.9]] * 9
    assert kinds(scene(description, cat=path)) == ([("still", 1, None, "cat")] if found else [])


def test_names_without_a_picture_are_found_where_a_vocabulary_is_given():
    odd = scene(background="castle garden", robot=STILL)
    words = Vocabulary.storybook()
    assert kinds(odd) == []
    assert kinds(odd, vocabulary=words) == [
        ("unknown", 1, None, "robot"),
        ("unknown", 1, None, "castle garden"),
    ]
    (only,) = check(VideoPlan(prompt="", scenes=[scene(hors=STILL)]), words)
    assert str(only) == "scene 1: 'hors' has no picture in this world (did you mean 'horse'?)"


def test_findings_read_well():
    path: Path = [*STILL[:4], *[[0.6, 0.5, 0.9, 0.9]] * 5]
    film = VideoPlan(prompt="", scenes=[scene(cat=STILL), scene(cat=path)])
    (only,) = check(film)
    assert str(only) == (
        "scene 2, keyframe 5: 'cat' jumps 0.50 of the frame from the keyframe before;"
        " more than 0.3 in one step looks like a cut"
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "prompt",
    [
        "A cat drives a red car to the beach, then meets a dog, then they watch a rocket fly up",
        "A bee circles around a sunflower. A boy enters from the left. He throws a ball.",
        "A dog chases a ball in the park. It jumps over a mushroom. A tiny mouse grows.",
        "two cats in front of a house, then a bird leaves and a snail appears",
    ],
)
def test_plans_of_the_rules_are_believed(prompt: str, seed: int):
    assert [str(one) for one in check(plan(prompt, seed=seed), Vocabulary.storybook())] == []
