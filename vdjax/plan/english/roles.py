"""From phrases to who does what, where.

Enters: the chunks of one scene and the story so far. Leaves: a `Reading`: the things in the
scene, what they do, how they lie to one another, and the notes for whoever reads the plan.
English puts its words in order, so one walk from left to right is enough: a noun before the verb
is its subject, one after it the object, one after a preposition belongs to that preposition.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from vdjax.plan.consistency import Cast, Mention
from vdjax.plan.english import words
from vdjax.plan.english.chunks import Chunk
from vdjax.plan.english.lexicon import Lexicon, Verb
from vdjax.plan.english.phrases import Spot
from vdjax.plan.schema import base_name

#: Prepositions that say how things lie to one another when nothing moves.
RELATIONS = ("left", "right", "above", "below", "on", "beside", "behind", "front", "between", "in")
_PERCEIVED = ("watch", "make")


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


@dataclass
class Reading:
    """What a scene says. `said` pairs every chunk with the names it stands for."""

    entities: list[str] = field(default_factory=list)
    scales: dict[str, float] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    relations: list[tuple[str, list[str], list[str]]] = field(default_factory=list)
    spots: dict[str, Spot] = field(default_factory=dict)
    depths: dict[str, str] = field(default_factory=dict)
    when: dict[str, str] = field(default_factory=dict)
    places: list[tuple[str, str, str]] = field(default_factory=list)  # (name, as said, preposition)
    notes: list[str] = field(default_factory=list)
    said: list[tuple[Chunk, list[str]]] = field(default_factory=list)
    silent_subject: list[str] = field(default_factory=list)

    def add_note(self, note: str) -> None:
        """Add a note once."""
        if note not in self.notes:
            self.notes.append(note)


class RoleReader:
    """Reads the chunks of one scene, for one story."""

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
        self.told_place = False  # a place in the frame was told of the things before "and"
        self.unseen: list[str] = []
        self.undrawn: list[str] = []
        self.acts: list[str] = []

    def read(self, chunks: Sequence[Chunk]) -> Reading:
        """Walk over the chunks."""
        for index, chunk in enumerate(chunks):
            following = chunks[index + 1] if index + 1 < len(chunks) else None
            names: list[str] = []
            handler = getattr(self, "_" + chunk.kind.replace(" ", "_"), None)
            if handler is not None:
                names = handler(chunk, following) or []
            self.out.said.append((chunk, names))
            if chunk.kind != "link":
                self.joined = False
        self._close()
        return self.out

    # Nouns

    def _thing(self, chunk: Chunk, following: Chunk | None) -> list[str]:
        noun = chunk.noun
        assert noun is not None
        word = self.lexicon.entities[noun.name]
        self._say_mapping(chunk)
        for quality in chunk.qualities:
            if quality not in words.SIZES:
                self.unseen.append(f"{quality} {noun.name}")
        for owner in chunk.owners:
            self.unseen.append(f"{owner}'s")
        if chunk.negated or self.pending == "without":
            self.pending = ""
            self.out.add_note(f"left out, as asked: {noun.name}")
            return []
        count = chunk.count
        if count == 0 and noun.plural and chunk.article not in ("the", "these", "those"):
            count = 2
        if count == 0 and not noun.plural:
            count = 1 if not chunk.definite else 0
        one = chunk.words[:1] == ("one",)
        several_known = sum(s.word.name == word.name for s in self.cast.seen.values()) > 1
        mention = Mention(
            said=noun.said,
            definite=chunk.definite or (chunk.count == 0 and chunk.article == "all"),
            other=chunk.other,
            partial=chunk.partial or (one and several_known),
            plural=noun.plural or count > 1,
        )
        names = self.cast.names(word, count, mention)
        scale = 1.0
        for quality in chunk.qualities:
            scale *= words.SIZES.get(quality, 1.0)
        self._enter(names, chunk, following, scale)
        for verb in chunk.doing:
            if verb.action == "act":
                self.unseen.append(f"{verb.lemma} ({noun.name})")
            self.out.events.append(Event(verb, list(names)))
        return names

    def _pronoun(self, chunk: Chunk, following: Chunk | None) -> list[str]:
        kind = str(chunk.value)
        if kind == "self":
            return []
        action = ""
        if following is not None and following.verb is not None:
            action = following.verb.action
        as_object = bool(self.pending) or (self.event is not None and not self.joined)
        if kind == "each other":
            return []
        if kind == "it" and chunk.words == ("one",):
            return []
        subjects = self.subjects or ([] if self.fresh else self.leading)
        names = self.cast.who(kind, action, subjects, as_object)
        idle = following is None or following.kind == "small" or following.verb is not None
        if (
            not names
            and kind == "it"
            and idle
            and (not following or not action or action == "still")
        ):
            return []  # "it was a dark night": nobody
        if not names:
            self.out.add_note(f"warning: it is not clear whom {' '.join(chunk.words)!r} means")
            return []
        self.out.add_note(f"{' '.join(chunk.words)} = {_join(names)}")
        self._enter(names, chunk, following, 1.0)
        return names

    def _enter(self, names: list[str], chunk: Chunk, following: Chunk | None, scale: float) -> None:
        """Put things on the stage, in the part their place in the sentence gives them."""
        starts_clause = self._starts_clause(following)
        subject_slot = not self.pending and (self.event is None or starts_clause)
        for name in names:
            if name not in self.out.entities:
                self.out.entities.append(name)
            if scale != 1.0:
                self.out.scales[name] = scale
            base = self.lexicon.entities[_kind(name)]
            self.cast.note(name, base, leading=subject_slot)
        if self.joined and not starts_clause and self._lies_anew(following):
            self._new_clause()
        if self.joined and self.group and not starts_clause and not self.told_place:
            self.group += names  # "a cat and a dog": the same part as the one before
            if self.slot == "subject":
                self.subjects = self.group
            return
        if self.joined and self.event is not None and starts_clause:
            self._new_clause()
        self.told_place = False
        self.group = list(names)
        if self.pending:
            self._fill(self.group)
            self.slot = "way"
        elif self.event is not None and self.slot != "subject":
            if not self.event.objects:
                self.event.objects = self.group
            self.slot = "object"
        elif self.event is not None:
            self.event.objects = self.group
            self.slot = "object"
        else:
            self.subjects = self.group
            self.slot = "subject"
        self.fresh = False

    def _starts_clause(self, following: Chunk | None) -> bool:
        """Whether the noun phrase at hand, after "and" or a comma, begins a clause of its own."""
        if not self.joined or self.event is None or following is None:
            return False
        if following.kind != "verb" or following.verb is None:
            return False
        return following.verb.form in ("s", "ed") or self.event.verb.action not in _PERCEIVED

    def _lies_anew(self, following: Chunk | None) -> bool:
        """ "a chick behind a rooster and a pig in front of a car": the pig is not the rooster's."""
        relation = self.out.relations[-1][0] if self.out.relations else ""
        return (
            self.slot == "way"
            and self.event is None
            and relation != "between"
            and following is not None
            and (
                following.kind == "spot"
                or (following.kind == "prep" and following.value in RELATIONS)
            )
        )

    def _new_clause(self) -> None:
        self.event = None
        self.pending = ""
        self.group = []
        self.slot = ""
        self.joined = False
        self.lost_subject = False

    def _place(self, chunk: Chunk, following: Chunk | None) -> None:
        noun = chunk.noun
        assert noun is not None
        preposition = self.pending or ("to" if chunk.value == "to" else "")
        self.out.places.append((noun.name, noun.said, preposition))
        for quality in chunk.qualities:
            self.unseen.append(f"{quality} {noun.name}")
        if self.pending in ("over", "above") and self.event is not None:
            self.event.headings.append("high")
        if (
            self.pending in ("across", "through", "along", "past", "over")
            and self.event is not None
        ):
            self.event.headings.append("travel")
        if not preposition and self.event is None and following and following.kind == "verb":
            self.lost_subject = True  # "the moon shines"
            self.subjects = []
        self.pending = ""
        self.group = []
        if chunk.words:
            self.slot = "place"
        self.fresh = False

    def _unknown(self, chunk: Chunk, following: Chunk | None) -> None:
        self.undrawn.append(chunk.text)
        if self.pending:
            if self.event is not None and self.pending_kind == "way":
                self.event.ways.append((self.pending, []))
        elif self.event is None or self._starts_clause(following):
            if self.event is not None:
                self._new_clause()
            self.lost_subject = True
            self.subjects = []
        else:
            self.event.missing_object = True
        self.pending = ""
        self.group = []
        self.slot = ""

    def _say_mapping(self, chunk: Chunk) -> None:
        noun = chunk.noun
        assert noun is not None
        if noun.how == "name" or noun.said.endswith(noun.name) or noun.name.endswith(noun.said):
            return
        self.out.add_note(f"{noun.said} → {noun.name}")

    # Verbs

    def _verb(self, chunk: Chunk, following: Chunk | None) -> None:
        verb = chunk.verb
        assert verb is not None
        if chunk.value != "passive" and following is not None and following.kind == "verb":
            if verb.lemma in ("be", "do", "will", "have") or verb.action == "begin":
                return  # an auxiliary: the next verb says what happens
            if verb.action in ("go", "act") and following.verb and following.verb.form == "ing":
                return  # "goes swimming"
        if verb.lemma == "be" and following is not None and following.kind == "compare":
            return
        previous = self.event
        subjects = self._subjects_of(verb)
        self.event = Event(verb, subjects, speed=self.speed)
        self.speed = 1.0
        if self.lost_subject and not subjects:
            self.event.subjects = []
        if self.lost_subject and not subjects:
            pass  # whoever does it has no picture, which is said already
        elif verb.action == "act" or (verb.action == "still" and verb.lemma in words.POSES):
            self.acts.append(f"{_join(subjects) or 'somebody'}: {' '.join(chunk.words)}")
        if chunk.value == "passive":
            self.event.objects = subjects
            self.event.subjects = []
            self.pending, self.pending_kind = "agent", "agent"
        if previous is None and not self.subjects and subjects:
            self.subjects = subjects
        self.out.events.append(self.event)
        self.group, self.slot, self.fresh = [], "", False
        self.pending = self.pending if chunk.value == "passive" else ""

    def _subjects_of(self, verb: Verb) -> list[str]:
        last = self.event
        if self.lost_subject:
            return []
        perceived = last is not None and last.verb.action in _PERCEIVED and self.slot == "object"
        if perceived and verb.form in ("bare", "ing"):
            return list(self.group)  # "watch a rocket fly up"
        if self.slot == "subject" and self.group:
            return list(self.group)
        participle = verb.form in ("ing", "ed") and self.slot in ("object", "way")
        if participle and self.group and (last is not None or not self.subjects):
            return list(self.group)  # "a dog chasing a ball"
        if self.slot == "who" and self.group:
            return list(self.group)
        if last is not None and last.subjects:
            return list(last.subjects)
        if self.subjects:
            return list(self.subjects)
        if self.leading:  # "then meets a dog": still the one of the scene before
            self.out.silent_subject = list(self.leading)
            self.subjects = list(self.leading)
            for name in self.leading:
                if name not in self.out.entities:
                    self.out.entities.append(name)
                self.cast.note(name, self.lexicon.entities[_kind(name)], leading=True)
            return list(self.leading)
        return []

    def _strange_verb(self, chunk: Chunk, following: Chunk | None) -> None:
        self.acts.append(f"{_join(self.group)}: {chunk.text}")
        self.event = Event(Verb(chunk.text, "act", "s", 1), list(self.group))
        self.group, self.slot = [], ""

    # What is said about a verb or a thing

    def _prep(self, chunk: Chunk, following: Chunk | None) -> None:
        value = str(chunk.value)
        if self.pending == "agent" and value == "by":
            return
        if value == "of":
            return
        self.pending = value
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

    def _compare(self, chunk: Chunk, following: Chunk | None) -> None:
        self.pending, self.pending_kind = str(chunk.value), "compare"
        self.pending_first = list(self.group or self.subjects)

    def _quality(self, chunk: Chunk, following: Chunk | None) -> None:
        names = self.group or self.subjects
        if chunk.text in words.SIZES and names:
            for name in names:
                self.out.scales[name] = self.out.scales.get(name, 1.0) * words.SIZES[chunk.text]
        elif names:
            self.unseen.append(f"{chunk.text} {_join(names)}")
        else:
            self.unseen.append(chunk.text)
        if self.slot == "subject" and self.event is None and self.group:
            # "the cat is happy and the dog sleeps": a clause without a verb that shows
            self.event = Event(Verb("be", "still", "s", 1), list(self.group))
            self.slot = ""

    def _adverb(self, chunk: Chunk, following: Chunk | None) -> None:
        self.unseen.append(chunk.text)

    def _manner(self, chunk: Chunk, following: Chunk | None) -> None:
        if self.event is not None:
            self.event.speed *= float(chunk.value)  # type: ignore[arg-type]
        else:
            self.speed = float(chunk.value)  # type: ignore[arg-type]

    def _heading(self, chunk: Chunk, following: Chunk | None) -> None:
        if self.event is not None:
            self.event.headings.append(str(chunk.value))
        elif self.group:
            self.event = Event(Verb("go", "go", "bare", 1), list(self.group))
            self.event.headings.append(str(chunk.value))
            self.out.events.append(self.event)

    def _across(self, chunk: Chunk, following: Chunk | None) -> None:
        start, end, of = cast("tuple[Spot, Spot, bool]", chunk.value)
        if self.event is None and self.group:
            self.event = Event(Verb("go", "go", "bare", 1), list(self.group))
            self.out.events.append(self.event)
        if self.event is None:
            return
        self.event.across = (start, end)
        if of:
            self.pending, self.pending_kind = "across of", "across"

    def _goal(self, chunk: Chunk, following: Chunk | None) -> None:
        if self.event is not None:
            self.event.goals.append(chunk.value)  # type: ignore[arg-type]

    def _from_spot(self, chunk: Chunk, following: Chunk | None) -> None:
        if self.event is not None:
            self.event.origin = chunk.value  # type: ignore[assignment]

    def _spot(self, chunk: Chunk, following: Chunk | None) -> None:
        self.told_place = True
        for name in self._meant():
            self.out.spots[name] = chunk.value  # type: ignore[assignment]

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
        if self.event is not None:
            self.event.when = str(chunk.value)
        for name in self.event.subjects if self.event is not None else self._meant():
            self.out.when[name] = str(chunk.value)

    def _together(self, chunk: Chunk, following: Chunk | None) -> None:
        names = self._meant()
        for first, second in itertools.pairwise(names):
            self.out.relations.append(("beside", [first], [second]))

    def _link(self, chunk: Chunk, following: Chunk | None) -> None:
        if chunk.value == "clause":
            self._new_clause()
            self.fresh = True
        elif chunk.value == "who":
            self.slot = "who"
        else:
            self.joined = True
            if following is not None and following.kind == "verb" and self.event is not None:
                # "drives to the beach and meets": the same subject goes on.
                self.group, self.slot, self.pending = [], "", ""

    def _close(self) -> None:
        if self.undrawn:
            listed = ", ".join(dict.fromkeys(self.undrawn))
            self.out.add_note(f"warning: no picture for: {listed}")
        if self.unseen:
            listed = ", ".join(dict.fromkeys(self.unseen))
            self.out.add_note(f"cannot be shown: {listed}")
        if self.acts:
            listed = "; ".join(dict.fromkeys(self.acts))
            self.out.add_note(f"shown standing still: {listed}")


_kind = base_name


def _join(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
