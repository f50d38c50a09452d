"""The machine under a benchmark: its name, its device, its memory, its matrix-product rate."""

from __future__ import annotations

import os
import platform
import time
from functools import lru_cache
from importlib import metadata
from pathlib import Path

# JAX takes three quarters of a GPU's memory at once unless told not to: PyTorch needs some too.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp

from vdjax.runtime import jit, total_memory_bytes

PACKAGES = ("jax", "jaxlib", "flax", "torch", "diffusers")

RATE_SIDE = {"cpu": 2048, "gpu": 8192}
"""Rows of the square matrices whose product is timed: large enough to be all arithmetic."""


def no_gpu() -> str:
    """Why nothing can be measured on a GPU, or nothing if both libraries see one."""
    import torch

    blind = []
    try:
        jax.devices("gpu")
    except RuntimeError:
        blind.append("JAX")
    if not torch.cuda.is_available():
        blind.append("PyTorch")
    return f"{' and '.join(blind)} found no GPU" if blind else ""


def choose_device(asked: str) -> str:
    """ "cpu" or "gpu"; "auto" takes a GPU that both libraries see.

    Raises:
        SystemExit: a GPU is asked for where there is none.
    """
    fault = no_gpu() if asked != "cpu" else ""
    if asked == "gpu" and fault:
        raise SystemExit(f"--device gpu: {fault}")
    device = "cpu" if fault or asked == "cpu" else "gpu"
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    else:
        import torch

        # JAX multiplies float32 in TF32 on such a card; PyTorch is let do the same.
        torch.backends.cuda.matmul.allow_tf32 = True
    return device


def set_threads(count: int) -> None:
    """PyTorch's threads; XLA's follow from the processors that the process may use."""
    import torch

    torch.set_num_threads(count)


def free_bytes(device: str) -> int:
    """Memory that is free now, of the device that computes."""
    if device == "gpu":
        import torch

        return torch.cuda.mem_get_info()[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        return min(int(line.split()[1]) * 1024, total_memory_bytes())
    except (OSError, StopIteration):
        return total_memory_bytes()


@lru_cache
def product_rates(device: str, dtype: str) -> dict[str, float]:
    """Floating-point operations per second of a large matrix product, the best of each library."""
    import torch

    side = RATE_SIDE[device]
    a = jnp.ones((side, side), dtype)
    place = "cuda" if device == "gpu" else "cpu"
    b = torch.ones((side, side), dtype=getattr(torch, dtype), device=place)
    product = jit(jnp.matmul)

    def ours() -> None:
        product(a, a).block_until_ready()

    def theirs() -> None:
        torch.matmul(b, b)
        if device == "gpu":
            torch.cuda.synchronize()

    best = {"vdjax": float("inf"), "PyTorch": float("inf")}
    for turn in range(6):
        for name, run in (("vdjax", ours), ("PyTorch", theirs)):
            start = time.perf_counter()
            run()
            if turn:  # the first compiles
                best[name] = min(best[name], time.perf_counter() - start)
    return {name: 2 * side**3 / seconds for name, seconds in best.items()}


def describe(device: str) -> str:
    """One line that names the hardware."""
    import torch

    gigabytes = round(total_memory_bytes() / 2**30)
    told = f"{_processor()}, {len(os.sched_getaffinity(0))} processors, {gigabytes} GiB"
    return f"{torch.cuda.get_device_name()}; {told}" if device == "gpu" else told


def versions() -> str:
    found = [f"Python {platform.python_version()}"]
    found += [f"{name} {metadata.version(name)}" for name in PACKAGES]
    return ", ".join(found)


def load() -> float:
    """How many processes ran or waited in the last minute."""
    return os.getloadavg()[0]


def _processor() -> str:
    """The processor's name, with what decides how fast its arithmetic is."""
    name, flags = platform.processor() or platform.machine(), ""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
            elif line.startswith("flags"):
                flags = line
                break
    except OSError:
        pass
    widest = next((f for f in ("avx512f", "avx2", "avx") if f in flags.split()), "")
    return f"{name} ({widest.upper()})" if widest else name
