"""What notebook 06 builds from scratch is the package's, on weights and inputs of any kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdjax.inspect.records import mass_in_box
from vdjax.model.attention import GatedSelfAttention
from vdjax.model.boxes import BoxGeometry, cells_inside

# The notebook's NumPy computes in float64, as a reader's would.
pytestmark = pytest.mark.loose_dtypes

SIDES = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4).filter(
    lambda v: abs(v[0] - v[1]) > 0.02 and abs(v[2] - v[3]) > 0.02
)


@pytest.fixture(scope="module")
def notebook(scratch):
    return scratch("06_looking_inside")


def box_of(sides):
    (x0, x1), (y0, y1) = sorted(sides[:2]), sorted(sides[2:])
    return x0, y0, x1, y1


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_it_builds_what_it_says(notebook):
    assert {"covered", "inside", "dense", "layer_norm", "attention_weights"} <= set(notebook)
    assert "share_inside" in notebook


@pytest.mark.parametrize("size", [(4, 4), (3, 7)])
def test_cells_in_a_box_and_the_mass_in_it(notebook, size):
    @given(SIDES, st.integers(0, 9))
    @settings(deadline=None, max_examples=25)
    def same(sides, seed):
        box = box_of(sides)
        theirs = cells_inside(jnp.asarray([box], jnp.float32), *size)[:, 0].reshape(size)
        np.testing.assert_allclose(notebook["inside"](box, size), theirs, atol=1e-4)
        heat = np.random.default_rng(seed).random(size)
        whole = mass_in_box(heat[None], [box])[0]
        np.testing.assert_allclose(notebook["share_inside"](heat, box), whole, atol=1e-6)

    same()


@pytest.mark.parametrize(
    ("heads", "head_dim", "size", "tokens"), [(1, 8, (2, 3), 1), (4, 2, (4, 4), 5)]
)
def test_the_weights_of_a_gated_layer(notebook, heads, head_dim, size, tokens):
    channels, cells = heads * head_dim, size[0] * size[1]
    layer = GatedSelfAttention(heads, head_dim, channels)
    visual, grounding = normal(1, 1, cells, channels), normal(2, 1, tokens, 7)
    corners = np.sort(np.random.default_rng(3).random((tokens, 2, 2)), axis=1)
    boxes = corners.reshape(tokens, 4).astype(np.float32)  # x0, y0, x1, y1
    geometry = BoxGeometry.of(jnp.asarray(boxes)[None], *size)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), visual, grounding, geometry)["params"]
    leaves, tree = jax.tree.flatten(shapes)
    params = tree.unflatten([normal(i, *leaf.shape) for i, leaf in enumerate(leaves)])
    with jax.numpy_rank_promotion("allow"):
        _, sown = layer.apply(
            {"params": params}, visual, grounding, geometry, mutable=["intermediates"]
        )
    (theirs,) = sown["intermediates"]["attn"]["attention"]
    ours = notebook["attention_weights"](
        params, np.asarray(visual[0]), np.asarray(grounding[0]), boxes, size
    )
    assert ours.shape == (heads, cells, cells + tokens)
    np.testing.assert_allclose(ours, theirs[0], atol=1e-4)
    assert np.ptp(ours, axis=1).max() > 0.05  # cells do not all look alike
