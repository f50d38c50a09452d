"""A system's parts with their weights in memory: what every paper's order of steps is written with.

`load("storybook")` (or a folder of weights) gives a `LoadedModel`; its methods take words, boxes
and pictures and give embeddings, tokens, predictions and frames. Programs are compiled once per
preset and shape. A folder that `vdjax weights convert` made is mapped into memory in the dtypes it
has, and may hold some of the parts only: a method that needs another says which.
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

from vdjax.errors import UserError, WeightsError
from vdjax.ground.clip_tokenizer import ClipTokenizer
from vdjax.ground.pictures import tower_pixels
from vdjax.ground.prior import PriorTransformer, sample_embeddings
from vdjax.ground.tokenizer import Tokenizer
from vdjax.ground.tokens import Grounding, GroundingNet, picture_variance
from vdjax.model.hf import CLIP, Autoencoder
from vdjax.model.params import fill_params, init_unet
from vdjax.model.unet3d import UNet3D
from vdjax.runtime import Compiled, jit
from vdjax.systems.memory import check_memory
from vdjax.weights.parts import KNOWN, Part, clip_parts, read_parts, tokenizer_of
from vdjax.weights.presets import (
    PRESETS,
    PUBLIC_PARTS,
    PUBLIC_SYSTEMS,
    Preset,
    get_preset,
)
from vdjax.weights.size import denoiser_size
from vdjax.weights.store import (
    MANIFEST,
    load_checked,
    map_checked,
    read_checked,
    read_manifest,
    shipped_folder,
)
from vdjax.weights.system import faults, preset_of, trees_of

PARTS = ("autoencoder", "clip", "unet", "prior", "guided")
"""The weight files of a system that was trained here."""


@dataclass(frozen=True)
class LoadedModel:
    """Configurations, tokenizers, and parameters by part: autoencoder, clip, unet, net, prior, and
    text_encoder where the preset has one, whose tokenizer is `scene_tokenizer`."""

    preset: Preset
    params: dict[str, Any]
    tokenizer: Tokenizer | ClipTokenizer | None
    scene_tokenizer: ClipTokenizer | None = None
    folder: Path | None = None

    @cached_property
    def _programs(self) -> _Programs:
        return _Programs(self.preset)

    def part(self, name: str) -> Any:
        """The parameters of a part, by its name in `params`.

        Raises:
            UserError: it is not among what was loaded.
        """
        if name in self.params:
            return self.params[name]
        if name == "net":
            raise UserError(
                f"{self._who} has no gated layers, so boxes can guide nothing: use alpha 0, which "
                "lets words alone decide, or a network that has them, as from `vdjax weights "
                f"convert {PUBLIC_SYSTEMS['lvd']} FOLDER`"
            )
        raise UserError(self._lacks(*PUBLIC_PARTS[name]))

    def unet(
        self,
        latents: Float[Array, "batch frame height width channel"],
        timesteps: Num[Array, " batch"],
        text: Float[Array, "batch length text_width"],
        grounding: Float[Array, "batch frame token grounding_width"] | None = None,
        *,
        video: bool = True,
    ) -> Float[Array, "batch frame height width channel"]:
        """The UNet's prediction, in the shape of `latents`; without `grounding` no gate is run.

        Raises:
            UserError: there is no UNet, or none that heeds `grounding`.
        """
        if grounding is not None:
            self.part("net")
        return self._programs.unet(
            self.part("unet"), latents, timesteps, text, grounding, video=video
        )

    def encode_text(self, texts: Sequence[str]) -> Float[Array, "text length width"]:
        """Token states of each text, for the UNet's cross-attention."""
        if self.preset.text_encoder is None:
            return self._states(texts)
        rows = self._rows(self.part("text_encoder"), self.scene_tokenizer, texts)
        return jnp.asarray(np.concatenate([self._programs.scene_text(*row)[0] for row in rows]))

    def embed_text(self, texts: Sequence[str]) -> Float[Array, "text projection"]:
        """Unit-length CLIP embeddings of texts."""
        rows = [self._programs.embed_text(*row) for row in self._entity_rows(texts)]
        return jnp.asarray(np.concatenate(rows))

    def tell_entities(self, names: Sequence[str]) -> Float[Array, "text width"]:
        """What the grounding net knows entities by: unit-length embeddings of their names, or, of
        GLIGEN's kind, the text tower's state at the names' end."""
        if not self.preset.grounding.raw_features:
            return self.embed_text(names)
        rows = [self._programs.text(*row)[1] for row in self._entity_rows(names, shared=False)]
        return jnp.asarray(np.concatenate(rows))

    def _states(self, texts: Sequence[str]) -> Float[Array, "text length width"]:
        """Token states of the CLIP that tells entities."""
        rows = [self._programs.text(*row)[0] for row in self._entity_rows(texts, shared=False)]
        return jnp.asarray(np.concatenate(rows))

    def _project_text(self, texts: Sequence[str]) -> Float[Array, "text projection"]:
        """CLIP embeddings of texts at the length they come in."""
        rows = [self._programs.project_text(*row) for row in self._entity_rows(texts)]
        return jnp.asarray(np.concatenate(rows))

    def _entity_rows(
        self, texts: Sequence[str], *, shared: bool = True
    ) -> list[tuple[Any, np.ndarray]]:
        """Rows for the CLIP that tells entities; `shared` asks for its space of pictures too."""
        params, clip = self.part("clip"), self.preset.clip
        if not clip.text_layers or (shared and not clip.projection_dim):
            raise UserError(self._lacks(*PUBLIC_PARTS["clip"]))
        return self._rows(params, self.tokenizer, texts)

    def _rows(self, params, tokenizer, texts: Sequence[str]) -> list[tuple[Any, np.ndarray]]:
        """Text by text, so that their number compiles nothing and no text changes another's."""
        if tokenizer is None:
            raise UserError(
                f"{self._who} has a text tower without its tokenizer: put vocab.json and "
                "merges.txt beside the weights it was converted from, and convert them again"
            )
        return [(params, ids[None]) for ids in tokenizer(texts)]

    def embed_pictures(
        self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]
    ) -> Float[Array, "picture projection"]:
        """Unit-length CLIP embeddings of pictures of any size; each is cut to its middle square."""
        params, clip = self.part("clip"), self.preset.clip
        if not clip.vision_layers:
            raise UserError(self._lacks("image tower of CLIP", PUBLIC_PARTS["clip"][1]))
        return self._programs.embed_image(params, tower_pixels(pictures, clip))

    def imagine(
        self, texts: Sequence[str], keys: Sequence[jax.Array]
    ) -> Float[Array, "text projection"]:
        """One unit-length image embedding per text, drawn by the prior with a key of its own.

        Where grounding tokens carry pictures it is the surest of `prior.draws`.
        """
        params, config = self.part("prior"), self.preset.prior
        net = self.params.get("net")
        told = [*texts, ""]
        embed = self.embed_text if config.unit_text else self._project_text
        embedding, states = embed(told), self._states(told)
        masks = None
        if config.mask_padding and self.tokenizer is not None:
            masks = self.tokenizer.mask(told)
        draw = self._programs.prior
        drawn = [
            draw(
                params,
                net,
                key,
                embedding[i : i + 1],
                states[i : i + 1],
                embedding[-1:],
                states[-1:],
                () if masks is None else (masks[i : i + 1], masks[-1:]),
            )
            for i, key in enumerate(keys)
        ]
        return jnp.asarray(np.concatenate(drawn))

    def ground(self, grounding: Grounding) -> Float[Array, "batch frame token width"]:
        """Grounding tokens of a batch of clips."""
        return self._programs.ground(self.part("net"), grounding)

    def decode(
        self, latents: Float[Array, "frame height width channel"]
    ) -> UInt8[np.ndarray, "frame pixel_height pixel_width 3"]:
        """Latents to frames of 0..255."""
        return np.asarray(self._programs.decode(self.part("autoencoder"), latents))

    @property
    def decoder(self) -> Compiled:
        """What `decode` runs: the autoencoder's parameters and latents in, frames out."""
        return self._programs.decode

    def compile_decoder(self, latents: Float[Array, "frame height width channel"]) -> None:
        """Compile `decode` for such latents, and run nothing."""
        self._programs.decode.program().lower(self.part("autoencoder"), latents).compile()

    @property
    def _who(self) -> str:
        return str(self.folder or f"preset {self.preset.name!r}")

    def _lacks(self, what: str, public: str) -> str:
        return (
            f"{self._who} has no {what}: bring one by `vdjax weights convert {public} "
            f"{self.folder or 'FOLDER'}`"
        )


