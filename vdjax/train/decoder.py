"""Stage 7: the autoencoder's decoder, once more, on latents as the generator gives them.

What a young generator gives is fainter and smoother than any encoded picture, and a decoder that
has seen encoded pictures alone draws a grid there. So pictures are encoded, made noisy and cleaned
by the guided network in one step; the decoder learns to draw the picture from the result. The
encoder is frozen: latents, and all that was trained on them, stay valid. This stage is ours; the
papers build on a decoder trained elsewhere, for a generator that needs no such help.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vdjax.data.storybook import StorybookWorld
from vdjax.model.hf import Autoencoder, AutoencoderConfig
from vdjax.train.autoencoder import load_lpips, reconstruction_loss
from vdjax.train.diffusion import add_noise, alphas_cumprod, clean_latents
from vdjax.train.guided import GuidedStage
from vdjax.train.stage import Schedule, listed

DECODER = ("decoder", "post_quant_conv")
"""The autoencoder's modules that are trained here."""
NOISIEST = 600
"""Timesteps are drawn below this: beyond, what is cleaned in one step is no picture's latents."""


@dataclass(frozen=True, kw_only=True)
class DecoderStage:
    """`guided` is the stage as it was trained, with its samples; `guided_params` what it gave."""

    guided: GuidedStage
    guided_params: Any
    autoencoder_params: Any
    config: AutoencoderConfig
    schedule: Schedule
    crop: int = 8
    name: str = "decoder"
    renders: bool = True

    @cached_property
    def world(self) -> StorybookWorld:
        """The world that the samples were encoded from."""
        preset = self.guided.preset
        return StorybookWorld(
            split="train", size=self.config.sample_size, num_frames=preset.num_frames
        )

    def describe(self) -> dict[str, Any]:
        return {**self.guided.describe(), "config": listed(self.config), "crop": self.crop}

    def init(self):
        decoder = {k: self.autoencoder_params[k] for k in DECODER}
        _, frozen = self.guided.init()
        encoder = {k: v for k, v in self.autoencoder_params.items() if k not in decoder}
        more = {"guided": self.guided_params, "encoder": encoder, "lpips": load_lpips()}
        return decoder, {**frozen, **more}

    def batch(self, step: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([self.schedule.seed, 51, step])
        rows = rng.integers(len(self.guided.samples), size=self.schedule.batch_size)
        cells = self.guided.samples.latents.shape[2]
        corners = rng.integers(cells - self.crop + 1, size=(len(rows), 2))
        pixels, side = self.config.downscale * corners, self.config.downscale * self.crop
        images = [
            self.world.image(int(row)).frames[0][top : top + side, left : left + side]
            for row, (top, left) in zip(rows, pixels, strict=True)
        ]
        return {
            **self.guided.samples_of(rows, rng),
            "corners": corners.astype(np.int32),
            "images": np.stack(images),
        }

    def loss(self, params, frozen, batch, key):
        images = batch["images"].astype(jnp.float32) / 127.5 - 1.0
        latents = jax.vmap(self._cut)(self._as_generated(frozen, batch, key), batch["corners"])
        decoded = Autoencoder(self.config).decode({**frozen["encoder"], **params}, latents)
        return reconstruction_loss(frozen["lpips"], decoded, images)

    def _as_generated(self, frozen, batch, key):
        """The batch's latents, made noisy and cleaned in one step."""
        latents = jnp.asarray(batch["latents"], jnp.float32)
        noise_config = self.guided.preset.noise
        time_key, noise_key = jax.random.split(key)
        timesteps = jax.random.randint(time_key, latents.shape[:1], 0, NOISIEST)
        noise = jax.random.normal(noise_key, latents.shape)
        bars = jnp.asarray(alphas_cumprod(noise_config))
        noisy, _ = add_noise(latents, noise, timesteps, bars)
        predict = self.guided.predictor(frozen["guided"], frozen, batch)
        prediction = jax.lax.stop_gradient(predict(noisy, timesteps))
        return clean_latents(noisy, prediction, timesteps, bars, noise_config.prediction_type)

    def _cut(self, latents, corner):
        """A square of the only frame's cells."""
        size = (self.crop, self.crop, latents.shape[-1])
        return jax.lax.dynamic_slice(latents[0], (corner[0], corner[1], 0), size)

    def export(self, params, frozen):
        return {**jax.device_get(frozen["encoder"]), **params}, listed(self.config)
