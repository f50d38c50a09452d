"""Compiling a film's programs ahead of time, so that the first film starts as the second would.

Nothing is denoised: the network's programs are compiled for the shapes of a scene, and land in the
compilation cache. The small ones, of words and tokens, are run once.
"""

from __future__ import annotations

import time
from pathlib import Path

import jax
import jax.numpy as jnp

from vdjax.plan import plan
from vdjax.progress import Progress, silent
from vdjax.runtime import enable_compilation_cache
from vdjax.sample.loop import Sampler
from vdjax.systems.loaded import LoadedModel, load
from vdjax.systems.videodirectorgpt import (
    check_options,
    identity_embeddings,
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
    sampler = Sampler(
        unet=model.preset.unet,
        noise=model.preset.noise,
        scheduler=scheduler,
        num_inference_steps=steps or model.preset.num_inference_steps,
    )
    unet, scale = model.part("unet"), jnp.float32(1.0)
    latents = start_latents(model, jax.random.key(0), count)
    made = plan(_ANY)

    def tokens():
        embeddings = identity_embeddings(model, made, 0, {}) if uses_images(model) else {}
        return scene_conditions(model, made, 1, embeddings, count)

    seconds: dict[str, float] = {}
    programs = ["words and tokens", *["step with gates"] * model.preset.unet.gated]
    programs += ["step without gates", "decoder"]
    conditions = None
    for done, name in enumerate(programs):
        progress("compiling", done, len(programs))
        began = time.perf_counter()
        if name == "words and tokens":
            conditions = sampler.prepare(unet, tokens())
            state, timesteps = sampler.begin(latents)
        elif name == "decoder":
            model.compile_decoder(latents[0])
        else:
            sampler.compile_step(
                unet, state, latents, timesteps[0], conditions, scale, gated="with gates" in name
            )
        seconds[name] = round(time.perf_counter() - began, 3)
    progress("compiling", len(programs), len(programs))
    return seconds
