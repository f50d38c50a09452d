"""What is wrong with a plan, said in one sentence.

Enters: pydantic's list of errors. Leaves: a `PlanError` whose text names the thing, the value seen,
what is allowed and the way out, for instance

    box [0.2, 0.9, 0.1, 1.0] of 'cat' in scene 2, keyframe 3: x0 must be below x1

Scenes and keyframes are counted from 1, as people do. The VideoDirectorGPT paper has no
validation beyond "9 frames, each with a box" (appendix H.1); here a plan is a file that people
edit by hand, so a mistake has to be found where it was made.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from vdjax.errors import UserError

Where = tuple[int | str, ...]
Problem = tuple[Where, str, str]
"""Where it is, which kind of trouble, and the sentence without its place."""


class PlanError(UserError):
    """A plan, or what should become one, cannot be used.

    `problems` lists every trouble found as (where, kind, sentence); the message says the first in
    full and counts the others.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def fault(kind: str, sentence: str) -> PydanticCustomError:
    """An error to raise inside a validator; the place is added when the plan's error is written."""
    return PydanticCustomError("plan", "{sentence}", {"kind": kind, "sentence": sentence})


def show(value: Any, limit: int = 60) -> str:
    """A value as it would stand in the file, cut when it is long."""
    if isinstance(value, float) and not math.isfinite(value):
        text = "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(show(item, limit) for item in list(value)[:8])
        text += ", …]" if len(value) > 8 else "]"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def place(where: Where) -> str:
    """`("scenes", 1, "keyframes", 2)` as "scene 2, keyframe 3"; empty for the plan itself."""
    words = []
    for key, item in itertools.pairwise(where):
        if isinstance(item, int) and key in ("scenes", "keyframes"):
            words.append(f"{key[:-1]} {item + 1}")
    return ", ".join(words)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """A hint " (did you mean 'x'?)" when an allowed word is near, else nothing."""
    match = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.7)
    return f" (did you mean '{match[0]}'?)" if match else ""


def problems_of(error: ValidationError, owner: str, keys: Sequence[str]) -> list[Problem]:
    """Every problem in pydantic's error about a "plan" or a "scene" that may have these keys."""
    found: list[Problem] = []
    for item in error.errors(include_url=False):
        where: Where = tuple(item["loc"])
        inner = (item.get("ctx") or {}).get("error")
        if isinstance(inner, PlanError):  # a scene inside the plan has already said it
            found += [((*where, *place_), kind, text) for place_, kind, text in inner.problems]
            continue
        kind, sentence = _sentence(item, where, owner, keys)
        found.append((where, kind, sentence))
    return found


def _sentence(item: Any, where: Where, owner: str, keys: Sequence[str]) -> tuple[str, str]:
    last = str(where[-1]) if where else ""
    if item["type"] == "plan":
        return item["ctx"]["kind"], item["ctx"]["sentence"]
    if item["type"] == "missing":
        return "missing", f"'{last}' is missing; add it"
    if item["type"] == "extra_forbidden":
        return "key", (
            f"'{last}' is not a key of a {owner}{nearest(last, keys)};"
            f" allowed are {', '.join(keys)}"
        )
    return "type", f"{_of(where)} is {show(item['input'])}; it must be {_wanted(item)}"


def _of(where: Where) -> str:
    names = [key for key in where if isinstance(key, str)]
    return f"'{names[-1]}'" if names and isinstance(where[-1], str) else "it"


def _wanted(item: Any) -> str:
    if item["type"] in ("tuple_type", "list_type"):
        return "a list [...]"
    if item["type"] in ("dict_type", "model_type", "model_attributes_type"):
        return "a mapping {...}"
    return item["msg"][:1].lower() + item["msg"][1:]


def plan_error(problems: Sequence[Problem], source: str = "") -> PlanError:
    """The error to raise for these problems; `source` is the file they came from, if any."""
    lines = []
    for where, kind, sentence in problems:
        spot = place(where)
        if kind == "box":  # reads "box [...] of 'cat' in scene 2, keyframe 3: reason"
            box, _, reason = sentence.partition(": ")
            lines.append(f"{box} in {spot}: {reason}" if spot else sentence)
        else:
            lines.append(f"{spot}: {sentence}" if spot else sentence)
    message = lines[0] if lines else "the plan is not valid"
    rest = len(lines) - 1
    if rest:
        message += f" (and {rest} more problem{'s' if rest > 1 else ''})"
    return PlanError(f"{source}: {message}" if source else message, problems)
