"""What a training stage is: five short answers that the one loop in `loop.py` asks for.

The paper's order is autoencoder, CLIP, text-to-video backbone on captions alone, prior, and last
the gated layers on still images with boxes. Each of them is a `Stage`; none has a loop of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

PyTree = Any


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast a stage learns.

    `learning_rate` is the peak; `seed` fixes the order of the data and the noise. `remat` names
    what the gradient through a UNet keeps (`UNet3D`): less memory, more work, the same numbers.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 100
    final_fraction: float = 0.05
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    b2: float = 0.99
    ema_decay: float = 0.999
    seed: int = 0
    remat: str | None = None


class Stage(Protocol):
    """One trainable part of the system.

    `init` gives (trained parameters, frozen parameters); `loss` is pure and is compiled; `batch`
    must give the same arrays for the same step, so that a resumed run sees what an unbroken one
    would have seen; `export` gives the tree that ships, from the trained parameters' moving
    average, and its configuration; `describe` says what a checkpoint depends on, so that one of
    another make is refused.
    """

    @property
    def name(self) -> str: ...

    @property
    def schedule(self) -> Schedule: ...

    def init(self) -> tuple[PyTree, PyTree]: ...

    def loss(
        self, params: PyTree, frozen: PyTree, batch: PyTree, key
    ) -> tuple[Any, dict[str, Any]]: ...

    def batch(self, step: int) -> dict[str, np.ndarray]: ...

    def export(self, params: PyTree, frozen: PyTree) -> tuple[PyTree, dict[str, Any]]: ...

    def describe(self) -> dict[str, Any]: ...


def listed(config: Any) -> dict[str, Any]:
    """A configuration as plain values that survive a trip through JSON (tuples become lists)."""
    values = asdict(config) if not isinstance(config, dict) else config
    return {
        name: listed(v) if isinstance(v, dict) else list(v) if isinstance(v, tuple) else v
        for name, v in values.items()
    }
