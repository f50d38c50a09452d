"""The storybook's artwork: 64 things, each drawn in four looks, as RGBA pictures of any size.

Enters: a name, a look and a size. Leaves: a picture whose art touches all four of its edges, so
that the rectangle it is drawn into *is* its bounding box.
"""

import functools
import json
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdjax.errors import UserError
from vdjax.plan.vocabulary import LOOKS, Vocabulary

ART = Path(__file__).with_name("art")
NAMES = tuple(Vocabulary.storybook().entities)

#: Which way a thing points in its artwork. Things that point nowhere in particular are absent.
FACING = {
    "airplane": "right",
    "rocket": "right",
    **dict.fromkeys(("cat", "dog", "horse", "cow", "pig", "rabbit", "mouse", "elephant"), "left"),
    **dict.fromkeys(("duck", "fish", "whale", "shark", "turtle", "monkey", "tiger"), "left"),
    **dict.fromkeys(("camel", "bee", "snail", "rooster", "goat", "car", "bus"), "left"),
    **dict.fromkeys(("fire truck", "police car", "bicycle", "motorcycle", "train"), "left"),
    **dict.fromkeys(("tractor", "helicopter"), "left"),
}
#: Pictures that point the other way than their name's other looks do, or that look straight at us.
FACING_EXCEPTIONS: dict[tuple[str, str], str | None] = {
    ("bee", "twemoji"): None,
    ("bee", "emojione"): None,
    ("cat", "emojione"): None,
    ("tiger", "emojione"): None,
    ("mouse", "emojione"): None,
    ("rabbit", "emojione"): None,
    ("dog", "noto"): None,
    ("dog", "emojione"): None,
    ("monkey", "emojione"): None,
}


def facing(name: str, look: str) -> str | None:
    """Which way the picture points: "left", "right" or None."""
    return FACING_EXCEPTIONS.get((name, look), FACING.get(name))


@functools.cache
def sizes() -> dict[str, dict[str, list[int]]]:
    """{name: {look: [width, height]}} of the art in its 96-pixel tile."""
    return json.loads((ART / "art.json").read_text(encoding="utf-8"))["sizes"]


def aspect(name: str, look: str) -> float:
    """Width over height of the art."""
    width, height = sizes()[name][look]
    return width / height


@functools.cache
def _sheet(look: str) -> Image.Image:
    with Image.open(ART / f"{look}.webp") as sheet:
        return sheet.convert("RGBA")


@functools.cache
def tile(name: str, look: str, mirrored: bool = False) -> Image.Image:
    """The art of one (name, look) as shipped, long side 96 pixels."""
    if name not in NAMES:
        raise UserError(
            f"'{name}' is not one of the {len(NAMES)} things of the storybook world; "
            "`vdjax plan` maps other words to them"
        )
    if look not in LOOKS:
        raise UserError(f"look '{look}' is not known; choose one of {', '.join(LOOKS)}")
    number = NAMES.index(name)
    width, height = sizes()[name][look]
    left, top = number % 8 * 96, number // 8 * 96
    art = _sheet(look).crop((left, top, left + width, top + height))
    return art.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else art


@functools.lru_cache(maxsize=4096)
def drawn(name: str, look: str, width: int, height: int, mirrored: bool = False) -> Image.Image:
    """The art stretched to exactly width x height pixels (RGBA). Cached: do not write to it."""
    return tile(name, look, mirrored).resize((width, height), Image.Resampling.BILINEAR)


def sprite(
    name: str, look: str, size: int = 96, mirrored: bool = False
) -> UInt8[np.ndarray, "height width 4"]:
    """The art with its long side `size` pixels and its aspect kept, as an array."""
    width, height = sizes()[name][look]
    scale = size / max(width, height)
    return np.asarray(
        drawn(name, look, max(1, round(width * scale)), max(1, round(height * scale)), mirrored)
    )
