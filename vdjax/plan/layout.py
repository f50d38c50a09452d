"""From nine keyframes to a box for every entity in every frame.

Enters: a scene. Leaves: for each name, one box per frame, or None where it is not visible. The
paper gives nine keyframes per scene and says "linear interpolation" to 16 frames, but not on
which grid (VideoDirectorGPT, section 3.1); here both ends are aligned: keyframe k stands at time
k/8, frame f at time f/(F-1), and each coordinate is interpolated on its own.

Appearing and leaving, which the paper leaves open: a frame between two keyframes of which only
one shows the entity belongs to the nearer of the two. If that one shows the entity, the frame
takes its box unchanged (there is nothing to interpolate to), else the entity is not visible.
Exactly half-way counts as not visible. So an entity is visible in a frame that falls on a
keyframe exactly when it is visible in that keyframe.
"""

from __future__ import annotations

from fractions import Fraction

from vdjax.plan.boxes import Box, area, between
from vdjax.plan.problems import PlanError
from vdjax.plan.schema import NUM_KEYFRAMES, Scene

DEFAULT_FRAMES = 16


def keyframe_times(num_frames: int) -> tuple[Fraction, ...]:
    """Where each frame falls on the keyframe axis, from 0 to 8, exactly.

    A single frame is taken from the middle of the scene. Raises `PlanError` for fewer than one
    frame.
    """
    if isinstance(num_frames, bool) or not isinstance(num_frames, int) or num_frames < 1:
        raise PlanError(f"num_frames is {num_frames!r}; it must be a whole number from 1")
    last = NUM_KEYFRAMES - 1
    if num_frames == 1:
        return (Fraction(last, 2),)
    return tuple(Fraction(frame * last, num_frames - 1) for frame in range(num_frames))


def frame_boxes(scene: Scene, num_frames: int = DEFAULT_FRAMES) -> dict[str, list[Box | None]]:
    """The box of every entity in every frame: {name: [box or None, ...]}, names as in the scene.

    Boxes are (x0, y0, x1, y1) in 0..1. Raises `PlanError` for fewer than one frame.
    """
    times = keyframe_times(num_frames)
    return {
        name: [_at(time, [keyframe.get(name) for keyframe in scene.keyframes]) for time in times]
        for name in scene.entities
    }


def _at(time: Fraction, boxes: list[Box | None]) -> Box | None:
    """The box at `time` on the keyframe axis."""
    index = min(int(time), len(boxes) - 2)
    share = time - index
    before, after = boxes[index], boxes[index + 1]
    if before is not None and after is not None:
        return between(before, after, float(share))
    half = Fraction(1, 2)
    if share < half:
        return before
    return after if share > half else None


def painting_order(scene: Scene) -> list[str]:
    """The entities from back to front: what stands lower in the frame is nearer, small before
    large.

    For pictures put together from parts; the model is given no order.
    """

    def nearness(name: str) -> tuple[float, float]:
        boxes = [keyframe[name] for keyframe in scene.keyframes if name in keyframe]
        bottom = sum(box[3] for box in boxes) / len(boxes)
        return round(bottom, 2), -sum(area(box) for box in boxes) / len(boxes)

    return sorted(scene.entities, key=nearness)
