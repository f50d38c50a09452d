"""08: a batch is cut, gradients are averaged, every device makes the same update."""

from __future__ import annotations

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, PINK, arrow, block, page, save


def draw() -> None:
    figure, axis = page(10.4, 3.5)
    titles = ((1.05, "a batch of 8 rows"), (3.75, "its own rows"), (6.3, "its own gradient"))
    for x, text in (*titles, (9.35, "the same update")):
        axis.text(x, 0.25, text, ha="center", va="center", fontsize=10)
    for row in range(8):
        colour = (BLUE, ORANGE, GREEN, PINK)[row // 2]
        block(axis, 0.35, 0.55 + 0.35 * row, 1.4, 0.28, f"row {row + 1}", colour, 8)
    for device, colour in enumerate((BLUE, ORANGE, GREEN, PINK)):
        y = 0.55 + 0.7 * device
        arrow(axis, (1.8, y + 0.32), (2.75, y + 0.32), colour)
        block(axis, 2.8, y + 0.05, 1.9, 0.53, f"device {device}\nall parameters", colour, 8)
        arrow(axis, (4.75, y + 0.32), (5.6, y + 0.32), colour)
        block(axis, 5.65, y + 0.05, 1.3, 0.53, f"$g_{device}$", colour, 11)
        arrow(axis, (7.0, y + 0.32), (7.4, y + 0.32), colour)
        arrow(axis, (8.25, y + 0.32), (8.65, y + 0.32), colour)
        block(axis, 8.7, y + 0.05, 1.3, 0.53, r"$\theta - \eta\,\bar{g}$", colour, 10)
    block(axis, 7.45, 0.55, 0.75, 2.8, "mean\n$\\bar{g}$\n\none\nall-\nreduce", GREY, 9)
    save(figure, "08_devices.png")
