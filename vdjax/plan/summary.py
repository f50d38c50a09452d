"""A plan as a table to read in a terminal: who is where, and what will be missing."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from vdjax.plan.boxes import Box, area, centre

if TYPE_CHECKING:
    from vdjax.plan.schema import Scene, VideoPlan

_NEAR = 0.05


def table(plan: VideoPlan) -> str:
    """The plan in lines of at most about 100 characters."""
    lines = []
    for number, scene in enumerate(plan.scenes, 1):
        lines += _wrapped(f"scene {number}  ", f"{scene.description}   [{scene.background}]")
        width = max(len(name) for name in scene.entities)
        for name in scene.entities:
            lines.append(f"    {name:<{width}}  {_told(scene, name)}")
        if scene.camera is not None:
            moving = "" if scene.camera.direction == "static" else f", {scene.camera.speed}"
            lines.append(f"    camera: {scene.camera.direction}{moving}")
        for note in scene.notes:
            lines += _wrapped("    - ", note)
    shared = [
        f"{name} ({', '.join(map(str, numbers))})"
        for name, numbers in plan.groups.items()
        if len(numbers) > 1
    ]
    if shared:
        lines += _wrapped("the same in scenes  ", "; ".join(shared))
    for name, words in (plan.entity_descriptions or {}).items():
        lines += _wrapped(f"{name}: ", words)
    lines.append(f"alpha    {plan.alpha:g}")
    if plan.seed is not None:
        lines.append(f"seed     {plan.seed}")
    if plan.director is not None:
        lines.append(f"planned by {plan.director}")
    return "\n".join(lines)


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, 98, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
    ) or [head.rstrip()]


def _told(scene: Scene, name: str) -> str:
    boxes = [keyframe[name] for keyframe in scene.keyframes if name in keyframe]
    seen = scene.visible(name)
    words = f"{_spot(boxes[0]):<13} {_size(boxes[0])}"
    if _spot(boxes[-1]) != _spot(boxes[0]) or _size(boxes[-1]) != _size(boxes[0]):
        words += f"  to  {_spot(boxes[-1]):<13} {_size(boxes[-1])}"
    elif any(_moved(boxes[0], box) for box in boxes):
        words += "  moving"
    if not all(seen):
        shown = [str(index + 1) for index, here in enumerate(seen) if here]
        span = shown[0] if len(shown) == 1 else f"{shown[0]} to {shown[-1]}"
        words += f"  (seen in keyframes {span} of {len(seen)})"
    return words


def _moved(a: Box, b: Box) -> bool:
    return any(abs(p - q) > _NEAR for p, q in zip(centre(a), centre(b), strict=True))


def _size(box: Box) -> str:
    return f"{round(100 * (box[2] - box[0])):>2} x {round(100 * (box[3] - box[1])):<2}%"


def _spot(box: Box) -> str:
    x, y = centre(box)
    across = "left" if x < 0.36 else "right" if x > 0.64 else "middle"
    down = "top" if y < 0.36 else "bottom" if y > 0.64 else ""
    if area(box) > 0.8:
        return "whole frame"
    return f"{down} {across}".strip() if down or across != "middle" else "centre"
