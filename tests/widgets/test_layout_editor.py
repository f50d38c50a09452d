import copy
import threading

import numpy as np
import pytest

pytest.importorskip("anywidget")

from vdjax.errors import UserError
from vdjax.plan.vocabulary import Vocabulary
from vdjax.widgets.layout_editor import LayoutEditor

CLIP = np.full((4, 8, 12, 3), 90, np.uint8)


def edited(editor, change):
    """The editor after the page has set other scenes."""
    scenes = copy.deepcopy(editor.scenes)
    change(scenes)
    editor.set_state({"scenes": scenes})
    return editor


def move_cat(scenes):
    scenes[0]["keyframes"][2]["cat"] = [0.2, 0.4, 0.6, 0.8]


def lose_cat(scenes):
    scenes[0]["entities"] = []
    scenes[0]["keyframes"] = [{} for _ in range(9)]


def test_an_edit_is_in_the_plan_and_the_given_plan_stays(plan):
    before = plan.to_json()
    editor = edited(LayoutEditor(plan), move_cat)
    assert editor.plan.scene(1).keyframes[2]["cat"] == (0.2, 0.4, 0.6, 0.8)
    assert editor.plan.scene(2) == plan.scene(2)
    assert plan.to_json() == before


def test_what_the_page_does_not_draw_is_kept(plan):
    plan = plan.with_scene(1, plan.scene(1).replace(notes=["told"], reasoning="why")).replace(
        seed=7
    )
    made = edited(LayoutEditor(plan), move_cat).plan
    assert (made.seed, made.scene(1).notes, made.scene(1).reasoning) == (7, ("told",), "why")


def test_a_drawn_thing_is_one_with_those_of_its_name(plan):
    def add_dog(scenes):
        scenes[0]["entities"].append("dog")
        scenes[0]["keyframes"][0]["dog"] = [0.5, 0.5, 0.9, 0.9]

    assert edited(LayoutEditor(plan), add_dog).plan.groups["dog"] == (1, 2)


def test_what_makes_no_plan_is_found_and_the_last_plan_kept(plan):
    editor = edited(edited(LayoutEditor(plan), move_cat), lose_cat)
    assert editor.plan.scene(1).keyframes[2]["cat"] == (0.2, 0.4, 0.6, 0.8)
    (found,) = editor.findings
    assert (found["level"], found["scene"], found["keyframe"]) == ("error", 1, None)
    assert "name at least one thing" in found["words"]
    editor.undo()
    assert editor.plan.scene(1).keyframes[2]["cat"] == (0.2, 0.4, 0.6, 0.8)
    assert not [f for f in editor.findings if f["level"] == "error"]


@pytest.mark.parametrize(
    ("scenes", "words"),
    [
        ([], "0 scenes are drawn"),
        ([{}, {}], "entities"),
        ([{"entities": ["cat"], "keyframes": [{"cat": [0.9, 0, 0.1, 1]}] * 9}] * 2, "x0"),
        ([{"entities": "cat", "keyframes": None}] * 2, "entities"),
    ],
)
def test_whatever_a_page_sends_the_plan_stays_valid(plan, scenes, words):
    editor = LayoutEditor(plan)
    editor.set_state({"scenes": scenes})
    assert editor.plan == plan
    assert editor.findings[0]["level"] == "error"
    assert words in " ".join(found["words"] for found in editor.findings)


def test_a_hard_to_believe_plan_is_found_by_the_planners_own_check(plan):
    def jump(scenes):
        scenes[0]["keyframes"][4]["cat"] = [0.6, 0.0, 1.0, 0.4]

    editor = LayoutEditor(plan)
    assert [(one["scene"], one["name"]) for one in editor.findings] == [(2, "dog")]
    found = [one for one in edited(editor, jump).findings if one["scene"] == 1]
    assert {(one["level"], one["name"]) for one in found} == {("warning", "cat")}
    assert [one["keyframe"] for one in found if one["words"].startswith("jumps")] == [5]
    stranger = plan.with_scene(1, plan.scene(1).rename("cat", "gryphon"))
    editor = LayoutEditor(stranger, vocabulary=Vocabulary.storybook())
    assert "has no picture" in editor.findings[0]["words"]
    assert "cat" in editor.names


