"""A scene before it has boxes: the things on the stage, how large, what they do, what ties them.

This is what a director hands to `placing`, which finds the boxes. Any director may use it: it
speaks of "on the ground", "holds", "to the left of", never of coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vdjax.plan.motion import STILL, Move, Spot
from vdjax.plan.schema import NUM_KEYFRAMES
from vdjax.plan.vocabulary import EntityWord

SMALLEST, LARGEST = 0.2, 0.68
"""Limits of the long side of a thing; the training pictures use 0.22 to 0.7."""
_MOVING = {"still": 1.0, "bounce": 1.0, "sway": 1.0, "enter": 1.0, "leave": 1.0, "from": 0.75}
_AT_A_SPOT = 0.46
"""Largest long side of a thing that has to stand at one side of the frame."""
_CROWD = (1.25, 1.25, 1.08, 0.93, 0.74, 0.65, 0.6, 0.55)
"""How much room each of n things may take, against the comfortable height in the vocabulary."""

#: Ways to be tied to something else: the child goes where its parent goes.
BONDS = (
    "ride",
    "on",
    "in",
    "hold",
    "lift",
    "under",
    "behind",
    "front",
    "follow",
    "abreast",
    "push",
)


@dataclass
class Part:
    """One thing on the stage.

    `home` is where it belongs when nothing else is said: "ground", "sky", "water" or "float".
    `present` says at which keyframes it is there. Width and height are shares of the frame.
    """

    name: str
    word: EntityWord
    home: str
    scale: float = 1.0
    width: float = 0.0
    height: float = 0.0
    spot: Spot = (None, None)
    depth: str = ""
    move: Move = STILL
    present: tuple[bool, ...] = (True,) * NUM_KEYFRAMES

    def resize(self, factor: float) -> None:
        """Make it larger or smaller, within the limits."""
        long = max(self.width, self.height)
        factor = min(max(long * factor, SMALLEST), LARGEST) / long
        self.width *= factor
        self.height *= factor


@dataclass(frozen=True)
class Bond:
    """`child` goes where `parent` goes, in a way of `BONDS`; `side` is 1 (right) or -1 (left)."""

    kind: str
    child: str
    parent: str
    side: int = 1


@dataclass(frozen=True)
class Wish:
    """How two should lie: `first` is "left", "right", "above", "below" or "beside" `second`."""

    kind: str
    first: str
    second: str


@dataclass
class Stage:
    """All the things of one scene, by name in the order of mention."""

    background: str
    parts: dict[str, Part] = field(default_factory=dict)
    bonds: dict[str, Bond] = field(default_factory=dict)
    wishes: list[Wish] = field(default_factory=list)
    side: int = 1

    def add(self, name: str, word: EntityWord) -> Part:
        """Put a thing on the stage, where its kind belongs before this background."""
        home = "ground" if word.place == "any" else word.place
        if self.background == "space":
            home = "float"
        elif self.background == "underwater":
            home = "float" if word.place == "water" else home
        elif word.place == "water":
            home = "water" if word.name == "sailboat" else "ground"
        part = Part(name, word, home)
        self.parts[name] = part
        return part

    def root(self, name: str) -> str:
        """The thing at the end of the ties from `name`."""
        seen = {name}
        while name in self.bonds and self.bonds[name].parent not in seen:
            name = self.bonds[name].parent
            seen.add(name)
        return name

    def tie(self, kind: str, child: str, parent: str, side: int = 0) -> bool:
        """Tie `child` to `parent`; False if it is tied already or the ties would go round."""
        if child in self.bonds or child == parent or self.root(parent) == child:
            return False
        if any(name not in self.parts for name in (child, parent)):
            return False
        siblings = sum(bond.parent == parent and bond.kind == kind for bond in self.bonds.values())
        side = side or (self.side if siblings % 2 == 0 else -self.side)
        self.bonds[child] = Bond(kind, child, parent, side)
        return True

    def set_sizes(self) -> None:
        """Give every thing its size, from the vocabulary, the crowd, and what the words say."""
        crowd = _CROWD[min(len(self.parts), len(_CROWD) - 1)]
        for part in self.parts.values():
            part.height = part.word.height * crowd
            part.width = part.height * part.word.aspect
            depth = {"far": 0.55, "near": 1.3}.get(part.depth, 1.0)
            moving = _MOVING.get(part.move.kind, 0.85)
            if part.move.kind in ("grow", "shrink"):
                moving = 1.35  # its largest size; it starts or ends at about half
            part.resize(part.scale * depth * moving)
            if any(at is not None and at != 0.5 for at in part.spot):
                part.resize(min(1.0, _AT_A_SPOT / max(part.width, part.height)))

    def compare(self, kind: str, first: str, second: str) -> None:
        """Make `first` "bigger", "smaller" than or the "same" size as `second`."""
        a, b = self.parts[first], self.parts[second]
        if kind == "smaller":
            a, b = b, a
        if kind == "same":
            side = (a.width * a.height * b.width * b.height) ** 0.25
            for part in (a, b):
                part.resize(side / (part.width * part.height) ** 0.5)
            return
        for _ in range(8):  # towards an area at least 1.8 times as large, as far as the limits let
            if a.width * a.height >= 1.8 * b.width * b.height:
                return
            a.resize(1.12)
            b.resize(0.9)
