"""Who is meant: pronouns and variants of a name become one entity over the scenes.

Enters: the names that the scenes of a story use, with the sentences they stand in. Leaves: for
every mention the name by which the plan lists the entity. The paper groups by exact match alone
(VideoDirectorGPT, section 3.1) and leaves it to the language model to repeat its names; here "the
cat", "it", "Mittens the cat", "a fluffy cat" and "Mittens" are one cat. `rules` reads its own
sentences with the same `Cast`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vdjax.plan.cast import Cast, Mention, Slot
from vdjax.plan.english import kinds, words
from vdjax.plan.english.lexicon import Lexicon, singulars
from vdjax.plan.english.telling import Place, places
from vdjax.plan.problems import PlanError
from vdjax.plan.schema import base_name
from vdjax.plan.vocabulary import Vocabulary

_NAMED = re.compile(r"^(?P<noun>.+?),? (?:named|called) (?P<names>.+)$", re.IGNORECASE)
_TITLED = re.compile(r"^(?P<names>[A-Z][\w'-]*(?: [A-Z][\w'-]*)*),? (?:the|a|an) (?P<noun>.+)$")
_APPOSED = re.compile(
    r"^(?P<noun>(?:(?i:a|an|the|his|her|their|my|our|its) )[^A-Z]*[a-z]),? (?P<names>[A-Z][\w'-]*)$"
)
_COMPANY = re.compile(
    r"^(?:(?:both|all(?P<all> \w+)?)(?: of them)?|the (?P<the>two|three|four|five)(?: of them)?|"
    r"the (?:(?P<some>two|three|four|five) )?(?P<who>friends|group|couple|pair|trio|gang))$"
)


def resolve(mentions: Sequence[Sequence[str]], sentences: Sequence[str] = ()) -> list[list[str]]:
    """The name of the entity that every mention means, scene by scene.

    Args:
        mentions: per scene, the names it uses: "a fluffy cat", "it", "Mittens", "the other dog".
        sentences: per scene, the text the mentions stand in; it tells which of two candidates
            fits. Left out, names are taken as a list, in which an article says little.

    Returns:
        Per scene and mention the name for the plan: the first full words for it, without article
        or proper name; the second of a kind is "cat 2". Several entities are joined by " and ".
        What nobody in the story fits keeps its words.

    Raises:
        PlanError: `sentences` are given, but not one for each scene.
    """
    return [[" and ".join(names) for names in scene] for scene in meant(mentions, sentences)]


def meant(
    mentions: Sequence[Sequence[str]],
    sentences: Sequence[str] = (),
    vocabulary: Vocabulary | None = None,
) -> list[list[tuple[str, ...]]]:
    """As `resolve`, with the several names of "they" apart.

    With a vocabulary, its names are used: "a fluffy kitten" is "cat".
    """
    if sentences and len(sentences) != len(mentions):
        raise PlanError(
            f"{len(sentences)} sentences for {len(mentions)} scenes; give one for each or none"
        )
    story = _Story()
    found = []
    for at, names in enumerate(mentions):
        found.append(story.scene(names, sentences[at] if sentences else ""))
    shown = story.shown(vocabulary)
    return [[tuple(shown.get(name, name) for name in names) for names in row] for row in found]


@dataclass(frozen=True)
class _Thing:
    """A kind that may have no picture. See `kinds.Kind`."""

    name: str
    category: str
    place: str = "any"


@dataclass
class _Names:
    """What an entity may be listed as: by the first words for it, or by its picture's name."""

    words: str = ""
    picture: str = ""


@dataclass
class _Story:
    """The cast of a story, and how its members are to be listed."""

    cast: Cast = field(default_factory=Cast)
    lexicon: Lexicon = field(default_factory=Lexicon.storybook)
    listed: dict[str, _Names] = field(default_factory=dict)

    def scene(self, mentions: Sequence[str], sentence: str) -> list[tuple[str, ...]]:
        """Read one scene: the inner names of every mention."""
        standing = places(mentions, sentence, self.lexicon)
        clauses: dict[int, list[str]] = {}
        found: list[tuple[str, ...]] = []
        breath: list[str] = []
        for said, place in zip(mentions, standing, strict=True):
            beside = clauses.setdefault(place.clause, []) if place.found else []
            if place.onward:
                del beside[1:]  # whoever does it, but not what it was done to before
            slot = Slot(
                verbs=place.verbs,
                preposition=place.preposition,
                beside=tuple(beside),
                as_object=place.as_object,
            )
            if not place.found and not said.lower().startswith("the "):
                # In a list of names, each is somebody else.
                slot = replace(slot, beside=tuple(n for row in found for n in row))
            names = self._mention(" ".join(said.split()), place, slot)
            beside += names
            for name in names:
                seen = self.cast.seen.get(name)
                if seen is not None:
                    self.cast.note(name, seen.word, leading=place.found and not place.as_object)
            breath = [*breath, *names] if place.joined else list(names)
            self.cast.together(breath)
            found.append(tuple(names))
        self.cast.next_scene()
        return found

    def _mention(self, said: str, place: Place, slot: Slot) -> list[str]:
        lower = said.lower()
        if pronoun := _pronoun(lower):
            return self._who(pronoun, lower, slot) or [said]
        if self.cast.named(lower):
            return [self.cast.named(lower)]
        if base_name(lower) != lower and lower in self.cast.seen:
            return [lower]
        noun, called = _proper(said)
        if len(called) > 1:
            rest = self._noun(noun, place, slot, "", len(called))
            for name, alias in zip(rest, called, strict=False):
                self.cast.call(name, alias.lower())
            return rest
        if not noun:
            return self._noun(said, place, slot, lower, 1)
        return self._noun(noun, place, slot, called[0].lower() if called else "", 0)

    def _who(self, pronoun: str, said: str, slot: Slot) -> list[str]:
        if pronoun in ("self", "each other"):
            return list(slot.beside)
        company = _COMPANY.match(said)
        if company is None:
            return self.cast.who(pronoun, slot)
        number = (company["all"] or company["the"] or company["some"] or "").strip()
        return self.cast.who(
            "they", slot, 2 if said.startswith("both") else words.NUMBERS.get(number, 0)
        )

    def _noun(self, said: str, place: Place, slot: Slot, called: str, count: int) -> list[str]:
        phrase = _Phrase(f"{place.article} {said}".strip(), self.lexicon)
        loose = not place.found and not phrase.other
        if called == said.lower():  # "Anna": a name and nothing else
            thing: kinds.Kind = _Thing(said, "person")
        elif phrase.picture and phrase.head not in kinds.COUSINS:
            thing = self.lexicon.entities[phrase.picture]
        else:
            thing = _Thing(phrase.head, _category(phrase, self.lexicon))
        mention = Mention(
            said=phrase.head,
            definite=phrase.definite or loose,
            other=phrase.other,
            partial=phrase.partial,
            plural=phrase.plural,
            ordinal=phrase.ordinal,
            called=called,
            qualities=phrase.qualities,
        )
        names = self.cast.names(thing, count or phrase.count, mention, slot)
        if phrase.numbered:
            self.cast.call(names[0], said.lower())
        for name in names:
            self.listed.setdefault(name, _Names(phrase.listed, phrase.picture))
        return names

    def shown(self, vocabulary: Vocabulary | None) -> dict[str, str]:
        """The name in the plan for every inner name."""
        shown: dict[str, str] = {}
        for inner, names in self.listed.items():
            known = vocabulary is not None and names.picture in vocabulary.entities
            base = names.picture if known else names.words
            free = (base if n == 1 else f"{base} {n}" for n in range(1, len(self.listed) + 2))
            shown[inner] = next(name for name in free if name not in shown.values())
        return shown


