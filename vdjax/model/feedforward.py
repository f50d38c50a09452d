"""The feed-forward of every transformer block: GEGLU (Shazeer 2020), as in diffusers.

Its gradient is written out. JAX's own would do on a CPU what a training step can spare: sum the
bias over all tokens column by column (25 times as long as the product with a row of ones, at 512
columns), and take the error function once for the values and again for the gates.
"""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jaxtyping import Array, Float

Tokens = Float[Array, "*rows token channel"]


class FeedForward(nn.Module):
    """GEGLU feed-forward, four times as wide inside; the exact (erf) GELU, as in torch."""

    channels: int

    @nn.compact
    def __call__(self, x: Tokens) -> Tokens:
        hidden, bias = Projection(8 * self.channels, name="net_0_proj")(x)
        return nn.Dense(self.channels, name="net_2")(geglu(hidden, bias))


class Projection(nn.Module):
    """The parameters of a flax.linen.Dense, whose bias is given back in place of added."""

    features: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "*rows channel"]
    ) -> tuple[Float[Array, "*rows feature"], Float[Array, " feature"]]:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        x, kernel, bias = promote_dtype(x, kernel, bias)
        return x @ kernel, bias


@jax.custom_vjp
def geglu(
    hidden: Float[Array, "*rows two_sizes"], bias: Float[Array, " two_sizes"]
) -> Float[Array, "*rows size"]:
    """value · GELU(gate), where [value; gate] = hidden + bias."""
    value, gate = _halves(hidden, bias)
    return value * gate * _normal_cdf(gate)


def _forward(hidden: jax.Array, bias: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return geglu(hidden, bias), (hidden, bias)


def _backward(kept: tuple[jax.Array, jax.Array], pushed: jax.Array) -> tuple[jax.Array, jax.Array]:
    hidden, bias = kept
    value, gate = _halves(hidden, bias)
    cdf = _normal_cdf(gate)
    slope = cdf + gate * jnp.exp(-gate * gate / 2) / math.sqrt(2 * math.pi)
    to_hidden = jnp.concatenate([pushed * gate * cdf, pushed * value * slope], axis=-1)
    rows = to_hidden.reshape(-1, to_hidden.shape[-1])
    to_bias = jnp.matmul(jnp.ones(len(rows), rows.dtype), rows, preferred_element_type=jnp.float32)
    return to_hidden, to_bias.astype(bias.dtype)


geglu.defvjp(_forward, _backward)


def _halves(hidden: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
    value, gate = jnp.split(hidden + jnp.expand_dims(bias, range(hidden.ndim - 1)), 2, axis=-1)
    return value, gate


def _normal_cdf(x: jax.Array) -> jax.Array:
    return (1 + jax.lax.erf(x / math.sqrt(2))) / 2
