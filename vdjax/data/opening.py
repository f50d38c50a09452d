"""Other people's pictures, whatever they are: RGB leaves, upright, or a reason why not.

Grey, palette, CMYK, 16 bits, transparent, turned by a camera: all become what a person sees. Files
that are missing, cut short, damaged, too large or not what was annotated skip their sample.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from os import stat
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdjax.data.sample import Skipped
from vdjax.media.pictures import in_eight_bits

_ORIENTATION = 0x0112  # the EXIF tag, and what turns each of its values upright (EXIF 2.3, 4.6.4)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def find_picture(id: str, places: Iterable[Path]) -> Path:
    """The first of the places at which there is a file.

    Raises:
        Skipped: there is none, or it may not be looked at.
    """
    tried = []
    for place in places:
        tried.append(str(place))
        try:
            stat(place)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
            raise Skipped(id, "picture unreadable", str(error)) from error
        return place
    raise Skipped(id, "picture missing", f"looked for {', '.join(tried)}" if tried else "")


def open_picture(
    id: str, source: Path | bytes, annotated: tuple[float, float] | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture as RGB, 0 to 255, upright, with white where it is transparent.

    Args:
        id: of the sample that wants it.
        source: the file, or what is in it.
        annotated: width and height that its boxes refer to. They say whether boxes were drawn into
            the picture as a camera stored it or as it is seen. A copy in another size will do.

    Raises:
        Skipped: it cannot be read, or is of another shape than the one that was annotated.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    where = "" if isinstance(source, bytes) else f"{source}: "
    try:
        with Image.open(file) as image:
            largest = Image.MAX_IMAGE_PIXELS
            if largest and image.width * image.height > largest:
                detail = f"{where}{image.width} × {image.height}, more than {largest:,} pixels"
                raise Skipped(id, "picture too large", detail)
            image.load()
            stored, orientation = _rgb(id, image), _orientation(image)
    except Skipped:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Skipped(id, "picture too large", f"{where}{error}") from error
    except FileNotFoundError as error:
        raise Skipped(id, "picture missing", str(error)) from error
    except Exception as error:  # damaged files make Pillow's decoders raise whatever they raise
        raise Skipped(id, "picture unreadable", f"{where}{error}") from error
    upright = stored.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else stored
    if annotated is None or _same_shape(upright.size, annotated):
        return np.asarray(upright)
    if _same_shape(stored.size, annotated):
        return np.asarray(stored)
    seen, meant = (f"{width:g} × {height:g}" for width, height in (upright.size, annotated))
    raise Skipped(id, "picture of another shape", f"{where}it is {seen}, annotated as {meant}")


def _rgb(id: str, image: Image.Image) -> Image.Image:
    eight = in_eight_bits(image, image.format)
    if eight is None:
        detail = f"mode {image.mode}: nothing says what is black and what white; save it as 16 bit"
        raise Skipped(id, "picture unreadable", detail)
    if eight.has_transparency_data:
        clear = eight.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return eight if eight.mode == "RGB" else eight.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged note on a picture does not spoil the picture
        return 1


def _same_shape(size: tuple[int, int], annotated: tuple[float, float]) -> bool:
    """Whether two sizes are of one picture, to the pixel that is lost when it is made smaller."""
    (width, height), (wide, high) = size, annotated
    return abs(width * high - height * wide) <= max(width + height, wide + high)
