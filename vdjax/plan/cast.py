"""Who has been in a story so far: gives names to things, and persons to pronouns.

Exact names are the paper's whole rule (VideoDirectorGPT, section 3.1). A story in plain English
also says "it", "they", "the other cat", "the animal", "Mittens"; a `Cast` resolves them by what was
spoken of last and in which part, what the words can stand for (`english.kinds`), and what fits the
verb. `rules` asks it chunk by chunk, `resolve` mention by mention: there is no second place that
knows pronouns.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from vdjax.plan.english import kinds
from vdjax.plan.english.kinds import Kind

MOST = 20
"""Things of one kind that are told apart; "a thousand cats" fill any frame as well as these."""
_SCENE_AGO = 2.5
_LEADING = 1.5
_FITS = 3.0
_NEVER = 20.0
"""Weights of a pronoun's candidates, set by hand on the open half of the stories in
`vdjax/evaluate/planning_stories.json`: a verb that fits outweighs the leading part, a scene that
lies between outweighs it too, and the wrong gender outweighs all."""


@dataclass
class Seen:
    """A thing of the story: its name and kind, when it was last spoken of, and how it was said."""

    name: str
    word: Kind
    scene: int
    order: int = -1
    leading: bool = False
    gender: str = ""
    said: set[str] = field(default_factory=set)
    qualities: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Mention:
    """How a noun was said: the word itself, with "the", "another", "one of the", in the plural.

    `ordinal` is 2 for "the second", `called` a proper name ("mittens").
    """

    said: str = ""
    definite: bool = False
    other: bool = False
    partial: bool = False
    plural: bool = False
    ordinal: int = 0
    called: str = ""
    qualities: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Where a mention stands in its clause.

    `verbs` are the verb's lemma and motion, `preposition` the one right before the mention,
    `beside` the names that the clause speaks of already, `as_object` whether the verb is past.
    """

    verbs: tuple[str, ...] = ()
    preposition: str = ""
    beside: Sequence[str] = ()
    as_object: bool = False


