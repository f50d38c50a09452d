"""The command line that all tables share, and what it asks of the process before JAX starts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.sizes import SIZES, Size

SIDES = ("vdjax", "eager", "compile")
"""This package; PyTorch as it is; PyTorch through `torch.compile`."""

SCHEDULERS = ("dpm++", "ddim", "pndm")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is measured, on what, how often."""

    sizes: tuple[Size, ...]
    sides: tuple[str, ...] = SIDES
    device: str = "cpu"
    dtype: str = "float32"
    threads: int = 1
    rounds: int | None = None
    steps: int = 8
    scheduler: str = "dpm++"

    def rounds_of(self, size: Size) -> int:
        return self.rounds or size.rounds


def parser(about: str) -> argparse.ArgumentParser:
    """The options of every table."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--sizes", default="mid,full", help=f"of {', '.join(SIZES)}")
    parser.add_argument("--sides", help=f"of {', '.join(SIDES)}; default: all")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16"),
        help="default: float32 on a CPU, bfloat16 on a GPU",
    )
    parser.add_argument("--threads", type=int, help="of each side; default: all processors")
    parser.add_argument("--rounds", type=int, help="measurements of each side")
    parser.add_argument("--steps", type=int, default=8, help="denoising steps of a clip")
    parser.add_argument("--scheduler", choices=SCHEDULERS, default="dpm++")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a tiny network, to try the scripts; without torch.compile unless --sides names it",
    )
    return parser


def read(arguments: argparse.Namespace) -> Options:
    """The options, once the process is ready to measure under them.

    Both libraries get the same processors: XLA takes as many threads as its process may use, so the
    process is bound to that many, and PyTorch is told the number. Call it before JAX has a device.

    Raises:
        SystemExit: a size or a side is unknown, or a number is not positive.
    """
    sizes = ["tiny"] if arguments.quick else arguments.sizes.split(",")
    # torch.compile takes minutes, whatever the size.
    usual = SIDES[:2] if arguments.quick else SIDES
    sides = arguments.sides.split(",") if arguments.sides else usual
    for kind, names, known in (("size", sizes, SIZES), ("side", sides, SIDES)):
        if strangers := [name for name in names if name not in known]:
            raise SystemExit(f"{kind} {strangers[0]!r} is unknown: use {', '.join(known)}")
    for name in ("threads", "rounds", "steps"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise SystemExit(f"--{name} {value}: give a number above zero")
    threads = bind(arguments.threads)
    from benchmarks import machine

    device = machine.choose_device(arguments.device)
    machine.set_threads(threads)
    return Options(
        sizes=tuple(SIZES[name] for name in sizes),
        sides=tuple(sides),
        device=device,
        dtype=arguments.dtype or ("bfloat16" if device == "gpu" else "float32"),
        threads=threads,
        rounds=arguments.rounds or (2 if arguments.quick else None),
        steps=min(arguments.steps, 2) if arguments.quick else arguments.steps,
        scheduler=arguments.scheduler,
    )


def bind(threads: int | None) -> int:
    """Keep this process, and those it starts, on so many processors; returns how many they are."""
    if not hasattr(os, "sched_setaffinity"):  # not Linux: XLA cannot be held to a number
        return os.cpu_count() or 1
    allowed = sorted(os.sched_getaffinity(0))
    if threads is not None:
        if threads > len(allowed):
            raise SystemExit(f"--threads {threads}: this process may use {len(allowed)} processors")
        allowed = allowed[:threads]
        os.sched_setaffinity(0, allowed)
    return len(allowed)


def run(about: str, measure: Callable[[Options], object]) -> None:
    """A table's script: read the command line, measure, print."""
    options = read(parser(about).parse_args())
    print(measure(options))
