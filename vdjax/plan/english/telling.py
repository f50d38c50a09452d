"""Where the mentions of a sentence stand: after which verb and preposition, in whose company.

Enters: a sentence and the mentions in it, as texts. Leaves: for each mention its `Place`. It reads
only the few words between two mentions, so it needs no picture for any of them; `roles` reads the
whole sentence, for things that can be drawn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vdjax.plan.english import words
from vdjax.plan.english.lexicon import Lexicon

_TOKEN = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*|[.,;:!?]")
_STOPS = frozenset(".;:!?")
_CLAUSES = frozenset(("while", "but", "when", "because", "as", "until", "before", "so", "if"))
_PREPOSITIONS = frozenset(
    ("in", "on", "into", "onto", "out", "of", "under", "from", "to", "with", "at", "by", "over",
     "near", "beside", "behind", "after", "through", "around", "for", "past", "above", "below",
     "between", "off")
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one mention stands.

    `found` says whether the sentence has it; `verbs` are the lemma and the motion of the verb it
    belongs to; `as_object` says that it comes after that verb; `joined` that "and" ties it to the
    mention before; `clause` numbers the clauses of the sentence, `onward` that the subject of the
    clause does a second thing ("reaches the tree and climbs it"); `article` is the determiner right
    before, for a mention given without one.
    """

    found: bool = False
    verbs: tuple[str, ...] = ()
    preposition: str = ""
    as_object: bool = False
    joined: bool = False
    clause: int = 0
    onward: bool = False
    article: str = ""


def places(mentions: Sequence[str], sentence: str, lexicon: Lexicon) -> list[Place]:
    """The place of every mention, which are looked for in the order of the text first."""
    spans = _spans(mentions, sentence)
    order = sorted((span, at) for at, span in enumerate(spans) if span is not None)
    found = [Place()] * len(mentions)
    verbs: tuple[str, ...] = ()
    clause, end = 0, 0
    for turn, ((start, stop), at) in enumerate(order):
        gap = _TOKEN.findall(sentence[end:start].lower())
        till = order[turn + 1][0][0] if turn + 1 < len(order) else len(sentence)
        after = _TOKEN.findall(sentence[stop:till].lower())
        between = _verbs(gap, lexicon, turn > 0)
        ahead = _verbs(after[:4], lexicon, True)
        link = bool(gap) and gap[-1] in ("and", ",", "then")
        if turn and (
            _STOPS & set(gap) or _CLAUSES & set(gap) or (link and ahead and (between or verbs))
        ):
            clause, verbs, between = clause + 1, (), ()
        joined = (
            bool(turn) and bool(gap) and set(gap) <= {"and", ",", "or"} and not (ahead and verbs)
        )
        onward = bool(verbs and between) and ("and" in gap or "," in gap)
        verbs = between or verbs
        preposition = next((t for t in gap[-2:] if t in _PREPOSITIONS), "")
        if joined:
            before = found[order[turn - 1][1]]
            preposition = before.preposition
        as_object = bool(verbs) or (bool(preposition) and turn > 0)
        found[at] = Place(
            found=True,
            verbs=verbs or ahead,
            preposition=preposition,
            as_object=as_object,
            joined=joined,
            clause=clause,
            onward=onward,
            article=gap[-1] if gap and gap[-1] in words.DETERMINERS else "",
        )
        end = stop
    return found


def _spans(mentions: Sequence[str], sentence: str) -> list[tuple[int, int] | None]:
    """Where each mention stands, each place of the text taken once."""
    spans: list[tuple[int, int] | None] = []
    taken: list[tuple[int, int]] = []
    for mention in mentions:
        pattern = re.compile(rf"(?<!\w){re.escape(mention.strip())}(?!\w)", re.IGNORECASE)
        last = taken[-1][1] if taken else 0
        matches = [m.span() for m in pattern.finditer(sentence)]
        matches.sort(key=lambda span: (span[0] < last, span))
        free = [s for s in matches if all(s[1] <= a or b <= s[0] for a, b in taken)]
        spans.append(free[0] if free else None)
        taken += free[:1]
    return spans


def _verbs(tokens: Sequence[str], lexicon: Lexicon, after_mention: bool) -> tuple[str, ...]:
    """Lemma and motion of the last verb among these words; right after a mention, a word that no
    list knows is taken for a verb."""
    found: tuple[str, ...] = ()
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else ""
        if before in words.DETERMINERS or (before in _PREPOSITIONS and before != "to"):
            continue
        verb = lexicon.verb(tuple(tokens[at:]))
        if token in words.AUXILIARIES and (verb is None or verb.length == 1):
            continue  # but "gets out"
        if token in words.ADJECTIVES or token in _PREPOSITIONS:
            continue
        if verb is not None and token not in words.SMALL:
            found = (verb.lemma, verb.action)
        elif not at and after_mention and not lexicon.known(token) and token.endswith(("s", "ed")):
            found = (token, "act")
    return found
