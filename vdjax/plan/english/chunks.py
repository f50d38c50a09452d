"""From the words of one scene to its phrases.

Enters: the text of a scene. Leaves: a list of `Chunk`s in the order of the text: things, places,
pronouns, verbs, prepositions, directions, and what could not be understood. Who does what is left
to `roles`; here a word is only told apart from its neighbours.
"""

from __future__ import annotations

from vdjax.plan.english import phrases, words
from vdjax.plan.english.chunk import Chunk
from vdjax.plan.english.lexicon import Verb
from vdjax.plan.english.noun_phrases import NounPhrases

#: Verbs that only carry an adjective.
_SEEMING = ("get", "be", "have", "look", "feel")
_BE = ("is", "are", "was", "were", "being", "been", "gets", "get")
#: How verbs begin that say, with a corner of the frame, where a way begins or ends.
_TURNS = ("reach", "arriv", "end", "finish", "start", "beginning", "coming", "leav")


class Reader(NounPhrases):
    """Reads one scene. `aliases` maps proper names ("mittens") to what they stand for ("cat")."""

    def read(self) -> list[Chunk]:
        """All the chunks of the text."""
        while self.at < len(self.tokens):
            chunk = self._next()
            self.at += max(1, len(chunk.words))
            if chunk.kind != "skip":
                self.chunks.append(chunk)
        return self.chunks

    def _next(self) -> Chunk:
        for attempt in (
            self._verb_in_place,
            self._told_quality,
            self._phrase,
            self._noun_phrase,
            self._word,
        ):
            chunk = attempt()
            if chunk is not None:
                return chunk
        return Chunk(kind="unknown", words=self.tokens[self.at : self.at + 1], text=self._token())

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
