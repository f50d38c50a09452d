"""Training: one loop, six stages in the paper's order. `run` is the door; see `stages.py`."""

from __future__ import annotations

from typing import Any


def run(stage: str, **options: Any):
    """Train a stage (see `vdjax.train.stages.run`); imports JAX only when called."""
    from vdjax.train.stages import run as run_stages

    return run_stages(stage, **options)
