"""VideoDirectorGPT: a sentence to a film of several scenes; nothing here but the order of steps.

Plan the scenes (section 3.1); draw one image embedding per entity and place and keep it over the
scenes of its group; make grounding tokens frame by frame; denoise each scene as a clip of its own,
the layout guiding the first alpha·N steps (section 3.2 and appendix J.1); decode.

On one device a scene goes step by step (`Sampler.stream`), watched or not: it can be stopped
between two steps, a film that no layout guides compiles no gated program, and `Sampler.denoise`
would be a second program to compile (storybook on two cores, with the scene: 18 s beside 14 s) for
a fiftieth of the time (2.22 s and 2.27 s a scene). Over several devices a scene does go in that one
program, in which each row has its own number of gated steps and no device waits for another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from numbers import Integral
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from vdjax.errors import UserError
from vdjax.model.hf import SCHEDULERS
from vdjax.plan import Director, VideoPlan
from vdjax.plan import plan as make_plan
from vdjax.plan.consistency import identities
from vdjax.progress import Progress, silent
from vdjax.runtime import enable_compilation_cache
from vdjax.sample.guidance import gated_steps
from vdjax.sample.loop import Conditions, Sampler
from vdjax.sample.spread import Spread, spread_over
from vdjax.systems.loaded import LoadedModel, load
from vdjax.systems.looks import Look
from vdjax.systems.scenes import (
    given_to,
    identity_embeddings,
    sampler_of,
    scene_conditions,
    start_latents,
    uses_images,
)

MAX_SEED = 2**32 - 1  # what a key of JAX is made of
MAX_STEPS = 500  # beyond, the schedulers' timesteps (of 1,000) would repeat or stop short of noise
MAX_FRAMES = 64


@dataclass(frozen=True)
class Film:
    """A rendered plan: one array of frames per scene, and what is known about the making."""

    plan: VideoPlan
    frames: list[UInt8[np.ndarray, "frame height width 3"]]
    report: dict[str, Any]

    def save(self, folder: str | Path) -> Path:
        """Write the film, its storyboard, plan, frames and report; whole or not at all."""
        from vdjax.media.film import save_film

        return save_film(folder, self.plan, self.frames, self.report)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A film before its first step: planned, checked, and its entities' looks drawn.

    `switch` is how many steps the layout guides; `embeddings` are those of `identity_embeddings`;
    `pictures` are the user's own, by name; `seconds` are by stage.
    """

    plan: VideoPlan
    model: LoadedModel
    sampler: Sampler
    seed: int
    guidance: float
    alpha: float
    switch: int
    frames: int
    embeddings: Mapping[str, Float[Array, " projection"] | Look]
    pictures: Mapping[str, UInt8[np.ndarray, "_ _ 3"] | Look]
    image_grounding: bool
    text_grounding: bool
    seconds: Mapping[str, float]

    def scene(self, number: int) -> tuple[Float[Array, "1 frame height width channel"], Conditions]:
        """The noise that scene `number` (from 1) starts from, which hangs on the seed and the
        number alone, and what it is made from."""
        key = jax.random.fold_in(jax.random.key(self.seed), number)
        conditions = scene_conditions(
            self.model,
            self.plan,
            number,
            self.embeddings,
            self.frames,
            image_grounding=self.image_grounding,
            text_grounding=self.text_grounding,
        )
        return start_latents(self.model, key, self.frames), conditions

    def stream(self, number: int) -> Iterator[Float[Array, "1 frame height width channel"]]:
        """The latents of scene `number` (from 1) after each evaluation of the network."""
        latents, conditions = self.scene(number)
        unet, guidance = self.model.part("unet"), jnp.float32(self.guidance)
        yield from self.sampler.stream(unet, latents, conditions, guidance, self.switch)

    def with_plan(self, plan: VideoPlan) -> Prepared:
        """The same for another plan, such as an edited one: those it knows keep their looks."""
        embeddings = self.embeddings
        if embeddings and not set(identities(plan).values()) <= set(embeddings):
            embeddings = identity_embeddings(self.model, plan, self.seed, self.pictures)
        return replace(self, plan=plan, embeddings=embeddings)

    def report(self) -> dict[str, Any]:
        """What is known about the film's making already."""
        return {
            "seed": self.seed,
            "preset": self.model.preset.name,
            "scheduler": self.sampler.scheduler,
            "steps": self.sampler.num_inference_steps,
            "gated_steps": self.switch,
            "alpha": self.alpha,
            "guidance": self.guidance,
        }


