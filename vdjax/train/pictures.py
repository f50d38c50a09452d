"""Stage 5: the pictures that grounding tokens carry, from still pictures with boxes.

Before the gated layers learn to use them, the MLP that makes these pictures learns what they should
show: for each entity, what the latents are where its box and nobody else's lies. No network is run,
so that hundreds of pictures pass in the time the UNet takes for one. The UNet learns to draw; what
each thing looks like is learnt here, by heart.

A picture gives a mean for each latent channel and one variance, by the likelihood of a Gaussian
(Nix & Weigend 1994): sure where the thing is, unsure beside it, where the background shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from vdjax.ground.tokens import Grounding, GroundingNet
from vdjax.model.boxes import cells_inside, pictured_in, unpack
from vdjax.model.params import PICTURES, merge_params, split_params
from vdjax.train.guided import GuidedStage
from vdjax.train.stage import listed

LEAST, MOST = -5.0, 3.0  # of the logarithm of a variance; latents have a variance of one


def alone_in(
    inside: Float[Array, "row cell entity"],
) -> Float[Array, "row cell entity"]:
    """How much each cell is one entity's alone: inside its box, outside those of all others.

    The last entity is the background, which is behind the others: it takes no cell away.
    """
    others = 1.0 - inside.at[..., -1].set(0.0)
    without = [jnp.delete(others, i, axis=-1).prod(-1) for i in range(inside.shape[-1])]
    return inside * jnp.stack(without, axis=-1)


def picture_loss(
    pictures: Float[Array, "row entity waves waves channel"],
    boxes: Float[Array, "row entity 4"],
    present: Bool[Array, "row entity"],
    latents: Float[Array, "row height width latent"],
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Mean over cells of the negative log likelihood of latents, per channel, less a constant.

    Also, as "mse", the squared error of the means.
    """
    rows, height, width, channels = latents.shape
    boxes = jnp.where(present[..., None], boxes, 0.0)
    share = alone_in(cells_inside(boxes, height, width))
    seen = pictured_in(pictures, boxes, height, width)
    truth = latents.reshape(rows, height * width, 1, channels)
    squared = ((seen[..., :channels] - truth) ** 2).mean(-1)
    spread = jnp.clip(seen[..., channels], LEAST, MOST)
    likelihood = squared * jnp.exp(-spread) + spread
    total = jnp.maximum(share.sum(), 1.0)
    return (share * likelihood).sum() / total, {"mse": (share * squared).sum() / total}


@dataclass(frozen=True, kw_only=True)
class PicturesStage(GuidedStage):
    """The guided stage's batches; of the grounding net, what makes the pictures is trained."""

    name: str = "pictures"
    draw: ClassVar[Any] = None  # nothing is left to chance, and the loss is no mean over rows

    def describe(self) -> dict[str, Any]:
        p = self.preset
        return {"config": {"grounding": listed(p.grounding)}, "seed": self.schedule.seed}

    def init(self):
        pictures, rest = split_params(self.grounding_start, PICTURES)
        return pictures, {"rest": rest}

    def batch(self, step: int) -> dict[str, np.ndarray]:
        batch = super().batch(step)
        del batch["ids"], batch["inside"]
        return batch

    def loss(self, params, frozen, batch, key):
        del key
        net = merge_params(params, frozen["rest"])
        grounding = Grounding(**{name: batch[name] for name in Grounding.__dataclass_fields__})
        config = self.preset.grounding
        tokens: Any = GroundingNet(config).apply({"params": net}, grounding)
        _, pictures, _ = unpack(tokens[:, 0], config.picture_waves)
        assert pictures is not None  # of the preset: `stages.run` has asked
        latents = batch["latents"][:, 0].astype(jnp.float32)
        return picture_loss(pictures, grounding.boxes[:, 0], grounding.present[:, 0], latents)

    def export(self, params, frozen):
        return merge_params(params, jax.device_get(frozen["rest"])), listed(self.preset.grounding)
