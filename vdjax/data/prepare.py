"""A sample as the networks want it: a square, its largest entities, and a close-up of each.

What GLIGEN does (its base_dataset.py and tsv_dataset.py) to a picture and its boxes. Departures:
one resampling where it halves first; close-ups keep an entity's aspect and a little around it, as
the storybook's CLIP learnt them, where GLIGEN stretches the box to a square.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8
from PIL import Image

from vdjax.data.sample import Sample, Skipped, as_phrases

LEAST_AREA = 0.01
"""Of the square, below which a box is left out (GLIGEN: min_box_size)."""
MOST_ENTITIES = 30
"""The largest are kept (GLIGEN's configurations: max_boxes_per_data)."""
CROP_MARGIN = 0.06
"""Of the box's longer side, added around it in a close-up."""
WHOLE = np.array([0.0, 0.0, 1.0, 1.0], np.float32)

_SIDES = re.compile(r"\b(left|right)(most|ward|wards|hand)?\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A sample ready to be encoded; entities from the largest to the smallest.

    `background` is the background's phrase, and `backdrop` its close-up, where the data set has it.
    """

    id: str
    image: UInt8[np.ndarray, "size size 3"]
    caption: str
    phrases: tuple[str, ...]
    boxes: Float32[np.ndarray, "entity 4"]
    close_ups: UInt8[np.ndarray, "entity crop crop 3"]
    background: str | None = None
    backdrop: UInt8[np.ndarray, "crop crop 3"] | None = None

    @property
    def tells_sides(self) -> bool:
        """Whether words say what is left and what is right: then a mirrored picture belies them."""
        return any(_SIDES.search(text) for text in (self.caption, *self.phrases))


def prepare(
    sample: Sample,
    size: int,
    crop_size: int,
    *,
    least_area: float = LEAST_AREA,
    most: int = MOST_ENTITIES,
) -> Prepared:
    """The middle square of a picture with its largest entities.

    Args:
        size: side of the square, in pixels.
        crop_size: side of the close-ups, in pixels.
        least_area: of the square, that the part of a box within it must have.
        most: how many entities are kept.

    Raises:
        Skipped: no entity is left.
    """
    height, width = sample.image.shape[:2]
    boxes = in_square(sample.boxes, width, height)
    order = largest(boxes, least_area, most)
    if not len(order):
        raise Skipped(
            sample.id, "no box left", f"none of {least_area:.0%} of the middle square", bad=False
        )
    phrases = tuple(sample.phrases[i] for i in order)
    shown = seen_in_square(boxes[order], width, height)
    background = sample.background
    return Prepared(
        id=sample.id,
        image=squared(sample.image, size),
        caption=sample.caption or as_phrases(phrases),
        phrases=phrases,
        boxes=boxes[order],
        close_ups=np.stack([close_up(sample.image, box, crop_size) for box in shown]),
        background=background.phrase if background else None,
        backdrop=close_up(background.image, WHOLE, crop_size) if background else None,
    )


def middle_square(width: int, height: int) -> tuple[float, float, float, float]:
    """x0 y0 x1 y1, in pixels, of the largest square in the middle."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def squared(
    image: UInt8[np.ndarray, "height width 3"], size: int
) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """The middle square of a picture, brought to `size` pixels."""
    height, width = image.shape[:2]
    return _resized(image, size, middle_square(width, height), Image.Resampling.BICUBIC)


def in_square(
    boxes: Float[np.ndarray, "box 4"], width: int, height: int
) -> Float32[np.ndarray, "box 4"]:
    """Boxes in shares of a picture as shares of its middle square, cut off at its border."""
    left, top, right, _ = middle_square(width, height)
    scale = np.array([width, height, width, height], np.float64)
    offset = np.array([left, top, left, top])
    moved = (boxes * scale - offset) / (right - left)
    return np.asarray(moved.clip(0.0, 1.0), np.float32)


def seen_in_square(
    boxes: Float[np.ndarray, "box 4"], width: int, height: int
) -> Float32[np.ndarray, "box 4"]:
    """The way back: boxes in shares of the middle square as shares of the picture."""
    left, top, right, _ = middle_square(width, height)
    scale = np.array([width, height, width, height], np.float64)
    offset = np.array([left, top, left, top])
    return np.asarray((boxes * (right - left) + offset) / scale, np.float32)


def areas(boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, " box"]:
    """Shares of the square that boxes cover."""
    sides = boxes[:, 2:] - boxes[:, :2]
    covered: np.ndarray = sides[:, 0] * sides[:, 1]
    return covered


def largest(
    boxes: Float[np.ndarray, "box 4"],
    least_area: float = LEAST_AREA,
    most: int = MOST_ENTITIES,
) -> Int[np.ndarray, " kept"]:
    """Which boxes are kept, from the largest to the smallest; of equal ones the first is first."""
    covered = areas(boxes)
    order = np.argsort(-covered, kind="stable")
    return order[(covered[order] >= least_area) & (covered[order] > 0)][:most]


def mirrored(
    boxes: Float[np.ndarray, "... 4"],
) -> Float[np.ndarray, "... 4"]:
    """Boxes as they lie when the picture is turned left for right."""
    x0, y0, x1, y1 = np.moveaxis(boxes, -1, 0)
    return np.stack([1 - x1, y0, 1 - x0, y1], axis=-1)


def close_up(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, " 4"], size: int
) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """What is inside and a little around a box, as a square of `size` pixels.

    It keeps the entity's aspect: a square around the box, where the picture has room for one.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (float(v) for v in box)
    half = max((x1 - x0) * width, (y1 - y0) * height) * (0.5 + CROP_MARGIN)
    cx, cy = (x0 + x1) / 2 * width, (y0 + y1) / 2 * height
    region = (max(cx - half, 0), max(cy - half, 0), min(cx + half, width), min(cy + half, height))
    return _resized(image, size, region, Image.Resampling.BILINEAR)


def _resized(
    image: np.ndarray,
    size: int,
    region: tuple[float, float, float, float],
    how: Image.Resampling,
) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((size, size), how, box=region))
