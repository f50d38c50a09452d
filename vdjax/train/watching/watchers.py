"""The watchers of layout training, each one question asked every so many steps.

Parameters enter, trained and frozen as `GuidedStage` has them; named numbers for the log leave.
Gates are GLIGEN's (equations 8 and 9). A box is heeded where attention lies inside it more than its
area says, and where a detector finds in it what was asked for.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdjax.evaluate import statistics
from vdjax.evaluate.accuracy import FOUND
from vdjax.evaluate.detections import Detection, Detector
from vdjax.evaluate.skills import box_overlaps
from vdjax.evaluate.statistics import Figure
from vdjax.files import replace_file
from vdjax.inspect.attention import AttentionRecord, Spot, chance, mass_in_box, record_attention
from vdjax.inspect.gates import read_gates
from vdjax.train.diffusion import add_noise, alphas_cumprod
from vdjax.train.guided import networks
from vdjax.train.watching.held_out import Decode, HeldOut, Painter, decoded, noise_of, read
from vdjax.train.watching.sheet import Row, contact_sheet
from vdjax.weights.presets import Preset

LOOKED_AT = (0.9, 0.6, 0.3)
"""Noise levels at which attention is recorded, as shares of the training timesteps."""


@dataclass(frozen=True, kw_only=True)
class Gates:
    """tanh of both gates of each layer: `gate/down 0.0/attention`, `gate/down 0.0/dense`, ...; and
    `gate/mean`, the mean size of the attention's."""

    every: int = 100

    def __call__(self, step: int, params: Any, frozen: Any) -> Mapping[str, float]:
        gates = read_gates(networks(params, frozen)[0])
        found = {"gate/mean": float(np.mean([abs(gate.attention) for gate in gates]))}
        for gate in gates:
            found[f"gate/{gate.layer}/attention"] = gate.attention
            found[f"gate/{gate.layer}/dense"] = gate.dense
        return found


@dataclass(frozen=True, kw_only=True)
class Attention:
    """How much of the attention that an entity's token gets comes from inside its box.

    `attention/inside` is the mean over entities, gated layers, heads and noise levels, with its
    95 % interval over entities; `attention/chance` what even attention would give, the boxes' mean
    area; `attention/inside/t900` the same at one noise level.
    """

    preset: Preset
    held_out: HeldOut
    every: int = 500

    def __call__(self, step: int, params: Any, frozen: Any) -> Mapping[str, float]:
        params, frozen = jax.device_put((params, frozen))
        text, tokens = read(self.preset, params, frozen, self._rows)
        unet, _ = networks(params, frozen)
        config = replace(self.preset.unet, temporal=False)
        inside: list[Float[np.ndarray, " step"]] = []
        even: list[float] = []
        for at, visited in enumerate(self._visited):
            one = slice(at, at + 1)
            record = record_attention(config, unet, visited, self._times, text[one], tokens[one])
            for place, name in enumerate(self.held_out.entities[at]):
                if name:
                    x0, y0, x1, y1 = map(float, self.held_out.rows["inside"][at, 0, place])
                    box = (x0, y0, x1, y1)
                    inside.append(_inside(record, box, place, self._places))
                    even.append(float(chance([box])[0]))
        if not inside:
            return {}
        levels = np.mean(inside, axis=0)
        return {
            **_figure("attention/inside", statistics.mean([float(x.mean()) for x in inside])),
            "attention/chance": float(np.mean(even)),
            **{
                f"attention/inside/t{time}": float(level)
                for time, level in zip(self._times, levels, strict=True)
            },
        }

    @property
    def _rows(self) -> dict[str, np.ndarray]:
        return {k: v for k, v in self.held_out.rows.items() if k not in ("latents", "inside")}

    @property
    def _places(self) -> int:
        return int(self.held_out.rows["present"].shape[2])

    @property
    def _times(self) -> tuple[int, ...]:
        count = self.preset.noise.num_train_timesteps
        return tuple(round(share * count) for share in LOOKED_AT)

    @cached_property
    def _visited(self) -> list[list[Float[Array, "1 1 height width channel"]]]:
        """Per sample its latents at each noise level, always with the same noise."""
        latents = jnp.asarray(self.held_out.rows["latents"], jnp.float32)
        noise = jnp.asarray(noise_of(self.held_out))
        bars = jnp.asarray(alphas_cumprod(self.preset.noise))
        times = [jnp.array([time]) for time in self._times]
        return [
            [add_noise(x[None], e[None], time, bars)[0] for time in times]
            for x, e in zip(latents, noise, strict=True)
        ]