class Cast:
    """The things of one story, scene by scene."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.scene = 0
        self._order = 0
        self._claimed: set[str] = set()
        self._called: dict[str, str] = {}
        self._group: tuple[str, ...] = ()

    def next_scene(self) -> None:
        """Go on to the next scene."""
        self.scene += 1
        self._claimed = set()

    def note(self, name: str, word: Kind, leading: bool) -> None:
        """Remember that `name` was spoken of in this scene, perhaps in the leading part."""
        self._order += 1
        seen = self.seen.setdefault(name, Seen(name, word, self.scene))
        seen.leading = leading or (seen.leading and seen.scene == self.scene)
        seen.scene, seen.order = self.scene, self._order

    def together(self, names: Sequence[str]) -> None:
        """Remember that these were spoken of in one breath: "a cat and a dog"."""
        if len(set(names)) > 1:
            self._group = tuple(dict.fromkeys(names))

    # Nouns

    def names(self, word: Kind, count: int, mention: Mention, slot: Slot = Slot()) -> list[str]:
        """The names for `count` things of a kind (0: not said), known ones or new ones."""
        chosen = self._chosen(word, min(count, MOST), mention, slot)
        self._claimed.update(chosen)
        for name in chosen:
            seen = self.seen.setdefault(name, Seen(name, word, self.scene))
            seen.said.add(mention.said)
            seen.gender = seen.gender or kinds.gender(seen.word, seen.said)
            if len(chosen) == 1:
                seen.qualities |= mention.qualities
                if mention.called:
                    self.call(name, mention.called)
        self.together(chosen)
        return chosen

    def named(self, called: str) -> str:
        """The name of the thing with this proper name; empty if nobody has it."""
        return self._called.get(called, "")

    def call(self, name: str, called: str) -> None:
        """Remember a proper name of somebody."""
        self._called[called] = name

    def _chosen(self, word: Kind, count: int, mention: Mention, slot: Slot) -> list[str]:
        known = [s for s in self.seen.values() if s.word.name == word.name]
        taken = {s.name for s in known}
        if mention.called:
            if self.named(mention.called):
                return [self.named(mention.called)]
            known = [s for s in known if s.name not in self._called.values()]
        said_so = any(mention.said in s.said for s in known)
        if mention.definite and not said_so and not mention.called:
            sort = self.of_sort(mention, count, slot)
            if sort:
                return sort
        if mention.definite and mention.ordinal and len(known) > 1:
            return [known[min(mention.ordinal, len(known)) - 1].name]
        latest = max((s.scene for s in known), default=-1)
        last = [s.name for s in known if s.scene == latest]
        if mention.partial and len(last) > 1:  # "one of the cats", "one cat" after "two cats"
            return ([name for name in last if name not in self._claimed] or last)[:count]
        if mention.other or (mention.ordinal and not mention.definite):
            return self._others(known, last, mention)[: count or None] or _new(
                word, max(count, 1), taken
            )
        if mention.definite:
            free = [s for s in known if s.name not in slot.beside]
            chosen = self._same(free, count, mention)
            missing = max(count - len(chosen), 0) if chosen or count else 2 - (not mention.plural)
            return chosen + _new(word, missing, taken) if missing else chosen
        if count == 0 and mention.plural and len(last) > 1:
            return last
        again = [s.name for s in known if self._again(s, mention)]
        if again and not mention.plural:
            return again[:1]
        here = {s.name for s in known if s.scene == self.scene}
        stranger = mention.qualities or mention.called or not said_so
        return _new(word, count or (2 if mention.plural else 1), taken if stranger else here)

    def _again(self, seen: Seen, mention: Mention) -> bool:
        """ "A big cat" of an earlier scene, said in the same words: the paper's exact match."""
        same = mention.said in seen.said and mention.qualities == seen.qualities
        return same and bool(mention.qualities) and seen.scene < self.scene and not mention.called

    def _others(self, known: Sequence[Seen], last: Sequence[str], mention: Mention) -> list[str]:
        """ "The other cats"; nobody if there is none, or "another" is a new one."""
        claimed = [name for name in last if name in self._claimed]
        free = [name for name in last if name not in self._claimed]
        if free and claimed:
            return free if mention.plural or not mention.definite else free[:1]
        if not mention.definite:
            return []
        focus = max(known, key=lambda s: (s.leading, s.order), default=None)
        rest = [s for s in known if s is not focus]
        rest.sort(key=lambda s: -s.order)
        return [s.name for s in rest] if mention.plural else [s.name for s in rest[:1]]

    def _same(self, known: Sequence[Seen], count: int, mention: Mention) -> list[str]:
        """The known ones of which "the cat", "the black cat", "the two cats" speaks."""
        pool = [s for s in known if not kinds.clash(s.qualities, mention.qualities)]
        if mention.plural:
            return self._gathered(pool, count)
        for test in (
            lambda s: bool(mention.qualities) and mention.qualities <= s.qualities,
            lambda s: mention.said in s.said,
        ):
            pool = [s for s in pool if test(s)] or pool
        pool.sort(key=lambda s: -s.order)
        return [s.name for s in pool[: max(count, 1)]]

    def _gathered(self, pool: Sequence[Seen], count: int) -> list[str]:
        """Several, from the latest scene backwards: as many as were said, or at least two."""
        wanted = count or 2
        found: list[Seen] = []
        for number in range(self.scene, -1, -1):
            found = [*(s for s in pool if s.scene == number), *found]
            if len(found) >= wanted:
                break
        found.sort(key=list(pool).index)
        return [s.name for s in found[: count or None]]

    def of_sort(self, mention: Mention, count: int, slot: Slot = Slot()) -> list[str]:
        """Whom a loose word means ("the animal", "the vehicles", "the white one"), if anybody."""
        pool = [
            s
            for s in self.seen.values()
            if kinds.is_sort(mention.said, s.word, s.said)
            and s.name not in slot.beside
            and not kinds.clash(s.qualities, mention.qualities)
        ]
        if mention.plural:
            names = self._gathered(pool, count)
            return names if len(names) > 1 else []
        pool = [s for s in pool if mention.qualities & s.qualities] or pool
        best = max(pool, key=lambda s: s.order, default=None)
        return [best.name] if best else []

    # Pronouns

    def who(self, pronoun: str, slot: Slot, count: int = 0) -> list[str]:
        """The names a pronoun stands for; none if nobody fits.

        `pronoun` is "it", "he", "she", "they" (of which `count` may be said: "the two"), "other",
        "others" or "one" ("one of them").
        """
        if pronoun == "they":
            return self._several(slot, count)
        if pronoun in ("one", "other", "others"):
            return self._apart(pronoun, slot)
        pool = [s for s in self.seen.values() if s.name not in slot.beside]
        if not pool:
            return []
        best = max(pool, key=lambda s: (self._fit(s, pronoun, slot), s.order))
        if self._fit(best, pronoun, slot) <= -_NEVER / 2:
            return []
        if pronoun != "it":
            best.gender = best.gender or pronoun
        return [best.name]

    def _fit(self, seen: Seen, pronoun: str, slot: Slot) -> float:
        word = seen.word
        score = -_SCENE_AGO * (self.scene - seen.scene)
        if not slot.as_object:  # what comes after the verb seldom led the sentence before
            score += _LEADING * seen.leading + (word.category == "animal")
        if pronoun == "it":
            score -= _NEVER * (word.category == "person") + _LEADING * bool(seen.gender)
        elif seen.gender:
            score += 2 * _FITS if seen.gender == pronoun else -_NEVER
        else:
            score += {"person": _FITS, "animal": _FITS - 1}.get(word.category, -_NEVER)
        if slot.as_object:
            verbs = slot.verbs
            if slot.preposition:  # "throws it to it"; but "gets out" has its preposition in it
                verbs = (*(verb for verb in verbs[:1] if " " in verb), slot.preposition)
            return score + _FITS * kinds.can_be_done_to(verbs, word, seen.said)
        return score + _FITS * kinds.can_do(slot.verbs, word, seen.said)

    def _living(self, scene: int) -> list[Seen]:
        here = [s for s in self.seen.values() if s.scene == scene]
        here.sort(key=lambda s: s.order)
        return [s for s in here if s.word.category in ("animal", "person")]

    def _several(self, slot: Slot, count: int) -> list[str]:
        """Whom "they" means: those last told of in one breath and who came to them since, else the
        living of this scene, else of the scenes before, else whatever moves."""
        group = [self.seen[name] for name in self._group if name in self.seen]
        group = [s for s in group if s.name not in slot.beside]
        if len(group) > 1 and count in (0, len(group)) and group[0].scene >= self.scene - 2:
            told = max(s.order for s in group)
            since = [s for n in range(self.scene + 1) for s in self._living(n) if s.order > told]
            joined = [s for s in since if s.leading and s.name not in slot.beside]
            joined = [] if count else [s for s in joined if s not in group]
            return [s.name for s in (*group, *joined)]
        found: list[str] = []
        for number in range(self.scene, -1, -1):
            living = [s.name for s in self._living(number) if s.name not in slot.beside]
            found = [*living, *found] if number < self.scene or len(living) > 1 else found
            if len(found) >= (count or 2):
                return found
        for number in range(self.scene, -1, -1):
            here = [s for s in self.seen.values() if s.scene == number]
            here.sort(key=lambda s: s.order)
            moving = [s.name for s in here if kinds.can_do((), s.word, s.said) >= 0]
            if len(moving) > 1:
                return moving
        return found

    def _apart(self, pronoun: str, slot: Slot) -> list[str]:
        """ "One of them", "the other", "the others"."""
        if pronoun == "one":
            several = self._several(slot, 0)
            chosen = [name for name in several if name not in self._claimed][:1] or several[:1]
            self._claimed.update(chosen)
            return chosen
        leading = [s for s in self.seen.values() if s.leading and s.scene >= self.scene - 1]
        focus = max(leading, key=lambda s: s.order, default=None)
        out = {*slot.beside, *([focus.name] if focus and not slot.beside else ())}
        kind = {self.seen[name].word.name for name in out if name in self.seen}
        rest = [s for s in self.seen.values() if s.name not in out]
        group = [s for s in rest if s.name in self._group and out & set(self._group)]
        same = [s for s in rest if s.word.name in kind]
        living = [s for s in rest if s.word.category in ("animal", "person")]
        pool = group or same or living or rest
        pool.sort(key=lambda s: s.order)
        return [s.name for s in (pool if pronoun == "others" else pool[-1:])]


def _new(word: Kind, count: int, taken: set[str]) -> list[str]:
    free = (f"{word.name} {n}" if n > 1 else word.name for n in itertools.count(1))
    return list(itertools.islice((name for name in free if name not in taken), count))
