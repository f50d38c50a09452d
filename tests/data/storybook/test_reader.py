"""The storybook as a data set: its pictures, and the very rows that its own cache gives."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.data.cache import build
from vdjax.data.storybook import BACKGROUNDS, NAMES, StorybookWorld
from vdjax.data.storybook.reader import Storybook
from vdjax.errors import UserError
from vdjax.ground.tokenizer import Tokenizer
from vdjax.model.hf import CLIP, Autoencoder
from vdjax.systems import loaded
from vdjax.train.cache import cached_samples
from vdjax.train.rows import StorybookRows
from vdjax.weights.presets import Preset

TOY = Preset.toy()
COUNT = 40  # more than a batch


def test_samples_are_the_worlds_pictures(few_backgrounds):
    data, world = Storybook(9, size=48), StorybookWorld(size=48)
    assert (len(data), data.mirrors) == (9, False)
    for i in range(9):
        sample, picture = data[i], world.image(i)
        assert sample.id == str(i)
        np.testing.assert_array_equal(sample.image, picture.frames[0])
        assert sample.caption == picture.caption
        seen = picture.visible[:, 0]
        assert sample.phrases == tuple(np.array(picture.names)[seen])
        np.testing.assert_array_equal(sample.boxes, picture.boxes[seen, 0])
        assert sample.background.phrase == picture.background
        np.testing.assert_array_equal(sample.background.image, picture.backdrop)
    with pytest.raises(IndexError):
        data[9]


def test_worlds_are_told_apart():
    worlds = [Storybook(3), Storybook(3, split="validation"), Storybook(3, seed=1)]
    assert len({world.fingerprint for world in [*worlds, Storybook(3, size=64)]}) == 4
    assert Storybook(3).fingerprint == Storybook(4).fingerprint  # more of the same
    with pytest.raises(UserError, match="split 'nonesuch'"):
        Storybook(3, split="nonesuch")


class TinyAutoencoder(Autoencoder):
    """Means of 8 x 8 pixels."""

    def encode(self, params, images):
        n = len(images)
        return images.reshape(n, 8, 8, 8, 8, 3).mean((2, 4)) * params


class TinyCLIP(CLIP):
    """Means of a quarter of the picture each, and of token ids."""

    def embed_image(self, params, images):
        n, half = len(images), images.shape[1] // 2
        return images.reshape(n, 2, half, 2, half, 3).mean((2, 4)).reshape(n, 12) * params

    def embed_text(self, params, ids):
        return ids.reshape(len(ids), 4, -1).astype(jnp.float32).mean(-1) / 128 * params


class Networks:
    """Those two as training would bring them."""

    fingerprint = "tiny"
    image_size, crop_size = 64, TOY.clip.image_size

    def __init__(self, tokens):
        self.tokens = tokens
        self.autoencoder, self.clip = TinyAutoencoder(TOY.autoencoder), TinyCLIP(TOY.clip)
        self.scale = jnp.full((1, 1), 2.0)

    def latents(self, pictures):
        scale = self.scale[:, :, None, None]
        return self.autoencoder.encode(scale, jnp.asarray(pictures, jnp.float32) / 127.5 - 1.0)

    def looks(self, close_ups):
        pictures = jnp.asarray(close_ups, jnp.float32) / 127.5 - 1.0
        return self.clip.embed_image(self.scale, pictures)

    def words(self, phrases):
        return self.clip.embed_text(self.scale, jnp.asarray(self.tokens(phrases)))


def test_rows_are_those_of_the_storybooks_own_cache(tmp_path, few_backgrounds):
    """In another order of entities: here the largest is first, there the farthest."""
    tokenizer = Tokenizer(Path(loaded.__file__).with_name("toy_tokenizer.json"), 16)
    networks = Networks(tokenizer)
    reader = Storybook(COUNT, size=64)
    data = build(
        *(reader, tmp_path / "new", networks), least_area=0.0, most=7, report=lambda line: None
    )
    samples = cached_samples(
        *(tmp_path / "old", StorybookWorld(size=64), "image", COUNT),
        *(networks.autoencoder, networks.scale[:, :, None, None]),
        *(networks.clip, networks.scale, tokenizer, "tiny"),
        report=lambda line: None,
    )
    named = networks.words([*NAMES, *BACKGROUNDS])
    old = StorybookRows(samples, np.asarray(named[: len(NAMES)]), np.asarray(named[len(NAMES) :]))
    assert len(data) == len(old) == COUNT
    assert data.names(np.arange(COUNT)) == old.names(np.arange(COUNT))
    ours, theirs = data.rows(np.arange(COUNT)), old.rows(np.arange(COUNT))
    assert {name: (array.shape, array.dtype) for name, array in ours.items()} == {
        name: (array.shape, array.dtype) for name, array in theirs.items()
    }
    np.testing.assert_array_equal(ours["ids"], theirs["ids"])
    np.testing.assert_allclose(ours["latents"], theirs["latents"], atol=4e-3)
    np.testing.assert_array_equal(ours["present"].sum(-1), theirs["present"].sum(-1))
    for i in range(COUNT):
        boxes, there = theirs["boxes"][i, 0], theirs["present"][i, 0]
        covered = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
        order = np.argsort(-np.where(there[:7], covered[:7], -1), kind="stable")
        order = np.array([*order[: there[:7].sum()], 7])
        slots = np.flatnonzero(ours["present"][i, 0])
        np.testing.assert_array_equal(slots[:-1], np.arange(len(order) - 1))
        np.testing.assert_allclose(ours["boxes"][i, 0, slots], boxes[order], atol=5e-4)
        np.testing.assert_allclose(ours["text"][i, slots], theirs["text"][i, order], atol=2e-3)
        np.testing.assert_allclose(ours["image"][i, slots], theirs["image"][i, order], atol=4e-3)
