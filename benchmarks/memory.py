"""Peak memory of a guided step, each side in its own process. `python -m benchmarks.memory`."""

from __future__ import annotations

from benchmarks.alone import ColdAndWarm
from benchmarks.compare import process_table
from benchmarks.options import Options, run
from benchmarks.table import Table, gibibytes

ABOUT = (
    "Guided steps (batch 2) in a process that has one side only. Of a CPU, what the process "
    "holds in all, libraries included; of a GPU, what the library's allocator gave out."
)
HEADER = ("network", "side", "weights", "peak, compiling too", "peak, compiled before", "ratio")


def measure(options: Options) -> Table:
    return process_table("Peak memory", ABOUT, HEADER, options, _cells)


def _cells(found: ColdAndWarm, ours: ColdAndWarm | None) -> tuple[str, ...]:
    ratio = f"{ours.warm.peak / found.warm.peak:.2f}" if ours else ""
    return *map(gibibytes, (found.warm.weights, found.cold.peak, found.warm.peak)), ratio


if __name__ == "__main__":
    run(__doc__, measure)
