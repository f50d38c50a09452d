"""The frozen networks of a loaded system, as `vdjax.data.cache` wants them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8

from vdjax.errors import UserError
from vdjax.model.hf import Autoencoder
from vdjax.runtime import jit
from vdjax.systems.loaded import LoadedModel


@dataclass(frozen=True, eq=False)
class SystemEncoder:
    """Latents by the system's autoencoder, entities by its CLIP, captions by their tokenizer.

    Where the system tells entities by text alone, their pictures are zeros.
    """

    model: LoadedModel

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the weights and of what texts are cut into."""
        digest = hashlib.sha256()
        for part in ("autoencoder", "clip"):
            for path, leaf in jax.tree_util.tree_leaves_with_path(self.model.part(part)):
                digest.update(f"{part}{jax.tree_util.keystr(path)}".encode())
                digest.update(np.ascontiguousarray(leaf).tobytes())
        digest.update(np.asarray(self.tokens(["a cat, 2 dogs and a house"])).tobytes())
        return digest.hexdigest()[:16]

    @property
    def image_size(self) -> int:
        return self.model.preset.autoencoder.sample_size

    @property
    def crop_size(self) -> int:
        return self.model.preset.clip.image_size

    @cached_property
    def _encode(self):
        autoencoder = Autoencoder(self.model.preset.autoencoder)
        return jit(lambda p, x: autoencoder.encode(p, x.astype(jnp.float32) / 127.5 - 1.0))

    def latents(
        self, pictures: UInt8[np.ndarray, "batch size size 3"]
    ) -> Float[np.ndarray, "batch height width channel"]:
        return np.asarray(self._encode(self.model.part("autoencoder"), pictures))

    def looks(
        self, close_ups: UInt8[np.ndarray, "batch crop crop 3"]
    ) -> Float[np.ndarray, "batch width"]:
        grounding = self.model.preset.grounding
        if grounding.text_only or not self.model.preset.clip.vision_layers:
            return np.zeros((len(close_ups), grounding.image_width), np.float32)
        return np.asarray(self.model.embed_pictures(list(close_ups)), np.float32)

    def words(self, phrases: Sequence[str]) -> Float[np.ndarray, "batch width"]:
        return np.asarray(self.model.tell_entities(phrases), np.float32)

    def tokens(self, captions: Sequence[str]) -> Int[np.ndarray, "batch length"]:
        """Token ids of captions.

        Raises:
            UserError: the system has no tokenizer for what reads them.
        """
        model = self.model
        known = model.tokenizer if model.preset.text_encoder is None else model.scene_tokenizer
        if known is None:
            raise UserError(
                f"{model.folder} has a text tower without its tokenizer: convert it again with "
                "vocab.json and merges.txt beside its weights"
            )
        return np.asarray(known(captions))
