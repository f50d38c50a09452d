"""Peak memory of a guided step, each side in its own process. `python -m benchmarks.memory`."""

from __future__ import annotations

from benchmarks.alone import Failed, alone
from benchmarks.compare import add_missing_gpu, case_of, too_large
from benchmarks.options import Options, run
from benchmarks.table import NAMES, Table, gibibytes

ABOUT = (
    "Guided steps (batch 2) in a process that has one side only. Of a CPU, what the process "
    "holds in all, libraries included; of a GPU, what the library's allocator gave out."
)
HEADER = ("network", "side", "weights", "peak, compiling too", "peak, compiled before", "ratio")


def measure(options: Options) -> Table:
    table = Table("Peak memory", ABOUT, HEADER)
    for size in options.sizes:
        case = case_of(size, options)
        if reason := too_large(size, options, copies=1):
            table.not_measured(case, "", reason)
            continue
        ours = None
        for side in options.sides:
            try:
                found = alone(side, size, options)
            except Failed as error:
                table.not_measured(case, NAMES[side], str(error))
                continue
            ours = found if side == "vdjax" else ours
            ratio = f"{ours.warm.peak / found.warm.peak:.2f}" if ours and side != "vdjax" else ""
            peaks = gibibytes(found.cold.peak), gibibytes(found.warm.peak)
            table.add(case, NAMES[side], gibibytes(found.warm.weights), *peaks, ratio)
    add_missing_gpu(table, options)
    return table


if __name__ == "__main__":
    run(__doc__, measure)
