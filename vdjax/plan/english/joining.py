"""Which texts make one scene together.

Enters: the texts that `sentences` cut a prompt into. Leaves: the texts of the scenes. The story
does not move on with a text that only sends the same thing on ("then to the right side"), says a
place ("In the forest."), or lets something vanish that the text before only showed; and what was
only said to be there ("There is a ball.") is there for what is told of it next.
"""

from __future__ import annotations

from collections.abc import Sequence

from vdjax.plan.english.chunk import Chunk
from vdjax.plan.english.chunks import Reader
from vdjax.plan.english.lexicon import Lexicon
from vdjax.plan.english.order import RELATIONS
from vdjax.plan.english.sentences import tokens

_WAY = {"pronoun", "verb", "goal", "small", "manner", "when", "link", "heading", "across", "spot"}


def joined(texts: Sequence[str], lexicon: Lexicon) -> list[str]:
    """The texts, with those that belong to one scene put together."""
    found: list[str] = []
    before: list[Chunk] = []
    carry = ""
    for text in texts:
        chunks = Reader(text, lexicon, {}).read()
        if found and _leads_on(chunks):
            found[-1] = f"{found[-1]} and {text}"
        elif found and _comes_or_goes(before, chunks):
            found[-1] = f"{found[-1]}, and {text}"
        elif found and _tells_more(found[-1], before, chunks):
            found[-1] = f"{found[-1]} while {text}"
        elif _only_place(chunks) and not found:
            carry = f"{carry} {text},".strip()
            continue
        else:
            found.append(f"{carry} {text}".strip())
            carry = ""
        before = chunks
    if carry:
        found.append(carry.rstrip(","))
    return found


def _leads_on(chunks: Sequence[Chunk]) -> bool:
    """Whether a text only sends the same thing to another place in the frame, or to another side
    of something: "it moves to the upper left", "at the bottom right", "to the left of it"."""
    kinds = {chunk.kind for chunk in chunks}
    verbs = [chunk.verb for chunk in chunks if chunk.verb is not None]
    if "goal" in kinds or ("spot" in kinds and all(verb.lemma == "be" for verb in verbs)):
        return kinds <= _WAY
    plain = [chunk for chunk in chunks if chunk.kind not in ("small", "manner")]
    return (
        len(plain) == 2
        and plain[0].kind == "prep"
        and plain[0].value in RELATIONS
        and (plain[1].kind == "pronoun" or (plain[1].kind == "thing" and plain[1].definite))
    )


def _only_place(chunks: Sequence[Chunk]) -> bool:
    kinds = {chunk.kind for chunk in chunks}
    return "place" in kinds and kinds <= {"place", "prep", "small", "quality", "link", "adverb"}


def _comes_or_goes(before: Sequence[Chunk], chunks: Sequence[Chunk]) -> bool:
    """ "A cat is there at first. Then it vanishes." """
    verbs = [chunk.verb for chunk in chunks if chunk.verb is not None]
    things = any(chunk.kind in ("thing", "place", "unknown") for chunk in chunks)
    goes = bool(verbs) and all(verb.action in ("disappear", "appear") for verb in verbs)
    return goes and not things and _only_there(before)


def _tells_more(text: str, before: Sequence[Chunk], chunks: Sequence[Chunk]) -> bool:
    """ "There is a tree. A cat runs past the tree." """
    if "there" not in tokens(text):
        return False
    names = {chunk.noun.name for chunk in before if chunk.kind == "thing" and chunk.noun}
    again = any(
        chunk.value in ("it", "he", "she", "they")
        or (chunk.definite and chunk.noun is not None and chunk.noun.name in names)
        for chunk in chunks
    )
    return bool(names) and again and _only_there(before)


def _only_there(chunks: Sequence[Chunk]) -> bool:
    """Whether a text says no more than that something is there and does not move."""
    verbs = [chunk.verb for chunk in chunks if chunk.verb is not None]
    return all(verb.action == "still" or verb.lemma in ("see", "show") for verb in verbs)
