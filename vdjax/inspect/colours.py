"""Colour maps that colour-blind readers read alike, and maps in them upon frames.

A name enters, a table of 256 colours leaves: matplotlib's own where it is installed, otherwise one
interpolated between 17 of its colours, which is at most 11 of 255 off. All three grow lighter from
end to end, so they survive a grey printer too (viridis and magma by van der Walt and Smith, cividis
by Nuñez, Anderton and Renslow).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from vdjax.errors import UserError

_SEVENTEEN = {
    "viridis": "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1f9f88 27ad81 3dbc74"
    " 5cc863 81d34d aadc32 d5e21a fde725",
    "cividis": "00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 8b8778 9a9376 aaa073"
    " bbad6d ccba64 ddc858 efd748 fee838",
    "magma": "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 cf4070 e55064 f4695c"
    " fb8761 fea571 fec287 fde0a1 fcfdbf",
}
COLOUR_MAPS = tuple(_SEVENTEEN)
COLOURS = "magma"


@cache
def colour_table(name: str) -> UInt8[np.ndarray, "256 3"]:
    """The colours of a map from its lowest to its highest value.

    Raises:
        UserError: there is no such map here.
    """
    if name not in _SEVENTEEN:
        raise UserError(f"colours are {name!r}: use one of {', '.join(COLOUR_MAPS)}")
    try:
        from matplotlib import colormaps
    except ImportError:
        return _interpolated(name)
    table: np.ndarray = np.rint(colormaps[name](np.arange(256))[:, :3] * 255).astype(np.uint8)
    return table


def _interpolated(name: str) -> UInt8[np.ndarray, "256 3"]:
    colours = np.array([list(bytes.fromhex(code)) for code in _SEVENTEEN[name].split()])
    known = np.rint(np.linspace(0, 255, len(colours)))
    channels = [np.interp(np.arange(256), known, channel) for channel in colours.T]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def overlay(
    frame: UInt8[np.ndarray, "tall wide 3"],
    heat: Float[np.ndarray, "height width"],
    limits: tuple[float, float] | None = None,
    opacity: float = 0.65,
    colours: str = COLOURS,
) -> UInt8[np.ndarray, "tall wide 3"]:
    """A frame in grey with a map upon it, enlarged bilinearly.

    `limits` are the values of the darkest and the brightest colour; the map's own where None.
    `colours` is a name of `vdjax.inspect.colours`.

    Raises:
        UserError: the opacity is outside 0..1, or there is no such colour map.
    """
    if not 0 <= opacity <= 1:
        raise UserError(f"opacity is {opacity}: it must be from 0 (frame only) to 1 (map only)")
    tall, wide = frame.shape[:2]
    low, high = (float(heat.min()), float(heat.max())) if limits is None else limits
    scaled = np.clip((heat - low) / (high - low or 1.0), 0, 1).astype(np.float32)
    large = np.asarray(Image.fromarray(scaled).resize((wide, tall), Image.Resampling.BILINEAR))
    coloured = colour_table(colours)[np.minimum((large * 256).astype(int), 255)]
    grey = np.repeat(frame.mean(axis=-1, keepdims=True), 3, axis=-1)
    return np.rint((1 - opacity) * grey + opacity * coloured).astype(np.uint8)
