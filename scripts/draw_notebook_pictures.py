"""Draw the pictures at the head of the notebooks: `python scripts/draw_notebook_pictures.py`.

Schemes, and in the first a scene as the shipped model makes it, decoded at some of its steps. They
go to notebooks/src/pictures and into the notebooks by scripts/build_notebooks.py.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PICTURES = ROOT / "notebooks" / "src" / "pictures"
BLUE, ORANGE, GREEN, PINK = "#0072b2", "#e69f00", "#009e73", "#cc79a7"
SENTENCE = ["A cat meets a dog under a palm tree on the beach"]
STEPS = 16


def page(width: float, height: float):
    """An axis in inches, from the upper left, with nothing on it."""
    figure = Figure(figsize=(width, height), dpi=110, facecolor="white")
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(height, 0))
    axis.axis("off")
    return figure, axis


def block(axis, x, y, wide, high, text, colour, size=9):
    """A rounded box with a word in it."""
    style = "round,pad=0,rounding_size=0.06"
    axis.add_patch(FancyBboxPatch((x, y), wide, high, style, fc=colour + "33", ec=colour, lw=1.5))
    axis.text(x + wide / 2, y + high / 2, text, ha="center", va="center", fontsize=size)


def arrow(axis, start, end, colour="black"):
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color=colour))


def save(figure, name):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    image = Image.open(buffer).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.save(PICTURES / name, optimize=True)
    print(f"{name}: {(PICTURES / name).stat().st_size:,} bytes")


def denoised(preset, moments):
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


def road(preset):
    """00: from the sentence to the frames."""
    from vdjax.plan import frame_boxes

    moments = (0, 4, 8, STEPS)
    plan, frames = denoised(preset, moments)
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
        colour = colours.get(name, "#777777")
        block(axis, 4.35, 0.75 + 0.4 * row, 1.1, 0.32, name, colour, 8)
    arrow(axis, (5.5, 1.5), (5.95, 1.5))
    for column, (moment, frame) in enumerate(zip(moments, frames, strict=True)):
        x = 6.0 + 1.08 * column
        axis.imshow(frame, extent=(x, x + 1.0, 2.0, 1.0), aspect="auto", zorder=2)
        axis.text(x + 0.5, 2.12, f"step {moment}", fontsize=8, ha="center", va="top")
    axis.set(xlim=(0, 10.4), ylim=(2.9, 0))
    axis.text(
        6.0,
        2.6,
        f"words guide all {STEPS} steps, tokens the first {plan.alpha:.0%} of them",
        fontsize=9,
    )
    save(figure, "00_road.png")


def tokens():
    """02: how a token is made, and the layer that reads it."""
    figure, axis = page(10.4, 3.4)
    axis.text(0.15, 0.3, "one token per thing and frame", fontsize=12, fontweight="bold")
    parts = (
        ("box", "Fourier code", BLUE),
        ("word", "CLIP text", ORANGE),
        ("picture", "CLIP image", GREEN),
    )
    for row, (what, how, colour) in enumerate(parts):
        y = 0.7 + 0.75 * row
        block(axis, 0.15, y, 0.85, 0.5, what, colour)
        arrow(axis, (1.02, y + 0.25), (1.28, y + 0.25))
        block(axis, 1.3, y, 1.2, 0.5, how, colour)
        arrow(axis, (2.52, y + 0.25), (2.98, 1.7), colour)
    block(axis, 3.0, 1.3, 0.75, 0.8, "MLP", "#777777", 10)
    arrow(axis, (3.77, 1.7), (4.03, 1.7))
    block(axis, 4.05, 1.45, 0.6, 0.5, "token", PINK)
    axis.text(5.2, 0.3, "the gated layer", fontsize=12, fontweight="bold")
    for i in range(8):
        colour = BLUE if i < 5 else PINK
        axis.add_patch(Rectangle((5.2 + 0.3 * i, 2.6), 0.26, 0.26, fc=colour + "66", ec=colour))
    axis.text(5.2, 3.22, "visual tokens", fontsize=9, color=BLUE)
    axis.text(6.7, 3.22, "grounding tokens", fontsize=9, color=PINK)
    arrow(axis, (6.4, 2.55), (6.4, 2.32))
    block(axis, 5.2, 1.8, 2.36, 0.5, "self-attention over all of them", "#777777")
    arrow(axis, (5.95, 1.77), (5.95, 1.48))
    axis.text(6.05, 1.66, "keep the visual rows", fontsize=8)
    block(axis, 5.2, 0.95, 1.5, 0.5, r"$\times\ \tanh(\alpha)$, the gate", ORANGE)
    arrow(axis, (6.72, 1.2), (8.0, 1.2))
    axis.text(8.15, 1.2, "+", fontsize=16, ha="center", va="center")
    arrow(axis, (8.3, 1.2), (8.75, 1.2))
    axis.text(8.8, 1.2, "visual tokens,\nchanged", fontsize=9, va="center", color=BLUE)
    axis.plot([5.2, 6.66, 5.95, 5.95, 8.15, 8.15], [2.92, 2.92, 2.92, 3.0, 3.0, 1.45], color=BLUE)
    arrow(axis, (8.15, 1.6), (8.15, 1.38), BLUE)
    axis.text(
        8.25, 2.2, "unchanged way:\nall that is left\nif the gate is 0", fontsize=8, color=BLUE
    )
    save(figure, "02_tokens.png")


def phases():
    """05: the two phases of the steps."""
    figure, axis = page(10.4, 2.3)
    gated, steps, side = 5, 8, 0.78
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.25, 0.85, 32)
    clear = np.sin(6 * ramp)[:, None] * np.cos(9 * ramp)[None, :] * 0.5 + 0.5
    for step in range(steps + 1):
        share = step / steps
        picture = share * clear + (1 - share) * rng.random((32, 32))
        x = 0.9 + step * 1.02
        axis.imshow(picture, cmap="cividis", extent=(x, x + side, 1.45, 0.67), vmin=0, vmax=1)
        if step < steps:
            colour = ORANGE if step < gated else "#777777"
            arrow(axis, (x + side, 1.06), (x + 1.02, 1.06), colour)
    axis.text(0.1, 1.06, "noise", fontsize=11, va="center")
    axis.text(9.9, 1.06, "film", fontsize=11, va="center")
    middle = 0.9 + side + gated * 1.02
    for start, end, colour, text in (
        (0.9 + side, middle - 0.05, ORANGE, "gates on: the first ⌊αN⌋ steps"),
        (middle + 0.05, 9.84, "#777777", "gates off: a program without the gated layers"),
    ):
        axis.plot([start, start, end, end], [1.6, 1.7, 1.7, 1.6], color=colour, lw=2)
        axis.text((start + end) / 2, 1.95, text, fontsize=10, ha="center", va="center")
    axis.text(0.9, 0.4, "N = 8 steps, α = 0.625", fontsize=10)
    axis.set(xlim=(0, 10.4), ylim=(2.3, 0))
    save(figure, "05_two_phases.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="storybook")
    options = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    tokens()
    phases()
    road(options.preset)
