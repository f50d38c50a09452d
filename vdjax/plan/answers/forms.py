"""The shapes of an answer once it is read, and the words for what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vdjax.plan.boxes import Box
from vdjax.plan.problems import PlanError

MAX_ANSWER = 400_000
"""Characters in an answer; a long story with much thinking before it has a tenth of that."""
_MOST_NOTES = 20
_LONGEST_NOTE = 200


class AnswerError(PlanError):
    """An answer that cannot be used; the message says what to give instead."""


@dataclass(frozen=True)
class SceneIdea:
    """One scene of a story, before it has boxes."""

    description: str
    entities: tuple[str, ...]
    background: str


@dataclass(frozen=True)
class StoryAnswer:
    """Step (a): the scenes, the layout's share of the steps if it was said, and the repairs."""

    scenes: tuple[SceneIdea, ...]
    alpha: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LayoutAnswer:
    """Step (b): nine keyframes; nine captions, or none; the reasoning, or ""; the repairs."""

    keyframes: tuple[Mapping[str, Box], ...]
    captions: tuple[str, ...]
    reasoning: str
    notes: tuple[str, ...]


class Notes:
    """Short sentences in the order they were said, each once, never too many."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, sentence: str) -> None:
        """Remember a sentence, cut when it is long."""
        if len(sentence) > _LONGEST_NOTE:
            sentence = sentence[: _LONGEST_NOTE - 1] + "…"
        if len(self._said) < _MOST_NOTES:
            self._said[sentence] = None

    def all(self) -> tuple[str, ...]:
        """Everything that was said."""
        return tuple(self._said)


def refuse(problems: Sequence[str]) -> None:
    """Raise an `AnswerError` that names these problems, the first few in full; none: do nothing."""
    if problems:
        shown = list(dict.fromkeys(problems))
        rest = f" (and {len(shown) - 4} more)" if len(shown) > 4 else ""
        raise AnswerError("; ".join(shown[:4]) + rest)
