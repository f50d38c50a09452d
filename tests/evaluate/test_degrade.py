"""Degradations: what each takes away, and that none breaks a frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.data.storybook import StorybookWorld
from vdjax.evaluate import degrade


@pytest.fixture(scope="module")
def frame():
    return StorybookWorld("validation").image(5).frames[0]


def edges(picture):
    return np.abs(np.diff(picture.astype(float), axis=1)).mean()


@pytest.mark.parametrize("name", degrade.DEGRADATIONS)
def test_each_is_a_frame_again_different_and_repeatable(frame, name):
    worse = degrade.DEGRADATIONS[name]
    once = worse(frame, np.random.default_rng(3))
    assert once.dtype == np.uint8
    assert once.shape == frame.shape
    np.testing.assert_array_equal(once, worse(frame, np.random.default_rng(3)))
    change = np.abs(once.astype(float) - frame).mean()
    assert 0.5 < change < 30


def test_softness_takes_edges_away(frame):
    for softer in (degrade.blur(frame, 1.5), degrade.soften(frame, 3.0), degrade.blocks(frame, 2)):
        assert edges(softer) < 0.8 * edges(frame)


def test_all_cosines_kept_is_the_frame_itself(frame):
    np.testing.assert_array_equal(degrade.blocks(frame, 8), frame)


def test_one_cosine_kept_is_the_mean_of_each_block(frame):
    flat = degrade.blocks(frame, 1)
    block = frame[8:16, 24:32].astype(float).mean((0, 1))
    np.testing.assert_allclose(flat[8:16, 24:32], np.broadcast_to(block, (8, 8, 3)), atol=0.51)


def test_noise_has_the_level_asked_for():
    grey = np.full((128, 128, 3), 128, np.uint8)
    noisy = degrade.noise(grey, 12.0, np.random.default_rng(0))
    assert noisy.astype(float).std() == pytest.approx(12.0, rel=0.05)


def test_neutral_colours_change_nothing(frame):
    np.testing.assert_array_equal(degrade.recolour(frame, 1.0, 0.0, 1.0, (0.0, 0.0, 0.0)), frame)


def test_no_saturation_is_grey(frame):
    grey = degrade.recolour(frame, 1.0, 0.0, 0.0, (0.0, 0.0, 0.0)).astype(int)
    assert (grey.max(-1) == grey.min(-1)).all()


def test_not_bent_is_where_it_was(frame):
    straight = degrade.bend(frame, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(straight, frame)


@given(st.integers(0, 10**6))
def test_mixtures_are_frames(seed):
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 256, (32, 48, 3), np.uint8)
    worse = degrade.mixture(frame, rng)
    assert worse.dtype == np.uint8
    assert worse.shape == frame.shape
