"""The detector's own accuracy, to be known before anything it says is believed.

A detector enters; how many of the things in real pictures it finds, names and knows the look of
leaves, on pictures as they are and on pictures made worse the way a generator makes them. The
pictures are the storybook's held-out split: backgrounds the detector was not trained on, laid out
by other code and another stream than its training pictures. Their (name, look) pairs it has seen:
see `vdjax.train.detector` for why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vdjax.data.storybook.world import Clip, StorybookWorld
from vdjax.evaluate import statistics
from vdjax.evaluate.boxes import area, intersection, iou
from vdjax.evaluate.degrade import DEGRADATIONS
from vdjax.evaluate.detections import Detection, Detector, boxes_of
from vdjax.evaluate.statistics import Figure

#: A thing is found by a detection of its name that overlaps it by at least this (IoU).
FOUND = 0.5
#: Things of which less than this lies free of the boxes in front of them are left out.
LEAST_FREE = 0.5

Degrade = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Accuracy:
    """Over pictures: share of things found, share of the found whose look is right, mean IoU of the
    found, and detections of nothing per picture. `things` is how many there were to find."""

    found: Figure
    look: Figure
    overlap: Figure
    false_per_picture: float
    things: int
    pictures: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "found": self.found.as_dict(),
            "look": self.look.as_dict(),
            "iou": self.overlap.as_dict(),
            "false_per_picture": self.false_per_picture,
            "things": self.things,
            "pictures": self.pictures,
        }


@dataclass(frozen=True)
class _Tally:
    """One picture: per thing whether it was found, and per found thing its look and its overlap."""

    found: tuple[bool, ...]
    look: tuple[bool, ...]
    overlap: tuple[float, ...]
    false: int


def accuracies(
    detector: Detector,
    pictures: int = 300,
    seed: int = 0,
    degradations: Mapping[str, Degrade] = DEGRADATIONS,
) -> dict[str, Accuracy]:
    """Accuracy on pictures as they are ("clean") and under each degradation, on the same pictures.

    The first `pictures` pictures of the held-out split with this seed are taken.
    """
    world = StorybookWorld("held_out", seed=seed)
    samples = [world.image(index) for index in range(pictures)]
    clean: Mapping[str, Degrade] = {"clean": lambda frame, rng: frame}
    result = {}
    for name, degrade in {**clean, **degradations}.items():
        rng = np.random.default_rng([seed, 7])
        frames = np.stack([degrade(sample.frames[0], rng) for sample in samples])
        seen = detector.detect(frames)
        result[name] = _accuracy([tally(*pair) for pair in zip(samples, seen, strict=True)])
    return result


def tally(sample: Clip, seen: Sequence[Detection]) -> _Tally:
    """What of one picture was found; each detection counts once, the best overlap first."""
    boxes = sample.boxes[:, 0].astype(np.float64)
    free = _free_shares(boxes) >= LEAST_FREE
    overlap = iou(boxes, boxes_of(seen))
    same = np.array([[name == one.name for one in seen] for name in sample.names], bool)
    overlap = np.where(same.reshape(overlap.shape), overlap, 0.0)
    given: dict[int, tuple[int, float]] = {}
    while overlap.size and overlap.max() >= FOUND:
        thing, detection = (int(at) for at in np.unravel_index(overlap.argmax(), overlap.shape))
        given[thing] = (detection, float(overlap[thing, detection]))
        overlap[thing, :] = overlap[:, detection] = 0.0
    asked = [at for at in range(len(boxes)) if sample.visible[at, 0] and free[at]]
    found = [at for at in asked if at in given]
    return _Tally(
        found=tuple(at in given for at in asked),
        look=tuple(seen[given[at][0]].look == sample.looks[at] for at in found),
        overlap=tuple(given[at][1] for at in found),
        false=len(seen) - len(given),
    )


def _accuracy(tallies: Sequence[_Tally]) -> Accuracy:
    overlaps = [overlap for one in tallies for overlap in one.overlap]
    return Accuracy(
        found=statistics.share([found for one in tallies for found in one.found]),
        look=statistics.share([right for one in tallies for right in one.look]),
        overlap=statistics.mean(overlaps),
        false_per_picture=sum(one.false for one in tallies) / max(len(tallies), 1),
        things=sum(len(one.found) for one in tallies),
        pictures=len(tallies),
    )


def _free_shares(boxes: np.ndarray) -> np.ndarray:
    """Share of each box that no later, nearer box covers, at least."""
    covered = np.triu(intersection(boxes, boxes), 1).sum(1) / np.maximum(area(boxes), 1e-9)
    return 1 - np.minimum(covered, 1.0)
