"""What pictures are taught: their loss against plain loops, and the stage that teaches them."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from hypothesis import given
from hypothesis import strategies as st

from vdjax.data.storybook import BACKGROUNDS, NAMES
from vdjax.ground.tokens import Grounding, GroundingNet
from vdjax.model.boxes import PICTURE_CHANNELS, cells_inside, picture_width, pictured_in
from vdjax.model.params import PICTURES, fill_params, merge_params, split_params
from vdjax.systems.loaded import blank_grounding
from vdjax.train.cache import MAX_ENTITIES, NOBODY, Samples
from vdjax.train.pictures import LEAST, MOST, PicturesStage, alone_in, picture_loss
from vdjax.train.rows import StorybookRows
from vdjax.train.stage import Schedule
from vdjax.weights.presets import Preset

LATENTS = PICTURE_CHANNELS - 1
WHOLE, NONE = [0.0, 0.0, 1.0, 1.0], [0.0] * 4
loss_of = jax.jit(picture_loss)
SEEDS = st.integers(0, 2**32 - 1)


def random_boxes(rng, *shape):
    """Boxes of any place and size, many of them on top of each other."""
    return np.sort(rng.random((*shape, 2, 2)), axis=-2).reshape(*shape, 4).astype(np.float32)


# --- who has a cell for itself -------------------------------------------------------------------


@given(SEEDS)
def test_a_cell_is_whose_box_it_is_in_and_nobody_elses(seed):
    inside = np.random.default_rng(seed).random((2, 3, 4)).astype(np.float32)
    alone = np.asarray(alone_in(jnp.asarray(inside)))
    for row, cell, who in np.ndindex(inside.shape):
        share = float(inside[row, cell, who])
        for other in range(3):  # not the last, the background
            if other != who:
                share *= 1 - float(inside[row, cell, other])
        assert alone[row, cell, who] == pytest.approx(share, abs=1e-5)


def test_where_boxes_overlap_the_cells_are_nobodys_and_beside_them_the_backgrounds():
    left, right = [0.0, 0.0, 0.75, 1.0], [0.5, 0.0, 0.75, 1.0]
    inside = cells_inside(jnp.array([[left, right, NONE, WHOLE]]), 1, 4)
    alone = np.asarray(alone_in(inside))[0].T
    expected = [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(alone, expected, atol=1e-6)
    # With a background or without one: what it has behind the others is not taken from them.
    bare = np.asarray(alone_in(inside.at[..., -1].set(0.0)))[0].T
    np.testing.assert_array_equal(bare[:-1], alone[:-1])
    assert not bare[-1].any()


# --- the loss ------------------------------------------------------------------------------------


def plain_loss(pictures, boxes, present, latents):
    """(likelihood, squared error), cell by cell and wave by wave."""
    waves, (_, height, width, _) = pictures.shape[2], latents.shape
    total = likelihood = mse = 0.0

    def share(box, x, y):
        across = min(box[2], (x + 1) / width) - max(box[0], x / width)
        down = min(box[3], (y + 1) / height) - max(box[1], y / height)
        return max(across, 0.0) * width * max(down, 0.0) * height

    for row, y, x, who in np.ndindex(len(boxes), height, width, boxes.shape[1]):
        if not present[row, who]:
            continue
        weight = share(boxes[row, who], x, y)
        for other in range(boxes.shape[1] - 1):
            if other != who and present[row, other]:
                weight *= 1 - share(boxes[row, other], x, y)
        x0, y0, x1, y1 = boxes[row, who]
        across = min(max(((x + 0.5) / width - x0) / (x1 - x0), 0), 1)
        down = min(max(((y + 0.5) / height - y0) / (y1 - y0), 0), 1)
        seen = sum(
            math.cos(math.pi * k * down) * math.cos(math.pi * n * across) * pictures[row, who, k, n]
            for k, n in np.ndindex(waves, waves)
        )
        squared = np.mean((seen[:LATENTS] - latents[row, y, x]) ** 2)
        spread = min(max(seen[LATENTS], LEAST), MOST)
        total += weight
        likelihood += weight * (squared / math.exp(spread) + spread)
        mse += weight * squared
    return likelihood / total, mse / total


@given(SEEDS)
def test_the_loss_is_the_likelihood_of_every_cell_that_is_somebodys_alone(seed):
    """Variances far beyond the bounds are among the pictures."""
    rng = np.random.default_rng(seed)
    pictures = rng.normal(size=(2, 3, 2, 2, PICTURE_CHANNELS)).astype(np.float32)
    pictures[..., LATENTS] *= 3.0
    boxes = random_boxes(rng, 2, 3)
    boxes[..., 2:] = np.minimum(boxes[..., :2] + 0.05 + boxes[..., 2:], 1.0)
    boxes[:, -1] = WHOLE
    present = rng.random((2, 3)) < 0.7
    present[0] = True
    latents = rng.normal(size=(2, 3, 4, LATENTS)).astype(np.float32)
    loss, metrics = loss_of(*map(jnp.asarray, (pictures, boxes, present, latents)))
    likelihood, mse = plain_loss(pictures, boxes, present, latents)
    assert float(loss) == pytest.approx(likelihood, rel=1e-3, abs=1e-3)
    assert set(metrics) == {"mse"}
    assert float(metrics["mse"]) == pytest.approx(mse, rel=1e-3, abs=1e-3)


@pytest.fixture
def scene():
    """Two things and the background behind them, and latents that are just what they show."""
    rng = np.random.default_rng(0)
    boxes = jnp.array([[[0.0, 0.0, 0.5, 0.75], [0.5, 0.25, 1.0, 1.0], NONE, WHOLE]])
    pictures = rng.normal(size=(1, 4, 3, 3, PICTURE_CHANNELS)).astype(np.float32)
    pictures[..., LATENTS] = 0.0
    present = jnp.array([[True, True, False, True]])
    seen = np.asarray(pictured_in(jnp.asarray(pictures), boxes, 4, 4))[0]
    whose = np.asarray(alone_in(cells_inside(boxes, 4, 4)))[0].argmax(-1)
    latents = np.stack([cell[who] for cell, who in zip(seen, whose, strict=True)])
    assert set(whose) == {0, 1, 3}
    latents = jnp.asarray(latents[:, :LATENTS].reshape(1, 4, 4, LATENTS))
    return jnp.asarray(pictures), boxes, present, latents


def test_a_perfect_picture_has_no_error(scene):
    pictures, boxes, present, latents = scene
    loss, metrics = loss_of(pictures, boxes, present, latents)
    assert float(metrics["mse"]) == pytest.approx(0.0, abs=1e-10)
    assert float(loss) == pytest.approx(0.0, abs=1e-9)  # variances of one: their logarithm
    surer = pictures.at[:, :, 0, 0, LATENTS].set(-2.0)
    assert float(loss_of(surer, boxes, present, latents)[0]) == pytest.approx(-2.0, abs=1e-4)
    for who, there in enumerate((True, True, False, True)):
        wrong = pictures.at[:, who, 0, 0, 0].add(1.0)
        assert (float(loss_of(wrong, boxes, present, latents)[1]["mse"]) > 1e-2) == there


def test_the_best_variance_is_the_error_there_is(scene):
    pictures, boxes, present, latents = scene
    latents = latents + 0.5

    def loss(spread):
        given = pictures.at[:, :, 0, 0, LATENTS].set(spread)
        return float(loss_of(given, boxes, present, latents)[0])

    best = loss(math.log(0.25))
    assert best == pytest.approx(1 + math.log(0.25), abs=1e-4)
    assert best < min(loss(math.log(0.25) - 0.2), loss(math.log(0.25) + 0.2))


def test_nobody_present_costs_nothing(scene):
    pictures, boxes, present, latents = scene
    loss, metrics = loss_of(pictures, boxes, jnp.zeros_like(present), latents)
    assert float(loss) == float(metrics["mse"]) == 0.0


# --- the stage -----------------------------------------------------------------------------------

WAVES = 2
TOY = Preset.toy()
PRESET = replace(
    TOY,
    grounding=replace(
        TOY.grounding, carry_boxes=True, picture_waves=WAVES, picture_hidden_width=16
    ),
)
WIDTH = TOY.clip.projection_dim


@pytest.fixture(scope="module")
def stage():
    """Eight made-up samples of up to two entities, and a grounding net of random numbers."""
    rng = np.random.default_rng(0)
    names = np.full((8, MAX_ENTITIES), NOBODY, np.int16)
    names[:, 0], names[4:, 1] = np.arange(8), 40
    visible = np.zeros((8, MAX_ENTITIES, 1), bool)
    visible[:, :2] = True

    def unit(*shape):
        x = rng.normal(size=(*shape, WIDTH))
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    net = GroundingNet(PRESET.grounding)
    shapes = jax.eval_shape(net.init, jax.random.key(0), blank_grounding(PRESET, 1, 1))["params"]
    return PicturesStage(
        preset=PRESET,
        schedule=Schedule(steps=1, batch_size=6, learning_rate=1e-3),
        data=StorybookRows(
            Samples(
                latents=rng.normal(size=(8, 1, 4, 4, LATENTS)).astype(np.float16),
                ids=np.zeros((8, 5), np.int16),
                names=names,
                boxes=random_boxes(rng, 8, MAX_ENTITIES, 1).astype(np.float16),
                visible=visible,
                images=unit(8, MAX_ENTITIES).astype(np.float16),
                backgrounds=np.zeros(8, np.int16),
                backdrops=unit(8).astype(np.float16),
            ),
            unit(len(NAMES)).astype(np.float32),
            unit(len(BACKGROUNDS)).astype(np.float32),
        ),
        text_params={},
        start={},
        grounding_start=fill_params(shapes),
        empty_ids=np.full(5, 99, np.int32),
    )


def flat(tree):
    return {"/".join(path): np.asarray(leaf) for path, leaf in flatten_dict(tree).items()}


def on_device(batch):
    return jax.tree_util.tree_map(jnp.asarray, batch)


def test_what_makes_the_pictures_is_trained_and_all_of_the_net_is_exported(stage):
    params, frozen = stage.init()
    start = flat(stage.grounding_start)
    assert set(flat(params)) == {path for path in start if path.startswith(PICTURES)}
    assert len(flat(params)) == 12  # five layers and two null vectors
    doubled = jax.tree_util.tree_map(lambda x: 2 * x, params)
    tree, config = stage.export(doubled, frozen)
    found = flat(tree)
    assert set(found) == set(start)
    for path, leaf in found.items():
        factor = 2 if path.startswith(PICTURES) else 1
        np.testing.assert_array_equal(leaf, factor * start[path])
    assert type(PRESET.grounding)(**config) == PRESET.grounding


def test_no_words_are_read(stage):
    assert set(stage.batch(0)) == {"latents", *Grounding.__dataclass_fields__}


def test_the_stages_loss_is_that_of_the_pictures_in_its_tokens(stage):
    params, frozen = stage.init()
    batch = stage.batch(0)
    loss, metrics = jax.jit(stage.loss)(params, frozen, on_device(batch), jax.random.key(0))
    net = {"params": merge_params(params, frozen["rest"])}
    fields = {name: jnp.asarray(batch[name]) for name in Grounding.__dataclass_fields__}
    tokens = np.asarray(GroundingNet(PRESET.grounding).apply(net, Grounding(**fields)))[:, 0]
    width = PRESET.grounding.width
    pictures = tokens[..., width : width + picture_width(WAVES)]
    pictures = pictures.reshape(*pictures.shape[:-1], WAVES, WAVES, PICTURE_CHANNELS)
    boxes, present = batch["boxes"][:, 0], batch["present"][:, 0]
    assert present.any(1).any()
    expected, mse = plain_loss(pictures, boxes, present, batch["latents"][:, 0].astype(np.float32))
    assert float(loss) == pytest.approx(expected, rel=1e-3)
    assert float(metrics["mse"]) == pytest.approx(mse, rel=1e-3)


def test_every_leaf_of_the_pictures_learns(stage):
    """And steps along the gradient make the loss smaller: what they show comes nearer."""
    params, frozen = stage.init()
    batch, key = on_device(stage.batch(0)), jax.random.key(0)
    step = jax.jit(jax.value_and_grad(lambda p: stage.loss(p, frozen, batch, key)[0]))
    first, slope = step(params)
    assert all(leaf.any() for leaf in flat(slope).values())
    for _ in range(20):
        params = jax.tree_util.tree_map(lambda p, s: p - 0.02 * s, params, step(params)[1])
    assert float(step(params)[0]) < float(first) - 0.1


def test_a_net_without_pictures_has_nothing_to_train():
    net = GroundingNet(TOY.grounding)
    shapes = jax.eval_shape(net.init, jax.random.key(0), blank_grounding(TOY, 1, 1))["params"]
    pictures, _ = split_params(shapes, ("pictures",))
    assert pictures == {}
