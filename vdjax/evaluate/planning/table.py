"""The figures of directors beside one another, as a table for a terminal. Standard library only.

LVD's figures of its own planner stand beside them, marked as published: the same rules, other
prompts (Lian et al. 2023, figures from the README of the code).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]

#: LVD's stage 1, layouts alone, in per cent. Of GPT-3.5 only the mean is given.
PUBLISHED: Mapping[str, Mapping[str, int]] = {
    "GPT-4": {
        "numeracy": 100,
        "attribution": 100,
        "visibility": 100,
        "dynamic spatial": 100,
        "sequential": 88,
        "LVD, all five": 98,
    },
    "GPT-3.5": {"LVD, all five": 77},
}
_LVD = (
    ("numeracy", "numeracy"),
    ("attribution", "attribution"),
    ("attribution: words kept", "  its words kept"),
    ("visibility", "visibility"),
    ("dynamic spatial", "dynamic spatial"),
    ("sequential", "sequential"),
    ("LVD, all five", "all five"),
)
_SKILLS = ("object", "count", "spatial", "scale", "direction")


def format_table(results: Sequence[Result]) -> str:
    """Results of `measure.run`, one column each. Nothing for no results."""
    if not results:
        return ""
    parts = [_lvd(results), _skills(results), _cost(results)]
    return "\n\n".join("\n".join(part) for part in parts)


def _lvd(results: Sequence[Result]) -> list[str]:
    rows = [[*_head(results), *(f"{name}, published" for name in PUBLISHED)]]
    rows.append(["prompts each", *map(_asked, results), *("–" for _ in PUBLISHED)])
    for key, label in _LVD:
        published = [f"{of[key]} %" if key in of else "–" for of in PUBLISHED.values()]
        rows.append([label, *(_percent(one["figures"][key]) for one in results), *published])
    return [
        "LVD's five tasks, judged on planned boxes; in brackets the 95 % interval",
        *_aligned(rows),
    ]


def _skills(results: Sequence[Result]) -> list[str]:
    rows = [_head(results)]
    rows += [[key, *(_percent(one["figures"][key]) for one in results)] for key in _SKILLS]
    return ["VPEval's skills and the direction of a movement, on planned boxes", *_aligned(rows)]


def _cost(results: Sequence[Result]) -> list[str]:
    rows = [_head(results)]

    def row(label: str, tell: Callable[[Result], str]) -> None:
        rows.append([label, *(tell(one) for one in results)])

    row("valid plans", lambda one: _percent(one["figures"]["valid"]))
    row("plans all by the model", lambda one: _percent(one["cost"]["plans by the model"]))
    row("repair rounds", lambda one: _number(one["cost"]["reported"]["rounds"], ".2f"))
    row("tokens in", lambda one: _number(one["cost"]["reported"]["prompt_tokens"], ".0f"))
    row("tokens out", lambda one: _number(one["cost"]["reported"]["completion_tokens"], ".0f"))
    row("seconds, mean", lambda one: _number(one["cost"]["seconds"]["mean"], ".3f"))
    row("seconds, longest", lambda one: _number(one["cost"]["seconds"]["most"], ".3f"))
    return ["What a plan costs; a mean where nothing else is said", *_aligned(rows)]


def _head(results: Sequence[Result]) -> list[str]:
    return ["", *(str(one["director"]) for one in results)]


def _asked(result: Result) -> str:
    """How many prompts for each task, in which forms, from which seed."""
    return f"{result['prompts']} {result['forms']}, seed {result['seed']}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join((row[0].ljust(widths[0]), *(map(str.rjust, row[1:], widths[1:])))).rstrip()
        for row in rows
    ]


def _percent(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "–"
    value, low, high = (round(100 * figure[key]) for key in ("value", "low", "high"))
    return f"{value} % [{low}, {high}]"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
