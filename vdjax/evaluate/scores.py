"""From detections of whole films to the figures of the table.

Per plan and arm (a way of making its film) the detections of every frame enter; one figure per
skill with its interval leaves. A plan is one observation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vdjax.data.storybook.splits import train_looks
from vdjax.evaluate import skills, statistics
from vdjax.evaluate.detections import Detection
from vdjax.evaluate.plans import HeldOutPlan
from vdjax.evaluate.skills import DIRECTIONS, SCALE, SPATIAL
from vdjax.evaluate.statistics import Figure
from vdjax.plan.consistency import identities
from vdjax.plan.layout import frame_boxes
from vdjax.plan.schema import Scene, base_name
from vdjax.plan.vocabulary import LOOKS

SeenFilm = list[list[list[Detection]]]
"""Per scene, per frame, what was seen."""

_OVER_FRAMES = ("object", "count", "spatial", "scale")
#: A planned box is filled where the detection given to it overlaps it by this (IoU).
_FILLED = 0.5


def score(films: Mapping[HeldOutPlan, SeenFilm]) -> dict[str, Any]:
    """Every figure of one arm.

    "object", "count", "spatial", "scale": mean over plans of the share of frames that pass, and
    the same of the middle frame under "... (middle frame)"; "spatial: left" and so on are its
    parts. "movement": right direction, a thing not found counting as wrong; "movement: found" and
    "movement: sign where found" are its two halves. "iou": planned box against detection, 0 where
    missing, and "boxes filled": the share with IoU of at least 0.5, both over all plans.
    "identity": the same look in every scene, with "identity: found" (seen in every scene),
    "identity where found", and two levels of chance.
    """
    figures: dict[str, Figure] = {}
    for skill in _OVER_FRAMES:
        asked = {one: film for one, film in films.items() if one.question.skill == skill}
        relations = {"spatial": SPATIAL, "scale": SCALE}.get(skill, ())
        figures[skill] = _over_frames(asked)
        figures[f"{skill} (middle frame)"] = _middle_frame(asked)
        for relation in relations:
            part = {one: seen for one, seen in asked.items() if one.question.relation == relation}
            figures[f"{skill}: {relation}"] = _over_frames(part)
    figures |= _movement(films)
    overlaps = [_overlaps(one, film) for one, film in films.items()]
    figures["iou"] = statistics.mean([float(each.mean()) for each in overlaps])
    figures["boxes filled"] = statistics.mean(
        [float((each >= _FILLED).mean()) for each in overlaps]
    )
    identity, chance = _identity(films)
    figures |= identity
    return {**{name: figure.as_dict() for name, figure in figures.items()}, **chance}


def _over_frames(films: Mapping[HeldOutPlan, SeenFilm]) -> Figure:
    return statistics.mean(
        [
            float(np.mean([skills.holds(one.question, seen) for seen in film[0]]))
            for one, film in films.items()
        ]
    )


def _middle_frame(films: Mapping[HeldOutPlan, SeenFilm]) -> Figure:
    return statistics.share(
        [skills.holds(one.question, film[0][len(film[0]) // 2]) for one, film in films.items()]
    )


def _movement(films: Mapping[HeldOutPlan, SeenFilm]) -> dict[str, Figure]:
    asked = [one for one in films if one.question.skill == "movement"]
    moves = [skills.movement(one.question, films[one][0]) for one in asked]
    figures = {
        "movement": statistics.share([move.right for move in moves]),
        "movement: found": statistics.share([move.detected for move in moves]),
        "movement: sign where found": statistics.share(
            [move.by_sign for move in moves if move.detected]
        ),
        "movement: sign, missing = 0": statistics.share([move.by_sign for move in moves]),
    }
    for direction in DIRECTIONS:
        figures[f"movement: {direction}"] = statistics.share(
            [
                move.right
                for one, move in zip(asked, moves, strict=True)
                if one.question.relation == direction
            ]
        )
    return figures


def _overlaps(one: HeldOutPlan, film: SeenFilm) -> np.ndarray:
    """IoU of every planned box of every frame of a film with what was seen of it."""
    overlaps = []
    for scene, frames in zip(one.plan.scenes, film, strict=True):
        for frame, boxes in zip(frames, _planned(scene, len(frames)), strict=True):
            overlaps += [skills.box_overlaps(frame, at, name) for name, at in boxes.items()]
    return np.concatenate(overlaps)


def _planned(scene: Scene, count: int) -> list[dict[str, list[skills.Box]]]:
    """Per frame, the planned boxes of each kind of thing."""
    frames: list[dict[str, list[skills.Box]]] = [{} for _ in range(count)]
    for name, boxes in frame_boxes(scene, count).items():
        for frame, box in zip(frames, boxes, strict=True):
            if box is not None:
                frame.setdefault(base_name(name), []).append(box)
    return frames


def _identity(
    films: Mapping[HeldOutPlan, SeenFilm],
) -> tuple[dict[str, Figure], dict[str, float | None]]:
    asked = [one for one in films if one.question.skill == "identity"]
    looks = [_looks(one, films[one]) for one in asked]
    everywhere = [each for each in looks if None not in each]
    figures = {
        "identity": statistics.share([skills.same_look(each) for each in looks]),
        "identity: found": statistics.share([None not in each for each in looks]),
        "identity where found": statistics.share([skills.same_look(each) for each in everywhere]),
    }
    uniform = [
        (1 / len(train_looks(one.question.name))) ** (len(each) - 1)
        for one, each in zip(asked, looks, strict=True)
    ]
    seen = [look for each in looks for look in each if look is not None]
    frequency = [seen.count(look) / len(seen) for look in LOOKS] if seen else []
    drawn = [sum(p ** len(each) for p in frequency) for each in looks]
    return figures, {
        "identity: chance, looks equally likely": float(np.mean(uniform)) if uniform else None,
        "identity: chance, looks as often as seen": float(np.mean(drawn)) if seen else None,
    }


def _looks(one: HeldOutPlan, film: Sequence[Sequence[Sequence[Detection]]]) -> list[str | None]:
    """The look of the thing asked about in each scene of its group."""
    name = one.question.name
    known = identities(one.plan)
    return [
        skills.scene_look(frames, name)
        for number, frames in enumerate(film, 1)
        if known.get((number, name)) == name
    ]
