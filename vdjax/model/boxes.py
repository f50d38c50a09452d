"""Boxes as the network meets them: GLIGEN's Fourier code, and how a grid's cells lie in them.

A grounding token may also carry a small picture of its entity, as cosine waves over its box: what
the latents are expected to be there, and how surely. A cell reads it where it lies in the box.
"""

from __future__ import annotations

import math

import flax.struct
import jax.numpy as jnp
from jaxtyping import Array, Float

FREQUENCIES = 8  # GLIGEN: ldm/modules/diffusionmodules/util.py, FourierEmbedder
TEMPERATURE = 100.0  # same source; frequencies 100^(k/8), without a factor of 2π
BOX_CODE_WIDTH = 4 * 2 * FREQUENCIES
OCTAVES = 4  # of `placed_in`: half a wave per box to four, the finest detail of latents 16 wide
PLACED_WIDTH = 2 * (2 + 2 * OCTAVES)
PICTURE_CHANNELS = 5  # four expected latents and the logarithm of their variance
MARGIN = 0.5  # of a box's side, beyond which "outside" is all that `placed_in` tells


@flax.struct.dataclass
class BoxGeometry:
    """How the cells of a grid, row by row, lie in the frame and in the boxes of grounding tokens.

    `cells` are `cell_codes`, `inside` is `cells_inside`; `placed` is `placed_in`, followed by
    `pictured_in` where tokens carry pictures.
    """

    cells: Float[Array, "cell 64"]
    inside: Float[Array, "row cell token"]
    placed: Float[Array, "row cell token code"]

    @classmethod
    def of(
        cls,
        boxes: Float[Array, "row token 4"],
        height: int,
        width: int,
        pictures: Float[Array, "row token waves waves 5"] | None = None,
    ) -> BoxGeometry:
        """The geometry of a grid of cells and the boxes (and pictures) of each row's tokens."""
        inside, placed = cells_inside(boxes, height, width), placed_in(boxes, height, width)
        if pictures is not None:
            seen = pictured_in(pictures, boxes, height, width)
            placed = jnp.concatenate([placed, seen], axis=-1)
        return cls(cell_codes(height, width), inside, placed)


def unpack(
    tokens: Float[Array, "*rows token width"], waves: int
) -> tuple[
    Float[Array, "*rows token own"],
    Float[Array, "*rows token waves waves 5"] | None,
    Float[Array, "*rows token 4"],
]:
    """What tokens with boxes hold: their own channels, their picture (if any), their box."""
    own, boxes = tokens[..., :-4], tokens[..., -4:]
    if not waves:
        return own, None, boxes
    at = own.shape[-1] - picture_width(waves)
    pictures = own[..., at:].reshape(*own.shape[:-1], waves, waves, PICTURE_CHANNELS)
    return own[..., :at], pictures, boxes


def picture_width(waves: int) -> int:
    """How many numbers of a grounding token a picture takes, of so many waves each way."""
    return waves * waves * PICTURE_CHANNELS


def box_code(boxes: Float[Array, "*rows 4"]) -> Float[Array, "*rows 64"]:
    """Waves of x0, y0, x1, y1 (0..1), ordered by frequency, then sine/cosine, then coordinate."""
    frequencies = TEMPERATURE ** (jnp.arange(FREQUENCIES, dtype=boxes.dtype) / FREQUENCIES)
    angles = jnp.einsum("...c,k->...kc", boxes, frequencies)
    waves = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-2)
    return waves.reshape(*boxes.shape[:-1], BOX_CODE_WIDTH)


def cell_codes(height: int, width: int) -> Float[Array, "cell 64"]:
    """The codes of the cells of a grid, row by row: where each visual token is, and how large."""
    top, left = jnp.arange(height) / height, jnp.arange(width) / width
    y0, x0 = (edge.reshape(-1) for edge in jnp.meshgrid(top, left, indexing="ij"))
    return box_code(jnp.stack([x0, y0, x0 + 1 / width, y0 + 1 / height], axis=-1))


