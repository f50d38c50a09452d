"""A system in memory: from its folder or by name, and what its parts give."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vdjax
from vdjax.errors import UserError, WeightsError
from vdjax.ground.prior import PriorTransformer, sample_embeddings
from vdjax.ground.tokens import init_net, picture_variance
from vdjax.model.hf import CLIP
from vdjax.model.params import GATED, fill_params, split_params
from vdjax.systems.loaded import PARTS, blank_grounding, known_presets, load
from vdjax.weights.store import load_tree, save_tree, write_manifest

pytestmark = pytest.mark.loose_dtypes


@pytest.fixture(scope="module")
def toy():
    with jax.numpy_dtype_promotion("standard"):
        return load("toy")


def write_system(model, folder):
    """The model's weights as a folder, as they ship."""
    config = model.preset.to_json()
    parts = {name: config.pop(name) for name in ("autoencoder", "clip", "prior", "grounding")}
    gated, rest = split_params(model.params["unet"], GATED)
    trees = {
        "autoencoder": (model.params["autoencoder"], parts["autoencoder"]),
        "clip": (model.params["clip"], parts["clip"]),
        "prior": (model.params["prior"], parts["prior"]),
        "unet": (rest, config),
        "guided": ({"unet": gated, "net": model.params["net"]}, parts["grounding"]),
    }
    folder.mkdir()
    for name, (tree, settings) in trees.items():
        half = jax.tree_util.tree_map(lambda x: np.asarray(x, np.float16), tree)
        save_tree(folder / f"{name}.safetensors", half, settings)
    shutil.copyfile(model.tokenizer.path, folder / "tokenizer.json")
    write_manifest(folder)


@pytest.fixture(scope="module")
def written(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "mine"
    write_system(toy, folder)
    return folder


def refusal(source, kind=UserError):
    with pytest.raises(kind) as refused:
        load(source)
    (line,) = str(refused.value).splitlines()
    return line


def test_the_package_offers_it():
    assert vdjax.load is load


def test_a_folder_gives_the_system_that_was_written(toy, written):
    model = load(written)
    assert model.preset == toy.preset
    assert jax.tree_util.tree_structure(model.params) == jax.tree_util.tree_structure(toy.params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(model.params):
        expected = toy.params
        for key in path:
            expected = expected[key.key]
        assert leaf.dtype == np.float32
        np.testing.assert_array_equal(leaf, np.asarray(expected, np.float16))
    np.testing.assert_array_equal(model.tokenizer(["a cat"]), toy.tokenizer(["a cat"]))
    assert model.tokenizer.path.parent == written


def test_a_system_is_read_once(toy, written):
    assert load("toy") is toy
    assert load(written) is load(str(written))


def test_weights_written_anew_are_read_anew(folder):
    """As when a stage is trained further and shipped into the same folder."""
    before = load(folder)
    tree, config = load_tree(folder / "prior.safetensors")
    save_tree(folder / "prior.safetensors", {**tree, "clip_mean": tree["clip_mean"] + 1}, config)
    write_manifest(folder)
    after = load(folder)
    np.testing.assert_array_equal(
        after.params["prior"]["clip_mean"], before.params["prior"]["clip_mean"] + 1
    )


def test_the_toy_is_the_same_wherever_it_is_made(toy):
    """Its numbers come from a seed, not from the moment; its gates are open."""
    gates = [
        leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(toy.params["unet"])
        if "alpha_" in jax.tree_util.keystr(path)
    ]
    assert len(gates) == 2 * 7  # a pair for each spatial transformer
    assert set(map(float, gates)) == {0.5}
    kernel = np.asarray(toy.params["unet"]["conv_in"]["kernel"])
    assert kernel.std() == pytest.approx((3 * 3 * 4) ** -0.5, rel=0.1)


def test_an_unknown_preset_is_refused_with_those_there_are(tmp_path):
    assert {"storybook", "toy"} <= set(known_presets())
    line = refusal("huge")
    assert "'huge'" in line
    assert all(name in line for name in known_presets())
    assert "none" in refusal(tmp_path / "none")


def test_a_folder_without_weights_is_refused(tmp_path):
    assert "no manifest.json" in refusal(tmp_path, WeightsError)


@pytest.mark.parametrize("name", [*(f"{part}.safetensors" for part in PARTS), "tokenizer.json"])
def test_a_damaged_file_is_refused_by_name(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 4
    (folder / name).write_bytes(data)
    assert f"{folder / name} is damaged" in refusal(folder, WeightsError)


@pytest.mark.parametrize("name", ["clip.safetensors", "tokenizer.json"])
def test_a_missing_file_is_refused_by_name(folder, name):
    (folder / name).unlink()
    assert f"{folder / name} is missing" in refusal(folder, WeightsError)


def test_a_configuration_from_the_future_is_refused(folder):
    path = folder / "prior.safetensors"
    tree, config = load_tree(path)
    save_tree(path, tree, {**config, "flavour": "strawberry"})
    write_manifest(folder)
    line = refusal(folder)
    assert "unknown field 'flavour'" in line
    assert "newer vdjax" in line


# --- what its parts give -------------------------------------------------------------------------


def test_a_text_is_encoded_the_same_alone_and_in_company(toy):
    texts = ["a cat", "", "a dog under a palm tree"]
    together, alone = toy.encode_text(texts), toy.encode_text(texts[2:])
    clip = toy.preset.clip
    assert together.shape == (3, clip.text_positions, clip.text_width)
    np.testing.assert_array_equal(together[2:], alone)
    assert np.abs(together[0] - together[1]).max() > 1e-3
    embedded = toy.embed_text(texts)
    assert embedded.shape == (3, clip.projection_dim)
    np.testing.assert_array_equal(embedded[2:], toy.embed_text(texts[2:]))
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, rtol=1e-5)


def test_pictures_of_any_size_are_seen_by_their_middle_square(toy):
    rng = np.random.default_rng(0)
    square = rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
    margin = np.full((24, 8, 3), 99, np.uint8)  # the filter looks a little over the edge

    def beside(shade):
        side = np.full((24, 20, 3), shade, np.uint8)
        return np.concatenate([side, margin, square, margin, side], axis=1)

    wide = [beside(0), beside(255)]
    tall = [picture.swapaxes(0, 1) for picture in wide]
    seen = np.asarray(toy.embed_pictures([*wide, *tall, square[:, ::-1]]))
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-5)
    np.testing.assert_allclose(seen[2], seen[3], atol=1e-5)
    for one, other in ((0, 2), (0, 4), (2, 4)):
        assert np.abs(seen[one] - seen[other]).max() > 1e-3
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, rtol=1e-5)


