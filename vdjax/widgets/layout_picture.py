"""A scene's layout as a picture and in words, for people without widgets.

A plan and the number of a scene enter; three of its keyframes with boxes and paths leave, upon the
scene's frames where there are any, or sentences that say who goes from where to where.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdjax.errors import UserError
from vdjax.plan import NUM_KEYFRAMES, Box, Scene, VideoPlan
from vdjax.plan.boxes import centre

Clip = UInt8[np.ndarray, "frame height width 3"]

SHOWN = (0, 4, 8)
"""The keyframes of the picture: first, middle and last."""


def draw_layout(plan: VideoPlan, scene: int = 1, frames: Clip | None = None) -> Image.Image:
    """Scene `scene` (from 1) at its first, middle and last keyframe: boxes with their names, and
    the way of each centre as a line of dots. `frames` are what lies under the boxes.

    Raises:
        UserError: there is no such scene, or the frames are no clip of colours 0..255.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    content = plan.scene(scene)
    styles = _line_styles(plan)
    if frames is not None:
        frames = as_clip(frames)
    figure = Figure(figsize=(9, 3.7), dpi=100, layout="constrained")
    for axis, k in zip(figure.subplots(1, len(SHOWN)), SHOWN, strict=True):
        if frames is not None:
            axis.imshow(frames[frame_at(k, len(frames))], extent=(0, 1, 1, 0))
        for name in content.entities:
            colour, dashes = styles[name]
            for run in runs(content, name):
                x, y = zip(*[centre(box) for _, box in run], strict=True)
                axis.plot(x, y, color=colour, marker=".", markersize=4, linewidth=1)
            if (box := content.keyframes[k].get(name)) is not None:
                spread = (box[2] - box[0], box[3] - box[1])
                for edge, width, line in (("white", 4, "-"), (colour, 2.2, dashes)):
                    axis.add_patch(
                        Rectangle(box[:2], *spread, fill=False, ec=edge, lw=width, ls=line)
                    )
                label = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}
                axis.text(*box[:2], name, color="white", va="bottom", fontsize=9, bbox=label)
        axis.set(xlim=(0, 1), ylim=(1, 0), aspect="equal", xticks=(0, 1), yticks=(0, 1))
        axis.set_title(f"keyframe {k + 1} of {NUM_KEYFRAMES}", fontsize=10)
    figure.suptitle(f"Scene {scene}: {content.background}", fontsize=11)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")


def layout_words(plan: VideoPlan, scene: int = 1) -> str:
    """Who goes from where to where in scene `scene` (from 1), in words."""
    content = plan.scene(scene)
    told = [f"Scene {scene}, {content.background}: {content.description}"]
    for name in content.entities:
        shown = [k for k, seen in enumerate(content.visible(name)) if seen]
        first, last = (content.keyframes[k][name] for k in (shown[0], shown[-1]))
        when = "" if len(shown) == NUM_KEYFRAMES else f" (keyframes {_ranges(shown)})"
        way = _spot(first) if _spot(first) == _spot(last) else f"{_spot(first)} to {_spot(last)}"
        told.append(f"{name}{when}: {way}")
    return "; ".join(told)


def as_clip(frames: Any) -> Clip:
    """Frames as an array of colours. Raises `UserError` for anything else."""
    array = np.asarray(frames)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape:
        raise UserError(
            f"frames are {array.dtype} of shape {array.shape}: they must be 0..255 (uint8) of"
            " shape (frame, height, width, 3)"
        )
    return array


def frame_at(k: int, count: int) -> int:
    """The frame, of `count`, nearest to keyframe `k` (from 0)."""
    return round(k * (count - 1) / (NUM_KEYFRAMES - 1))


def runs(scene: Scene, name: str) -> list[list[tuple[int, Box]]]:
    """Where something is seen without a break: (keyframe from 0, box) each."""
    found: list[list[tuple[int, Box]]] = [[]]
    for k, keyframe in enumerate(scene.keyframes):
        if name in keyframe:
            found[-1].append((k, keyframe[name]))
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def _line_styles(plan: VideoPlan) -> dict[str, tuple[str, Any]]:
    """(colour, dashes) of each name, as matplotlib takes them."""
    from vdjax.widgets.base import entity_styles

    names = [name for scene in plan.scenes for name in scene.entities]
    return {
        name: (colour, (0, tuple(float(n) / 2 for n in dashes.split())) if dashes else "-")
        for name, (colour, dashes) in entity_styles(names).items()
    }


def _spot(box: Box) -> str:
    x, y = centre(box)
    return (
        f"centre at {x:.0%} from the left and {y:.0%} from the top,"
        f" {box[2] - box[0]:.0%} wide and {box[3] - box[1]:.0%} high"
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Keyframes (from 0) as people say them: "1 to 3, 6"."""
    words: list[str] = []
    for k in numbers:
        if k - 1 not in numbers:
            last = next(n for n in range(k, NUM_KEYFRAMES) if n + 1 not in numbers)
            words.append(str(k + 1) if last == k else f"{k + 1} to {last + 1}")
    return ", ".join(words)
