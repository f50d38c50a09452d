"""Keys and values computed once for all steps: the network cannot tell them from its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from vdjax.model.boxes import picture_width
from vdjax.model.conditions import project_conditions
from vdjax.model.params import fill_params, init_unet
from vdjax.model.unet3d import UNet3D, UNet3DConfig

PLAIN = UNet3DConfig(
    sample_size=4,
    block_out_channels=(16, 32),
    attention=(False, True),
    text_width=12,
    grounding_width=10,
    head_dim=8,
    norm_num_groups=4,
)
WAVES = 2
PICTURING = replace(
    PLAIN, grounding_width=10 + picture_width(WAVES) + 4, box_geometry=True, picture_waves=WAVES
)
BATCH, FRAMES, WORDS, TOKENS = 2, 3, 5, 4


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.fixture(scope="module", params=[PLAIN, PICTURING], ids=["plain", "picturing"])
def network(request):
    config = request.param
    params = fill_params(jax.eval_shape(partial(init_unet, config), jax.random.key(0)))
    return config, params


def inputs(config):
    size = config.sample_size
    boxes = jnp.tile(jnp.array([0.1, 0.2, 0.7, 0.8]), (BATCH, FRAMES, TOKENS, 1))
    tokens = normal(3, BATCH, FRAMES, TOKENS, config.grounding_width - 4 * config.box_geometry)
    if config.box_geometry:
        tokens = jnp.concatenate([tokens, boxes], axis=-1)
    latents = normal(1, BATCH, FRAMES, size, size, 4)
    return latents, jnp.array([900, 20]), normal(2, BATCH, WORDS, config.text_width), tokens


# Compiling is most of what these tests cost: optimise as little as the compiler knows how to.
@partial(jax.jit, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
def _run(config, variables, *given):
    return UNet3D(config).apply(variables, *given)


def run(config, params, *given, conditions=None):
    return np.asarray(_run(config, {"params": params, "conditions": conditions or {}}, *given))


@pytest.mark.parametrize("gated", [True, False])
def test_the_prediction_is_the_same(network, gated):
    config, params = network
    latents, times, text, tokens = inputs(config)
    given = (latents, times, text, tokens) if gated else (latents, times, text)
    kept = project_conditions(config, params, text, tokens if gated else None)
    alone = run(config, params, *given)
    np.testing.assert_allclose(run(config, params, *given, conditions=kept), alone, atol=1e-5)


def test_the_text_and_the_tokens_are_then_not_read(network):
    config, params = network
    latents, times, text, tokens = inputs(config)
    kept = project_conditions(config, params, text, tokens)
    told = run(config, params, latents, times, text, tokens, conditions=kept)
    # What a box says is read at every step all the same: only a token's own channels are spared.
    other = tokens.at[..., :10].set(7.0)
    deaf = run(config, params, latents, times, 0 * text, other, conditions=kept)
    np.testing.assert_array_equal(deaf, told)
    assert np.abs(run(config, params, latents, times, 0 * text, other) - told).max() > 1e-3


def test_every_reader_of_conditions_has_its_own_and_no_temporal_layer_does(network):
    config, params = network
    _, _, text, tokens = inputs(config)
    layers = {path[:-1] for path in flatten_dict(project_conditions(config, params, text, tokens))}
    # One spatial transformer on the way down, one at the bottom, two on the way up.
    assert len(layers) == 2 * 4
    assert all(layer[-1] == "attn2" or layer[-2:] == ("fuser", "attn") for layer in layers)
    assert not any("temp_attentions" in part for layer in layers for part in layer)
    without = flatten_dict(project_conditions(config, params, text))
    assert {path[:-1] for path in without} == {at for at in layers if at[-1] == "attn2"}
