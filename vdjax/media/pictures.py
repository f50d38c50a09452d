"""A user's own picture, read with care: it may be anything that a person calls a picture."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from vdjax.errors import ImageError

LONGEST_SIDE = 1024
"""Larger pictures are made smaller; the models look at far fewer pixels."""

LEAST_SIDE = 2
"""A single line of pixels is no picture of anything, and is refused. Ours."""


def load_picture(path: str | os.PathLike[str]) -> UInt8[np.ndarray, "height width 3"]:
    """Read a picture as RGB, 0 to 255, upright, with white where it is transparent.

    Raises:
        ImageError: there is no such file, or it is not a picture that can be read.
    """
    return on_white(load_cutout(path))


def on_white(cutout: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "height width 3"]:
    """A picture with white where it is transparent."""
    clear = Image.fromarray(cutout)
    white = Image.new("RGBA", clear.size, "white")
    return np.asarray(Image.alpha_composite(white, clear).convert("RGB"))


def load_cutout(path: str | os.PathLike[str]) -> UInt8[np.ndarray, "height width 4"]:
    """Read a picture as RGB and opacity, 0 to 255, upright.

    Raises:
        ImageError: there is no such file, or it is not a picture that can be read.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
                image.load()
                upright = ImageOps.exif_transpose(image)
    except FileNotFoundError as error:
        raise ImageError(f"there is no picture {path}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(
            f"picture {path} has more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is not a picture; give a PNG, JPEG, WebP or GIF file") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ImageError(f"picture {path} cannot be read: {reason}") from error
    except (ValueError, SyntaxError, EOFError) as error:  # how Pillow tells of broken contents
        raise ImageError(f"picture {path} cannot be read: {error}") from error
    if (eight := in_eight_bits(upright, image.format)) is None:
        raise ImageError(
            f"picture {path} is of mode {upright.mode}: nothing says what is black and what white; "
            "save it with 8 or 16 bits"
        )
    if min(eight.size) < LEAST_SIDE:
        wide, tall = eight.size
        raise ImageError(
            f"picture {path} has {wide} × {tall} pixels; give one of {LEAST_SIDE} × {LEAST_SIDE} "
            "at least"
        )
    upright = eight.convert("RGBA")
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return np.asarray(upright)


def in_eight_bits(image: Image.Image, format: str | None) -> Image.Image | None:
    """A grey picture of 16 bits in 8, of which Pillow would cut off all that is brighter than 255.

    Others are given back as they are; None for numbers of which nobody knows what is white.

    Args:
        image: the picture, perhaps turned.
        format: of the file it came from, as Pillow says it.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and format == "PNG"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return None if image.mode in ("I", "F") else image
