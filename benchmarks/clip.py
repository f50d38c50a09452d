"""A whole clip, noise to latents. A script: `python -m benchmarks.clip --sizes mid --steps 8`."""

from __future__ import annotations

from benchmarks.compare import timed_table
from benchmarks.options import Options, run
from benchmarks.table import Table


def measure(options: Options) -> Table:
    about = (
        f"{options.steps} guided steps of {options.scheduler} from noise to latents, in the "
        "arithmetic of TextToVideoSDPipeline; neither text encoder nor decoder."
    )
    return timed_table("A whole clip", about, "clip", options)


if __name__ == "__main__":
    run(__doc__, measure)
