"""Samples: deterministic, random-access, well formed, and distributed as the data card says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdjax.data.storybook import BACKGROUNDS, NAMES, StorybookWorld
from vdjax.data.storybook import world as world_module
from vdjax.data.storybook.sprites import facing
from vdjax.errors import UserError


def same(first, second):
    np.testing.assert_array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(first.boxes, second.boxes)
    assert (first.caption, first.names, first.looks) == (second.caption, second.names, second.looks)


@settings(max_examples=15, deadline=None)
@given(
    split=st.sampled_from(["train", "validation", "held_out"]),
    seed=st.integers(0, 1000),
    index=st.integers(0, 10**9),
)
def test_any_index_gives_a_well_formed_sample_and_the_same_one_twice(split, seed, index):
    world = StorybookWorld(split, seed, size=48, num_frames=6)
    for sample, again, count in (
        (world.clip(index), StorybookWorld(split, seed, size=48, num_frames=6).clip(index), 6),
        (world.image(index), StorybookWorld(split, seed, size=48, num_frames=6).image(index), 1),
    ):
        same(sample, again)
        things = len(sample.names)
        assert sample.frames.shape == (count, 48, 48, 3)
        assert sample.boxes.shape == (things, count, 4)
        assert sample.boxes.dtype == np.float32
        assert sample.visible.any()
        assert 1 <= things <= 5
        assert set(sample.names) <= set(NAMES)
        assert sample.background in BACKGROUNDS
        assert len(sample.looks) == len(sample.mirrored) == len(sample.motions) == things
        shown = sample.boxes[sample.visible]
        assert ((shown >= 0) & (shown <= 1)).all()
        assert (shown[:, 2:] > shown[:, :2]).all()
        assert (sample.boxes[~sample.visible] == 0).all()
    crop, name, _, caption = world.crop(index)
    assert crop.shape == (64, 64, 3)
    assert name in caption
    np.testing.assert_array_equal(crop, world.crop(index)[0])


def test_order_of_reading_does_not_matter():
    forwards, backwards = StorybookWorld(size=32), StorybookWorld(size=32)
    first = [forwards.image(index) for index in range(6)]
    second = [backwards.image(index) for index in reversed(range(6))]
    for one, other in zip(first, reversed(second), strict=True):
        same(one, other)


def test_seeds_and_indices_give_different_samples():
    seen = {
        StorybookWorld(seed=s, size=32).image(i).frames.tobytes() for s in (0, 1) for i in range(30)
    }
    assert len(seen) == 60


def test_boxes_are_what_the_frames_show(monkeypatch):
    """Whole samples against their own pixels: the same clip on black and on white backdrops."""
    for index in range(40):
        frames = {}
        for level in (0, 255):
            flat = np.full((64, 64, 3), level, np.uint8)
            monkeypatch.setattr(
                world_module.StorybookWorld,
                "_backdrops",
                lambda self, rng, name, count, flat=flat: [flat] * count,
            )
            sample = StorybookWorld(size=64, num_frames=4).clip(index)
            frames[level] = sample.frames.astype(int)
        if len(sample.names) != 1:
            continue
        alpha = 255 - (frames[255] - frames[0]).min(-1)
        for at in range(4):
            solid = alpha[at] >= 32
            assert solid.any() == sample.visible[0, at]
            if solid.any():
                rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
                found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / 64
                np.testing.assert_allclose(sample.boxes[0, at], found, atol=1.01 / 64)


@pytest.mark.usefixtures("few_backgrounds")
def test_things_face_the_way_they_slide():
    checked = 0
    for index in range(150):
        sample = StorybookWorld(size=32, num_frames=2).clip(index)
        for name, look, motion, mirrored in zip(
            sample.names, sample.looks, sample.motions, sample.mirrored, strict=True
        ):
            heading = facing(name, look)
            if heading and motion in ("slide left", "slide right"):
                assert mirrored == (heading != motion.split()[1])
                checked += 1
    assert checked > 15


@pytest.mark.usefixtures("few_backgrounds")
def test_the_distribution_is_as_the_data_card_says():
    world = StorybookWorld(size=32)
    samples = [world.image(index) for index in range(320)]
    counts = np.bincount([len(sample.names) for sample in samples], minlength=5) / 320
    np.testing.assert_allclose(counts[1:5], [0.34, 0.39, 0.19, 0.08], atol=0.05)
    boxes = np.concatenate([sample.boxes[:, 0] for sample in samples])
    assert np.mean((boxes[:, 2:] - boxes[:, :2]).max(1)) == pytest.approx(0.38, abs=0.03)
    repeats = np.mean([len(set(s.names)) < len(s.names) for s in samples])
    assert repeats == pytest.approx(0.08, abs=0.03)
    places = {sample.background for sample in samples}
    assert places == set(BACKGROUNDS)


def test_some_backgrounds_pan_and_most_stand_still():
    world = StorybookWorld(size=32, num_frames=4)
    still = []
    for index in range(120):
        rng = np.random.default_rng(index)
        views = world._backdrops(rng, "city", 4)
        still.append(np.array_equal(views[0], views[-1]))
    assert 0.7 < np.mean(still) < 0.92


def test_the_stream_of_samples_is_frozen():
    """Weights were trained on these samples: what an index means changes only on purpose."""
    world = StorybookWorld()
    assert world.image(0).caption == GOLDEN_IMAGE
    assert world.clip(0).caption == GOLDEN_CLIP
    assert world.crop(0)[3] == GOLDEN_CROP
    np.testing.assert_allclose(world.image(0).boxes[:, 0] * 128, GOLDEN_BOXES, atol=1.01)


GOLDEN_IMAGE = "a night sky with a ladybug and a rabbit"
GOLDEN_CLIP = "an outlined bicycle and a rocket under the sea"
GOLDEN_CROP = "a rounded car"
GOLDEN_BOXES = [[19, 46, 90, 99], [60, 42, 116, 107]]  # of 128


@pytest.mark.parametrize(("size", "frames"), [(8, 16), (128, 0)])
def test_senseless_sizes_are_refused(size, frames):
    with pytest.raises(UserError, match="too small; at least 16 and 1"):
        StorybookWorld(size=size, num_frames=frames)


def test_negative_index_is_refused():
    with pytest.raises(UserError, match="index -1 is negative"):
        StorybookWorld().image(-1)
