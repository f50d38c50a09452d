"""Boxes as the network meets them: GLIGEN's Fourier code, and which cells of a grid they hold."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

FREQUENCIES = 8  # GLIGEN: ldm/modules/diffusionmodules/util.py, FourierEmbedder
TEMPERATURE = 100.0  # same source; frequencies 100^(k/8), without a factor of 2π
BOX_CODE_WIDTH = 4 * 2 * FREQUENCIES


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
