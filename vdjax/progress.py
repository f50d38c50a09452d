"""Telling a person how far a long run is: a bar on a terminal, plain lines elsewhere.

Whatever takes long calls `progress(stage, done, total)`; it needs to know nothing about bars. One
call with `done=0` opens a stage and one with `done=total` closes it.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from typing import Any

Progress = Callable[[str, int, int], None]
"""Takes the name of a stage, the steps done, and the steps there are."""


def silent(stage: str, done: int, total: int) -> None:
    """Say nothing: what a library call does unless told otherwise."""


class Printed:
    """Progress for a person at a command line, on `stream`.

    A terminal gets one bar per stage with the time left; a log file or a pipe gets one line when
    a stage starts and one when it ends, with its seconds.
    """

    def __init__(self, stream: io.TextIOBase | None = None) -> None:
        self._stream: Any = stream or sys.stderr
        self._stage = ""
        self._began = 0.0
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._open(stage, total)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        if done >= total:
            self._close()

    def _open(self, stage: str, total: int) -> None:
        self._close()
        self._stage, self._began = stage, time.perf_counter()
        if self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                desc=stage,
                total=total,
                file=self._stream,
                bar_format="{desc}: {percentage:3.0f}% |{bar}| {n}/{total} [{elapsed}<{remaining}]",
            )
        else:
            print(f"{stage} ...", file=self._stream, flush=True)

    def _close(self) -> None:
        if not self._stage:
            return
        if self._bar is not None:
            self._bar.close()
        else:
            seconds = time.perf_counter() - self._began
            print(f"{self._stage}: {seconds:.1f} s", file=self._stream, flush=True)
        self._stage, self._bar = "", None
