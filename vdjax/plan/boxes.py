"""Boxes: four fractions of the frame, (x0, y0, x1, y1), y downwards, and the little geometry they
need.

The paper's planner writes them the same way (VideoDirectorGPT, section 3.1). Plain tuples of
floats: planning has no use for arrays.
"""

from __future__ import annotations

from typing import Any

from vdjax.plan.problems import fault, show

Box = tuple[float, float, float, float]

MIN_SIDE = 0.005
"""Shortest side of a box, as a fraction of the frame; below it lies less than a pixel of 128."""


def check_box(value: Any, name: str) -> Box:
    """`value` as a box. Raises a fault that says what is wrong with the box of `name`."""

    def wrong(reason: str) -> Exception:
        return fault("box", f"box {show(value)} of {name!r}: {reason}")

    if isinstance(value, str | bytes | dict) or not hasattr(value, "__len__"):
        raise wrong("it must be four numbers [x0, y0, x1, y1]")
    numbers = list(value)
    if len(numbers) != 4:
        raise wrong(f"it has {len(numbers)} numbers; it must be four, [x0, y0, x1, y1]")
    for label, number in zip(("x0", "y0", "x1", "y1"), numbers, strict=True):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise wrong(f"{label} is {show(number)}; it must be a number from 0 to 1")
        if not 0 <= number <= 1:  # NaN and infinities end here too
            hint = " (fractions of the frame, not pixels)" if number > 1.5 else ""
            raise wrong(f"{label} is {show(number, 12)}, outside 0 to 1{hint}")
    x0, y0, x1, y1 = (float(number) for number in numbers)
    for low, high, side, axis in ((x0, x1, "width", "x"), (y0, y1, "height", "y")):
        if low > high:
            raise wrong(f"{axis}0 must be below {axis}1")
        if low == high:
            raise wrong(f"its {side} is zero; {axis}0 must be below {axis}1")
        if high - low < MIN_SIDE:
            raise wrong(f"its {side} is {high - low:.2g}; the least is {MIN_SIDE}")
    return (x0, y0, x1, y1)


def centre(box: Box) -> tuple[float, float]:
    """Centre of a box, as fractions of the frame."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def area(box: Box) -> float:
    """Area as a fraction of the frame."""
    return (box[2] - box[0]) * (box[3] - box[1])


def intersection(a: Box, b: Box) -> float:
    """Shared area of two boxes, as a fraction of the frame."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def covered(a: Box, b: Box) -> float:
    """Shared area of two boxes, as a share of the smaller one."""
    return intersection(a, b) / min(area(a), area(b))


def between(a: Box, b: Box, share: float) -> Box:
    """The box `share` of the way from `a` to `b`, each coordinate on its own."""
    if share == 0.0:
        return a
    if share == 1.0:
        return b
    x0, y0, x1, y1 = ((1.0 - share) * p + share * q for p, q in zip(a, b, strict=True))
    return (x0, y0, x1, y1)
