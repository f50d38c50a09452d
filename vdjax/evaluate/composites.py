"""Films made of the artwork itself: what a generator that never errs would make of a plan.

A plan enters, frames leave; the measure taken of them is the ceiling. Each identity of the plan
gets one look and each background one view, drawn from the seed, and backgrounds are variants that
neither the generator nor the detector was trained on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8

from vdjax.data.storybook.backgrounds import background
from vdjax.data.storybook.compose import compose
from vdjax.data.storybook.sprites import facing
from vdjax.plan.consistency import identities
from vdjax.plan.layout import frame_boxes
from vdjax.plan.schema import VideoPlan, base_name
from vdjax.plan.vocabulary import LOOKS

Film = list[UInt8[np.ndarray, "frame height width 3"]]


def real_film(
    plan: VideoPlan,
    seed: int,
    *,
    gates: bool = True,
    image_grounding: bool = True,
    size: int = 128,
    num_frames: int = 16,
) -> Film:
    """The plan as real composites, one array of frames per scene.

    Can stand in for a generator. `gates` does nothing; without `image_grounding` each scene draws
    the looks of its things anew, as a generator does that knows them by name only.
    """
    del gates
    known = identities(plan)
    film = []
    for number, scene in enumerate(plan.scenes, 1):
        things = []
        for name, boxes in frame_boxes(scene, num_frames).items():
            key = (known[number, name] if image_grounding else f"{name} in scene {number}").encode()
            rng = np.random.default_rng([seed, *key])
            look = LOOKS[int(rng.integers(len(LOOKS)))]
            path = np.array([box or (0, 0, 0, 0) for box in boxes], np.float64)
            shown = np.array([box is not None for box in boxes])
            mirrored = _mirrored(rng, base_name(name), look, path[shown])
            things.append((base_name(name), look, path, shown, mirrored))
        view = sum(known[number, scene.background].encode()) + 1000 * (seed % 1000)
        backdrop = background(scene.background, view, size, held_out=True)
        film.append(compose([backdrop] * num_frames, things)[0])
    return film


def worse(
    degrade: Callable[[np.ndarray, np.random.Generator], np.ndarray],
) -> Callable[..., Film]:
    """A stand-in for a generator: real films, each frame put through `degrade(frame, rng)`."""

    def film(plan: VideoPlan, seed: int, *, gates: bool, image_grounding: bool) -> Film:
        real = real_film(plan, seed, gates=gates, image_grounding=image_grounding)
        rng = np.random.default_rng(seed)
        return [np.stack([degrade(frame, rng) for frame in frames]) for frames in real]

    return film


def _mirrored(rng: np.random.Generator, name: str, look: str, path: np.ndarray) -> bool:
    """Things that point somewhere face the way they go; the others are mirrored now and then."""
    mirrored = bool(rng.random() < 0.3)
    heading, way = facing(name, look), path[-1, 0] - path[0, 0]
    if heading and abs(way) > 0.1:
        return heading != ("right" if way > 0 else "left")
    return mirrored