class _Programs:
    """The compiled functions of a preset."""

    def __init__(self, preset: Preset):
        autoencoder, clip = Autoencoder(preset.autoencoder), CLIP(preset.clip)
        scenes = clip if preset.text_encoder is None else CLIP(preset.text_encoder)

        @partial(jit, static_argnames="video")
        def unet(params, latents, timesteps, text, grounding, *, video):
            return UNet3D(preset.unet).apply(
                {"params": params}, latents, timesteps, text, grounding, video=video
            )

        @jit
        def decode(params, latents):
            images = autoencoder.decode(params, latents)
            return jnp.clip(jnp.round((images + 1.0) * 127.5), 0, 255).astype(jnp.uint8)

        @jit
        def prior(params, net, key, embedding, states, null_embedding, null_states, masks):
            choose = net is not None and preset.grounding.picture_waves and preset.prior.draws > 1
            each = partial(jnp.repeat, repeats=preset.prior.draws if choose else 1, axis=0)
            embedding = each(embedding)
            drawn = sample_embeddings(
                PriorTransformer(preset.prior),
                params,
                key,
                embedding,
                each(states),
                null_embedding,
                null_states,
                *map(each, masks[:1]),
                *masks[1:],
            )
            drawn = drawn / jnp.linalg.norm(drawn, axis=-1, keepdims=True)
            if not choose:
                return drawn
            unsure = picture_variance(preset.grounding, net, embedding, drawn)
            return drawn[jnp.argmin(unsure)][None]

        self.unet, self.decode, self.prior = unet, decode, prior
        self.text = jit(clip.text)
        self.scene_text = jit(scenes.text)
        self.embed_text = jit(clip.embed_text)
        self.project_text = jit(clip.project_text)
        self.embed_image = jit(clip.embed_image)
        self.ground = jit(lambda p, g: GroundingNet(preset.grounding).apply({"params": p}, g))


