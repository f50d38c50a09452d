"""From a stage to boxes: the search for a place for everything.

Enters: a `Stage`. Leaves: nine keyframes. Things that are tied together form a unit that moves as
one; each unit tries a grid of places, and takes the one with the least overlap with the others,
the best agreement with what was said ("left of", "above"), and the least distance from where it
belongs. The paper leaves all this to a language model (VideoDirectorGPT, section 3.1); here it is
a small search.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from vdjax.plan.apart import Boxes, kept_apart
from vdjax.plan.boxes import Box, centre, covered
from vdjax.plan.motion import EDGE, HOP, TIMES, Path, over_edge, path, toward
from vdjax.plan.schema import NUM_KEYFRAMES
from vdjax.plan.stage import Part, Stage, Wish
from vdjax.plan.units import LEAST_SHARE, Unit, Units

GROUND = 0.92
_SAMPLED = (0, 2, 4, 6, 8)
_INSIDE = 0.4
"""A thing of which less lies inside the frame is not visible; the training clips use 0.3."""
_LEAST_WAY = 0.4
_LEAST_MEETING = 0.9
_DECIMALS = 3


def place(stage: Stage, rng: random.Random) -> list[dict[str, Box]]:
    """Nine keyframes for the things on the stage, in the order they were put there."""
    return _Placing(stage, rng).keyframes()


class _Placing:
    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self.stage = stage
        self.parts = stage.parts
        self.placed: Boxes = {}
        self.ground = GROUND + rng.uniform(-0.02, 0.02)
        self.units = Units(stage)
        self.slots = self._slots(rng)
        self.vertical = {
            name
            for wish in stage.wishes
            if wish.kind in ("above", "below")
            for name in (stage.root(wish.first), stage.root(wish.second))
        }

    def keyframes(self) -> list[dict[str, Box]]:
        order = self._order()
        for _ in range(2):  # the second time everybody knows where the others are
            for name in order:
                self._place_unit(name)
        self.placed = kept_apart({name: self.placed[name] for name in self.parts}, self.stage)
        frames: list[dict[str, Box]] = []
        for k in range(NUM_KEYFRAMES):
            frame = {}
            for name, part in self.parts.items():
                box = self._inside(self.placed[name][k])
                if part.present[k] and box is not None:
                    frame[name] = box
            frames.append(frame)
        for name in self.parts:  # never lose anybody altogether
            if not any(name in frame for frame in frames):
                middle = NUM_KEYFRAMES // 2
                frames[middle][name] = self._inside(self.placed[name][middle], anyhow=True)  # type: ignore[assignment]
        return frames

    # The search

    def _slots(self, rng: random.Random) -> dict[str, float]:
        """Where each unit would stand in one row, left to right, wide ones with more room."""
        names = list(self.units)
        for _ in range(len(names)):
            for wish in self.stage.wishes:
                first, second = self.stage.root(wish.first), self.stage.root(wish.second)
                if wish.kind not in ("left", "right") or first == second:
                    continue
                a, b = (first, second) if wish.kind == "left" else (second, first)
                if names.index(a) > names.index(b):
                    names.remove(a)
                    names.insert(names.index(b), a)
        return self._apart(self._row(names, rng))

    def _apart(self, slots: dict[str, float]) -> dict[str, float]:
        """Room between those who go to, or from, something and that thing."""
        for name in self.units:
            move = self.parts[name].move
            target = self.stage.root(move.target) if move.target in self.parts else ""
            if move.kind not in ("toward", "from") or target not in slots or target == name:
                continue
            both = self.units[name], self.units[target]
            factor = (1 - _LEAST_WAY) / sum(self.units.extent(unit) for unit in both)
            for unit in both:
                least = LEAST_SHARE if move.kind == "from" else _LEAST_MEETING
                self.units.resize(unit, min(1.0, max(factor, least)))
            left = slots[name] < slots[target]
            if move.kind == "from":
                slots[name], slots[target] = (0.05, 0.95) if left else (0.95, 0.05)
                continue
            tie = self.stage.bonds.get(move.target)
            if tie is not None and tie.kind in ("under", "in", "front"):
                # It waits on the far side of the tree, so that both end under the tree.
                self.stage.bonds[move.target] = replace(tie, side=1 if left else -1)
                self.units[target] = self.units.unit(target)
            slots[name] = 0.05 if left else 0.95
            if self.parts[target].move.kind == "still":
                slots[target] = max(slots[target], 0.8) if left else min(slots[target], 0.2)
        return slots

    def _row(self, names: list[str], rng: random.Random) -> dict[str, float]:
        widths = [self.units.extent(self.units[name]) for name in names]
        total, at, slots = sum(widths), 0.0, {}
        for name, width in zip(names, widths, strict=True):
            slots[name] = (at + width / 2) / total + rng.uniform(-0.03, 0.03)
            at += width
        return slots

    def _order(self) -> list[str]:
        """Targets before those who go to them, still things before moving, large before small."""

        def depth(name: str, seen: tuple[str, ...] = ()) -> int:
            target = self.parts[name].move.target
            root = self.stage.root(target) if target in self.parts else name
            if root == name or root in seen:
                return 0
            return 1 + depth(root, (*seen, name))

        return sorted(
            self.units,
            key=lambda name: (
                depth(name),
                self.parts[name].move.kind != "still",
                -self.units.extent(self.units[name]),
            ),
        )

    def _place_unit(self, name: str) -> None:
        unit = self.units[name]
        others = [other for other in self.placed if self.stage.root(other) != name]
        spot, least = None, float("inf")
        for x, y, dislike in sorted(self._candidates(unit), key=lambda candidate: candidate[2]):
            if dislike >= least:
                break
            boxes, pushed = self._boxes(unit, x, y, _SAMPLED)
            cost = dislike + 4.0 * pushed
            if cost < least:
                cost += self._cost(boxes, others) + self._too_short(unit.root, boxes)
            if cost < least:
                spot, least = (x, y), cost
        assert spot is not None
        self.placed.update(self._boxes(unit, *spot, range(NUM_KEYFRAMES))[0])

    @staticmethod
    def _too_short(root: Part, boxes: Boxes) -> float:
        """Dislike of a way to or from something that is hardly a way."""
        if root.move.kind not in ("toward", "from"):
            return 0.0
        (ax, ay), (bx, by) = (
            centre(boxes[root.name][0]),
            centre(boxes[root.name][NUM_KEYFRAMES - 1]),
        )
        return 3.0 * max(0.0, _LEAST_WAY - abs(ax - bx) - abs(ay - by))

    def _candidates(self, unit: Unit) -> list[tuple[float, float, float]]:
        root = unit.root
        slot = self.slots[root.name]
        spot_x, spot_y = root.spot
        width, height = root.width / 2, root.height / 2
        low, high = min(width + EDGE, 0.5), max(1 - width - EDGE, 0.5)
        if spot_x is not None:
            xs = [(min(max(spot_x, low), high), 0.0)]
        else:
            steps = 13
            grid = [low + (high - low) * step / (steps - 1) for step in range(steps)]
            xs = [(x, 0.8 * abs(x - slot)) for x in [*grid, min(max(slot, low), high)]]
        return [(x, y, a + b) for x, a in xs for y, b in self._heights(root, height, spot_y)]

    def _heights(self, root: Part, half: float, spot_y: float | None) -> list[tuple[float, float]]:
        """Heights of the centre to try, with how little each is liked."""
        if spot_y is not None:
            return [(min(max(spot_y, half + EDGE), 1 - half - EDGE), 0.0)]
        ground = self.ground - half
        hop = HOP if root.move.kind in ("bounce", "arc") else 0.0
        if root.home == "ground":
            far = (
                0.7 if root.depth == "far" else self.ground + (0.04 if root.depth == "near" else 0)
            )
            rows = [(min(far, 0.97) - half, 0.0)]
            if not root.depth:
                rows += [(ground - 0.08, 0.3), (ground - 0.18, 0.8)]
        elif root.home == "sky":
            top = 0.06 + half + hop
            rows = [(top, 0.0), (top + 0.08, 0.05), (top + 0.18, 0.2), (0.5, 0.6)]
        elif root.home == "water":
            rows = [(0.74 - half, 0.0), (0.82 - half, 0.1), (ground, 0.4)]
        else:
            rows = [(0.5, 0.0), (0.38, 0.05), (0.62, 0.05), (0.26, 0.15), (0.74, 0.15)]
        if root.name in self.vertical:
            rows += [(y, 0.5) for y in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)] + [(ground, 0.3)]
            rows += [(half + EDGE, 0.3)]
        rows = [(min(max(y, half + EDGE), 1 - half - EDGE), cost) for y, cost in rows]
        return list(dict(reversed(rows)).items())

    # Boxes

    def _boxes(
        self, unit: Unit, x: float, y: float, keyframes: Sequence[int]
    ) -> tuple[Boxes, float]:
        """The boxes of a unit anchored at (x, y) at some keyframes, and how far they were pushed
        into the frame."""
        root = unit.root
        way = self._path(root, x, y)
        boxes: Boxes = {name: {} for name in unit.members}
        pushed = 0.0
        for k in keyframes[:1] if way.still else keyframes:
            cx = way.dx[k] + (0.0 if way.fixed_x else x)
            cy = way.dy[k] + (0.0 if way.fixed_y else y)
            scale = way.scale[k]
            if scale != 1.0 and root.home == "ground":
                cy += root.height * (1 - scale) / 2  # it grows from the ground up
            now = {
                name: self.units.box(name, cx + dx * scale, cy + dy * scale, scale)
                for name, (dx, dy) in unit.members.items()
            }
            if root.move.kind not in ("enter", "leave"):  # these go over the edge
                x0, y0, x1, y1 = zip(*now.values(), strict=True)
                sx, sy = _push(min(x0), max(x1)), _push(min(y0), max(y1))
                pushed += abs(sx) + abs(sy)
                now = {n: (b[0] + sx, b[1] + sy, b[2] + sx, b[3] + sy) for n, b in now.items()}
            for name, box in now.items():
                boxes[name][k] = box
        if way.still:
            return {
                name: dict.fromkeys(keyframes, b[keyframes[0]]) for name, b in boxes.items()
            }, pushed
        return boxes, pushed / len(keyframes)

    def _path(self, root: Part, x: float, y: float) -> Path:
        move = root.move
        if move.kind in ("enter", "leave"):
            return over_edge(move, root.width, root.height, (x, y))
        target = self.placed.get(move.target)
        if target is None:
            return path(move, root.width, root.height)
        if move.kind in ("toward", "from"):
            last = target[7 if move.kind == "toward" else 1]
            side = -1 if x < (last[0] + last[2]) / 2 else 1
            end = self._beside(root, last, side)
            if not EDGE <= end[0] - root.width / 2 <= 1 - EDGE - root.width:
                end = self._beside(root, last, -side)
            return toward((x, y), end) if move.kind == "toward" else toward(end, (x, y), 8)
        tx, ty = centre(target[4])
        half = (target[4][2] - target[4][0] + root.width) / 2 + 0.02
        sign = 1 if (move.dx or self.stage.side) > 0 else -1
        if move.kind in ("over", "pass"):
            ends = (tx - sign * half, tx + sign * half)
            peak = (y - (target[4][1] - root.height / 2)) if move.kind == "over" else 0.0
            return Path(
                tuple(ends[0] + (ends[1] - ends[0]) * t for t in TIMES),
                tuple(
                    -max(peak, 0.1 if move.kind == "over" else 0.0) * 4 * t * (1 - t) for t in TIMES
                ),
                (1.0,) * NUM_KEYFRAMES,
                fixed_x=True,
            )
        if move.kind == "circle":
            ring = path(move, root.width, root.height)
            wide = min(half, 0.34) / max(ring.dx)
            high = min((target[4][3] - target[4][1] + root.height) / 2.6, 0.3) / max(ring.dx)
            return Path(
                tuple(tx + wide * dx for dx in ring.dx),
                tuple(ty + high * dy for dy in ring.dy),
                ring.scale,
                fixed_x=True,
                fixed_y=True,
            )
        return path(move, root.width, root.height)

    def _beside(self, root: Part, box: Box, side: int) -> tuple[float, float]:
        """The place next to a box, or where else the move ends, standing as high as it does."""
        where = root.move.spots[0] if root.move.spots else None
        x = (box[0] + box[2]) / 2
        if where == (0.0, -1.0):  # on top
            return x, box[1] - root.height / 2 + 0.05 * (box[3] - box[1])
        y = box[3] - root.height / 2
        if where == (0.0, 1.0):  # under or in it
            return x + side * 0.25 * (box[2] - box[0]), y
        reach = (box[2] - box[0] + root.width) / 2
        return x + side * (reach + 0.01), y

    def _inside(self, box: Box, anyhow: bool = False) -> Box | None:
        """The part of a box inside the frame; None if too little of it is."""
        inside = tuple(round(min(max(value, 0.0), 1.0), _DECIMALS) for value in box)
        x0, y0, x1, y1 = inside
        whole = (box[2] - box[0]) * (box[3] - box[1])
        if (x1 - x0) * (y1 - y0) >= _INSIDE * whole:
            return (x0, y0, x1, y1)
        if not anyhow:
            return None
        width, height = box[2] - box[0], box[3] - box[1]
        x = min(max(box[0], 0.0), 1.0 - width)
        y = min(max(box[1], 0.0), 1.0 - height)
        return (round(x, 3), round(y, 3), round(x + width, 3), round(y + height, 3))

    # What is good

    def _meets(self, name: str, other: str) -> bool:
        """Whether one goes to the other, or to what the other is tied to."""
        target = self.parts[self.stage.root(name)].move.target
        return target in self.parts and self.stage.root(target) == self.stage.root(other)

    def _cost(self, boxes: Boxes, others: list[str]) -> float:
        cost = 0.0
        for name, mine in boxes.items():
            for other in others:
                theirs = self.placed[other]
                together = [
                    k
                    for k in _SAMPLED
                    if self.parts[name].present[k] and self.parts[other].present[k]
                ]
                shared = sum(covered(mine[k], theirs[k]) for k in together)
                weight = 1.0 if self._meets(name, other) or self._meets(other, name) else 4.0
                cost += weight * shared / len(_SAMPLED)
        for wish in self.stage.wishes:
            if (wish.first in boxes) == (wish.second in boxes):
                continue
            a_boxes = boxes.get(wish.first) or self.placed.get(wish.first)
            b_boxes = boxes.get(wish.second) or self.placed.get(wish.second)
            if a_boxes and b_boxes:
                cost += sum(_unmet(wish, a_boxes[k], b_boxes[k]) for k in _SAMPLED) / len(_SAMPLED)
        return cost


def _push(low: float, high: float) -> float:
    """How far to shift what reaches from `low` to `high` so that it lies within the frame."""
    if high - low > 1 - 2 * EDGE:
        return 0.5 - (low + high) / 2
    return max(EDGE - low, 0.0) + min(1 - EDGE - high, 0.0)


def _unmet(wish: Wish, a: Box, b: Box) -> float:
    """How far two boxes are from lying as wished; 0 when they do."""
    (ax, ay), (bx, by) = centre(a), centre(b)
    if wish.kind == "left":
        return 3.0 * max(0.0, a[2] - b[0]) + 8.0 * max(0.0, ax - bx + 0.15) + 0.5 * abs(ay - by)
    if wish.kind == "right":
        return 3.0 * max(0.0, b[2] - a[0]) + 8.0 * max(0.0, bx - ax + 0.15) + 0.5 * abs(ay - by)
    if wish.kind == "above":
        return 3.0 * max(0.0, a[3] - b[1]) + 8.0 * max(0.0, ay - by + 0.15) + abs(ax - bx)
    if wish.kind == "below":
        return 3.0 * max(0.0, b[3] - a[1]) + 8.0 * max(0.0, by - ay + 0.15) + abs(ax - bx)
    gap = max(b[0] - a[2], a[0] - b[2], 0.0)
    return 2.0 * max(0.0, gap - 0.04) + abs(a[3] - b[3])
