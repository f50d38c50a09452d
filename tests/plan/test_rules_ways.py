"""The rules director on where, which way and when: the same thing said in many ways of English."""

from __future__ import annotations

import pytest

from vdjax.plan import Scene, frame_boxes, plan
from vdjax.plan.boxes import area, centre


def only(prompt: str) -> Scene:
    """The single scene of a prompt."""
    film = plan(prompt)
    assert len(film.scenes) == 1, [scene.description for scene in film.scenes]
    return film.scenes[0]


def corners(scene: Scene, name: str) -> list[str]:
    """Where a thing is in the first, the middle and the last keyframe."""
    places = [centre(scene.keyframes[k][name]) for k in (0, 4, 8)]
    return [
        f"{'upper' if y < 0.5 else 'lower'} {'left' if x < 0.5 else 'right'}" for x, y in places
    ]


@pytest.mark.parametrize(
    "prompt",
    [
        "A cat walks from the upper left to the lower left, then to the lower right",
        "From the upper left, a cat walks to the lower left and on to the lower right",
        "First a cat is at the top left, next at the bottom left, finally at the bottom right",
        "A cat walks from top left via lower left to lower right",
        "In the upper left corner there is a cat, which runs to the lower left and after that to"
        " the lower right",
        "Starting in the upper left, a cat goes to the bottom left before it reaches the bottom"
        " right",
        "A cat visits the upper left, the lower left and the lower right of the frame",
        "A cat waits in the upper left, then runs to the lower left and finally reaches the lower"
        " right",
    ],
)
def test_stops_on_a_way(prompt: str):
    assert corners(only(prompt), "cat") == ["upper left", "lower left", "lower right"]


@pytest.mark.parametrize(
    "prompt",
    [
        "A cat starts on the left side of a house and ends on its right side",
        "A cat is first to the left of a house, then to the right of it",
        "A cat to the left of a house walks over to the right of the house",
        "A house stands still while a cat walks from its left to its right",
        "A cat passes a house, going from left to right",
        "A cat crosses in front of a house from the left to the right",
        "There is a house. A cat runs from the left of the house to the right of the house",
        "A cat walks to the right of a house",
    ],
)
def test_from_one_side_of_something_to_the_other(prompt: str):
    scene = only(prompt)
    assert scene.entities in (("cat", "house"), ("house", "cat"))
    gaps = [
        centre(keyframe["cat"])[0] - centre(keyframe["house"])[0] for keyframe in scene.keyframes
    ]
    assert gaps[0] < -0.05
    assert gaps[-1] > 0.05


@pytest.mark.parametrize(
    ("prompt", "axis", "sign"),
    [
        ("Below an owl there is a cat", 1, 1),
        ("There is an owl, and underneath it a cat", 1, 1),
        ("An owl with a cat below it", 1, 1),
        ("Left of an owl stands a cat", 0, -1),
        ("A boy has an owl to his right and a cat to his left", 0, -1),
        ("An owl with a cat to its right", 0, 1),
        ("On the left a cat, on the right an owl", 0, -1),
        ("An owl has a cat on its left side", 0, -1),
    ],
)
def test_the_place_may_be_said_first_or_last(prompt: str, axis: int, sign: int):
    for keyframe in only(prompt).keyframes:
        gap = centre(keyframe["cat"])[axis] - centre(keyframe["owl"])[axis]
        assert sign * gap > 0.04


@pytest.mark.parametrize(
    ("prompt", "low", "high"),
    [
        ("A dog and a bigger cat", 1.3, 9),
        ("A dog next to a much smaller cat", 0, 1 / 1.3),
        ("A dog and a cat of the same size", 0.95, 1.05),
        ("A dog and a cat are equally big", 0.95, 1.05),
        ("A dog next to an equally large cat", 0.95, 1.05),
    ],
)
def test_sizes_compared_in_passing(prompt: str, low: float, high: float):
    keyframe = only(prompt).keyframes[0]
    assert low < area(keyframe["cat"]) / area(keyframe["dog"]) < high


@pytest.mark.parametrize(
    ("prompt", "seen"),
    [
        ("A cat is there at first, then it vanishes", (True, False)),
        ("A cat is seen at the start. Then it disappears.", (True, False)),
        ("In the beginning there is a cat, but later it is gone", (True, False)),
        ("A cat goes out of sight after the first half", (True, False)),
        ("After the first half of the clip a cat can no longer be seen", (True, False)),
        ("A cat leaves in the second half", (True, False)),
        ("Only in the second half of the clip can a cat be seen", (False, True)),
        ("Nothing is there at the beginning, but a cat comes into view later", (False, True)),
        ("Suddenly a cat is there", (False, True)),
        ("A cat is in the upper left and at the end in the lower right", (True, True)),
    ],
)
def test_coming_and_going(prompt: str, seen: tuple[bool, bool]):
    boxes = frame_boxes(only(prompt), 6)["cat"]
    assert (boxes[0] is not None, boxes[1] is not None) == (seen[0], seen[0])
    assert (boxes[4] is not None, boxes[5] is not None) == (seen[1], seen[1])


@pytest.mark.parametrize(
    ("prompt", "axis", "sign"),
    [
        ("Something pushes a ball from right to left", 0, -1),
        ("A ball is thrown to the right", 0, 1),
        ("A ball heads for the top of the screen", 1, -1),
        ("A ball moves to the bottom", 1, 1),
        ("A ball slowly rolls towards the left side, coming from the right", 0, -1),
        ("A ball zorps to the left", 0, -1),
    ],
)
def test_ways_without_a_start_or_a_doer(prompt: str, axis: int, sign: int):
    scene = only(prompt)
    first, last = (centre(scene.keyframes[k]["ball"]) for k in (0, 8))
    assert sign * (last[axis] - first[axis]) > 0.2
    assert not any("still" in note for note in scene.notes)


def test_what_is_there_joins_what_is_told_of_it_and_nothing_else():
    assert only("There is a ball in the park. A dog chases it.").entities == ("ball", "dog")
    assert len(plan("There is a ball in the park. A dog sleeps.").scenes) == 2
    assert len(plan("A cat drives to the beach. Then it disappears.").scenes) == 2
    assert len(plan("A boy throws a ball. It rolls to the left.").scenes) == 2


@pytest.mark.parametrize(
    ("prompt", "description", "background"),
    [
        ("in the snow, a snail", "in the snowy mountains, a snail", "snowy mountains"),
        ("a fish gets bigger at night", "a fish gets bigger at night", "night"),
        ("below a ball there is a cat", "a cat below a ball in the park", "park"),
        ("an owl sits, then flies to the top", "an owl sits and flies to the top", None),
    ],
)
def test_descriptions(prompt: str, description: str, background: str | None):
    scene = only(prompt)
    assert scene.description.startswith(description)
    assert background in (None, scene.background)


def test_a_proper_name_may_be_the_name_of_a_place():
    film = plan("A girl has a rabbit called Snow. Snow jumps.")
    assert film.scenes[1].entities == ("rabbit",)
