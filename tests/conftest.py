"""What every test starts from: JAX at its strictest, and small films to work on.

Warnings are errors and signatures are checked (pyproject.toml); here JAX is told to refuse what it
would otherwise widen in silence: arrays of different dtypes or ranks that meet in one operation.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Who starts tests in the background makes them, and every child of theirs, deaf to Ctrl-C.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# How long an example takes, and how many are thrown away first, says more about the machine and the
# seed than about the code. The same examples every time: who changes nothing breaks nothing.
settings.register_profile(
    "vdjax",
    deadline=None,
    max_examples=50,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("vdjax")


@pytest.fixture(autouse=True)
def _loose_dtypes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let tests that run Hugging Face's CLIP, which mixes dtypes, say so with a marker."""
    if request.node.get_closest_marker("loose_dtypes") is None:
        yield
        return
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def plan():
    """Two scenes: a cat that slides to the right, then with a dog that appears half-way."""
    from vdjax.plan.schema import Scene, VideoPlan

    slide = [{"cat": [0.05 + 0.05 * k, 0.5, 0.45 + 0.05 * k, 0.9]} for k in range(9)]
    meet = [
        {"cat": [0.1, 0.5, 0.4, 0.9], **({"dog": [0.5, 0.4, 0.9, 0.9]} if k > 4 else {})}
        for k in range(9)
    ]
    return VideoPlan(
        prompt="A cat walks, then meets a dog",
        scenes=[
            Scene(description="A cat walks", background="beach", entities=["cat"], keyframes=slide),
            Scene(
                description="The cat meets a dog",
                background="park",
                entities=["cat", "dog"],
                keyframes=meet,
                notes=["puppy -> dog"],
            ),
        ],
    )


@pytest.fixture
def clips() -> list[np.ndarray]:
    """Frames for the plan: 16 per scene, each with a shade of its own, so that order shows."""
    shades = np.arange(32, dtype=np.uint8).reshape(2, 16, 1, 1) * 7
    frames = np.empty((2, 16, 32, 48, 3), np.uint8)
    frames[..., 0], frames[..., 1], frames[..., 2] = shades, 255 - shades, 128
    return list(frames)


@pytest.fixture
def decode_mp4() -> Callable[[Path], tuple[np.ndarray, str]]:
    """Read a film as ffmpeg does: (frames, what ffmpeg says about the stream)."""
    import imageio_ffmpeg

    def decode(path: Path) -> tuple[np.ndarray, str]:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        done = subprocess.run(command, capture_output=True, check=True)
        about = next(line for line in done.stderr.decode().splitlines() if "Video: h264" in line)
        width, height = map(int, re.search(r" (\d+)x(\d+)[, ]", about).groups())
        return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3), about

    return decode


@pytest.fixture
def vdjax_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own, as a user does."""

    def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **options.pop("env", {})}
        return subprocess.run(
            [sys.executable, "-m", "vdjax", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            env=environment,
            **options,
        )

    return run
