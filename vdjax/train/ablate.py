"""The paper's ablations in small: layout training varied one thing at a time, several seeds each.

The storybook system and encoded samples enter; for each way of training (an `Arm`) and each seed
its gated layers go on learning that way, and films of held-out plans are measured; a table with
intervals over the seeds leaves. The paper's tables 4 and 10 to 12 ask the same of the full-size
model, trained afresh for each row. Here that is an option: gates that begin shut need thousands of
steps before films heed a box. What was trained or seen before is not done again, so an ablation
that was killed goes on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import stdtrit  # JAX's own dependency

from vdjax.errors import UserError
from vdjax.evaluate.generator import Generator
from vdjax.evaluate.layout import run as measure
from vdjax.files import replace_file
from vdjax.model.params import merge_params
from vdjax.plan import VideoPlan
from vdjax.systems.loaded import LoadedModel, load
from vdjax.train.guided import GuidedStage, Recipe, told
from vdjax.train.layout import layout_stage
from vdjax.train.loop import run_stage
from vdjax.train.stage import Schedule
from vdjax.train.stages import SAMPLES, Workshop
from vdjax.weights.store import load_tree

LEAST_SEEDS = 3
"""Fewer say nothing of how far seeds lie apart."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way of training, and the share of steps that its films are guided for: the plans' own
    where it is None. `trained_as` names the arm whose weights it takes, where it is trained alike.
    """

    label: str
    recipe: Recipe = field(default_factory=Recipe)
    alpha: float | None = None
    trained_as: str | None = None
    learns: bool = True

    @property
    def folder(self) -> str:
        """The name of the folder of its trainings."""
        words = re.findall(r"[a-z0-9]+", (self.trained_as or self.label).lower())
        return "-".join(words)


PAPER = "the gates, on still pictures"
"""The arm that every ablation has: the paper's way."""

BEFORE = Arm(label="before training", learns=False)

ABLATIONS: dict[str, tuple[Arm, ...]] = {
    "share": (
        BEFORE,
        Arm(label="5 %", recipe=Recipe(trained="0.05")),
        Arm(label="gates alone (the paper's 13 %)", trained_as=PAPER),
        Arm(label="guided attention (its 27 %)", recipe=Recipe(trained="guided")),
        Arm(label="50 %", recipe=Recipe(trained="0.5")),
        Arm(label="all (100 %)", recipe=Recipe(trained="full")),
    ),
    "tokens": (
        BEFORE,
        Arm(label="told by text", recipe=Recipe(told_by="text")),
        Arm(label="told by image", recipe=Recipe(told_by="image")),
        Arm(label="told by both", trained_as=PAPER),
    ),
    "place": (
        BEFORE,
        Arm(label="box", trained_as=PAPER),
        Arm(label="centre point", recipe=Recipe(place="centre")),
        Arm(label="no place", recipe=Recipe(place="none")),
    ),
    "video": (
        BEFORE,
        Arm(label="still pictures", trained_as=PAPER),
        Arm(label="clips", recipe=Recipe(video=True)),
    ),
    "alpha": tuple(
        Arm(label=f"alpha {alpha:g}", alpha=alpha, trained_as=PAPER)
        for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)
    ),
}
"""What each ablation varies. With four denoising steps alpha moves by quarters."""

CLIP_ROWS = 8
"""A clip stands for so many stills in a batch: it costs sixteen, and a batch has one at least."""

FIGURES = (
    ("iou", "mean IoU"),
    ("boxes filled", "boxes filled"),
    ("object", "object"),
    ("movement", "movement"),
    ("identity", "identity"),
)


