"""What a training stage is: five short answers that the one loop in `loop.py` asks for.

The paper's order is autoencoder, CLIP, text-to-video backbone on captions alone, prior, and last
the gated layers on still images with boxes. Each of them is a `Stage`; none has a loop of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from vdjax.errors import UserError

PyTree = Any
DTYPES = ("float32", "bfloat16")
DECAYS = ("cosine", "constant")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast a stage learns.

    `learning_rate` is the peak, which the rate stays at where `decay` is "constant"; `seed` fixes
    the order of the data and the noise. `remat` names what the gradient through a UNet keeps
    (`UNet3D`): less memory, more work, the same numbers. With `accumulate` a batch goes through the
    network in so many parts, one after another, and their gradients are averaged.

    In `precision` "bfloat16" the loss is given its parameters in bfloat16, and brings what it
    multiplies with them to the same; what learns is kept in float32 (Micikevicius et al. 2018),
    and so are its gradients and moments. `frozen_dtype` is what everything else is kept in.

    Raises:
        UserError: a name is none of those known, or the batch cannot be cut into those parts.
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
    accumulate: int = 1
    precision: str = "float32"
    frozen_dtype: str = "float32"
    decay: str = "cosine"

    def __post_init__(self) -> None:
        choices = {"precision": DTYPES, "frozen_dtype": DTYPES, "decay": DECAYS}
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise UserError(f"{name} {value!r} is unknown: use {' or '.join(known)}")
        if self.accumulate < 1 or self.batch_size % self.accumulate:
            raise UserError(
                f"accumulate is {self.accumulate}: a batch of {self.batch_size} cannot be cut into "
                "so many equal parts; choose a divisor of the batch size"
            )


class Stage(Protocol):
    """One trainable part of the system.

    `init` gives (trained parameters, frozen parameters); `loss` is pure and is compiled; `batch`
    must give the same arrays for the same step, so that a resumed run sees what an unbroken one
    would have seen; `export` gives the tree that ships, from the trained parameters' moving
    average, and its configuration; `describe` says what a checkpoint depends on, so that one of
    another make is refused.

    A stage whose loss is a mean over the rows of its batch may have a sixth answer,
    `draw(key, shapes)`: all that one step takes from chance, as rows beside those of the batch
    (`vdjax.train.state.make_train_step` says what that is good for).
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
