"""What notebook 02 builds from scratch is the package's, on weights and inputs of any kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdjax.ground.tokens import Grounding, GroundingConfig, GroundingNet
from vdjax.model.attention import GatedSelfAttention
from vdjax.model.boxes import box_code
from vdjax.model.params import fill_params

# The notebook's NumPy computes in float64 and hands that to JAX, as a reader's would.
pytestmark = pytest.mark.loose_dtypes

CONFIG = GroundingConfig(
    text_width=6, image_width=5, projection_width=7, hidden_width=8, width=9, max_entities=1
)


@pytest.fixture(scope="module")
def notebook(scratch):
    return scratch("02_grounding_tokens")


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_it_builds_what_it_says(notebook):
    built = {"fourier", "dense", "token", "layer_norm", "attention", "feed_forward"}
    assert built | {"gated_self_attention"} <= set(notebook)


def test_the_code_of_a_box(notebook):
    @given(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4))
    @settings(deadline=None)
    def same(box):
        theirs = box_code(jnp.asarray(box, jnp.float32))
        np.testing.assert_allclose(notebook["fourier"](box), theirs, atol=1e-4)

    same()


@pytest.mark.parametrize("seed", range(3))
def test_a_token(notebook, seed):
    text, image = normal(seed, 6), normal(seed + 10, 5)
    box = np.sort(np.random.default_rng(seed).random((2, 2)), axis=0).reshape(4).astype(np.float32)
    here = jnp.ones((1, 1), bool)
    grounding = Grounding(
        boxes=jnp.asarray(box)[None, None, None],
        present=here[None],
        text=text[None, None],
        image=image[None, None],
        has_text=here,
        has_image=here,
    )
    module = GroundingNet(CONFIG)
    shapes = jax.eval_shape(module.init, jax.random.key(0), grounding)["params"]
    net = fill_params(shapes)
    theirs = module.apply({"params": net}, grounding)[0, 0, 0]
    np.testing.assert_allclose(notebook["token"](net, text, image, box), theirs, atol=1e-4)


@pytest.mark.parametrize(("heads", "head_dim", "cells", "tokens"), [(1, 8, 4, 1), (4, 2, 9, 5)])
def test_the_gated_layer(notebook, heads, head_dim, cells, tokens):
    channels = heads * head_dim
    layer = GatedSelfAttention(heads, head_dim, channels)
    visual, grounding = normal(1, 1, cells, channels), normal(2, 1, tokens, 7)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), visual, grounding)["params"]
    leaves, tree = jax.tree.flatten(shapes)
    params = tree.unflatten([normal(i, *leaf.shape) for i, leaf in enumerate(leaves)])
    theirs = layer.apply({"params": params}, visual, grounding)[0]
    with jax.numpy_rank_promotion("allow"):  # biases are added as NumPy adds them
        ours = notebook["gated_self_attention"](params, visual[0], grounding[0], heads)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
    assert np.abs(theirs - visual[0]).max() > 0.1
