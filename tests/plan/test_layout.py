"""Interpolation: ends aligned, straight lines between, and a rule for who is visible when."""

from __future__ import annotations

from typing import Any

import pytest

from vdjax.plan import PlanError, Scene, frame_boxes, identities, painting_order
from vdjax.plan.schema import VideoPlan

FAR, NEAR = [0.0, 0.1, 0.2, 0.3], [0.8, 0.7, 1.0, 0.9]


def scene(**paths: list[Any]) -> Scene:
    """A scene with the nine boxes (or None) of each name."""
    keyframes = [
        {name: boxes[k] for name, boxes in paths.items() if boxes[k] is not None} for k in range(9)
    ]
    return Scene(description="test", background="park", entities=list(paths), keyframes=keyframes)


def line() -> list[list[float]]:
    return [[a + (b - a) * k / 8 for a, b in zip(FAR, NEAR, strict=True)] for k in range(9)]


@pytest.mark.parametrize("num_frames", [2, 8, 9, 16, 17, 24])
def test_a_straight_line_stays_straight(num_frames: int):
    boxes = frame_boxes(scene(cat=line()), num_frames)["cat"]
    for frame, box in enumerate(boxes):
        share = frame / (num_frames - 1)
        expected = [a + (b - a) * share for a, b in zip(FAR, NEAR, strict=True)]
        assert box == pytest.approx(expected, abs=1e-12)


def test_both_ends_are_exact():
    boxes = frame_boxes(scene(cat=line()))["cat"]
    assert (boxes[0], boxes[-1]) == (tuple(line()[0]), tuple(line()[8]))
    assert len(boxes) == 16


def test_nine_frames_are_the_keyframes():
    zigzag = [FAR if k % 2 else NEAR for k in range(9)]
    assert frame_boxes(scene(cat=zigzag), 9)["cat"] == [tuple(box) for box in zigzag]


def test_one_frame_is_the_middle():
    assert frame_boxes(scene(cat=line()), 1)["cat"] == [tuple(line()[4])]


def test_who_appears_is_seen_from_the_nearer_keyframe_on():
    # Frame f of 16 falls on 8f/15 of the keyframe axis: frame 6 on 3.2, frame 7 on 3.73.
    late = [None] * 4 + [FAR] * 5
    boxes = frame_boxes(scene(cat=late))["cat"]
    assert [box is not None for box in boxes] == [False] * 7 + [True] * 9
    assert boxes[7] == tuple(FAR)


def test_who_leaves_is_seen_up_to_the_nearer_keyframe():
    early = [FAR] * 5 + [None] * 4
    boxes = frame_boxes(scene(cat=early))["cat"]
    assert [box is not None for box in boxes] == [True] * 9 + [False] * 7


def test_half_way_counts_as_not_visible():
    blink = [FAR, None, FAR, None, FAR, None, FAR, None, FAR]
    boxes = frame_boxes(scene(cat=blink), 17)["cat"]  # every second frame lies half-way
    assert [box is not None for box in boxes] == [f % 4 == 0 for f in range(17)]


def test_a_visitor_of_one_keyframe_is_seen():
    once = [None] * 3 + [FAR] + [None] * 5
    assert sum(box is not None for box in frame_boxes(scene(cat=once))["cat"]) == 2


@pytest.mark.parametrize("num_frames", [0, -1, True])
def test_the_number_of_frames_is_checked(num_frames: int):
    with pytest.raises(PlanError, match="num_frames"):
        frame_boxes(scene(cat=line()), num_frames)


def test_identities_are_shared_within_groups_only():
    one = scene(cat=[FAR] * 9)
    plan = VideoPlan(prompt="", scenes=[one, one, one], groups={"cat": [1, 3]})
    found = identities(plan)
    assert [found[n, "cat"] for n in (1, 2, 3)] == ["cat", "cat in scene 2", "cat"]
    assert len({found[n, "park"] for n in (1, 2, 3)}) == 3  # no group: three different parks
    assert len(set(identities(plan.replace(groups=None)).values())) == 2


def test_what_stands_lower_is_painted_later():
    high, low = [0.1, 0.1, 0.3, 0.3], [0.2, 0.2, 0.4, 0.9]
    large = [0.0, 0.0, 1.0, 0.9]
    assert painting_order(scene(low=[low] * 9, large=[large] * 9, high=[high] * 9)) == [
        "high",
        "large",
        "low",
    ]
