"""Pictures for image towers: public CLIPs' as transformers prepares them, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from vdjax.ground.pictures import middle_square, shorter_side_then_middle, tower_pixels
from vdjax.model.hf import CLIPConfig


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    "shape", [(224, 224), (300, 500), (517, 301), (60, 90), (225, 224), (224, 227)], ids=str
)
def test_public_clips_see_what_transformers_prepares(shape):
    from transformers import CLIPImageProcessor

    clip, seen = CLIPConfig.vit_l(), picture(*shape)
    theirs = CLIPImageProcessor()(seen, return_tensors="np")["pixel_values"][0]
    mean, std = (np.float32(x) for x in (clip.image_mean, clip.image_std))
    (ours,) = tower_pixels([seen], clip)
    ours = (ours * np.float32(0.5) + np.float32(0.5) - mean) / std  # as `CLIP.project_image` does
    np.testing.assert_allclose(ours, theirs.transpose(1, 2, 0), atol=2e-6)


def test_the_storybooks_tower_sees_the_middle_square():
    clip, seen = CLIPConfig(), picture(100, 80)
    (ours,) = tower_pixels([seen], clip)
    assert ours.dtype == np.float32
    assert np.abs(ours).max() <= 1
    expected = middle_square(seen, clip.image_size).astype(np.float32) / 127.5 - 1.0
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("cut", [middle_square, shorter_side_then_middle])
def test_a_square_of_the_right_size_is_left_as_it_is(cut):
    np.testing.assert_array_equal(cut(picture(32, 32), 32), picture(32, 32))
