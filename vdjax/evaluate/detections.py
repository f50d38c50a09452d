"""What a detector says about a frame, and the Protocol behind which any detector can stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, UInt8


@dataclass(frozen=True)
class Detection:
    """One thing seen in a frame. `box` is x0 y0 x1 y1 in shares of it; `score` is 0 to 1."""

    name: str
    look: str
    score: float
    box: tuple[float, float, float, float]


@runtime_checkable
class Detector(Protocol):
    """Anything that finds named things in frames.

    `digest` names the detector and its weights, so that figures made with another are not mixed in.
    """

    @property
    def digest(self) -> str: ...

    def detect(self, frames: UInt8[np.ndarray, "frame 128 128 3"]) -> list[list[Detection]]:
        """For each frame what is in it, best score first."""
        ...


def named(seen: Sequence[Detection], name: str) -> list[Detection]:
    """The detections of `name`, best score first."""
    return sorted((one for one in seen if one.name == name), key=lambda one: -one.score)


def boxes_of(seen: Sequence[Detection]) -> Float64[np.ndarray, "detection 4"]:
    """Their boxes as an array, empty where nothing was seen."""
    return np.array([one.box for one in seen], np.float64).reshape(-1, 4)