def film(
    prompt: str | Sequence[str] | VideoPlan,
    *,
    seed: int | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    alpha: float | None = None,
    scheduler: str = "dpm++",
    frames: int | None = None,
    preset: str | Path | LoadedModel = "storybook",
    images: Mapping[str, UInt8[np.ndarray, "_ _ 3"] | Look] | None = None,
    director: str | Director = "rules",
    image_grounding: bool = True,
    text_grounding: bool = True,
    devices: int | Sequence[jax.Device] | Spread | None = None,
    spread: str = "mesh",
    progress: Progress = silent,
) -> Film:
    """Turn a sentence, a list of sentences (one per scene) or a plan into a film.

    Args:
        prompt: what to film.
        seed: same seed, same plan, same film on the same hardware; the plan's own, else 0, where
            None.
        steps: denoising steps per scene; the preset's own number where None.
        guidance: classifier-free guidance scale; 1 follows the text without emphasis; the preset's
            own where None.
        alpha: share of the steps that the layout guides, 0..1; the plan's own where None.
        scheduler: "dpm++", "ddim" or "pndm" (the paper's).
        frames: frames per scene; the preset's own where None.
        preset: name of a shipped preset, a folder of weights, or a model already loaded.
        images: entities' identities by their names ("my dog" is a plan's "dog"): your own pictures,
            or looks that were trained from such (`vdjax.systems.looks`).
        director: who plans, where `prompt` is not a plan yet.
        image_grounding: False grounds entities by text alone, as LVD and GLIGEN's text boxes do.
        text_grounding: False grounds them by their pictures alone (the paper's table 10).
        devices: over how many of this process's devices the scenes are spread, or over which; the
            frames are those of one device, but for the rounding of another program.
        spread: "mesh" or "pmap": by which of JAX's means.
        progress: told how far the work is.

    Raises:
        UserError: an option is out of range, `images` names an entity that the plan has not, or
            one twice, there are not so many devices, or the model lacks a part that the film needs.
    """
    over = None if devices is None else spread_over(devices, spread)
    made = prepare(
        prompt,
        seed=seed,
        steps=steps,
        guidance=guidance,
        alpha=alpha,
        scheduler=scheduler,
        frames=frames,
        preset=preset,
        images=images,
        director=director,
        image_grounding=image_grounding,
        text_grounding=text_grounding,
    )
    if over is None:
        return render(made, progress)
    return render_together([made], over, progress)[0]


def prepare(
    prompt: str | Sequence[str] | VideoPlan,
    *,
    seed: int | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    alpha: float | None = None,
    scheduler: str = "dpm++",
    frames: int | None = None,
    preset: str | Path | LoadedModel = "storybook",
    images: Mapping[str, UInt8[np.ndarray, "_ _ 3"] | Look] | None = None,
    director: str | Director = "rules",
    image_grounding: bool = True,
    text_grounding: bool = True,
) -> Prepared:
    """All of `film`, with its options, that comes before the first step."""
    check_options(seed, steps, guidance, alpha, scheduler, frames)
    if isinstance(prompt, VideoPlan):
        plan = prompt
    else:
        plan = make_plan(prompt, director=director, seed=seed or 0)
    seed = (plan.seed or 0) if seed is None else seed
    pictures = given_to(plan, images or {})
    for name, picture in pictures.items():
        if not isinstance(picture, Look):
            _check_picture(name, picture)
    clock = _Stopwatch()
    enable_compilation_cache()
    model = preset if isinstance(preset, LoadedModel) else load(preset)
    steps = model.preset.num_inference_steps if steps is None else steps
    alpha = plan.alpha if alpha is None else alpha
    switch = gated_steps(alpha, steps)
    if switch:
        model.part("net")
    clock.lap("load")

    embeddings: dict[str, Float[Array, " projection"] | Look] = {}
    if uses_images(model):
        embeddings = identity_embeddings(model, plan, seed, pictures)
    elif pictures:
        raise UserError(
            f"picture for {min(pictures)!r}: {model.preset.name!r} knows entities by their names "
            "alone; leave it out, or take a model whose tokens are of text and image"
        )
    clock.lap("ground")
    return Prepared(
        plan=plan,
        model=model,
        sampler=sampler_of(model, scheduler, steps),
        seed=seed,
        guidance=model.preset.guidance_scale if guidance is None else guidance,
        alpha=alpha,
        switch=switch,
        frames=frames or model.preset.num_frames,
        embeddings=embeddings,
        pictures=pictures,
        image_grounding=image_grounding,
        text_grounding=text_grounding,
        seconds=clock.laps,
    )


def render(made: Prepared, progress: Progress = silent) -> Film:
    """The film, scene by scene and step by step, on one device."""
    clock, model = _Stopwatch(made.seconds), made.model
    clips: list[np.ndarray] = []
    step_seconds: list[float] = []
    total = made.sampler.num_evaluations
    for number in range(1, len(made.plan.scenes) + 1):
        label = f"scene {number} of {len(made.plan.scenes)}"
        progress(label, 0, total)
        began = time.perf_counter()
        for done, latents in enumerate(made.stream(number), 1):
            jax.block_until_ready(latents)
            step_seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
            progress(label, done, total)
        clock.lap("denoise")
        clips.append(model.decode(latents[0]))
        clock.lap("decode")
    report = {
        **made.report(),
        "seconds": clock.laps,
        # The median: the first steps also hold the compilation, where nothing was compiled before.
        "seconds_per_step": round(float(np.median(step_seconds)), 4),
    }
    return Film(made.plan, clips, report)


