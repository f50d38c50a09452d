"""Ctrl-C and SIGTERM end long work between two of its steps, so that nothing done is lost.

An exception out of a signal may surface inside a callback of JAX, which swallows it or aborts the
process; a flag that a loop reads does neither.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

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
