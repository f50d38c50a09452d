"""A director's figures, from its plans alone: no video model, no GPU.

A director enters; it plans a seeded set of prompts, and one figure per task with its 95 % interval
leaves, beside how often it gave a valid plan and what that cost. VideoDirectorGPT reports a
parse rate only (appendix H.1); LVD judges its planner as is done here (section 4).
"""

from __future__ import annotations

import statistics as plain
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vdjax.evaluate import statistics
from vdjax.evaluate.planning import judge, lvd, vpeval
from vdjax.evaluate.planning.asks import Ask
from vdjax.evaluate.planning.table import format_table
from vdjax.plan import PlanError, VideoPlan, get_director
from vdjax.plan.directors import Director
from vdjax.plan.problems import show

__all__ = ["format_table", "run"]

_VERSION = 1
_COSTS = ("rounds", "prompt_tokens", "completion_tokens", "seconds")
_SCENES = ("model_scenes", "fallback_scenes")


@dataclass
class _Tally:
    """What came of the prompts of one task."""

    passed: list[bool] = field(default_factory=list)
    valid: list[bool] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    reports: list[Mapping[str, Any]] = field(default_factory=list)
    misses: list[dict[str, str]] = field(default_factory=list)


def run(
    director: str | Director,
    *,
    name: str,
    prompts: int = 100,
    seed: int = 0,
    forms: str = "open",
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The figures of a director, called `name` in tables, as data that JSON can hold.

    Each of LVD's five tasks, VPEval's four skills and the direction of a movement is asked by
    `prompts` prompts (1 to 1000), written from `seed`; prompt k of a task is planned with seed
    `seed` + k. `forms` are those of LVD's prompts: "open" or "held back" (see `forms`). A
    `PlanError` counts as an invalid plan, and as not passed. Where the director has a mapping
    `last_report` after a plan, its "rounds", "prompt_tokens", "completion_tokens", "seconds",
    "model_scenes" and "fallback_scenes" are collected. All but the seconds is the same for the
    same director, number and seed.

    Raises `UserError` for a number, seed or word for the forms that will not do, and what the
    director raises other than `PlanError`.
    """
    planner = get_director(director)
    asked = {task: lvd.prompts(task, prompts, seed, forms) for task in lvd.TASKS}
    asked |= {task: vpeval.prompts(task, prompts, seed) for task in vpeval.TASKS}
    tallies = {}
    for task, asks in asked.items():
        tallies[task] = tally = _tally(planner, asks, seed)
        report(f"{name}, {task}: {sum(tally.passed)} of {len(asks)} pass")
    return {
        "version": _VERSION,
        "director": name,
        "prompts": prompts,
        "seed": seed,
        "forms": forms,
        "figures": _figures(tallies),
        "cost": _cost(tallies),
        "misses": [miss for tally in tallies.values() for miss in tally.misses],
    }


def _tally(director: Director, asks: tuple[Ask, ...], seed: int) -> _Tally:
    tally = _Tally()
    for number, ask in enumerate(asks):
        before = getattr(director, "last_report", None)
        began = time.perf_counter()
        plan, why = _planned(director, ask.prompt, seed + number)
        tally.seconds.append(time.perf_counter() - began)
        about = getattr(director, "last_report", None)
        # After a failure it may be the report of the plan before.
        if isinstance(about, Mapping) and (plan is not None or about is not before):
            tally.reports.append(dict(about))
        passed = plan is not None and judge.passes(ask, plan)
        tally.valid.append(plan is not None)
        tally.passed.append(passed)
        if ask.words:
            tally.kept.append(plan is not None and judge.words_kept(ask, plan))
        if not passed:
            tally.misses.append({"task": ask.task, "prompt": ask.prompt, "why": why or "boxes"})
    return tally


def _planned(director: Director, prompt: str, seed: int) -> tuple[VideoPlan | None, str]:
    """The plan, or None and why there is none."""
    try:
        plan = director.plan(prompt, seed)
    except PlanError as error:
        return None, f"no plan: {error}"
    if not isinstance(plan, VideoPlan):
        return None, f"no plan: the director gave {show(plan)}"  # type: ignore[unreachable]
    return plan, ""


def _figures(tallies: Mapping[str, _Tally]) -> dict[str, Any]:
    """Shares with their intervals: of each task, of LVD's five together, of valid plans."""
    figures = {task: statistics.share(tally.passed) for task, tally in tallies.items()}
    kept = tallies["attribution"].kept
    figures["attribution: words kept"] = statistics.share(kept)
    five = [one for task in lvd.TASKS for one in tallies[task].passed]
    figures["LVD, all five"] = statistics.share(five)
    figures["valid"] = statistics.share([one for tally in tallies.values() for one in tally.valid])
    return {name: figure.as_dict() for name, figure in figures.items()}


def _cost(tallies: Mapping[str, _Tally]) -> dict[str, Any]:
    """Means per plan of what the director reports, and seconds by our own clock."""
    seconds = [one for tally in tallies.values() for one in tally.seconds]
    reports = [one for tally in tallies.values() for one in tally.reports]
    cost: dict[str, Any] = {
        "seconds": {
            "mean": plain.fmean(seconds),
            "median": plain.median(seconds),
            "most": max(seconds),
        },
        "reported": {key: _mean(reports, key) for key in _COSTS},
    }
    by_model, by_fallback = (sum(_numbers(reports, key)) for key in _SCENES)
    scenes = by_model + by_fallback
    cost["scenes by the model"] = by_model / scenes if scenes else None
    whole = [not one["fallback_scenes"] for one in reports if _number(one.get("fallback_scenes"))]
    cost["plans by the model"] = statistics.share(whole).as_dict() if whole else None
    return cost


def _mean(reports: list[Mapping[str, Any]], key: str) -> float | None:
    values = _numbers(reports, key)
    return plain.fmean(values) if values else None


def _numbers(reports: list[Mapping[str, Any]], key: str) -> list[float]:
    return [one[key] for one in reports if _number(one.get(key))]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
