"""From the words of one scene to its phrases.

Enters: the text of a scene. Leaves: a list of `Chunk`s in the order of the text: things, places,
pronouns, verbs, prepositions, directions, and what could not be understood. Who does what is left
to `roles`; here a word is only told apart from its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vdjax.plan.english import phrases, words
from vdjax.plan.english.lexicon import Lexicon, Noun, Verb
from vdjax.plan.english.sentences import tokens

#: Verbs that only carry an adjective.
_SEEMING = ("get", "be", "have", "look", "feel")
_BE = ("is", "are", "was", "were", "being", "been", "gets", "get")
#: How verbs begin that say, with a corner of the frame, where a way begins or ends.
_TURNS = ("reach", "arriv", "end", "finish", "start", "beginning", "coming")


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A phrase. `kind` says which of the other fields mean something.

    thing     `noun`, `count` (0: not said), `definite`, `other` ("another"), `partial` ("one of
              the"), `qualities`, `doing` (the verb of "a flying rocket"), `negated`, `alias`
    place     `noun`, `qualities`
    unknown   `text`: a noun that has no picture
    pronoun   `value`: "it", "he", "she", "they", "each other", "other", "self"
    verb      `verb`, `value`: "passive" for "chased by", "undergone" for "is thrown", else ""
    quality   `text`: an adjective that stands alone ("is happy")
    manner    `value`: a factor of speed
    others    `value`, see `phrases`
    """

    kind: str
    words: tuple[str, ...]
    value: object = None
    text: str = ""
    noun: Noun | None = None
    verb: Verb | None = None
    count: int = 0
    definite: bool = False
    article: str = ""
    other: bool = False
    partial: bool = False
    negated: bool = False
    alias: str = ""
    qualities: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    doing: tuple[Verb, ...] = ()


class Reader:
    """Reads one scene. `aliases` maps proper names ("mittens") to what they stand for ("cat")."""

    def __init__(self, text: str, lexicon: Lexicon, aliases: Mapping[str, Noun]) -> None:
        self.tokens = tuple(tokens(text))
        self.lexicon = lexicon
        self.aliases = dict(aliases)
        self.at = 0
        self.chunks: list[Chunk] = []

    def read(self) -> list[Chunk]:
        """All the chunks of the text."""
        while self.at < len(self.tokens):
            chunk = self._next()
            self.at += max(1, len(chunk.words))
            if chunk.kind != "skip":
                self.chunks.append(chunk)
        return self.chunks

    def _next(self) -> Chunk:
        for attempt in (self._verb_in_place, self._phrase, self._noun_phrase, self._word):
            chunk = attempt()
            if chunk is not None:
                return chunk
        return Chunk(kind="unknown", words=self.tokens[self.at : self.at + 1], text=self._token())

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

    # Verbs

    def _verb_in_place(self) -> Chunk | None:
        """A verb where one is expected: after somebody, after "to", after "and" a second one."""
        token, before = self._token(), self._before()
        if token == "'s" and before in ("thing", "pronoun", "unknown"):
            return self._take(1, kind="skip")
        if token == "left":
            phrase = phrases.match(" ".join(self._rest()))
            if phrase is not None and phrase.kind == "prep":
                return None  # "a dog left of a cat"
        verb = self.lexicon.verb(self._rest())
        if verb is None or token in words.DETERMINERS:
            return None
        if token.startswith(_TURNS):
            phrase = phrases.match(" ".join(self._rest()))
            if phrase is not None and phrase.kind in ("goal", "from spot"):
                return None  # "reaches the upper left", "starting on the right"
        previous = self._token(-1)
        after_somebody = before in ("thing", "pronoun", "unknown", "manner", "link who", "place")
        after_to = previous == "to" or previous in words.AUXILIARIES
        after_and = before == "link and" and any(chunk.kind == "verb" for chunk in self.chunks)
        if not self.chunks and verb.form == "s" and self._goes_on(verb.length):
            return self._verb(verb)
        noun = self.lexicon.noun(self._rest())
        if noun is not None and noun.how == "name" and not after_to and verb.form == "bare":
            # "two cats fish": a bare verb that is also a picture's name needs a plural before.
            last = self.chunks[-1] if self.chunks else None
            if not (before == "pronoun" or (last and last.kind == "thing" and last.count != 1)):
                return None
        after_comma = (
            before == "link ,"
            and any(chunk.kind == "verb" for chunk in self.chunks)
            and verb.form in ("s", "ed", "ing")
        )
        if not (after_somebody or after_to or after_and or after_comma):
            return None
        return self._verb(verb)

    def _goes_on(self, ahead: int) -> bool:
        """Whether a way follows: "flies to the top" without a subject is about no flies."""
        phrase = phrases.match(" ".join(self._rest(ahead)))
        return phrase is not None and phrase.kind in ("goal", "heading", "across", "from spot")

    def _verb(self, verb: Verb) -> Chunk:
        count = verb.length
        passive = verb.form == "ed" and self._token(count) == "by"
        if verb.lemma in ("start", "begin") and self._token(count) in words.SMALL - {"to"}:
            return self._take(count, kind="small")
        following = self._token(count)
        alone = verb.lemma == "be" or not self._noun_ahead(count + 1)
        if verb.lemma in _SEEMING and self.lexicon.adjective(following) and alone:
            return self._take(count, kind="small")  # "gets tired", "is big"
        if verb.lemma == "have" and self.lexicon.verb(self._rest(count)) is not None:
            return self._take(count, kind="small")  # "has eaten"
        value = "passive" if passive else ""
        if not passive and verb.form == "ed" and verb.action in ("push", "throw"):
            value = "undergone" if self._token(-1) in _BE else ""  # "is thrown to the left"
        return self._take(count, kind="verb", verb=verb, value=value)

    # Fixed phrases

    def _phrase(self) -> Chunk | None:
        if self._token() == "to" and self.lexicon.verb(self._rest(1)) is not None:
            following = self._token(1)
            if following not in words.DETERMINERS and self.lexicon.noun(self._rest(1)) is None:
                return self._take(1, kind="small")  # "to eat"
        phrase = phrases.match(" ".join(self._rest()))
        if phrase is None:
            return None
        if phrase.kind == "heading" and self._token(phrase.length - 1) == "space":
            # "into space" is a way to go, and a place as well.
            place = self.lexicon.noun(("space",))
            if place is not None and place.place:
                self.chunks.append(Chunk(kind="place", words=(), noun=place))
        return self._take(phrase.length, kind=phrase.kind, value=phrase.value)

    # Noun phrases

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
            elif token in words.NUMBERS or token.isdigit():
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

    # Single words

    def _word(self) -> Chunk:
        token = self._token()
        if token in words.PRONOUNS:
            return self._take(1, kind="pronoun", value=words.PRONOUNS[token])
        if token in words.SPEEDS:
            return self._take(1, kind="manner", value=words.SPEEDS[token])
        if self.lexicon.adjective(token):
            return self._take(1, kind="quality", text=token)
        verb = self.lexicon.verb(self._rest())
        if verb is not None and token not in words.SMALL:
            return self._verb(verb)
        if token in words.AUXILIARIES:
            kind = "verb" if verb is not None else "small"
            return (
                self._take(1, kind=kind, verb=verb, value="")
                if verb
                else self._take(1, kind="small")
            )
        if token in words.SMALL:
            return self._take(1, kind="small")
        if token.endswith("ly"):
            return self._take(1, kind="adverb", text=token)
        if self._verb_like(token):
            return self._take(1, kind="strange verb", text=token)
        return self._take(1, kind="unknown", text=token)