def blank_grounding(preset: Preset, batch: int, frames: int) -> Grounding:
    """A `Grounding` in which nobody is present."""
    g = preset.grounding
    n = g.max_entities
    return Grounding(
        boxes=jnp.zeros((batch, frames, n, 4)),
        present=jnp.zeros((batch, frames, n), bool),
        text=jnp.zeros((batch, n, g.text_width)),
        image=jnp.zeros((batch, n, g.image_width)),
        has_text=jnp.zeros((batch, n), bool),
        has_image=jnp.zeros((batch, n), bool),
    )


def load(source: str | Path = "storybook") -> LoadedModel:
    """Load a system by its preset's name ("toy" has tiny random weights) or from its folder.

    A folder that was converted keeps its dtypes and is mapped into memory, not read.

    Raises:
        UserError: there is no such preset or folder, its weights are to be converted first, or the
            memory does not hold them.
        WeightsError: a weight file is missing or damaged, or not what its configuration says.
    """
    if source == "toy":
        return _random_toy()
    if Path(source).is_dir():
        return _newest(Path(source))
    name = str(source)
    if name in PRESETS and name not in known_presets():
        count = sum(denoiser_size(get_preset(name)).values())
        raise UserError(
            f"preset {name!r} is known, and its weights do not come with vdjax: write `vdjax "
            f"weights convert {PUBLIC_SYSTEMS[name]} FOLDER` and load FOLDER; its {count:,} "
            f"parameters take {4 * count / 1e9:.1f} GB in float32, {2 * count / 1e9:.1f} GB in "
            "bfloat16"
        )
    if Path(source).is_file():
        raise UserError(
            f"{source} is a file: write `vdjax weights convert {source} FOLDER` and load FOLDER"
        )
    if name not in known_presets():
        raise UserError(
            f"preset {name!r} is neither known nor a folder of weights: "
            f"use {' or '.join(known_presets())}, or name such a folder"
        )
    return _newest(shipped_folder(name))


def _newest(folder: Path) -> LoadedModel:
    """The folder's model, read again where its manifest was written anew."""
    manifest = folder / MANIFEST
    return _from_folder(folder, manifest.stat().st_mtime_ns if manifest.exists() else 0)


@lru_cache(maxsize=2)
def _from_folder(folder: Path, written: int) -> LoadedModel:
    del written
    parts = {name: part for name, part in read_parts(folder).items() if name in KNOWN}
    if not parts:
        raise WeightsError(f"{folder} holds none of {', '.join(KNOWN)}: it is no system's folder")
    check_memory(folder, list(parts.values()))
    # Checked against the manifest before any of their configurations is believed.
    trees = {name: _tree(folder, part) for name, part in parts.items()}
    preset = preset_of(parts)
    if found := faults({name: part for name, part in parts.items() if part.mapped}, preset):
        more = f" (and {len(found) - 1} more: `vdjax weights check {folder}`)"
        raise WeightsError(found[0] + more * (len(found) > 1))
    tokenizer: Tokenizer | ClipTokenizer | None = None
    if told := clip_parts(parts):
        tokenizer = _clip_tokenizer(folder, told[0])
    if tokenizer is None and "tokenizer.json" in read_manifest(folder):
        read_checked(folder, "tokenizer.json")  # refused here where it is damaged
        tokenizer = Tokenizer(folder / "tokenizer.json", preset.clip.text_positions)
    scenes = None if preset.text_encoder is None else _clip_tokenizer(folder, "text_encoder")
    return LoadedModel(preset, trees_of(trees), tokenizer, scenes, folder)


def _tree(folder: Path, part: Part) -> dict[str, Any]:
    """A part's leaves: as they lie on the disk where they are mapped, in float32 otherwise."""
    name = part.path.stem
    if part.mapped:
        # Where leaves are aligned, a processor takes the mapped memory itself: nothing is copied.
        mapped: dict[str, Any] = jax.device_put(map_checked(folder, name)[0])
        return mapped
    tree, _ = load_checked(folder, name)
    widened: dict[str, Any] = jax.tree_util.tree_map(lambda x: jnp.asarray(x, jnp.float32), tree)
    return widened


def _clip_tokenizer(folder: Path, part: str) -> ClipTokenizer | None:
    file = tokenizer_of(part)
    if file not in read_manifest(folder):
        return None
    read_checked(folder, file)
    return ClipTokenizer(folder / file)


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
