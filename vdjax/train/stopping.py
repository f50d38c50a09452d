"""Ctrl-C and SIGTERM end training between two steps, so that nothing learnt is lost.

An exception out of a signal may surface inside a callback of JAX, which swallows it or aborts the
process; a flag that the loop reads does neither. Where several processes train together, what one
of them was told counts for all, at the same step.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Which signal asked to stop, if any did."""

    signal: int | None = None

    def leave(self) -> None:
        """End the process as that signal wants it: KeyboardInterrupt, or SystemExit with 0.

        SIGTERM is how machines are taken back: all is saved, and the run goes on elsewhere.
        """
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal is not None:
            raise SystemExit(0)


@contextmanager
def stop_between_steps(report: Callable[[str], None]) -> Iterator[Stopping]:
    """Within, the first signal only sets `Stopping.signal`; the second one acts at once.

    Only the main thread of a process is told of signals: elsewhere nothing changes.
    """
    asked = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    former = {number: signal.getsignal(number) for number in SIGNALS}

    def ask(number: int, frame: FrameType | None) -> None:
        asked.signal = number
        for each, handler in former.items():
            signal.signal(each, handler)
        report("stopping after this step (once more: at once)")

    for number in SIGNALS:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


class Agreement:
    """What any process asks for, known to all of them at the same step.

    One process is answered at once. Several are answered with what was asked a step before: a
    maximum over all devices is sent for behind the step that runs, and read when it is there, so
    that nobody waits.
    """

    def __init__(self) -> None:
        self._sent: Any = None
        if jax.process_count() > 1:
            mesh = Mesh(np.array(jax.devices()), ("device",))
            self._rows = NamedSharding(mesh, PartitionSpec("device"))
            everywhere = NamedSharding(mesh, PartitionSpec())
            self._largest = jax.jit(lambda asked: asked.max(axis=0), out_shardings=everywhere)

    def __call__(self, *asked: int) -> tuple[int, ...]:
        """The largest of each number that a process gives; all processes call at every step."""
        if jax.process_count() == 1:
            return asked
        own = np.tile(np.asarray(asked, np.int32), (jax.local_device_count(), 1))
        before = self._sent
        self._sent = self._largest(jax.make_array_from_process_local_data(self._rows, own))
        if before is None:
            return (0,) * len(asked)
        return tuple(int(number) for number in np.asarray(before))

    def forget(self) -> None:
        """What was asked for up to now has been done; all processes call at the same step."""
        self._sent = None
