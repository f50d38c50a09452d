"""What a scene says, once it is read: verbs with their people, and how things lie to one another.

`roles` fills a `Reading`; `choreography` and `rewrite` read it. `join_sides` finds in it what no
single phrase says: a thing that is on one side of another, then on the other side, passes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vdjax.plan.english.chunk import Chunk
from vdjax.plan.english.lexicon import Verb
from vdjax.plan.english.phrases import Spot

OPPOSITE = {"left": "right", "right": "left"}
_SPOTS: dict[str, Spot] = {"left": (0.2, None), "right": (0.8, None)}


@dataclass
class Event:
    """One verb with its people, and everything said about it.

    `ways` holds (preposition, names) in the order of the text; `across` two spots and whether the
    names that follow are what is crossed; `goals` the spots it goes to.
    """

    verb: Verb
    subjects: list[str]
    objects: list[str] = field(default_factory=list)
    ways: list[tuple[str, list[str]]] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    across: tuple[Spot, Spot] | None = None
    goals: list[Spot] = field(default_factory=list)
    origin: Spot | None = None
    speed: float = 1.0
    when: str = ""
    missing_object: bool = False

    def direction(self) -> tuple[float, float]:
        """The way that its headings, or where it comes from, say: (1, 0) is to the right, (0, 1)
        down, (0, 0) is not said."""
        headings = self.headings
        dx = 1.0 if "right" in headings else -1.0 if "left" in headings else 0.0
        up = "up" in headings or "up from" in headings
        dy = -1.0 if up else 1.0 if "down" in headings else 0.0
        for x in (self.origin or ())[:1]:
            dx = dx or (0.0 if x is None else 1.0 if x < 0.5 else -1.0)
        for y in (self.origin or ())[1:]:
            dy = dy or (0.0 if y in (None, 0.5) else 1.0 if y < 0.5 else -1.0)
        return dx, dy


@dataclass
class Reading:
    """What a scene says. `said` pairs every chunk with the names it stands for; `looks` holds the
    adjectives of things and places, in the person's words."""

    entities: list[str] = field(default_factory=list)
    scales: dict[str, float] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    relations: list[tuple[str, list[str], list[str]]] = field(default_factory=list)
    spots: dict[str, Spot] = field(default_factory=dict)
    depths: dict[str, str] = field(default_factory=dict)
    looks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    when: dict[str, str] = field(default_factory=dict)
    places: list[tuple[str, str, str]] = field(default_factory=list)  # (name, as said, preposition)
    notes: list[str] = field(default_factory=list)
    said: list[tuple[Chunk, list[str]]] = field(default_factory=list)
    silent_subject: list[str] = field(default_factory=list)

    def add_note(self, note: str) -> None:
        """Add a note once."""
        if note not in self.notes:
            self.notes.append(note)

    def add_looks(self, names: Sequence[str], adjectives: Sequence[str]) -> None:
        """Remember how these look, each word once."""
        for name in names:
            known = self.looks.get(name, ())
            self.looks[name] = tuple(dict.fromkeys((*known, *adjectives)))


def join_sides(reading: Reading) -> None:
    """Make one movement of "first to the left of a tree, then to the right of it"."""
    said = [(kind, firsts, seconds) for kind, firsts, seconds in reading.relations]
    said += [
        (kind, event.subjects, names) for event in reading.events for kind, names in event.ways
    ]
    for at, (kind, firsts, seconds) in enumerate(said):
        end = OPPOSITE.get(kind, "")
        if not (end and firsts and seconds) or (end, firsts, seconds) not in said[at + 1 :]:
            continue
        sides = (kind, end)
        reading.relations = [
            one for one in reading.relations if one[0] not in sides or one[1:] != (firsts, seconds)
        ]
        for event in reading.events:
            if event.subjects == firsts:
                event.ways = [way for way in event.ways if way[0] not in sides or way[1] != seconds]
        passing = Event(
            Verb("pass", "go", "s", 1), list(firsts), across=(_SPOTS[kind], _SPOTS[end])
        )
        passing.ways.append(("across of", list(seconds)))
        reading.events = [
            event for event in reading.events if event.subjects != firsts or not _says_only(event)
        ]
        reading.events.append(passing)
        return


def _says_only(event: Event) -> bool:
    """Whether a verb says no more than that somebody is somewhere, or goes there."""
    return event.verb.action in ("still", "begin", "go", "fly", "mount") and not (
        event.ways or event.objects or event.goals
    )


def enumerated(names: Sequence[str]) -> str:
    """ "cat, dog and owl" """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
