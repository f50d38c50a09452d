"""Convolutional parts of the 3D UNet, and its timestep embedding.

Every block takes and returns (batch, frame, height, width, channel). Names and arithmetic follow
diffusers' UNet3DConditionModel, whose weights they must hold: group norm with epsilon 1e-5, pooled
over one frame in the residual block and over the whole clip in the temporal convolution.
"""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

CONV_EPSILON = 1e-5  # diffusers: unet_3d_blocks.py, resnet_eps


def fold_frames(
    x: Float[Array, "batch frame height width channel"],
) -> Float[Array, "batch_frame height width channel"]:
    """Frames become batch rows, batch-major and frame-minor."""
    return x.reshape(-1, *x.shape[2:])


def timestep_sinusoid(timesteps: Num[Array, " batch"], width: int) -> Float[Array, "batch width"]:
    """Sinusoidal code of the timestep, cosines first.

    In diffusers' words: flip_sin_to_cos, base 10000, shift 0.
    """
    half = width // 2
    frequencies = jnp.exp(-math.log(10000.0) * jnp.arange(half, dtype=jnp.float32) / half)
    angles = timesteps.astype(jnp.float32)[:, None] * frequencies[None]
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)


class TimestepEmbedding(nn.Module):
    """Two linear layers over the sinusoid: linear, SiLU, linear."""

    width: int

    @nn.compact
    def __call__(self, code: Float[Array, "batch width"]) -> Float[Array, "batch embedding"]:
        hidden = nn.silu(nn.Dense(self.width, name="linear_1")(code))
        return nn.Dense(self.width, name="linear_2")(hidden)


class ResnetBlock(nn.Module):
    """Two 3×3 convolutions per frame with the timestep added between them, and a residual path."""

    channels: int
    groups: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch frame height width _"],
        time: Float[Array, "batch embedding"],
    ) -> Float[Array, "batch frame height width channel"]:
        frames = x.shape[1]
        residual = fold_frames(x)
        h = nn.GroupNorm(self.groups, epsilon=CONV_EPSILON, name="norm1")(residual)
        h = nn.Conv(self.channels, (3, 3), padding=1, name="conv1")(nn.silu(h))
        shift = nn.Dense(self.channels, name="time_emb_proj")(nn.silu(time))
        h = h + jnp.repeat(shift, frames, axis=0)[:, None, None, :]
        h = nn.GroupNorm(self.groups, epsilon=CONV_EPSILON, name="norm2")(h)
        h = nn.Conv(self.channels, (3, 3), padding=1, name="conv2")(nn.silu(h))
        if residual.shape[-1] != self.channels:
            residual = nn.Conv(self.channels, (1, 1), name="conv_shortcut")(residual)
        return (residual + h).reshape(*x.shape[:-1], self.channels)


class TemporalConv(nn.Module):
    """Four 3-frame convolutions over time with a residual path (diffusers: TemporalConvLayer).

    The convolution runs in two dimensions over (frame, height·width) with a (3, 1) kernel: the same
    numbers as a (3, 1, 1) convolution in three, two to three times faster on a CPU. The last one
    starts at zero, so that an untrained layer lets frames pass unchanged.
    """

    groups: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch frame height width channel"]
    ) -> Float[Array, "batch frame height width channel"]:
        batch, frames, height, width, channels = x.shape
        h = x.reshape(batch, frames, height * width, channels)
        for i in range(1, 5):
            init = nn.initializers.zeros if i == 4 else nn.linear.default_kernel_init
            h = nn.GroupNorm(self.groups, epsilon=CONV_EPSILON, name=f"conv{i}_norm")(h)
            h = nn.Conv(
                channels,
                (3, 1),
                padding=((1, 1), (0, 0)),
                kernel_init=init,
                name=f"conv{i}_conv",
            )(nn.silu(h))
        return x + h.reshape(x.shape)


class Downsample(nn.Module):
    """Halve height and width: a 3×3 convolution of stride 2, padded by one pixel on every side."""

    channels: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch frame height width channel"]
    ) -> Float[Array, "batch frame h w channel"]:
        h = nn.Conv(self.channels, (3, 3), strides=2, padding=1, name="conv")(fold_frames(x))
        return h.reshape(*x.shape[:2], *h.shape[1:])


class Upsample(nn.Module):
    """Double height and width: nearest neighbour, then a 3×3 convolution."""

    channels: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch frame height width channel"]
    ) -> Float[Array, "batch frame h w channel"]:
        h = fold_frames(x)
        n, height, width, channels = h.shape
        h = jax.image.resize(h, (n, 2 * height, 2 * width, channels), method="nearest")
        h = nn.Conv(self.channels, (3, 3), padding=1, name="conv")(h)
        return h.reshape(*x.shape[:2], *h.shape[1:])
