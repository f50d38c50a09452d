"""One thing to measure on one side: what is run, and what it gives in our layout."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.sizes import Size

GUIDANCE = 9.0  # ModelScope's
TIMESTEP = 500


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Job:
    """`run` returns when its result is there; `prepare` comes before every run and is not timed.

    `host` turns the result into (batch, frame, height, width, channel) of float32 in numpy.
    """

    run: Callable[[], Any]
    host: Callable[[Any], np.ndarray]
    prepare: Callable[[], Any] = _nothing

    def result(self) -> np.ndarray:
        self.prepare()
        return self.host(self.run())

    def seconds(self) -> float:
        self.prepare()
        start = time.perf_counter()
        self.run()
        return time.perf_counter() - start


@dataclass(frozen=True)
class Inputs:
    """One clip's noise, and the text tokens of both halves of guidance."""

    latents: np.ndarray
    text: np.ndarray

    @classmethod
    def of(cls, size: Size) -> Inputs:
        random = np.random.default_rng(0)
        shapes = (1, size.frames, size.side, size.side, 4), (2, size.text_length, size.text_width)
        return cls(*(random.normal(size=shape).astype(np.float32) for shape in shapes))
