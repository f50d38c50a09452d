"""Boxes as models write them: corners or sides, in fractions, percent, pixels or thousandths.

Enters: what stands where a box should be, for every entity in every keyframe. Leaves: boxes in
0..1. Which form and which unit was meant is decided once for a whole layout, from all of its
numbers, because a model keeps to one. A box of zeros is a thing that is not there, LVD's rule
(VideoDirectorGPT leaves that open).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vdjax.plan.answers.forms import Notes
from vdjax.plan.answers.get import plain_key
from vdjax.plan.boxes import MIN_SIDE, Box
from vdjax.plan.problems import show

Four = tuple[float, float, float, float]
Canvas = tuple[float, float]

_CANVASES: tuple[tuple[Canvas, str], ...] = (
    ((100, 100), "percent"),
    ((256, 256), "pixels of 256 × 256"),
    ((512, 512), "pixels of 512 × 512"),
    ((1000, 1000), "thousandths"),
    ((1024, 1024), "pixels of 1024 × 1024"),
    ((1280, 720), "pixels of 1280 × 720"),
    ((1920, 1080), "pixels of 1920 × 1080"),
    ((3840, 2160), "pixels of 3840 × 2160"),
)
"""Frames that models draw on, smallest first; the first that holds all boxes is taken."""
_BEYOND = 1.5
"""Numbers up to this are fractions, of a thing that goes over the edge, whatever their form."""
_BEYOND_FRACTIONS = 3.0
"""Numbers up to this are, when some of them have decimals."""
_THIN = 2 * MIN_SIDE
_DECIMALS = 4

_SIDES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
_CORNERS = (
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("left", "top", "right", "bottom"),
    ("l", "t", "r", "b"),
)
_ABSENT = ("", "none", "null", "absent", "not visible", "invisible", "hidden", "offscreen", "n/a")
_NUMBER = re.compile(r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?%?")
_FRAME_SIZE = re.compile(r"(?<!\d)(\d{3,4}) ?[x×*] ?(\d{3,4})(?!\d)")


@dataclass(frozen=True)
class Raw:
    """Four numbers as they were written; `sides` says that they were named x, y, width, height."""

    numbers: Four
    sides: bool = False


class Unreadable(Exception):
    """What stands where a box should be is none; the text says why."""


def number(value: Any) -> float | None:
    """A finite number, also from a text such as "40%" or "0.4"; else None."""
    if isinstance(value, str) and len(value) < 40:
        found = _NUMBER.fullmatch(value.strip().removesuffix("px").strip())
        if not found:
            return None
        value = float(found[0].rstrip("%")) / (100 if found[0].endswith("%") else 1)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def raw_box(value: Any) -> Raw | None:
    """What was written for one box; None where it says that nothing is there.

    Raises `Unreadable`.
    """
    sides = False
    for _ in range(3):  # a box may be wrapped: {"bbox": [[x0, y0], [x1, y1]]}
        if isinstance(value, Mapping):
            keys = {plain_key(key): item for key, item in value.items()}
            named = next((n for n in (*_SIDES, *_CORNERS) if all(k in keys for k in n)), None)
            if named is not None:
                value, sides = [keys[key] for key in named], named in _SIDES
            else:
                inner = [keys[k] for k in ("box", "bbox", "boundingbox") if k in keys]
                if not inner:
                    break
                value = inner[0]
        elif isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, list) and value and all(isinstance(item, list) for item in value):
            value = [number for pair in value[:8] for number in pair]
        elif isinstance(value, str) and any(sign.isdigit() for sign in value[:200]):
            value = _NUMBER.findall(value[:200])
    if value is None or value is False or value == [] or value == {}:
        return None
    if isinstance(value, str) and value.strip().lower() in _ABSENT:
        return None
    if not isinstance(value, list):
        raise Unreadable("it must be four numbers [x0, y0, x1, y1], or null where it is not seen")
    if len(value) != 4:
        raise Unreadable(f"it has {len(value)} numbers; it must be four, [x0, y0, x1, y1]")
    numbers = [number(item) for item in value]
    if all(item is None for item in value) or all(item == 0 for item in numbers):
        return None
    for item, read in zip(value, numbers, strict=True):
        if read is None:
            raise Unreadable(f"{show(item)} is no number; it must be four, [x0, y0, x1, y1]")
    x0, y0, x1, y1 = (read for read in numbers if read is not None)
    return Raw((x0, y0, x1, y1), sides)


def boxes(
    layout: Sequence[Mapping[str, Raw | None]], text: str, notes: Notes
) -> list[dict[str, Box]]:
    """The boxes of all keyframes, in 0..1. `text` is the answer, which may name the frame's size.

    Raises `Unreadable` when the numbers are larger than any frame.
    """
    raws = [raw for keyframe in layout for raw in keyframe.values() if raw is not None]
    if not raws:
        return [{} for _ in layout]
    sides = _are_sides(raws, text)
    if sides and not all(raw.sides for raw in raws):
        notes.add("boxes read as [x, y, width, height]")
    fours = [_as_corners(raw, sides) for raw in raws]
    canvas, called = _canvas(fours, raws, text)
    if called:
        notes.add(f"coordinates read as {called}")
    found = []
    for keyframe in layout:
        seen = {}
        for name, raw in keyframe.items():
            box = _mended(_as_corners(raw, sides), canvas, name, notes) if raw else None
            if box is not None:
                seen[name] = box
        found.append(seen)
    return found


def _are_sides(raws: Sequence[Raw], text: str) -> bool:
    """Whether x, y, width, height was meant, though corners were asked for."""
    if any(raw.sides for raw in raws):
        return True
    crossed = sum(
        raw.numbers[0] >= raw.numbers[2] or raw.numbers[1] >= raw.numbers[3] for raw in raws
    )
    if not crossed or any(min(raw.numbers[2:]) <= 0 for raw in raws):
        return False
    width, height = _canvas([raw.numbers for raw in raws], raws, text)[0]
    outside = sum(
        x + w > 1.02 * width or y + h > 1.02 * height for x, y, w, h in (r.numbers for r in raws)
    )
    return crossed > outside


def _as_corners(raw: Raw, sides: bool) -> Four:
    a, b, c, d = raw.numbers
    return (a, b, a + c, b + d) if sides else raw.numbers


def _canvas(fours: Sequence[Four], raws: Sequence[Raw], text: str) -> tuple[Canvas, str]:
    """The size of the frame in the unit of the numbers, and what that unit is called, if not 1."""
    right = max(max(four[0], four[2]) for four in fours)
    bottom = max(max(four[1], four[3]) for four in fours)
    decimals = any(not n.is_integer() for raw in raws for n in raw.numbers)
    if max(right, bottom) <= (_BEYOND_FRACTIONS if decimals else _BEYOND):
        return (1.0, 1.0), ""
    for said in _FRAME_SIZE.finditer(text):
        width, height = float(said[1]), float(said[2])
        if right <= width and bottom <= height and min(width, height) > 0:
            return (width, height), f"pixels of {said[1]} × {said[2]}"
    for canvas, called in _CANVASES:
        if right <= canvas[0] and bottom <= canvas[1]:
            return canvas, called
    raise Unreadable(
        f"coordinates go up to {max(right, bottom):g}; they must be fractions of the frame, 0 to 1"
    )


def _mended(four: Four, canvas: Canvas, name: str, notes: Notes) -> Box | None:
    """A box inside the frame; None if it lies outside it, or is thinner than a pixel."""
    width, height = canvas
    x0, y0, x1, y1 = four[0] / width, four[1] / height, four[2] / width, four[3] / height
    if x0 > x1 or y0 > y1:
        notes.add(f"corners of {name!r} were given the wrong way round")
        x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    if min(x0, y0) < 0 or max(x1, y1) > 1:
        notes.add(f"boxes of {name!r} were cut at the edge of the frame")
    x0, y0, x1, y1 = (round(min(max(value, 0.0), 1.0), _DECIMALS) for value in (x0, y0, x1, y1))
    if min(x1 - x0, y1 - y0) < _THIN:
        notes.add(f"boxes of {name!r} of no size, or outside the frame, were read as not visible")
        return None
    return (x0, y0, x1, y1)
