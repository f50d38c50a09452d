"""A contact sheet: layouts as rows; the picture, and two samples, as columns.

Pictures and boxes enter; one RGB image leaves, in sizes that can be read on a telephone.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageColor, ImageDraw, ImageFont

from vdjax.inspect.pictures import ENTITY_STYLES

CELL = 256
"""Width and height of a shown picture in pixels."""

MARGIN, GAP, LINE = 16, 12, 26
PAPER, INK, FAINT = (250, 248, 243), (33, 37, 41), (105, 101, 94)
COLUMNS = ("held-out picture", "with gates", "without gates")
LETTERS_PER_LINE = 88

Boxes = Mapping[str, Sequence[tuple[float, float, float, float]]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layout: a title, its boxes by name, and a picture for each of `COLUMNS`."""

    title: str
    boxes: Boxes
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]


def contact_sheet(title: str, legend: str, rows: Sequence[Row]) -> Image.Image:
    """The rows under a title; boxes on every picture, names on the first.

    Returns:
        an RGB image, `sheet_size(legend, len(rows))` pixels wide and high.
    """
    page = Image.new("RGB", sheet_size(legend, len(rows)), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), _letters(title), INK, _font(24))
    y = MARGIN + 36
    for line in _lines(legend):
        draw.text((MARGIN, y), line, FAINT, _font(16))
        y += LINE
    for column, heading in enumerate(COLUMNS):
        draw.text((_left(column), y + 4), heading, INK, _font(19))
    y += 34
    for row in rows:
        draw.text((MARGIN, y), _letters(row.title)[:LETTERS_PER_LINE], FAINT, _font(16))
        y += LINE
        for column, picture in enumerate(row.pictures):
            page.paste(_cell(picture, row.boxes, named=column == 0), (_left(column), y))
        y += CELL + GAP
    return page


def sheet_size(legend: str, rows: int) -> tuple[int, int]:
    """Width and height of a sheet in pixels."""
    width = _left(len(COLUMNS)) - GAP + MARGIN
    head = MARGIN + 36 + LINE * len(_lines(legend)) + 34
    return width, head + rows * (LINE + CELL + GAP) + MARGIN


def _left(column: int) -> int:
    return MARGIN + column * (CELL + GAP)


def _cell(picture: np.ndarray, boxes: Boxes, *, named: bool) -> Image.Image:
    # The model's own pixels as squares, where they fit evenly.
    whole = CELL % picture.shape[0] == 0 and CELL % picture.shape[1] == 0
    how = Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS
    cell = Image.fromarray(np.ascontiguousarray(picture)).resize((CELL, CELL), how)
    draw = ImageDraw.Draw(cell)
    every = [(name, box) for name, some in boxes.items() for box in some]
    for at, (_, box) in enumerate(every):
        x0, y0, x1, y1 = (round(side * (CELL - 1)) for side in box)
        if named:
            draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline="white", width=4)
        draw.rectangle((x0, y0, x1, y1), outline=_colour(at), width=2 if named else 1)
    taken: list[tuple[int, int, int, int]] = []
    for at, (name, box) in enumerate(every) if named else ():
        _chip(draw, name, box, _colour(at), taken)
    return cell


def _chip(
    draw: ImageDraw.ImageDraw,
    name: str,
    box: tuple[float, float, float, float],
    colour: str,
    taken: list[tuple[int, int, int, int]],
) -> None:
    """The name at the box's upper edge, inside the picture, lower where another one stands."""
    text, font = _letters(name)[:24], _font(17)
    wide, high = int(font.getlength(text)) + 10, 23
    x = min(max(round(box[0] * CELL), 0), CELL - wide)
    y = min(max(round(box[1] * CELL) - high, 0), CELL - high)

    def covers(other: tuple[int, int, int, int]) -> bool:
        left, top, right, bottom = other
        return x < right and left < x + wide and y < bottom and top < y + high

    while any(map(covers, taken)) and y + 2 * high <= CELL:
        y += high
    taken.append((x, y, x + wide, y + high))
    draw.rounded_rectangle((x, y, x + wide, y + high), 5, fill=colour)
    red, green, blue = ImageColor.getrgb(colour)[:3]
    light = 0.299 * red + 0.587 * green + 0.114 * blue > 135  # luma of Rec. 601
    draw.text((x + 5, y + high // 2), text, INK if light else "white", font, anchor="lm")


def _colour(at: int) -> str:
    return ENTITY_STYLES[at % len(ENTITY_STYLES)][0]


def _lines(text: str) -> list[str]:
    return textwrap.wrap(_letters(text), LETTERS_PER_LINE)


def _letters(text: str) -> str:
    """The text in the letters that Pillow's own font has: accents dropped, others as "?"."""
    plain = unicodedata.normalize("NFKD", text)
    kept = "".join(char for char in plain if not unicodedata.combining(char))
    return kept.encode("ascii", "replace").decode()


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font
