"""10: a picture and a word on their way into one token, and a plan that people change."""

from __future__ import annotations

from matplotlib.patches import Rectangle

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, PINK, arrow, block, page, save


def draw() -> None:
    figure, axis = page(10.4, 3.9)
    axis.text(0.15, 0.3, "which one: a picture in the place of a thing", fontsize=12, weight="bold")
    for y, names, colour in (
        (0.6, ("your picture", "middle square", "CLIP image", "128 numbers"), GREEN),
        (1.3, ("its name", "words", "CLIP text", "128 numbers"), ORANGE),
    ):
        for column, name in enumerate(names):
            block(axis, 0.15 + 1.62 * column, y, 1.35, 0.5, name, colour)
            arrow(axis, (1.52 + 1.62 * column, y + 0.25), (1.75 + 1.62 * column, y + 0.25))
        block(axis, 6.63, y, 1.35, 0.5, "or null", GREY)
        arrow(axis, (8.0, y + 0.25), (8.45, 1.2 if y < 1 else 1.4), colour)
    block(axis, 8.47, 1.05, 0.75, 0.5, "MLP", GREY)
    block(axis, 8.47, 1.85, 0.75, 0.4, "box", BLUE)
    arrow(axis, (8.85, 1.83), (8.85, 1.57), BLUE)
    arrow(axis, (9.24, 1.3), (9.48, 1.3))
    block(axis, 9.5, 1.05, 0.75, 0.5, "token", PINK)
    axis.text(0.15, 2.5, "where: a plan edited by hand", fontsize=12, weight="bold")
    block(axis, 0.15, 2.95, 1.35, 0.6, "plan.json", GREY)
    arrow(axis, (1.52, 3.25), (1.98, 3.25))
    axis.add_patch(Rectangle((2.0, 2.7), 1.5, 1.05, fc="white", ec=GREY))
    axis.add_patch(Rectangle((2.15, 3.25), 0.45, 0.4, fill=False, ec=BLUE, lw=1.5, ls="--"))
    axis.add_patch(Rectangle((2.8, 2.8), 0.45, 0.4, fc=BLUE + "33", ec=BLUE, lw=2))
    arrow(axis, (2.5, 3.3), (2.85, 3.1), BLUE)
    arrow(axis, (3.52, 3.25), (3.98, 3.25))
    block(axis, 4.0, 2.95, 1.35, 0.6, "checked", ORANGE)
    arrow(axis, (5.37, 3.25), (5.83, 3.25))
    block(axis, 5.85, 2.95, 1.6, 0.6, "rendered again", PINK)
    arrow(axis, (7.47, 3.25), (7.93, 3.25))
    axis.text(8.0, 3.25, "same looks,\nsame noise", fontsize=9, va="center")
    save(figure, "10_pictures.png")
