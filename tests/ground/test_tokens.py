"""Grounding tokens: what they are made of, and what stands in for what is missing."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.ground.tokens import Grounding, GroundingConfig, GroundingNet, picture_variance
from vdjax.model.boxes import box_code, picture_width
from vdjax.model.params import fill_params

BATCH, FRAMES, ENTITIES = 2, 3, 4
CONFIG = GroundingConfig(
    text_width=6, image_width=5, projection_width=7, hidden_width=8, width=9, max_entities=ENTITIES
)


def grounding(seed=0, **fields) -> Grounding:
    """Everybody is there, known by word and picture."""
    rng = np.random.default_rng(seed)

    def unit(*shape):
        x = rng.normal(size=shape)
        return jnp.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True), jnp.float32)

    made = Grounding(
        boxes=jnp.asarray(rng.random((BATCH, FRAMES, ENTITIES, 4)), jnp.float32),
        present=jnp.ones((BATCH, FRAMES, ENTITIES), bool),
        text=unit(BATCH, ENTITIES, 6),
        image=unit(BATCH, ENTITIES, 5),
        has_text=jnp.ones((BATCH, ENTITIES), bool),
        has_image=jnp.ones((BATCH, ENTITIES), bool),
    )
    return replace(made, **fields)


class Net:
    """A grounding net with random weights, null vectors included."""

    def __init__(self, config):
        module = GroundingNet(config)
        shapes = jax.eval_shape(module.init, jax.random.key(0), grounding())["params"]
        rng = np.random.default_rng(0)
        self.params = {
            name: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32)
            if name.startswith("null")
            else leaf
            for name, leaf in fill_params(shapes).items()
        }
        self.run = jax.jit(lambda params, g: module.apply({"params": params}, g))

    def __call__(self, g):
        return np.asarray(self.run(self.params, g))


@pytest.fixture(scope="module")
def fused():
    return Net(CONFIG)


@pytest.fixture(scope="module")
def separate():
    return Net(replace(CONFIG, fused=False))


@pytest.fixture(scope="module", params=["fused", "separate"])
def net(request):
    return request.getfixturevalue(request.param)


def test_one_token_per_entity_or_one_per_entity_and_modality(fused, separate):
    assert fused(grounding()).shape == (BATCH, FRAMES, ENTITIES, 9)
    assert separate(grounding()).shape == (BATCH, FRAMES, 2 * ENTITIES, 9)


def test_a_fused_token_is_the_papers_sum_of_parts(fused):
    """MLP(P_img(image), P_text(text), Fourier(box)), embeddings brought to unit variance."""
    g, p = grounding(), jax.tree_util.tree_map(np.asarray, fused.params)

    def dense(x, name):
        return x @ p[name]["kernel"] + p[name]["bias"]

    for frame in range(FRAMES):
        for entity in range(ENTITIES):
            image = dense(np.sqrt(5) * g.image[1, entity], "project_image")
            text = dense(np.sqrt(6) * g.text[1, entity], "project_text")
            code = np.asarray(box_code(g.boxes[1, frame, entity]))
            hidden = dense(np.concatenate([image, text, code]), "linears_0")
            expected = dense(hidden / (1 + np.exp(-hidden)), "linears_2")
            np.testing.assert_allclose(fused(g)[1, frame, entity], expected, atol=1e-4)


def test_separate_tokens_are_gligens_text_tokens_before_image_tokens(separate):
    before = separate(grounding())
    other_words = separate(grounding(text=grounding(seed=1).text))
    other_pictures = separate(grounding(image=grounding(seed=1).image))
    text, image = slice(0, ENTITIES), slice(ENTITIES, None)
    np.testing.assert_array_equal(other_words[:, :, image], before[:, :, image])
    np.testing.assert_array_equal(other_pictures[:, :, text], before[:, :, text])
    assert (other_words[:, :, text] != before[:, :, text]).any(axis=-1).all()
    assert (other_pictures[:, :, image] != before[:, :, image]).any(axis=-1).all()


def test_the_absent_are_one_null_token_whatever_is_said_of_them(net):
    present = grounding().present.at[:, :, 2].set(False).at[0, 1, 0].set(False)
    first = net(grounding(present=present))
    second = net(grounding(seed=1, present=present))
    split = first.reshape(BATCH, FRAMES, -1, ENTITIES, 9)
    null = split[0, 0, :, 2]
    away = ~np.asarray(present)
    for tokens in (first, second):
        tokens = tokens.reshape(BATCH, FRAMES, -1, ENTITIES, 9).swapaxes(2, 3)
        np.testing.assert_array_equal(tokens[away], np.broadcast_to(null, tokens[away].shape))
        assert (tokens[~away] != null).any(axis=(1, 2)).all()


def test_nothing_is_everybody_absent(net):
    nothing = grounding().nothing()
    assert not nothing.present.any()
    np.testing.assert_array_equal(net(nothing), net(grounding(seed=1).nothing()))
    assert grounding().present.all()


@pytest.mark.parametrize("modality", ["text", "image"])
def test_without_a_word_or_a_picture_its_embedding_is_not_looked_at(net, modality):
    has = {f"has_{modality}": jnp.zeros((BATCH, ENTITIES), bool).at[0, 1].set(True)}
    other = {modality: getattr(grounding(seed=1), modality)}
    first, second = net(grounding(**has)), net(grounding(**has, **other))
    shape = (BATCH, FRAMES, -1, ENTITIES, 9)
    changed = (first != second).reshape(shape).any(axis=(2, 4))
    expected = np.zeros((BATCH, FRAMES, ENTITIES), bool)
    expected[0, :, 1] = True
    np.testing.assert_array_equal(changed, expected)
    # A missing picture is not a picture of zeros.
    blank = net(grounding(**{modality: jnp.zeros_like(getattr(grounding(), modality))}))
    assert (first != blank).any()


def test_each_entity_and_frame_has_its_own_token(net):
    g = grounding()
    moved = replace(g, boxes=g.boxes.at[1, 2, 3].multiply(0.5))
    changed = (net(g) != net(moved)).reshape(BATCH, FRAMES, -1, ENTITIES, 9).any(axis=(2, 4))
    assert changed.sum() == 1
    assert changed[1, 2, 3]


@pytest.mark.parametrize("fused", [True, False])
def test_boxes_follow_their_tokens_where_they_are_asked_for(fused):
    plain, carrying = (
        Net(replace(CONFIG, fused=fused, carry_boxes=carry)) for carry in (False, True)
    )
    given = grounding()
    given = replace(given, present=given.present.at[0, 1, 2].set(False))
    out, tokens = carrying(given), plain(given)
    assert out.shape == (*tokens.shape[:-1], CONFIG.width + 4)
    np.testing.assert_array_equal(out[..., :-4], tokens)
    boxes = np.where(given.present[..., None], given.boxes, 0.0)
    expected = boxes if fused else np.concatenate([boxes, boxes], axis=2)
    np.testing.assert_array_equal(out[..., -4:], expected)
    assert not carrying(given.nothing())[..., -4:].any()


WAVES = 2
PICTURE = slice(CONFIG.width, CONFIG.width + picture_width(WAVES))


@pytest.fixture(scope="module")
def picturing():
    size = {"picture_waves": WAVES, "picture_hidden_width": 11}
    return Net(replace(CONFIG, carry_boxes=True, **size))


def away_one():
    """Everybody is there but one entity in one frame."""
    given = grounding()
    return replace(given, present=given.present.at[0, 1, 2].set(False))


def test_a_picture_stands_between_its_token_and_its_box(picturing):
    """The token and the box are what they are without pictures."""
    out, given = picturing(away_one()), away_one()
    plain = GroundingNet(replace(CONFIG, carry_boxes=True))
    rest = {k: v for k, v in picturing.params.items() if not k.startswith("pictures")}
    expected = np.asarray(plain.apply({"params": rest}, given))
    assert out.shape == (BATCH, FRAMES, ENTITIES, CONFIG.width + picture_width(WAVES) + 4)
    np.testing.assert_allclose(out[..., : CONFIG.width], expected[..., :-4], atol=1e-5)
    np.testing.assert_array_equal(out[..., -4:], expected[..., -4:])


def test_pictures_come_from_a_deeper_mlp_of_the_tokens_own_parts(picturing):
    g, p = grounding(), jax.tree_util.tree_map(np.asarray, picturing.params)

    def dense(x, name):
        return x @ p[name]["kernel"] + p[name]["bias"]

    out = picturing(g)[..., PICTURE]
    for frame, entity in np.ndindex(FRAMES, ENTITIES):
        image, text = np.sqrt(5) * g.image[1, entity], np.sqrt(6) * g.text[1, entity]
        code = np.asarray(box_code(g.boxes[1, frame, entity]))
        x = np.concatenate([dense(image, "project_image"), dense(text, "project_text"), code])
        for i in (0, 2):
            x = dense(x, f"pictures_{i}")
            x = x / (1 + np.exp(-x))
        np.testing.assert_allclose(out[1, frame, entity], dense(x, "pictures_4"), atol=1e-4)


def test_the_absent_have_no_picture_and_all_others_one(picturing):
    given = away_one()
    seen = picturing(given)[..., PICTURE]
    there = np.asarray(given.present)
    assert not seen[~there].any()
    assert seen[there].all()
    assert not picturing(given.nothing())[..., CONFIG.width :].any()


def test_pictures_without_boxes_are_refused():
    with pytest.raises(ValueError, match=r"picture_waves needs carry_boxes"):
        GroundingConfig(picture_waves=WAVES)
    assert GroundingConfig(picture_waves=WAVES, carry_boxes=True).picture_waves == WAVES


def test_pictures_in_separate_tokens_are_refused():
    with pytest.raises(ValueError, match=r"picture_waves needs fused tokens"):
        replace(CONFIG, picture_waves=2, carry_boxes=True, fused=False)


def test_the_surest_picture_is_of_the_least_variance(picturing):
    """Against the wave of no periods of each token's last channel, in a box of that place."""
    g = grounding()
    box = jnp.array([0.3, 0.3, 0.7, 0.7])
    here = replace(g, boxes=jnp.broadcast_to(box, g.boxes.shape))
    tokens = picturing(here)[0, 0, :, PICTURE].reshape(ENTITIES, WAVES, WAVES, -1)
    config = replace(CONFIG, carry_boxes=True, picture_waves=WAVES, picture_hidden_width=11)
    unsure = picture_variance(config, picturing.params, g.text[0], g.image[0])
    np.testing.assert_allclose(unsure, tokens[:, 0, 0, -1], atol=1e-5)
    assert len(set(np.round(np.asarray(unsure), 4).tolist())) == ENTITIES


def test_tokens_without_pictures_are_not_asked_how_sure_they_are():
    g = grounding()
    with pytest.raises(ValueError, match="carry no pictures"):
        picture_variance(CONFIG, {}, g.text[0], g.image[0])
