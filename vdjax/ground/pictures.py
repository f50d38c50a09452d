"""A user's picture as a CLIP's image tower wants it: a square of the tower's size, in [-1, 1].

OpenAI's towers were trained on pictures whose shorter side was brought to the tower's by bicubic
interpolation before the middle was cut out (transformers: CLIPImageProcessor); the storybook's on
whole squares. Mean and variance are the tower's own affair (`CLIP.project_image`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from vdjax.model.hf import CLIPConfig


def tower_pixels(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], clip: CLIPConfig
) -> Float32[np.ndarray, "picture size size 3"]:
    """The middle of each picture, in [-1, 1], at the size of the tower."""
    square = shorter_side_then_middle if clip.image_mean else middle_square
    squares = np.stack([square(picture, clip.image_size) for picture in pictures])
    return squares.astype(np.float32) / 127.5 - 1.0


def middle_square(
    picture: UInt8[np.ndarray, "height width 3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """The largest square in the middle, brought to `size`."""
    from PIL import Image

    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) / 2, (width - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(
        Image.fromarray(picture).resize((size, size), Image.Resampling.LANCZOS, box=box)
    )


def shorter_side_then_middle(
    picture: UInt8[np.ndarray, "height width 3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """The shorter side brought to `size`, then whole pixels cut off the longer one's ends."""
    from PIL import Image

    height, width = picture.shape[:2]
    side = min(height, width)
    # Rounded down, as transformers has it (image_transforms.py, get_resize_output_image_size).
    high, wide = int(size * height / side), int(size * width / side)
    whole = Image.fromarray(picture).resize((wide, high), Image.Resampling.BICUBIC)
    top, left = (high - size) // 2, (wide - size) // 2
    return np.asarray(whole.crop((left, top, left + size, top + size)))