def cells_inside(
    boxes: Float[Array, "*rows token 4"], height: int, width: int
) -> Float[Array, "*rows cell token"]:
    """The share of each cell of a grid that lies inside each box, 0..1; cells row by row."""

    def covered(low, high, cells: int):
        edges = jnp.arange(cells, dtype=boxes.dtype).reshape(-1, *(1,) * low.ndim) / cells
        shared = jnp.minimum(high[None], edges + 1 / cells) - jnp.maximum(low[None], edges)
        return jnp.maximum(shared, 0.0) * cells

    across = covered(boxes[..., 0], boxes[..., 2], width)
    down = covered(boxes[..., 1], boxes[..., 3], height)
    cells = (down[:, None] * across[None]).reshape(height * width, *boxes.shape[:-1])
    return jnp.moveaxis(cells, 0, -2)


def placed_in(
    boxes: Float[Array, "*rows token 4"], height: int, width: int
) -> Float[Array, "*rows cell token 20"]:
    """Where each cell's middle lies in each box, and how large a cell is beside it.

    Across, then down: the coordinate (0 and 1 are the box's edges, held to `MARGIN` beyond them),
    its sines and cosines in octaves from half a wave per box, and the logarithm of the box's side
    in cells. All zero for a box without extent.
    """

    def along(low, high, cells: int):
        grid = jnp.arange(cells, dtype=boxes.dtype).reshape(-1, *(1,) * low.ndim)
        low, side = low[None], jnp.maximum(high - low, 1e-3)[None]
        at = jnp.clip(((grid + 0.5) / cells - low) / side, -MARGIN, 1.0 + MARGIN)
        angles = [math.pi * 2**octave * at for octave in range(OCTAVES)]
        size = jnp.broadcast_to(jnp.log(side * cells), at.shape)
        return jnp.stack([at, *map(jnp.sin, angles), *map(jnp.cos, angles), size], axis=-1)

    across = along(boxes[..., 0], boxes[..., 2], width)[None]
    down = along(boxes[..., 1], boxes[..., 3], height)[:, None]
    both = [jnp.broadcast_to(x, (height, width, *x.shape[2:])) for x in (across, down)]
    codes = jnp.concatenate(both, axis=-1).reshape(height * width, *boxes.shape[:-1], PLACED_WIDTH)
    there = (boxes[..., 2:] > boxes[..., :2]).all(-1)[None, ..., None]
    return jnp.moveaxis(jnp.where(there, codes, 0.0), 0, -3)


def pictured_in(
    pictures: Float[Array, "*rows token waves waves channel"],
    boxes: Float[Array, "*rows token 4"],
    height: int,
    width: int,
) -> Float[Array, "*rows cell token channel"]:
    """What each cell's middle reads off the picture that a token carries, stretched over its box.

    A picture is a sum of cosine waves, down and across, of no to `waves - 1` half periods per box:
    smooth at any size, and even at its edges, which hold beyond it. Zero for a box without extent.
    """
    waves = pictures.shape[-2]

    def along(low, high, cells: int):
        lone = (1,) * low.ndim
        grid = jnp.arange(cells, dtype=boxes.dtype).reshape(*lone, cells)
        low, side = low[..., None], jnp.maximum(high - low, 1e-3)[..., None]
        at = jnp.clip(((grid + 0.5) / cells - low) / side, 0.0, 1.0)
        halves = jnp.arange(waves, dtype=boxes.dtype).reshape(*lone, 1, waves)
        return jnp.cos(math.pi * at[..., None] * halves)

    across = along(boxes[..., 0], boxes[..., 2], width)
    down = along(boxes[..., 1], boxes[..., 3], height)
    # One axis after the other: a tenth of the work of all waves at every cell.
    rows = jnp.einsum("...yk,...klc->...ylc", down, pictures)
    cells = jnp.einsum("...xl,...ylc->...yxc", across, rows)
    there = (boxes[..., 2:] > boxes[..., :2]).all(-1)[..., None, None, None]
    cells = jnp.where(there, cells, 0.0)
    cells = cells.reshape(*boxes.shape[:-1], height * width, pictures.shape[-1])
    return jnp.moveaxis(cells, -2, -3)
