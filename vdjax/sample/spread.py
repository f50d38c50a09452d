"""Sampling on two devices: the two halves of guidance side by side.

Where JAX sees two devices or more, the unconditional half of every batch goes to one and the
conditional half to another; with one device nothing changes. The cores of a CPU count as devices
when JAX is told so before it starts (`runtime.cores_as_devices`): one program keeps little more
than one core busy.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

HALVES = 2


def spread(params: Any, halved: Any) -> tuple[Any, Any]:
    """`params` on both devices, and of each array of `halved` one half of its rows on each.

    Arrays come back as they were where there is one device, or where rows cannot be halved.
    """
    even = all(leaf.shape[0] % HALVES == 0 for leaf in jax.tree_util.tree_leaves(halved))
    if jax.device_count() < HALVES or not even:
        return params, halved
    mesh = Mesh(np.array(jax.devices()[:HALVES]), ("half",))
    return (
        jax.device_put(params, NamedSharding(mesh, PartitionSpec())),
        jax.device_put(halved, NamedSharding(mesh, PartitionSpec("half"))),
    )
