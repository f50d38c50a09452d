"""How things lie to one another on a stage: a preposition becomes a tie or a wish.

Enters: "on", "under", "left" with the names on both sides. Leaves: on the `Stage`, a `Bond` where
one goes along with the other (a cat on a horse), else a `Wish` that `placing` fulfils.
"""

from __future__ import annotations

from collections.abc import Sequence

from vdjax.plan.english.reading import Reading
from vdjax.plan.stage import Part, Stage, Wish

#: Animals that others ride on.
_MOUNTS = ("horse", "camel", "elephant", "cow", "whale", "turtle", "goat", "pig")
#: Things that stay where they are, and that others stand under or in.
RESTING = ("palm tree", "tree", "house", "castle")
_ROOFS = ("palm tree", "tree", "umbrella", "sunflower", "mushroom", "balloon")
_LIFTED = ("umbrella", "balloon")


class Relations:
    """The stage of a scene and what is known of it."""

    def __init__(self, reading: Reading, stage: Stage) -> None:
        self.reading, self.stage = reading, stage
        self.parts = stage.parts

    def _here(self, names: Sequence[str]) -> list[str]:
        return [name for name in dict.fromkeys(names) if name in self.parts]

    def _relate(
        self,
        kind: str,
        firsts: Sequence[str],
        seconds: Sequence[str],
        leave: Sequence[str] = (),
    ) -> None:
        """Tie or wish how things lie to one another; those in `leave` go their own way."""
        if kind == "between" and len(seconds) > 1:
            for name in firsts:
                self.stage.wishes.append(Wish("left", seconds[0], name))
                self.stage.wishes.append(Wish("left", name, seconds[1]))
            return
        if kind == "with" and firsts and seconds:
            for index, name in enumerate(seconds):
                self._give(firsts[index % len(firsts)], name)
            return
        for first in firsts:
            for second in (
                seconds[:1] if kind not in ("left", "right", "above", "below") else seconds
            ):
                if first == second or first in leave:
                    continue
                self._relate_two(kind, first, second)

    def _relate_two(self, kind: str, first: str, second: str) -> None:
        a, b = self.parts[first], self.parts[second]
        stands = a.move.kind == "still" and first not in self.stage.bonds
        if kind == "in" and b.word.name in _LIFTED:
            kind = "below"
        perched = kind in ("in", "on") and b.word.name in ("tree", "palm tree") and stands
        if perched and self.stage.tie("ride", first, second):
            return
        if kind == "below" and b.word.name in _LIFTED and self.stage.tie("lift", second, first):
            return
        if not stands and kind in ("below", "in", "on", "behind", "front"):
            return  # it goes its own way; where that ends has been seen to
        carried = kind in ("in", "on", "into") and self._carries(b)
        if carried and self.stage.tie("ride", first, second):
            return
        if kind == "below" and b.word.name in _ROOFS and self.stage.tie("under", first, second):
            return
        if kind in ("on", "in", "behind", "front") and self.stage.tie(kind, first, second):
            return
        if kind in ("on", "over"):
            kind = "above"
        if kind in ("left", "right", "above", "below", "beside"):
            self.stage.wishes.append(Wish(kind, first, second))
        elif kind in ("near", "at", "by", "around", "along", "past", "with", "between", "from"):
            self.stage.wishes.append(Wish("beside", first, second))

    def _give(self, holder: str, name: str) -> None:
        part = self.parts[name]
        if part.word.category in ("animal", "person", "vehicle") or part.word.name in RESTING:
            self.stage.wishes.append(Wish("beside", holder, name))
            return
        kind = "lift" if part.word.name in _LIFTED else "hold"
        if self.stage.tie(kind, name, holder):
            part.scale *= 0.9

    @staticmethod
    def _carries(part: Part) -> bool:
        return part.word.category == "vehicle" or part.word.name in _MOUNTS

    def _in_the_middle(self, name: str) -> None:
        """Room on both sides of something that others go past."""
        if self.parts[name].spot == (None, None) and self.parts[name].move.kind == "still":
            self.parts[name].spot = (0.5, None)
