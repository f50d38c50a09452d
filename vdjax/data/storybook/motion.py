"""How things move: a path for the centre and the scale of one thing over the frames of a clip.

Enters: a thing's size and place, and a random generator. Leaves: a `Path` with boxes per frame
(which may reach outside the frame), whether the thing is there, and what it does, in words a
caption can use.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

#: (kind, share of things that move so). The rest of a clip's life is in `APPEAR`.
KINDS = (
    ("still", 0.28),
    ("slide", 0.34),
    ("grow", 0.08),
    ("shrink", 0.07),
    ("bounce", 0.08),
    ("arc", 0.08),
    ("circle", 0.07),
)
_NAMES = tuple(kind for kind, _ in KINDS)
_BOUNDS = np.cumsum([share for _, share in KINDS])
#: Share of things that appear, disappear, come in over an edge or leave over one.
APPEAR = 0.15
#: A slide crosses this much of the frame.
TRAVEL = (0.3, 0.7)
#: A thing less of which lies inside the frame is not drawn and counts as not visible.
LEAST_INSIDE = 0.3


@dataclass(frozen=True, kw_only=True)
class Path:
    """Where one thing is in each frame. `boxes` are x0 y0 x1 y1 in shares of the frame, not
    clipped.

    `kind` is one of "still slide grow shrink bounce arc circle appear disappear enter leave";
    `direction` is "left", "right", "up", "down", "clockwise", "anticlockwise" or "".
    """

    kind: str
    direction: str
    boxes: Float[np.ndarray, "frame 4"]
    present: Bool[np.ndarray, " frame"]


def natural_y(rng: np.random.Generator, place: str, height: float) -> float:
    """The y of the centre of a thing `height` high at a place where it belongs."""
    if place == "ground":
        y = rng.uniform(0.76, 0.98) - height / 2
    elif place == "sky":
        y = rng.uniform(0.04, 0.3) + height / 2
    elif place == "water":
        y = rng.uniform(0.4, 0.95) - height / 2 * rng.uniform(0.4, 1)
    else:
        y = rng.uniform(height / 2, 1 - height / 2)
    return min(max(y, height / 2), 1 - height / 2)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform in [low, high], or the middle if the range is empty."""
    return low + (high - low) * rng.random() if high > low else (low + high) / 2


def _kind(rng: np.random.Generator) -> str:
    return _NAMES[min(int(np.searchsorted(_BOUNDS, rng.random())), len(_NAMES) - 1)]


def draw_path(
    rng: np.random.Generator,
    width: float,
    height: float,
    place: str,
    frames: int,
    lasting: bool = False,
) -> Path:
    """A random path for a thing of this size (shares of the frame) that belongs at `place`.

    With `lasting`, the thing is there in every frame.
    """
    time = np.linspace(0, 1, frames) if frames > 1 else np.zeros(1)
    coming = (not lasting) and rng.random() < APPEAR
    kind = ("appear", "disappear", "enter", "leave")[int(rng.integers(4))] if coming else _kind(rng)
    y = (
        natural_y(rng, place, height)
        if rng.random() < 0.65
        else _between(rng, height / 2, 1 - height / 2)
    )
    x = _between(rng, width / 2, 1 - width / 2)
    direction = ""
    cx, cy, scale, present = (
        np.full(frames, x),
        np.full(frames, y),
        np.ones(frames),
        np.ones(frames, bool),
    )

    if kind == "slide":
        vertical = rng.random() < (0.45 if place == "sky" else 0.2)
        forward = bool(rng.random() < 0.5)
        if vertical and place == "sky":
            forward = bool(rng.random() < 0.3)  # things of the sky rise more often than they sink
        travel = rng.uniform(*TRAVEL)
        room = 1 - (height if vertical else width)
        travel = max(min(travel, room + 0.06), 0.25)
        side = (height if vertical else width) / 2
        start = _between(rng, min(side, 1 - side - travel), max(side, 1 - side - travel))
        if room < travel:
            start = 0.5 - travel / 2
        line = start + travel * (time if forward else 1 - time)
        direction = (("up", "down") if vertical else ("left", "right"))[forward]
        if vertical:
            cy = line
        else:
            cx = line
    elif kind in ("grow", "shrink"):
        least = rng.uniform(0.4, 0.6)
        if (
            max(width, height) < 0.36
        ):  # a small thing grows from its size, a large one up to its size
            width, height = width / least, height / least
            x, y = (min(max(at, side / 2), 1 - side / 2) for at, side in ((x, width), (y, height)))
            cx, cy = np.full(frames, x), np.full(frames, y)
        scale = least + (1 - least) * (time if kind == "grow" else 1 - time)
        if place == "ground":
            cy = y + height / 2 - height * scale / 2
    elif kind == "bounce":
        room = max(0.08, y - height / 2)
        leap = min(rng.uniform(0.12, 0.26), room)
        cy = y - leap * np.abs(np.sin(2 * np.pi * time))
        if rng.random() < 0.5:
            direction = "right" if rng.random() < 0.5 else "left"
            travel = min(rng.uniform(0.25, 0.5), max(0.2, 1 - width))
            start = _between(rng, width / 2, 1 - width / 2 - travel)
            cx = start + travel * (time if direction == "right" else 1 - time)
    elif kind == "arc":
        leap = min(rng.uniform(0.18, 0.35), max(0.12, y - height / 2))
        direction = "right" if rng.random() < 0.5 else "left"
        travel = min(rng.uniform(0.35, 0.65), max(0.25, 1 - width))
        start = _between(rng, width / 2, 1 - width / 2 - travel)
        cx = start + travel * (time if direction == "right" else 1 - time)
        cy = y - leap * 4 * time * (1 - time)
    elif kind == "circle":
        radius = rng.uniform(0.09, 0.19)
        x0 = _between(rng, width / 2 + radius, 1 - width / 2 - radius)
        y0 = min(max(y, height / 2 + radius), max(0.5, 1 - height / 2 - radius))
        direction = "clockwise" if rng.random() < 0.5 else "anticlockwise"
        angle = rng.uniform(0, 2 * np.pi) + 2 * np.pi * time * (
            1 if direction == "clockwise" else -1
        )
        cx, cy = x0 + radius * np.cos(angle), y0 + radius * np.sin(angle)
    elif kind in ("appear", "disappear"):
        moment = rng.uniform(0.25, 0.65)
        present = time >= moment if kind == "appear" else time <= moment
    elif kind in ("enter", "leave"):
        direction = "right" if rng.random() < 0.5 else "left"
        outside = (
            -width / 2 - 0.02
            if (direction == "right") == (kind == "enter")
            else 1 + width / 2 + 0.02
        )
        cx = outside + (x - outside) * (time if kind == "enter" else 1 - time)

    half_w, half_h = width / 2 * scale, height / 2 * scale
    boxes = np.stack([cx - half_w, cy - half_h, cx + half_w, cy + half_h], -1)
    return Path(kind=kind, direction=direction, boxes=boxes, present=present & inside(boxes))


def inside(boxes: Float[np.ndarray, "frame 4"]) -> Bool[np.ndarray, " frame"]:
    """Whether at least LEAST_INSIDE of each box lies in the frame."""
    clipped = boxes.clip(0, 1)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    seen = (clipped[:, 2] - clipped[:, 0]) * (clipped[:, 3] - clipped[:, 1])
    return seen >= LEAST_INSIDE * area
