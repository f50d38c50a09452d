"""VideoDirectorGPT: a sentence to a film of several scenes; nothing here but the order of steps.

Plan the scenes (section 3.1); draw one image embedding per entity and place and keep it over the
scenes of its group; make grounding tokens frame by frame; denoise each scene as a clip of its own,
the layout guiding the first alpha·N steps (section 3.2 and appendix J.1); decode.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from vdjax.errors import UserError
from vdjax.ground.tokens import Grounding
from vdjax.model.hf import SCHEDULERS
from vdjax.plan import VideoPlan, base_name, frame_boxes, identities
from vdjax.plan import plan as make_plan
from vdjax.plan.boxes import Box
from vdjax.progress import Progress, silent
from vdjax.runtime import enable_compilation_cache
from vdjax.sample.guidance import gated_steps
from vdjax.sample.loop import Conditions, Sampler
from vdjax.sample.noise import shared_noise
from vdjax.systems.loaded import LoadedModel, blank_grounding, load

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
    images: Mapping[str, UInt8[np.ndarray, "_ _ 3"]] | None = None,
    director: str = "rules",
    image_grounding: bool = True,
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
        images: your own pictures as entities' identities, by entity name.
        director: who plans, where `prompt` is not a plan yet.
        image_grounding: False grounds entities by text alone, as LVD and GLIGEN's text boxes do.
        progress: told how far the work is.

    Raises:
        UserError: an option is out of range, `images` names an entity that the plan has not, or
            the model lacks a part that the film needs.
    """
    check_options(seed, steps, guidance, alpha, scheduler, frames)
    if isinstance(prompt, VideoPlan):
        made = prompt
    else:
        made = make_plan(prompt, director=director, seed=seed or 0)
    seed = (made.seed or 0) if seed is None else seed
    pictures = dict(images or {})
    known = sorted({name for scene in made.scenes for name in scene.entities})
    if strangers := sorted(set(pictures) - set(known)):
        raise UserError(
            f"picture for {strangers[0]!r}: the plan has no entity of that name; "
            f"it has {', '.join(known)}"
        )
    for name, picture in pictures.items():
        _check_picture(name, picture)
    clock = _Stopwatch()
    enable_compilation_cache()
    model = preset if isinstance(preset, LoadedModel) else load(preset)
    count = frames or model.preset.num_frames
    steps = model.preset.num_inference_steps if steps is None else steps
    guidance = model.preset.guidance_scale if guidance is None else guidance
    alpha = made.alpha if alpha is None else alpha
    switch = gated_steps(alpha, steps)
    if switch:
        model.part("net")
    clock.lap("load")

    embeddings: dict[str, Float[Array, " projection"]] = {}
    if uses_images(model):
        embeddings = identity_embeddings(model, made, seed, pictures)
    elif pictures:
        raise UserError(
            f"picture for {min(pictures)!r}: {model.preset.name!r} knows entities by their names "
            "alone; leave it out, or take a model whose tokens are of text and image"
        )
    clock.lap("ground")
    sampler = sampler_of(model, scheduler, steps)
    clips: list[np.ndarray] = []
    step_seconds: list[float] = []
    for number in range(1, len(made.scenes) + 1):
        conditions = scene_conditions(model, made, number, embeddings, count, image_grounding)
        key = jax.random.fold_in(jax.random.key(seed), number)
        latents = start_latents(model, key, count)
        label = f"scene {number} of {len(made.scenes)}"
        total = steps + (scheduler == "pndm")  # PLMS asks the network twice at its first step
        progress(label, 0, total)
        began = time.perf_counter()
        trajectory = sampler.stream(
            model.part("unet"), latents, conditions, jnp.float32(guidance), switch
        )
        for done, latents in enumerate(trajectory, 1):
            jax.block_until_ready(latents)
            step_seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
            progress(label, done, total)
        clock.lap("denoise")
        clips.append(model.decode(latents[0]))
        clock.lap("decode")
    report = {
        "seed": seed,
        "preset": model.preset.name,
        "scheduler": scheduler,
        "steps": steps,
        "gated_steps": switch,
        "alpha": alpha,
        "guidance": guidance,
        "seconds": clock.laps,
        # The median: the first steps also hold the compilation, where nothing was compiled before.
        "seconds_per_step": round(float(np.median(step_seconds)), 4),
    }
    return Film(made, clips, report)


