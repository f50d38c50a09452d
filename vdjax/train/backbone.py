"""Stage 3: the text-to-video backbone, on captions alone.

Two parts of one stage, as in latent video diffusion: first the spatial layers on still pictures
with the temporal layers bypassed ("spatial"), then the temporal layers on clips, spatial ones
frozen ("temporal"). So image mode stays exactly the picture model, which the gated layers are
trained on afterwards. No boxes, no entity embeddings: whatever the backbone knows of place, it
knows from words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vdjax.model.hf import CLIP
from vdjax.model.params import GATED, TEMPORAL, merge_params, split_params
from vdjax.model.unet3d import UNet3D
from vdjax.sample.noise import shared_noise
from vdjax.train.cache import Samples
from vdjax.train.diffusion import add_noise, alphas_cumprod, target_and_weight
from vdjax.train.stage import Schedule, listed
from vdjax.weights.presets import Preset

# Captions replaced by the empty one, for classifier-free guidance (Ho & Salimans 2022).
CAPTION_DROP = 0.1


@dataclass(frozen=True, kw_only=True)
class BackboneStage:
    """`part` is "spatial" (pictures) or "temporal" (clips); `start` holds the parameters so far."""

    preset: Preset
    schedule: Schedule
    part: str
    samples: Samples
    clip_params: Any
    start: Any
    empty_ids: np.ndarray

    @property
    def name(self) -> str:
        return "backbone" if self.part == "spatial" else "motion"

    def describe(self) -> dict[str, Any]:
        return {"config": self._config(), "seed": self.schedule.seed}

    def _config(self) -> dict[str, Any]:
        p = self.preset
        parts = {"unet": p.unet, "noise": p.noise}
        plain = {"name": p.name, "num_frames": p.num_frames, "shared_noise": p.shared_noise}
        return {**plain, **{name: listed(part) for name, part in parts.items()}}

    def init(self):
        _, ungated = split_params(self.start, GATED)
        temporal, spatial = split_params(ungated, TEMPORAL)
        text = {"clip": self.clip_params}
        if self.part == "spatial":
            return spatial, text
        return temporal, {"spatial": spatial, **text}

    def batch(self, step: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([self.schedule.seed, 21, step])
        rows = rng.integers(len(self.samples), size=self.schedule.batch_size)
        ids = self.samples.ids[rows].astype(np.int32)
        ids[rng.random(len(rows)) < CAPTION_DROP] = self.empty_ids
        return {"latents": self.samples.latents[rows], "ids": ids}

    def draw(self, key, shapes):
        return diffusion_draws(self.preset, shapes["latents"].shape, key)

    def loss(self, params, frozen, batch, key):
        params = merge_params(params, frozen["spatial"]) if self.part == "temporal" else params
        states, _ = CLIP(self.preset.clip).text(frozen["clip"], batch["ids"])

        def predict(noisy, timesteps):
            return UNet3D(self.preset.unet, remat=self.schedule.remat).apply(
                {"params": params}, noisy, timesteps, states, video=self.part == "temporal"
            )

        drawn = drawn_in(batch)
        return diffusion_loss(self.preset, predict, batch["latents"], key, drawn=drawn)

    def export(self, params, frozen):
        other = frozen.get("spatial")
        tree = merge_params(params, jax.device_get(other)) if other else params
        return tree, self._config()


def diffusion_draws(
    preset: Preset, shape: tuple[int, ...], key: jax.Array, *, noisier: float = 1.0
) -> dict[str, jax.Array]:
    """All that `diffusion_loss` takes from chance for a batch of latents of that shape.

    Timesteps are spread evenly, or, with `noisier` above 1, with a density that rises as its power
    less one.
    """
    batch, count = shape[0], preset.noise.num_train_timesteps
    time_key, noise_key = jax.random.split(key)
    # One timestep from each of `batch` equal slices: every step sees all noise levels.
    slices = (jnp.arange(batch, dtype=jnp.float32) + jax.random.uniform(time_key, (batch,))) / batch
    timesteps = (slices ** (1.0 / noisier) * count).astype(jnp.int32)
    return {
        "timesteps": jnp.minimum(timesteps, count - 1),
        "noise": shared_noise(noise_key, shape, preset.shared_noise),
    }


def drawn_in(batch) -> dict[str, jax.Array]:
    """Those of a batch's rows that `diffusion_draws` made; none where nothing was drawn before."""
    return {name: batch[name] for name in ("timesteps", "noise") if name in batch}


def diffusion_loss(
    preset: Preset, predict, latents, key, *, drawn=None, noisier: float = 1.0, emphasis=1.0
):
    """Min-SNR weighted squared error at timesteps spread over the batch.

    What is `drawn` has a row for each of the batch's; without it, it is drawn here, from the key
    (`diffusion_draws`). `emphasis` weighs the cells of the latents.
    """
    latents = latents.astype(jnp.float32)
    drawn = drawn or diffusion_draws(preset, latents.shape, key, noisier=noisier)
    timesteps, noise = drawn["timesteps"], drawn["noise"]
    bars = jnp.asarray(alphas_cumprod(preset.noise))
    noisy, velocity = add_noise(latents, noise, timesteps, bars)
    target, weight = target_and_weight(
        latents, noise, velocity, timesteps, bars, preset.noise.prediction_type
    )
    squared = emphasis * (predict(noisy, timesteps) - target) ** 2
    squared = squared.mean(axis=tuple(range(1, latents.ndim)))
    return (weight * squared).mean(), {"mse": squared.mean()}
