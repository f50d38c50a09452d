"""Chunks in the plain order of English: who first, then where.

Enters: the chunks of a scene. Leaves: the same, with a place that was said first put behind the
thing it speaks of: "below a ball there is a guitar" becomes "a guitar below a ball", "from the
left, a cat walks" becomes "a cat walks from the left". `roles` then needs one order only.
"""

from __future__ import annotations

from collections.abc import Sequence

from vdjax.plan.english.chunk import Chunk

#: Prepositions that say how things lie to one another when nothing moves.
RELATIONS = ("left", "right", "above", "below", "on", "beside", "behind", "front", "between", "in")
_WHO = ("thing", "pronoun")
_STILL = ("still", "watch")


def plain(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The chunks, with what was put in front of its noun set behind it."""
    found = list(chunks)
    at = 0
    while at < len(found):
        if at == 0 or found[at - 1].kind in ("link", "small"):
            if _begins_there(found, at):
                del found[at]
            _behind(found, at)
        at += 1
    return found


def _begins_there(chunks: Sequence[Chunk], at: int) -> bool:
    """ "Starting left of a house, a cat ...": only the place matters."""
    verb, ahead = chunks[at].verb, chunks[at + 1 : at + 2]
    starts = verb is not None and verb.form == "ing" and verb.action in ("begin", "still")
    return starts and bool(ahead) and ahead[0].kind == "prep" and ahead[0].value in RELATIONS


def _behind(chunks: list[Chunk], at: int) -> None:
    """Move the phrase of place or time at `at` behind the noun that follows it, if one does."""
    end = _phrase_end(chunks, at)
    if end == at:
        return
    who = end
    comma = who < len(chunks) and chunks[who].value == ","
    who += comma
    while who < len(chunks) and chunks[who].kind == "small":
        who += 1
    inverted = who < len(chunks) and _is_verb(chunks[who], _STILL)
    who += inverted  # "in front of a tree stands a dancer"
    if who >= len(chunks) or chunks[who].kind not in _WHO:
        return
    if chunks[at].kind == "prep" and not comma and chunks[who].definite:
        return  # "under a tree the dog sleeps": the tree may end the sentence before
    phrase = [*chunks[at:end]]
    after = _place_for(chunks, who + 1, phrase[0])
    verb = [chunks[who - 1]] if inverted else []
    chunks[at:after] = [*chunks[who:after], *verb, *phrase]


def _phrase_end(chunks: Sequence[Chunk], at: int) -> int:
    """Where a phrase that may be moved ends; `at` if none begins there."""
    first = chunks[at]
    if first.kind in ("spot", "from spot", "across", "when"):
        return at + 1
    relation = first.kind == "prep" and first.value in RELATIONS
    if relation and len(chunks) > at + 1 and chunks[at + 1].kind in _WHO:
        return at + 2
    return at


def _place_for(chunks: Sequence[Chunk], at: int, phrase: Chunk) -> int:
    """Where the phrase goes: a way behind the verb, a place behind all those it is said of, or
    behind what they do there."""
    while at + 1 < len(chunks) and chunks[at].kind == "link" and chunks[at + 1].kind == "thing":
        ahead = chunks[at + 2] if at + 2 < len(chunks) else None
        if chunks[at].value != "and" or (ahead is not None and ahead.kind in ("verb", "prep")):
            break
        at += 2
    if phrase.kind in ("from spot", "prep", "when", "across"):
        verb = at + (at < len(chunks) and chunks[at].value == "who")
        while verb < len(chunks) and chunks[verb].kind == "verb":
            at = verb = verb + 1
    if phrase.kind == "prep":
        while at < len(chunks) and chunks[at].kind in ("thing", "adverb", "manner", "small"):
            at += 1
    return at


def _is_verb(chunk: Chunk, actions: Sequence[str]) -> bool:
    return chunk.kind == "verb" and chunk.verb is not None and chunk.verb.action in actions
