"""06: watching says where, intervening says whether it matters."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Rectangle

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, arrow, block, page, save


def draw() -> None:
    figure, axis = page(10.4, 3.5)
    down, across = np.mgrid[0:16, 0:16] / 15
    axis.text(0.15, 0.3, "watching", fontsize=12, weight="bold", va="center", color=BLUE)
    axis.text(0.15, 3.25, "where is the token read?", fontsize=10, va="center")
    block(axis, 0.15, 1.3, 1.0, 0.8, "network", BLUE, 10)
    rng = np.random.default_rng(0)
    within = (abs(across - 0.65) < 0.25) & (abs(down - 0.4) < 0.25)
    for column, step in enumerate((1, 4, 8)):
        x = 1.65 + 1.2 * column
        heat = 0.1 + 0.65 * within + 0.15 * rng.random(within.shape)
        axis.imshow(heat, cmap="viridis", extent=(x, x + 1, 2.2, 1.2), vmin=0, vmax=1)
        box = (x + 0.4, 1.35), 0.5, 0.5
        axis.add_patch(Rectangle(*box, fill=False, ec="black", lw=3))
        axis.add_patch(Rectangle(*box, fill=False, ec="white", lw=1.3))
        axis.text(x + 0.5, 2.45, f"step {step}", ha="center", va="center", fontsize=9)
    arrow(axis, (1.15, 1.7), (1.6, 1.7), BLUE)
    axis.text(3.35, 0.95, "attention maps", ha="center", va="center", fontsize=9)
    axis.plot([5.5, 5.5], [0.15, 3.35], color=GREY, lw=1, ls="--")

    axis.text(5.75, 0.3, "intervening", fontsize=12, weight="bold", va="center", color=ORANGE)
    axis.text(5.75, 3.25, "does it matter that it is read?", fontsize=10, va="center")
    for top, text, colour, left in ((0.6, "as it is", BLUE, 0.5), (1.95, "box moved", ORANGE, 0.1)):
        block(axis, 5.75, top + 0.1, 1.5, 0.8, text, colour, 10)
        arrow(axis, (7.25, top + 0.5), (7.75, top + 0.5), colour)
        axis.add_patch(Rectangle((7.8, top), 1, 1, fc="#eeeeee", ec=GREY))
        axis.add_patch(Rectangle((7.8 + left, top + 0.2), 0.4, 0.45, fc=colour, ec="none"))
        arrow(axis, (8.8, top + 0.5), (9.35, 1.77), GREY)
    block(axis, 9.35, 1.35, 0.95, 0.85, "compare", GREEN, 10)
    axis.set(xlim=(0, 10.4), ylim=(3.5, 0))
    save(figure, "06_looking_inside.png")
