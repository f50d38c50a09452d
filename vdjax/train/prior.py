"""Stage 4: the prior, from an entity's name to an embedding of how it could look.

The pairs are close-ups of the training set: the name (or its caption, or nothing) and the picture's
CLIP embedding, at unit variance per channel. The loss is the squared error of the clean embedding
(Karlo's parametrisation), over the squared-cosine schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vdjax.data.storybook import BACKGROUNDS, NAMES
from vdjax.ground.prior import TRAIN_TIMESTEPS, PriorTransformer, cosine_alphas
from vdjax.train.cache import NOBODY, Samples
from vdjax.train.stage import Schedule, listed
from vdjax.weights.presets import Preset

# Texts replaced by the empty one, for guidance; Karlo trains with the same share.
TEXT_DROP = 0.1


@dataclass(frozen=True, kw_only=True)
class PriorStage:
    """The texts are every name, every background and the empty one, in this order."""

    preset: Preset
    schedule: Schedule
    samples: Samples
    text_embeddings: np.ndarray
    text_states: np.ndarray
    name: str = "prior"

    def describe(self) -> dict[str, Any]:
        return {"config": listed(self.preset.prior), "seed": self.schedule.seed}

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Row of the text and embedding of the picture, for every entity and backdrop there is."""
        s = self.samples
        sample, place = np.nonzero(s.names != NOBODY)
        texts = np.concatenate([s.names[sample, place], len(NAMES) + s.backgrounds])
        pictures = np.concatenate([s.images[sample, place], s.backdrops]).astype(np.float32)
        return texts.astype(np.int32), pictures

    def init(self):
        texts, pictures = self._pairs()
        c = self.preset.prior
        network = jax.jit(PriorTransformer(c).init)(
            jax.random.key(self.schedule.seed),
            jnp.zeros((1, c.embedding_width)),
            jnp.zeros((1,), jnp.int32),
            jnp.asarray(self.text_embeddings[:1]),
            jnp.asarray(self.text_states[:1]),
        )["params"]
        frozen = {
            "embeddings": jnp.asarray(self.text_embeddings),
            "states": jnp.asarray(self.text_states),
            "texts": jnp.asarray(texts),
            "pictures": jnp.asarray(pictures),
            "clip_mean": jnp.asarray(pictures.mean(0)),
            "clip_std": jnp.asarray(pictures.std(0) + 1e-4),
        }
        return network, frozen

    def batch(self, step: int) -> dict[str, np.ndarray]:
        count = int((self.samples.names != NOBODY).sum()) + len(self.samples)
        rng = np.random.default_rng([self.schedule.seed, 41, step])
        size = self.schedule.batch_size
        return {"rows": rng.integers(count, size=size), "drop": rng.random(size) < TEXT_DROP}

    def loss(self, params, frozen, batch, key):
        time_key, noise_key = jax.random.split(key)
        rows = batch["rows"]
        mean, std = frozen["clip_mean"][None], frozen["clip_std"][None]
        clean = (frozen["pictures"][rows] - mean) / std
        empty = len(NAMES) + len(BACKGROUNDS)
        text = jnp.where(batch["drop"], empty, frozen["texts"][rows])
        timesteps = jax.random.randint(time_key, rows.shape, 0, TRAIN_TIMESTEPS)
        bar = jnp.asarray(cosine_alphas())[timesteps][:, None]
        noise = jax.random.normal(noise_key, clean.shape)
        noisy = jnp.sqrt(bar) * clean + jnp.sqrt(1.0 - bar) * noise
        predicted = PriorTransformer(self.preset.prior).apply(
            {"params": params}, noisy, timesteps, frozen["embeddings"][text], frozen["states"][text]
        )
        loss = ((predicted - clean) ** 2).mean()
        return loss, {}

    def export(self, params, frozen):
        statistics = {name: np.asarray(frozen[name]) for name in ("clip_mean", "clip_std")}
        return {"network": params, **statistics}, listed(self.preset.prior)
