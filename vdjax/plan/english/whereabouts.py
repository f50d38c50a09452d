"""Where, which way and when: the part of the walk over a scene that reads no nouns and no verbs.

Enters: the chunks that `roles` meets between nouns and verbs, one at a time. Leaves: relations,
places in the frame, ways and times in the `Reading`. A preposition waits for its noun, which
`roles` hands over; a second place for the same thing is where it goes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

from vdjax.plan.cast import Cast
from vdjax.plan.english import words
from vdjax.plan.english.chunk import Chunk
from vdjax.plan.english.lexicon import Lexicon, Verb
from vdjax.plan.english.order import RELATIONS
from vdjax.plan.english.phrases import Spot
from vdjax.plan.english.reading import OPPOSITE, Event, Reading, enumerated

_APART = 0.25
"""Spots that differ by more than this, as a share of the frame, are two places."""


class Whereabouts:
    """What is known half-way through a scene, and what follows for who is where."""

    def __init__(self, lexicon: Lexicon, story: Cast, leading: Sequence[str]) -> None:
        self.lexicon = lexicon
        self.cast = story
        self.leading = list(leading)  # the subjects of the scene before, for "then meets a dog"
        self.out = Reading()
        self.subjects: list[str] = []
        self.group: list[str] = []  # the names of the noun phrase just read
        self.slot = ""  # what that phrase was: "subject", "object", "way"
        self.event: Event | None = None
        self.pending = ""  # a preposition or comparison that waits for its noun
        self.pending_first: list[str] = []
        self.pending_kind = ""
        self.joined = False  # "and" or a comma right before
        self.fresh = True  # nothing of this clause yet
        self.speed = 1.0
        self.lost_subject = False
        self.loosely: set[str] = set()  # of whom "at the end" was said, or the like
        self.told_place = False  # a place in the frame was told of the things before "and"
        self.unseen: list[str] = []
        self.undrawn: list[str] = []
        self.acts: list[str] = []
        self.beyond: Chunk | None = None  # the chunk after the one that follows

    def _new_clause(self) -> None:
        self.event = None
        self.pending = ""
        self.group = []
        self.slot = ""
        self.joined = False
        self.lost_subject = False

    def _prep(self, chunk: Chunk, following: Chunk | None) -> None:
        value = str(chunk.value)
        if self.pending == "agent" and value == "by":
            return
        if value == "of":
            return
        self.pending = value
        if self.joined and value in OPPOSITE and self._lies_on():
            return
        # "a ball on a box": the noun right before; "a cat sleeps under a tree": the subject.
        if self.group and self.slot in ("subject", "object", "way"):
            mutual = self.event is not None and self.event.verb.action == "meet"
            self.pending_first = (
                [*self.event.subjects, *self.group] if mutual and self.event else list(self.group)
            )
            self.pending_kind = "noun"
        elif self.event is not None:
            self.pending_first = list(self.event.subjects)
            self.pending_kind = "way"
        else:
            self.pending_first = []
            self.pending_kind = "way"
        if self.event is not None and (self.slot == "object" and self._moves(value)):
            self.pending_kind = "way"  # "throws a ball to a dog", "drives a car to the beach"
        if value in OPPOSITE and following is not None and following.kind == "pronoun":
            self._of_it()

    def _lies_on(self) -> bool:
        """ "Left of a dog and right of a cow": still the first one. Says so to what follows."""
        event, last = self.event, self.out.relations[-1:]
        if event is not None and event.ways and event.ways[-1][1] == self.group:
            self.pending_first, self.pending_kind = list(event.subjects), "way"
            return True
        if last and last[0][0] in OPPOSITE and last[0][2] == self.group:
            self.pending_first, self.pending_kind = last[0][1], "noun"
            return True
        return False

    def _of_it(self) -> None:
        """ "Past a house to the right of it": the one that passes, to the right of the house."""
        event = self.event
        if event is not None and event.ways and event.ways[-1][1] == self.group:
            self.pending_first, self.pending_kind = list(event.subjects), "way"

    @staticmethod
    def _moves(preposition: str) -> bool:
        return preposition in ("to", "into", "from", "past", "through", "across", "along", "out",
                               "away", "over", "around", "off", "for", "at")  # fmt: skip

    def _fill(self, names: list[str]) -> None:
        """Give the waiting preposition its noun."""
        value, kind = self.pending, self.pending_kind
        self.pending = ""
        if value == "agent":
            if self.event is not None:
                self.event.subjects = names
                self.subjects = names
            return
        if kind == "compare":
            self.out.relations.append((value, self.pending_first, names))
            return
        if kind == "across" and self.event is not None:
            self.event.ways.append(("across of", names))
            return
        if self.event is not None and kind == "way":
            self.event.ways.append((value, names))
            return
        self._lies_instead(names)
        if not self.pending_first and self.out.entities:
            first = [name for name in self.out.entities if name not in names]
            if value in RELATIONS:  # "under a palm tree, a cat sleeps": whoever comes next
                self.out.relations.append((value, first, names))
            return
        if value in ("with", "at", "by", "for", "along", "past"):
            relation = "with" if value == "with" else "beside"
            self.out.relations.append((relation, self.pending_first, names))
        elif value in RELATIONS:
            self.out.relations.append((value, self.pending_first, names))
        elif value in ("over", "across", "around"):
            relation = "above" if value == "over" else "beside"
            self.out.relations.append((relation, self.pending_first, names))
        elif value == "into":
            self.out.relations.append(("in", self.pending_first, names))

    def _lies_instead(self, ground: list[str]) -> None:
        """ "A tree with a cat below it", "a boy has a dog to his left": what lies somewhere is not
        held besides."""
        figure, kept = self.pending_first, []
        for relation in self.out.relations:
            if relation != ("with", ground, figure):
                kept.append(relation)
        self.out.relations = kept
        event = self.event
        if event is not None and event.verb.lemma in ("have", "own") and event.objects == figure:
            event.objects = []

    def _alike(self, chunk: Chunk, following: Chunk | None) -> None:
        """ "A cat and a dog of the same size"."""
        names = self.group or self.subjects
        if len(names) < 2:
            names = self.out.entities[-2:]
        for first, second in itertools.pairwise(names):
            self.out.relations.append(("same", [first], [second]))

    def _compare(self, chunk: Chunk, following: Chunk | None) -> None:
        self.pending, self.pending_kind = str(chunk.value), "compare"
        self.pending_first = list(self.group or self.subjects)

    def _quality(self, chunk: Chunk, following: Chunk | None) -> None:
        names = self.group or self.subjects
        said = self.out.said[-2:]
        if len(said) == 2 and said[1][0].words[-1:] in (("is",), ("was",)) and said[0][1]:
            names = said[0][1]  # "the cat is black and the dog is white"
        self._qualify(names, chunk.text)
        if self.slot == "subject" and self.event is None and self.group:
            # "the cat is happy and the dog sleeps": a clause without a verb that shows
            self.event = Event(Verb("be", "still", "s", 1), list(self.group))
            self.slot = ""

    def _qualify(self, names: Sequence[str], quality: str) -> None:
        """Note what an adjective says of these."""
        self.out.add_looks(names, self._looks([quality]))
        if quality in words.SIZES and names:
            for name in names:
                self.out.scales[name] = self.out.scales.get(name, 1.0) * words.SIZES[quality]
        else:
            self.unseen.append(f"{quality} {enumerated(names)}" if names else quality)

    def _looks(self, qualities: Sequence[str]) -> list[str]:
        """Those of the adjectives that say how something looks, without any comparison."""
        return [
            word
            for word in qualities
            if word not in words.COMPARED
            and word not in words.NO_LOOKS
            and self.lexicon.noun((word,)) is None
        ]

    def _adverb(self, chunk: Chunk, following: Chunk | None) -> None:
        self.unseen.append(chunk.text)

    def _manner(self, chunk: Chunk, following: Chunk | None) -> None:
        if self.event is not None:
            self.event.speed *= float(chunk.value)  # type: ignore[arg-type]
        else:
            self.speed = float(chunk.value)  # type: ignore[arg-type]

    def _heading(self, chunk: Chunk, following: Chunk | None) -> None:
        if self.event is not None or self.group:
            event = self._moved()
            if event is not None:
                event.headings.append(str(chunk.value))

    def _across(self, chunk: Chunk, following: Chunk | None) -> None:
        start, end, of = cast("tuple[Spot, Spot, bool]", chunk.value)
        event = self._moved()
        if event is None:
            return
        event.across = (start, end)
        if of:
            self.pending, self.pending_kind = "across of", "across"

    def _goal(self, chunk: Chunk, following: Chunk | None) -> None:
        event = self._moved()
        if event is not None:
            event.goals.append(cast("Spot", chunk.value))

    def _via(self, chunk: Chunk, following: Chunk | None) -> None:
        event = self._moved()
        if event is not None:  # before where it goes, though that may have been said first
            event.goals.insert(max(len(event.goals) - 1, 0), cast("Spot", chunk.value))

    def _from_spot(self, chunk: Chunk, following: Chunk | None) -> None:
        event = self._moved()
        if event is not None:
            event.origin = cast("Spot", chunk.value)

    def _moved(self) -> Event | None:
        """The event that a way belongs to; without a verb, those just named go that way."""
        event = self.event
        if event is not None and all(event is not known for known in self.out.events):
            event.verb = Verb(event.verb.lemma, "go", "s", 1)  # a verb no list knows, but a way
            self.out.events.append(event)
            del self.acts[-1:]
        if event is None and self._meant():
            self.event = Event(Verb("go", "go", "bare", 1), self._meant())
            self.out.events.append(self.event)
        return self.event

    def _spot(self, chunk: Chunk, following: Chunk | None) -> None:
        self.told_place = True
        spot = cast("Spot", chunk.value)
        names = self._meant()
        before = self.out.spots.get(names[0]) if names else None
        if before is not None and _elsewhere(before, spot):  # first there, then here: it goes
            self._goal(chunk, following)
            return
        for name in names:
            self.out.spots[name] = spot

    def _far(self, chunk: Chunk, following: Chunk | None) -> None:
        for name in self._meant():
            self.out.depths[name] = "far"

    def _near(self, chunk: Chunk, following: Chunk | None) -> None:
        for name in self._meant():
            self.out.depths[name] = "near"

    def _meant(self) -> list[str]:
        """Whom a phrase of place speaks of."""
        if self.group:
            return list(self.group)
        if self.event is not None and self.event.subjects:
            return list(self.event.subjects)
        return list(self.subjects)

    def _when(self, chunk: Chunk, following: Chunk | None) -> None:
        if following is not None and (
            following.kind in ("spot", "goal") or following.value in OPPOSITE
        ):
            return  # "at the end in the upper left": a stage of the way
        if self.event is not None:
            self.event.when = str(chunk.value)
            if self.event.verb.action in ("leave", "disappear") or "away" in self.event.headings:
                return  # when it goes, not when it is there
        if chunk.words[0] in ("eventually", "later", "after") and "half" not in chunk.words:
            return  # "after a while the cat sleeps": it was there before
        for name in self.event.subjects if self.event is not None else self._meant():
            self.out.when[name] = str(chunk.value)
            if "half" not in chunk.words:
                self.loosely.add(name)

    def _together(self, chunk: Chunk, following: Chunk | None) -> None:
        names = self._meant()
        for first, second in itertools.pairwise(names):
            self.out.relations.append(("beside", [first], [second]))


def _elsewhere(one: Spot, other: Spot) -> bool:
    """Whether two spots are at different sides or heights of the frame."""
    return any(
        a is not None and b is not None and abs(a - b) > _APART
        for a, b in zip(one, other, strict=True)
    )
