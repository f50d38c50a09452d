"""Stage 6: the gated layers and the grounding MLP, on still pictures with boxes; all else frozen.

This is VideoDirectorGPT's training (section 3.2 and appendix D.3): no video, temporal layers
bypassed, only the gated self-attention and the grounding MLP learn (without what makes its
pictures, which learnt in the stage before). What may be varied, as the paper's ablations do (tables
10 to 12), is in `Recipe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from vdjax.ground.tokens import Grounding, GroundingNet, shifted
from vdjax.model.boxes import cells_inside
from vdjax.model.hf import CLIP
from vdjax.model.params import GATED, PICTURES, TEMPORAL, merge_params, split_params
from vdjax.model.unet3d import UNet3D
from vdjax.train.backbone import diffusion_draws, diffusion_loss, drawn_in
from vdjax.train.partition import ADAPTERS, joined, partition
from vdjax.train.rows import LayoutData
from vdjax.train.stage import Schedule, listed
from vdjax.train.state import in_dtype
from vdjax.weights.presets import Preset

CENTRE_SIDE = 0.3
"""Of the box that stands for a centre point, in shares of the frame: says where, not how large."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How layout is taught; the defaults made the weights that ship.

    Attributes:
        trained: which parameters learn, by `vdjax.train.partition`; the paper's are the gates'.
        told_by: what tells an entity: "both", "text" or "image" (the paper's table 10).
        place: where it is said to be: its "box", a "centre" point or "none" (table 11).
        video: learn from clips, through the temporal layers, where the paper takes stills.
        caption_kept, grounding_dropped, modality_dropped: GLIGEN's (configs and dataset code): the
            caption is kept half the time, the grounding of a sample dropped whole one time in ten,
            and each entity loses, half the time, either its text or its image.
        noisier: ours, for few samples: timesteps are drawn with a density that rises as this power
            less one, because the layout guides the first, noisiest steps; 1 is GLIGEN's.
        emphasis: ours, for few samples: a latent cell inside an entity's box counts so much more
            than one outside; 0 is GLIGEN's.
        open_gate: where gates start (see `opened`); None starts them at zero, as GLIGEN does.
    """

    trained: str = "paper"
    told_by: str = "both"
    place: str = "box"
    video: bool = False
    caption_kept: float = 0.5
    grounding_dropped: float = 0.1
    modality_dropped: float = 0.5
    noisier: float = 2.0
    emphasis: float = 2.0
    open_gate: float | None = 0.5


def opened(gated: Any, gate: float) -> Any:
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
            return jnp.full_like(leaf, gate)
        return jnp.zeros_like(leaf) if "to_out" in name or "net_2" in name else leaf

    return jax.tree_util.tree_map_with_path(start, gated)


def emphasis_inside(
    boxes: Float[Array, "batch frame entity 4"],
    present: Bool[Array, "batch frame entity"],
    height: int,
    width: int,
    emphasis: float,
) -> Float[Array, "batch frame height width 1"]:
    """Weights of mean 1 for the cells of latents: inside the boxes of present entities larger by
    `emphasis` times.

    The last entity is the background, whose box says nothing.
    """
    inside = cells_inside(jnp.where(present[..., None], boxes, 0.0)[..., :-1, :], height, width)
    weights = 1.0 + emphasis * inside.max(axis=-1)
    weights = weights.reshape(*boxes.shape[:2], height, width, 1)
    # Of each row alone: a batch may be cut into parts that know nothing of each other.
    return weights / weights.mean(axis=(1, 2, 3, 4), keepdims=True)


def told(boxes: np.ndarray, place: str) -> np.ndarray:
    """Boxes (…, 4) as a recipe's `place` tells them: as they are, by their centres, or not at all.

    What is told not at all is a box that holds the whole frame.
    """
    if place == "box":
        return boxes
    if place == "none":
        return np.broadcast_to(np.array([0.0, 0.0, 1.0, 1.0], boxes.dtype), boxes.shape)
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    corners = np.concatenate([middle - CENTRE_SIDE / 2, middle + CENTRE_SIDE / 2], axis=-1)
    return np.clip(corners, 0.0, 1.0).astype(boxes.dtype)


def networks(params: Mapping[str, Any], frozen: Mapping[str, Any]) -> tuple[Any, Any]:
    """The whole UNet and grounding net of a `GuidedStage`, whatever part of them learns."""
    whole = joined(params, {name: frozen[name] for name in ("unet", "net") if name in frozen})
    return whole["unet"], whole["net"]


@dataclass(frozen=True, kw_only=True)
class GuidedStage:
    """`start` is the UNet, `grounding_start` the grounding net, `text_params` what reads captions;
    `empty_ids` are the tokens of no caption."""

    preset: Preset
    schedule: Schedule
    data: LayoutData
    text_params: Any
    start: Any
    grounding_start: Any
    empty_ids: np.ndarray
    recipe: Recipe = field(default_factory=Recipe)
    name: str = "guided"

    def describe(self) -> dict[str, Any]:
        p = self.preset
        config = {
            "grounding": listed(p.grounding),
            "unet": listed(p.unet),
            "noise": listed(p.noise),
        }
        recipe = {"recipe": asdict(self.recipe), "data": getattr(self.data, "name", "storybook")}
        return {"config": config, "seed": self.schedule.seed, "preset": p.name, **recipe}

    def init(self):
        gated, rest = split_params(self.start, GATED)
        if self.recipe.open_gate is not None:
            gated = opened(gated, self.recipe.open_gate)
        net: Any = self.grounding_start
        pictures: Any = {}
        if self.preset.grounding.picture_waves:
            # Learnt from large batches; small ones would blur them again.
            pictures, net = split_params(net, PICTURES)
        whole = {"unet": merge_params(gated, rest), "net": net}
        trained, frozen = partition(whole, self.recipe.trained, seed=self.schedule.seed)
        if not self.recipe.video:  # the temporal layers are bypassed
            trained, frozen = (
                {name: split_params(tree, TEMPORAL)[1] for name, tree in half.items()}
                for half in (trained, frozen)
            )
        if pictures:
            frozen = {**frozen, "net": merge_params(pictures, frozen.get("net", {}))}
        return trained, {**frozen, "text": self.text_params}

    def _drawn(self, step: int) -> tuple[np.random.Generator, np.ndarray]:
        rng = np.random.default_rng([self.schedule.seed, 31, step])
        return rng, rng.integers(len(self.data), size=self.schedule.batch_size)

    def sample_ids(self, step: int) -> list[str]:
        """What people know the samples of a step by."""
        return self.data.names(self._drawn(step)[1])

    def batch(self, step: int) -> dict[str, np.ndarray]:
        r = self.recipe
        rng, indices = self._drawn(step)
        rows = self.data.rows(indices)
        rows["ids"][rng.random(len(indices)) >= r.caption_kept] = self.empty_ids
        dropped = rng.random(len(indices)) < r.grounding_dropped
        present = rows["present"] & ~dropped[:, None, None]
        entities = present.shape[0], present.shape[2]
        loses = rng.random(entities) < r.modality_dropped
        loses_text = rng.random(entities) < 0.5
        has_text = ~(loses & loses_text) if r.told_by == "both" else r.told_by == "text"
        has_image = ~(loses & ~loses_text) if r.told_by == "both" else r.told_by == "image"
        return {
            **rows,
            "boxes": told(rows["boxes"], r.place),
            "inside": rows["boxes"],
            "present": present,
            "has_text": np.broadcast_to(has_text, entities),
            "has_image": np.broadcast_to(has_image, entities),
        }

    def draw(self, key, shapes):
        shape = shapes["latents"].shape
        return diffusion_draws(self.preset, shape, key, noisier=self.recipe.noisier)

    def loss(self, params, frozen, batch, key):
        r = self.recipe
        states, _ = CLIP(self.preset.scene_text).text(frozen["text"], batch["ids"])
        fields = Grounding.__dataclass_fields__
        unet, net = networks(params, frozen)
        dtype = self.schedule.precision
        known = in_dtype({name: batch[name] for name in fields}, dtype)
        tokens: Any = GroundingNet(self.preset.grounding).apply({"params": net}, Grounding(**known))
        if "shift" in batch:  # what another stage learns of an entity
            tokens = shifted(tokens, batch["shift"], batch["present"])

        def predict(noisy, timesteps):
            given = in_dtype((noisy, timesteps, states, tokens), dtype)
            unet3d = UNet3D(self.preset.unet, remat=self.schedule.remat)
            guess = unet3d.apply({"params": unet}, *given, video=r.video)
            return jnp.asarray(guess, jnp.float32)

        height, width = batch["latents"].shape[2:4]
        loss, metrics = diffusion_loss(
            self.preset,
            predict,
            batch["latents"],
            key,
            drawn=drawn_in(batch),
            noisier=r.noisier,
            emphasis=emphasis_inside(batch["inside"], batch["present"], height, width, r.emphasis),
        )
        gates = [
            jnp.abs(jnp.tanh(leaf))
            for path, leaf in jax.tree_util.tree_leaves_with_path(unet)
            if "alpha_attn" in jax.tree_util.keystr(path)
        ]
        return loss, {**metrics, "gate": jnp.stack(gates).mean()}

    def export(self, params, frozen):
        unet, net = networks(params, jax.device_get(frozen))
        # What did not learn is not written once more; adapters are everywhere in the network.
        learnt = unet if ADAPTERS in params else params.get("unet", {})
        return {"unet": learnt, "net": net}, listed(self.preset.grounding)
