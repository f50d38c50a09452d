"""Motion paths: where the centre of a thing is, and how large it is, at nine moments.

Enters: a `Move` and the size of the thing. Leaves: a `Path`: for each keyframe an offset from the
thing's anchor (the middle of its path, or its place at rest) and a scale. Lengths follow what the
training clips do: a slide crosses 30 to 70 % of the frame, a hop rises 12 to 26 %, a circle has a
radius of 9 to 19 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vdjax.plan.schema import NUM_KEYFRAMES

TIMES = tuple(index / (NUM_KEYFRAMES - 1) for index in range(NUM_KEYFRAMES))
EDGE = 0.03
"""Distance kept from the edge of the frame."""
SLIDE = 0.45
HOP = 0.2
ARC = 0.28
RADIUS = 0.15
SWAY = 0.12
GROWTH = 0.5
"""A growing thing starts at this share of its final size; the training clips use 0.4 to 0.6."""

Spot = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Move:
    """What a thing does.

    `kind` is one of "still slide across bounce arc circle grow shrink sway enter leave toward".
    `dx` and `dy` give a direction (1 is right, 1 is down), `speed` stretches the way, `target`
    names the thing that it goes to, over or around, `spots` are places in the frame to pass, in
    order; `late` is for what enters or leaves in the second half.
    """

    kind: str = "still"
    dx: float = 0.0
    dy: float = 0.0
    speed: float = 1.0
    target: str = ""
    spots: tuple[Spot, ...] = ()
    late: bool = False


STILL = Move()


@dataclass(frozen=True)
class Path:
    """Offsets from the anchor and scales, one per keyframe; `fixed_x` and `fixed_y` say that the
    offsets are places in the frame, whatever the anchor; `still` that nothing changes."""

    dx: tuple[float, ...]
    dy: tuple[float, ...]
    scale: tuple[float, ...]
    fixed_x: bool = False
    fixed_y: bool = False
    still: bool = False


_ZERO = (0.0,) * NUM_KEYFRAMES
_ONE = (1.0,) * NUM_KEYFRAMES


def room(side: float) -> float:
    """How far a thing `side` wide can go between the edges of the frame."""
    return max(0.0, 1 - 2 * EDGE - side)


def path(move: Move, width: float, height: float) -> Path:
    """The path of a thing of this size; see `toward` and `over_edge` for what needs a place."""
    if move.kind == "slide":
        along = min(SLIDE * move.speed, 0.7)
        dx = (
            along * move.dx
            if not move.dx
            else math.copysign(min(along, max(room(width), 0.2)), move.dx)
        )
        dy = (
            along * move.dy
            if not move.dy
            else math.copysign(min(along, max(room(height), 0.2)), move.dy)
        )
        if move.dx and move.dy:
            dx, dy = 0.8 * dx, 0.8 * dy
        return Path(_ramp(-dx / 2, dx / 2), _ramp(-dy / 2, dy / 2), _ONE)
    if move.kind == "across":
        return _across(move, width, height)
    if move.kind == "bounce":
        along = 0.35 * move.speed * move.dx
        hops = tuple(-HOP * abs(math.sin(2 * math.pi * t)) for t in TIMES)
        return Path(_ramp(-along / 2, along / 2), hops, _ONE)
    if move.kind == "arc":
        along = min(SLIDE * move.speed, max(room(width), 0.2)) * (move.dx or 1.0)
        rise = tuple(-ARC * 4 * t * (1 - t) for t in TIMES)
        return Path(_ramp(-along / 2, along / 2), rise, _ONE)
    if move.kind == "circle":
        turn = 2 * math.pi * (1 if move.dx >= 0 else -1)
        return Path(
            tuple(RADIUS * math.sin(turn * t) for t in TIMES),
            tuple(-RADIUS * math.cos(turn * t) for t in TIMES),
            _ONE,
        )
    if move.kind == "sway":
        return Path(tuple(SWAY * math.sin(2 * math.pi * t) for t in TIMES), _ZERO, _ONE)
    if move.kind in ("grow", "shrink"):
        scale = tuple(GROWTH + (1 - GROWTH) * t for t in TIMES)
        return Path(_ZERO, _ZERO, scale if move.kind == "grow" else scale[::-1])
    return Path(_ZERO, _ZERO, _ONE, still=True)


def _across(move: Move, width: float, height: float) -> Path:
    """Through places in the frame, each for an equal share of the time."""
    xs, fixed_x = _through([spot[0] for spot in move.spots], width)
    ys, fixed_y = _through([spot[1] for spot in move.spots], height)
    return Path(xs, ys, _ONE, fixed_x, fixed_y)


def _through(stops: list[float | None], side: float) -> tuple[tuple[float, ...], bool]:
    known = [stop for stop in stops if stop is not None]
    if not known:
        return _ZERO, False
    filled: list[float] = []
    for index, stop in enumerate(stops):
        nearest = next((s for s in stops[index::-1] if s is not None), known[0])
        filled.append(stop if stop is not None else nearest)
    low, high = side / 2 + EDGE, 1 - side / 2 - EDGE
    # "from left to right" means from edge to edge, as far as the thing is wide.
    ends = [
        0.5
        if low > high
        else low
        if stop < 0.4
        else high
        if stop > 0.6
        else min(max(stop, low), high)
        for stop in filled
    ]
    if len(ends) == 1:
        return (ends[0],) * NUM_KEYFRAMES, True
    legs = len(ends) - 1
    points = []
    for t in TIMES:
        leg = min(int(t * legs), legs - 1)
        share = t * legs - leg
        points.append(ends[leg] + (ends[leg + 1] - ends[leg]) * share)
    return tuple(points), True


def _ramp(start_value: float, end_value: float, last: int = 8, start: int = 0) -> tuple[float, ...]:
    """From one value to another between two keyframes, constant before and after."""
    return tuple(
        start_value + (end_value - start_value) * min(max((k - start) / (last - start), 0.0), 1.0)
        for k in range(NUM_KEYFRAMES)
    )


def over_edge(move: Move, width: float, height: float, at: tuple[float, float]) -> Path:
    """The path of what enters, or leaves, and is at `at` in between: from, or to, where nothing of
    it is in the frame. It takes the middle of the scene for it; `late`, the last part."""
    first, last = (3 if move.late else 2, 7 if move.late and move.kind == "enter" else 6)
    sign = -1.0 if move.kind == "enter" else 1.0
    offsets = []
    for step, place, side in ((move.dx, at[0], width), (move.dy, at[1], height)):
        goes = math.copysign(1.0, sign * step) if step else 0.0
        away = goes * (side / 2 + (1 - place if goes > 0 else place))
        ends = (away, 0.0) if move.kind == "enter" else (0.0, away)
        offsets.append(_ramp(*ends, last, start=first))
    return Path(offsets[0], offsets[1], _ONE)


def toward(start: tuple[float, float], end: tuple[float, float], last: int = 7) -> Path:
    """From one place in the frame to another, arriving at keyframe `last` (from 0)."""
    return Path(
        _ramp(start[0], end[0], last),
        _ramp(start[1], end[1], last),
        _ONE,
        fixed_x=True,
        fixed_y=True,
    )
