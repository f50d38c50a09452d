"""02: how a token is made, and the layer that reads it."""

from __future__ import annotations

from matplotlib.patches import Rectangle

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, PINK, arrow, block, page, save


def draw() -> None:
    figure, axis = page(10.4, 3.4)
    axis.text(0.15, 0.3, "one token per thing and frame", fontsize=12, fontweight="bold")
    parts = (
        ("box", "Fourier code", BLUE),
        ("word", "CLIP text", ORANGE),
        ("picture", "CLIP image", GREEN),
    )
    for row, (what, how, colour) in enumerate(parts):
        y = 0.7 + 0.75 * row
        block(axis, 0.15, y, 0.85, 0.5, what, colour)
        arrow(axis, (1.02, y + 0.25), (1.28, y + 0.25))
        block(axis, 1.3, y, 1.2, 0.5, how, colour)
        arrow(axis, (2.52, y + 0.25), (2.98, 1.7), colour)
    block(axis, 3.0, 1.3, 0.75, 0.8, "MLP", GREY, 10)
    arrow(axis, (3.77, 1.7), (4.03, 1.7))
    block(axis, 4.05, 1.45, 0.6, 0.5, "token", PINK)
    axis.text(5.2, 0.3, "the gated layer", fontsize=12, fontweight="bold")
    for i in range(8):
        colour = BLUE if i < 5 else PINK
        axis.add_patch(Rectangle((5.2 + 0.3 * i, 2.6), 0.26, 0.26, fc=colour + "66", ec=colour))
    axis.text(5.2, 3.22, "visual tokens", fontsize=9, color=BLUE)
    axis.text(6.7, 3.22, "grounding tokens", fontsize=9, color=PINK)
    arrow(axis, (6.4, 2.55), (6.4, 2.32))
    block(axis, 5.2, 1.8, 2.36, 0.5, "self-attention over all of them", GREY)
    arrow(axis, (5.95, 1.77), (5.95, 1.48))
    axis.text(6.05, 1.66, "keep the visual rows", fontsize=8)
    block(axis, 5.2, 0.95, 1.5, 0.5, r"$\times\ \tanh(\alpha)$, the gate", ORANGE)
    arrow(axis, (6.72, 1.2), (8.0, 1.2))
    axis.text(8.15, 1.2, "+", fontsize=16, ha="center", va="center")
    arrow(axis, (8.3, 1.2), (8.75, 1.2))
    axis.text(8.8, 1.2, "visual tokens,\nchanged", fontsize=9, va="center", color=BLUE)
    axis.plot([5.2, 6.66, 5.95, 5.95, 8.15, 8.15], [2.92, 2.92, 2.92, 3.0, 3.0, 1.45], color=BLUE)
    arrow(axis, (8.15, 1.6), (8.15, 1.38), BLUE)
    axis.text(
        8.25, 2.2, "unchanged way:\nall that is left\nif the gate is 0", fontsize=8, color=BLUE
    )
    save(figure, "02_tokens.png")
