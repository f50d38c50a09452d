"""How sure a figure is: 95 % intervals for shares and for means, always over plans.

Frames of one film resemble each other, so they are averaged first; a plan is one observation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

#: The 97.5 % quantile of the normal distribution.
_Z = 1.959963984540054
_RESAMPLES = 4000


@dataclass(frozen=True)
class Figure:
    """A measured value with its 95 % interval over `plans` observations; None where there are
    none."""

    value: float | None
    low: float | None
    high: float | None
    plans: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


NO_FIGURE = Figure(None, None, None, 0)


def share(passed: Sequence[bool]) -> Figure:
    """The share that passed, with Wilson's interval (Wilson 1927), which holds near 0 and 1 too."""
    n = len(passed)
    if not n:
        return NO_FIGURE
    p = sum(map(bool, passed)) / n
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    # In exact arithmetic the interval holds p, and ends at 0 or 1 with it; floats miss by a bit.
    return Figure(p, max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half)), n)


def mean(values: Sequence[float]) -> Figure:
    """The mean, with the percentile bootstrap's interval (Efron 1979); the resampling is fixed."""
    n = len(values)
    if not n:
        return NO_FIGURE
    sample = np.asarray(values, np.float64)
    drawn = np.random.default_rng(n).integers(n, size=(_RESAMPLES, n))
    low, high = np.percentile(sample[drawn].mean(1), [2.5, 97.5])
    middle = float(sample.mean())
    return Figure(middle, min(float(low), middle), max(float(high), middle), n)
