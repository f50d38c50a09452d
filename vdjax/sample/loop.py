"""Noise to latents: one step function, run whole by `scan` or step by step by `stream`.

Noise and a `Conditions` (text and grounding tokens, each with its unconditional twin) enter; clean
latents leave. Steps before `gated_steps` run a program with the gated layers, those after it a
program without them. Boxes, words, guidance, alpha and seed are arrays:
changing them compiles nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import cast

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32

from vdjax.model.hf import NoiseConfig, make_scheduler
from vdjax.model.unet3d import UNet3D, UNet3DConfig
from vdjax.runtime import jit
from vdjax.sample.guidance import guide


@flax.struct.dataclass
class Conditions:
    """What a clip is made from: first half of the batch unconditional, second half conditional."""

    text: Float[Array, "twice length text_width"]
    grounding: Float[Array, "twice frame token grounding_width"]


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """A UNet and a scheduler. Frozen and hashable: one compiled program per sampler."""

    unet: UNet3DConfig
    noise: NoiseConfig
    scheduler: str = "dpm++"
    num_inference_steps: int = 20

    def begin(self, latents: Float[Array, "batch frame height width channel"]):
        """The scheduler's state before the first step, and the timesteps it will visit."""
        scheduler = make_scheduler(self.scheduler, self.noise)
        state = scheduler.set_timesteps(
            scheduler.create_state(), self.num_inference_steps, latents.shape
        )
        # Python's numbers become arrays, as they are after a step: else the second step would be
        # of another type than the first and be compiled again.
        state = jax.tree_util.tree_map(_typed, state)
        return state, state.timesteps

    def step(self, params, state, latents, timestep, conditions: Conditions, scale, *, gated: bool):
        """One denoising step: predict with and without conditions, guide, let the scheduler act."""
        twice = jnp.concatenate([latents, latents])
        times = jnp.broadcast_to(timestep, (twice.shape[0],))
        both = UNet3D(self.unet).apply(
            {"params": params},
            twice,
            times,
            conditions.text,
            conditions.grounding if gated else None,
        )
        prediction = guide(cast(jax.Array, both), scale)
        scheduler = make_scheduler(self.scheduler, self.noise)
        latents, state = scheduler.step(state, prediction, timestep, latents, return_dict=False)
        return jax.tree_util.tree_map(_typed, state), latents

    @partial(jit, static_argnums=0)
    def scan(self, params, latents, conditions: Conditions, scale, switch):
        """All steps in one program; gates are on before step `switch` (an integer array)."""
        state, timesteps = self.begin(latents)

        def body(carry, now):
            (state, latents), (timestep, step) = carry, now
            args = (params, state, latents, timestep, conditions, scale)
            run = partial(self.step, gated=True), partial(self.step, gated=False)
            return jax.lax.cond(step < switch, *run, *args), None

        (_, latents), _ = jax.lax.scan(body, (state, latents), (timesteps, self._steps(timesteps)))
        return latents

    @partial(jit, static_argnums=(0,), static_argnames=("gated",))
    def _compiled_step(self, params, state, latents, timestep, conditions, scale, *, gated):
        return self.step(params, state, latents, timestep, conditions, scale, gated=gated)

    def stream(
        self, params, latents, conditions: Conditions, scale, switch: int
    ) -> Iterator[Float[Array, "batch frame height width channel"]]:
        """The latents after each step, for a live preview; the last ones are `scan`'s."""
        state, timesteps = self.begin(latents)
        for timestep, step in zip(timesteps, self._steps(timesteps), strict=True):
            gated = bool(step < switch)
            state, latents = self._compiled_step(
                params, state, latents, timestep, conditions, scale, gated=gated
            )
            yield latents

    def _steps(self, timesteps: Int[Array, " evaluation"]) -> Int32[np.ndarray, " evaluation"]:
        """The step each evaluation of the network belongs to: PNDM's first step takes two."""
        extra = timesteps.shape[0] - self.num_inference_steps
        return np.maximum(np.arange(timesteps.shape[0], dtype=np.int32) - extra, 0)


def _typed(leaf) -> jax.Array:
    """An array of a dtype that is settled, not one that adapts to what it meets."""
    array = jnp.asarray(leaf)
    return jax.lax.convert_element_type(array, array.dtype)
