"""`vdjax doctor`: what this machine has, what is missing, and the command that mends it.

What is needed is read from the installed package's own requirements, so the list cannot drift from
`pyproject.toml`. A finding is a fault only when films cannot be made without it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from vdjax.runtime import cache_dir, enable_compilation_cache, total_memory_bytes
from vdjax.weights import store

_GB = 2**30
_FILM_MEMORY = 3 * _GB
_EXTRAS = {
    "notebooks": "the notebooks",
    "train": "training",
    "llm": "planning by a language model",
    "hub": "fetching weights",
    "parity": "comparing with PyTorch",
    "dev": "working on vdjax itself",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at: what was found, and what mends it if it is not well."""

    topic: str
    text: str
    ok: bool = True
    optional: bool = False
    mend: str = ""


def examine() -> list[Finding]:
    """Look at everything; a part that fails to be looked at becomes a finding of its own."""
    return [*_python(), *_packages(), *_extras(), *_jax(), *_machine(), *_ffmpeg(), *_weights()]


def show(findings: list[Finding]) -> str:
    """The findings as a table for a terminal; the last line says whether films can be made."""
    widest = max(len(finding.topic) for finding in findings)
    lines = []
    for finding in findings:
        mark = "ok" if finding.ok else "--" if finding.optional else "!!"
        lines.append(f"{mark}  {finding.topic:<{widest}}  {finding.text}")
        if not finding.ok and finding.mend:
            lines.append(f"    {'':<{widest}}  mend: {finding.mend}")
    faults = sum(not finding.ok and not finding.optional for finding in findings)
    lines.append("")
    lines.append(
        "all well: films can be made here"
        if not faults
        else f"{faults} fault{'s' * (faults > 1)} to mend (!!) before films can be made here"
    )
    return "\n".join(lines)


def _python() -> Iterator[Finding]:
    wanted = metadata.metadata("vdjax")["Requires-Python"]
    version = platform.python_version()
    yield Finding(
        topic="python",
        text=f"{version} in {sys.prefix} (wanted {wanted})",
        ok=version in SpecifierSet(wanted),
        mend="make the environment with Python 3.11, 3.12 or 3.13",
    )


def _requirements(extra: str = "") -> list[Requirement]:
    """What vdjax needs on this Python; with `extra`, only what that adds."""
    needed = []
    for text in metadata.requires("vdjax") or []:
        requirement = Requirement(text)
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        wanted = marker is None or marker.evaluate({"extra": extra})
        if wanted and always != bool(extra):
            needed.append(requirement)
    return needed


def _installed(requirement: Requirement) -> str | None:
    try:
        return metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    for requirement in _requirements():
        version = _installed(requirement)
        wanted = f"{requirement.name}{requirement.specifier}"
        yield Finding(
            topic=requirement.name,
            text=version or "missing",
            ok=version is not None and requirement.specifier.contains(version, prereleases=True),
            mend=f'{_pip()} "{wanted}"',
        )


def _extras() -> Iterator[Finding]:
    for extra, purpose in _EXTRAS.items():
        needed = _requirements(extra)
        missing = [r.name for r in needed if _installed(r) is None]
        yield Finding(
            topic=f"[{extra}]",
            text=f"for {purpose}: " + (f"lacks {', '.join(missing)}" if missing else "installed"),
            ok=not missing,
            optional=True,
            mend=_install_extra(extra),
        )


def _jax() -> Iterator[Finding]:
    try:
        import jax

        importlib.import_module("flax.linen")
        devices = jax.devices()
    except Exception as error:  # whatever a broken pair or driver raises is the finding
        yield Finding(
            topic="jax works",
            text=f"no: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            ok=False,
            mend=f"{_pip()} --upgrade jax flax",
        )
        return
    kinds = ", ".join(f"{device.device_kind} ({device.platform})" for device in devices)
    yield Finding(topic="jax devices", text=kinds)
    if shutil.which("nvidia-smi") and jax.default_backend() == "cpu":
        yield Finding(
            topic="accelerator",
            text="there is an NVIDIA driver, but JAX computes on the CPU",
            ok=False,
            optional=True,
            mend=f'{_pip()} "jax[cuda12]=={jax.__version__}"',
        )
    folder = enable_compilation_cache()
    yield Finding(
        topic="program cache",
        text=f"{folder}, {_size(folder):.2f} GB" if folder else f"{cache_dir()} cannot be written",
        ok=folder is not None,
        optional=True,
        mend="set XDG_CACHE_HOME to a folder of your own; without it every film compiles anew",
    )


def _machine() -> Iterator[Finding]:
    total = total_memory_bytes()
    yield Finding(
        topic="memory",
        text=f"{total / _GB:.1f} GB (a film takes up to {_FILM_MEMORY / _GB:.0f} GB)",
        ok=total >= _FILM_MEMORY,
        optional=True,
        mend="close other programs, or make fewer frames with --frames",
    )
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding(topic="processors", text=f"{usable} ({platform.machine()}, {platform.system()})")
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    yield Finding(
        topic="disk",
        text=f"{free / _GB:.1f} GB free in {here}",
        ok=free > _GB // 10 and os.access(here, os.W_OK),
        optional=True,
        mend="free some space, or write elsewhere with -o",
    )


def _ffmpeg() -> Iterator[Finding]:
    mend = f"{_pip()} imageio-ffmpeg"
    try:
        import imageio_ffmpeg

        program = imageio_ffmpeg.get_ffmpeg_exe()
        said = subprocess.run(
            [program, "-hide_banner", "-version"], capture_output=True, text=True, check=True
        )
    except (ImportError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        yield Finding(
            topic="ffmpeg",
            text=f"none that works ({reason}); films are written as WebP and GIF",
            ok=False,
            optional=True,
            mend=mend,
        )
        return
    yield Finding(topic="ffmpeg", text=f"{said.stdout.splitlines()[0]}, {program}")


def _weights() -> Iterator[Finding]:
    presets = store.shipped_presets()
    if not presets:
        yield Finding(
            topic="weights",
            text="none come with this copy of vdjax",
            ok=False,
            mend="install a release, or train the stages with `vdjax train`",
        )
    for preset in presets:
        folder = store.shipped_folder(preset)
        faults = store.verify(folder)
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 2**20
        yield Finding(
            topic=f"weights {preset}",
            text="; ".join(faults) or f"{size:.0f} MB, checksums agree",
            ok=not faults,
            mend="see above",
        )


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / _GB


def _install_extra(extra: str) -> str:
    root = Path(__file__).parents[1]
    if not (root / "uv.lock").is_file():
        return f'{_pip()} "vdjax[{extra}]"'
    if importlib.util.find_spec("uv"):  # an environment that make made: keep to the lock
        return f"cd {root} && {sys.executable} -m uv sync --inexact --frozen --extra {extra}"
    return f'cd {root} && {_pip()} -e ".[{extra}]"'


def _pip() -> str:
    return f"{sys.executable} -m pip install"
