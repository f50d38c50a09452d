"""Edits change what they name, keep the plan valid, and can be taken back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from vdjax.plan import PlanError, Scene, VideoPlan, identities
from vdjax.plan.boxes import centre
from vdjax.plan.editing import Draft, add, move, remove, rename, resize, set_background


def centres(scene: Scene, name: str) -> list[tuple[float, float]]:
    return [centre(keyframe[name]) for keyframe in scene.keyframes if name in keyframe]


def flat(points: list[tuple[float, float]]) -> list[float]:
    return list(itertools.chain(*points))


# Scenes


def test_a_moved_box_has_tidy_numbers(plan: VideoPlan):
    scene = add(plan.scene(1), "ball", (0.07, 0.2, 0.37, 0.5))
    assert move(scene, "ball", right=0.1).keyframes[0]["ball"] == (0.17, 0.2, 0.47, 0.5)


def test_a_path_moves_as_a_whole(plan: VideoPlan):
    before, after = plan.scene(1), move(plan.scene(1), "cat", right=0.1, up=0.2)
    for (x0, y0), (x1, y1) in zip(centres(before, "cat"), centres(after, "cat"), strict=True):
        assert (x1 - x0, y1 - y0) == pytest.approx((0.1, -0.2))
    assert before == plan.scene(1)


def test_a_path_stays_in_the_frame_and_keeps_its_shape(plan: VideoPlan):
    before = plan.scene(1)
    after = move(before, "cat", right=5.0)
    assert after.keyframes[8]["cat"][2] == 1.0
    ways = [b[0] - a[0] for a, b in zip(centres(before, "cat"), centres(after, "cat"), strict=True)]
    assert ways == pytest.approx([ways[0]] * 9)
    assert move(before, "cat", left=1).keyframes[0]["cat"][0] == 0.0


def test_to_a_place_is_where_the_middle_of_the_path_goes(plan: VideoPlan):
    after = move(plan.scene(2), "dog", to=(0.3, 0.4))
    assert flat(centres(after, "dog")) == pytest.approx([0.3, 0.4] * 4)
    higher = move(plan.scene(2), "dog", to=(None, 0.4))
    assert flat(centres(higher, "dog")) == pytest.approx([0.7, 0.4] * 4)


def test_from_a_keyframe_on(plan: VideoPlan):
    before, after = plan.scene(1), move(plan.scene(1), "cat", down=0.05, keyframes=range(6, 10))
    assert after.keyframes[:5] == before.keyframes[:5]
    assert [y for _, y in centres(after, "cat")] == pytest.approx([0.7] * 5 + [0.75] * 4)


def test_resizing_keeps_centre_and_shape(plan: VideoPlan):
    before, after = plan.scene(2), resize(plan.scene(2), "dog", 0.5)
    assert flat(centres(after, "dog")) == pytest.approx(flat(centres(before, "dog")))
    x0, y0, x1, y1 = after.keyframes[8]["dog"]
    assert (x1 - x0, y1 - y0) == pytest.approx((0.2, 0.25))
    x0, y0, x1, y1 = resize(before, "dog", 100.0).keyframes[8]["dog"]
    assert (y0, y1) == (0.0, 1.0)
    assert x1 - x0 == pytest.approx(0.8)
    assert resize(before, "dog", 1e-9).keyframes[8]["dog"]  # small, but valid


def test_adding_with_one_box_nine_boxes_or_none(plan: VideoPlan):
    box = (0.5, 0.1, 0.7, 0.3)
    assert add(plan.scene(1), "owl", box).visible("owl") == (True,) * 9
    late = add(plan.scene(1), "owl", box, keyframes=range(5, 10))
    assert late.visible("owl") == (False,) * 4 + (True,) * 5
    assert add(plan.scene(1), "owl", boxes=[None] * 8 + [box]).keyframes[8]["owl"] == box
    assert add(plan.scene(1), "owl").entities == ("cat", "owl")


def test_texts_follow_a_new_name():
    frames = [{"cat": (0.1, 0.1, 0.4, 0.4)}] * 9
    told = {"captions": ["A cat at the beach"] * 9, "frame_prompts": ["the caterpillar cat"]}
    scene = Scene(
        description="A cat at the beach, a cat-like cat",
        background="beach",
        entities=["cat"],
        keyframes=frames,
        **told,
    )
    renamed = rename(scene, "cat", "owl")
    assert renamed.description == "An owl at the beach, a cat-like owl"
    assert renamed.captions == ("An owl at the beach",) * 9
    assert renamed.frame_prompts == ("the caterpillar owl",)
    assert set_background(scene, "night").description == "A cat at night, a cat-like cat"
    assert rename(scene, "beach", "park") == set_background(scene, "park")


def test_texts_stay_where_the_name_may_be_another_ones():
    frames = [{"cat": (0.1, 0.1, 0.4, 0.4), "cat 2": (0.5, 0.1, 0.8, 0.4)}] * 9
    scene = Scene(
        description="a cat meets another cat",
        background="park",
        entities=["cat", "cat 2"],
        keyframes=frames,
    )
    renamed = rename(scene, "cat 2", "dog")
    assert renamed.entities == ("cat", "dog")
    assert renamed.description == "a cat meets another cat"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: move(s, "dogs", right=0.1), r"'dogs' is not in this scene \(did you mean 'dog'"),
        (lambda s: move(s, "dog", right=float("nan")), "right is NaN; it must be a number"),
        (lambda s: move(s, "dog", to=(1.5, 0)), r"to is \(1.5, 0\)|to is \[1.5, 0\]"),
        (lambda s: move(s, "dog", to=(0, 0), up=1), "either an offset .* or a place"),
        (lambda s: move(s, "dog", up=0.1, keyframes=1), "not visible in keyframe 1; it is in 6, 7"),
        (lambda s: move(s, "dog", up=0.1, keyframes=10), "no keyframe 10; they are 1 to 9"),
        (lambda s: move(s, "dog", up=0.1, keyframes=[]), "no keyframes are chosen"),
        (lambda s: resize(s, "dog", 0), "factor is 0; it must be above 0"),
        (lambda s: rename(s, "dog", "cat"), "'cat' is in this scene already"),
        (lambda s: rename(s, "dog", " cat"), "has blanks around it"),
        (lambda s: add(s, "dog"), "'dog' is in this scene already"),
        (lambda s: add(s, "owl", (0, 0, 2, 1)), "box .* of 'owl' in keyframe 1: x1 is 2, outside"),
        (lambda s: add(s, "owl", boxes=[None] * 9), "'owl' is in 'entities' but has no box"),
        (lambda s: add(s, "owl", boxes=[None] * 8), "8 boxes for 'owl'; there must be 9"),
        (lambda s: remove(remove(s, "dog"), "cat"), "'cat' is the only entity of this scene"),
        (lambda s: set_background(s, "dog"), "both the background and an entity"),
    ],
)
def test_what_cannot_be_done_is_said(plan: VideoPlan, edit: Callable[[Scene], Scene], message: str):
    with pytest.raises(PlanError, match=message):
        edit(plan.scene(2))
    draft = Draft(plan)
    with pytest.raises(PlanError):
        draft.scene(2)._edit(lambda scene: edit(scene))
    assert draft.plan == plan


# Drafts


def test_a_draft_is_edited_in_place_and_chained(plan: VideoPlan):
    draft = Draft(plan)
    draft.scene(2).move("cat", right=0.1).resize("dog", 0.5).describe("They meet")
    assert draft.plan.scene(2).description == "They meet"
    assert draft.plan.scene(1) == plan.scene(1)
    assert draft.undo(3).plan == plan
    assert draft.redo(2).plan.scene(2).description == "The cat meets a dog"


def test_a_new_edit_ends_what_can_be_redone(plan: VideoPlan):
    draft = Draft(plan)
    draft.scene(1).move("cat", up=0.1)
    draft.undo()
    draft.scene(1).move("cat", down=0.05)
    with pytest.raises(PlanError, match="cannot redo 1 edits; 0 can be"):
        draft.redo()
    with pytest.raises(PlanError, match="cannot undo 2 edits; 1 can be"):
        draft.undo(2)
    assert draft.undo().plan == plan


def test_an_edit_without_effect_is_none(plan: VideoPlan):
    draft = Draft(plan)
    draft.scene(1).rename("cat", "cat").set_background("beach")
    with pytest.raises(PlanError, match="0 can be"):
        draft.undo()


def test_errors_name_the_scene(plan: VideoPlan):
    with pytest.raises(PlanError, match=r"^scene 2: 'owl' is not in this scene"):
        Draft(plan).scene(2).remove("owl")
    with pytest.raises(PlanError, match="of 'owl' in scene 2, keyframe 1: it has 3 numbers"):
        Draft(plan).scene(2).add("owl", (0, 0, 1))
    with pytest.raises(PlanError, match="there is no scene 3"):
        Draft(plan).scene(3)


def looks(plan: VideoPlan) -> dict[tuple[int, str], str]:
    return identities(plan)


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.scene(1).move("cat", up=0.1),
        lambda d: d.scene(2).resize("cat", 1.1),
        lambda d: d.scene(2).remove("dog"),
        lambda d: d.scene(1).add("owl"),
        lambda d: d.scene(2).rename("dog", "owl"),
        lambda d: d.scene(1).set_background("forest"),
        lambda d: d.scene(2).rename("cat", "owl"),
    ],
)
def test_what_is_not_touched_keeps_its_looks(plan: VideoPlan, edit: Callable[[Draft], Any]):
    for grouped in (plan, plan.replace(groups={"cat": [2], "beach": [1]})):
        draft = Draft(grouped)
        edit(draft)
        before, after = looks(grouped), looks(draft.plan)
        for place in before.keys() & after.keys():
            assert after[place] == before[place]


def test_renaming_everywhere_takes_group_and_description_along(plan: VideoPlan):
    told = {"cat": "A grey cat with one ear", "cat in scene 2": "Another cat", "park": "Green"}
    film = plan.replace(groups={"cat": [1], "park": [2]}, entity_descriptions=told)
    after = Draft(film).rename("cat", "owl").plan
    assert [scene.entities for scene in after.scenes] == [("owl",), ("owl", "dog")]
    assert after.groups == {"owl": (1,), "park": (2,)}
    assert after.entity_descriptions == {
        "owl": "A grey owl with one ear",
        "owl in scene 2": "Another owl",
        "park": "Green",
    }
    assert Draft(after).rename("owl", "cat").plan.groups == film.groups


def test_renaming_in_one_scene_splits_the_group(plan: VideoPlan):
    draft = Draft(plan.replace(entity_descriptions={"dog": "A big dog", "cat": "A grey cat"}))
    draft.scene(2).rename("cat", "owl").rename("dog", "cat")
    assert draft.plan.groups["owl"] == (2,)
    assert draft.plan.groups["cat"] == (1, 2)  # a new cat by an old name is the old cat
    assert draft.plan.entity_descriptions == {"cat": "A grey cat"}


def test_regrouping(plan: VideoPlan):
    draft = Draft(plan).regroup("cat", [2])
    assert looks(draft.plan)[1, "cat"] == "cat in scene 1"
    assert looks(draft.plan)[2, "cat"] == "cat"
    assert "cat" not in draft.regroup("cat", ()).plan.groups
    assert draft.regroup("cat", 1).plan.groups["cat"] == (1,)
    with pytest.raises(PlanError, match="'owl' is in no scene"):
        draft.regroup("owl", [1])
    with pytest.raises(PlanError, match="where it does not appear"):
        draft.regroup("dog", [1])
    with pytest.raises(PlanError, match=r"'dogg' is in no scene \(did you mean 'dog'"):
        draft.rename("dogg", "owl")
    with pytest.raises(PlanError, match="scene 2: 'dog' is in this scene already"):
        draft.rename("cat", "dog")


def test_scenes_and_plans_edit_themselves(plan):
    scene = plan.scene(2)
    moved = scene.move("cat", right=0.1).resize("dog", 0.5).rename("dog", "fox")
    by_functions = rename(resize(move(scene, "cat", right=0.1), "dog", 0.5), "dog", "fox")
    assert moved == by_functions
    assert scene.add("car").remove("car") == scene
    assert scene.set_background("park").background == "park"
    edited = plan.with_scene(2, moved)
    assert edited.scene(2) == moved
    assert edited.scene(1) == plan.scene(1)
    draft = plan.edit()
    draft.scene(2).move("cat", right=0.1)
    assert draft.plan != plan
    draft.undo()
    assert draft.plan == plan
