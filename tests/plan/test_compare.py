"""The difference between two plans, in words that say what a person did."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vdjax.plan import VideoPlan
from vdjax.plan.compare import compare
from vdjax.plan.editing import Draft

BOX = (0.5, 0.1, 0.7, 0.3)


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        (lambda d: d.scene(1).move("cat", right=0.1), ["scene 1: cat moved right by 0.10"]),
        (
            lambda d: d.scene(2).move("cat", up=0.2, right=0.3),
            ["scene 2: cat moved right by 0.30 and up by 0.20"],
        ),
        (
            lambda d: d.scene(2).move("dog", left=0.2, keyframes=range(7, 10)),
            ["scene 2: dog moved left by 0.20 in keyframes 7 to 9"],
        ),
        (
            lambda d: d.scene(2).resize("dog", 0.5),
            ["scene 2: dog made 0.50 times as large"],
        ),
        (
            lambda d: d.scene(2).resize("cat", 1.25, keyframes=9),
            ["scene 2: cat made 1.25 times as large in keyframe 9"],
        ),
        (
            lambda d: d.scene(1).add("dog", BOX),
            ["scene 1: added dog", "group dog: scene 2 → scenes 1, 2"],
        ),
        (
            lambda d: d.scene(2).remove("dog"),
            ["scene 2: removed dog", "group dog: scene 2 → no scene"],
        ),
        (
            lambda d: d.scene(1).rename("cat", "tiger"),
            [
                "scene 1: description 'A cat walks' → 'A tiger walks'",
                "scene 1: cat renamed to tiger",
                "group cat: scenes 1, 2 → scene 2",
                "group tiger: no scene → scene 1",
            ],
        ),
        (
            lambda d: d.scene(1).set_background("forest"),
            [
                "scene 1: background beach → forest",
                "group beach: scene 1 → no scene",
                "group forest: no scene → scene 1",
            ],
        ),
        (lambda d: d.regroup("cat", [1]), ["group cat: scenes 1, 2 → scene 1"]),
        (lambda d: d.replace(alpha=0.25), ["alpha 1.0 → 0.25"]),
        (lambda d: d.replace(seed=3), ["seed added"]),
    ],
)
def test_an_edit_in_words(plan: VideoPlan, edit: Callable[[Draft], object], lines: list[str]):
    draft = Draft(plan)
    edit(draft)
    assert compare(plan, draft.plan) == lines


def test_equal_plans_have_no_differences(plan: VideoPlan):
    assert compare(plan, VideoPlan.parse(plan.to_json())) == []


def test_scenes_that_came_and_went(plan: VideoPlan):
    longer = plan.replace(scenes=[*plan.scenes, plan.scenes[0]], groups=None)
    assert compare(plan, longer)[0] == "scene 3 added: 'A cat walks'"
    assert compare(longer, plan)[0] == "scene 3 removed: 'A cat walks'"


def test_visibility_shape_and_order(plan: VideoPlan):
    two = plan.scene(2)
    frames = [dict(keyframe) for keyframe in two.keyframes]
    frames[0]["dog"] = (0.5, 0.4, 0.9, 0.9)
    del frames[8]["dog"]
    for frame in frames[3:5]:
        frame["cat"] = (0.1, 0.5, 0.3, 0.9)
    changed = plan.replace(scenes=[plan.scene(1), two.replace(keyframes=frames)])
    assert compare(plan, changed) == [
        "scene 2: cat in boxes of another shape in keyframes 4, 5",
        "scene 2: dog now visible in keyframe 1",
        "scene 2: dog no longer visible in keyframe 9",
    ]
    turned = plan.replace(scenes=[plan.scene(1), two.replace(entities=["dog", "cat"])])
    assert compare(plan, turned) == ["scene 2: entities in the order dog, cat"]