def render_together(
    films: Sequence[Prepared], over: Spread, progress: Progress = silent
) -> list[Film]:
    """Films of one sampler and one length, all their scenes spread over devices.

    A round is one scene per device, from noise to latents in one program; `seconds_per_step` is a
    round's, over its steps, and `seconds` are each film's share by its scenes.
    """
    model, sampler, clock = films[0].model, films[0].sampler, _Stopwatch()
    scenes = [(made, n) for made in films for n in range(1, len(made.plan.scenes) + 1)]
    rows = [
        (*made.scene(n), np.float32(made.guidance), np.int32(made.switch)) for made, n in scenes
    ]
    count, places = len(rows), len(over.devices)
    label = f"{count} scene{'s' * (count > 1)} on {places} device{'s' * (places > 1)}"
    latents: list[np.ndarray] = []
    round_seconds: list[float] = []
    progress(label, 0, len(rows))
    began = time.perf_counter()
    for some in over.rounds(_denoise(sampler), over.place(model.part("unet")), rows):
        latents += [clip[0] for clip in some]
        round_seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        progress(label, len(latents), len(rows))
    clock.lap("denoise")
    weights = over.place(model.part("autoencoder"))
    decoded = over.rounds(model.decoder, weights, latents)
    clips = [clip for some in decoded for clip in some]
    clock.lap("decode")
    per_step = round(float(np.median(round_seconds)) / sampler.num_evaluations, 4)
    made_films = []
    for made in films:
        own, clips = clips[: len(made.plan.scenes)], clips[len(made.plan.scenes) :]
        share = len(own) / len(rows)
        seconds = {stage: round(share * lap, 3) for stage, lap in clock.laps.items()}
        report = {
            **made.report(),
            "devices": len(over.devices),
            "spread": over.kind,
            "seconds": {**made.seconds, **seconds},
            "seconds_per_step": per_step,
        }
        made_films.append(Film(made.plan, own, report))
    return made_films


@lru_cache(maxsize=8)
def _denoise(sampler: Sampler) -> Callable[[Any, Any], Any]:
    """One row of `render_together` to latents; for the same sampler it is the same function."""

    def denoise(params, row):
        return sampler.denoise(params, *row)

    return denoise


def check_options(
    seed=0, steps=None, guidance=None, alpha=None, scheduler="dpm++", frames=None
) -> None:
    """Refuse an option of `film` that is out of range, by a UserError."""
    if seed is not None and not _whole(seed, 0, MAX_SEED):
        raise UserError(f"seed is {seed}: it must be a whole number from 0 to {MAX_SEED}")
    if steps is not None and not _whole(steps, 1, MAX_STEPS):
        raise UserError(
            f"steps is {steps}: it must be a whole number from 1 to {MAX_STEPS}; left out, it is "
            "the preset's"
        )
    if guidance is not None and not 0 <= guidance <= 100:
        raise UserError(
            f"guidance is {guidance}: it must be from 0 to 100; left out, it is the preset's"
        )
    if alpha is not None and not 0 <= alpha <= 1:
        raise UserError(f"alpha is {alpha}: it is a share of the steps and must be from 0 to 1")
    if scheduler not in SCHEDULERS:
        raise UserError(f"scheduler {scheduler!r} is unknown: use one of {', '.join(SCHEDULERS)}")
    if frames is not None and not _whole(frames, 1, MAX_FRAMES):
        raise UserError(
            f"frames is {frames}: it must be a whole number from 1 to {MAX_FRAMES} per scene"
        )


def _whole(value, least: int, most: int) -> bool:
    return isinstance(value, Integral) and least <= int(value) <= most


def _check_picture(name: str, picture) -> None:
    shape: tuple[int, ...] = getattr(picture, "shape", ())
    dtype = getattr(picture, "dtype", None)
    if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        seen = f"{dtype} of shape {shape}" if dtype else f"of type {type(picture).__name__}"
        raise UserError(
            f"picture for {name!r} is {seen}: it must be an array of 0..255 (uint8) with shape "
            "(height, width, 3), such as numpy.asarray(PIL.Image.open(PATH).convert('RGB'))"
        )


class _Stopwatch:
    """Seconds by stage; a stage that comes back adds up."""

    def __init__(self, before: Mapping[str, float] | None = None) -> None:
        self.laps: dict[str, float] = dict(before or {})
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = round(self.laps.get(stage, 0.0) + now - self._last, 3)
        self._last = now
