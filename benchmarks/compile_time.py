"""What the first guided step costs in a fresh process. `python -m benchmarks.compile_time`."""

from __future__ import annotations

from benchmarks.alone import ColdAndWarm
from benchmarks.compare import process_table
from benchmarks.options import Options, run
from benchmarks.table import Table, seconds

ABOUT = (
    "The first guided step in a fresh process, compiling included: with an empty cache of compiled "
    "programs, and again with what that left. A step after it compiles nothing."
)
HEADER = ("network", "side", "first step, empty cache", "first step, filled cache", "later step")


def measure(options: Options) -> Table:
    return process_table("Compile time", ABOUT, HEADER, options, _cells)


def _cells(found: ColdAndWarm, ours: ColdAndWarm | None) -> tuple[str, ...]:
    return tuple(map(seconds, (found.cold.first, found.warm.first, found.warm.later)))


if __name__ == "__main__":
    run(__doc__, measure)
