"""Time by turns: every round runs each side once, so that what disturbs one disturbs the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

SETTLE = 0.05
"""Seconds between two runs: threads of one library that spin for more work come to rest."""


@dataclass
class Times:
    """Seconds of one side, round by round."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.seconds), max(self.seconds)

    def ratio(self, other: Times) -> float:
        """The median, over rounds, of this side's time over the other's in the same round."""
        return median(a / b for a, b in zip(self.seconds, other.seconds, strict=True))


def alternate(runs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Times]:
    """Times of each side. A run returns the seconds it took; the order turns with the round.

    Warm up before: nothing is left out here.
    """
    times = {name: Times() for name in runs}
    names = list(runs)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(SETTLE)
            times[name].seconds.append(runs[name]())
    return times
