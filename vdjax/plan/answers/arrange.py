"""From places, sizes and motions in words to nine keyframes of boxes.

Enters: a `Told` for each entity. Leaves: keyframes. A thing begins at the place that was said
(where it comes in, it ends there) and goes its way (see `motion`); among the places near that one,
each takes the one where it is least in the way of the others. A size word means the same share of
the frame in every scene, and a thing without one has its usual size, so it stays as large as it
was; only where the frame is too narrow for all, all become smaller alike, with a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vdjax.plan.answers.forms import Notes
from vdjax.plan.answers.names import words_of
from vdjax.plan.boxes import Box, area, intersection
from vdjax.plan.fields import NUM_KEYFRAMES
from vdjax.plan.motion import EDGE, HOP, RADIUS, SLIDE, Move, Path, path, toward
from vdjax.plan.vocabulary import EntityWord, Vocabulary

SIZES = {"tiny": 0.2, "small": 0.28, "medium": 0.38, "large": 0.52, "huge": 0.68}
"""Long side of a thing as a share of the frame; the training pictures use 0.22 to 0.7."""
_USUAL = 0.38
_X = {"far left": 0.12, "left": 0.27, "center": 0.5, "right": 0.73, "far right": 0.88}
_GROUND = 0.92
_TOP = 0.06
_LEAST_WAY = 0.3
"""Least way of a thing that moves, where the frame has room for it; less is hardly seen."""
_INSIDE = 0.4
"""A thing of which less lies inside the frame is not visible, as in `placing`."""
_HALF = NUM_KEYFRAMES // 2
_GRID = 17
_LEAST_FACTOR = 0.5


@dataclass(frozen=True)
class Told:
    """What was said about one thing.

    `x` is a word of `_X`, `y` "sky", "middle" or "ground", `size` a word of `SIZES` or "" for the
    usual one, `motion` one of "still slide grow shrink bounce circle enter leave appear
    disappear"; `dx` and `dy` are its direction, or the side where it enters or leaves (1 is right,
    1 is down).
    """

    x: str = "center"
    y: str = "ground"
    size: str = ""
    motion: str = "still"
    dx: int = 0
    dy: int = 0


Boxes = list[Box | None]


def arrange(told: Mapping[str, Told], notes: Notes) -> list[dict[str, Box]]:
    """Nine keyframes for the things that were told of; each is visible in at least one."""
    sizes = _sizes(told, notes)
    # What stands still and is large has its place first; the others keep out of its way.
    order = sorted(told, key=lambda n: (told[n].motion != "still", -sizes[n][0] * sizes[n][1]))
    placed: dict[str, Boxes] = {}
    for name in order:
        placed[name] = _placed(told[name], *sizes[name], list(placed.values()))
    keyframes = []
    for k in range(NUM_KEYFRAMES):
        here = {name: placed[name][k] for name in told}
        keyframes.append({name: box for name, box in here.items() if box is not None})
    return keyframes


def known_word(name: str) -> EntityWord | None:
    """The word of the vocabulary that a name ends in, or is another word for; None if none is."""
    words = words_of(name)
    for start in range(max(0, len(words) - 3), len(words)):
        said = " ".join(word for word in words[start:] if not word.isdigit())
        for word in Vocabulary.storybook().entities.values():
            if said and (said == word.name or said in word.keywords):
                return word
    return None


def _sizes(told: Mapping[str, Told], notes: Notes) -> dict[str, tuple[float, float]]:
    """Width and height of everything."""
    sizes = {}
    for name, one in told.items():
        word = known_word(name)
        aspect = word.aspect if word else 1.0
        height = word.height if word else _USUAL
        if one.size:
            height = SIZES[one.size] / max(1.0, aspect)
        sizes[name] = (height * aspect, height)
    rows = {
        y: sum(sizes[n][0] for n in told if told[n].y == y) for y in ("sky", "middle", "ground")
    }
    factor = max(_LEAST_FACTOR, min(1.0, (1 - 2 * EDGE) / max(rows.values())))
    if factor < 1:
        notes.add(f"everything made {round(100 * (1 - factor))} % smaller, so that all have room")
    return {name: (width * factor, height * factor) for name, (width, height) in sizes.items()}


def _placed(one: Told, width: float, height: float, others: list[Boxes]) -> Boxes:
    """The boxes of one thing at the place near the one that was said where it is least in the
    way."""
    low, high = width / 2 + EDGE, 1 - width / 2 - EDGE
    wished = min(max(_X[one.x], low), high) if low < high else 0.5
    grid = [low + (high - low) * step / (_GRID - 1) for step in range(_GRID)] if low < high else []
    best: tuple[float, Boxes] | None = None
    for x in sorted([wished, *grid], key=lambda x: abs(x - wished)):
        dislike = 1.5 * abs(x - wished)
        if best is not None and dislike >= best[0]:
            break
        boxes = _boxes(one, x, width, height)
        cost = dislike + 4.0 * sum(_shared(boxes, other) for other in others)
        if best is None or cost < best[0]:
            best = cost, boxes
    assert best is not None
    return best[1]


def _shared(a: Boxes, b: Boxes) -> float:
    """The mean over the keyframes of what two share, as a share of the smaller one."""
    total = 0.0
    for p, q in zip(a, b, strict=True):
        if p is not None and q is not None:
            total += intersection(p, q) / min(area(p), area(q))
    return total / NUM_KEYFRAMES


def _boxes(one: Told, x: float, width: float, height: float) -> Boxes:
    """The nine boxes of a thing that begins at `x`."""
    way = _way(one, x, _height(one, height), width, height)
    boxes: Boxes = []
    for cx, cy, scale in zip(way.dx, way.dy, way.scale, strict=True):
        if one.y == "ground":
            cy += height * (1 - scale) / 2  # it grows from the ground up
        w, h = width * scale / 2, height * scale / 2
        boxes.append(_inside((cx - w, cy - h, cx + w, cy + h)))
    if one.motion == "appear":
        boxes[:_HALF] = [None] * _HALF
    if one.motion == "disappear":
        boxes[_HALF + 1 :] = [None] * _HALF
    return boxes


def _height(one: Told, height: float) -> float:
    """The centre's height at rest, with room for what it does."""
    y = {"sky": _TOP + height / 2, "middle": 0.5, "ground": _GROUND - height / 2}[one.y]
    up, down = {"bounce": (HOP, 0.0), "circle": (RADIUS, RADIUS)}.get(one.motion, (0.0, 0.0))
    top, bottom = EDGE + height / 2 + up, 1 - EDGE - height / 2 - down
    return min(max(y, top), bottom) if top < bottom else (top + bottom) / 2


