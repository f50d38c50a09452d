"""Boxes as arrays: overlap of each with each, and the removal of doubles."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def iou(
    first: Float[np.ndarray, "a 4"], second: Float[np.ndarray, "b 4"]
) -> Float[np.ndarray, "a b"]:
    """Intersection over union of every box of `first` with every box of `second`, 0 to 1."""
    shared = intersection(first, second)
    whole = area(first)[:, None] + area(second)[None] - shared
    return np.where(whole > 0, shared / np.maximum(whole, 1e-12), 0.0)


def intersection(
    first: Float[np.ndarray, "a 4"], second: Float[np.ndarray, "b 4"]
) -> Float[np.ndarray, "a b"]:
    """Shared area of every box of `first` with every box of `second`."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.prod(np.maximum(high - low, 0.0), axis=-1)


def area(boxes: Float[np.ndarray, "a 4"]) -> Float[np.ndarray, " a"]:
    """Areas; a box that is inside out has none."""
    return np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=-1)


def without_doubles(
    boxes: Float[np.ndarray, "a 4"], scores: Float[np.ndarray, " a"], limit: float
) -> Int[np.ndarray, " kept"]:
    """Indices, best score first, of boxes that overlap no better one by more than `limit` (IoU)."""
    overlap = iou(boxes, boxes)
    kept: list[int] = []
    for at in np.argsort(-scores, kind="stable"):
        if all(overlap[at, other] <= limit for other in kept):
            kept.append(int(at))
    return np.array(kept, int)
