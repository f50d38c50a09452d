"""01: a sentence, scenes, boxes at nine keyframes, and the way back for bad answers."""

from __future__ import annotations

from matplotlib.patches import FancyArrowPatch, Rectangle

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, PINK, arrow, block, page, save


def draw() -> None:
    figure, axis = page(10.4, 3.2)
    for x, text in (
        (0.15, "a sentence"),
        (2.4, "step 1: scenes"),
        (6.3, "step 2: boxes, per scene"),
    ):
        axis.text(x, 0.35, text, fontsize=12, fontweight="bold")
    axis.text(
        0.15,
        1.5,
        "“A kitten walks\nalong the beach,\nthen it meets a\ndog in the park”",
        fontsize=10.5,
        va="center",
    )
    arrow(axis, (1.75, 1.5), (2.3, 1.5))
    scenes = (
        (0.62, "1 · “a cat walks …”", ("cat",), "beach"),
        (1.72, "2 · “a cat meets a dog …”", ("cat", "dog"), "park"),
    )
    for y, text, names, place in scenes:
        axis.add_patch(Rectangle((2.4, y), 3.1, 0.92, fc="#f7f7f7", ec=GREY))
        axis.text(2.5, y + 0.24, text, fontsize=9.5, va="center")
        for at, name in enumerate(names):
            colour = (ORANGE, BLUE)[at]
            block(axis, 2.5 + 0.75 * at, y + 0.45, 0.65, 0.36, name, colour)
        block(axis, 4.55, y + 0.45, 0.8, 0.36, place, GREEN)
    axis.plot([2.82, 2.82], [1.43, 2.17], color=ORANGE, lw=2.5, zorder=0)
    axis.text(2.9, 1.64, "the same cat: one group", fontsize=8.5, color="#8a5f00", va="center")
    arrow(axis, (5.55, 2.15), (6.2, 1.75))
    left, top, side = 6.3, 0.62, 2.02
    axis.add_patch(Rectangle((left, top), side, side, fc="#f4f1ea", ec="black"))
    for k in range(9):
        x = left + 0.08 + 0.07 * k
        strong = k in (0, 8)
        axis.add_patch(
            Rectangle((x, 1.75), 0.62, 0.66, fill=False, ec=ORANGE, lw=2.2 if strong else 0.6)
        )
        axis.plot(x + 0.31, 2.08, ".", color=ORANGE, ms=4)
    axis.add_patch(Rectangle((7.45, 1.62), 0.76, 0.8, fill=False, ec=BLUE, lw=2.2, ls="--"))
    axis.text(6.4, 1.66, "cat", fontsize=9, color="#8a5f00")
    axis.text(7.5, 1.55, "dog", fontsize=9, color=BLUE)
    axis.text(6.36, 0.82, "nine keyframes", fontsize=8.5)
    arrow(axis, (8.4, 1.5), (8.8, 1.5))
    block(axis, 8.85, 1.0, 1.4, 1.0, "read,\nchecked", PINK, 11)
    axis.add_patch(
        FancyArrowPatch(
            (9.55, 2.05),
            (7.3, 2.7),
            connectionstyle="arc3,rad=-0.3",
            arrowstyle="-|>",
            mutation_scale=12,
            color=PINK,
            ls="--",
        )
    )
    axis.text(8.55, 3.05, "sent back with what is wrong", fontsize=8.5, ha="center")
    axis.text(9.55, 0.8, "a valid plan", fontsize=9.5, ha="center")
    save(figure, "01_planning.png")