def test_each_text_is_imagined_with_its_own_key(toy):
    one, two = jax.random.key(1), jax.random.key(2)
    drawn = np.asarray(toy.imagine(["cat", "cat", "dog"], [one, two, one]))
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(drawn[2:], toy.imagine(["dog"], [one]))
    np.testing.assert_array_equal(drawn[1:2], toy.imagine(["cat"], [two]))
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3
    assert np.abs(drawn[0] - drawn[2]).max() > 1e-4


def test_a_prior_like_karlos_is_told_of_texts_at_the_length_they_come_in(toy):
    preset = replace(toy.preset, prior=replace(toy.preset.prior, unit_text=False))
    key = [jax.random.key(1)]
    raw = np.asarray(replace(toy, preset=preset).imagine(["cat"], key))
    assert np.abs(raw - np.asarray(toy.imagine(["cat"], key))).max() > 1e-3


def test_latents_become_frames(toy):
    rng = np.random.default_rng(0)
    latents = jax.numpy.asarray(
        rng.normal(size=(4, 8, 8, 4)) * [[[[1]]], [[[1]]], [[[9]]], [[[99]]]]
    )
    frames = toy.decode(latents.astype(np.float32))
    assert frames.dtype == np.uint8
    assert frames.shape == (4, 64, 64, 3)
    assert (frames[0] != frames[1]).any()


def test_a_blank_grounding_has_nobody_in_it(toy):
    blank = blank_grounding(toy.preset, 2, 4)
    assert blank.boxes.shape == (2, 4, 8, 4)
    assert not any(leaf.any() for leaf in jax.tree_util.tree_leaves(blank))
    tokens = np.asarray(toy.ground(blank))
    assert tokens.shape == (2, 4, 8, toy.preset.grounding.width)
    np.testing.assert_allclose(tokens, np.broadcast_to(tokens[:1, :1, :1], tokens.shape), atol=1e-6)


def test_of_several_draws_the_surest_is_kept(toy):
    """Where tokens carry pictures; the draws are those of as many texts drawn together."""
    grounding = replace(toy.preset.grounding, carry_boxes=True, picture_waves=2)
    prior = replace(toy.preset.prior, draws=6)
    net = fill_params(jax.eval_shape(partial(init_net, grounding), jax.random.key(0)))
    preset = replace(toy.preset, grounding=grounding, prior=prior)
    model = replace(toy, preset=preset, params={**toy.params, "net": net})
    key = jax.random.key(3)
    (kept,) = np.asarray(model.imagine(["cat"], [key]))

    ids = jnp.asarray(toy.tokenizer(["cat", ""]))
    text, states = (
        CLIP(preset.clip).embed_text(toy.params["clip"], ids),
        toy.encode_text(["cat", ""]),
    )
    six = [jnp.repeat(x[:1], 6, axis=0) for x in (text, states)]
    network = PriorTransformer(prior)
    drawn = sample_embeddings(network, toy.params["prior"], key, *six, text[1:], states[1:])
    drawn = np.asarray(drawn / jnp.linalg.norm(drawn, axis=-1, keepdims=True))
    unsure = np.asarray(picture_variance(grounding, net, six[0], jnp.asarray(drawn)))
    assert np.ptp(unsure) > 0
    np.testing.assert_allclose(kept, drawn[unsure.argmin()], atol=1e-5)
    # Without pictures, or without a net at all, the first draw is as good as any.
    plain = replace(toy, preset=replace(toy.preset, prior=prior))
    np.testing.assert_array_equal(plain.imagine(["cat"], [key]), toy.imagine(["cat"], [key]))
