"""Work done ahead of the one who waits for it, results in order.

On a machine with cores to spare, batches and pictures are made by other processes; on a laptop by
one thread, which leaves the cores to the training step.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
SPARE = 4
"""Cores kept for the training process itself, before other processes are worth their start."""
MOST = 16


def in_order(
    task: Callable[[int], T], indices: Iterable[int], *, heavy: bool = False, ahead: int = 4
) -> Generator[T, None, None]:
    """task(i) for each index, in order, computed up to `ahead` results (per worker) early.

    Args:
        task: a pure function; for `heavy` ones it must be picklable, with its module importable.
        heavy: worth other processes, where there are cores for them.
    """
    processes = min((os.cpu_count() or 1) - SPARE, MOST) if heavy else 0
    pool: ProcessPoolExecutor | ThreadPoolExecutor
    if processes > 1:
        pool = ProcessPoolExecutor(
            processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_leave_with_parent,
        )
        ahead *= processes
    else:
        pool = ThreadPoolExecutor(1)
    remaining = iter(indices)
    waiting: deque[Future[T]] = deque(pool.submit(task, i) for i in islice(remaining, ahead))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(task, i) for i in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def in_memory(batch: dict[str, Any]) -> dict[str, np.ndarray]:
    """A batch whose arrays are read: what is mapped from a file is a copy.

    A worker that hands on a view of a mapped file has read nothing: whoever takes it waits for the
    disk.
    """
    return {name: np.array(rows) if _is_mapped(rows) else rows for name, rows in batch.items()}


def _is_mapped(array: Any) -> bool:
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    if isinstance(array, memoryview):
        array = array.obj
    return isinstance(array, np.memmap | mmap.mmap)


def _leave_with_parent() -> None:
    """End this worker when the process it works for is gone: a killed one cannot tell it to.

    A terminal sends Ctrl-C to workers, too: what becomes of it is for that process to say.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
