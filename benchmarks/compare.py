"""Both sides on the same weights, held against each other and then timed by turns."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import unflatten_dict

from benchmarks import machine
from benchmarks.alone import ColdAndWarm, Failed, alone
from benchmarks.job import Job
from benchmarks.options import Options
from benchmarks.ours import Ours, denoiser
from benchmarks.sizes import Size
from benchmarks.table import NAMES, TIMED, Table, add_timed
from benchmarks.theirs import Theirs, random_network, weights_of
from benchmarks.timing import alternate
from vdjax.weights.convert import unet3d
from vdjax.weights.convert.rules import Rule, plan_conversion

MARGIN = 1.3
"""Memory that must be free, over what the weights of both sides take."""

LIMIT = 1e-3
"""Greatest difference between the sides over the greatest value, in float32 on a CPU."""


@dataclass(frozen=True)
class Pair:
    """The sides that were asked for; each answers `forward`, `step` and `clip` with a job."""

    ours: Ours
    sides: Mapping[str, Any]


@lru_cache(maxsize=1)
def pair_of(size: Size, options: Options) -> Pair:
    """Random weights in PyTorch, and the same through our converter."""
    gc.collect()  # the pair before this one
    module = random_network(size)
    ours = Ours(size, options, converted(size, module))
    eager = Theirs(size, options, module)
    every = {"vdjax": ours, "eager": eager}
    if "compile" in options.sides:
        every["compile"] = eager.compiled()
    return Pair(ours, {side: every[side] for side in options.sides})


def converted(size: Size, module) -> dict[str, Any]:
    """Our tree of PyTorch's weights."""
    ours = denoiser(size)
    return converted_by(unet3d.rules_for(ours), unet3d.wanted(ours), module)


def converted_by(rules: Sequence[Rule], wanted: Mapping[str, Any], module) -> dict[str, Any]:
    """Our tree of a module's weights, by the rules of its kind."""
    weights = weights_of(module)
    shapes = {key: value.shape for key, value in weights.items()}
    moves = plan_conversion(shapes, rules, wanted)
    leaves = {move.leaf: jnp.asarray(move(weights[move.key])) for move in moves}
    return unflatten_dict(leaves, sep="/")


def parameter_count(size: Size) -> int:
    return sum(prod(shape) for shape in unet3d.wanted(denoiser(size)).values())


def too_large(size: Size, options: Options, *, copies: int = 2) -> str:
    """Why a size cannot be measured here, or nothing: so many copies of the weights must fit."""
    width = jnp.dtype(options.dtype).itemsize
    need = MARGIN * copies * parameter_count(size) * width
    free = machine.free_bytes(options.device)
    if need <= free:
        return ""
    return f"needs {need / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free"


def case_of(size: Size, options: Options) -> str:
    return f"{size.name}, {options.device.upper()}, {options.dtype}"


def timed_table(title: str, about: str, kind: str, options: Options) -> Table:
    """Times of one kind of job ("forward", "step" or "clip") at every size."""
    table = Table(title, about, TIMED)
    for size in options.sizes:
        case = case_of(size, options)
        if reason := too_large(size, options):
            table.not_measured(case, "", reason)
            continue
        pair = pair_of(size, options)
        jobs = {side: getattr(network, kind)() for side, network in pair.sides.items()}
        differences, failures = warm_up(jobs, options)
        runs = {side: job.seconds for side, job in jobs.items() if side not in failures}
        times = alternate(runs, options.rounds_of(size))
        add_timed(
            table,
            case,
            times,
            flops=pair.ours.flops(kind),
            limit=max(machine.product_rates(options.device, options.dtype).values()),
            differences=differences,
            failures=failures,
        )
    add_missing_gpu(table, options)
    return table


def process_table(
    title: str,
    about: str,
    header: Sequence[str],
    options: Options,
    cells: Callable[[ColdAndWarm, ColdAndWarm | None], Sequence[str]],
) -> Table:
    """A guided step of each side in processes of its own, at every size.

    `cells` makes a row's cells, after network and side, of what was found of that side and, where
    it is another, of ours.
    """
    table = Table(title, about, tuple(header))
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
            table.add(case, NAMES[side], *cells(found, ours))
            ours = found if side == "vdjax" else ours
    add_missing_gpu(table, options)
    return table


def warm_up(jobs: Mapping[str, Job], options: Options) -> tuple[dict[str, float], dict[str, str]]:
    """Every job once, uncounted: how far each is from the reference, and why some do not run.

    The reference is PyTorch as it is; only `torch.compile` may fail.

    Raises:
        RuntimeError: the sides do not compute the same, so that their times say nothing.
    """
    results: dict[str, np.ndarray] = {}
    failures: dict[str, str] = {}
    for side, job in jobs.items():
        try:
            results[side] = job.result()
        except Exception as error:
            if side != "compile":
                raise
            failures[side] = f"it fails here with {type(error).__name__}: {first_line(error)}"
    reference = next((side for side in ("eager", "compile") if side in results), None)
    if reference is None:
        return {}, failures
    differences = {
        side: difference(result, results[reference])
        for side, result in results.items()
        if side != reference
    }
    if options.device == "cpu" and options.dtype == "float32":
        for side, apart in differences.items():
            if not apart <= LIMIT:
                raise RuntimeError(f"{side} and {reference} are {apart:.1e} apart, not {LIMIT:.0e}")
    return differences, failures


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Greatest difference over greatest value."""
    return float(np.abs(ours.astype(np.float64) - theirs).max() / np.abs(theirs).max())


def add_missing_gpu(table: Table, options: Options) -> None:
    """A row that says that nothing was measured on a GPU, where there is none."""
    if options.device == "cpu" and (reason := machine.no_gpu()):
        table.not_measured("any, GPU, bfloat16", "", reason)


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:120]
