"""05: the two phases of the steps."""

from __future__ import annotations

import numpy as np

from pictures.drawing import GREY, ORANGE, arrow, page, save


def draw() -> None:
    figure, axis = page(10.4, 2.3)
    gated, steps, side = 5, 8, 0.78
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.25, 0.85, 32)
    clear = np.sin(6 * ramp)[:, None] * np.cos(9 * ramp)[None, :] * 0.5 + 0.5
    for step in range(steps + 1):
        share = step / steps
        picture = share * clear + (1 - share) * rng.random((32, 32))
        x = 0.9 + step * 1.02
        axis.imshow(picture, cmap="cividis", extent=(x, x + side, 1.45, 0.67), vmin=0, vmax=1)
        if step < steps:
            colour = ORANGE if step < gated else GREY
            arrow(axis, (x + side, 1.06), (x + 1.02, 1.06), colour)
    axis.text(0.1, 1.06, "noise", fontsize=11, va="center")
    axis.text(9.9, 1.06, "film", fontsize=11, va="center")
    middle = 0.9 + side + gated * 1.02
    for start, end, colour, text in (
        (0.9 + side, middle - 0.05, ORANGE, "gates on: the first ⌊αN⌋ steps"),
        (middle + 0.05, 9.84, GREY, "gates off: a program without the gated layers"),
    ):
        axis.plot([start, start, end, end], [1.6, 1.7, 1.7, 1.6], color=colour, lw=2)
        axis.text((start + end) / 2, 1.95, text, fontsize=10, ha="center", va="center")
    axis.text(0.9, 0.4, "N = 8 steps, α = 0.625", fontsize=10)
    axis.set(xlim=(0, 10.4), ylim=(2.3, 0))
    save(figure, "05_two_phases.png")
