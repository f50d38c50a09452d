"""One layout training step, gated layers alone. A script: `python -m benchmarks.train`."""

from __future__ import annotations

import gc

from benchmarks import machine
from benchmarks.compare import add_missing_gpu, case_of, converted_by, too_large, warm_up
from benchmarks.layouts import still_network
from benchmarks.options import Options, run
from benchmarks.ours_train import OurTraining, denoiser_of
from benchmarks.sizes import Size
from benchmarks.table import TIMED, Table, add_timed
from benchmarks.theirs_train import TheirTraining, random_stills
from benchmarks.timing import alternate
from vdjax.weights.convert import unet2d

COPIES = 6
"""Of the weights, roughly: both sides', and what goes through them."""


def sides_of(size: Size, options: Options) -> dict[str, OurTraining | TheirTraining]:
    """The sides that were asked for, at the same weights before their first step."""
    gc.collect()
    module = random_stills(size)
    denoiser = denoiser_of(size)
    config = {"_class_name": unet2d.KINDS[0], **still_network(size)}
    params = converted_by(unet2d.rules_for(denoiser, config), unet2d.wanted(denoiser), module)
    eager = TheirTraining(size, options, module)
    every: dict[str, OurTraining | TheirTraining] = {
        "vdjax": OurTraining(size, options, params),
        "eager": eager,
    }
    if "compile" in options.sides:
        every["compile"] = eager.compiled()
    return {side: every[side] for side in options.sides}


def measure(options: Options) -> Table:
    about = (
        "Still pictures with boxes through GLIGEN's network: forward, gradient of the gated layers "
        "and the grounding MLP (all else frozen), clip, AdamW, moving average."
    )
    table = Table("One layout training step", about, TIMED)
    for size in options.sizes:
        case = f"{case_of(size, options)}, {size.stills} stills"
        if reason := too_large(size, options, copies=COPIES):
            table.not_measured(case, "", reason)
            continue
        sides = sides_of(size, options)
        jobs = {side: training.train() for side, training in sides.items()}
        differences, failures = warm_up(jobs, options)
        runs = {side: job.seconds for side, job in jobs.items() if side not in failures}
        times = alternate(runs, options.rounds_of(size))
        ours = sides.get("vdjax")
        add_timed(
            table,
            case,
            times,
            flops=ours.flops() if isinstance(ours, OurTraining) else float("nan"),
            limit=max(machine.product_rates(options.device, options.dtype).values()),
            differences=differences,
            failures=failures,
        )
    add_missing_gpu(table, options)
    return table


if __name__ == "__main__":
    run(__doc__, measure)
