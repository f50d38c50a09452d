"""A system's parts with their weights in memory: what every paper's order of steps is written with.

`load("storybook")` (or a folder of weights) gives a `LoadedModel`; its methods take words, boxes
and pictures and give embeddings, tokens, predictions and frames. Programs are compiled once per
preset and shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, UInt8

from vdjax.errors import UserError
from vdjax.ground.prior import PriorTransformer, sample_embeddings
from vdjax.ground.tokenizer import Tokenizer
from vdjax.ground.tokens import Grounding, GroundingNet
from vdjax.model.hf import CLIP, Autoencoder
from vdjax.model.params import fill_params, init_unet, merge_params
from vdjax.model.unet3d import UNet3D
from vdjax.weights.presets import Preset
from vdjax.weights.store import MANIFEST, load_checked, read_checked, shipped_folder

PARTS = ("autoencoder", "clip", "unet", "prior", "guided")
"""The weight files of a system."""


@dataclass(frozen=True)
class LoadedModel:
    """Configurations, tokenizer, and parameters by part: autoencoder, clip, unet, net, prior."""

    preset: Preset
    params: dict[str, Any]
    tokenizer: Tokenizer

    @cached_property
    def _programs(self) -> _Programs:
        return _Programs(self.preset)

    def unet(
        self,
        latents: Float[Array, "batch frame height width channel"],
        timesteps: Num[Array, " batch"],
        text: Float[Array, "batch length width"],
        grounding: Float[Array, "batch frame token grounding_width"] | None = None,
        *,
        video: bool = True,
    ) -> Float[Array, "batch frame height width channel"]:
        """The UNet's prediction, in the shape of `latents`; without `grounding` no gate is run."""
        return self._programs.unet(
            self.params["unet"], latents, timesteps, text, grounding, video=video
        )

    def encode_text(self, texts: Sequence[str]) -> Float[Array, "text length width"]:
        """Token states of each text, for the UNet's cross-attention."""
        rows = [self._programs.text(*row)[0] for row in self._rows(texts)]
        return jnp.asarray(np.concatenate(rows))

    def embed_text(self, texts: Sequence[str]) -> Float[Array, "text projection"]:
        """Unit-length CLIP embeddings of texts."""
        rows = [self._programs.embed_text(*row) for row in self._rows(texts)]
        return jnp.asarray(np.concatenate(rows))

    def _project_text(self, texts: Sequence[str]) -> Float[Array, "text projection"]:
        """CLIP embeddings of texts at the length they come in."""
        rows = [self._programs.project_text(*row) for row in self._rows(texts)]
        return jnp.asarray(np.concatenate(rows))

    def _rows(self, texts: Sequence[str]) -> list[tuple[Any, np.ndarray]]:
        """Text by text, so that their number compiles nothing and no text changes another's."""
        return [(self.params["clip"], ids[None]) for ids in self.tokenizer(texts)]

    def embed_pictures(
        self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]
    ) -> Float[Array, "picture projection"]:
        """Unit-length CLIP embeddings of pictures of any size; each is cut to its middle square."""
        size = self.preset.clip.image_size
        squares = np.stack([_middle_square(picture, size) for picture in pictures])
        return self._programs.embed_image(
            self.params["clip"], squares.astype(np.float32) / 127.5 - 1.0
        )

    def imagine(
        self, texts: Sequence[str], keys: Sequence[jax.Array]
    ) -> Float[Array, "text projection"]:
        """One unit-length image embedding per text, drawn by the prior with a key of its own."""
        told = [*texts, ""]
        embed = self.embed_text if self.preset.prior.unit_text else self._project_text
        embedding, states = embed(told), self.encode_text(told)
        draw = self._programs.prior
        drawn = [
            draw(
                self.params["prior"],
                key,
                embedding[i : i + 1],
                states[i : i + 1],
                embedding[-1:],
                states[-1:],
            )
            for i, key in enumerate(keys)
        ]
        return jnp.asarray(np.concatenate(drawn))

    def ground(self, grounding: Grounding) -> Float[Array, "batch frame token width"]:
        """Grounding tokens of a batch of clips."""
        return self._programs.ground(self.params["net"], grounding)

    def decode(
        self, latents: Float[Array, "frame height width channel"]
    ) -> UInt8[np.ndarray, "frame pixel_height pixel_width 3"]:
        """Latents to frames of 0..255."""
        return np.asarray(self._programs.decode(self.params["autoencoder"], latents))


