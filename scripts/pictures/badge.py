"""The badge that leads to Colab: our own, since one from the network would ask a server for itself
each time a notebook is opened."""

from __future__ import annotations

from matplotlib.patches import FancyBboxPatch

from pictures.drawing import page, save

WIDE, HIGH = 1.16, 0.2  # inches, of 110 pixels each


def draw() -> None:
    figure, axis = page(WIDE, HIGH)
    style = "round,pad=0,rounding_size=0.04"
    for x, colour in ((0, "#555555"), (0.98, "#b35c00")):
        axis.add_patch(FancyBboxPatch((x, 0), WIDE - x, HIGH, style, fc=colour, ec="none"))
    axis.text(
        0.49,
        HIGH / 2 + 0.005,
        "Open in Colab",
        ha="center",
        va="center",
        fontsize=6.5,
        color="white",
    )
    axis.text(1.07, HIGH / 2 + 0.005, "→", ha="center", va="center", fontsize=8, color="white")
    save(figure, "colab.png")
