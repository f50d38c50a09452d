"""What notebook 03 builds from scratch is the package's, with the same parameters."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.model.attention import GatedSelfAttention
from vdjax.model.blocks import TemporalConv
from vdjax.model.params import fill_params
from vdjax.weights.presets import get_preset
from vdjax.weights.size import denoiser_size, unet_shapes


@pytest.fixture(scope="module")
def notebook(scratch):
    return scratch("03_unet3d_and_gated_attention")


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_it_builds_what_it_says(notebook):
    built = {"TemporalConvByHand", "HeadsByHand", "FeedForwardByHand", "GatedByHand"}
    assert built | {"count_by_kind", "share_inside", "without_norms"} <= set(notebook)


@pytest.mark.parametrize(("frames", "height", "width", "groups"), [(1, 3, 2, 2), (7, 2, 5, 4)])
def test_the_convolution_along_time(notebook, frames, height, width, groups):
    clip = normal(0, 2, frames, height, width, 8)
    theirs, ours = TemporalConv(groups), notebook["TemporalConvByHand"](groups)
    fresh = ours.init(jax.random.key(0), clip)
    np.testing.assert_array_equal(ours.apply(fresh, clip), clip)
    shapes = jax.eval_shape(theirs.init, jax.random.key(0), clip)["params"]
    params = fill_params(shapes, seed=frames)
    expected = theirs.apply({"params": params}, clip)
    made = ours.apply({"params": notebook["for_three_dimensions"](params)}, clip)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(expected - clip).max() > 0.1


def test_without_norms_a_frame_is_felt_four_frames_away_and_no_farther(notebook):
    layer, clip = notebook["TemporalConvByHand"](2), normal(0, 1, 11, 1, 1, 4)
    params = fill_params(jax.eval_shape(layer.init, jax.random.key(0), clip)["params"])
    with nn.intercept_methods(notebook["without_norms"]):
        one, two = (layer.apply({"params": params}, x) for x in (clip, clip.at[:, 0].add(1.0)))
    felt = np.abs(one - two).max((0, 2, 3, 4)) > 0
    assert felt[:5].all()
    assert not felt[5:].any()


@pytest.mark.parametrize(("heads", "head_dim", "cells", "tokens"), [(1, 8, 4, 1), (4, 2, 9, 5)])
def test_the_gated_layer(notebook, heads, head_dim, cells, tokens):
    channels = heads * head_dim
    theirs, ours = GatedSelfAttention(heads, head_dim, channels), notebook["GatedByHand"](heads)
    visual, grounding = normal(1, 3, cells, channels), normal(2, 3, tokens, 7)
    fresh = ours.init(jax.random.key(0), visual, grounding)
    np.testing.assert_array_equal(ours.apply(fresh, visual, grounding), visual)
    shapes = jax.eval_shape(theirs.init, jax.random.key(0), visual, grounding)["params"]
    assert jax.tree.structure(shapes) == jax.tree.structure(fresh["params"])
    params = fill_params(shapes, seed=cells)
    expected = theirs.apply({"params": params}, visual, grounding)
    made = ours.apply({"params": params}, visual, grounding)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(expected - visual).max() > 0.1


def test_the_count_of_parameters(notebook):
    from flax.traverse_util import unflatten_dict

    preset = get_preset("toy")
    leaves = {
        tuple(path.split("/")): jax.ShapeDtypeStruct(shape, jnp.float32)
        for path, shape in unet_shapes(preset.unet).items()
    }
    counted = notebook["count_by_kind"](unflatten_dict(leaves))
    known = denoiser_size(preset)
    assert counted == {kind: known[f"{kind} layers"] for kind in counted}


def test_the_share_inside(notebook):
    change, inside = np.zeros((2, 4, 4, 3)), np.zeros((2, 4, 4))
    inside[:, 1, 1] = 1
    change[0, 1, 1], change[1, 3, 0] = 3.0, 4.0
    assert notebook["share_inside"](change, inside) == pytest.approx(9 / 25)
