"""07: from a film to a figure, and what stands beside it."""

from __future__ import annotations

from matplotlib.patches import Rectangle

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, PINK, arrow, block, page, save


def draw() -> None:
    figure, axis = page(10.4, 3.3)
    axis.text(0.15, 0.3, "a frame", fontsize=12, fontweight="bold")
    axis.add_patch(Rectangle((0.15, 0.6), 2.1, 2.1, fc="#f2f2f2", ec=GREY))
    axis.add_patch(Rectangle((0.5, 1.2), 0.9, 0.9, fc="none", ec="black", ls="--", lw=1.5))
    axis.add_patch(Rectangle((0.72, 1.35), 0.95, 0.9, fc=ORANGE + "44", ec=ORANGE, lw=2))
    axis.text(0.5, 1.13, "planned", fontsize=8)
    axis.text(1.0, 2.42, "cat 0.84", fontsize=8, color=ORANGE)
    axis.text(0.15, 2.98, "detected: solid", fontsize=8, color=ORANGE)
    arrow(axis, (2.32, 1.65), (2.78, 1.65))
    axis.text(2.85, 0.3, "questions", fontsize=12, fontweight="bold")
    questions = ("is it there?", "how many?", "on which side?", "which way?", "the same one?")
    for row, what in enumerate(questions):
        block(axis, 2.85, 0.6 + 0.46 * row, 1.55, 0.36, what, BLUE, 8.5)
    arrow(axis, (4.47, 1.65), (4.93, 1.65))
    axis.text(5.0, 0.3, "a share, with its interval", fontsize=12, fontweight="bold")
    for row, (n, low, middle, high) in enumerate(
        ((6, 0.44, 0.83, 0.97), (17, 0.59, 0.82, 0.94), (100, 0.75, 0.83, 0.89))
    ):
        y = 0.85 + 0.5 * row
        axis.text(5.0, y + 0.05, f"n = {n}", fontsize=9)
        axis.plot([5.7 + 1.8 * low, 5.7 + 1.8 * high], [y, y], color=GREEN, lw=3)
        axis.plot([5.7 + 1.8 * middle], [y], "o", color="black", ms=5)
    axis.plot([5.7, 7.5], [2.25, 2.25], color="black", lw=1)
    for share in (0, 0.5, 1):
        axis.text(5.7 + 1.8 * share, 2.48, f"{share:.0%}", fontsize=8, ha="center")
    arrow(axis, (7.65, 1.65), (8.1, 1.65))
    axis.text(8.2, 0.3, "and beside it", fontsize=12, fontweight="bold")
    for row, (what, colour) in enumerate(
        (("real pictures: ceiling", GREEN), ("gates off: floor", PINK), ("chance", GREY))
    ):
        block(axis, 8.2, 0.7 + 0.62 * row, 2.0, 0.46, what, colour, 9)
    save(figure, "07_measuring.png")
