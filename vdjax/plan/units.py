"""What moves as one: a thing and all that is tied to it, with their sizes and distances.

Enters: a `Stage`. Leaves: its units: a cat on a car, a boy with his balloon. Ties ask for sizes (a
rider is smaller than the horse) and for places (it sits on its back); a unit that is larger than
the frame is made smaller. `placing` then looks for a place for each.
"""

from __future__ import annotations

from dataclasses import dataclass

from vdjax.plan.boxes import Box
from vdjax.plan.motion import EDGE
from vdjax.plan.stage import Bond, Part, Stage

LEAST_SHARE = 0.72
"""Things that must share their room are made this much smaller at most."""
_ROOM = 0.26
"""Room that a unit needs to move, as a share of the frame."""
_LIMITS = {"ride": 0.85, "in": 0.5, "hold": 0.6, "under": 0.55, "front": 0.75, "lift": 0.9}
"""Largest height of a child, against its parent's."""


@dataclass
class Unit:
    """A thing and all that is tied to it, with the offset of each centre from the root's."""

    root: Part
    members: dict[str, tuple[float, float]]


class Units(dict[str, Unit]):
    """The units of a stage, by the name of their root."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.parts = stage, stage.parts
        self._fit_bonds()
        super().__init__({n: self.unit(n) for n in self.parts if stage.root(n) == n})
        self._share_the_ground()

    def unit(self, name: str) -> Unit:
        """The unit whose root has this name, as the ties are now."""
        root = self.parts[name]
        members = {name: (0.0, 0.0)}
        waiting = list(self.stage.bonds.values())
        while waiting:
            ready = [bond for bond in waiting if bond.parent in members]
            if not ready:
                break
            for bond in ready:
                x, y = members[bond.parent]
                dx, dy = self._offset(bond)
                members[bond.child] = (x + dx, y + dy)
                waiting.remove(bond)
        unit = Unit(root, members)
        self._shrink_to_frame(unit)
        return unit

    def box(self, name: str, x: float, y: float, scale: float = 1.0) -> Box:
        """The box of a thing around a centre."""
        part = self.parts[name]
        width, height = part.width * scale / 2, part.height * scale / 2
        return (x - width, y - height, x + width, y + height)

    def resize(self, unit: Unit, factor: float) -> None:
        """Make a unit larger or smaller as a whole."""
        for name, (x, y) in unit.members.items():
            self.parts[name].width *= factor
            self.parts[name].height *= factor
            unit.members[name] = (x * factor, y * factor)

    def extent(self, unit: Unit) -> float:
        """How wide a unit is."""
        boxes = self._boxes(unit)
        return max(b[2] for b in boxes) - min(b[0] for b in boxes)

    def _boxes(self, unit: Unit) -> list[Box]:
        return [self.box(name, x, y) for name, (x, y) in unit.members.items()]

    def _fit_bonds(self) -> None:
        """Sizes that ties ask for: a rider smaller than the horse, a roof above a head."""
        for bond in self.stage.bonds.values():
            child, parent = self.parts[bond.child], self.parts[bond.parent]
            limit = _LIMITS.get(bond.kind)
            if limit and child.height > limit * parent.height:
                factor = limit * parent.height / child.height
                child.width *= factor
                child.height *= factor
            if bond.kind == "behind" and child.height < parent.height:
                factor = min(1.25, 1.1 * parent.height / child.height)
                child.resize(factor)

    def _shrink_to_frame(self, unit: Unit) -> None:
        """Let a unit fit into the frame, with room to move if it moves."""
        boxes = self._boxes(unit)
        width = self.extent(unit)
        height = max(b[3] for b in boxes) - min(b[1] for b in boxes)
        whole = 1 - 2 * EDGE
        moves = len(unit.members) > 1 and unit.root.move.kind in ("slide", "across")
        factor = min(1.0, (whole - (_ROOM if moves else 0.0)) / width, whole / height)
        if factor < 1.0:
            self.resize(unit, factor)

    def _share_the_ground(self) -> None:
        """Smaller things, all alike, when those on the ground are too wide for one row."""
        row = [
            unit
            for unit in self.values()
            if unit.root.home == "ground" and unit.root.spot[1] is None
        ]
        factor = 1.0 / max(1.0, sum(self.extent(unit) for unit in row))
        if len(row) < 3 or factor == 1.0:
            return
        for unit in row:
            self.resize(unit, max(factor, LEAST_SHARE))

    def _offset(self, bond: Bond) -> tuple[float, float]:
        """From the parent's centre to the child's."""
        child, parent = self.parts[bond.child], self.parts[bond.parent]
        level = (parent.height - child.height) / 2  # bottoms aligned
        side = bond.side
        if bond.kind == "ride":
            riders = [
                b for b in self.stage.bonds.values() if (b.kind, b.parent) == ("ride", parent.name)
            ]
            apart = 0.25 * parent.width if len(riders) > 1 else 0.0
            return side * apart, -0.05 * parent.height - child.height / 2
        if bond.kind == "on":
            return 0.0, -(parent.height + child.height) / 2 + 0.08 * parent.height
        if bond.kind == "in":
            return side * 0.1 * parent.width, level
        if bond.kind == "hold":
            return side * (parent.width / 2 + 0.15 * child.width), 0.1 * parent.height
        if bond.kind == "lift":
            up = (parent.height + child.height) / 2 - 0.12 * parent.height
            return side * 0.25 * parent.width, -up
        if bond.kind == "under":
            return side * (0.3 * parent.width + 0.1 * child.width), level
        if bond.kind == "behind":
            return side * (0.35 * parent.width + 0.2 * child.width), level - 0.1
        if bond.kind == "front":
            return side * (0.15 * parent.width + 0.1 * child.width), level + 0.05
        direction = self.parts[self.stage.root(bond.parent)].move.dx or self.stage.side
        if bond.kind == "abreast":
            return -direction * 0.35 * parent.width, level - 0.45 * child.height
        gap = (parent.width + child.width) / 2 + 0.03
        ahead = 1.0 if bond.kind == "push" else -1.0
        return ahead * (1 if direction > 0 else -1) * gap, level
