"""The UNet's prediction for one clip. A script: `python -m benchmarks.forward --sizes mid`."""

from __future__ import annotations

from benchmarks.compare import timed_table
from benchmarks.options import Options, run
from benchmarks.table import Table

ABOUT = "One evaluation of the network for one clip (batch 1)."


def measure(options: Options) -> Table:
    return timed_table("UNet forward", ABOUT, "forward", options)


if __name__ == "__main__":
    run(__doc__, measure)
