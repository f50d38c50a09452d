"""The twelve backgrounds of the storybook, painted by code and kept in memory as a bank of
variants.

Enters: a background's name and a number. Leaves: a picture somewhat wider than the frame, so that
a clip can pan over it. A variant is painted when it is first asked for and kept: one costs some
10 ms to paint and 60 kB to keep, so the whole bank fills within the first thousands of samples
and then costs nothing.
"""

import functools

import numpy as np
from jaxtyping import UInt8

from vdjax.data.storybook import places, rooms
from vdjax.data.storybook.brush import HEIGHT, WIDTH, Canvas
from vdjax.errors import UserError

PAINTERS = {
    "beach": places.beach,
    "forest": places.forest,
    "city": places.city,
    "desert": places.desert,
    "snowy mountains": places.snowy_mountains,
    "night": places.night,
    "underwater": places.underwater,
    "kitchen": rooms.kitchen,
    "bedroom": rooms.bedroom,
    "park": places.park,
    "road": places.road,
    "space": places.space,
}
BACKGROUNDS = tuple(PAINTERS)

#: Variants of each background for training, and further ones that only held-out samples show.
TRAIN_VARIANTS = 48
HELD_OUT_VARIANTS = 16
#: A background is this much wider than the frame.
MARGIN = WIDTH / HEIGHT


@functools.cache
def panorama(name: str, variant: int, size: int) -> UInt8[np.ndarray, "height wide 3"]:
    """Variant `variant` of background `name`: `size` pixels high, 1.25 times as wide, read-only."""
    if name not in PAINTERS:
        raise UserError(f"background '{name}' is not known; choose one of {', '.join(BACKGROUNDS)}")
    rng = np.random.default_rng([BACKGROUNDS.index(name), variant, 20240])
    canvas = Canvas()
    PAINTERS[name](canvas, rng)
    picture = np.asarray(canvas.finished(round(size * MARGIN), size))
    picture.flags.writeable = False
    return picture


def background(
    name: str, seed: int, size: int = 128, held_out: bool = False
) -> UInt8[np.ndarray, "size size 3"]:
    """One still background.

    `seed` chooses the variant, whether it is mirrored and where the frame sits on it.
    """
    rng = np.random.default_rng([seed, 77])
    variant = (
        int(rng.integers(HELD_OUT_VARIANTS)) + TRAIN_VARIANTS
        if held_out
        else int(rng.integers(TRAIN_VARIANTS))
    )
    wide = panorama(name, variant, size)
    start = int(rng.integers(wide.shape[1] - size + 1))
    view = wide[:, start : start + size]
    return np.ascontiguousarray(view[:, ::-1] if rng.random() < 0.5 else view)
