"""The two small networks of the detector: one finds things, the other names what was found.

`Finder` is CenterNet without classes (Zhou et al. 2019, "Objects as Points", section 4): a frame
enters, and per cell of a 16 × 16 grid there leaves how likely a thing's centre lies there, and the
thing's box.

`Namer` looks at one cut-out at a time and says which of the 256 drawings it shows, or
that it shows none, and where in the cut-out the drawing's box really is: the second stage of a
region-based detector (Girshick 2015, "Fast R-CNN", section 2). Departure from CenterNet: names are
not told apart on the grid. A cut-out is scale-free, so the drawings are learned from a tenth of
the pictures; and the grid has one easy question to answer, which holds for things that are drawn
badly too.

No weights, layers or features are shared with the generator, its autoencoder or its CLIP.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

GRID = 16
"""Cells of the finder's grid along each side."""
CUTOUT = 32
"""Side of a cut-out in pixels."""
MARGIN = 1.25
"""A cut-out is this many times as wide and as high as the box it was made for."""


class _Conv(nn.Module):
    """3 × 3 convolution, group normalisation, SiLU."""

    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(self.features, (3, 3), strides=self.stride, use_bias=False)(x)
        return nn.silu(nn.GroupNorm(num_groups=8)(x))


class _Residual(nn.Module):
    """Two convolutions beside the identity."""

    @nn.compact
    def __call__(self, x):
        return x + _Conv(x.shape[-1])(_Conv(x.shape[-1])(x))


class Finder(nn.Module):
    """Frames in -1..1 to a grid of (logit of a centre, box sides in frame units).

    Sides are the distances from the middle of the cell to the box's left, top, right and bottom
    edge; they may be negative where the cell lies outside the box.
    """

    @nn.compact
    def __call__(
        self, frames: Float[Array, "batch 128 128 3"]
    ) -> tuple[Float[Array, "batch 16 16"], Float[Array, "batch 16 16 4"]]:
        x = _Conv(40, stride=2)(_folded(frames))
        x16 = _Residual()(_Conv(64, stride=2)(x))
        x8 = _Residual()(_Conv(96, stride=2)(x16))
        x4 = _Residual()(_Conv(128, stride=2)(x8))
        x8 = _Residual()(x8 + _doubled(nn.Conv(96, (1, 1))(x4)))
        x16 = _Residual()(x16 + _doubled(nn.Conv(64, (1, 1))(x8)))
        x16 = _Conv(64)(x16)
        # The prior of focal loss (Lin et al. 2017, section 4.1): one cell in a hundred is a centre.
        centre = nn.Conv(1, (1, 1), bias_init=nn.initializers.constant(-4.6))(x16)[..., 0]
        sides = nn.Conv(4, (1, 1), bias_init=nn.initializers.constant(0.2))(x16)
        return centre, sides


class Namer(nn.Module):
    """Cut-outs in -1..1 to (logits of 256 drawings and of "nothing", box of the drawing).

    Drawing number `4 * name + look`; "nothing" is the last. Boxes are x0 y0 x1 y1 in 0..1 of the
    cut-out.
    """

    drawings: int = 256

    @nn.compact
    def __call__(
        self, cutouts: Float[Array, "batch 32 32 3"]
    ) -> tuple[Float[Array, "batch drawing"], Float[Array, "batch 4"]]:
        x16 = _Conv(48)(_folded(cutouts))
        x8 = _Residual()(_Conv(96, stride=2)(x16))
        x4 = _Residual()(_Conv(144, stride=2)(x8))
        x = nn.silu(nn.Conv(48, (1, 1))(x4))
        x = nn.silu(nn.LayerNorm()(nn.Dense(192, use_bias=False)(x.reshape(x.shape[0], -1))))
        return nn.Dense(self.drawings + 1)(x), _Edges()(x16, x8, x4)


class _Edges(nn.Module):
    """Where the four edges of the drawing lie, each as the mean of a distribution along its axis.

    A plain regression from features must learn every position anew; a distribution over positions
    moves with the picture, and is learned from far fewer cut-outs.
    """

    @nn.compact
    def __call__(self, x16, x8, x4):
        x = x16 + _doubled(nn.Conv(48, (1, 1))(x8)) + _doubled(_doubled(nn.Conv(48, (1, 1))(x4)))
        maps = nn.Conv(4, (1, 1))(_Conv(48)(x))
        along_x = jax.nn.logsumexp(maps[..., 0::2], axis=1)
        along_y = jax.nn.logsumexp(maps[..., 1::2], axis=2)
        logits = jnp.stack(
            [along_x[..., 0], along_y[..., 0], along_x[..., 1], along_y[..., 1]], axis=1
        )
        usual = self.param("usual", _usual_edges)
        return jax.nn.softmax(logits + usual[None]) @ _MIDDLES


_MIDDLES = (np.arange(CUTOUT // 2, dtype=np.float32) + 0.5) / (CUTOUT // 2)


def _usual_edges(key) -> Float[Array, "4 16"]:
    """Before anything is learned, edges are where they are if the box was right to begin with."""
    del key
    inset = (1 - 1 / MARGIN) / 2
    where = jnp.array([[inset], [inset], [1 - inset], [1 - inset]])
    return -0.5 * ((jnp.asarray(_MIDDLES)[None] - where) / 0.08) ** 2


def _folded(x: Float[Array, "batch h w c"]) -> Float[Array, "batch h2 w2 c4"]:
    """Each 2 × 2 block of pixels as one pixel: less to compute, nothing lost."""
    b, h, w, c = x.shape
    blocks = x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(b, h // 2, w // 2, 4 * c)


def _doubled(x: Float[Array, "batch h w c"]) -> Float[Array, "batch h2 w2 c"]:
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def init(key) -> dict:
    """Fresh parameters of both networks: {"finder": tree, "namer": tree}."""
    first, second = jax.random.split(key)
    return {
        "finder": Finder().init(first, jnp.zeros((1, 128, 128, 3)))["params"],
        "namer": Namer().init(second, jnp.zeros((1, CUTOUT, CUTOUT, 3)))["params"],
    }
