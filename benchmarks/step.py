"""One denoising step with classifier-free guidance. A script: `python -m benchmarks.step`."""

from __future__ import annotations

from benchmarks.compare import timed_table
from benchmarks.options import Options, run
from benchmarks.table import Table


def measure(options: Options) -> Table:
    about = f"Both halves of guidance in one batch of 2, guidance, and {options.scheduler}'s step."
    return timed_table("One guided denoising step", about, "step", options)


if __name__ == "__main__":
    run(__doc__, measure)
