"""Boxes as the network meets them: GLIGEN's Fourier code, and how a grid's cells lie in them."""

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
MARGIN = 0.5  # of a box's side, beyond which "outside" is all that `placed_in` tells


@flax.struct.dataclass
class BoxGeometry:
    """How the cells of a grid, row by row, lie in the frame and in the boxes of grounding tokens.

    `cells` are `cell_codes`, `inside` is `cells_inside`, `placed` is `placed_in`.
    """

    cells: Float[Array, "cell 64"]
    inside: Float[Array, "row cell token"]
    placed: Float[Array, "row cell token 20"]

    @classmethod
    def of(cls, boxes: Float[Array, "row token 4"], height: int, width: int) -> BoxGeometry:
        """The geometry of a grid of cells and the boxes of each row's tokens."""
        inside = cells_inside(boxes, height, width)
        return cls(cell_codes(height, width), inside, placed_in(boxes, height, width))


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
