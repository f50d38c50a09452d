"""Putting artwork on backgrounds: the one place where storybook pixels are made.

Enters: a background and, per thing, its art and a box per frame. Leaves: frames, and the boxes
that the art really covers, in whole pixels. Things are drawn in the order given: later ones are
in front.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image

from vdjax.data.storybook.backgrounds import background as background_view
from vdjax.data.storybook.sprites import drawn
from vdjax.errors import UserError

#: Art fainter than this (of 255) does not count when a box is measured.
SOLID = 32


def paste(
    frame: Image.Image, name: str, look: str, box: Sequence[float], mirrored: bool
) -> tuple[float, float, float, float] | None:
    """Draw one thing into `box` (shares of the frame) and return the box its solid pixels fill,
    or None.

    The box is rounded to whole pixels; it may reach over the frame's edge, in which case the box
    returned is that of the part inside.
    """
    side_x, side_y = frame.size
    left, top = round(box[0] * side_x), round(box[1] * side_y)
    width, height = max(2, round(box[2] * side_x) - left), max(2, round(box[3] * side_y) - top)
    art = drawn(name, look, width, height, mirrored)
    frame.paste(art, (left, top), art)
    solid = (
        np.asarray(art)[
            max(0, -top) : max(0, side_y - top), max(0, -left) : max(0, side_x - left), 3
        ]
        >= SOLID
    )
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    if not len(rows):
        return None
    left, top = max(left, 0), max(top, 0)
    return (
        (left + int(columns[0])) / side_x,
        (top + int(rows[0])) / side_y,
        (left + int(columns[-1]) + 1) / side_x,
        (top + int(rows[-1]) + 1) / side_y,
    )


def compose(
    backdrops: Sequence[UInt8[np.ndarray, "height width 3"]],
    things: Sequence[
        tuple[str, str, Float[np.ndarray, "frame 4"], Bool[np.ndarray, " frame"], bool]
    ],
) -> tuple[
    UInt8[np.ndarray, "frame height width 3"],
    Float32[np.ndarray, "entity frame 4"],
    Bool[np.ndarray, "entity frame"],
]:
    """Draw things (name, look, boxes, visible, mirrored) over one backdrop per frame.

    Returns the frames, the boxes really covered (zeros where nothing is) and where each thing is
    visible.
    """
    count = len(backdrops)
    boxes = np.zeros((len(things), count, 4), np.float32)
    visible = np.zeros((len(things), count), bool)
    frames = np.empty((count, *backdrops[0].shape), np.uint8)
    for at, backdrop in enumerate(backdrops):
        picture = Image.fromarray(backdrop)
        for number, (name, look, path, shown, mirrored) in enumerate(things):
            if shown[at]:
                covered = paste(picture, name, look, path[at].tolist(), mirrored)
                if covered is not None:
                    boxes[number, at], visible[number, at] = covered, True
        frames[at] = np.asarray(picture)
    return frames, boxes, visible


def render_plan_frames(
    background: str,
    background_seed: int,
    entities: Sequence[tuple[str, str, object, object, bool]],
    size: int = 128,
    num_frames: int = 16,
) -> UInt8[np.ndarray, "num_frames size size 3"]:
    """Real composites for a planned scene: the artwork itself, drawn into the planned boxes.

    `entities` holds (name, look, boxes[num_frames][4] in shares of the frame,
    visible[num_frames], mirrored). The background is the one that `background_seed` names, the
    same one for the same seed. This is the ceiling that a generator's films are measured against.
    Raises UserError for unknown names, looks or backgrounds and for boxes that do not fit
    `num_frames`.
    """
    things = []
    for name, look, boxes, visible, mirrored in entities:
        path = np.nan_to_num(np.asarray(boxes, np.float64))
        shown = np.asarray(visible, bool)
        if path.shape != (num_frames, 4) or shown.shape != (num_frames,):
            raise UserError(
                f"'{name}' has boxes of shape {path.shape} and visible of shape {shown.shape}; "
                f"{num_frames} frames need ({num_frames}, 4) and ({num_frames},)"
            )
        things.append((name, look, path, shown, mirrored))
    backdrop = background_view(background, background_seed, size)
    return compose([backdrop] * num_frames, things)[0]
