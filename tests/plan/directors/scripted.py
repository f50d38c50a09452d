"""A language model that says what it was told to, for tests of what is done with its answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from vdjax.plan.directors.model import Answer, ModelError, OnText, Request


class Scripted:
    """Gives its answers in turn; an exception among them is raised; the last one stays."""

    name = "scripted"

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def answer(self, request: Request, *, seconds: float, on_text: OnText | None = None) -> Answer:
        self.requests.append(request)
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(said, Exception):
            raise said
        if on_text is not None:
            for end in range(1, len(said) + 1, 20):
                on_text(said[:end])
            on_text(said)
        return Answer(text=said, prompt_tokens=100, completion_tokens=len(said) // 4)


def story(*scenes: tuple[str, Sequence[str], str], **more: Any) -> str:
    """A good answer to the first question."""
    told = [
        {"description": text, "entities": list(names), "background": place}
        for text, names, place in scenes
    ]
    return json.dumps({"scenes": told, **more})


def layout(**boxes: Sequence[float]) -> str:
    """A good answer to the second: these boxes at all nine keyframes."""
    keyframe = {"boxes": {name: list(box) for name, box in boxes.items()}, "caption": "a moment"}
    return json.dumps({"reasoning": "nothing moves", "keyframes": [keyframe] * 9})


TWO = story(
    ("A cat walks on the beach", ["cat"], "beach"),
    ("The cat meets a dog in the park", ["cat", "dog"], "park"),
)
ALONE = layout(cat=[0.1, 0.4, 0.5, 0.9])
TOGETHER = layout(cat=[0.1, 0.4, 0.45, 0.9], dog=[0.55, 0.4, 0.95, 0.9])
DEAD = ModelError("no connection to the server")
