"""Did a film do what its plan asks? One question per skill, answered from detections alone.

Object, count, spatial and scale are VPEval's predicates (Cho et al. 2023, "Visual Programming for
Text-to-Image Generation and Evaluation", section 4), asked of every frame; movement is
ActionBench-Direction as VideoDirectorGPT uses it (section 4). Departures, where the papers are
silent or too kind: a share of frames is averaged and the middle frame reported too; a moving thing
must move by `LEAST_MOVE`; a thing that is not detected counts as a failure everywhere, and how
often that happens is reported beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vdjax.evaluate.boxes import iou
from vdjax.evaluate.detections import Detection, boxes_of, named

Seen = Sequence[Detection]
Box = tuple[float, float, float, float]

#: VPEval asks for more than 5 pixels between two centres; frames are 128 pixels wide.
SPATIAL_MARGIN = 5 / 128
#: VPEval: areas within 5 % of each other are the same size.
SAME_SIZE = 0.05
#: Share of the frame that a moving thing must cover. The paper has none.
LEAST_MOVE = 0.05

SKILLS = ("object", "count", "spatial", "scale", "movement", "identity")
SPATIAL = ("left", "right", "above", "below")
SCALE = ("bigger", "smaller", "same")
DIRECTIONS = ("left", "right", "up", "down")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a plan asks about `name`.

    "count": there are `number` of it. "spatial" and "scale": `relation` says how `other` lies to
    it, or compares with it. "movement": `relation` is the direction. "identity": it looks the same
    in each scene.
    """

    skill: str
    name: str
    other: str = ""
    relation: str = ""
    number: int = 1


def holds(question: Question, seen: Seen) -> bool:
    """Whether one frame passes an object, count, spatial or scale question."""
    of_name = named(seen, question.name)
    if question.skill == "object":
        return bool(of_name)
    if question.skill == "count":
        return len(of_name) == question.number
    test = {"spatial": spatial_holds, "scale": scale_holds}[question.skill]
    others = named(seen, question.other)
    return any(
        test(first.box, second.box, question.relation)
        for first in of_name
        for second in others
        if first is not second
    )


def spatial_holds(first: Box, second: Box, relation: str) -> bool:
    """Whether `second` lies left, right, above or below of `first`, by their centres."""
    dx, dy = (centre(second)[axis] - centre(first)[axis] for axis in (0, 1))
    return {
        "left": dx < -SPATIAL_MARGIN,
        "right": dx > SPATIAL_MARGIN,
        "above": dy < -SPATIAL_MARGIN,
        "below": dy > SPATIAL_MARGIN,
    }[relation]


def scale_holds(first: Box, second: Box, relation: str) -> bool:
    """Whether `second` is bigger or smaller than `first`, or the same size, by their areas."""
    ratio = area(second) / max(area(first), 1e-9)
    differs = abs(1 - ratio) > SAME_SIZE
    return {
        "same": abs(1 - ratio) < SAME_SIZE,
        "bigger": ratio > 1 and differs,
        "smaller": ratio < 1 and differs,
    }[relation]


@dataclass(frozen=True)
class Movement:
    """`detected` on the first and last frame; the right way `by_sign`; `right`: far enough too."""

    detected: bool
    by_sign: bool
    right: bool


def movement(question: Question, frames: Sequence[Seen]) -> Movement:
    """Where the thing goes between the first and the last frame, by its best detection in each."""
    first, last = named(frames[0], question.name), named(frames[-1], question.name)
    if not (first and last):
        return Movement(False, False, False)
    axis = 0 if question.relation in ("left", "right") else 1
    forward = 1 if question.relation in ("right", "down") else -1
    moved = forward * (centre(last[0].box)[axis] - centre(first[0].box)[axis])
    return Movement(True, moved > 0, moved >= LEAST_MOVE)


def scene_look(frames: Sequence[Seen], name: str) -> str | None:
    """The look of `name` in a scene: the one with most votes over its frames, weighted by score.

    A frame votes with its best detection; None where no frame has one.
    """
    votes: Counter[str] = Counter()
    for seen in frames:
        for best in named(seen, name)[:1]:
            votes[best.look] += best.score  # type: ignore[assignment]
    return max(sorted(votes), key=lambda look: votes[look]) if votes else None


def same_look(looks: Sequence[str | None]) -> bool:
    """Whether a thing was seen in every scene, and every time with the same look."""
    return None not in looks and len(set(looks)) == 1


def box_overlaps(seen: Seen, planned: Sequence[Box], name: str) -> Float[np.ndarray, " planned"]:
    """IoU of each planned box of `name` in a frame with its detection; 0 where there is none.

    As many detections as there are planned boxes take part, best score first, so that a guess too
    many cannot help. Each is given to one planned box, the largest overlap first.
    """
    found = boxes_of(named(seen, name)[: len(planned)])
    overlap = iou(np.array(planned, np.float64).reshape(-1, 4), found)
    result = np.zeros(len(planned))
    for _ in range(min(overlap.shape)):
        row, column = np.unravel_index(int(overlap.argmax()), overlap.shape)
        result[row] = max(overlap[row, column], 0.0)
        overlap[row, :] = overlap[:, column] = -1.0
    return result


def centre(box: Box) -> tuple[float, float]:
    """Centre of a box."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def area(box: Box) -> float:
    """Area of a box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
