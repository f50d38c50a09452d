"""Noise to latents: one step function, run whole by `denoise` or step by step by `stream`.

Noise and a `Conditions` (text and grounding tokens, each with its unconditional twin) enter; clean
latents leave. Steps before `gated_steps` run a program with the gated layers, those after it a
program without them. Boxes, words, guidance, alpha and seed are arrays: changing them compiles
nothing. Several scenes of one length go as one batch.

On an accelerator the network computes in the dtype of its parameters, on a CPU in float32. Latents,
guidance and the scheduler's arithmetic are float32 everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32

from vdjax.model.conditions import project_conditions
from vdjax.model.hf import NoiseConfig, make_scheduler
from vdjax.model.unet3d import UNet3D, UNet3DConfig
from vdjax.runtime import jit
from vdjax.sample.guidance import guide


@flax.struct.dataclass
class Conditions:
    """What clips are made from: first half of the batch unconditional, second half conditional.

    `projected` holds their keys and values once `Sampler.prepare` made them.
    """

    text: Float[Array, "twice length text_width"]
    grounding: Float[Array, "twice frame token grounding_width"]
    projected: dict[str, Any] = flax.struct.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """A UNet and a scheduler. Frozen and hashable: one compiled program per sampler."""

    unet: UNet3DConfig
    noise: NoiseConfig
    scheduler: str = "dpm++"
    num_inference_steps: int = 20

    @property
    def num_evaluations(self) -> int:
        """How often the network is asked: PLMS (PNDM) asks twice at its first step, of several."""
        return self.num_inference_steps + int(
            self.scheduler == "pndm" and self.num_inference_steps > 1
        )

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

    @partial(jit, static_argnums=0)
    def prepare(self, params, conditions: Conditions) -> Conditions:
        """What the network computes of conditions alone, done once for all steps."""
        dtype = _compute_dtype(params)
        tokens = conditions.grounding.astype(dtype) if self.unet.gated else None
        text = conditions.text.astype(dtype)
        return replace(conditions, projected=project_conditions(self.unet, params, text, tokens))

    def step(self, params, state, latents, timestep, conditions: Conditions, scale, *, gated: bool):
        """One denoising step: predict with and without conditions, guide, let the scheduler act."""
        dtype = _compute_dtype(params)
        twice = jnp.concatenate([latents, latents]).astype(dtype)
        times = jnp.broadcast_to(timestep, (twice.shape[0],))
        both = UNet3D(self.unet).apply(
            {"params": params, "conditions": conditions.projected},
            twice,
            times,
            conditions.text.astype(dtype),
            conditions.grounding.astype(dtype) if gated else None,
        )
        prediction = guide(cast(jax.Array, both).astype(jnp.float32), scale)
        scheduler = make_scheduler(self.scheduler, self.noise)
        latents, state = scheduler.step(state, prediction, timestep, latents, return_dict=False)
        return jax.tree_util.tree_map(_typed, state), latents

    @partial(jit, static_argnums=0, donate_argnames=("latents",))
    def denoise(
        self, params, latents, conditions: Conditions, scale, switch
    ) -> Float[Array, "batch frame height width channel"]:
        """All steps in one program: gates are on before step `switch` (an integer array).

        The noise in `latents` is used up: its memory becomes the result's.
        """
        conditions = self.prepare(params, conditions)
        state, timesteps = self.begin(latents)
        steps = self._steps(timesteps)

        def phase(gated: bool, first, last, carry):
            def body(index, carry):
                state, latents = carry
                now = timesteps[index]
                return self.step(params, state, latents, now, conditions, scale, gated=gated)

            return jax.lax.fori_loop(first, last, body, carry)

        turn: int | jax.Array = 0
        carry = state, latents.astype(jnp.float32)
        if self.unet.gated:
            turn = jnp.searchsorted(jnp.asarray(steps), switch)
            carry = phase(True, 0, turn, carry)
        return phase(False, turn, len(steps), carry)[1]

    @partial(jit, static_argnums=(0,), static_argnames=("gated",))
    def _compiled_step(self, params, state, latents, timestep, conditions, scale, *, gated):
        return self.step(params, state, latents, timestep, conditions, scale, gated=gated)

    def compile_step(self, *arguments, gated: bool) -> None:
        """Compile the step that `stream` runs with such arguments, and run nothing."""
        program = type(self)._compiled_step.program()
        program.lower(self, *arguments, gated=gated).compile()

    def stream(
        self, params, latents, conditions: Conditions, scale, switch: int
    ) -> Iterator[Float[Array, "batch frame height width channel"]]:
        """The latents after each step, for a live preview; the last ones are `denoise`'s."""
        conditions = self.prepare(params, conditions)
        state, timesteps = self.begin(latents)
        latents = latents.astype(jnp.float32)
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


def _compute_dtype(params) -> jnp.dtype:
    """What the network computes in: a CPU is slower in halves than in floats."""
    leaves = jax.tree_util.tree_leaves(params)
    if not leaves or jax.default_backend() == "cpu":
        return jnp.dtype(jnp.float32)
    return jnp.result_type(*leaves)
