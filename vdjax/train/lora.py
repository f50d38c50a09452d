"""Low-rank adapters: a network learns from a few pictures while its own parameters stay.

A tree of parameters enters and small trees leave, two matrices beside each projection of attention;
in the loss, and when a network is exported, their product is added to the projection (LoRA,
Hu et al. 2021, section 4.1). The network itself knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from vdjax.errors import UserError
from vdjax.model.params import GATED, TEMPORAL

PROJECTIONS = ("to_q", "to_k", "to_v", "to_out")
DOWN, UP = "down", "up"


def adapters(params: Mapping[str, Any], rank: int, *, seed: int = 0) -> dict[str, Any]:
    """Adapters for the spatial self- and cross-attention of a UNet, as a tree of its module names.

    A projection of (inputs, outputs) has `down`, (inputs, rank), random with a variance of one over
    its inputs, and `up`, (rank, outputs), zero: at first they change nothing. Their product is
    added as it is (an alpha equal to the rank, in the paper's words). Gated layers have none, they
    learn by another rule; nor have temporal ones, which pictures bypass.

    Raises:
        UserError: the tree has no such attention, or a projection is narrower than the rank.
    """
    rng = np.random.default_rng(seed)
    flat: dict[tuple[str, ...], np.ndarray] = {}
    for path, kernel in sorted(flatten_dict(dict(params)).items()):
        outside = any(part.startswith(TEMPORAL + GATED) for part in path)
        if outside or path[-1] != "kernel" or path[-2] not in PROJECTIONS:
            continue
        inputs, outputs = kernel.shape
        if rank > min(inputs, outputs):
            raise UserError(
                f"adapters of rank {rank} are no smaller than {'/'.join(path)} of "
                f"{inputs} × {outputs}: use a rank of up to {min(inputs, outputs)}"
            )
        down = rng.normal(size=(inputs, rank)) / inputs**0.5
        flat[*path[:-1], DOWN] = down.astype(np.float32)
        flat[*path[:-1], UP] = np.zeros((rank, outputs), np.float32)
    if not flat:
        raise UserError("these parameters have no spatial attention that adapters could stand by")
    return unflatten_dict(flat)


def adapted(params: Mapping[str, Any], adapters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with what the adapters learnt added to them, in the dtypes they have."""
    flat, low = flatten_dict(dict(params)), flatten_dict(dict(adapters))
    for path in [path for path in low if path[-1] == DOWN]:
        kernel = flat[*path[:-1], "kernel"]
        product = low[path] @ low[*path[:-1], UP]
        flat[*path[:-1], "kernel"] = kernel + product.astype(kernel.dtype)
    return unflatten_dict(flat)
