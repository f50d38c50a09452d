"""Training: one loop, seven stages in the paper's order. `run` is the door; see `stages.py`."""

from __future__ import annotations

from typing import Any

STAGES = ("autoencoder", "clip", "backbone", "motion", "prior", "pictures", "guided", "detector")
"""In the order of training; "motion" is the temporal part of the backbone, "pictures" a part of the
grounding net, for presets that have it; and "detector", the measure's eye, stands on none of the
others."""

REMAT_POLICIES = ("nothing_saveable", "dots_saveable", "dots_with_no_batch_dims_saveable")
"""Of `jax.checkpoint_policies`, by what they keep: nothing, matrix products, those of weights."""


def run(stage: str, **options: Any):
    """Train a stage (see `vdjax.train.stages.run`); imports JAX only when called."""
    from vdjax.train.stages import run as run_stages

    return run_stages(stage, **options)
