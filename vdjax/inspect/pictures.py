"""Records to pictures: plans, attention over frames, gates by layer.

Arrays enter, matplotlib figures and plain images leave; nothing is shown and no global state of
matplotlib is used. Colour maps are read alike by colour-blind readers, and every figure says in
numbers what its colours mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from vdjax.inspect.colours import COLOURS, overlay
from vdjax.inspect.gates import Gate
from vdjax.inspect.records import Spot, chance, mass_in_box
from vdjax.plan import VideoPlan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["attention_figure", "gate_figure", "overlay", "plan_figure"]

# Okabe and Ito's colours, with a line style each: told apart without colour too.
ENTITY_STYLES = (
    ("#d55e00", "-"),
    ("#0072b2", "--"),
    ("#009e73", "-."),
    ("#cc79a7", ":"),
    ("#e69f00", "-"),
    ("#56b4e9", "--"),
    ("#7b4fb5", "-."),
)


def plan_figure(plan: VideoPlan, columns: int = 4) -> Figure:
    """A plan before anything is drawn: per scene, each entity's first box (thin), its last box
    (thick) and the way of its centre from keyframe to keyframe (dots)."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    names = list(dict.fromkeys(name for scene in plan.scenes for name in scene.entities))
    styles = {name: ENTITY_STYLES[i % len(ENTITY_STYLES)] for i, name in enumerate(names)}
    wide = min(columns, len(plan.scenes))
    tall = -(-len(plan.scenes) // wide)
    figure = Figure(figsize=(3 * wide, 3.3 * tall), dpi=80, layout="constrained")
    axes = list(figure.subplots(tall, wide, squeeze=False).flat)
    for axis in axes:
        axis.axis("off")
    for number, (axis, scene) in enumerate(zip(axes, plan.scenes, strict=False), 1):
        axis.axis("on")
        for name in scene.entities:
            colour, line = styles[name]
            boxes = [keyframe[name] for keyframe in scene.keyframes if name in keyframe]
            for box, thickness in ((boxes[0], 0.8), (boxes[-1], 2.4)):
                spread = (box[2] - box[0], box[3] - box[1])
                axis.add_patch(
                    Rectangle(box[:2], *spread, fill=False, ec=colour, ls=line, lw=thickness)
                )
            middles = np.array([((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes])
            axis.plot(*middles.T, color=colour, marker=".", markersize=4, linewidth=1)
            axis.text(boxes[-1][0] + 0.01, boxes[-1][1] + 0.01, name, color=colour, va="top")
        axis.set(xlim=(0, 1), ylim=(1, 0), aspect="equal", xticks=(0, 1), yticks=(0, 1))
        axis.set_title(f"scene {number}: {scene.background}", fontsize=10)
    return figure


def attention_figure(
    frames: UInt8[np.ndarray, "frame tall wide 3"],
    maps: Mapping[str, Float[np.ndarray, "frame height width"]],
    boxes: Mapping[str, Sequence[Spot | None]],
    title: str,
    columns: int = 4,
) -> Figure:
    """Frames in the first row, then a row per token: where it is looked at, and its box.

    Above each map stands the share of it inside the box, and in brackets the share that an even map
    would have. One scale of colours for all tokens, from the least to the most of
    what is shown: read its numbers, for a small difference looks large.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    shown = [round(i) for i in np.linspace(0, len(frames) - 1, min(columns, len(frames)))]
    drawn = np.concatenate([heat[shown].ravel() for heat in maps.values()])
    limits = float(drawn.min()), float(drawn.max())
    size = (2.1 * len(shown) + 1.2, 2.25 * (1 + len(maps)) + 0.4)
    figure = Figure(figsize=size, dpi=80, layout="constrained")
    axes = figure.subplots(1 + len(maps), len(shown), squeeze=False)
    for column, index in enumerate(shown):
        axes[0, column].imshow(frames[index])
        axes[0, column].set_title(f"frame {index + 1} of {len(frames)}", fontsize=9)
    axes[0, 0].set_ylabel("film", fontsize=10)
    for row, (name, heat) in enumerate(maps.items(), 1):
        inside, even = mass_in_box(heat, boxes[name]), chance(boxes[name])
        axes[row, 0].set_ylabel(name, fontsize=10)
        for column, index in enumerate(shown):
            axes[row, column].imshow(overlay(frames[index], heat[index], limits))
            _outline(axes[row, column], boxes[name][index], frames.shape[1:3])
            if np.isfinite(inside[index]):
                text = f"{inside[index]:.0%} inside (even: {even[index]:.0%})"
                axes[row, column].set_title(text, fontsize=8)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    scale = ScalarMappable(Normalize(*limits), COLOURS)
    bar = figure.colorbar(scale, ax=axes[1:], shrink=0.7, pad=0.02)
    bar.set_label("attention weight", fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _outline(axis, box: Spot | None, size: tuple[int, ...]) -> None:
    """The box in white on black, visible on any colour; nothing where there is none."""
    from matplotlib.patches import Rectangle

    if box is None:
        return
    tall, wide = size
    corner = (box[0] * wide - 0.5, box[1] * tall - 0.5)
    spread = ((box[2] - box[0]) * wide, (box[3] - box[1]) * tall)
    for colour, thickness in (("black", 3.0), ("white", 1.2)):
        axis.add_patch(
            Rectangle(corner, *spread, fill=False, edgecolor=colour, linewidth=thickness)
        )


def gate_figure(gates: Sequence[Gate], title: str) -> Figure:
    """Two bars per guided layer, in running order: the attention gate and the feed-forward gate."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3), dpi=80, layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(gates))
    pairs = (("attention gate", "//", "#0072b2"), ("feed-forward gate", "", "#e69f00"))
    values = ([gate.attention for gate in gates], [gate.dense for gate in gates])
    for shift, (label, hatch, colour), heights in zip((-0.2, 0.2), pairs, values, strict=True):
        axis.bar(places + shift, heights, 0.38, label=label, hatch=hatch, color=colour, ec="white")
    axis.set_xticks(places, [gate.layer for gate in gates])
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xlabel("guided layer, in the order in which they run")
    axis.set_ylabel("tanh(gate), no unit")
    axis.set_title(title, fontsize=11)
    figure.legend(fontsize=9, loc="outside lower center", ncols=2)
    return figure