def test_undo_and_redo_give_back_the_same_plans(plan):
    editor = LayoutEditor(plan)
    plans = [plan]
    for right in (0.05, 0.1):
        editor.plan = editor.plan.with_scene(1, editor.plan.scene(1).move("cat", right=-right))
        plans.append(editor.plan)
    plans.append(edited(editor, move_cat).plan)
    assert editor.undoable == [3, 0]
    for there in reversed(plans[:-1]):
        editor.undo()
        assert editor.plan == there
    editor.undo()  # there is nothing left, and nothing happens
    assert editor.undoable == [0, 3]
    for there in plans[1:]:
        editor.redo()
        assert editor.plan == there
    editor.undo()
    edited(editor, move_cat)
    assert editor.undoable == [3, 0], "a new edit ends what could be redone"


def test_a_shorter_plan_may_take_the_place(plan):
    editor = LayoutEditor(plan, [CLIP, None], scene=2)
    editor.plan = plan.replace(scenes=plan.scenes[:1], groups=None)
    assert (editor.scene, len(editor.films), len(editor.clips)) == (1, 1, 1)
    editor.undo()
    assert len(editor.scenes) == 2
    assert editor.plan == plan


def test_a_scene_is_rendered_in_a_thread_step_by_step(plan):
    seen, may_go = [], threading.Event()

    def render(number, its_plan):
        assert may_go.wait(5), "the caller was kept waiting"
        for step in range(3):
            yield CLIP + step, f"step {step + 1}"
        seen.append((number, its_plan))

    editor = LayoutEditor(plan, render=render)
    shown = []
    editor.observe(
        lambda change: shown.append((change["new"]["state"], len(editor.preview))), "rendering"
    )
    editor.render_scene(2)
    assert editor.rendering["state"] == "running"
    editor.render_scene(1)  # one at a time
    assert not editor.wait(0.01)
    may_go.set()
    assert editor.wait(10)
    assert seen == [(2, plan)]
    assert shown == [("running", 0), *[("running", 5)] * 3, ("done", 0)]
    assert (editor.clips[1] == CLIP + 2).all()
    assert (editor.films[0], editor.films[1]["count"]) == ({}, 4)
    assert editor.rendering["step"] == 3


def test_rendering_can_be_cancelled_between_steps(plan):
    closed = threading.Event()
    began = threading.Event()
    may_go = threading.Event()

    def render(number, its_plan):
        try:
            yield CLIP
            began.set()
            assert may_go.wait(5)
            yield CLIP
            raise AssertionError("it went on")
        finally:
            closed.set()

    editor = LayoutEditor(plan, [CLIP + 9, None], render=render)
    editor.render_scene()
    assert began.wait(5)
    editor.cancel()
    may_go.set()
    assert editor.wait(5)
    assert closed.is_set()
    assert editor.rendering["state"] == "cancelled"
    assert (editor.clips[0] == CLIP + 9).all(), "what was there before stays"
    assert editor.preview == {}


@pytest.mark.parametrize(
    ("yields", "words"),
    [
        ([], "yielded no frames for scene 1"),
        ([np.zeros((2, 2))], "they must be 0..255"),
        (None, "ZeroDivisionError"),
    ],
)
def test_what_goes_wrong_in_the_thread_is_said(plan, yields, words):
    def render(number, its_plan):
        return iter(yields) if yields is not None else [1 / 0]

    editor = LayoutEditor(plan, render=render)
    editor.render_scene()
    assert editor.wait(5)
    assert editor.rendering["state"] == "failed"
    assert words in editor.rendering["words"]


def test_what_is_given_is_checked(plan):
    with pytest.raises(
        UserError, match="1 clips: it must have one for each of the plan's 2 scenes"
    ):
        LayoutEditor(plan, [CLIP])
    with pytest.raises(UserError, match="give LayoutEditor a `render`"):
        LayoutEditor(plan).render_scene()
    with pytest.raises(UserError, match="there is no scene 9"):
        LayoutEditor(plan, render=lambda number, its_plan: []).render_scene(9)


def test_the_alternative_text_tells_the_layout_and_the_findings(plan):
    editor = edited(LayoutEditor(plan), lose_cat)
    assert "cat: centre at 25%" in editor.alt
    assert editor.alt.endswith("Findings: it has no entities; name at least one thing to draw")
    assert editor.picture().size == (900, 370)
