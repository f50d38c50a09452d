"""Cut-outs: the part of a frame around a box, at one size, and the way back from its coordinates.

Boxes are x0 y0 x1 y1 in shares of the frame. A cut-out reaches a margin beyond its box; what lies
outside the frame is mid-grey in it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image

from vdjax.evaluate.network import CUTOUT, MARGIN

_GREY = 128


def cut(
    frame: UInt8[np.ndarray, "height width 3"],
    boxes: Float[np.ndarray, "box 4"],
    margin: float = MARGIN,
) -> UInt8[np.ndarray, "box 32 32 3"]:
    """The cut-out of each box, scaled to 32 × 32 pixels with smoothing.

    It shows `margin` times the box's width and height, about the box's middle.
    """
    height, width = frame.shape[:2]
    pad = max(height, width)
    wide = Image.new("RGB", (width + 2 * pad, height + 2 * pad), (_GREY,) * 3)
    wide.paste(Image.fromarray(frame), (pad, pad))
    out = np.empty((len(boxes), CUTOUT, CUTOUT, 3), np.uint8)
    for number, window in enumerate(windows(boxes, margin)):
        x0, x1 = np.clip(window[[0, 2]] * width + pad, 0, width + 2 * pad)
        y0, y1 = np.clip(window[[1, 3]] * height + pad, 0, height + 2 * pad)
        piece = wide.resize((CUTOUT, CUTOUT), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1))
        out[number] = np.asarray(piece)
    return out


def windows(
    boxes: Float[np.ndarray, "box 4"], margin: float = MARGIN
) -> Float[np.ndarray, "box 4"]:
    """What the cut-outs of these boxes show: the boxes with their margin."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * margin
    return np.concatenate([centre - half, centre + half], 1)


def inside_frame(seen: Float[np.ndarray, "box 4"]) -> Float32[np.ndarray, "box 32 32"]:
    """1 where a pixel of the cut-out of the window lies in the frame, 0 where it is only grey."""
    middles = (np.arange(CUTOUT) + 0.5) / CUTOUT
    x, y = (seen[:, i, None] + middles * (seen[:, i + 2] - seen[:, i])[:, None] for i in (0, 1))
    across, down = ((at > 0) & (at < 1) for at in (x, y))
    return (down[:, :, None] & across[:, None, :]).astype(np.float32)


def to_cutout(
    boxes: Float[np.ndarray, "box 4"], seen: Float[np.ndarray, "box 4"]
) -> Float[np.ndarray, "box 4"]:
    """Boxes of the frame in shares of the windows `seen`."""
    origin, size = seen[:, :2], seen[:, 2:] - seen[:, :2]
    return ((boxes.reshape(-1, 2, 2) - origin[:, None]) / size[:, None]).reshape(-1, 4)


def from_cutout(
    inside: Float[np.ndarray, "box 4"], seen: Float[np.ndarray, "box 4"]
) -> Float[np.ndarray, "box 4"]:
    """The way back from `to_cutout`, clipped to the frame."""
    origin, size = seen[:, :2], seen[:, 2:] - seen[:, :2]
    boxes = (inside.reshape(-1, 2, 2) * size[:, None] + origin[:, None]).reshape(-1, 4)
    return np.clip(boxes, 0.0, 1.0)
