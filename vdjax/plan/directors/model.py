"""What a director asks of a language model, whatever stands behind it.

A `Request` of messages goes in, an `Answer` of text comes out, piece by piece where somebody
watches. A server, a model in this process and a record of earlier answers are all behind the one
`LanguageModel` Protocol, so that the two steps of planning (`language.py`) are written once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from vdjax.errors import UserError

OnText = Callable[[str], None]
"""Told the whole answer so far, as often as it grows."""


class ModelError(UserError):
    """A language model gave no answer; the message says why and what may help."""


class SchemaRefused(ModelError):
    """The server takes no JSON schema: ask in another form."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question.

    Attributes:
        messages: in order, each with a "role" (system, user or assistant) and its "content".
        schema: the JSON schema that the answer must follow; none where its form is free.
        max_tokens: tokens of the answer at most.
        temperature: 0 for the likeliest answer, 1 for the model's own spread.
        seed: the same question with the same seed has the same answer, where a server keeps to it.
    """

    messages: tuple[Mapping[str, str], ...]
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 2048
    temperature: float = 0.6
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, and what it cost; `complete` is false where the tokens ran out."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    complete: bool = True


@runtime_checkable
class LanguageModel(Protocol):
    """Answers requests."""

    @property
    def name(self) -> str:
        """Which model it is, for the plan and its report."""
        ...

    def answer(self, request: Request, *, seconds: float, on_text: OnText | None = None) -> Answer:
        """The answer, within about so many seconds. Raises `ModelError`."""
        ...
