"""Answers kept in a file, and played back from it: courses and tests need neither key nor network.

`Recorded` stands before a model and writes each exchange down as one JSON line, as soon as it is
whole. `Replayed` answers from such a file; a question that is not in it is an error, never a guess.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from vdjax.plan.directors.model import Answer, LanguageModel, ModelError, OnText, Request
from vdjax.plan.problems import show


class Recorded:
    """A model whose exchanges are added to a file.

    Raises:
        ModelError: the file cannot be written.
    """

    def __init__(self, model: LanguageModel, path: str | Path) -> None:
        self._model, self.path = model, Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.open("a", encoding="utf-8").close()
        except OSError as error:
            raise ModelError(f"cannot write the record {self.path}: {error.strerror}") from None

    @property
    def name(self) -> str:
        """The model's own name."""
        return self._model.name

    def answer(self, request: Request, *, seconds: float, on_text: OnText | None = None) -> Answer:
        """The model's answer, once it is written down. Raises `ModelError`."""
        answer = self._model.answer(request, seconds=seconds, on_text=on_text)
        line = {
            "key": key_of(request),
            "model": self.name,
            "messages": [dict(message) for message in request.messages],
            "seed": request.seed,
            "answer": answer.text,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "complete": answer.complete,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return answer


class Replayed:
    """A model that says again what a record holds.

    Raises:
        ModelError: there is no such record, or it cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._answers: dict[str, Answer] = {}
        self.name = "replay"
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ModelError(
                f"cannot read the record {self.path}: {reason}; make one with --record"
            ) from None
        for number, line in enumerate(lines, 1):
            try:
                kept: dict[str, Any] = json.loads(line)
                self._answers[str(kept["key"])] = Answer(
                    text=str(kept["answer"]),
                    prompt_tokens=int(kept["prompt_tokens"]),
                    completion_tokens=int(kept["completion_tokens"]),
                    complete=bool(kept["complete"]),
                )
                self.name = str(kept["model"])
            except (ValueError, KeyError, TypeError, RecursionError):
                raise ModelError(
                    f"line {number} of the record {self.path} is damaged: {show(line[:40])}"
                ) from None

    def answer(self, request: Request, *, seconds: float, on_text: OnText | None = None) -> Answer:
        """The answer that was recorded. Raises `ModelError` where there is none."""
        found = self._answers.get(key_of(request))
        if found is None:
            asked = request.messages[-1]["content"]
            raise ModelError(
                f"the record {self.path} has no answer to {show(asked, 80)}: it holds "
                f"{len(self._answers)}, each for one prompt, seed and version of the questions; "
                "record it with --director chat or local and --record"
            )
        if on_text is not None:
            on_text(found.text)
        return found


def key_of(request: Request) -> str:
    """Names a question: its messages, schema, seed and limits."""
    parts = (
        [dict(message) for message in request.messages],
        request.schema,
        request.max_tokens,
        request.temperature,
        request.seed,
    )
    told = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(told.encode()).hexdigest()[:24]
