"""Chunks that mean somebody only together.

Enters: the chunks of a scene as `chunks` finds them, word group by word group. Leaves: the same,
with "the two" and "cats", "the white" and "one", "one", "of" and "them" each made one chunk, so
that `roles` can ask the cast whom they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vdjax.plan.english import words
from vdjax.plan.english.chunk import Chunk


def whole(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The chunks, with those joined that mean somebody only together: "the two" and "cats", "the
    white" and "one", "one", "of" and "them", "the" and "other"."""
    found: list[Chunk] = []
    for chunk in chunks:
        last = found[-1] if found else None
        if last is None:
            found.append(chunk)
        elif chunk.kind == "thing" and last.kind == "pronoun" and chunk.noun and chunk.noun.plural:
            count = words.NUMBERS.get(last.words[-1], 0)
            if count < 2 or chunk.article:
                found.append(chunk)
                continue
            both = last.words + chunk.words
            found[-1] = replace(chunk, words=both, count=count, definite=True, article="the")
        elif last.words == ("the",) and chunk.words == ("other",):
            found[-1] = replace(chunk, kind="pronoun", value="other", words=("the", "other"))
        elif _is_one(chunk) and last.value == "other":
            found[-1] = replace(last, words=(*last.words, "one"))
        elif _is_one(chunk):
            said = tuple(word for word in last.words if word not in words.DEFINITE)
            if last.kind in ("quality", "unknown") and said and set(said) <= _QUALITIES:
                found[-1] = replace(chunk, words=last.words + chunk.words, qualities=said)
            else:
                found.append(chunk)
        elif chunk.value == "they" and last.value == "of" and found[-2:-1] and _is_one(found[-2]):
            found[-2:] = [replace(chunk, value="one", words=("one", "of", *chunk.words))]
        else:
            found.append(chunk)
    return found


_QUALITIES = words.ADJECTIVES | words.COLOURS | words.SIZES.keys()


def _is_one(chunk: Chunk) -> bool:
    return chunk.kind == "pronoun" and chunk.words == ("one",)
