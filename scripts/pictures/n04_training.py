"""04: what is learnt from, what learns, and how gates move."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Circle, Rectangle

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, PINK, arrow, block, page, save


def draw() -> None:
    figure, axis = page(10.4, 3.4)
    axis.text(0.15, 0.3, "a picture with boxes, and noise", fontsize=12, fontweight="bold")
    _picture(axis, 0.15, 0.85)
    arrow(axis, (1.7, 1.55), (2.05, 1.55))
    rng = np.random.default_rng(0)
    axis.imshow(rng.random((12, 12)), cmap="gray", extent=(2.1, 3.5, 2.25, 0.85), zorder=1)
    axis.text(2.1, 2.5, r"$z_t$: which noise was added?", fontsize=8)
    axis.text(0.15, 2.5, "“a cat beside a tree”", fontsize=8)
    axis.text(0.15, 2.8, "cat: box   tree: box", fontsize=8)
    arrow(axis, (3.55, 1.55), (3.95, 1.55))

    axis.text(4.0, 0.3, "nearly all stands still", fontsize=12, fontweight="bold")
    for column in range(4):
        x = 4.05 + 0.75 * column
        block(axis, x, 0.85, 0.45, 1.4, "", GREY)
        _lock(axis, x + 0.22, 1.5)
        block(axis, x + 0.49, 0.85, 0.16, 1.4, "", ORANGE)
    block(axis, 4.45, 2.62, 2.5, 0.4, "grounding MLP", PINK)
    for column in range(4):
        x = 4.05 + 0.75 * column
        arrow(axis, (x + 0.5, 2.6), (x + 0.57, 2.28), PINK)
    axis.text(4.0, 3.25, "orange and pink learn: 13 % in the paper", fontsize=8)

    axis.text(7.5, 0.3, "do the gates move?", fontsize=12, fontweight="bold")
    axis.plot([7.6, 7.6, 10.2], [0.8, 2.7, 2.7], color="black", lw=1)
    steps = np.linspace(0, 1, 50)
    axis.plot(7.6 + 2.5 * steps, 2.65 - 1.6 * (1 - np.exp(-3 * steps)), color=GREEN, lw=2)
    axis.plot(7.6 + 2.5 * steps, 2.62 + 0.03 * np.sin(30 * steps), color=BLUE, lw=2, ls="--")
    axis.text(8.45, 1.0, "open", fontsize=9, color=GREEN)
    axis.text(8.9, 2.45, "stays shut", fontsize=9, color=BLUE)
    axis.text(8.5, 2.98, "steps of training", fontsize=9)
    axis.text(7.42, 1.75, r"$\tanh(\alpha)$", fontsize=9, rotation=90, va="center", ha="center")
    axis.set(xlim=(0, 10.4), ylim=(3.4, 0), aspect="auto")
    save(figure, "04_training.png")


def _picture(axis, x: float, y: float) -> None:
    axis.add_patch(Rectangle((x, y), 1.5, 1.4, fc="#dff0fa", ec="black", lw=1))
    axis.add_patch(Rectangle((x, y + 0.95), 1.5, 0.45, fc="#f3e3b3", ec="none"))
    axis.add_patch(Circle((x + 0.4, y + 0.85), 0.2, fc="#e0a060", ec="none"))
    axis.add_patch(Rectangle((x + 1.02, y + 0.45), 0.1, 0.6, fc="#8a5a2b", ec="none"))
    axis.add_patch(Circle((x + 1.07, y + 0.42), 0.24, fc="#6dbb63", ec="none"))
    for box, colour in (((0.15, 0.6, 0.5, 0.5), BLUE), ((0.78, 0.14, 0.58, 0.95), ORANGE)):
        left, top, wide, high = box
        axis.add_patch(Rectangle((x + left, y + top), wide, high, fill=False, ec=colour, lw=2))


def _lock(axis, x: float, y: float) -> None:
    axis.add_patch(Circle((x, y), 0.08, fill=False, ec="#444444", lw=2))
    axis.add_patch(Rectangle((x - 0.12, y), 0.24, 0.2, fc="#444444", ec="none"))
