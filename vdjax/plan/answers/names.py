"""Names as a model says them, and the names of a plan that they mean.

"The Cats", "cat_2" and "a fluffy cat" are said where the plan has "cat", "cat 2" and "fluffy
Siamese cat". The paper matches names exactly (VideoDirectorGPT, section 3.1), and loses what
differs in an article.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from vdjax.plan.fields import MAX_NAME
from vdjax.plan.schema import base_name

_ARTICLES = ("a", "an", "the", "some", "his", "her", "their", "its")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
_IRREGULAR = {
    "mice": "mouse", "geese": "goose", "people": "person", "children": "child", "men": "man",
    "women": "woman", "wolves": "wolf", "leaves": "leaf", "knives": "knife", "feet": "foot",
    "teeth": "tooth", "buses": "bus",
}  # fmt: skip
_WORD = re.compile(r"[^\W_]+")
_NUMBERED = re.compile(r"^([^\W\d_]+)(\d{1,2})$")
_AROUND = " \t\"'`“”‘’*_[](){}<>:;,.-–—•"


def tidy(name: str, longest: int = MAX_NAME) -> str:
    """A name without article, quotes, bullets and signs that cannot be shown; "" if none is left.

    Cut between words when it is longer than `longest`.
    """
    words = "".join(sign if sign.isprintable() else " " for sign in name).split()
    words = " ".join(words).strip(_AROUND).split()
    while len(words) > 1 and words[0].lower() in _ARTICLES[:4]:
        words = words[1:]
    text = " ".join(words)
    if len(text) > longest:
        text = text[: longest + 1].rpartition(" ")[0] or text[:longest]
    return text.strip(_AROUND)


def singular(word: str) -> str:
    """The singular of a word, by rule; a word that is one already is returned as it is."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def words_of(name: str) -> tuple[str, ...]:
    """A name as small words in the singular, a number at the end: "The 2nd_cats", "cat #2"."""
    found = [word.casefold() for word in _WORD.findall(name[: 4 * MAX_NAME])]
    found = [word for word in found if word not in _ARTICLES] or found
    if len(found) > 1 and found[0] in _ORDINALS:
        found = [*found[1:], str(_ORDINALS.index(found[0]) + 1)]
    if found and (numbered := _NUMBERED.match(found[-1])):
        found[-1:] = [*numbered.groups()]
    if len(found) > 1 and found[-1] == "1":  # "cat 1" is the first of the cats, "cat"
        found = found[:-1]
    return tuple(singular(word) for word in found)


class Names:
    """Finds which of a scene's entities a model meant."""

    def __init__(self, entities: Sequence[str]) -> None:
        self._entities = {name: words_of(name) for name in entities}
        self.all = tuple(entities)
        self._known: dict[str, str | None] = {name: name for name in entities}

    def find(self, said: str) -> str | None:
        """The entity that is meant by a name; None if it is none of them, or could be several."""
        if said not in self._known:
            self._known[said] = self._match(words_of(said))
        return self._known[said]

    def _match(self, said: tuple[str, ...]) -> str | None:
        if not said:
            return None
        same = [name for name, words in self._entities.items() if words == said]
        if not same:
            # "the fluffy cat" for "cat", and "cat" for "fluffy Siamese cat", where no other fits.
            same = [
                name
                for name, words in self._entities.items()
                if words and (set(words) <= set(said) or set(said) <= set(words))
            ]
        return same[0] if len(same) == 1 else None

    def next_of_kind(self, name: str, taken: Container[str]) -> str | None:
        """Another entity of the same kind that is not taken yet: "cat 2" after "cat"."""
        kind = base_name(name)
        return next(
            (n for n in self._entities if base_name(n) == kind and n not in taken),
            None,
        )
