"""Compiling a film's programs ahead of time, so that the first film starts as the second would.

Nothing is denoised: the network's programs are compiled for the shapes of a scene, and land in the
compilation cache. The small ones, of words and tokens, are run once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import cast

import jax
import jax.numpy as jnp

from vdjax.plan import plan
from vdjax.progress import Progress, silent
from vdjax.runtime import enable_compilation_cache
from vdjax.sample.loop import Conditions
from vdjax.systems.loaded import LoadedModel, load
from vdjax.systems.videodirectorgpt import (
    check_options,
    identity_embeddings,
    sampler_of,
    scene_conditions,
    start_latents,
    uses_images,
)

_ANY = "A cat walks on the beach"


def warm_up(
    preset: str | Path | LoadedModel = "storybook",
    *,
    steps: int | None = None,
    scheduler: str = "dpm++",
    frames: int | None = None,
    progress: Progress = silent,
) -> dict[str, float]:
    """Compile what `film` runs with the same options; seconds by program.

    Raises:
        UserError: an option is out of range, or the model lacks a part that a film needs.
    """
    check_options(steps=steps, scheduler=scheduler, frames=frames)
    enable_compilation_cache()
    model = preset if isinstance(preset, LoadedModel) else load(preset)
    count = frames or model.preset.num_frames
    sampler = sampler_of(model, scheduler, steps or model.preset.num_inference_steps)
    unet, made = model.part("unet"), plan(_ANY)
    latents = start_latents(model, jax.random.key(0), count)
    state, timesteps = sampler.begin(latents)

    @cache
    def tell() -> Conditions:
        embeddings = identity_embeddings(model, made, 0, {}) if uses_images(model) else {}
        told = scene_conditions(model, made, 1, embeddings, count)
        return cast(Conditions, sampler.prepare(unet, told))

    def compile_step(gated: bool) -> None:
        given = unet, state, latents, timesteps[0], tell(), jnp.float32(1.0)
        sampler.compile_step(*given, gated=gated)

    programs: dict[str, Callable[[], object]] = {"words and tokens": tell}
    if model.preset.unet.gated:
        programs["step with gates"] = partial(compile_step, True)
    programs["step without gates"] = partial(compile_step, False)
    programs["decoder"] = partial(model.compile_decoder, latents[0])
    seconds: dict[str, float] = {}
    for done, (name, compile_one) in enumerate(programs.items()):
        progress("compiling", done, len(programs))
        began = time.perf_counter()
        compile_one()
        seconds[name] = round(time.perf_counter() - began, 3)
    progress("compiling", len(programs), len(programs))
    return seconds
