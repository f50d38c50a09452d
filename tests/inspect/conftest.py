"""A UNet as small as the parts allow, with open gates, and something for it to look at."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from vdjax.model.params import fill_params, init_unet
from vdjax.model.unet3d import UNet3DConfig

CONFIG = UNet3DConfig(
    sample_size=8,
    block_out_channels=(8, 16),
    attention=(True, False),
    text_width=8,
    grounding_width=8,
    head_dim=4,
    norm_num_groups=4,
)


@pytest.fixture(scope="session")
def config():
    return CONFIG


@pytest.fixture(scope="session")
def params():
    """Random parameters; gates that differ from layer to layer."""
    shapes = jax.eval_shape(partial(init_unet, CONFIG), jax.random.key(0))
    flat = flatten_dict(fill_params(shapes))
    gates = [path for path in flat if path[-1] in ("alpha_attn", "alpha_dense")]
    flat |= {path: jnp.asarray(0.1 * (i + 1)) for i, path in enumerate(sorted(gates))}
    return unflatten_dict(flat)


@pytest.fixture(scope="session")
def inputs():
    """Latents, text and grounding of two frames and three tokens."""
    keys = jax.random.split(jax.random.key(1), 3)
    latents = jax.random.normal(keys[0], (1, 2, 8, 8, 4))
    text = jax.random.normal(keys[1], (1, 5, 8))
    grounding = jax.random.normal(keys[2], (1, 2, 3, 8))
    return latents, text, grounding
