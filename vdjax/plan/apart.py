"""Copies kept apart: of three cats in front of a house, no two share a box.

Enters: the boxes of everything, with the stage they stand on. Leaves: the same, where copies of one
kind, or two that are tied to a third in the same way, would lie on one another, with the later one
moved aside for the whole scene, so that motions stay what they were; where the frame has no room
for all of them, they are made smaller. Nothing in the paper asks for it, but three boxes in
one place are one cat (VideoDirectorGPT counts objects by a detector, section 4.1).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from vdjax.plan.boxes import Box, area, centre, covered, intersection
from vdjax.plan.motion import EDGE
from vdjax.plan.schema import NUM_KEYFRAMES, base_name
from vdjax.plan.stage import Stage

Boxes = dict[str, dict[int, Box]]
"""The box of every thing at every keyframe, visible or not, inside the frame or not."""

MOST_SHARED = 0.45
"""Largest intersection over union of two copies; at 0.5 detectors take two boxes for one."""
_MIDDLE = NUM_KEYFRAMES // 2
_STEP = 0.2
"""Grid of the places to try, as a share of the thing's own size."""
_REACH = 12
_SMALLER = 0.86
_ROUNDS = 10
_OFF_THE_GROUND = 0.25
"""Highest step up, as a share of the frame, of what stands on the ground."""
_UPWARDS = 1.5
_OFF_ITS_WAY = 4.0
_ON_OTHERS = 0.6
"""Dislikes: of a step up or down, against one aside; of a step along a way from edge to edge; of
covering something else."""


def kept_apart(boxes: Boxes, stage: Stage) -> Boxes:
    """The boxes, with no two copies sharing more than `MOST_SHARED`."""
    for _ in range(_ROUNDS):
        spread = _Spread(boxes, stage)
        if not spread.stuck:
            break
        for name in boxes:
            if base_name(name) in spread.stuck:
                boxes = {**boxes, name: {k: _smaller(box) for k, box in boxes[name].items()}}
    return spread.boxes


class _Spread:
    """One go at it; `stuck` names the kinds for which there was no room."""

    def __init__(self, boxes: Boxes, stage: Stage) -> None:
        self.boxes = dict(boxes)
        self.stage = stage
        self.stuck: set[str] = set()
        done: list[str] = []
        for name in sorted(boxes, key=self._depth):  # whoever carries others first
            mates = [other for other in done if self._alike(name, other)]
            if mates and self._shared(name, mates, self.boxes[name]) > MOST_SHARED:
                self._move_aside(name, mates)
            done.append(name)

    def _depth(self, name: str) -> int:
        depth, seen = 0, {name}
        while name in self.stage.bonds and self.stage.bonds[name].parent not in seen:
            name = self.stage.bonds[name].parent
            seen.add(name)
            depth += 1
        return depth

    def _alike(self, name: str, other: str) -> bool:
        if base_name(name) == base_name(other):
            return True
        one, two = self.stage.bonds.get(name), self.stage.bonds.get(other)
        if one is None or two is None:
            return False
        return (one.kind, one.parent) == (two.kind, two.parent)

    def _move_aside(self, name: str, mates: Sequence[str]) -> None:
        """Put it, and all that it carries, at the nearest free place."""
        mine = self.boxes[name]
        others = [
            self.boxes[other][_MIDDLE]
            for other in self.boxes
            if not self._alike(name, other) and self.stage.root(name) != self.stage.root(other)
        ]
        best, least = None, math.inf
        for dislike, dx, dy in sorted(self._places(name)):
            if dislike >= least:
                break
            moved = {k: _shifted(box, dx, dy) for k, box in mine.items()}
            if self._shared(name, mates, moved) > MOST_SHARED:
                continue
            dislike += _ON_OTHERS * sum(covered(moved[_MIDDLE], box) for box in others)
            if dislike < least:
                best, least = (dx, dy), dislike
        if best is None:
            self.stuck.add(base_name(name))
            return
        for one in (name, *self._carried(name)):
            self.boxes[one] = {k: _shifted(box, *best) for k, box in self.boxes[one].items()}

    def _places(self, name: str) -> Iterator[tuple[float, float, float]]:
        """(dislike, dx, dy) of every step aside that stays in the frame, and on its side of it."""
        mine, part = self.boxes[name], self.stage.parts[name]
        x0, y0, x1, y1 = mine[0]
        along = _OFF_ITS_WAY if part.move.kind in ("across", "pass", "over") else 1.0
        stands = part.home == "ground" and part.spot[1] is None
        aside = [step for step in _steps(x1 - x0) if _within(step, mine, 0, part.spot[0])]
        upright = [step for step in _steps(y1 - y0) if _within(step, mine, 1, part.spot[1])]
        for dx, dy in itertools.product(aside, upright):
            if (dx or dy) and not (stands and dy < -_OFF_THE_GROUND):
                yield along * abs(dx) + _UPWARDS * abs(dy), dx, dy

    def _carried(self, name: str) -> list[str]:
        """All that go where this one goes."""
        found = [name]
        for carrier in found:
            found += [
                bond.child
                for bond in self.stage.bonds.values()
                if bond.parent == carrier and bond.child not in found
            ]
        return found[1:]

    def _shared(self, name: str, mates: Sequence[str], mine: Mapping[int, Box]) -> float:
        """The most that it shares with a mate, of what both show at one keyframe."""
        mine_seen = self.stage.parts[name].present
        most = 0.0
        for mate in mates:
            theirs, seen = self.boxes[mate], self.stage.parts[mate].present
            both = {(box, theirs[k]) for k, box in mine.items() if mine_seen[k] and seen[k]}
            most = max(most, max((_over_union(a, b) for a, b in both), default=0.0))
        return most


def _steps(size: float) -> list[float]:
    return [step * _STEP * size for step in range(-_REACH, _REACH + 1)]


def _within(step: float, boxes: Mapping[int, Box], axis: int, spot: float | None) -> bool:
    """Whether all boxes can be moved by a step along an axis and stay in the frame, and in the half
    of it where they were asked to be. What goes over an edge is not moved along that way."""
    if not step:
        return True
    low = min(box[axis] for box in boxes.values())
    high = max(box[axis + 2] for box in boxes.values())
    if low < 0 or high > 1 or low + step < EDGE - 1e-9 or high + step > 1 - EDGE + 1e-9:
        return False
    if spot is None or spot == 0.5:
        return True
    middle = centre(boxes[0])[axis] + step
    return (middle < 0.5) == (spot < 0.5)


def _seen(box: Box) -> Box | None:
    """The part inside the frame, if there is any."""
    x0, y0, x1, y1 = (min(max(side, 0.0), 1.0) for side in box)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _over_union(a: Box, b: Box) -> float:
    """Shared area over that of both together, of what lies in the frame."""
    if not intersection(a, b):
        return 0.0
    one, two = _seen(a), _seen(b)
    if one is None or two is None:
        return 0.0
    shared = intersection(one, two)
    return shared / (area(one) + area(two) - shared)


def _shifted(box: Box, dx: float, dy: float) -> Box:
    return (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy)


def _smaller(box: Box) -> Box:
    """Smaller, on the same ground."""
    x, _ = centre(box)
    width, height = _SMALLER * (box[2] - box[0]) / 2, _SMALLER * (box[3] - box[1])
    return (x - width, box[3] - height, x + width, box[3])
