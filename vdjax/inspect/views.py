"""What is shown of an attention record: one token's maps, their scale of colours, their boxes.

A record and the names of a step, a layer, a head and a token enter; maps over the frames, the
values of the darkest and the brightest colour, and the boxes that belong to tokens leave. Figures
and widgets stand on the same numbers. Steps, heads and frames count from 1, as they are shown; None
is the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from vdjax.errors import UserError
from vdjax.inspect.records import AttentionRecord, Kind, Spot, chance, enlarged, mass_in_box
from vdjax.plan import VideoPlan, base_name, frame_boxes

NORMS = ("map", "step", "absolute")

Track = Sequence[Spot | None]
Shown = Float[np.ndarray, "step frame height width token"]


def layer_maps(
    record: AttentionRecord,
    layer: str | None = None,
    head: int | None = None,
    token: str | None = None,
) -> Shown:
    """The maps of one layer for all steps; as one more step behind them, their mean over the steps.

    None takes the mean over layers, at the resolution of the finest, or over heads. The mean over
    steps of a grounding token is over the steps that ran with gates. With a `token` its maps alone
    are there.

    Raises:
        UserError: there is no such layer, head or token, or a head of the mean over layers was
            asked for.
    """
    places = slice(None)
    if token is not None:
        places = slice(record.place(token), record.place(token) + 1)
    if layer is None:
        if head is not None:
            raise UserError(f"head {head} of the mean over layers: name a layer, or leave it out")
        means = [maps[..., places].mean(axis=2) for maps in record.maps.values()]
        size = [max(mean.shape[axis] for mean in means) for axis in (2, 3)]
        maps = np.mean([enlarged(mean, *size) for mean in means], axis=0)
    elif layer not in record.maps:
        raise UserError(f"layer {layer!r} was not recorded; there are {', '.join(record.layers)}")
    elif head is None:
        maps = record.maps[layer][..., places].mean(axis=2)
    else:
        heads = record.maps[layer].shape[2]
        if not 1 <= head <= heads:
            raise UserError(f"head is {head}: layer {layer!r} has heads 1 to {heads}")
        maps = record.maps[layer][:, :, head - 1, ..., places]
    counted = np.ones((len(record.gated), len(record.tokens)), np.float32)
    counted[np.ix_(np.logical_not(record.gated), of_kind(record, "box"))] = 0.0
    counted /= np.maximum(counted.sum(axis=0), 1.0)
    mean = np.einsum("sfhwt,st->fhwt", maps, counted[:, places])
    return np.concatenate([maps, mean[None]])


def check_comparable(first: AttentionRecord, second: AttentionRecord) -> None:
    """Refuse to put records side by side that are not of the same steps, frames and layers.

    Raises:
        UserError: they are not.
    """
    for what, one, other in (
        ("steps", first.timesteps, second.timesteps),
        ("frames", first.frames, second.frames),
        ("layers", first.layers, second.layers),
    ):
        if one != other:
            raise UserError(
                f"the first record has {what} {one}, the second {other}: compare two that were "
                "recorded alike"
            )


def of_kind(record: AttentionRecord, kind: Kind) -> Bool[np.ndarray, " token"]:
    """Which tokens are of a kind: only these are compared by colour."""
    return np.array([token.kind == kind for token in record.tokens], bool)


def most(records: Iterable[AttentionRecord], kind: Kind, heads: bool = False) -> float:
    """The most of a kind's weights anywhere: of the means over heads, or of single heads."""
    found = [0.0]
    for record in records:
        if (which := of_kind(record, kind)).any():
            for maps in record.maps.values():
                shown = maps if heads else maps.mean(axis=2)
                found.append(float(shown[..., which].max()))
    return max(found)


