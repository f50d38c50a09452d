"""vdjax's side: the UNet, one guided step, a clip. Imports no torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.flops import count_flops
from benchmarks.job import GUIDANCE, TIMESTEP, Inputs, Job
from benchmarks.options import Options
from benchmarks.sizes import Size
from vdjax.model.hf import NoiseConfig
from vdjax.model.params import fill_params, init_unet
from vdjax.model.unet3d import UNet3D
from vdjax.runtime import jit
from vdjax.sample.loop import Conditions, Sampler
from vdjax.weights.convert import unet3d


class Ours:
    """Jobs on parameters that are random unless given."""

    def __init__(self, size: Size, options: Options, params: dict[str, Any] | None = None):
        self.config = denoiser(size).unet
        self.sampler = Sampler(
            unet=self.config,
            noise=NoiseConfig(),
            scheduler=options.scheduler,
            num_inference_steps=options.steps,
        )
        dtype = jnp.dtype(options.dtype)
        if params is None:
            params = fill_params(jax.eval_shape(partial(init_unet, self.config), jax.random.key(0)))
        self.params = jax.tree_util.tree_map(lambda x: jnp.asarray(x, dtype), params)
        inputs = Inputs.of(size)
        self.latents = jnp.asarray(inputs.latents, jnp.float32)
        self.text = jnp.asarray(inputs.text, dtype)
        # Not read without gates: ModelScope's network, which PyTorch's pipeline runs, has none.
        self.grounding = jnp.zeros((2, size.frames, 1, size.text_width), dtype)

        def forward(params, latents, times, text):
            return UNet3D(self.config).apply({"params": params}, latents, times, text)

        def step(params, state, latents, timestep, text, scale):
            conditions = Conditions(text=text, grounding=self.grounding)
            given = params, state, latents, timestep, conditions, scale
            return self.sampler.step(*given, gated=False)

        self._forward, self._step = jit(forward), jit(step)

    def forward(self) -> Job:
        return Job(lambda: self._forward(*self._forward_arguments()).block_until_ready(), _host)

    def step(self) -> Job:
        arguments = self._step_arguments()
        return Job(lambda: self._step(*arguments)[1].block_until_ready(), _host)

    def clip(self) -> Job:
        conditions = Conditions(text=self.text, grounding=self.grounding)

        def run() -> jax.Array:
            # A copy: the noise is used up.
            given = self.params, jnp.array(self.latents), conditions, jnp.float32(GUIDANCE)
            return self.sampler.denoise(*given, jnp.int32(0)).block_until_ready()

        return Job(run, _host)

    def flops(self, kind: str) -> float:
        """Floating-point operations of one run, those of matrix products and convolutions."""
        if kind == "forward":
            program, arguments = self._forward, self._forward_arguments()
        else:
            program, arguments = self._step, self._step_arguments()
        once = count_flops(jax.make_jaxpr(program)(*arguments).jaxpr)
        evaluations = self.sampler.begin(self.latents)[1].shape[0] if kind == "clip" else 1
        return once * evaluations

    def _forward_arguments(self) -> tuple:
        latents = self.latents.astype(self.text.dtype)
        return self.params, latents, jnp.array([TIMESTEP]), self.text[1:]

    def _step_arguments(self) -> tuple:
        state, timesteps = self.sampler.begin(self.latents)
        scale = jnp.float32(GUIDANCE)
        return self.params, state, self.latents, timesteps[0], self.text, scale


def denoiser(size: Size):
    """Our configuration of a size, by the converter."""
    return unet3d.configure({"_class_name": unet3d.KINDS[0], **size.network})


def _host(x: jax.Array) -> np.ndarray:
    return np.asarray(x.astype(jnp.float32))
