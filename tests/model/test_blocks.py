"""The convolutional blocks against the same arithmetic written out in numpy."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.model.blocks import (
    Downsample,
    ResnetBlock,
    TemporalConv,
    TimestepEmbedding,
    Upsample,
    fold_frames,
    timestep_sinusoid,
)
from vdjax.model.params import fill_params

RNG = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def applied(module, *args):
    """The module's output with random parameters, and those as float64 arrays."""
    params = fill_params(jax.eval_shape(module.init, jax.random.key(0), *args)["params"])
    shaken = jax.tree_util.tree_map(lambda x: x + 0.1 * normal(*x.shape), params)
    out = np.asarray(jax.jit(module.apply)({"params": shaken}, *args))
    return out, jax.tree_util.tree_map(lambda x: np.asarray(x, np.float64), shaken)


def silu(x):
    return x / (1 + np.exp(-x))


def group_norm(x, p, groups, axes):
    """Statistics over `axes` and within each group of channels."""
    split = x.reshape(*x.shape[:-1], groups, -1)
    over = (*axes, split.ndim - 1)
    mean, var = split.mean(over, keepdims=True), split.var(over, keepdims=True)
    return ((split - mean) / np.sqrt(var + 1e-5)).reshape(x.shape) * p["scale"] + p["bias"]


def conv3x3(x, p, stride=1):
    """(row, height, width, channel); one pixel of zeros on every side."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1] // stride, x.shape[2] // stride
    out = np.zeros((x.shape[0], height, width, p["kernel"].shape[-1]))
    for i in range(height):
        for j in range(width):
            window = padded[:, stride * i : stride * i + 3, stride * j : stride * j + 3]
            out[:, i, j] = np.einsum("nhwc,hwco->no", window, p["kernel"]) + p["bias"]
    return out


def test_the_sinusoid_has_its_closed_form():
    times = jnp.array([0, 1, 17, 999])
    code = timestep_sinusoid(times, 8)
    for row, t in zip(np.asarray(code), (0, 1, 17, 999), strict=True):
        angles = [t * 10000 ** (-k / 4) for k in range(4)]
        expected = [math.cos(a) for a in angles] + [math.sin(a) for a in angles]
        np.testing.assert_allclose(row, expected, atol=1e-4)


def test_the_timestep_goes_through_two_layers():
    code = normal(2, 6)
    out, p = applied(TimestepEmbedding(10), code)
    hidden = silu(np.asarray(code) @ p["linear_1"]["kernel"] + p["linear_1"]["bias"])
    expected = hidden @ p["linear_2"]["kernel"] + p["linear_2"]["bias"]
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_folding_is_batch_major_and_frame_minor():
    x = jnp.arange(2 * 3 * 4).reshape(2, 3, 2, 2, 1).astype(jnp.float32)
    folded = fold_frames(x)
    for clip in range(2):
        for frame in range(3):
            np.testing.assert_array_equal(folded[3 * clip + frame], x[clip, frame])


@pytest.mark.parametrize("channels", [8, 12])
def test_a_residual_block_normalises_each_frame_by_itself(channels):
    x, time = normal(2, 3, 4, 4, 8), normal(2, 5)
    out, p = applied(ResnetBlock(channels, groups=4), x, time)
    assert ("conv_shortcut" in p) == (channels != 8)
    frames = np.asarray(x, np.float64).reshape(6, 4, 4, 8)
    h = conv3x3(silu(group_norm(frames, p["norm1"], 4, (1, 2))), p["conv1"])
    shift = silu(np.asarray(time)) @ p["time_emb_proj"]["kernel"] + p["time_emb_proj"]["bias"]
    h = h + np.repeat(shift, 3, axis=0)[:, None, None]
    h = conv3x3(silu(group_norm(h, p["norm2"], 4, (1, 2))), p["conv2"])
    if channels != 8:
        short = p["conv_shortcut"]
        frames = frames @ short["kernel"][0, 0] + short["bias"]
    np.testing.assert_allclose(out, (frames + h).reshape(out.shape), atol=1e-4)


def test_the_temporal_convolution_normalises_over_the_whole_clip():
    x = normal(2, 5, 2, 3, 8)
    out, p = applied(TemporalConv(groups=4), x)
    h = np.asarray(x, np.float64).reshape(2, 5, 6, 8)
    for i in range(1, 5):
        h = silu(group_norm(h, p[f"conv{i}_norm"], 4, (1, 2)))
        padded = np.pad(h, ((0, 0), (1, 1), (0, 0), (0, 0)))
        kernel = p[f"conv{i}_conv"]["kernel"][:, 0]
        h = sum(padded[:, k : k + 5] @ kernel[k] for k in range(3)) + p[f"conv{i}_conv"]["bias"]
    np.testing.assert_allclose(out, np.asarray(x) + h.reshape(x.shape), atol=1e-4)


def test_halving_and_doubling():
    x = normal(1, 2, 4, 6, 3)
    frames = np.asarray(x, np.float64)[0]
    out, p = applied(Downsample(3), x)
    np.testing.assert_allclose(out[0], conv3x3(frames, p["conv"], stride=2), atol=1e-5)
    out, p = applied(Upsample(3), x)
    doubled = frames.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(out[0], conv3x3(doubled, p["conv"]), atol=1e-5)
