"""Attention as an array with named axes, and what is measured on it; nothing here needs JAX.

What `vdjax.inspect.attention` recorded enters; means over some of its axes and shares inside boxes
leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from vdjax.errors import UserError

Spot = tuple[float, float, float, float]
Kind = Literal["box", "word"]


@dataclass(frozen=True)
class Token:
    """What is looked at: an entity (or place) by its grounding token, or a word of the caption."""

    name: str
    kind: Kind = "box"

    @property
    def label(self) -> str:
        """What the token is called where both kinds are: `cat`, and `word cat` for the word."""
        return f"word {self.name}" if self.kind == "word" else self.name


@dataclass(frozen=True)
class AttentionRecord:
    """Attention weights of visual tokens on grounding tokens and words.

    Attributes:
        maps: for each layer, in running order, the weights, 0..1. The resolution is the layer's
            own; the head axis has length 1 where only the mean over heads was kept.
        timesteps: the noise levels of the recorded steps, in the order of sampling.
        tokens: what the last axis is; `token 1`, `token 2`, ... where nothing was said.
        gated: which steps ran with the gated layers; all where nothing was said. In the others
            grounding tokens were not looked at: their maps are zero.

    Raises:
        UserError: the axes do not agree with the names, or two tokens are called the same.
    """

    maps: Mapping[str, Float[np.ndarray, "step frame head height width token"]]
    timesteps: tuple[int, ...]
    tokens: tuple[Token, ...] = ()
    gated: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        counts = {(value.shape[0], value.shape[-1]) for value in self.maps.values()}
        if len(counts) != 1:
            raise UserError(f"the maps have {sorted(counts)} steps and tokens: all must be alike")
        steps, count = counts.pop()
        tokens = self.tokens or tuple(Token(f"token {i + 1}") for i in range(count))
        gated = self.gated or (True,) * steps
        for what, given, wanted in (
            ("timesteps", self.timesteps, steps),
            ("tokens", tokens, count),
            ("gated", gated, steps),
        ):
            if len(given) != wanted:
                raise UserError(f"{len(given)} {what} are named: the maps have {wanted}")
        labels = [token.label for token in tokens]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise UserError(f"two tokens are called {twice[0]!r}: give each a name of its own")
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "gated", gated)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers, in running order."""
        return tuple(self.maps)

    @property
    def frames(self) -> int:
        """How many frames the maps are of."""
        return next(iter(self.maps.values())).shape[1]

    @property
    def nbytes(self) -> int:
        """What the record holds in memory, in bytes."""
        return sum(value.nbytes for value in self.maps.values())

    def place(self, token: str) -> int:
        """Where a token stands on the last axis, by its label.

        Raises:
            UserError: there is none of that label.
        """
        labels = [token.label for token in self.tokens]
        if token not in labels:
            raise UserError(f"token {token!r} was not recorded; there are {', '.join(labels)}")
        return labels.index(token)

    def mean(
        self, layers: Sequence[str] | None = None, steps: Sequence[int] | None = None
    ) -> Float[np.ndarray, "frame height width token"]:
        """The mean over heads, steps and layers, at the resolution of the finest of the layers.

        Coarser maps are enlarged bilinearly. `steps` counts recorded steps from 0; None means all.

        Raises:
            UserError: a layer or a step that was not recorded.
        """
        chosen = self.layers if layers is None else tuple(layers)
        if strangers := [name for name in chosen if name not in self.maps]:
            raise UserError(
                f"layer {strangers[0]!r} was not recorded; there are {', '.join(self.layers)}"
            )
        count = len(self.timesteps)
        taken = list(range(count)) if steps is None else list(steps)
        if not chosen or not taken or any(not 0 <= step < count for step in taken):
            raise UserError(
                f"layers {chosen} and steps {taken}: name at least one of each; "
                f"steps were recorded from 0 to {count - 1}"
            )
        means = [self.maps[name][taken].mean(axis=(0, 2)) for name in chosen]
        height, width = max(mean.shape[1:3] for mean in means)
        return np.mean([enlarged(mean, height, width) for mean in means], axis=0)


def mass_in_box(
    heat: Float[np.ndarray, "frame height width"], boxes: Sequence[Spot | None]
) -> Float[np.ndarray, " frame"]:
    """The share of each frame's map that lies inside the box, 0..1; NaN in frames without a box,
    and where nothing was looked at.

    Cells that a box cuts count by the part inside. A map that is the same everywhere has exactly
    the box's area: `chance` gives that.
    """
    frames, height, width = heat.shape
    shares = np.full(frames, np.nan)
    for frame, box in enumerate(boxes):
        if box is not None:
            inside = np.outer(_covered(box[1], box[3], height), _covered(box[0], box[2], width))
            whole = heat[frame].sum()
            shares[frame] = (heat[frame] * inside).sum() / whole if whole else np.nan
    return shares


def chance(boxes: Sequence[Spot | None]) -> Float[np.ndarray, " frame"]:
    """The area of the box in each frame, 0..1: what `mass_in_box` gives for an even map."""
    return np.array([np.nan if b is None else (b[2] - b[0]) * (b[3] - b[1]) for b in boxes], float)


def _covered(low: float, high: float, cells: int) -> Float[np.ndarray, " cell"]:
    """How much of each of `cells` equal parts of 0..1 lies between `low` and `high`."""
    edges = np.arange(cells + 1) / cells
    return np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None) * cells


def enlarged(
    maps: Float[np.ndarray, "*any height width token"], height: int, width: int
) -> Float[np.ndarray, "*any tall wide token"]:
    """Maps of another size, by bilinear interpolation; averages where they become smaller."""
    down, across = _interpolation(maps.shape[-3], height), _interpolation(maps.shape[-2], width)
    half = np.einsum("yh,...hwt->...ywt", down, maps, optimize=True)
    whole: np.ndarray = np.einsum("xw,...ywt->...yxt", across, half, optimize=True)
    return whole


def _interpolation(cells: int, wanted: int) -> Float[np.ndarray, "wanted cell"]:
    """Each wanted cell's shares of the given ones: a triangle around its middle."""
    scale = cells / wanted
    middles = (np.arange(wanted) + 0.5) * scale - 0.5
    far = np.abs(middles[:, None] - np.arange(cells)) / max(scale, 1.0)
    weights = np.clip(1.0 - far, 0.0, None)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def readable(count: int) -> str:
    """A number of bytes as people say it: `2.1 MB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
