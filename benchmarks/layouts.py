"""What a layout training step is fed in the benchmark, and how long and fast both sides learn.

The step is the paper's (VideoDirectorGPT, section 3.2): still pictures, noise predicted, the gated
layers and the grounding MLP learn and all else is frozen. The network is GLIGEN's, diffusers'
`UNet2DConditionModel` with `attention_type="gated"`, which is what our video network is to a still
picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.sizes import Size

ENTITIES = 8
LEARNING_RATE = 1e-4
B2 = 0.99
EMA_DECAY = 0.999
CLIP_NORM = 1.0


@dataclass(frozen=True)
class Stills:
    """A batch of pictures with boxes: all that a step takes from data and from chance.

    `latents` and `noise` are (batch, 1, height, width, channel), `boxes` (batch, 1, entity, 4) as
    x0 y0 x1 y1 in 0..1, `names` (batch, entity, width) the entities' text embeddings.
    """

    latents: np.ndarray
    noise: np.ndarray
    timesteps: np.ndarray
    text: np.ndarray
    boxes: np.ndarray
    present: np.ndarray
    names: np.ndarray

    @classmethod
    def of(cls, size: Size) -> Stills:
        random = np.random.default_rng(0)
        batch, width = size.stills, size.text_width

        def normal(*shape: int) -> np.ndarray:
            return random.normal(size=shape).astype(np.float32)

        corners = np.sort(random.uniform(size=(batch, 1, ENTITIES, 2, 2)), axis=-2)
        return cls(
            latents=normal(batch, 1, size.side, size.side, 4),
            noise=normal(batch, 1, size.side, size.side, 4),
            timesteps=random.integers(1000, size=batch).astype(np.int32),
            text=normal(batch, size.text_length, width),
            boxes=corners.reshape(batch, 1, ENTITIES, 4).astype(np.float32),
            present=random.random((batch, 1, ENTITIES)) < 0.6,
            names=normal(batch, ENTITIES, width),
        )


def still_network(size: Size) -> dict[str, Any]:
    """Arguments of diffusers' UNet2DConditionModel: the size's network without time, with gates."""
    network = dict(size.network)
    head = network["attention_head_dim"]
    for blocks in ("down_block_types", "up_block_types"):
        if blocks in network:
            network[blocks] = tuple(name.replace("3D", "2D") for name in network[blocks])
    # diffusers: this field holds the number of heads, in spite of its name.
    network["attention_head_dim"] = tuple(w // head for w in network["block_out_channels"])
    return {"use_linear_projection": True, "attention_type": "gated", **network}
