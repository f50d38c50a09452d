"""Do the gates open, and do the boxes do anything? A rule, its evidence, and what to change.

A run's records enter; one of five answers leaves, with the numbers it rests on and, where the
answer is no, the usual causes: first those that this run's settings speak for. People who train
GLIGEN on their own pictures report most often that "boxes do nothing"; its own recipe is AdamW at
5e-5, constant after 10,000 steps of warm-up, from gates at zero, for up to 500,000 steps, and
VideoDirectorGPT's 50,000 steps of 8 × 32 pictures at 5e-5 (appendix D.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from vdjax.train.reporting.records import Run

SHUT = 0.02
"""Mean size of tanh(gate) below which gates count as shut: a fiftieth of what the layer computes is
let through. Ours."""

EARLY = 0.1
"""Share of the planned steps before which nothing is called shut."""

CHANCE = 1.1
"""Attention inside boxes counts as more than chance from this many times their area on. Ours."""

SAME_PICTURE = 1 / 255
"""Samples with and without gates count as the same below this mean distance: one shade of 255."""

OPEN, SHUT_ANSWER, IDLE, TOO_EARLY, UNKNOWN = "open", "shut", "idle", "early", "unknown"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why gates stay shut or idle; `likely` where this run's own settings or log speak for it."""

    likely: bool
    why: str
    change: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`answer` is "open", "shut", "idle" (open, and the boxes do nothing), "early" or "unknown"."""

    answer: str
    headline: str
    evidence: tuple[str, ...]
    causes: tuple[Cause, ...]


def judge(run: Run) -> Verdict:
    """The answer for a run as far as it has come.

    Shut: the mean size of tanh(gate) is below `SHUT` after `EARLY` of the planned steps. Idle:
    gates are open, and samples with and without them are the same (`SAME_PICTURE`), or attention
    inside the boxes is at chance (`CHANCE`), or no more boxes are filled than without gates. Of
    what was not measured nothing is said. Gates that were open at the first entry of the log (this
    package's own start, see `open_gate`) have shown nothing by being open; the headline says so.
    """
    gate = _last(run, "gate/mean", "gate")
    evidence = tuple(_evidence(run))
    if gate is None:
        return Verdict(
            answer=UNKNOWN,
            headline="Not known: the log holds no gates.",
            evidence=evidence,
            causes=(),
        )
    if run.steps and run.step < EARLY * run.steps:
        return Verdict(
            answer=TOO_EARLY,
            headline=f"Too early to say: step {run.step:,} of {run.steps:,} "
            f"({run.step / run.steps:.0%}; asked for from {EARLY:.0%} on).",
            evidence=evidence,
            causes=(),
        )
    if gate < SHUT:
        headline = (
            f"No: the gates are shut. At step {run.step:,} the mean size of tanh(gate) is "
            f"{gate:.4f}, below {SHUT}: the boxes reach next to nothing."
        )
        return Verdict(answer=SHUT_ANSWER, headline=headline, evidence=evidence, causes=causes(run))
    if idle := _idle(run):
        headline = f"The gates are open ({gate:.2f}), but the boxes do nothing: {idle}."
        return Verdict(answer=IDLE, headline=headline, evidence=evidence, causes=causes(run))
    began = _first(run, "gate/mean", "gate")
    watched = [_last(run, name) for name in ("sheet/difference", "attention/inside", "layout/iou")]
    headline = f"Yes: the gates are open. The mean size of tanh(gate) is {gate:.2f}."
    if began is not None and began >= SHUT:
        headline = (
            f"The gates are open ({gate:.2f}), and were from the start ({began:.2f}): that alone "
            "says nothing."
        )
        if watched != [None] * 3:
            headline += " Yes, the boxes do something, by what was watched."
    if watched == [None] * 3:
        headline += " Whether the boxes do anything was not watched."
    return Verdict(answer=OPEN, headline=headline, evidence=evidence, causes=())


def _idle(run: Run) -> str:
    """What says that open gates do nothing; empty where nothing does."""
    apart = _last(run, "sheet/difference")
    if apart is not None and apart < SAME_PICTURE:
        return (
            f"samples with and without gates are the same (they differ by {255 * apart:.2f} "
            "shades of 255)"
        )
    inside, even = _last(run, "attention/inside"), _last(run, "attention/chance")
    if inside is not None and even is not None and inside < CHANCE * even:
        return f"attention inside them is at chance ({inside:.1%}, even attention {even:.1%})"
    iou, without = _last(run, "layout/iou"), _last(run, "layout/iou_without")
    if iou is not None and without is not None and iou <= without:
        return f"things lie in them no better than without gates (IoU {iou:.2f}, {without:.2f})"
    return ""


def _evidence(run: Run) -> Iterator[str]:
    names = [name for name in ("gate/mean", "gate") if _last(run, name) is not None]
    if names:
        _, values = run.column(names[0])
        yield (
            f"Mean size of tanh(gate), attention gates: {values[0]:.3f} at first, {values[-1]:.3f} "
            f"now; shut is below {SHUT}."
        )
    else:
        yield "Gates: not in the log."
    inside, even = _last(run, "attention/inside"), _last(run, "attention/chance")
    if inside is not None and even is not None:
        first = run.column("attention/inside")[1][0]
        yield (
            f"Attention inside the boxes: {first:.1%} at first, {inside:.1%} now; even attention "
            f"would have {even:.1%}."
        )
    else:
        yield "Attention inside the boxes: not watched."
    apart = _last(run, "sheet/difference")
    yield (
        "Samples with and without gates: not watched."
        if apart is None
        else f"Samples with and without gates differ by {255 * apart:.1f} shades of 255."
    )
    iou, without = _last(run, "layout/iou"), _last(run, "layout/iou_without")
    if iou is not None and without is not None:
        low, high = (_last(run, f"layout/iou_{end}") for end in ("low", "high"))
        spread = f" [{low:.2f}, {high:.2f}]" if low is not None and high is not None else ""
        yield (
            f"Boxes and what is found of them overlap by {iou:.2f}{spread} (IoU); without gates "
            f"by {without:.2f}."
        )
    else:
        yield "Things found in their boxes: not watched."


def causes(run: Run) -> tuple[Cause, ...]:
    """The usual causes, the likely ones first; what this run's settings rule out is left out."""
    found = [cause for ask in _QUESTIONS for cause in ask(run)]
    return tuple(sorted(found, key=lambda cause: not cause.likely))


def gate_reach(run: Run) -> float | None:
    """How far Adam can have moved a gate at most: the sum of the learning rates so far.

    Adam moves a number by about the rate at most (Kingma & Ba 2015, section 2.1). None where the
    schedule is not known.
    """
    peak, warmup = run.setting("learning_rate"), run.setting("warmup_steps") or 0
    if not isinstance(peak, int | float) or not isinstance(warmup, int):
        return None
    steps = np.arange(run.step)
    rate = np.where(steps < warmup, steps / max(warmup, 1), 1.0)
    if run.setting("decay") != "constant" and run.steps:
        least = run.setting("final_fraction") or 0.0
        along = np.clip((steps - warmup) / max(run.steps - warmup, 1), 0.0, 1.0)
        falls = least + (1.0 - least) * (1.0 + np.cos(np.pi * along)) / 2
        rate = np.where(steps < warmup, rate, falls)
    return float(peak * rate.sum())


def _rate(run: Run) -> Iterator[Cause]:
    reach = gate_reach(run)
    change = (
        "Train longer (--steps), at a higher rate (--learning-rate), or with a shorter warm-up "
        "(--warmup). GLIGEN: "
        "0.00005, constant after 10,000 steps of warm-up, for up to 500,000 steps; "
        "VideoDirectorGPT: 0.00005 for 50,000; the storybook's weights, in the end: 0.0012 for "
        "10,000 of 256 pictures."
    )
    if reach is None:
        yield Cause(likely=False, why="Too few steps, or too small a learning rate.", change=change)
        return
    why = (
        f"Too few steps at too small a rate: the learning rates of {run.step:,} steps add up to "
        f"{reach:.3g}, and Adam moves no number further than that; in practice much less, "
        "because noise drives it back and forth."
    )
    yield Cause(likely=reach < 10 * SHUT, why=why, change=change)


def _zero_start(run: Run) -> Iterator[Cause]:
    known = _has(run.config, "open_gate")
    if known and run.setting("open_gate") is not None:
        return
    yield Cause(
        likely=known,
        why="Gates that start at zero (GLIGEN's start) pass no gradient to the layers behind them, "
        "and noise that moves a gate over zero turns that gradient's sign.",
        change="Start with open gates and zero output projections, which computes the same at "
        "first and learns from the first step (open_gate 0.5, the default here), or train as long "
        "as GLIGEN does.",
    )


def _captions(run: Run) -> Iterator[Cause]:
    kept = run.setting("caption_kept")
    if isinstance(kept, int | float) and kept < 0.8:
        return
    yield Cause(
        likely=kept is not None,
        why="Captions that are always there: the text explains the picture, and boxes have nothing "
        "left to tell.",
        change="Leave captions out half the time (--caption-kept 0.5), as GLIGEN does.",
    )


def _batch(run: Run) -> Iterator[Cause]:
    size = run.setting("batch_size")
    if isinstance(size, int) and size >= 32:
        return
    yield Cause(
        likely=isinstance(size, int),
        why="Few pictures in a step: the gradient of a gate is mostly noise"
        + (f" (here {size})." if isinstance(size, int) else "."),
        change="A larger batch (--batch; --accumulate where memory is short). IGLIGEN has 32 in "
        "all, VideoDirectorGPT 256.",
    )


def _average(run: Run) -> Iterator[Cause]:
    """Only where it is seen: this package's average follows closely at first, GLIGEN has none."""
    own, averaged = _last(run, "gate"), _last(run, "gate/mean")
    if own is not None and averaged is not None and averaged < own / 2:
        yield Cause(
            likely=True,
            why=f"The average of the weights, which is watched and kept, lags behind: tanh(gate) "
            f"is {averaged:.4f} in it, and {own:.4f} in the weights themselves.",
            change="A smaller decay of the average (--ema) for a short run.",
        )


def _skipped(run: Run) -> Iterator[Cause]:
    _, finite = run.column("finite")
    bad = int((finite == 0).sum())
    if bad > 0.01 * max(len(finite), 1):
        yield Cause(
            likely=True,
            why=f"{bad:,} of {len(finite):,} logged steps were skipped, for their loss or gradient "
            "was not finite.",
            change="Look at the skipped steps below and at their pictures; a smaller learning "
            "rate, or float32.",
        )


def _boxes(run: Run) -> Iterator[Cause]:
    del run
    yield Cause(
        likely=False,
        why="Few boxes, or small ones: those under 1 % of the picture are dropped, as in GLIGEN, "
        "and a box of less than a latent cell says little.",
        change="See in the settings how many boxes and samples were dropped, and why.",
    )
    yield Cause(
        likely=False,
        why="Boxes that are not where the things are: mirrored pictures, x and y exchanged, or "
        "boxes of the picture before it was cropped.",
        change="Look at the first column of the contact sheets.",
    )


_QUESTIONS = (_rate, _zero_start, _captions, _batch, _average, _skipped, _boxes)


def _last(run: Run, *names: str) -> float | None:
    """The last finite value of the first of these that the log has."""
    for name in names:
        values = run.column(name)[1]
        if len(values := values[np.isfinite(values)]):
            return float(values[-1])
    return None


def _first(run: Run, *names: str) -> float | None:
    """The first finite value of the first of these that the log has."""
    for name in names:
        values = run.column(name)[1]
        if len(values := values[np.isfinite(values)]):
            return float(values[0])
    return None


def _has(config: Any, name: str) -> bool:
    if not isinstance(config, dict):
        return False
    return name in config or any(_has(value, name) for value in config.values())
