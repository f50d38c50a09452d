"""One picture that tells a whole film: a row per scene, frames side by side, boxes and names drawn.

It shows what was asked for (the plan's boxes) upon what came out (the frames), so a glance answers
whether the things are there, in their boxes, moving, and the same from scene to scene. The sizes
are chosen so that everything can be read on a telephone held upright.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageColor, ImageDraw, ImageFont

from vdjax.plan.layout import frame_boxes

if TYPE_CHECKING:
    from vdjax.plan import VideoPlan
    from vdjax.plan.schema import Scene

CELL = 270
"""Width of a shown frame in pixels; four of them fill a telephone's 1170."""

_MARGIN, _GAP = 30, 10
_PAPER, _INK, _FAINT = (250, 248, 243), (33, 37, 41), (120, 116, 108)
# Okabe and Ito's colours, told apart by colour-blind readers too; yellow and black left out, which
# vanish on skies and nights.
_COLOURS = ("#e69f00", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#7b4fb5")

Spot = tuple[float, float, float, float]


def storyboard(
    plan: VideoPlan,
    clips: Sequence[UInt8[np.ndarray, "frame height width 3"]],
    columns: int = 4,
) -> Image.Image:
    """Draw the film as a table of scenes × frames.

    Args:
        plan: the plan the film was made from.
        clips: one clip per scene of the plan.
        columns: how many frames of a scene to show, evenly spread from its first to its last.

    Returns:
        an RGB picture 1170 pixels wide with four columns, as high as it needs.
    """
    colours = _entity_colours(plan)
    width = 2 * _MARGIN + columns * CELL + (columns - 1) * _GAP
    inner = width - 2 * _MARGIN
    # A list of sentences, one per scene, is kept as lines.
    title = " · ".join(plan.prompt.splitlines())
    parts = [_text(title, inner, size=34, bold=True)]
    for number, (scene, clip) in enumerate(zip(plan.scenes, clips, strict=True), start=1):
        parts.append(_space(16))
        if scene.description != plan.prompt or len(plan.scenes) > 1:
            parts.append(_text(f"{number} · {scene.description}", inner, size=29, bold=True))
        parts.append(_legend(scene, colours, inner))
        parts.append(_strip(scene, clip, colours, columns))
        if scene.notes:
            parts.append(_text("; ".join(scene.notes), inner, size=22, ink=_FAINT))
    return _stack(parts, width)


def _strip(
    scene: Scene,
    clip: UInt8[np.ndarray, "frame height width 3"],
    colours: dict[str, str],
    columns: int,
) -> Image.Image:
    boxes = frame_boxes(scene, num_frames=len(clip))
    shown = [round(i) for i in np.linspace(0, len(clip) - 1, min(columns, len(clip)))]
    cells = []
    for index in shown:
        present = {name: track[index] for name, track in boxes.items()}
        boxed = {name: tuple(box) for name, box in present.items() if box is not None}
        cells.append(_cell(clip[index], boxed, colours, f"{index + 1}/{len(clip)}"))
    strip = Image.new("RGB", (columns * (CELL + _GAP) - _GAP, cells[0].height), _PAPER)
    for column, cell in enumerate(cells):
        strip.paste(cell, (column * (CELL + _GAP), 0))
    return strip


def _cell(
    frame: UInt8[np.ndarray, "height width 3"],
    boxes: dict[str, Spot],
    colours: dict[str, str],
    caption: str,
) -> Image.Image:
    """One frame with its boxes, a name beside each, and its number in the corner below."""
    tall = round(CELL * frame.shape[0] / frame.shape[1])
    cell = Image.new("RGB", (CELL, tall + 24), _PAPER)
    cell.paste(Image.fromarray(frame).resize((CELL, tall), Image.Resampling.LANCZOS))
    draw = ImageDraw.Draw(cell)
    outlines = {
        name: (x0 * (CELL - 1), y0 * (tall - 1), x1 * (CELL - 1), y1 * (tall - 1))
        for name, (x0, y0, x1, y1) in boxes.items()
    }
    for name, outline in outlines.items():
        draw.rectangle(outline, outline="white", width=5)
        draw.rectangle(_inset(outline, 1), outline=colours[name], width=3)
    taken: list[Spot] = []
    for name, outline in outlines.items():  # after all boxes, so that no line crosses a name
        spot = _free_spot(_chip_size(name), outline, taken, tall)
        taken.append(spot)
        _chip(draw, spot[:2], name, colours[name])
    draw.text((CELL, tall + 2), caption, font=_font(19), fill=_FAINT, anchor="ra")
    return cell


def _free_spot(size: tuple[int, int], box: Spot, taken: list[Spot], tall: int) -> Spot:
    """Where a name of this size covers neither another name nor leaves the frame, near its box."""
    width, height = size
    x0, y0, x1, y1 = box
    left, middle, right = x0, (x0 + x1 - width) / 2, x1 - width
    rows = (
        y0 - height + 2,
        y0,
        y1 - height,
        y1 - 2,
    )  # above, inside at the top, at the bottom, below
    wanted = [(x, y) for y in rows for x in (left, middle, right)]
    wanted += [(x, float(y)) for y in range(0, tall - height, height) for x in (left, right)]
    inside = [(min(max(x, 0), CELL - width), min(max(y, 0), tall - height)) for x, y in wanted]
    spots = [(x, y, x + width, y + height) for x, y in inside]
    # Take the spot that covers least of the other names; of equals, the first wanted.
    return min(spots, key=lambda spot: sum(_overlap(spot, other) for other in taken))


def _overlap(a: Spot, b: Spot) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0) * max(high, 0)


