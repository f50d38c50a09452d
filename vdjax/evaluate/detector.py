"""The detector for the storybook world: frames enter, named boxes leave.

The finder proposes boxes; the namer says which drawings each may show; these are laid over the
picture and moved to where they fit; and the namer has the last word on what is in the box so found,
or, where it has become less sure, on what was in the finder's.
The weights are the package's own and come from `vdjax train detector`; nothing of the generator is
in them.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from vdjax.data.storybook.sprites import NAMES
from vdjax.evaluate.boxes import iou, without_doubles
from vdjax.evaluate.cutouts import cut, from_cutout, inside_frame, windows
from vdjax.evaluate.detections import Detection
from vdjax.evaluate.fit import REACH, art, fit
from vdjax.evaluate.network import GRID, MARGIN, Finder, Namer
from vdjax.plan.vocabulary import LOOKS

#: Least probability of a centre for a box to be looked at.
_LEAST_CENTRE = 0.1
#: Boxes looked at per frame, at most.
_MOST = 12
#: Least score of a detection; chosen on training pictures, clean and degraded, for right counts.
THRESHOLD = 0.35
#: Drawings laid over each box, the likeliest ones.
_TRIED = 2
#: A box laid anew must overlap the finder's by this (IoU).
_LEAST_KEPT = 0.3
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
        found = self._name(frames, owner, box)
        fitted = _laid_over(frames, owner, box, found)
        refound = self._name(frames, owner, fitted)
        astray = _astray(found, refound)
        box = np.where(astray[:, None], box, fitted)
        by_name = _by_name(np.where(astray[:, None], found, refound))
        name = by_name.sum(-1).argmax(-1)
        score = np.sqrt(centre * by_name.sum(-1)[np.arange(len(box)), name])
        look = by_name[np.arange(len(box)), name].argmax(-1)
        seen = []
        for frame in range(len(frames)):
            mine = np.flatnonzero((owner == frame) & (score >= self._threshold))
            kept = mine[without_doubles(box[mine], score[mine], _DOUBLE)]
            seen.append([_detection(name[at], look[at], score[at], box[at]) for at in kept])
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
        owner: Int[np.ndarray, " box"],
        boxes: Float[np.ndarray, "box 4"],
    ) -> Float[np.ndarray, "box 256"]:
        """The chance that a box shows each drawing."""
        if not len(boxes):
            return np.zeros((0, len(NAMES) * len(LOOKS)))
        parts = _parts(_cutouts(frames, owner, boxes, MARGIN), _CUTOUTS)
        chances = np.concatenate([_name(self._params["namer"], part) for part in parts])
        return chances[: len(boxes), :-1]


def _by_name(chances: Float[np.ndarray, "box 256"]) -> Float[np.ndarray, "box 64 4"]:
    return chances.reshape(len(chances), len(NAMES), len(LOOKS))


def _astray(
    before: Float[np.ndarray, "box 256"], after: Float[np.ndarray, "box 256"]
) -> Bool[np.ndarray, " box"]:
    """Where laying drawings over a box led to another name, and one that is less sure."""
    old, new = _by_name(before).sum(-1), _by_name(after).sum(-1)
    return (old.argmax(-1) != new.argmax(-1)) & (new.max(-1) < old.max(-1))


def _detection(
    name: np.integer, look: np.integer, score: np.floating, box: Float[np.ndarray, " 4"]
) -> Detection:
    x0, y0, x1, y1 = box.tolist()
    return Detection(NAMES[name], LOOKS[look], float(score), (x0, y0, x1, y1))


def _laid_over(
    frames: UInt8[np.ndarray, "frame 128 128 3"],
    owner: Int[np.ndarray, " box"],
    boxes: Float[np.ndarray, "box 4"],
    chances: Float[np.ndarray, "box 256"],
) -> Float[np.ndarray, "box 4"]:
    """Each box moved to where the best of its likeliest drawings, mirrored or not, fits best."""
    if not len(boxes):
        return boxes
    likeliest = np.argsort(-chances, axis=1, kind="stable")[:, :_TRIED]
    tried = np.stack([2 * likeliest, 2 * likeliest + 1], -1).reshape(-1)
    cutouts = _cutouts(frames, owner, boxes, REACH).astype(np.float32) / 255
    seen = windows(boxes, REACH)
    each = 2 * _TRIED
    given = (np.repeat(cutouts, each, 0), np.repeat(inside_frame(seen), each, 0), art()[tried])
    parts = zip(*(_parts(items, _CUTOUTS) for items in given), strict=True)
    fitted = [fit(*part) for part in parts]
    inside, residual = (np.concatenate(one)[: len(tried)] for one in zip(*fitted, strict=True))
    best = residual.reshape(-1, each).argmin(1)
    inside = inside.reshape(-1, each, 4)[np.arange(len(boxes)), best].astype(np.float64)
    moved = from_cutout(inside, seen)
    # What fits somewhere else altogether, or as a sliver, does not fit: keep the finder's box.
    near = np.diagonal(iou(moved, boxes)) >= _LEAST_KEPT
    usable = near & ((moved[:, 2:] - moved[:, :2]).min(-1) >= 1 / 64)
    return np.where(usable[:, None], moved, boxes)


def _cutouts(
    frames: UInt8[np.ndarray, "frame 128 128 3"],
    owner: Int[np.ndarray, " box"],
    boxes: Float[np.ndarray, "box 4"],
    margin: float,
) -> UInt8[np.ndarray, "box 32 32 3"]:
    """The cut-outs of boxes that are sorted by the frame that owns them."""
    return np.concatenate(
        [cut(frames[at], boxes[owner == at], margin) for at in np.unique(owner).tolist()]
    )


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
    """Chance of a centre and box sides per cell: the mean of the frame and of its mirror image."""
    x = frames.astype(jnp.float32) / 127.5 - 1.0
    centre, sides = Finder().apply({"params": params}, x)
    mirrored: Any = Finder().apply({"params": params}, x[:, :, ::-1])
    centre_m, sides_m = (each[:, :, ::-1] for each in mirrored)
    turned = sides_m[..., np.array([2, 1, 0, 3])]
    return jax.nn.sigmoid((centre + centre_m) / 2), (sides + turned) / 2


@jax.jit
def _name(params, cutouts):
    """Chance of each drawing: the mean over the cut-out and its mirror image."""
    x = cutouts.astype(jnp.float32) / 127.5 - 1.0
    drawing, mirrored = (Namer().apply({"params": params}, each) for each in (x, x[:, :, ::-1]))
    return (jax.nn.softmax(drawing[0]) + jax.nn.softmax(mirrored[0])) / 2
