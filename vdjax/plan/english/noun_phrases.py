"""Noun phrases: how many, which, of what kind, and the noun at the end.

Enters: the words of a scene, and a place among them. Leaves: a `Chunk` of a thing, a place, a
quality that stands alone, or of a noun without a picture; or nothing, where no noun phrase begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vdjax.plan.english import phrases, words
from vdjax.plan.english.chunk import Chunk
from vdjax.plan.english.lexicon import Lexicon, Noun, Verb
from vdjax.plan.english.sentences import tokens


class NounPhrases:
    """The words of one scene, read from left to right."""

    def __init__(self, text: str, lexicon: Lexicon, aliases: Mapping[str, Noun]) -> None:
        self.tokens = tuple(tokens(text))
        self.lexicon = lexicon
        self.aliases = dict(aliases)
        self.at = 0
        self.chunks: list[Chunk] = []

    def _token(self, ahead: int = 0) -> str:
        index = self.at + ahead
        return self.tokens[index] if 0 <= index < len(self.tokens) else ""

    def _rest(self, ahead: int = 0) -> tuple[str, ...]:
        return self.tokens[self.at + ahead :]

    def _before(self) -> str:
        """The kind of the chunk before, with its value for links."""
        if not self.chunks:
            return ""
        last = self.chunks[-1]
        return f"link {last.value}" if last.kind == "link" else last.kind

    def _take(self, how_many: int, /, **fields: object) -> Chunk:
        return Chunk(words=self.tokens[self.at : self.at + how_many], **fields)  # type: ignore[arg-type]

    def _told_quality(self) -> Chunk | None:
        """An adjective that stands alone: "is white", "one white", "the other is white"."""
        if self.at and self.tokens[self.at - 1] in words.COPULAS and self._lone_adjective(0):
            return self._take(1, kind="quality", text=self._token())
        index = 1 if self._token() == "one" else 2 if self._rest()[:2] == ("the", "other") else 0
        if index and self._token(index) in words.COPULAS:
            index += 1
        if index and self._lone_adjective(index):
            return self._take(index + 1, kind="one of them", qualities=(self._token(index),))
        return None

    def _lone_adjective(self, index: int) -> bool:
        fixed = phrases.match(" ".join(self._rest(index))) is not None  # "bigger than"
        lone = self.lexicon.adjective(self._token(index)) and not self._noun_ahead(index + 1)
        return lone and not fixed and self._token(index) != "equally"

    def _noun_phrase(self) -> Chunk | None:
        index, count, article = 0, 0, ""
        definite = other = partial = negated = False
        qualities: list[str] = []
        owners: list[str] = []
        doing: list[Verb] = []
        while True:
            token = self._token(index)
            after = self._token(index + 1)
            if token in words.QUANTITIES and after == "of":
                count = count or words.QUANTITIES[token]
                index += 2
            elif token == "of" and index and (count or article in ("all", "both")):
                partial = count == 1 and after in words.DEFINITE
                index += 1
            elif token in words.NUMBERS or token.isdecimal():
                if token == "one" and after == "another":
                    break
                count = words.NUMBERS[token] if token in words.NUMBERS else int(token[:4])
                index += 1
                if self._token(index) == "more":
                    other, index = True, index + 1
            elif token in words.QUANTITIES and self._plural_ahead(index + 1):
                count = words.QUANTITIES[token]
                index += 1
            elif token in words.DETERMINERS and token:
                if token == "her" and not self._noun_ahead(index + 1):
                    break
                if token == "both" and article == "":
                    count = count or 2
                definite = definite or token in words.DEFINITE
                other = other or token == "another" or after in ("other", "second")
                negated = negated or token == "no"
                article = article or token
                count = (
                    1 if token in ("a", "an", "each", "every", "another") and not count else count
                )
                index += 1
            elif token in ("other", "second", "third", "first", "last") and article:
                other = other or token not in ("first", "last")
                index += 1
            else:
                break
        started = index > 0
        for _ in range(8):
            token = self._token(index)
            noun = self.lexicon.noun(self._rest(index))
            if not token or token == ",":
                break
            if noun is not None and noun.length > 1:
                break
            if " ".join(self._rest(index)[:2]) in words.UNDRAWABLE:
                break
            if token == "equally":
                qualities.append(token)
                index += 1
            elif (
                (token in ("much", "far", "even") and self._token(index + 1) in words.COMPARED)
                or token in ("very", "really", "so", "quite", "super", "extremely", "bit")
                or (token.endswith("ly") and started and noun is None and self._token(index + 1))
            ):
                index += 1
            elif self.lexicon.adjective(token) and self._noun_ahead(index + 1):
                qualities.append(token)
                index += 1
            elif (
                noun is None
                and started
                and (verb := self.lexicon.verb((token,))) is not None
                and verb.form in ("ing", "ed")
                and self._noun_ahead(index + 1)
            ):
                doing.append(verb)
                index += 1
            elif token == "and" and qualities and self.lexicon.adjective(self._token(index + 1)):
                index += 1
            elif (
                noun is None
                and started
                and not self.lexicon.known(token)
                and self._noun_ahead(index + 1, unknown=False)
            ):
                qualities.append(token)  # an unknown word before a known noun: "a Persian cat"
                index += 1
            else:
                break
        shape = {
            "count": count,
            "definite": definite,
            "article": article,
            "other": other,
            "partial": partial,
            "negated": negated,
        }
        return self._head(index, started, shape, qualities, owners, doing)

    def _head(
        self,
        index: int,
        started: bool,
        shape: dict[str, object],
        qualities: list[str],
        owners: list[str],
        doing: list[Verb],
    ) -> Chunk | None:
        """The noun at the end of a phrase whose first `index` words are read."""
        token = self._token(index)
        noun = self.lexicon.noun(self._rest(index)) if token else None
        if token in self.aliases and (noun is None or (noun.place and not index)):
            noun = replace(self.aliases[token], length=1)
            shape = {**shape, "definite": True, "alias": token}
        if noun is None and token and self._is_name(index, started):
            inner = self.lexicon.noun(self._rest(index + 2))
            if inner is not None:  # "Mittens the cat"
                self.aliases[token] = inner
                shape = {**shape, "alias": token, "definite": True}
                index, noun = index + 2, inner
        verbal = not started and token.endswith(("es", "ed", "ing"))
        if noun is None and token and not verbal and not self.lexicon.undrawable(token):
            noun = self.lexicon.misspelled(token)
        if noun is None and qualities and not started:
            return None
        if noun is None:
            return self._undrawable(index, started, qualities)
        index += noun.length
        if self._token(index) == "'s":
            following = self.lexicon.verb(self._rest(index + 1))
            if following is None and self._token(index + 1):
                owners.append(noun.said)  # "the boy's dog": only the dog is meant
                return self._owned(index + 1, shape, owners)
        following_noun = self.lexicon.noun(self._rest(index))
        if following_noun is not None and following_noun.place and not noun.place:
            following_noun = None  # "an octopus underwater"
        if following_noun is not None and not noun.plural and self._compound(index):
            if noun.place:
                self.chunks.append(Chunk(kind="place", words=(), noun=noun))
            else:
                qualities = [*qualities, noun.said]
            return self._head(index, True, shape, qualities, owners, doing)
        if (
            not noun.plural
            and self.lexicon.undrawable(self._token(index))
            and self._compound(index)
            and self.lexicon.verb((self._token(index),)) is None
        ):
            if noun.place:
                self.chunks.append(Chunk(kind="place", words=(), noun=noun))
            return self._undrawable(index, True, [noun.said])
        if self._token(index) in ("named", "called") and self._token(index + 1):
            self.aliases[self._token(index + 1)] = noun
            index += 2
        kind = "place" if noun.place else "thing"
        return self._take(
            index,
            kind=kind,
            noun=noun,
            qualities=tuple(qualities),
            owners=tuple(owners),
            doing=tuple(doing),
            **shape,
        )

    def _owned(self, index: int, shape: dict[str, object], owners: list[str]) -> Chunk | None:
        qualities = []
        while self.lexicon.adjective(self._token(index)) and self._noun_ahead(index + 1):
            qualities.append(self._token(index))
            index += 1
        return self._head(index, True, {**shape, "definite": True}, qualities, owners, [])

    def _is_name(self, index: int, started: bool) -> bool:
        token = self._token(index)
        return not started and self._token(index + 1) == "the" and not self.lexicon.known(token)

    def _compound(self, index: int) -> bool:
        """Whether the noun at `index` belongs to the noun before it ("dog house")."""
        token = self._token(index)
        return token not in words.SMALL and self.lexicon.verb(self._rest(index)) is None

    def _undrawable(self, index: int, started: bool, qualities: list[str]) -> Chunk | None:
        """A noun without a picture, with the words that belong to it."""
        start = index
        while index < start + 3:
            token = self._token(index)
            if not token or token == "," or token in words.SMALL or token in words.AUXILIARIES:
                break
            if " ".join(self._rest(index)[:2]) in words.UNDRAWABLE:
                index += 2
                break
            if token.endswith("ly") and not self.lexicon.undrawable(token):
                break
            if index > start and self.lexicon.noun(self._rest(index)) is not None:
                break
            if (index > start or not started) and self.lexicon.verb(self._rest(index)) is not None:
                break
            listed = self.lexicon.undrawable(token)
            if self.lexicon.known(token) and not listed:
                break
            if not listed and not started and self._verb_like(token):
                break
            index += 1
        if index == start:
            return None
        if phrases.match(" ".join(self._rest(start))) is not None:
            return None
        text = " ".join((*qualities, *self.tokens[self.at + start : self.at + index]))
        return self._take(index, kind="unknown", text=text)

    def _verb_like(self, token: str) -> bool:
        """Whether an unknown word after somebody is rather a verb."""
        before = self._before() in ("thing", "pronoun", "link and", "link ,")
        return before and token.endswith(("s", "ed", "ing"))

    def _noun_ahead(self, index: int, unknown: bool = True) -> bool:
        """Whether a noun comes at `index`, perhaps after adjectives."""
        for step in range(5):
            token = self._token(index + step)
            if not token or token == ",":
                return False
            if self.lexicon.noun(self._rest(index + step)) is not None:
                return True
            if token in words.SMALL:
                return False
            if self.lexicon.undrawable(token) or self.lexicon.misspelled(token) is not None:
                return True
            if self.lexicon.adjective(token):
                continue
            verb = self.lexicon.verb((token,))
            if verb is not None and verb.form not in ("ing", "ed"):
                return False
            if verb is None and not self.lexicon.known(token):
                if unknown:
                    return True
                continue
        return False

    def _plural_ahead(self, index: int) -> bool:
        for step in range(4):
            noun = self.lexicon.noun(self._rest(index + step))
            if noun is not None:
                return noun.plural or noun.said in ("sheep", "fish", "deer")
            if not self.lexicon.adjective(self._token(index + step)):
                return False
        return False
