"""Words and boxes that disagree about who goes where."""

from __future__ import annotations

import pytest

from vdjax.plan import Scene, VideoPlan
from vdjax.plan.check import check
from vdjax.plan.said import Contrary, contraries


def sliding(
    description: str,
    dx: float,
    dy: float = 0.0,
    names: tuple[str, ...] = ("cat",),
    captions: tuple[str, ...] | None = None,
) -> Scene:
    """All the things go the same way, from the middle of the frame outwards."""
    box = (0.35, 0.35, 0.65, 0.65)
    keyframes = []
    for k in range(9):
        x, y = dx * (k / 8 - 0.5), dy * (k / 8 - 0.5)
        keyframes.append(dict.fromkeys(names, (box[0] + x, box[1] + y, box[2] + x, box[3] + y)))
    return Scene(
        description=description,
        background="park",
        entities=names,
        keyframes=keyframes,
        captions=captions,
    )


@pytest.mark.parametrize(
    ("description", "should"),
    [
        ("a cat walks from left to right", "walk to the right"),
        ("From the left, a cat runs to the right side", "run to the right"),
        ("the kitten moves to the right", "move to the right"),
        ("a cat comes in from the left", "come in to the right"),
        ("a cat flies up into the sky", "fly up"),
    ],
)
def test_said_one_way_and_moving_the_other(description: str, should: str):
    assert list(contraries(sliding(description, -0.5))) == [
        Contrary("cat", "moves to the left", should)
    ]


@pytest.mark.parametrize(
    "description",
    [
        "a cat walks from right to left",
        "a cat walks",
        "a dog walks from left to right",  # of the cat nothing is said
        "a cat looks to the right",
        "a cat walks to the right and then to the left",
        "a cat sits on the right",
        "two cats walk to the right",  # which of them is this one?
        "",
    ],
)
def test_nothing_is_said_against_it(description: str):
    assert not list(contraries(sliding(description, -0.5)))


def test_names_that_a_model_made_up():
    scene = sliding("a fluffy dog runs to the right", -0.5, names=("fluffy dog", "robot"))
    assert [one.name for one in contraries(scene)] == ["fluffy dog"]


def test_a_tree_beside_a_runner_does_not_run():
    scene = sliding("a tree and a cat runs to the left", -0.5, names=("cat", "tree"))
    assert not list(contraries(scene))


def test_captions_are_held_against_the_boxes_around_them():
    captions = ["a cat", "a cat walks to the left", *["a cat walks to the right"] * 7]
    scene = sliding("a cat walks", 0.5, captions=tuple(captions))
    (only,) = check(VideoPlan(prompt="", scenes=[scene]))
    assert (only.kind, only.keyframe) == ("contrary", 2)
    assert str(only) == (
        "scene 1, keyframe 2: 'cat' moves to the right, but the caption says that it should walk to"
        " the left"
    )


def test_one_that_is_seen_once_goes_no_way():
    keyframes = [{"cat": (0.1, 0.1, 0.4, 0.4)} if k == 4 else {} for k in range(9)]
    scene = Scene(
        description="a cat appears and walks to the left",
        background="park",
        entities=("cat",),
        keyframes=keyframes,
        captions=("a cat walks to the right",) * 9,
    )
    assert [one.still for one in contraries(scene)] in ([], [True])
