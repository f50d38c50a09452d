"""Changing a plan by hand, with undo.

Enters: a plan and what to change. Leaves: a new plan, checked like any other (VideoDirectorGPT,
appendix E, lets people edit its plans; it has no tools for it). The random key of an identity's
looks is made of its name, and that of a scene of its number, so whatever keeps its name keeps its
looks in the film, and the film's seed stays what it is.

    draft = Draft(plan)
    draft.scene(1).move("cat", right=0.2)
    draft.rename("cat", "tiger")
    draft.undo()
    draft.plan.save("plan.json")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from vdjax.plan.consistency import exact_groups
from vdjax.plan.problems import PlanError, nearest, plan_error, show
from vdjax.plan.scene_edits import (
    Keyframes,
    add,
    describe,
    move,
    remove,
    rename,
    resize,
    reword,
    set_background,
)
from vdjax.plan.schema import Scene, VideoPlan

__all__ = [
    "Draft",
    "DraftScene",
    "Keyframes",
    "add",
    "describe",
    "move",
    "regroup",
    "remove",
    "rename",
    "rename_all",
    "resize",
    "set_background",
    "with_scene",
]


def with_scene(plan: VideoPlan, number: int, scene: Scene) -> VideoPlan:
    """The plan with scene `number` (from 1) replaced.

    Groups follow: a name that is gone from the scene leaves its group, a name that is new joins it
    (a renamed thing is one with those that have the name). Whatever else was grouped or left apart
    by hand stays so. Raises `PlanError` if there is no such scene.
    """
    plan.scene(number)
    scenes = [*plan.scenes[: number - 1], scene, *plan.scenes[number:]]
    before, after = exact_groups(plan.scenes), exact_groups(scenes)
    groups: dict[str, tuple[int, ...]] = {}
    for name, numbers in after.items():
        kept = [
            n for n in numbers if n in plan.groups.get(name, ()) or n not in before.get(name, ())
        ]
        if kept:
            groups[name] = tuple(kept)
    return plan.replace(scenes=scenes, groups=groups, **_descriptions(plan, after))


def rename_all(plan: VideoPlan, old: str, new: str) -> VideoPlan:
    """The plan with an entity or background renamed in all its scenes; its group goes with it.

    Raises `PlanError` if no scene has it, or a scene has `new` already.
    """
    numbers = _scenes_of(plan, old)
    if old == new:
        return plan
    scenes = list(plan.scenes)
    for number in numbers:
        try:
            scenes[number - 1] = rename(scenes[number - 1], old, new)
        except PlanError as error:
            raise PlanError(f"scene {number}: {error}") from None
    groups = dict(plan.groups)
    grouped = (*groups.pop(old, ()), *groups.get(new, ()))
    if grouped:
        groups[new] = grouped
    told = {}
    for name, text in (plan.entity_descriptions or {}).items():
        own = name == old or name.startswith(f"{old} in scene ")
        told[new + name.removeprefix(old) if own else name] = (
            reword(text, old, new) if own else text
        )
    return plan.replace(scenes=scenes, groups=groups, entity_descriptions=told or None)


def regroup(plan: VideoPlan, name: str, scenes: int | Iterable[int]) -> VideoPlan:
    """The plan in which `name` looks the same in these scenes (from 1) and different in all others.

    No scenes: it looks different everywhere. Raises `PlanError` where it does not appear.
    """
    numbers = (scenes,) if isinstance(scenes, int) else tuple(scenes)
    _scenes_of(plan, name)
    groups = {other: numbers_ for other, numbers_ in plan.groups.items() if other != name}
    return plan.replace(groups={**groups, name: numbers} if numbers else groups)


def _scenes_of(plan: VideoPlan, name: str) -> tuple[int, ...]:
    known = exact_groups(plan.scenes)
    if not isinstance(name, str) or name not in known:
        hint = nearest(name, known) if isinstance(name, str) else ""
        raise PlanError(f"{show(name)} is in no scene{hint}; the plan has {', '.join(known)}")
    return known[name]


def _descriptions(plan: VideoPlan, known: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The descriptions of entities that are still there."""
    told = {}
    for name, text in (plan.entity_descriptions or {}).items():
        base, _, number = name.rpartition(" in scene ")
        if name in known or number in map(str, known.get(base, ())):
            told[name] = text
    return {"entity_descriptions": told or None}


