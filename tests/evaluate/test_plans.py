"""The held-out plans: fixed, valid, and saying in boxes what they ask in words."""

import collections
import itertools

import pytest

from vdjax.data.storybook import NAMES, held_out_combinations
from vdjax.errors import UserError
from vdjax.evaluate import skills
from vdjax.evaluate.detections import Detection
from vdjax.evaluate.plans import choose, held_out_plans
from vdjax.plan.boxes import area, centre, intersection
from vdjax.plan.layout import frame_boxes
from vdjax.plan.schema import VideoPlan, base_name

PLANS = held_out_plans()


def seen_as_planned(plan):
    """What a perfect eye would see of a perfect film of the first scene."""
    boxes = frame_boxes(plan.scenes[0])
    return [
        [Detection(base_name(name), "noto", 1.0, path[at]) for name, path in boxes.items()]
        for at in range(16)
    ]


def test_there_are_at_least_a_hundred_and_all_skills_have_enough():
    counts = collections.Counter(one.question.skill for one in PLANS)
    assert len(PLANS) >= 100
    assert set(counts) == set(skills.SKILLS)
    assert min(counts.values()) >= 20


def test_they_are_the_same_every_time():
    assert held_out_plans.__wrapped__() == PLANS
    assert [one.number for one in PLANS] == list(range(len(PLANS)))
    assert len({one.label for one in PLANS}) == len(PLANS)


def test_boxes_say_what_the_question_asks():
    for one in PLANS:
        frames, question = seen_as_planned(one.plan), one.question
        if question.skill == "movement":
            assert skills.movement(question, frames).right, one.label
        elif question.skill == "identity":
            assert 2 <= len(one.plan.scenes) <= 3, one.label
            assert one.plan.groups[question.name] == tuple(range(1, len(one.plan.scenes) + 1))
        else:
            assert all(skills.holds(question, frame) for frame in frames), one.label


def test_plans_can_be_drawn():
    for one in PLANS:
        assert VideoPlan.parse(one.plan.to_json()) == one.plan
        for scene in one.plan.scenes:
            paths = frame_boxes(scene)
            assert {base_name(name) for name in paths} <= set(NAMES)
            for x0, y0, x1, y1 in itertools.chain(*paths.values()):
                assert 0.17 <= max(x1 - x0, y1 - y0) <= 0.85, one.label
            boxes = [path[0] for path in paths.values()]
            for first, second in itertools.combinations(boxes, 2):
                shared = intersection(first, second)
                assert shared <= 0.15 * min(area(first), area(second)), one.label


def test_descriptions_name_what_is_asked():
    for one in PLANS:
        words = one.plan.scenes[0].description
        if one.question.skill != "count" or one.question.number == 1:
            assert one.question.name in words
        if one.question.skill == "spatial":
            assert one.question.other in words
        assert not any(look in words for look in ("rounded", "glossy", "flat", "outlined"))


def test_half_of_the_pairs_are_never_seen_in_training():
    pairs = [one.question for one in PLANS if one.question.skill in ("spatial", "scale")]
    apart = [frozenset((q.name, q.other)) in held_out_combinations() for q in pairs]
    assert sum(apart) == len(pairs) / 2


def test_moving_things_move_far_and_the_others_do_not():
    for one in PLANS:
        path = frame_boxes(one.plan.scenes[0])[one.plan.scenes[0].entities[0]]
        (x0, y0), (x1, y1) = centre(path[0]), centre(path[-1])
        moved = abs(x1 - x0) + abs(y1 - y0)
        assert (moved >= 0.3) if one.question.skill == "movement" else (moved == 0)


@pytest.mark.parametrize("count", [6, 12, 50])
def test_a_part_is_spread_over_the_skills(count):
    some = choose(count)
    counts = collections.Counter(one.question.skill for one in some)
    assert len(some) == count
    assert max(counts.values()) - min(counts.values()) <= 1
    assert [one.number for one in some] == sorted(one.number for one in some)


def test_a_larger_part_holds_the_smaller():
    assert set(choose(12)) <= set(choose(40)) <= set(choose(None)) == set(PLANS)


@pytest.mark.parametrize("count", [0, -3, 151])
def test_too_many_or_none_is_refused(count):
    with pytest.raises(UserError, match="1 to 150"):
        choose(count)
