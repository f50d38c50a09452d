"""One guided step of one side in a process of its own: peak memory, and what the first step costs.

`alone(...)` starts the process and returns what it found; `python -m benchmarks.alone JSON` is that
process. Each side imports its own library only, as its users do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.options import Options
from benchmarks.sizes import SIZES, Size


@dataclass(frozen=True)
class Found:
    """Seconds of the first step and of the quickest later one; bytes at most held meanwhile."""

    first: float
    later: float
    peak: int
    weights: int


class Failed(Exception):
    """The process ended without a result; the message says how."""


@dataclass(frozen=True)
class ColdAndWarm:
    """The same with no compiled program on disk, and again with those of the first time."""

    cold: Found
    warm: Found


@lru_cache
def alone(side: str, size: Size, options: Options) -> ColdAndWarm:
    """Measure one side twice, each time in a fresh process; the first fills an empty cache.

    Raises:
        Failed: a process ended without a result.
    """
    with TemporaryDirectory(prefix="vdjax-bench-") as cache:
        return ColdAndWarm(*(_start(side, size, options, cache) for _ in range(2)))


def _start(side: str, size: Size, options: Options, cache: str) -> Found:
    asked = {
        "side": side,
        "size": size.name,
        "cache": cache,
        "options": {
            **{name: getattr(options, name) for name in ("device", "dtype", "scheduler", "steps")},
            "threads": options.threads,
        },
    }
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    environment |= {
        "TORCHINDUCTOR_CACHE_DIR": str(Path(cache) / "inductor"),
        "TRITON_CACHE_DIR": str(Path(cache) / "triton"),
        # diffusers and transformers load whichever of both libraries they find.
        **({"USE_TORCH": "0"} if side == "vdjax" else {"USE_FLAX": "0"}),
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.alone", json.dumps(asked)],
        cwd=Path(__file__).parents[1],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [""])[-1][:120]
        raise Failed(f"its process ended with status {done.returncode} {said}".strip())
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def _measure(asked: dict) -> Found:
    size, side = SIZES[asked["size"]], asked["side"]
    options = Options(sizes=(size,), sides=(side,), **asked["options"])
    if side == "vdjax":
        network, weights, peak = _ours(size, options, asked["cache"])
    else:
        network, weights, peak = _theirs(size, options, compiled=side == "compile")
    job = network.step()
    _forget_peak()
    first, later = job.seconds(), min(job.seconds() for _ in range(size.later))
    return Found(first=first, later=later, peak=peak(), weights=weights)


def _ours(size: Size, options: Options, cache: str):
    import jax

    from benchmarks.ours import Ours
    from vdjax.runtime import enable_compilation_cache, peak_memory_bytes

    if options.device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    enable_compilation_cache(Path(cache) / "jax")
    network = Ours(size, options)
    weights = sum(leaf.nbytes for leaf in jax.tree_util.tree_leaves(network.params))
    if options.device == "gpu":
        return network, weights, lambda: jax.devices()[0].memory_stats()["peak_bytes_in_use"]
    return network, weights, peak_memory_bytes


def _theirs(size: Size, options: Options, *, compiled: bool):
    from benchmarks.theirs import Theirs, torch
    from vdjax.runtime import peak_memory_bytes

    torch.set_num_threads(options.threads)
    network = Theirs(size, options)
    weights = sum(value.nbytes for value in network.module.parameters())
    network = network.compiled() if compiled else network
    if options.device == "gpu":
        torch.cuda.reset_peak_memory_stats()
        return network, weights, torch.cuda.max_memory_allocated
    return network, weights, peak_memory_bytes


def _forget_peak() -> None:
    """Let the process's peak start again from what it holds now: making weights is not the point.

    Linux alone can (proc(5), clear_refs); elsewhere the peak is the whole process's.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(json.loads(sys.argv[1])))))
