"""The noise that a clip starts from, and is trained with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def shared_noise(
    key: jax.Array, shape: tuple[int, ...], share: float
) -> Float[Array, "batch frame height width channel"]:
    """Standard normal noise whose frames share `share` of their variance (PYoCo's mixed noise
    model).

    Every frame alone is standard normal, so image mode knows nothing of it; frames that start alike
    stay alike, which a small model needs for a background that stands still.
    """
    common_key, own_key = jax.random.split(key)
    common = jax.random.normal(common_key, (shape[0], 1, *shape[2:]))
    own = jax.random.normal(own_key, shape)
    return jnp.sqrt(share) * common + jnp.sqrt(1.0 - share) * own
