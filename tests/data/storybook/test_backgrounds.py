"""Backgrounds are told apart, vary, have depth, and are the same for the same number."""

import numpy as np
import pytest

from vdjax.data.storybook.backgrounds import BACKGROUNDS, TRAIN_VARIANTS, background, panorama
from vdjax.errors import UserError
from vdjax.plan.vocabulary import Vocabulary


def test_the_planner_knows_the_same_backgrounds():
    assert set(BACKGROUNDS) == set(Vocabulary.storybook().backgrounds)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_a_background_is_no_flat_colour_and_varies(name):
    first, second = (panorama(name, variant, 64).astype(float) for variant in (0, 1))
    assert first.shape == (64, 80, 3)
    assert first.std() > 12
    # Top and bottom differ: there is a far and a near.
    assert np.abs(first[:12].mean((0, 1)) - first[-12:].mean((0, 1))).max() > 4
    assert np.abs(first - second).mean() > 4
    # Nothing unpainted shows through (what is dark is never quite black, space excepted).
    assert (first.sum(-1) == 0).mean() < (0.05 if name == "space" else 0.001)


def test_backgrounds_are_told_apart_by_a_nearest_mean():
    def features(name, variant):
        picture = panorama(name, variant, 64).astype(float)
        return picture.reshape(8, 8, 8, 10, 3).mean((1, 3)).ravel()

    means = {name: np.mean([features(name, v) for v in range(6)], axis=0) for name in BACKGROUNDS}
    asked = [(name, features(name, v)) for name in BACKGROUNDS for v in (20, 21)]
    right = [
        name == min(means, key=lambda other: np.linalg.norm(means[other] - found))
        for name, found in asked
    ]
    assert np.mean(right) > 0.8


def test_the_same_seed_is_the_same_view():
    for seed in range(5):
        np.testing.assert_array_equal(background("beach", seed, 64), background("beach", seed, 64))
    views = {background("beach", seed, 64).tobytes() for seed in range(12)}
    assert len(views) >= 10


def test_held_out_views_come_from_other_variants():
    train = [panorama("park", v, 64) for v in range(TRAIN_VARIANTS)]
    view = background("park", 3, 64, held_out=True)
    for wide in train:
        shifts = (wide[:, at : at + 64] for at in range(17))
        assert not any(np.array_equal(view, s) or np.array_equal(view, s[:, ::-1]) for s in shifts)


def test_unknown_background_is_refused():
    with pytest.raises(UserError, match="'moon base' is not known; choose one of beach"):
        panorama("moon base", 0, 64)
