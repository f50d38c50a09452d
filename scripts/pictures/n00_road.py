"""00: from the sentence to the frames; the scene is made by the shipped weights."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from matplotlib.patches import Rectangle

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, PINK, arrow, block, page, save

SENTENCE = ["A cat meets a dog under a palm tree on the beach"]
STEPS = 16


def denoised(preset: str, moments: tuple[int, ...]) -> tuple[Any, list[Any]]:
    """A scene's plan, and its middle frame decoded after some of its steps."""
    import vdjax
    from vdjax.sample.guidance import gated_steps
    from vdjax.sample.loop import Sampler
    from vdjax.systems.videodirectorgpt import identity_embeddings, scene_conditions, start_latents

    model = vdjax.load(preset)
    plan = vdjax.plan.plan(SENTENCE)
    frames = model.preset.num_frames
    conditions = scene_conditions(model, plan, 1, identity_embeddings(model, plan, 0, {}), frames)
    latents = start_latents(model, jax.random.fold_in(jax.random.key(0), 1), frames)
    sampler = Sampler(unet=model.preset.unet, noise=model.preset.noise, num_inference_steps=STEPS)
    trajectory = sampler.stream(
        model.params["unet"],
        latents,
        conditions,
        jnp.float32(model.preset.guidance_scale),
        gated_steps(plan.alpha, STEPS),
    )
    steps = [latents, *trajectory]
    return plan, [model.decode(steps[moment][0])[frames // 2] for moment in moments]


def draw() -> None:
    from vdjax.plan import frame_boxes

    moments = (0, 4, 8, STEPS)
    plan, frames = denoised("storybook", moments)
    scene = plan.scene(1)
    figure, axis = page(10.4, 2.9)
    for x, text in (
        (0.15, "a sentence"),
        (2.2, "a plan"),
        (4.35, "tokens"),
        (6.0, "frames, out of noise"),
    ):
        axis.text(x, 0.35, text, fontsize=12, fontweight="bold")
    axis.text(
        0.15, 1.5, "“A cat meets\na dog under\na palm tree\non the beach”", fontsize=11, va="center"
    )
    arrow(axis, (1.65, 1.5), (2.1, 1.5))
    left, top, side = 2.2, 0.7, 1.6
    axis.add_patch(Rectangle((left, top), side, side, fc="#f4f1ea", ec="black"))
    colours = dict(zip(scene.entities, (BLUE, ORANGE, GREEN, PINK), strict=False))
    for name, track in frame_boxes(scene, 3).items():
        x0, y0, x1, y1 = track[1]
        corner, spread = (left + side * x0, top + side * y0), (side * (x1 - x0), side * (y1 - y0))
        axis.add_patch(Rectangle(corner, *spread, fill=False, ec=colours[name], lw=2))
        axis.text(
            corner[0] + 0.03, corner[1] + 0.03, name, fontsize=7, va="top", color=colours[name]
        )
    arrow(axis, (3.85, 1.5), (4.3, 1.5))
    for row, name in enumerate([*scene.entities, scene.background]):
        colour = colours.get(name, GREY)
        block(axis, 4.35, 0.75 + 0.4 * row, 1.1, 0.32, name, colour, 8)
    arrow(axis, (5.5, 1.5), (5.95, 1.5))
    for column, (moment, frame) in enumerate(zip(moments, frames, strict=True)):
        x = 6.0 + 1.08 * column
        axis.imshow(frame, extent=(x, x + 1.0, 2.0, 1.0), aspect="auto", zorder=2)
        axis.text(x + 0.5, 2.12, f"step {moment}", fontsize=8, ha="center", va="top")
    axis.set(xlim=(0, 10.4), ylim=(2.9, 0))
    phases = f"words guide all {STEPS} steps, tokens the first {plan.alpha:.0%} of them"
    if plan.alpha == 1:
        phases = f"words and tokens guide all {STEPS} steps"
    axis.text(6.0, 2.6, phases, fontsize=9)
    save(figure, "00_road.png")
