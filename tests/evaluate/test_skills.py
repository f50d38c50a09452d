"""Each skill on detections made by hand, with answers known beforehand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.evaluate import skills
from vdjax.evaluate.detections import Detection
from vdjax.evaluate.skills import Question


def see(name, x, y, w=0.2, h=0.2, *, look="noto", score=0.9):
    return Detection(name, look, score, (x - w / 2, y - h / 2, x + w / 2, y + h / 2))


def test_object_asks_for_the_name():
    question = Question(skill="object", name="cat")
    assert skills.holds(question, [see("dog", 0.2, 0.5), see("cat", 0.7, 0.5)])
    assert not skills.holds(question, [see("dog", 0.2, 0.5)])
    assert not skills.holds(question, [])


@pytest.mark.parametrize(("seen", "right"), [(1, False), (2, True), (3, False)])
def test_count_must_be_exact(seen, right):
    frame = [see("cat", 0.2 * n, 0.5) for n in range(1, seen + 1)] + [see("dog", 0.9, 0.9)]
    assert skills.holds(Question(skill="count", name="cat", number=2), frame) is right


@pytest.mark.parametrize(
    ("relation", "x", "y"),
    [("left", 0.2, 0.5), ("right", 0.8, 0.5), ("above", 0.5, 0.2), ("below", 0.5, 0.8)],
)
def test_the_relation_is_of_the_second_to_the_first(relation, x, y):
    frame = [see("dog", 0.5, 0.5), see("cat", x, y)]
    holding = [
        asked
        for asked in skills.SPATIAL
        if skills.holds(Question(skill="spatial", name="dog", other="cat", relation=asked), frame)
    ]
    assert holding == [relation]


def test_five_pixels_are_too_little_for_a_side():
    first = see("dog", 0.5, 0.5).box
    assert not skills.spatial_holds(first, see("cat", 0.5 + 4.9 / 128, 0.5).box, "right")
    assert skills.spatial_holds(first, see("cat", 0.5 + 5.1 / 128, 0.5).box, "right")


def test_any_pair_may_satisfy_a_relation():
    question = Question(skill="spatial", name="dog", other="cat", relation="left")
    assert skills.holds(
        question, [see("dog", 0.5, 0.5), see("cat", 0.8, 0.5), see("cat", 0.2, 0.5)]
    )
    assert not skills.holds(question, [see("cat", 0.2, 0.5)])


@pytest.mark.parametrize(
    ("width", "relations"),
    [
        (0.2 * 1.04, ["same"]),
        (0.2 * 0.96, ["same"]),
        (0.2 * 1.06, ["bigger"]),
        (0.2 * 0.5, ["smaller"]),
    ],
)
def test_scale_compares_areas_within_five_percent(width, relations):
    frame = [see("dog", 0.2, 0.5), see("cat", 0.7, 0.5, w=width)]
    holding = [
        asked
        for asked in skills.SCALE
        if skills.holds(Question(skill="scale", name="dog", other="cat", relation=asked), frame)
    ]
    assert holding == relations


@pytest.mark.parametrize(
    ("direction", "start", "end"),
    [
        ("left", (0.7, 0.5), (0.3, 0.5)),
        ("right", (0.3, 0.5), (0.7, 0.5)),
        ("up", (0.5, 0.7), (0.5, 0.3)),
        ("down", (0.5, 0.3), (0.5, 0.7)),
    ],
)
def test_movement_in_each_direction(direction, start, end):
    frames = [[see("car", *start)], [], [see("car", *end)]]
    for asked in skills.DIRECTIONS:
        moved = skills.movement(Question(skill="movement", name="car", relation=asked), frames)
        assert moved.detected
        assert moved.right == (asked == direction)


def test_a_thing_that_is_lost_has_not_moved():
    question = Question(skill="movement", name="car", relation="right")
    for frames in ([[], [see("car", 0.9, 0.5)]], [[see("car", 0.1, 0.5)], []]):
        assert skills.movement(question, frames) == skills.Movement(False, False, False)


def test_a_tremble_has_the_sign_but_is_no_movement():
    question = Question(skill="movement", name="car", relation="right")
    moved = skills.movement(question, [[see("car", 0.5, 0.5)], [see("car", 0.53, 0.5)]])
    assert moved == skills.Movement(detected=True, by_sign=True, right=False)


def test_movement_follows_the_best_detection():
    frames = [
        [see("car", 0.2, 0.5, score=0.9), see("car", 0.9, 0.5, score=0.4)],
        [see("car", 0.6, 0.5, score=0.8), see("car", 0.1, 0.5, score=0.5)],
    ]
    question = Question(skill="movement", name="car", relation="right")
    assert skills.movement(question, frames).right


def test_a_look_is_voted_by_score_over_frames():
    frames = [
        [see("cat", 0.5, 0.5, look="noto", score=0.9)],
        [see("cat", 0.5, 0.5, look="fluent", score=0.5)],
        [see("cat", 0.5, 0.5, look="fluent", score=0.5)],
        [],
    ]
    assert skills.scene_look(frames, "cat") == "fluent"
    assert skills.scene_look(frames, "dog") is None


def test_identity_needs_every_scene():
    assert skills.same_look(["noto", "noto", "noto"])
    assert not skills.same_look(["noto", "noto", "fluent"])
    assert not skills.same_look(["noto", None])


def test_overlap_takes_no_more_guesses_than_boxes():
    planned = [see("cat", 0.7, 0.5).box]
    far, near = see("cat", 0.2, 0.5, score=0.9), see("cat", 0.7, 0.5, score=0.5)
    assert skills.box_overlaps([far, near], planned, "cat").tolist() == [0.0]
    assert skills.box_overlaps([near], planned, "cat").tolist() == pytest.approx([1.0])
    assert skills.box_overlaps([], planned, "cat").tolist() == [0.0]


def test_overlap_of_several_is_one_to_one():
    planned = [see("cat", 0.2, 0.5).box, see("cat", 0.7, 0.5).box]
    seen = [see("cat", 0.7, 0.5, score=0.9), see("cat", 0.72, 0.5, score=0.8)]
    overlaps = skills.box_overlaps(seen, planned, "cat")
    assert overlaps.tolist() == pytest.approx([0.0, 1.0])


spots = st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(0.05, 0.3))


@given(spots, spots)
def test_sides_and_sizes_turn_round_when_the_things_do(a, b):
    first, second = (see("x", x, y, w=side, h=side).box for x, y, side in (a, b))
    for here, there in (("left", "right"), ("above", "below")):
        assert skills.spatial_holds(first, second, here) == skills.spatial_holds(
            second, first, there
        )
        assert not (
            skills.spatial_holds(first, second, here) and skills.spatial_holds(first, second, there)
        )
    assert sum(skills.scale_holds(first, second, relation) for relation in skills.SCALE) <= 1


@given(st.lists(spots, max_size=4), st.lists(spots, min_size=1, max_size=4))
def test_overlaps_are_one_per_planned_box_between_0_and_1(found, planned):
    seen = [see("cat", x, y, w=side, h=side) for x, y, side in found]
    boxes = [see("cat", x, y, w=side, h=side).box for x, y, side in planned]
    overlaps = skills.box_overlaps(seen, boxes, "cat")
    assert overlaps.shape == (len(boxes),)
    assert ((overlaps >= 0) & (overlaps <= 1 + 1e-9)).all()
    assert np.count_nonzero(overlaps) <= min(len(seen), len(boxes))