class _Phrase:
    """A noun phrase, taken apart: "the other two black cats"."""

    def __init__(self, said: str, lexicon: Lexicon) -> None:
        base = base_name(said)
        self.numbered = base != said  # "cat 2": another one than "cat", and always this one
        tokens = re.sub(r"['’]s\b", " 's", base).split()
        if "'s" in tokens[:-1]:  # "the wizard's hat"
            tokens = ["the", *tokens[tokens.index("'s") + 1 :]]
        for at, token in enumerate(tokens):  # "a cat with a hat"
            if at and token.lower() in ("with", "in", "on", "that", "who", "which", "from"):
                tokens = tokens[:at]
                break
        lower = [token.lower() for token in tokens]
        start = 0
        while start < len(lower) - 1 and (
            lower[start] in words.DETERMINERS | {"of", "other", "more"}
            or lower[start] in words.NUMBERS
            or lower[start] in kinds.ORDINALS
        ):
            start += 1
        front, rest = lower[:start], lower[start:]
        at, noun = len(rest) - 1, None
        for first in range(len(rest)):
            noun = lexicon.noun(tuple(rest[first:]))
            if noun is not None and noun.length == len(rest) - first:
                at = first
                break
            noun = None
        self.picture = noun.name if noun is not None and not noun.place else ""
        self.head = noun.said if noun is not None else " ".join(rest[at:])
        self.plural = noun is not None and noun.plural
        if noun is None and (single := _single(self.head)):
            self.head, self.plural = single, True
        self.qualities = kinds.qualities(rest[:at])
        numbers = [words.NUMBERS[token] for token in front if token in words.NUMBERS]
        self.count = numbers[0] if numbers else 1 if set(front) & {"a", "an", "another"} else 0
        self.definite = bool(set(front) & words.DEFINITE) or front[:1] in (["both"], ["all"])
        self.other = self.numbered or bool(set(front) & {"other", "another", "more"})
        self.partial = self.count == 1 and front[:1] == ["one"]
        self.ordinal = kinds.ordinal(front)
        if self.count == 0 and self.plural and not self.definite:
            self.count = 2
        if self.plural and front[:1] == ["both"]:
            self.count = 2
        # As it was written, so that a name that a model made up stays the name it made up.
        if self.plural:
            tokens = [*tokens[: start + at], self.head]
        self.listed = said if self.numbered else " ".join(tokens[start:]) or said


def _pronoun(said: str) -> str:
    """What kind of pronoun this is, see `Cast.who`; empty for a noun."""
    if said in ("one of them", "the others", "others"):
        return "one" if said.startswith("one") else "others"
    return "they" if _COMPANY.match(said) else words.PRONOUNS.get(said, "")


def _single(word: str) -> str:
    """What a word without a picture is the plural of; empty if it is none that is known."""
    for single in singulars(word):
        if (
            single in kinds.SORTS
            or single in words.UNDRAWABLE
            or kinds.category(single) != "object"
        ):
            return single
    return ""


def _category(phrase: _Phrase, lexicon: Lexicon) -> str:
    if phrase.picture:
        return lexicon.entities[phrase.picture].category
    return kinds.category(phrase.head)


def _proper(said: str) -> tuple[str, list[str]]:
    """The noun phrase and the proper names in "Mittens the cat"; no noun for "Mittens"."""
    for pattern in (_NAMED, _TITLED, _APPOSED):
        match = pattern.match(said)
        if match:
            noun = match["noun"]
            names = re.split(r",? and |, ", match["names"])
            return (f"the {noun}" if pattern is _TITLED else noun), names
    if said[:1].isupper() and len(said.split()) == 1:
        lower = said.lower()
        lexicon = Lexicon.storybook()
        if lexicon.noun((lower,)) is None and not lexicon.known(lower):
            return "", [said]
    return said, []
