"""What a prompt asks of its plan, as data, and the desk at which such prompts are written.

A seed and a task enter; names, places and sentence forms leave, each about equally often, so that
any hundred prompts are varied. The prompts are our own English in the storybook's world of 64
names; of LVD's and VPEval's prompts only the questions are taken.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vdjax.data.storybook.captions import PLACES
from vdjax.errors import UserError
from vdjax.plan.vocabulary import EntityWord, Vocabulary

WORDS = Vocabulary.storybook().entities
NAMES = tuple(WORDS)
COUNTS = ("no", "one", "two", "three", "four")
MOST_PROMPTS = 1000
_PLACED = 0.3
"""Share of the prompts that also name a place."""
_TRIES = 50

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One prompt and what its plan must show. `things` are names of the vocabulary.

    numeracy, count      `number` of the one thing
    attribution          both things (twice the same: two of it), described by `words`
    visibility           `relation` "appears" or "disappears"
    dynamic spatial      the first thing ends on the side `relation`, "left" or "right": of the
                         frame, or of the second thing
    sequential           the thing is in three `corners`, one after the other
    object               the thing is there
    spatial, scale       `relation` says how the second thing lies to the first, or compares with it
    direction            the thing moves "left", "right", "up" or "down"
    """

    task: str
    prompt: str
    things: tuple[str, ...]
    number: int = 1
    relation: str = ""
    words: tuple[str, ...] = ()
    corners: tuple[str, ...] = ()


class Desk:
    """Names, places and sentence forms for the prompts of one task, from one seed."""

    def __init__(self, task: str, seed: int) -> None:
        self.rng = random.Random(f"{task}/{seed}")
        self._piles: dict[str, list[object]] = {}

    def turn(self, pile: str, choices: Sequence[T]) -> T:
        """One of `choices`; each comes up once before any comes up again."""
        left = self._piles.setdefault(pile, [])
        if not left:
            left += self.rng.sample(list(choices), len(choices))
        return left.pop()  # type: ignore[return-value]

    def name(self) -> str:
        """One of the 64 names."""
        return self.turn("name", NAMES)

    def pair(self) -> tuple[str, str]:
        """Two different names."""
        first, second = self.name(), self.name()
        while second == first:
            second = self.name()
        return first, second

    def sentence(self, form: str, **fields: str) -> str:
        """A form filled in, sometimes with a place, as a sentence.

        "{at}" in the form marks where a place may stand; without it, the place comes first.
        """
        place = ""
        if self.rng.random() < _PLACED:
            place = self.rng.choice(PLACES[self.turn("place", tuple(PLACES))])
        text = form.format(at=f" {place}" if place else "", **fields)
        if place and "{at}" not in form:
            text = f"{place}, {text}"
        if ". " in text or self.rng.random() < 0.5:
            text += "."
        return ". ".join(part[0].upper() + part[1:] for part in text.split(". "))


def a(words: str) -> str:
    """The words with the indefinite article."""
    return ("an " if words[0] in "aeiou" else "a ") + words


def many(name: str, number: int) -> str:
    """ "one cat", "three cats"."""
    return f"{COUNTS[number]} {plural(name) if number > 1 else name}"


def plural(name: str) -> str:
    """Several of it."""
    return WORDS[name].plural


def pronouns(name: str) -> tuple[str, str, str]:
    """ "it", "its" and the "it" that comes after a verb, for a thing or a person."""
    if name in ("boy", "police officer", "snowman"):
        return "he", "his", "him"
    return ("she", "her", "her") if name in ("girl", "princess", "dancer") else ("it", "its", "it")


def goes(desk: Desk, name: str) -> str:
    """A verb for how a thing moves along, in the third person singular."""
    word = WORDS[name]
    return desk.rng.choice((*_verbs(word), "moves"))


def _verbs(word: EntityWord) -> tuple[str, ...]:
    if word.name == "balloon":
        return ("floats", "drifts")
    if word.place == "sky":
        return ("flies", "flies")
    if word.name == "sailboat":
        return ("sails", "glides")
    if word.place == "water":
        return ("swims", "glides")
    if word.name == "ball":
        return ("rolls", "rolls")
    if word.category == "vehicle":
        return ("rolls", "goes") if word.name in ("bicycle", "motorcycle") else ("drives", "rolls")
    if word.category in ("person", "animal"):
        return ("walks", "runs", "wanders")
    return ("slides", "glides")


def written(
    task: str, count: int, seed: int, write: Callable[[Desk], Ask], most: int = MOST_PROMPTS
) -> tuple[Ask, ...]:
    """`count` different prompts of a task; the first of them are the same for a larger count.

    Raises `UserError` unless `count` is from 1 to `most` and `seed` a whole number.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= most:
        raise UserError(f"{count!r} prompts asked for; there can be 1 to {most} for each task")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UserError(f"seed is {seed!r}; it must be a whole number")
    desk = Desk(task, seed)
    found: dict[str, Ask] = {}
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        ask = write(desk)
        found.setdefault(ask.prompt, ask)
    return tuple(found.values())
