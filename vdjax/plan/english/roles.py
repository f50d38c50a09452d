"""From phrases to who does what, where.

Enters: the chunks of one scene and the story so far. Leaves: a `Reading`: the things in the
scene, what they do, how they lie to one another, and the notes for whoever reads the plan.
English puts its words in order, so one walk from left to right is enough: a noun before the verb
is its subject, one after it the object, one after a preposition belongs to that preposition.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from vdjax.plan.cast import Mention, Slot
from vdjax.plan.english import kinds, words
from vdjax.plan.english.chunk import Chunk
from vdjax.plan.english.lexicon import Verb, singulars
from vdjax.plan.english.order import RELATIONS, plain
from vdjax.plan.english.reading import Event, Reading, enumerated, join_sides
from vdjax.plan.english.whereabouts import Whereabouts
from vdjax.plan.english.wholes import whole
from vdjax.plan.schema import base_name

_PERCEIVED = ("watch", "make")
_MOVING = ("go", "fly", "rise", "fall", "bounce", "arc", "mount", "push", "chase", "follow")


class RoleReader(Whereabouts):
    """Reads the chunks of one scene, for one story."""

    def read(self, chunks: Sequence[Chunk]) -> Reading:
        """Walk over the chunks."""
        chunks = plain(whole(chunks))
        for index, chunk in enumerate(chunks):
            following = chunks[index + 1] if index + 1 < len(chunks) else None
            self.beyond = chunks[index + 2] if index + 2 < len(chunks) else None
            names: list[str] = []
            handler = getattr(self, "_" + chunk.kind.replace(" ", "_"), None)
            if handler is not None:
                names = handler(chunk, following) or []
            if chunk.kind == "unknown" and names:  # "the toy" is the ball of before
                chunk = replace(chunk, kind="pronoun", value="it")
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
            if quality not in words.SIZES and quality not in words.COMPARED:
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
            ordinal=kinds.ordinal(chunk.words),
            called=_called(chunk),
            qualities=kinds.qualities(chunk.qualities),
        )
        names = self.cast.names(word, count, mention, self._slot(following))
        compared = next((words.COMPARED[q] for q in chunk.qualities if q in words.COMPARED), "")
        before = [name for name in self.out.entities if name not in names]
        if compared and before:  # "a cat and a bigger dog"
            self.out.relations.append((compared, names, before[-1:]))
        scale = 1.0
        for quality in chunk.qualities if compared != "same" else ():
            scale *= words.SIZES.get(quality, 1.0)
        self.out.add_looks(names, self._looks(chunk.qualities))
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
        slot = self._slot(following)
        if chunk.words[-1:] == ("others",):
            kind = "others"
        if kind == "each other":
            return []
        if kind == "it" and chunk.words == ("one",):
            return []
        if kind in ("other", "others") and not slot.beside:
            slot = replace(slot, beside=self.subjects or ([] if self.fresh else self.leading))
        count = next((words.NUMBERS[w] for w in chunk.words if w in words.NUMBERS), 0)
        if chunk.qualities:  # "the white one"
            mention = Mention(said="one", qualities=kinds.qualities(chunk.qualities))
            names = self.cast.of_sort(mention, 0, slot)
        else:
            names = self.cast.who(kind, slot, count)
        idle = following is None or following.kind == "small" or following.verb is not None
        if (
            not names
            and kind == "it"
            and idle
            and (not following or not following.verb or following.verb.action == "still")
        ):
            return []  # "it was a dark night": nobody
        if not names:
            self.out.add_note(f"warning: it is not clear whom {' '.join(chunk.words)!r} means")
            return []
        self.out.add_note(f"{' '.join(chunk.words)} = {enumerated(names)}")
        self._enter(names, chunk, following, 1.0)
        return names

    def _one_of_them(self, chunk: Chunk, following: Chunk | None) -> list[str]:
        """ "Two cats, one white and one black": of those named last, the next in turn."""
        several = [names for told, names in self.out.said if told.kind == "thing" and names]
        taken = sum(told.kind == chunk.kind for told, _ in self.out.said)
        names = several[-1][taken : taken + 1] if several else []
        self._qualify(names, chunk.qualities[0])
        return names

    def _slot(self, following: Chunk | None) -> Slot:
        """Where the chunk at hand stands in its clause."""
        event = self.event
        as_object = bool(self.pending) or (event is not None and not self.joined)
        verb = event.verb if as_object and event else following.verb if following else None
        subjects = event.subjects if event else self.subjects
        beside = [
            *(subjects or self.subjects or ([] if self.fresh else self.leading)),
            *(event.objects if event else ()),
        ]
        if self.pending and self.pending_kind == "noun" and self.pending_first:
            beside = self.pending_first  # "a boy and a dog near him": not the dog
        return Slot(
            verbs=(verb.lemma, verb.action) if verb is not None else (),
            preposition=self.pending if as_object else "",
            beside=beside if as_object else (),
            as_object=as_object,
        )

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
            self.cast.together(self.group)
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
        if (
            following is not None
            and following.kind == "prep"
            and following.value in RELATIONS
            and self.beyond is not None
            and self.beyond.kind == "pronoun"
        ):
            return True  # "a horse, and a banana above it"
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

    def _place(self, chunk: Chunk, following: Chunk | None) -> None:
        noun = chunk.noun
        assert noun is not None
        preposition = self.pending or ("to" if chunk.value == "to" else "")
        self.out.places.append((noun.name, noun.said, preposition))
        for quality in chunk.qualities:
            self.unseen.append(f"{quality} {noun.name}")
        self.out.add_looks([noun.name], self._looks(chunk.qualities))
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

    def _unknown(self, chunk: Chunk, following: Chunk | None) -> list[str] | None:
        names = self._loose(chunk, following)
        if names:
            self.out.add_note(f"{' '.join(chunk.words)} = {enumerated(names)}")
            self._enter(names, chunk, following, 1.0)
            return names
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
        return None

    def _loose(self, chunk: Chunk, following: Chunk | None) -> list[str]:
        """Whom a noun without a picture may mean: "the toy", after a ball."""
        if chunk.words[0] not in words.DEFINITE:
            return []
        noun = chunk.words[-1]
        single = next((s for s in singulars(noun) if s in kinds.SORTS), noun)
        mention = Mention(
            said=single, plural=single != noun, qualities=kinds.qualities(chunk.words[1:-1])
        )
        return self.cast.of_sort(mention, 0, self._slot(following))

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
        if self._says_the_way(verb, following):
            return
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
            self.acts.append(f"{enumerated(subjects) or 'somebody'}: {' '.join(chunk.words)}")
        if chunk.value == "passive":
            self.event.objects = subjects
            self.event.subjects = []
            self.pending, self.pending_kind = "agent", "agent"
        if chunk.value == "undergone":
            self.event.objects, self.event.subjects = subjects, []
        if previous is None and not self.subjects and subjects:
            self.subjects = subjects
        self.out.events.append(self.event)
        self.group, self.slot, self.fresh = [], "", False
        self.pending = self.pending if chunk.value == "passive" else ""

    def _says_the_way(self, verb: Verb, following: Chunk | None) -> bool:
        """Whether a participle only says which way: "passes a dog, going from left to right"."""
        event = self.event
        return (
            event is not None
            and verb.form == "ing"
            and verb.lemma in ("go", "move", "head", "come", "travel")
            and event.verb.action in _MOVING
            and not self.group
            and following is not None
            and following.kind in ("across", "heading", "goal", "from spot")
        )

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
        self.acts.append(f"{enumerated(self.group)}: {chunk.text}")
        self.event = Event(Verb(chunk.text, "act", "s", 1), list(self.group))
        self.group, self.slot = [], ""

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
        join_sides(self.out)
        for event in self.out.events:
            if event.goals or event.across:
                for name in self.loosely.intersection(event.subjects):
                    self.out.when.pop(name, None)  # it says when it is where, not when it is there
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


def _called(chunk: Chunk) -> str:
    """The proper name in "Mittens the cat" and in "a cat named Mittens"."""
    for before, word in itertools.pairwise(chunk.words):
        if before in ("named", "called"):
            return word
    return chunk.alias
