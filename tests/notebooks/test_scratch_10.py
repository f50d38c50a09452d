"""What notebook 10 builds from scratch is the package's, on pictures and weights of any kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdjax.ground.pictures import tower_pixels
from vdjax.ground.tokens import Grounding, GroundingConfig, GroundingNet
from vdjax.model.boxes import box_code
from vdjax.model.hf import CLIPConfig
from vdjax.model.params import fill_params

# The notebook's NumPy computes in float64 and hands that to JAX, as a reader's would.
pytestmark = pytest.mark.loose_dtypes

CONFIG = GroundingConfig(
    text_width=6, image_width=5, projection_width=7, hidden_width=8, width=9, max_entities=1
)


@pytest.fixture(scope="module")
def notebook(scratch):
    return scratch("10_your_own_pictures")


def test_it_builds_what_it_says(notebook):
    assert {"lanczos", "square", "unit", "dense", "told", "token"} <= set(notebook)


def test_a_square(notebook):
    @given(
        st.integers(1, 90), st.integers(1, 90), st.sampled_from([16, 33]), st.integers(0, 2**32 - 1)
    )
    @settings(deadline=None, max_examples=25)
    def same(height, width, size, seed):
        # Far from 0 and 255: nothing is cut off between the passes, whose order Pillow chooses.
        pixels = np.random.default_rng(seed).integers(96, 160, (height, width, 3), dtype=np.uint8)
        theirs = tower_pixels([pixels], CLIPConfig(image_size=size, image_mean=()))[0]
        # Both round to whole levels after each pass.
        np.testing.assert_allclose(notebook["square"](pixels, size), theirs, atol=2.01 / 127.5)

    same()


def test_a_mean_keeps_one_colour(notebook):
    weights = notebook["lanczos"](50, 3.5, 40.0, 16)
    assert weights.shape == (16, 50)
    np.testing.assert_allclose(weights.sum(1), 1.0)


@pytest.mark.parametrize("has_text", [True, False])
@pytest.mark.parametrize("has_image", [True, False])
def test_a_token_of_what_is_told(notebook, has_text, has_image):
    rng = np.random.default_rng(1)
    text, image = (jnp.asarray(rng.normal(size=n), jnp.float32) for n in (6, 5))
    box = jnp.array([0.1, 0.3, 0.5, 0.9], jnp.float32)
    here = jnp.ones((1, 1), bool)
    grounding = Grounding(
        boxes=box[None, None, None],
        present=here[None],
        text=text[None, None],
        image=image[None, None],
        has_text=here & has_text,
        has_image=here & has_image,
    )
    module = GroundingNet(CONFIG)
    net = fill_params(jax.eval_shape(module.init, jax.random.key(0), grounding)["params"])
    # Null vectors begin at zero; here they are to be told from nothing.
    for number, name in enumerate(("null_text_feature", "null_image_feature")):
        net[name] = jnp.asarray(rng.normal(size=(6, 5)[number]), jnp.float32)
    theirs = module.apply({"params": net}, grounding)[0, 0, 0]
    ours = notebook["token"](
        net, text if has_text else None, image if has_image else None, box_code(box)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
