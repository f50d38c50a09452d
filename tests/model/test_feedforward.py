"""The feed-forward against its formula, and its written-out gradient against JAX's own."""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.model.feedforward import FeedForward, geglu

CHANNELS = 8
RNG = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


class Plain(nn.Module):
    """The same layer as flax has the parts, with gradients that JAX finds by itself."""

    @nn.compact
    def __call__(self, x):
        value, gate = jnp.split(nn.Dense(8 * CHANNELS, name="net_0_proj")(x), 2, axis=-1)
        return nn.Dense(CHANNELS, name="net_2")(value * nn.gelu(gate, approximate=False))


def random_params(module, x):
    params = module.init(jax.random.key(0), x)
    return jax.tree_util.tree_map(lambda leaf: leaf + 0.3 * normal(*leaf.shape), params)


def test_it_uses_the_exact_gelu():
    module, x = FeedForward(CHANNELS), 3 * normal(2, 5, CHANNELS)
    params = random_params(module, x)
    p = jax.tree_util.tree_map(lambda leaf: np.asarray(leaf, np.float64), params)["params"]
    hidden = np.asarray(x, np.float64) @ p["net_0_proj"]["kernel"] + p["net_0_proj"]["bias"]
    value, gate = np.split(hidden, 2, axis=-1)
    gelu = 0.5 * gate * (1 + np.vectorize(math.erf)(gate / math.sqrt(2)))
    expected = value * gelu @ p["net_2"]["kernel"] + p["net_2"]["bias"]
    np.testing.assert_allclose(jax.jit(module.apply)(params, x), expected, atol=1e-5)


@pytest.mark.parametrize("rows", [(5,), (2, 5), (2, 1, 3)])
def test_parameters_and_gradients_are_those_of_the_plain_layer(rows):
    x, pushed = 3 * normal(*rows, CHANNELS), normal(*rows, CHANNELS)
    params = random_params(Plain(), x)
    assert jax.tree_util.tree_structure(
        FeedForward(CHANNELS).init(jax.random.key(0), x)
    ) == jax.tree_util.tree_structure(params)

    def gradients(module):
        def loss(params, x):
            return (module.apply(params, x) * pushed).sum()

        return jax.jit(jax.value_and_grad(loss, (0, 1)))(params, x)

    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
        gradients(FeedForward(CHANNELS)),
        gradients(Plain()),
    )


def test_half_precision_stays_half():
    hidden, bias = normal(3, 4).astype(jnp.bfloat16), normal(4).astype(jnp.bfloat16)
    out, back = jax.vjp(geglu, hidden, bias)
    assert [leaf.dtype for leaf in (out, *back(out))] == [jnp.bfloat16] * 3
