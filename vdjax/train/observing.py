"""Looking at a network while it learns: when watchers are called, and what becomes of their faults.

The state after a step enters; what the watchers saw leaves, for the log of that step. A picture is
not worth a run: a watcher that fails is reported and not called again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax

from vdjax.train.parallel import Spread
from vdjax.train.state import TrainState


class Watcher(Protocol):
    """Looks at a network every so many steps, and after the last one.

    It is given the averaged parameters, in numpy, and the frozen ones; what it returns goes into
    the log of that step. It may write files into a folder of its own. Only the leader of several
    processes calls it.
    """

    @property
    def every(self) -> int: ...

    def __call__(self, step: int, params: Any, frozen: Any) -> Mapping[str, float]: ...


class Observing:
    """The watchers of one run of `total` steps."""

    def __init__(
        self,
        watchers: Sequence[Watcher],
        total: int,
        spread: Spread,
        report: Callable[[str], None],
    ) -> None:
        self._all, self._total, self._spread, self._report = watchers, total, spread, report
        self._off: set[int] = set()

    def due(self, step: int) -> list[Watcher]:
        """Who looks on after that step, faulty or not: every process has to know the same."""
        return [each for each in self._all if step % each.every == 0 or step == self._total]

    def __call__(self, step: int, state: TrainState, frozen: Any) -> dict[str, float]:
        """What those that are due saw; all processes call, for the state is fetched from all."""
        due = self.due(step)
        if not due:
            return {}
        params, frozen = self._spread.fetch(state.ema), whole(self._spread, frozen)
        seen: dict[str, float] = {}
        for each in due:
            if id(each) in self._off or not self._spread.leader:
                continue
            try:
                told = each(step, params, frozen)
                seen |= {name: float(value) for name, value in told.items()}
            except Exception as error:
                self._off.add(id(each))
                self._report(
                    f"{type(each).__name__} failed after step {step} and is switched off: "
                    f"{type(error).__name__}: {error}"
                )
        return seen


def whole(spread: Spread, frozen: Any) -> Any:
    """Frozen parameters as one process can use them: in place where it can, else fetched."""
    in_place = spread.kind == "mesh" and jax.process_count() == 1
    return frozen if in_place else spread.fetch(frozen)