def _legend(scene: Scene, colours: dict[str, str], width: int) -> Image.Image:
    """The scene's background and the names of its entities, in the colours of their boxes."""
    lead = _drawable(f"{scene.background}:" if scene.entities else scene.background)
    x, y, high = int(_font(25).getlength(lead)) + 14, 0, 40
    places: list[tuple[int, int, str]] = []
    for name in scene.entities:
        wide, _ = _chip_size(name)
        if x + wide > width and places:
            x, y = 0, y + high
        places.append((x, y, name))
        x += wide + 10
    legend = Image.new("RGB", (width, y + high), _PAPER)
    draw = ImageDraw.Draw(legend)
    draw.text((0, 4), lead, font=_font(25), fill=_INK)
    for x, y, name in places:
        _chip(draw, (x, y + 4), name, colours[name])
    return legend


def _chip_size(name: str) -> tuple[int, int]:
    return int(_font(23).getlength(_drawable(name))) + 15, 30


def _chip(draw: ImageDraw.ImageDraw, corner: tuple[float, float], name: str, colour: str) -> None:
    x, y = round(corner[0]), round(corner[1])
    wide, high = _chip_size(name)
    draw.rounded_rectangle((x, y, x + wide - 1, y + high - 1), 6, fill=colour)
    draw.text(
        (x + wide / 2, y + high / 2),
        _drawable(name),
        font=_font(23),
        fill=_INK if _lightness(colour) > 135 else "white",
        anchor="mm",
        stroke_width=0.4,
    )


def _lightness(colour: str) -> float:
    """How light a colour looks, 0 to 255 (Rec. 601 luma)."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _text(
    text: str, width: int, size: int, bold: bool = False, ink: tuple[int, int, int] = _INK
) -> Image.Image:
    font = _font(size)
    stroke = 0.6 if bold else 0  # the font that comes with Pillow has one weight
    lines = _wrap(_drawable(text), font, width)
    high = round(size * 1.35)
    block = Image.new("RGB", (width, high * len(lines)), _PAPER)
    draw = ImageDraw.Draw(block)
    for number, line in enumerate(lines):
        draw.text((0, number * high), line, font=font, fill=ink, stroke_width=stroke)
    return block


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text into lines that fit; a word longer than a line is broken too."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        elif font.getlength(word) <= width:
            lines.append(word)
        else:
            fits = max(1, int(len(word) * width / font.getlength(word) * 0.9))
            lines += textwrap.wrap(word, fits)
    return lines or [""]


def _space(height: int) -> Image.Image:
    return Image.new("RGB", (1, height), _PAPER)


def _stack(parts: list[Image.Image], width: int) -> Image.Image:
    high = sum(part.height + _GAP for part in parts) + 2 * _MARGIN
    page = Image.new("RGB", (width, high), _PAPER)
    y = _MARGIN
    for part in parts:
        page.paste(part, (_MARGIN, y))
        y += part.height + _GAP
    return page


def _inset(box: Spot, by: float) -> Spot:
    x0, y0, x1, y1 = box
    return x0 + by, y0 + by, max(x1 - by, x0 + by), max(y1 - by, y0 + by)


def _entity_colours(plan: VideoPlan) -> dict[str, str]:
    """A colour per name, the same in every scene."""
    names = dict.fromkeys(name for scene in plan.scenes for name in scene.entities)
    return {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def _drawable(text: str) -> str:
    """The text in the letters that Pillow's own font has: accents dropped, arrows spelt out."""
    plain = unicodedata.normalize("NFKD", text.replace("→", "->"))
    kept = (char for char in plain if not unicodedata.combining(char))
    return "".join(char if char in _LETTERS or char.isspace() else "?" for char in kept)


_LETTERS = frozenset(map(chr, range(32, 127))) | frozenset("©«°±´·»‘’“”…‹›")