class _Programs:
    """The compiled functions of a preset."""

    def __init__(self, preset: Preset):
        autoencoder, clip = Autoencoder(preset.autoencoder), CLIP(preset.clip)

        @partial(jax.jit, static_argnames="video")
        def unet(params, latents, timesteps, text, grounding, *, video):
            return UNet3D(preset.unet).apply(
                {"params": params}, latents, timesteps, text, grounding, video=video
            )

        @jax.jit
        def decode(params, latents):
            images = autoencoder.decode(params, latents)
            return jnp.clip(jnp.round((images + 1.0) * 127.5), 0, 255).astype(jnp.uint8)

        @jax.jit
        def prior(params, key, embedding, states, null_embedding, null_states):
            drawn = sample_embeddings(
                PriorTransformer(preset.prior),
                params,
                key,
                embedding,
                states,
                null_embedding,
                null_states,
            )
            return drawn / jnp.linalg.norm(drawn, axis=-1, keepdims=True)

        self.unet, self.decode, self.prior = unet, decode, prior
        self.text = jax.jit(clip.text)
        self.embed_text = jax.jit(clip.embed_text)
        self.project_text = jax.jit(clip.project_text)
        self.embed_image = jax.jit(clip.embed_image)
        self.ground = jax.jit(lambda p, g: GroundingNet(preset.grounding).apply({"params": p}, g))


def _middle_square(picture: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) / 2, (width - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(
        Image.fromarray(picture).resize((size, size), Image.Resampling.LANCZOS, box=box)
    )


def blank_grounding(preset: Preset, batch: int, frames: int) -> Grounding:
    """A `Grounding` in which nobody is present."""
    n, width = preset.grounding.max_entities, preset.clip.projection_dim
    return Grounding(
        boxes=jnp.zeros((batch, frames, n, 4)),
        present=jnp.zeros((batch, frames, n), bool),
        text=jnp.zeros((batch, n, width)),
        image=jnp.zeros((batch, n, width)),
        has_text=jnp.zeros((batch, n), bool),
        has_image=jnp.zeros((batch, n), bool),
    )


def load(source: str | Path = "storybook") -> LoadedModel:
    """Load a system by its preset's name ("toy" has tiny random weights) or from its folder.

    Raises:
        UserError: there is no such preset or folder.
        WeightsError: a weight file is missing or damaged.
    """
    if source == "toy":
        return _random_toy()
    if Path(source).is_dir():
        return _newest(Path(source))
    if str(source) not in known_presets():
        raise UserError(
            f"preset {str(source)!r} is neither known nor a folder of weights: "
            f"use {' or '.join(known_presets())}, or name such a folder"
        )
    return _newest(shipped_folder(str(source)))


def _newest(folder: Path) -> LoadedModel:
    """The folder's model, read again where its manifest was written anew."""
    manifest = folder / MANIFEST
    return _from_folder(folder, manifest.stat().st_mtime_ns if manifest.exists() else 0)


@lru_cache(maxsize=2)
def _from_folder(folder: Path, written: int) -> LoadedModel:
    del written
    read_checked(folder, "tokenizer.json")  # refused here where it is damaged
    trees, configs = {}, {}
    for part in PARTS:
        tree, config = load_checked(folder, part)
        trees[part] = jax.tree_util.tree_map(lambda x: jnp.asarray(x, jnp.float32), tree)
        configs[part] = config or {}
    unet = configs["unet"]
    parts = {name: configs[name] for name in ("autoencoder", "clip", "prior")}
    preset = Preset.from_json({**unet, **parts, "grounding": configs["guided"]})
    params = {name: trees[name] for name in ("autoencoder", "clip", "prior")}
    params["unet"] = merge_params(trees["unet"], trees["guided"]["unet"])
    params["net"] = trees["guided"]["net"]
    return LoadedModel(
        preset, params, Tokenizer(folder / "tokenizer.json", preset.clip.text_positions)
    )


@lru_cache(maxsize=1)
def _random_toy() -> LoadedModel:
    """Tiny and untrained: its films are noise, its shapes and code paths are the real ones."""
    preset = Preset.toy()
    width, length = preset.clip.projection_dim, preset.clip.text_positions

    def init() -> dict[str, Any]:
        key = jax.random.key(0)
        text = jnp.zeros((1, width)), jnp.zeros((1, length, preset.clip.text_width))
        network = PriorTransformer(preset.prior)
        net = GroundingNet(preset.grounding)
        return {
            "autoencoder": Autoencoder(preset.autoencoder).init(key),
            "clip": CLIP(preset.clip).init(key),
            "unet": init_unet(preset.unet, key),
            "net": net.init(key, blank_grounding(preset, 1, 1))["params"],
            "prior": network.init(key, text[0], jnp.zeros((1,), jnp.int32), *text)["params"],
        }

    params = fill_params(jax.eval_shape(init))
    statistics = {"clip_mean": jnp.zeros(width), "clip_std": jnp.ones(width)}
    params["prior"] = {"network": params["prior"], **statistics}
    tokenizer = Tokenizer(Path(__file__).with_name("toy_tokenizer.json"), length)
    return LoadedModel(preset, params, tokenizer)


def known_presets() -> list[str]:
    """What `load` takes by name."""
    from vdjax.weights.store import shipped_presets

    return [*shipped_presets(), "toy"]


__all__ = ["PARTS", "LoadedModel", "UserError", "blank_grounding", "known_presets", "load"]
