"""What the pictures at the head of the notebooks are drawn with."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image

PICTURES = Path(__file__).resolve().parents[2] / "notebooks" / "src" / "pictures"
BLUE, ORANGE, GREEN, PINK, GREY = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#777777"


def page(width: float, height: float) -> tuple[Figure, Axes]:
    """An axis in inches, from the upper left, with nothing on it."""
    figure = Figure(figsize=(width, height), dpi=110, facecolor="white")
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(height, 0))
    axis.axis("off")
    return figure, axis


def block(
    axis: Axes,
    x: float,
    y: float,
    wide: float,
    high: float,
    text: str,
    colour: str,
    size: float = 9,
) -> None:
    """A rounded box with a word in it."""
    style = "round,pad=0,rounding_size=0.06"
    axis.add_patch(FancyBboxPatch((x, y), wide, high, style, fc=colour + "33", ec=colour, lw=1.5))
    axis.text(x + wide / 2, y + high / 2, text, ha="center", va="center", fontsize=size)


def arrow(
    axis: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = "black"
) -> None:
    """An arrow from one place to another."""
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color=colour))


def save(figure: Figure, name: str) -> None:
    """Write the picture, small, to where the masters look for it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    image = Image.open(buffer).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.save(PICTURES / name, optimize=True)
    print(f"{name}: {(PICTURES / name).stat().st_size:,} bytes")
