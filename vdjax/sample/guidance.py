"""Classifier-free guidance and the two phases of layout guidance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def guide(
    both: Float[Array, "twice frame height width channel"], scale: jax.Array
) -> Float[Array, "batch frame height width channel"]:
    """Unconditional and conditional predictions (that order, as in diffusers) to the guided one.

    `scale` 1 is the conditional prediction itself; ModelScope uses 9, GLIGEN 7.5.
    """
    without, conditional = jnp.split(both, 2)
    return without + scale * (conditional - without)


def gated_steps(alpha: float, num_inference_steps: int) -> int:
    """How many first steps run with the gates on: int(alpha · N).

    VideoDirectorGPT, appendix J.1.
    """
    # A tenth of ten is one step, whatever 0.1 is in binary.
    return int(round(alpha * num_inference_steps, 6))