def _way(one: Told, x: float, y: float, width: float, height: float) -> Path:
    """The centres, as places in the frame, and the scales of a thing that begins at (x, y)."""
    if one.motion == "slide":
        x0, x1 = _leg(x, one.dx, width)
        y0, y1 = _leg(y, one.dy, height)
        return toward((x0, y0), (x1, y1), NUM_KEYFRAMES - 1)
    if one.motion in ("enter", "leave"):
        outside = _outside(one, x, y, width, height)
        entering = toward(outside, (x, y), 6)
        return entering if one.motion == "enter" else _reversed(entering)
    kind = one.motion if one.motion in ("bounce", "circle", "grow", "shrink") else "still"
    if kind == "circle":
        reach = width / 2 + EDGE + RADIUS
        x = min(max(x, reach), 1 - reach) if reach < 0.5 else 0.5
    offsets = path(Move(kind=kind, dx=one.dx if kind == "circle" else 0.0), width, height)
    return Path(
        tuple(x + dx for dx in offsets.dx), tuple(y + dy for dy in offsets.dy), offsets.scale
    )


def _leg(start: float, direction: int, side: float) -> tuple[float, float]:
    """Where a slide begins and ends on one axis: from the start on, or from further back where
    the frame ends too soon."""
    if not direction:
        return start, start
    low, high = EDGE + side / 2, 1 - EDGE - side / 2
    if low >= high:  # as wide as the frame: it moves a little, over the edges
        return 0.5 - direction * _LEAST_WAY / 2, 0.5 + direction * _LEAST_WAY / 2
    end = min(max(start + direction * SLIDE, low), high)
    if abs(end - start) < _LEAST_WAY:
        start = min(max(end - direction * _LEAST_WAY, low), high)
    return start, end


def _outside(one: Told, x: float, y: float, width: float, height: float) -> tuple[float, float]:
    """Just beyond the edge that was said, or the nearer side."""
    if one.dy and not one.dx:
        return x, -height / 2 if one.dy < 0 else 1 + height / 2
    right = one.dx > 0 if one.dx else x > 0.5
    return (1 + width / 2 if right else -width / 2), y


def _reversed(way: Path) -> Path:
    return Path(way.dx[::-1], way.dy[::-1], way.scale[::-1])


def _inside(box: Box) -> Box | None:
    """The part of a box inside the frame; None if too little of it is."""
    x0, y0, x1, y1 = (round(min(max(value, 0.0), 1.0), 3) for value in box)
    return (x0, y0, x1, y1) if area((x0, y0, x1, y1)) >= _INSIDE * area(box) else None
