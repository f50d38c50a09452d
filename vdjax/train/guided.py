"""Stage 6: the gated layers and the grounding MLP, on still pictures with boxes; all else frozen.

This is VideoDirectorGPT's training (section 3.2 and appendix D.3): no video, temporal layers
bypassed, only the gated self-attention and the grounding MLP learn (without what makes its
pictures, which learnt in the stage before). Drop rates follow GLIGEN: captions are kept half the
time, the grounding of a sample is dropped whole one time in ten, and each entity loses, half the
time, either its text or its image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from vdjax.ground.tokens import Grounding, GroundingNet
from vdjax.model.boxes import cells_inside
from vdjax.model.hf import CLIP
from vdjax.model.params import GATED, PICTURES, TEMPORAL, merge_params, split_params
from vdjax.model.unet3d import UNet3D
from vdjax.train.backbone import diffusion_loss
from vdjax.train.cache import NOBODY, Samples
from vdjax.train.stage import Schedule, listed
from vdjax.weights.presets import Preset

# GLIGEN: configs and dataset code (caption kept 0.5, grounding nulled 0.1, one modality lost 0.5).
CAPTION_KEPT = 0.5
GROUNDING_DROPPED = 0.1
MODALITY_DROPPED = 0.5

# Ours, for few samples: timesteps are drawn with a density that rises linearly (the layout guides
# the first, noisiest steps), and a latent cell inside an entity's box counts three times.
NOISIER = 2.0
INSIDE_EMPHASIS = 2.0
OPEN_GATE = 0.5


def opened(gated: Any) -> Any:
    """The gated layers as training starts them: gates open, what they let through zero.

    The block computes the ungated one's numbers either way. A gate at zero passes no gradient to
    what stands behind it, and noise moves it back and forth over zero, which turns that gradient's
    sign: with few samples nothing is learnt. Zero output projections (as in ControlNet, Zhang et
    al. 2023) learn from the first step. The paper and GLIGEN start at zero gates and train for
    50,000 steps and more.
    """

    def start(path, leaf):
        name = jax.tree_util.keystr(path)
        if "alpha_" in name:
            return jnp.full_like(leaf, OPEN_GATE)
        return jnp.zeros_like(leaf) if "to_out" in name or "net_2" in name else leaf

    return jax.tree_util.tree_map_with_path(start, gated)


def emphasis_inside(
    boxes: Float[Array, "batch frame entity 4"],
    present: Bool[Array, "batch frame entity"],
    height: int,
    width: int,
) -> Float[Array, "batch frame height width 1"]:
    """Weights of mean 1 for the cells of latents: larger inside the boxes of present entities.

    The last entity is the background, whose box says nothing.
    """
    inside = cells_inside(jnp.where(present[..., None], boxes, 0.0)[..., :-1, :], height, width)
    weights = 1.0 + INSIDE_EMPHASIS * inside.max(axis=-1)
    weights = weights.reshape(*boxes.shape[:2], height, width, 1)
    return weights / weights.mean()


@dataclass(frozen=True, kw_only=True)
class GuidedStage:
    """`name_embeddings` and `background_embeddings` are CLIP's, of the world's words."""

    preset: Preset
    schedule: Schedule
    samples: Samples
    clip_params: Any
    start: Any
    grounding_start: Any
    name_embeddings: np.ndarray
    background_embeddings: np.ndarray
    empty_ids: np.ndarray
    name: str = "guided"

    def describe(self) -> dict[str, Any]:
        p = self.preset
        config = {
            "grounding": listed(p.grounding),
            "unet": listed(p.unet),
            "noise": listed(p.noise),
        }
        return {"config": config, "seed": self.schedule.seed}

    def init(self):
        gated, rest = split_params(self.start, GATED)
        gated = opened(gated)
        _, spatial = split_params(rest, TEMPORAL)
        # Learnt from large batches; small ones would blur them again.
        carried = PICTURES if self.preset.grounding.picture_waves else ()
        pictures, net = split_params(self.grounding_start, carried)
        return {"unet": gated, "net": net}, {
            "spatial": spatial,
            "pictures": pictures,
            "clip": self.clip_params,
        }

    def batch(self, step: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([self.schedule.seed, 31, step])
        s = self.samples
        rows = rng.integers(len(s), size=self.schedule.batch_size)
        ids = s.ids[rows].astype(np.int32)
        ids[rng.random(len(rows)) >= CAPTION_KEPT] = self.empty_ids
        names = s.names[rows]
        there = names != NOBODY
        # The background is one more entity, the last; attention knows no order of tokens.
        text = np.concatenate(
            [self.name_embeddings[names], self.background_embeddings[s.backgrounds[rows]][:, None]],
            axis=1,
        )
        image = np.concatenate([s.images[rows], s.backdrops[rows][:, None]], axis=1).astype(
            np.float32
        )
        boxes = np.concatenate([s.boxes[rows], np.tile([0, 0, 1, 1], (len(rows), 1, 1, 1))], axis=1)
        visible = np.concatenate(
            [s.visible[rows] & there[..., None], np.ones((len(rows), 1, 1), bool)], axis=1
        )
        dropped = rng.random(len(rows)) < GROUNDING_DROPPED
        visible &= ~dropped[:, None, None]
        loses = rng.random(visible.shape[:2]) < MODALITY_DROPPED
        loses_text = rng.random(visible.shape[:2]) < 0.5
        return {
            "latents": s.latents[rows],
            "ids": ids,
            "boxes": boxes.astype(np.float32).swapaxes(1, 2),
            "present": visible.swapaxes(1, 2),
            "text": text.astype(np.float32),
            "image": image,
            "has_text": ~(loses & loses_text),
            "has_image": ~(loses & ~loses_text),
        }

    def loss(self, params, frozen, batch, key):
        states, _ = CLIP(self.preset.clip).text(frozen["clip"], batch["ids"])
        fields = Grounding.__dataclass_fields__
        tokens = GroundingNet(self.preset.grounding).apply(
            {"params": merge_params(params["net"], frozen["pictures"])},
            Grounding(**{name: batch[name] for name in fields}),
        )
        unet = merge_params(params["unet"], frozen["spatial"])

        def predict(noisy, timesteps):
            return UNet3D(self.preset.unet, remat=self.schedule.remat).apply(
                {"params": unet}, noisy, timesteps, states, tokens, video=False
            )

        loss, metrics = diffusion_loss(
            self.preset,
            predict,
            batch["latents"],
            key,
            noisier=NOISIER,
            emphasis=emphasis_inside(
                batch["boxes"], batch["present"], *batch["latents"].shape[2:4]
            ),
        )
        gates = [
            jnp.abs(jnp.tanh(leaf))
            for path, leaf in jax.tree_util.tree_leaves_with_path(params["unet"])
            if "alpha_attn" in jax.tree_util.keystr(path)
        ]
        return loss, {**metrics, "gate": jnp.stack(gates).mean()}

    def export(self, params, frozen):
        net = merge_params(params["net"], jax.device_get(frozen["pictures"]))
        return {**params, "net": net}, listed(self.preset.grounding)