class Draft:
    """A plan under the pencil: edits in place, with undo and redo.

    Every edit gives a valid plan, or raises `PlanError` and changes nothing.
    """

    def __init__(self, plan: VideoPlan) -> None:
        self._plans = [plan]
        self._at = 0

    @property
    def plan(self) -> VideoPlan:
        """The plan as it is now."""
        return self._plans[self._at]

    def scene(self, number: int) -> DraftScene:
        """Scene `number` (from 1), to be edited. Raises `PlanError` when there is none."""
        self.plan.scene(number)
        return DraftScene(self, number)

    def rename(self, old: str, new: str) -> Draft:
        """Rename an entity or background in all scenes; see `rename_all`."""
        return self._next(rename_all(self.plan, old, new))

    def regroup(self, name: str, scenes: int | Iterable[int]) -> Draft:
        """Say in which scenes `name` looks the same; see `regroup`."""
        return self._next(regroup(self.plan, name, scenes))

    def replace(self, **changes: Any) -> Draft:
        """Change fields of the plan itself, such as alpha."""
        return self._next(self.plan.replace(**changes))

    def undo(self, steps: int = 1) -> Draft:
        """Take edits back. Raises `PlanError` when there are not as many."""
        return self._go(-steps, "undo")

    def redo(self, steps: int = 1) -> Draft:
        """Make edits again that were taken back. Raises `PlanError` when there are not as many."""
        return self._go(steps, "redo")

    def _go(self, steps: int, what: str) -> Draft:
        left = self._at if what == "undo" else len(self._plans) - 1 - self._at
        if not 1 <= abs(steps) <= left:
            raise PlanError(f"cannot {what} {abs(steps)} edits; {left} can be")
        self._at += steps
        return self

    def _next(self, plan: VideoPlan) -> Draft:
        if plan != self.plan:
            self._plans = [*self._plans[: self._at + 1], plan]
            self._at += 1
        return self


class DraftScene:
    """A scene of a draft: each method edits it and returns it, so that edits can be chained."""

    def __init__(self, draft: Draft, number: int) -> None:
        self._draft = draft
        self._number = number

    @property
    def scene(self) -> Scene:
        """The scene as it is now."""
        return self._draft.plan.scene(self._number)

    def move(self, name: str, **how: Any) -> DraftScene:
        """See `move`: right, down, left, up, to, keyframes."""
        return self._edit(move, name, **how)

    def resize(self, name: str, factor: float, keyframes: Keyframes = None) -> DraftScene:
        """See `resize`."""
        return self._edit(resize, name, factor, keyframes)

    def rename(self, old: str, new: str) -> DraftScene:
        """See `rename`; in this scene only."""
        return self._edit(rename, old, new)

    def add(self, name: str, box: Sequence[float] | None = None, **how: Any) -> DraftScene:
        """See `add`: boxes, keyframes."""
        return self._edit(add, name, box, **how)

    def remove(self, name: str) -> DraftScene:
        """See `remove`."""
        return self._edit(remove, name)

    def set_background(self, name: str) -> DraftScene:
        """See `set_background`."""
        return self._edit(set_background, name)

    def describe(self, description: str) -> DraftScene:
        """See `describe`."""
        return self._edit(describe, description)

    def _edit(self, change: Callable[..., Scene], *args: Any, **how: Any) -> DraftScene:
        try:
            scene = change(self.scene, *args, **how)
        except PlanError as error:
            if error.problems:
                at = ("scenes", self._number - 1)
                problems = [((*at, *where), kind, text) for where, kind, text in error.problems]
                raise plan_error(problems) from None
            raise PlanError(f"scene {self._number}: {error}") from None
        self._draft._next(with_scene(self._draft.plan, self._number, scene))
        return self