@dataclass(frozen=True)
class Look:
    """A token at a step, a layer and a head, from 1 and None for the mean, and what its colours are
    measured by.

    `norm` takes the values of the darkest and the brightest colour from each "map" itself; from all
    frames at that "step" (and layer and head); or, "absolute", from 0 to the most in the record.
    """

    token: str
    step: int | None = None
    layer: str | None = None
    head: int | None = None
    norm: str = "step"

    def heat(self, record: AttentionRecord) -> Float[np.ndarray, "frame height width"]:
        """The token's maps over the frames.

        Raises:
            UserError: there is no such token, step, layer or head.
        """
        count = len(record.timesteps)
        if self.step is not None and not 1 <= self.step <= count:
            raise UserError(f"step is {self.step}: steps 1 to {count} were recorded")
        maps = layer_maps(record, self.layer, self.head, self.token)
        return maps[-1 if self.step is None else self.step - 1, ..., 0]

    def limits(self, *records: AttentionRecord) -> Float[np.ndarray, "frame 2"]:
        """The values of the darkest and the brightest colour in each frame of the first record's
        maps; those of a step and the absolute ones are shared by all records.

        Raises:
            UserError: there is no such token, step, layer, head or norm.
        """
        if self.norm not in NORMS:
            raise UserError(f"norm is {self.norm!r}: use one of {', '.join(NORMS)}")
        heat = self.heat(records[0])
        if self.norm == "map":
            return np.stack([heat.min(axis=(1, 2)), heat.max(axis=(1, 2))], axis=-1, dtype=float)
        if self.norm == "step":
            heats = [heat, *(self.heat(record) for record in records[1:])]
            limits = min(one.min() for one in heats), max(one.max() for one in heats)
        else:
            kind = records[0].tokens[records[0].place(self.token)].kind
            limits = 0.0, most(records, kind, heads=self.head is not None)
        return np.tile(np.array(limits, float), (len(heat), 1))

    def in_words(self, record: AttentionRecord) -> str:
        """Which step, layer and head."""
        when = "mean of the steps"
        if self.step is not None:
            time = record.timesteps[self.step - 1]
            when = f"step {self.step} of {len(record.timesteps)} (t={time})"
        where = "mean of the layers" if self.layer is None else f"layer {self.layer}"
        return f"{when}, {where}" + ("" if self.head is None else f", head {self.head}")

    def possible(self, record: AttentionRecord) -> bool:
        """Whether a record has the token and the layer: one of closed gates may have only words."""
        named = any(token.label == self.token for token in record.tokens)
        return named and (self.layer is None or self.layer in record.maps)


def token_boxes(
    record: AttentionRecord, frames: int, plan: VideoPlan | None, scene: int = 1
) -> dict[str, list[Spot | None]]:
    """The boxes of tokens, by their labels, in each frame; a word that names an entity has its box.

    Raises:
        PlanError: the plan has no such scene.
    """
    if plan is None:
        return {}
    tracks = frame_boxes(plan.scene(scene), frames)
    found = {}
    for token in record.tokens:
        owner = token.name if token.kind == "box" else _named_by(token.name, tracks)
        if owner in tracks:
            found[token.label] = list(tracks[owner])
    return found


def _named_by(word: str, entities: Iterable[str]) -> str | None:
    plain = word.partition(" (")[0]
    names = (name for name in entities if plain in base_name(name).lower().split())
    return next(names, None)


def inside_and_even(
    heat: Float[np.ndarray, "frame height width"], track: Track | None
) -> tuple[Float[np.ndarray, " frame"], Float[np.ndarray, " frame"]]:
    """The share of each map inside the box and what an even map would have; NaN without a box."""
    track = [None] * len(heat) if track is None else track
    return mass_in_box(heat, track), chance(track)


def pooled(maps: Shown, side: int) -> Float[np.ndarray, "step frame tall wide token"]:
    """Maps of at most `side` by `side`, averaged where they are larger."""
    height, width = maps.shape[2:4]
    if max(height, width) <= side:
        return maps
    small = (max(1, round(length * side / max(height, width))) for length in (height, width))
    return enlarged(maps, *small)
