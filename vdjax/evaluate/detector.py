"""The detector for the storybook world: frames enter, named boxes leave.

The finder proposes boxes, the namer says which drawing each cut-out shows and moves the box to it,
then looks once more at the moved cut-out. The weights are the package's own and come from `vdjax
train detector`; nothing of the generator is in them.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from vdjax.data.storybook.sprites import NAMES
from vdjax.evaluate.boxes import without_doubles
from vdjax.evaluate.cutouts import cut, from_cutout, windows
from vdjax.evaluate.detections import Detection
from vdjax.evaluate.network import GRID, Finder, Namer
from vdjax.plan.vocabulary import LOOKS

#: Least probability of a centre for a box to be looked at.
_LEAST_CENTRE = 0.1
#: Boxes looked at per frame, at most.
_MOST = 12
#: Least score of a detection; chosen on training pictures, clean and degraded, for right counts.
THRESHOLD = 0.35
#: Two boxes that overlap by more than this (IoU) are one thing.
_DOUBLE = 0.55
_FRAMES = 16  # frames per compiled call
_CUTOUTS = 32  # cut-outs per compiled call


class StorybookDetector:
    """`params` is {"finder": tree, "namer": tree}; `StorybookDetector.shipped()` has the
    package's."""

    def __init__(self, params: Mapping[str, Any], threshold: float = THRESHOLD) -> None:
        self._params = jax.tree_util.tree_map(lambda x: jnp.asarray(x, jnp.float32), dict(params))
        self._threshold = threshold
        digest = hashlib.sha256(repr(threshold).encode())
        for leaf in jax.tree_util.tree_leaves(self._params):
            digest.update(np.asarray(leaf).tobytes())
        self._digest = f"storybook-{digest.hexdigest()[:12]}"

    @classmethod
    @functools.cache
    def shipped(cls) -> StorybookDetector:
        """With the weights that come with the package. Raises WeightsError if they are damaged."""
        from vdjax.weights.store import load_checked, shipped_folder

        return cls(load_checked(shipped_folder("storybook"), "detector")[0])

    @property
    def digest(self) -> str:
        return self._digest

    def detect(self, frames: UInt8[np.ndarray, "frame 128 128 3"]) -> list[list[Detection]]:
        """For each frame what is in it, best score first."""
        centres, boxes = self._find(frames)
        chosen = [_peaks(centre, box) for centre, box in zip(centres, boxes, strict=True)]
        owner = np.repeat(np.arange(len(frames)), [len(score) for score, _ in chosen])
        centre = np.concatenate([score for score, _ in chosen] or [np.zeros(0)])
        box = np.concatenate([at for _, at in chosen] or [np.zeros((0, 4))])
        for _ in range(2):
            chances, box = self._name(frames, owner, box)
        by_name = chances.reshape(len(box), len(NAMES), len(LOOKS))
        name = by_name.sum(-1).argmax(-1)
        score = np.sqrt(centre * by_name.sum(-1)[np.arange(len(box)), name])
        look = by_name[np.arange(len(box)), name].argmax(-1)
        seen = []
        for frame in range(len(frames)):
            mine = np.flatnonzero((owner == frame) & (score >= self._threshold))
            kept = mine[without_doubles(box[mine], score[mine], _DOUBLE)]
            seen.append(
                [
                    Detection(
                        NAMES[name[at]],
                        LOOKS[look[at]],
                        float(score[at]),
                        tuple(float(side) for side in box[at]),
                    )
                    for at in kept
                ]
            )
        return seen

    def _find(
        self, frames: UInt8[np.ndarray, "frame 128 128 3"]
    ) -> tuple[Float[np.ndarray, "frame 16 16"], Float[np.ndarray, "frame 16 16 4"]]:
        """Per cell the chance of a centre, and the box seen from there."""
        if not len(frames):
            return np.zeros((0, GRID, GRID)), np.zeros((0, GRID, GRID, 4))
        parts = [_find(self._params["finder"], part) for part in _parts(frames, _FRAMES)]
        centres, sides = (np.concatenate(each)[: len(frames)] for each in zip(*parts, strict=True))
        middles = (np.arange(GRID) + 0.5) / GRID
        x, y = middles[None, :], middles[:, None]
        left, top, right, bottom = np.moveaxis(sides, -1, 0)
        return centres, np.clip(np.stack([x - left, y - top, x + right, y + bottom], -1), 0.0, 1.0)

    def _name(
        self,
        frames: UInt8[np.ndarray, "frame 128 128 3"],
        owner: np.ndarray,
        boxes: Float[np.ndarray, "box 4"],
    ) -> tuple[Float[np.ndarray, "box 256"], Float[np.ndarray, "box 4"]]:
        """Per box the chance of each drawing, and where the drawing's box really is."""
        if not len(boxes):
            return np.zeros((0, len(NAMES) * len(LOOKS))), np.zeros((0, 4))
        cutouts = np.concatenate(
            [cut(frames[at], boxes[owner == at]) for at in range(len(frames)) if at in owner]
        )
        parts = [_name(self._params["namer"], part) for part in _parts(cutouts, _CUTOUTS)]
        chances, inside = (np.concatenate(each)[: len(boxes)] for each in zip(*parts, strict=True))
        moved = from_cutout(inside, windows(boxes))
        # A box turned inside out, or a sliver, says that nothing is there: keep what it came from.
        usable = (moved[:, 2:] - moved[:, :2]).min(-1) >= 1 / 64
        return chances[:, :-1], np.where(usable[:, None], moved, boxes)


def _peaks(
    centre: Float[np.ndarray, "16 16"], boxes: Float[np.ndarray, "16 16 4"]
) -> tuple[Float[np.ndarray, " peak"], Float[np.ndarray, "peak 4"]]:
    """Cells that no neighbour beats, likeliest first, and the boxes seen from them."""
    padded = np.pad(centre, 1)
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).max((-1, -2))
    size = (boxes[..., 2:] - boxes[..., :2]).min(-1)
    rows, columns = np.nonzero((centre >= around) & (centre >= _LEAST_CENTRE) & (size > 1 / 64))
    best = np.argsort(-centre[rows, columns], kind="stable")[:_MOST]
    rows, columns = rows[best], columns[best]
    return centre[rows, columns], boxes[rows, columns]


def _parts(items: np.ndarray, size: int) -> list[np.ndarray]:
    """The items in parts of `size`, the last one filled up with zeros, so that one shape is
    compiled."""
    short = -len(items) % size
    filled = np.concatenate([items, np.zeros((short, *items.shape[1:]), items.dtype)])
    return np.split(filled, len(filled) // size)


@jax.jit
def _find(params, frames):
    centre, sides = Finder().apply({"params": params}, frames.astype(jnp.float32) / 127.5 - 1.0)
    return jax.nn.sigmoid(centre), sides


@jax.jit
def _name(params, cutouts):
    drawing, inside = Namer().apply({"params": params}, cutouts.astype(jnp.float32) / 127.5 - 1.0)
    return jax.nn.softmax(drawing), inside
