"""One phrase of a scene, and what was understood of it."""

from __future__ import annotations

from dataclasses import dataclass

from vdjax.plan.english.lexicon import Noun, Verb


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
    one of them  `qualities`: "one white", of those named last
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
