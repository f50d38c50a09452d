"""Edits of any plan: always valid, always to be taken back, always seen by `compare`."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.test_plans import NAMES, boxes, plans
from vdjax.plan import PlanError, VideoPlan, frame_boxes, identities
from vdjax.plan.check import check
from vdjax.plan.compare import compare
from vdjax.plan.editing import Draft, move, resize

SHARES = st.floats(-1.5, 1.5)
KEYFRAMES = st.one_of(st.none(), st.lists(st.integers(1, 9), min_size=1, max_size=9))


@st.composite
def edits(draw: st.DrawFn, plan: VideoPlan) -> tuple[int, str, tuple[Any, ...], dict[str, Any]]:
    """Any edit of a plan: (scene or 0 for the plan, what, arguments, options)."""
    number = draw(st.integers(0, len(plan.scenes)))
    known = sorted({n for s in plan.scenes for n in (*s.entities, s.background)})
    name = st.one_of(st.sampled_from(known), NAMES)
    if not number:
        what = draw(st.sampled_from(["rename", "regroup"]))
        numbers = st.lists(st.integers(1, 4), max_size=3)
        other = draw(name if what == "rename" else numbers)
        return 0, what, (draw(name), other), {}
    what = draw(st.sampled_from(["move", "resize", "rename", "add", "remove", "set_background"]))
    more: dict[str, st.SearchStrategy[Any]] = {
        "move": st.fixed_dictionaries({"right": SHARES, "down": SHARES, "keyframes": KEYFRAMES}),
        "add": st.fixed_dictionaries({"keyframes": KEYFRAMES}),
    }
    second: dict[str, st.SearchStrategy[Any]] = {
        "resize": st.floats(0.001, 50),
        "rename": name,
        "add": boxes(),
    }
    arguments = (draw(name), *((draw(second[what]),) if what in second else ()))
    return number, what, arguments, draw(more.get(what, st.just({})))


@given(plans(), st.data())
@settings(max_examples=40)
def test_edits_are_valid_can_be_undone_and_are_seen(data: dict[str, Any], draw: st.DataObject):
    first = VideoPlan.from_data(data)
    draft, steps = Draft(first), [first]
    for _ in range(draw.draw(st.integers(1, 6))):
        number, what, arguments, options = draw.draw(edits(draft.plan))
        before = draft.plan
        try:
            getattr(draft.scene(number) if number else draft, what)(*arguments, **options)
        except PlanError:
            assert draft.plan == before
            continue
        after = draft.plan
        assert VideoPlan.parse(after.to_json()) == after
        assert (compare(before, after) == []) == (before == after)
        for at, (old, new) in enumerate(zip(before.scenes, after.scenes, strict=True), 1):
            assert number in (0, at) or old == new
        if after != before:
            steps.append(after)
    assert compare(draft.plan, draft.plan) == []
    for expected in reversed(steps[:-1]):
        assert draft.undo().plan == expected
    for expected in steps[1:]:
        assert draft.redo().plan == expected


@given(plans(), SHARES, SHARES, st.data())
def test_moving_keeps_sizes_and_touches_nobody_else(
    data: dict[str, Any], right: float, down: float, draw: st.DataObject
):
    plan = VideoPlan.from_data(data)
    scene = plan.scene(1)
    name = draw.draw(st.sampled_from(scene.entities))
    after = move(scene, name, right=right, down=down)
    for old, new in zip(scene.keyframes, after.keyframes, strict=True):
        for other, box in old.items():
            if other != name:
                assert new[other] == box
                continue
            for axis in (0, 1):
                sides = [b[axis + 2] - b[axis] for b in (box, new[other])]
                assert abs(sides[0] - sides[1]) < 1e-4
    changed = plan.replace(scenes=[after, *plan.scenes[1:]])
    assert identities(changed) == identities(plan)


@given(plans(), st.floats(0.01, 20), st.data())
def test_resizing_keeps_every_box_in_the_frame(
    data: dict[str, Any], factor: float, draw: st.DataObject
):
    scene = VideoPlan.from_data(data).scene(1)
    name = draw.draw(st.sampled_from(scene.entities))
    assert resize(scene, name, factor).visible(name) == scene.visible(name)
    same = resize(scene, name, 1.0)
    for old, new in zip(scene.keyframes, same.keyframes, strict=True):
        assert all(abs(a - b) < 1e-4 for n in old for a, b in zip(old[n], new[n], strict=True))


@given(plans())
def test_any_plan_can_be_checked(data: dict[str, Any]):
    plan = VideoPlan.from_data(data)
    before = plan.to_json()
    for finding in check(plan):
        scene = plan.scene(finding.scene)
        assert finding.name in scene.entities
        assert finding.keyframe is None or 1 <= finding.keyframe <= 9
        assert str(finding).startswith(f"scene {finding.scene}")
    assert plan.to_json() == before


@given(plans(), st.integers(2, 40))
def test_the_ends_of_a_scene_are_its_first_and_last_keyframe(data: dict[str, Any], frames: int):
    scene = VideoPlan.from_data(data).scene(1)
    for name, path in frame_boxes(scene, frames).items():
        assert path[0] == scene.keyframes[0].get(name)
        assert path[-1] == scene.keyframes[8].get(name)
        if frames % 8 == 1:  # every keyframe falls on a frame
            step = (frames - 1) // 8
            assert path[::step] == [keyframe.get(name) for keyframe in scene.keyframes]
