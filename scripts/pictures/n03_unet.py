"""03: the UNet as a U, and one layer of it."""

from __future__ import annotations

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, PINK, arrow, block, page, save


def draw() -> None:
    figure, axis = page(10.4, 4.0)
    _unet(axis)
    _layer(axis)
    save(figure, "03_unet.png")


def _unet(axis) -> None:
    axis.text(0.15, 0.3, "down to coarse grids and up again", fontsize=12, fontweight="bold")
    levels = ((0.15, 3.8, 0.65, "fine grid"), (0.6, 3.35, 1.45, ""), (1.05, 2.9, 2.25, "coarse"))
    for i, (down, up, y, words) in enumerate(levels):
        block(axis, down, y, 0.75, 0.5, "down", BLUE)
        block(axis, up, y, 0.75, 0.5, "up", BLUE)
        arrow(axis, (down + 0.8, y + 0.25), (up - 0.03, y + 0.25), GREY)
        if words:
            axis.text((down + up + 0.75) / 2, y + 0.16, f"bridge, {words}", fontsize=8, ha="center")
        if i < 2:
            arrow(axis, (down + 0.5, y + 0.53), (down + 0.75, y + 0.78))
            arrow(axis, (up, y + 0.78), (up + 0.25, y + 0.53))
    block(axis, 1.98, 3.2, 0.75, 0.5, "middle", BLUE)
    arrow(axis, (1.5, 2.78), (1.95, 3.4))
    arrow(axis, (2.76, 3.4), (3.2, 2.78))
    axis.text(0.15, 3.5, "noisy latents of\nall frames enter\nupper left", fontsize=8, va="center")
    axis.text(
        3.55, 3.5, "a guess of what\nwas mixed in leaves\nupper right", fontsize=8, va="center"
    )


def _layer(axis) -> None:
    axis.text(5.3, 0.3, "one layer of a level", fontsize=12, fontweight="bold")
    parts = (
        ("residual\nblock", BLUE, "inside a frame"),
        ("convolution\nalong time", GREEN, "along the frames"),
        ("spatial\ntransformer", BLUE, "inside a frame"),
        ("temporal\ntransformer", GREEN, "along the frames"),
    )
    for i, (words, colour, where) in enumerate(parts):
        x = 5.3 + 1.28 * i
        block(axis, x, 0.75, 1.05, 0.7, words, colour)
        axis.text(x + 0.52, 1.6, where, fontsize=8, ha="center", color=colour)
        if i < 3:
            arrow(axis, (x + 1.07, 1.1), (x + 1.26, 1.1))
    axis.plot([7.86, 5.3], [1.7, 2.2], color=GREY, linestyle=":")
    axis.plot([8.91, 10.2], [1.7, 2.2], color=GREY, linestyle=":")
    inner = (("self", BLUE), ("gated", ORANGE), ("words", BLUE), ("feed-\nforward", BLUE))
    for i, (words, colour) in enumerate(inner):
        x = 5.3 + 1.28 * i
        block(axis, x, 2.25, 1.05, 0.55, words, colour)
        if i < 3:
            arrow(axis, (x + 1.07, 2.52), (x + 1.26, 2.52))
    block(axis, 6.35, 3.2, 1.5, 0.45, "grounding tokens", PINK)
    arrow(axis, (7.1, 3.17), (7.1, 2.83), PINK)
    axis.text(
        8.05,
        3.42,
        r"added times $\tanh(\alpha)$, which" + "\nis 0 at the start",
        fontsize=9,
        va="center",
    )