def ablate(
    name: str,
    out: str | Path,
    *,
    steps: int = 300,
    batch_size: int = 16,
    learning_rate: float = 3e-4,
    afresh: bool = False,
    seeds: int = LEAST_SEEDS,
    plans: int = 12,
    samples: Mapping[str, int] | None = None,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train and measure every arm of an ablation with every seed.

    Args:
        name: one of `ABLATIONS`.
        out: gains a folder per arm and seed, `NAME.json` and `NAME.txt`; runs of several ablations
            may share it, and what they train alike is trained once.
        steps, batch_size, learning_rate: of each training; the rest is as for the shipped weights.
        afresh: begin with shut gates and a random grounding net, not with those that ship.
        seeds: how many trainings of each arm.
        plans: how many of the held-out plans each training is measured on.
        samples: how many pictures ("image") and clips ("clip") are learnt from.
        report: takes lines of progress.

    Returns:
        The result as written to `NAME.json`.

    Raises:
        UserError: there is no such ablation, or the seeds are too few for an interval.
    """
    if name not in ABLATIONS:
        raise UserError(f"ablation {name!r} is unknown: use one of {', '.join(ABLATIONS)}")
    if seeds < LEAST_SEEDS:
        raise UserError(f"seeds is {seeds}: an interval over them needs at least {LEAST_SEEDS}")
    out = Path(out)
    model = load("storybook")
    workshop = Workshop(out, model.preset, {**SAMPLES, **(samples or {})}, report)
    schedule = Schedule(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=steps // 5,
        ema_decay=0.98,
    )
    arms: dict[str, Any] = {}
    shares: dict[str, float] = {}
    for arm in ABLATIONS[name]:
        found = []
        for seed in range(seeds):
            folder = out / arm.folder / f"seed_{seed}"
            report(f"{name}: {arm.label}, seed {seed}, in {folder}")
            weights = None
            if arm.learns:
                stage = _stage(model, arm, workshop, schedule, seed, warm_start=not afresh)
                shares[arm.label] = share_of(stage)
                weights = run_stage(stage, folder, report=report)
            found.append(_measured(model, weights, arm, folder, seed, plans, report))
        arms[arm.label] = [{key: one[key]["value"] for key, _ in FIGURES} for one in found]
    result = {
        "ablation": name,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "afresh": afresh,
        "seeds": seeds,
        "plans": plans,
        "samples": workshop.counts,
        "shares": shares,
        "arms": arms,
    }
    replace_file(out / f"{name}.json", (json.dumps(result, indent=1) + "\n").encode())
    replace_file(out / f"{name}.txt", (format_table(result) + "\n").encode())
    return result


def _stage(
    model: LoadedModel,
    arm: Arm,
    workshop: Workshop,
    schedule: Schedule,
    seed: int,
    *,
    warm_start: bool,
) -> GuidedStage:
    size = schedule.batch_size
    size = max(1, size // CLIP_ROWS) if arm.recipe.video else size
    rows = workshop.rows("clip" if arm.recipe.video else "image")
    given = replace(schedule, seed=seed, batch_size=size)
    return layout_stage(model, given, rows, arm.recipe, warm_start=warm_start)


def share_of(stage: GuidedStage) -> float:
    """The part that learns of the parameters of the UNet and the grounding net."""

    def size(tree: Any) -> int:
        return sum(leaf.size for leaf in jax.tree_util.tree_leaves(tree))

    trained, _ = stage.init()
    return size(trained) / size((stage.start, stage.grounding_start))


def _measured(
    model: LoadedModel,
    weights: Path | None,
    arm: Arm,
    folder: Path,
    seed: int,
    plans: int,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """What the films of one training show, or those of the system itself."""
    params = dict(model.params)
    if weights is not None:
        tree = jax.tree_util.tree_map(jnp.asarray, load_tree(weights)[0])
        params |= {"unet": merge_params(params["unet"], tree["unet"]), "net": tree["net"]}
    made = Generator(
        model=replace(model, params=params), alpha=arm.alpha, told_by=arm.recipe.told_by
    )

    def render(plan: VideoPlan, seed: int, **options: bool) -> Any:
        return made(placed(plan, arm.recipe.place), seed, **options)

    result = measure(
        render,
        plans=plans,
        seed=seed,
        out=folder / ("films" if arm.alpha is None else f"films_alpha_{arm.alpha:g}"),
        report=report,
        generator=made.name,
        arms=("gates",),
    )
    figures: dict[str, Any] = result["arms"]["gates"]
    return figures


def placed(plan: VideoPlan, place: str) -> VideoPlan:
    """The plan with its boxes as a recipe's `place` tells them."""

    def shown(boxes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: told(np.array(box), place).tolist() for name, box in boxes.items()}

    data = json.loads(plan.to_json())
    for scene in data["scenes"]:
        scene["keyframes"] = [shown(boxes) for boxes in scene["keyframes"]]
    return VideoPlan.parse(json.dumps(data))


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean, and its 95 % interval by Student's t over the seeds."""
    mean, count = float(np.mean(values)), len(values)
    half = float(stdtrit(count - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(count))
    return mean, mean - half, mean + half


def format_table(result: Mapping[str, Any]) -> str:
    """The result of `ablate` as lines of a table."""
    rows = [["", "trained", *(title for _, title in FIGURES)]]
    for label, found in result["arms"].items():
        row = [label, f"{100 * result['shares'].get(label, 0.0):.0f} %"]
        for key, _ in FIGURES:
            values = [one[key] for one in found if one[key] is not None]
            if len(values) < LEAST_SEEDS:
                row.append("–")
                continue
            mean, low, high = over_seeds(values)
            row.append(f"{mean:.2f} [{max(0.0, low):.2f}, {min(1.0, high):.2f}]")
        rows.append(row)
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]
    began = "from shut gates" if result["afresh"] else "from the gates that ship"
    head = (
        f"Ablation {result['ablation']}: {result['seeds']} seeds, {result['steps']} steps of "
        f"{result['batch_size']} {began}, {result['plans']} held-out plans each; "
        "means over the seeds, in brackets the 95 % interval"
    )
    return "\n".join([head, *lines])