def identity_embeddings(
    model: LoadedModel,
    plan: VideoPlan,
    seed: int,
    pictures: Mapping[str, UInt8[np.ndarray, "_ _ 3"]],
) -> dict[str, Float[Array, " projection"]]:
    """One image embedding per identity of the plan: a user's picture, or a draw of the prior.

    Each draw has a key made of the seed and the identity's own name, so that what else is in the
    plan does not change it.
    """
    found: dict[str, Float[Array, " projection"]] = {}
    to_draw: dict[str, str] = {}
    for (_, name), identity in identities(plan).items():
        if name in pictures:
            found[identity] = model.embed_pictures([pictures[name]])[0]
        else:
            to_draw[identity] = base_name(name)
    root = jax.random.key(seed)
    keys = [jax.random.fold_in(root, zlib.crc32(identity.encode())) for identity in to_draw]
    if to_draw:
        drawn = model.imagine(list(to_draw.values()), keys)
        found.update(zip(to_draw, drawn, strict=True))
    return found


def scene_conditions(
    model: LoadedModel,
    plan: VideoPlan,
    number: int,
    embeddings: Mapping[str, Float[Array, " projection"]],
    frames: int,
    image_grounding: bool = True,
) -> Conditions:
    """Text states and grounding tokens of scene `number` (from 1), behind unconditional twins."""
    scene = plan.scene(number)
    text_states = model.encode_text(["", scene.description])
    if "net" not in model.params:
        return Conditions(text=text_states, grounding=_no_tokens(model, frames))
    who = identities(plan)
    names = [*scene.entities, scene.background]
    whole: list[Box | None] = [(0.0, 0.0, 1.0, 1.0)] * frames
    boxes = [*frame_boxes(scene, frames).values(), whole]
    blank = blank_grounding(model.preset, 1, frames)
    size = blank.boxes.shape[2]
    if len(names) > size:
        raise UserError(
            f"scene {number} has {len(names) - 1} entities; this model takes at most {size - 1}"
        )
    # The background keeps the last token; entities fill the first ones, null tokens the rest.
    places = [*range(len(names) - 1), size - 1]
    box_array = np.zeros((1, frames, size, 4), np.float32)
    present = np.zeros((1, frames, size), bool)
    for place, track in zip(places, boxes, strict=True):
        for frame, box in enumerate(track):
            if box is not None:
                box_array[0, frame, place], present[0, frame, place] = box, True
    text = np.zeros(blank.text.shape, np.float32)
    image = np.zeros(blank.image.shape, np.float32)
    text[0, places] = model.tell_entities([base_name(name) for name in names])
    if uses_images(model):
        image[0, places] = jnp.stack([embeddings[who[number, name]] for name in names])
    has = np.zeros((1, size), bool)
    has[0, places] = True
    conditional = Grounding(
        boxes=jnp.asarray(box_array),
        present=jnp.asarray(present),
        text=jnp.asarray(text),
        image=jnp.asarray(image),
        has_text=jnp.asarray(has),
        has_image=jnp.asarray(has & (image_grounding and uses_images(model))),
    )
    both = jax.tree_util.tree_map(
        lambda a, b: jnp.concatenate([a, b]), conditional.nothing(), conditional
    )
    return Conditions(text=text_states, grounding=model.ground(both))


def uses_images(model: LoadedModel) -> bool:
    """Whether an entity's token is also of a picture. GLIGEN's own tokens of pictures are not made
    here: their features are of another space than the prior draws from."""
    grounding = model.preset.grounding
    return "net" in model.params and not (grounding.text_only or grounding.raw_features)


def _no_tokens(model: LoadedModel, frames: int) -> Float[Array, "2 frame 1 width"]:
    """What stands where a network without gated layers would have its tokens; nobody reads it."""
    return jnp.zeros((2, frames, 1, model.preset.unet.grounding_width))


def sampler_of(model: LoadedModel, scheduler: str, steps: int) -> Sampler:
    """What denoises the model's scenes."""
    return Sampler(
        unet=model.preset.unet,
        noise=model.preset.noise,
        scheduler=scheduler,
        num_inference_steps=steps,
    )


def start_latents(
    model: LoadedModel, key: jax.Array, frames: int
) -> Float[Array, "1 frame height width channel"]:
    """The noise a scene starts from; its frames share what the preset says."""
    u = model.preset.unet
    shape = (1, frames, u.sample_size, u.sample_size, u.in_channels)
    return shared_noise(key, shape, model.preset.shared_noise)


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

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = round(self.laps.get(stage, 0.0) + now - self._last, 3)
        self._last = now
