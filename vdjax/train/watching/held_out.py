"""Held-out layouts, and the network as it stands drawing them as still pictures.

Samples that training never reads enter, and the parameters of a step; latents and frames leave.
Pictures are drawn in image mode (temporal layers bypassed), as the layers are trained
(VideoDirectorGPT, section 3.2), from the same noise each time, with the gates on at every step or
at none: one compiled program draws both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from vdjax.data.encoded import EncodedData
from vdjax.data.storybook import NAMES
from vdjax.errors import UserError
from vdjax.ground.tokens import Grounding, GroundingNet
from vdjax.model.hf import CLIP
from vdjax.runtime import jit
from vdjax.sample.loop import Conditions, Sampler
from vdjax.train.cache import NOBODY
from vdjax.train.guided import Recipe, networks, told
from vdjax.train.rows import LayoutData, StorybookRows
from vdjax.weights.presets import Preset

SEED = 1931
"""Of what is watched: its noise, and the storybook's pictures, which are of the validation split.
Neither training (split "train") nor the evaluation of the model card reads that: its layouts are
the plans of `vdjax.evaluate.plans`, its detector's pictures the split "held_out"."""

AT_ONCE = 4
"""Layouts drawn in one call: memory is bounded by these, however many are watched."""

Decode = Callable[
    [Float[Array, "frame height width channel"]],
    UInt8[np.ndarray, "frame pixel_height pixel_width 3"],
]
"""Latents to frames: `LoadedModel.decode`."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """A fixed batch of layouts.

    Attributes:
        rows: what `GuidedStage.batch` gives, of one frame and with nothing dropped at random.
        titles: what people know the samples by, and their captions where the data has words.
        entities: per sample, what stands in each place but the last (the background's); "" where
            nobody does.
        empty_ids: the tokens of no caption.
    """

    rows: Mapping[str, np.ndarray]
    titles: tuple[str, ...]
    entities: tuple[tuple[str, ...], ...]
    empty_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.titles)

    @classmethod
    def of(
        cls, data: LayoutData, count: int, empty_ids: np.ndarray, recipe: Recipe | None = None
    ) -> HeldOut:
        """The first `count` samples of `data` (fewer where it has fewer), told as `recipe` tells.

        Entities are called what the data calls them; where it has no words, by numbers from 1.

        Raises:
            UserError: there is no sample to watch.
        """
        if count < 1 or not len(data):
            raise UserError(
                f"{min(count, len(data))} held-out layouts to watch: give data of one sample at "
                "least, or train without watchers"
            )
        r = recipe or Recipe()
        indices = np.arange(min(count, len(data)))
        rows = dict(data.rows(indices))
        for name in ("latents", "boxes", "present"):
            rows[name] = rows[name][:, :1]
        places = rows["present"].shape[0], rows["present"].shape[2]
        rows |= {
            "boxes": np.ascontiguousarray(told(rows["boxes"], r.place)),
            "inside": rows["boxes"],
            "has_text": np.full(places, r.told_by != "image"),
            "has_image": np.full(places, r.told_by != "text"),
        }
        return cls(
            rows=rows,
            titles=tuple(_titles(data, indices)),
            entities=tuple(
                tuple(name if there else "" for name, there in zip(names, seen, strict=True))
                for names, seen in zip(
                    _names(data, indices, places[1] - 1), rows["present"][:, 0, :-1], strict=True
                )
            ),
            empty_ids=np.asarray(empty_ids),
        )

    def first(self, count: int) -> HeldOut:
        """The first `count` of these layouts."""
        rows = {name: value[:count] for name, value in self.rows.items()}
        return replace(self, rows=rows, titles=self.titles[:count], entities=self.entities[:count])

    def boxes(self, at: int) -> dict[str, list[tuple[float, float, float, float]]]:
        """The boxes of sample `at` by name, as they are, whatever the recipe tells of them."""
        found: dict[str, list[tuple[float, float, float, float]]] = {}
        for name, box in zip(self.entities[at], self.rows["inside"][at, 0, :-1], strict=True):
            if name:
                x0, y0, x1, y1 = map(float, box)
                found.setdefault(name, []).append((x0, y0, x1, y1))
        return found


def _titles(data: LayoutData, indices: np.ndarray) -> list[str]:
    names = data.names(indices)
    if not isinstance(data, EncodedData):
        return names
    captions = [caption for caption, _ in data.texts(indices)]
    return [f"{name}: {said}" for name, said in zip(names, captions, strict=True)]


def _names(data: LayoutData, indices: np.ndarray, places: int) -> list[list[str]]:
    if isinstance(data, StorybookRows):
        rows = data.samples.names[indices]
        return [["" if at == NOBODY else NAMES[at] for at in row] for row in rows]
    if isinstance(data, EncodedData):
        said = [phrases for _, phrases in data.texts(indices)]
        return [[*phrases, *[""] * (places - len(phrases))] for phrases in said]
    return [[str(place + 1) for place in range(places)] for _ in indices]


@partial(jit, static_argnums=0)
def read(
    preset: Preset, params: Any, frozen: Any, rows: Mapping[str, Any]
) -> tuple[Float[Array, "batch length text_width"], Float[Array, "batch frame token width"]]:
    """Token states of the captions, and grounding tokens, of a batch."""
    states, _ = CLIP(preset.scene_text).text(frozen["text"], rows["ids"])
    grounding = Grounding(**{name: rows[name] for name in Grounding.__dataclass_fields__})
    _, net = networks(params, frozen)
    tokens: Any = GroundingNet(preset.grounding).apply({"params": net}, grounding)
    return states, tokens


@dataclass(frozen=True, kw_only=True)
class Painter:
    """Draws held-out layouts; its program is compiled once for a run.

    Steps and guidance are the preset's own where they are None.
    """

    preset: Preset
    num_inference_steps: int | None = None
    guidance_scale: float | None = None

    @property
    def steps(self) -> int:
        return self.num_inference_steps or self.preset.num_inference_steps

    @property
    def guidance(self) -> float:
        own = self.preset.guidance_scale
        return own if self.guidance_scale is None else self.guidance_scale

    @property
    def sampler(self) -> Sampler:
        # Without temporal layers a frame is an image of its own.
        unet = replace(self.preset.unet, temporal=False)
        return Sampler(unet=unet, noise=self.preset.noise, num_inference_steps=self.steps)

    def paint(
        self, params: Any, frozen: Any, held_out: HeldOut, decode: Decode, *, gates: bool
    ) -> UInt8[np.ndarray, "layout height width 3"]:
        """A picture of each layout; without `gates` the same noise and caption, and no layout."""
        params, frozen = jax.device_put((params, frozen))
        switch = np.int32(self.steps if gates else 0)
        noise = noise_of(held_out)
        pictures = []
        for first in range(0, len(held_out), AT_ONCE):
            # The last ones are drawn again where there are too few: one shape, one program.
            at = np.minimum(np.arange(first, first + AT_ONCE), len(held_out) - 1)
            rows = {name: value[at] for name, value in held_out.rows.items() if name in _READ}
            latents = self._paint(params, frozen, rows, held_out.empty_ids, noise[at], switch)
            # By way of this machine's memory: parameters may lie on many devices, the decoder's
            # lie on one.
            pictures.append(np.asarray(decode(jnp.asarray(np.asarray(latents[:, 0])))))
        return np.concatenate(pictures)[: len(held_out)]

    @partial(jit, static_argnums=0)
    def _paint(
        self, params: Any, frozen: Any, rows: Any, empty_ids: Any, noise: Any, switch: Any
    ) -> Any:
        nobody = jnp.zeros_like(rows["present"])
        without = {**rows, "ids": jnp.broadcast_to(empty_ids, rows["ids"].shape), "present": nobody}
        both = {name: jnp.concatenate([without[name], rows[name]]) for name in rows}
        text, tokens = read(self.preset, params, frozen, both)
        conditions = Conditions(text=text, grounding=tokens)
        scale = jnp.float32(self.guidance)
        unet, _ = networks(params, frozen)
        return self.sampler.denoise(unet, noise, conditions, scale, switch)


_READ = ("ids", *Grounding.__dataclass_fields__)


def noise_of(held_out: HeldOut) -> Float[np.ndarray, "layout 1 height width channel"]:
    """Standard normal noise of each layout, always the same, whatever else is watched."""
    shape = held_out.rows["latents"].shape[1:]
    rngs = (np.random.default_rng([SEED, at]) for at in range(len(held_out)))
    return np.stack([rng.standard_normal(shape, np.float32) for rng in rngs])


def decoded(held_out: HeldOut, decode: Decode) -> UInt8[np.ndarray, "layout height width 3"]:
    """The pictures themselves, as the autoencoder gives them back."""
    latents = held_out.rows["latents"][:, 0].astype(np.float32)
    pictures = []
    for first in range(0, len(latents), AT_ONCE):
        at = np.minimum(np.arange(first, first + AT_ONCE), len(latents) - 1)
        pictures.append(np.asarray(decode(jnp.asarray(latents[at]))))
    return np.concatenate(pictures)[: len(latents)]
