"""What one process of several was told counts for all, at the same step."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


class Agreement:
    """What any process asks for, known to all of them at the same step.

    One process is answered at once. Several are answered with what was asked a step before: a
    maximum over all devices is sent for behind the step that runs, and read when it is there, so
    that nobody waits.
    """

    def __init__(self) -> None:
        self._sent: Any = None
        if jax.process_count() > 1:
            mesh = Mesh(np.array(jax.devices()), ("device",))
            self._rows = NamedSharding(mesh, PartitionSpec("device"))
            everywhere = NamedSharding(mesh, PartitionSpec())
            self._largest = jax.jit(lambda asked: asked.max(axis=0), out_shardings=everywhere)

    def __call__(self, *asked: int) -> tuple[int, ...]:
        """The largest of each number that a process gives; all processes call at every step."""
        if jax.process_count() == 1:
            return asked
        own = np.tile(np.asarray(asked, np.int32), (jax.local_device_count(), 1))
        before = self._sent
        self._sent = self._largest(jax.make_array_from_process_local_data(self._rows, own))
        if before is None:
            return (0,) * len(asked)
        return tuple(int(number) for number in np.asarray(before))

    def forget(self) -> None:
        """What was asked for up to now has been done; all processes call at the same step."""
        self._sent = None
