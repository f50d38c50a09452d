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
from vdjax.model.unet3d import UNet3D

WAVES, OWN = 2, 5
"""Waves of a token's picture, and the channels that are the token's own."""


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "picturing"])
def case(request, network):
    """The UNet of these tests, its parameters and inputs; then the same with pictures and boxes."""
    config, params, tokens = network.config, network.params, network.grounding
    if request.param:
        config = replace(
            config,
            grounding_width=OWN + picture_width(WAVES) + 4,
            box_geometry=True,
            picture_waves=WAVES,
        )
        params = fill_params(jax.eval_shape(partial(init_unet, config), jax.random.key(0)))
        rows = tokens.shape[:-1]
        picture = jax.random.normal(jax.random.key(1), (*rows, picture_width(WAVES)))
        box = jnp.broadcast_to(jnp.array([0.1, 0.2, 0.7, 0.8]), (*rows, 4))
        tokens = jnp.concatenate([tokens, picture, box], axis=-1)
    return config, params, (network.latents, network.timesteps, network.text, tokens)


# Compiling is most of what these tests cost: optimise as little as the compiler knows how to.
@partial(jax.jit, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
def _run(config, variables, *given):
    return UNet3D(config).apply(variables, *given)


def run(config, params, *given, conditions=None):
    return np.asarray(_run(config, {"params": params, "conditions": conditions or {}}, *given))


@pytest.mark.parametrize("gated", [True, False])
def test_the_prediction_is_the_same(case, gated):
    config, params, (latents, times, text, tokens) = case
    given = (latents, times, text, tokens) if gated else (latents, times, text)
    kept = project_conditions(config, params, text, tokens if gated else None)
    alone = run(config, params, *given)
    np.testing.assert_allclose(run(config, params, *given, conditions=kept), alone, atol=1e-5)


def test_the_text_and_the_tokens_are_then_not_read(case):
    config, params, (latents, times, text, tokens) = case
    kept = project_conditions(config, params, text, tokens)
    told = run(config, params, latents, times, text, tokens, conditions=kept)
    # What a box says is read at every step all the same: only a token's own channels are spared.
    other = tokens.at[..., :OWN].set(7.0)
    deaf = run(config, params, latents, times, 0 * text, other, conditions=kept)
    np.testing.assert_array_equal(deaf, told)
    assert np.abs(run(config, params, latents, times, 0 * text, other) - told).max() > 1e-3


def test_every_reader_of_conditions_has_its_own_and_no_temporal_layer_does(case):
    config, params, (_, _, text, tokens) = case
    layers = {path[:-1] for path in flatten_dict(project_conditions(config, params, text, tokens))}
    # One spatial transformer on the way down, one at the bottom, two on the way up.
    assert len(layers) == 2 * 4
    assert all(layer[-1] == "attn2" or layer[-2:] == ("fuser", "attn") for layer in layers)
    assert not any("temp_attentions" in part for layer in layers for part in layer)
    without = flatten_dict(project_conditions(config, params, text))
    assert {path[:-1] for path in without} == {at for at in layers if at[-1] == "attn2"}
