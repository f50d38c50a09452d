"""Noise that frames share: each frame alone is standard normal."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.sample.noise import shared_noise

SHAPE = (16, 4, 8, 8, 8)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_frames_correlate_as_much_as_they_share(share):
    noise = np.asarray(shared_noise(jax.random.key(0), SHAPE, share))
    assert noise.shape == SHAPE
    frames = noise.swapaxes(0, 1).reshape(SHAPE[1], -1)
    # 8192 numbers per frame: a standard error of 0.011 for means and correlations.
    np.testing.assert_allclose(frames.mean(1), 0.0, atol=0.05)
    np.testing.assert_allclose(np.cov(frames), share + (1 - share) * np.eye(4), atol=0.06)
    assert np.mean(np.abs(frames) < 1) == pytest.approx(0.6827, abs=0.01)


def test_clips_share_nothing():
    noise = np.asarray(shared_noise(jax.random.key(0), SHAPE, 1.0))[:, 0].reshape(SHAPE[0], -1)
    others = np.corrcoef(noise)[~np.eye(SHAPE[0], dtype=bool)]
    assert np.abs(others).max() < 0.25
    assert np.abs(others.mean()) < 0.02


def test_one_key_is_one_noise():
    first, again, other = (shared_noise(jax.random.key(k), (1, 2, 2, 2, 1), 0.5) for k in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    assert first.dtype == jnp.float32
