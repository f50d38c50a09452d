"""Which entities and backgrounds are the same across scenes.

Enters: scenes, or a story as it is told. Leaves: groups, by exact match of the name as in the
paper (VideoDirectorGPT, section 3.1), and the identity each name has in each scene. The image
embedding of an identity is made once and used in all its scenes: that is what keeps one cat the
same cat.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vdjax.plan.vocabulary import EntityWord

if TYPE_CHECKING:
    from vdjax.plan.schema import Scene, VideoPlan


def exact_groups(scenes: Sequence[Scene]) -> dict[str, tuple[int, ...]]:
    """The numbers (from 1) of the scenes in which each entity and background is."""
    groups: dict[str, list[int]] = {}
    for number, scene in enumerate(scenes, 1):
        for name in (*scene.entities, scene.background):
            groups.setdefault(name, []).append(number)
    return {name: tuple(numbers) for name, numbers in groups.items()}


def identities(plan: VideoPlan) -> dict[tuple[int, str], str]:
    """The identity of every name in every scene: {(scene number, name): identity}.

    Two places share an identity exactly when they must look the same. Within its group a name is
    its own identity; a scene left out of the group has an identity of its own, "cat in scene 3".
    """
    found = {}
    for number, scene in enumerate(plan.scenes, 1):
        for name in (*scene.entities, scene.background):
            shared = number in plan.groups.get(name, ())
            found[number, name] = name if shared else f"{name} in scene {number}"
    return found


@dataclass
class Seen:
    """A thing of the story: its name, its kind, and where it was last spoken of."""

    name: str
    word: EntityWord
    scene: int
    order: int
    leading: bool


class Cast:
    """Who has been in the story so far: gives names to things, and persons to pronouns.

    Exact names are the paper's whole rule. A story in plain English also says "it", "they", "the
    other cat"; this resolves them by simple rules: what was spoken of last, in the leading part,
    and of a kind that the verb fits.
    """

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.scene = 0
        self._order = 0
        self._claimed: set[str] = set()
        self._said: dict[str, set[str]] = {}

    def next_scene(self) -> None:
        """Go on to the next scene."""
        self.scene += 1
        self._claimed = set()

    def note(self, name: str, word: EntityWord, leading: bool) -> None:
        """Remember that `name` was spoken of in this scene, perhaps in the leading part."""
        self._order += 1
        before = self.seen.get(name)
        here = before is not None and before.scene == self.scene
        leading = leading or (here and before is not None and before.leading)
        self.seen[name] = Seen(name, word, self.scene, self._order, leading)

    def present(self, scene: int | None = None) -> list[Seen]:
        """Everybody last seen in a scene (this one by default), by their last mention."""
        number = self.scene if scene is None else scene
        return sorted((s for s in self.seen.values() if s.scene == number), key=lambda s: s.order)

    def names(self, word: EntityWord, count: int, mention: Mention) -> list[str]:
        """The names for `count` things of a kind, known ones or new ones."""
        known = [s for s in self.seen.values() if s.word.name == word.name]
        known.sort(key=lambda s: s.name != word.name and int(s.name.rsplit(" ", 1)[1]))
        here = [s.name for s in known if s.scene == self.scene]
        latest = max((s.scene for s in known), default=-1)
        last = [s.name for s in known if s.scene == latest]
        said_so = [s.name for s in known if mention.said in self._said.get(s.name, ())]
        if mention.definite and said_so and not mention.plural:
            last = said_so  # "the puppy", when there is a dog as well
        if mention.partial and len(last) > 1:  # "one of the cats", "one cat" after "two cats"
            free = [name for name in last if name not in self._claimed] or last
            self._claimed.update(free[:count])
            return free[:count]
        if mention.other:
            free = [name for name in last if name not in self._claimed]
            claimed = [name for name in last if name in self._claimed]
            if free and claimed:
                self._claimed.update(free[:count])
                return free[:count]
            return self._new(word, count, {s.name for s in known})
        if mention.definite and last:
            if count in (0, len(last)):
                chosen = last if mention.plural else self._latest(last)
            elif count < len(last):
                chosen = last[:count]
            else:
                chosen = last + self._new(word, count - len(last), {s.name for s in known})
        elif count == 0 and mention.plural and len(last) > 1:
            chosen = last
        else:
            stranger = not mention.definite and known and not said_so
            taken = {s.name for s in known} if stranger else set(here)
            chosen = self._new(word, count or (2 if mention.plural else 1), taken)
        self._claimed.update(chosen)
        for name in chosen:
            self._said.setdefault(name, set()).add(mention.said)
        return chosen

    def _latest(self, names: list[str]) -> list[str]:
        return [max(names, key=lambda name: self.seen[name].order)]

    @staticmethod
    def _new(word: EntityWord, count: int, taken: set[str]) -> list[str]:
        free = (f"{word.name} {n}" if n > 1 else word.name for n in itertools.count(1))
        return list(itertools.islice((name for name in free if name not in taken), count))

    def who(self, pronoun: str, action: str, subjects: Sequence[str], as_object: bool) -> list[str]:
        """The names a pronoun stands for; none if nobody fits.

        `action` is the motion of the verb, `subjects` those of the clause so far, and `as_object`
        says that the pronoun comes after the verb.
        """
        if pronoun == "they":
            return self._several(subjects if as_object else ())
        outside = subjects if as_object or pronoun == "other" else ()
        pool = [
            s for s in self.seen.values() if s.scene >= self.scene - 1 and s.name not in outside
        ]
        if not pool:
            pool = [s for s in self.seen.values() if s.name not in outside]
        if pronoun == "other" and subjects:
            kind = self.seen[subjects[0]].word.name if subjects[0] in self.seen else ""
            same = [s for s in pool if s.word.name == kind]
            pool = same or pool
        if not pool:
            return []
        best = max(pool, key=lambda s: (self._fit(s, pronoun, action, as_object), s.order))
        return [best.name] if self._fit(best, pronoun, action, as_object) > -5 else []

    def _fit(self, seen: Seen, pronoun: str, action: str, as_object: bool) -> float:
        word = seen.word
        score = 3.0 * seen.leading + (2.0 if word.category == "animal" else 0.0)
        score -= 3.0 * (self.scene - seen.scene)
        if pronoun in ("he", "she"):
            gender = _GENDER.get(word.name)
            score += 5 if gender == pronoun else 3 if word.category in ("person", "animal") else -8
            score -= 6 if gender not in (None, pronoun) else 0
        elif pronoun == "it":
            score -= 4 if word.category == "person" else 0
        if action in ("fly", "rise") and word.place == "sky":
            score += 4
        if action == "mount" and word.category == "vehicle":
            score += 3
        if action in ("bounce", "throw") and word.name == "ball":
            score += 3
        if not as_object and (_RESTING.get(word.name) or word.category == "food"):
            score -= 3  # houses and trees seldom do anything
        return score

    def _several(self, outside: Sequence[str]) -> list[str]:
        """Whom "they" means: the living of this scene so far, else of the scenes before."""
        found: list[str] = []
        for number in range(self.scene, -1, -1):
            present = [s for s in self.present(number) if s.name not in outside]
            living = [s.name for s in present if s.word.category in ("animal", "person")]
            found = [*living, *found] if number < self.scene or len(living) > 1 else found
            if len(found) > 1:
                return found
        for number in range(self.scene, -1, -1):
            moving = [s.name for s in self.present(number) if not _RESTING.get(s.word.name)]
            if len(moving) > 1:
                return moving
        return found


@dataclass(frozen=True, kw_only=True)
class Mention:
    """How a noun was said: the word itself, with "the", "another", "one of the", in the plural."""

    said: str = ""
    definite: bool = False
    other: bool = False
    partial: bool = False
    plural: bool = False


_GENDER = {
    "boy": "he", "police officer": "he", "snowman": "he", "girl": "she", "princess": "she",
    "dancer": "she",
}  # fmt: skip
_RESTING = dict.fromkeys(("palm tree", "tree", "house", "castle", "sunflower", "mushroom"), True)
