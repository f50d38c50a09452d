"""The machine under a run: the compilation cache, memory, and what is installed.

Nothing here touches the model. JAX is imported only inside the functions that need it, so that the
parts of vdjax which need no JAX can ask for versions and memory without paying for it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, cast

COMPILATION_CACHE_BYTES = 1 << 30
"""JAX drops the programs that were used longest ago when the cache grows beyond this."""

FAST_CPU = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
    "xla_disable_hlo_passes": "tree_reduction_rewriter",
}
"""Gives XLA's matrix products on a CPU to YNNPACK: a denoising step then takes 0.65 to 0.7 of the
time (jaxlib 0.10.2, two cores with AVX2). Its other values, and these together, were slower. With
YNNPACK, XLA also takes sums and maxima in two passes, which costs an attention's softmax seven
times as long: not so here.

Not for programs that run side by side, over several devices of a CPU or from several threads: there
they spoil one another's numbers (jaxlib 0.10.2)."""

_REPORTED = ("jax", "jaxlib", "flax", "diffusers", "transformers", "numpy", "pillow")


def cache_dir() -> Path:
    """Where vdjax keeps what it can make again: `$XDG_CACHE_HOME/vdjax`, else `~/.cache/vdjax`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "vdjax"


def enable_compilation_cache(directory: str | os.PathLike[str] | None = None) -> Path | None:
    """Keep compiled programs on disk, so that the second film starts without compiling.

    Call it before the first compilation. A cache that was chosen already
    (`JAX_COMPILATION_CACHE_DIR` or `jax.config`) is left alone. A cache holds machine code: it has
    one folder per kind of processor, because several machines may share a home directory, and
    its owner alone may read it.

    Returns:
        the folder in use, or None if no folder can be written: then everything works, slower.
    """
    import jax

    chosen = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if chosen:
        return Path(chosen)
    folder = Path(directory) if directory is not None else cache_dir() / "jax" / _processor()
    if not can_write(folder):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # A film runs many small programs once; storing all of them makes the second start quick.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_compilation_cache_max_size", COMPILATION_CACHE_BYTES)
    # Several notebooks wait for one another's lock of the folder. Who waits in vain compiles for
    # himself, or keeps nothing: slower, and nothing that a reader could mend.
    warnings.filterwarnings(
        "ignore", r"Error (reading|writing) persistent compilation cache entry", UserWarning
    )
    return folder


class Compiled(Protocol):
    """What `jit` gives; `program` is what `jax.jit` gave."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def program(self) -> Any: ...


def jit(function: Callable[..., Any], **options: Any) -> Compiled:
    """`jax.jit` with its options, and with those that make programs quick on the backend in use.

    The backend is asked for at the first call. Where the function is traced into another program,
    that program's options hold. `.program()` is what `jax.jit` gave.
    """
    import jax

    @functools.cache
    def program() -> Any:
        return jax.jit(function, compiler_options=_backend_options() or None, **options)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves = jax.tree_util.tree_leaves((args, kwargs))
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return function(*args, **kwargs)
        return program()(*args, **kwargs)

    call.program = program  # type: ignore[attr-defined]
    return cast(Compiled, call)


@functools.cache
def _backend_options() -> dict[str, str]:
    """`FAST_CPU` on a CPU, if this version of JAX knows it; nothing elsewhere."""
    import jax

    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x, compiler_options=FAST_CPU)(0.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return FAST_CPU


def can_write(folder: Path) -> bool:
    """Whether files can be made in `folder`, which is created (for its owner only) if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _processor() -> str:
    """A short name for the kind of processor, equal where the same machine code runs."""
    features = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        features = next(line for line in lines if line.lower().startswith(("flags", "features")))
    except (OSError, StopIteration):
        pass
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"


def versions() -> dict[str, str]:
    """The versions a result depends on, for `report.json`: Python, vdjax and what computes."""
    from vdjax import __version__

    found = {"python": platform.python_version(), "vdjax": __version__}
    for name in _REPORTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def peak_memory_bytes() -> int:
    """The most resident memory this process has held so far, in bytes."""
    try:
        # getrusage would also count what the parent held before this process was started.
        status = Path("/proc/self/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def total_memory_bytes() -> int:
    """The machine's memory in bytes, or the control group's share of it where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text()))
        except (OSError, ValueError):  # no control groups, or "max"
            continue
    return total