def _inside(
    record: AttentionRecord, box: Spot, place: int, places: int
) -> Float[np.ndarray, " step"]:
    """The share of a token's attention inside a box, per recorded step: the mean over layers.

    Unfused tokens come modality by modality: an entity then has one in each run of `places`.
    """
    shares = []
    for maps in record.maps.values():
        heat = maps[..., place::places].sum(-1).mean(2)[:, 0]
        shares.append(mass_in_box(heat, [box] * len(heat)))
    mean: np.ndarray = np.stack(shares).mean(axis=0)
    return mean


@dataclass(frozen=True, kw_only=True)
class Sheets:
    """A contact sheet in `folder`, `step_000500.png`: held-out pictures with their boxes, a sample
    with gates, and the same noise without.

    Logs `sheet/difference`, how far the two samples are apart: the mean over pixels, 0..1.
    """

    painter: Painter
    held_out: HeldOut
    decode: Decode
    folder: Path
    every: int = 500

    def __call__(self, step: int, params: Any, frozen: Any) -> Mapping[str, float]:
        given, painter = (params, frozen, self.held_out, self.decode), self.painter
        gates, without = (painter.paint(*given, gates=on) for on in (True, False))
        rows = [
            Row(title=title, boxes=self.held_out.boxes(at), pictures=pictures)
            for at, (title, *pictures) in enumerate(
                zip(self.held_out.titles, self._pictures, gates, without, strict=True)
            )
        ]
        legend = (
            f"Each row: a picture that training never reads (through the autoencoder) and its "
            f"boxes; a sample from caption and boxes; the same noise and caption with every gate "
            f"shut. {painter.steps} steps, guidance {painter.guidance:g}, averaged weights."
        )
        buffer = io.BytesIO()
        contact_sheet(f"Step {step:,}", legend, rows).save(buffer, "PNG")
        replace_file(self.folder / f"step_{step:06d}.png", buffer.getvalue())
        apart = np.abs(gates.astype(np.float32) - without.astype(np.float32)).mean() / 255.0
        return {"sheet/difference": float(apart)}

    @cached_property
    def _pictures(self) -> np.ndarray:
        return decoded(self.held_out, self.decode)


@dataclass(frozen=True, kw_only=True)
class Layouts:
    """Whether a detector finds things where held-out layouts put them, in still pictures.

    `layout/iou` is the overlap (IoU) of each box with what is found of its name, 0 where nothing
    is; `layout/found` the share of boxes filled to an IoU of 0.5; `layout/iou_without` the same as
    the first with the gates shut. 95 % intervals are over layouts. Names must be the detector's:
    the storybook's. The looks of entities are those of the held-out pictures, not drawn by the
    prior.
    """

    painter: Painter
    held_out: HeldOut
    decode: Decode
    detector: Detector
    every: int = 2000

    def __call__(self, step: int, params: Any, frozen: Any) -> Mapping[str, float]:
        overlaps = {}
        for gates in (True, False):
            pictures = self.painter.paint(params, frozen, self.held_out, self.decode, gates=gates)
            seen = self.detector.detect(pictures)
            pairs = [self._overlaps(at, one) for at, one in enumerate(seen)]
            overlaps[gates] = [one for one in pairs if len(one)]
        filled = [float((one >= FOUND).mean()) for one in overlaps[True]]
        return {
            **_figure("layout/iou", _over_layouts(overlaps[True])),
            **_figure("layout/found", statistics.mean(filled)),
            **_figure("layout/iou_without", _over_layouts(overlaps[False])),
        }

    def _overlaps(self, at: int, seen: list[Detection]) -> Float[np.ndarray, " box"]:
        found = [box_overlaps(seen, some, name) for name, some in self.held_out.boxes(at).items()]
        return np.concatenate(found or [np.zeros(0)])


def _over_layouts(overlaps: list[np.ndarray]) -> Figure:
    return statistics.mean([float(one.mean()) for one in overlaps])


def _figure(name: str, figure: Figure) -> dict[str, float]:
    """A figure and its interval, for the log; nothing where there was nothing to measure."""
    values = {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return {key: value for key, value in values.items() if value is not None}


def layout_watchers(
    preset: Preset,
    held_out: HeldOut,
    decode: Decode,
    run: Path,
    *,
    every: int = 500,
    shown: int = 4,
    detector: Detector | None = None,
) -> tuple[Any, ...]:
    """All that fit: gates five times as often as the rest; layouts only with a `detector`.

    Sheets show the first `shown` of the layouts and go to `run`/sheets.
    """
    painter = Painter(preset=preset)
    few = held_out.first(shown)
    sheets = Sheets(
        painter=painter, held_out=few, decode=decode, folder=Path(run) / "sheets", every=every
    )
    watchers: tuple[Any, ...] = (
        Gates(every=max(1, every // 5)),
        Attention(preset=preset, held_out=held_out, every=every),
        sheets,
    )
    if detector is None:
        return watchers
    layouts = Layouts(
        painter=painter, held_out=held_out, decode=decode, detector=detector, every=every
    )
    return (*watchers, layouts)
