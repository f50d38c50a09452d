"""What the first guided step costs in a fresh process. `python -m benchmarks.compile_time`."""

from __future__ import annotations

from benchmarks.alone import Failed, alone
from benchmarks.compare import add_missing_gpu, case_of, too_large
from benchmarks.options import Options, run
from benchmarks.table import NAMES, Table, seconds

ABOUT = (
    "The first guided step in a fresh process, compiling included: with an empty cache of compiled "
    "programs, and again with what that left. A step after it compiles nothing."
)
HEADER = ("network", "side", "first step, empty cache", "first step, filled cache", "later step")


def measure(options: Options) -> Table:
    table = Table("Compile time", ABOUT, HEADER)
    for size in options.sizes:
        case = case_of(size, options)
        if reason := too_large(size, options, copies=1):
            table.not_measured(case, "", reason)
            continue
        for side in options.sides:
            try:
                found = alone(side, size, options)
            except Failed as error:
                table.not_measured(case, NAMES[side], str(error))
                continue
            times = found.cold.first, found.warm.first, found.warm.later
            table.add(case, NAMES[side], *map(seconds, times))
    add_missing_gpu(table, options)
    return table


if __name__ == "__main__":
    run(__doc__, measure)
