"""The stage that trains the evaluator's detector, on real composites alone.

No model of the package is in it. The pictures are drawn by the same code as the storybook world's,
but from a stream of random numbers of their own and laid out on their own terms: any (name, look)
pair is as likely as any other, held-out ones included, anywhere in the frame and at any size. A
detector must know the things the generator was never shown, or it could not tell whether it drew
them; and it must not learn that ships are on water, or it would forgive a generator what it should
count. Backgrounds are the training variants; accuracy is measured on the others. Each picture is
then degraded as in `vdjax.evaluate.degrade`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from PIL import Image

from vdjax.data.storybook.backgrounds import BACKGROUNDS, TRAIN_VARIANTS, panorama
from vdjax.data.storybook.compose import paste
from vdjax.data.storybook.sprites import NAMES, aspect
from vdjax.evaluate import network
from vdjax.evaluate.boxes import area, intersection, iou
from vdjax.evaluate.cutouts import cut, to_cutout, windows
from vdjax.evaluate.degrade import mixture
from vdjax.evaluate.network import GRID
from vdjax.plan.vocabulary import LOOKS
from vdjax.train.stage import Schedule

#: First number of this stage's random streams; the storybook's splits are 1, 2 and 3.
_STREAM = 4040
_SIZE = 128
_NOTHING = len(NAMES) * len(LOOKS)
#: A thing is looked for where at least this share of its box is free of the boxes in front of it.
_LEAST_FREE = 0.35
#: How far a finder's box may be off: each edge by about so much of its side.
_JITTER = (0.04, 0.08, 0.08, 0.15)


@dataclass(frozen=True, kw_only=True)
class DetectorStage:
    """Finder and namer together: half of each step's loss is about where, half about what."""

    schedule: Schedule
    cutouts_per_picture: int = 4
    name: str = "detector"
    renders: bool = True

    def init(self):
        """Fresh parameters; nothing is frozen."""
        return jax.jit(network.init)(jax.random.key(self.schedule.seed)), {}

    def describe(self) -> dict[str, Any]:
        return {"cutouts_per_picture": self.cutouts_per_picture, "seed": self.schedule.seed}

    def export(self, params, frozen):
        """In half precision, as the weights ship and as their accuracy is measured."""
        del frozen
        return jax.tree_util.tree_map(lambda x: np.asarray(x, np.float16), params), self.describe()

    def batch(self, step: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([_STREAM, self.schedule.seed, step])
        samples = [self._sample(rng) for _ in range(self.schedule.batch_size)]
        return {key: np.stack([sample[key] for sample in samples]) for key in samples[0]}

    def _sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        frame, labels, boxes = draw_picture(rng)
        frame = mixture(frame, rng)
        free = _free_shares(boxes)
        proposals, drawings, targets = _proposals(
            rng, labels, boxes, free, self.cutouts_per_picture
        )
        return {
            "frame": frame,
            **grid_targets(boxes, free),
            "cutouts": cut(frame, proposals),
            "drawing": drawings,
            "inside": to_cutout(targets, windows(proposals)).astype(np.float32),
        }

    def loss(self, params, frozen, batch, key):
        del frozen, key
        frames = batch["frame"].astype(jnp.float32) / 127.5 - 1.0
        logits, sides = network.Finder().apply({"params": params["finder"]}, frames)
        centre = _centre_loss(logits, batch["heat"], batch["counts"])
        where = _box_loss(sides, batch["sides"], batch["weight"])

        cutouts = batch["cutouts"].reshape(-1, *batch["cutouts"].shape[2:])
        cutouts = cutouts.astype(jnp.float32) / 127.5 - 1.0
        drawing, inside = batch["drawing"].reshape(-1), batch["inside"].reshape(-1, 4)
        scores, refined = network.Namer().apply({"params": params["namer"]}, cutouts)
        soft = optax.smooth_labels(jax.nn.one_hot(drawing, _NOTHING + 1), 0.05)
        what = optax.softmax_cross_entropy(scores, soft).mean()
        shown = (drawing != _NOTHING).astype(jnp.float32)
        refine = _box_loss(_seen_from(refined, inside), _seen_from(inside, inside), shown)
        right = (scores.argmax(-1) == drawing).mean()
        loss = centre + where + what + 2.0 * refine
        return loss, {
            "centre": centre,
            "where": where,
            "what": what,
            "refine": refine,
            "right": right,
        }


def _centre_loss(logits, heat, counts):
    """CenterNet's focal loss (section 4, equation 1), per thing."""
    p = jax.nn.sigmoid(logits)
    hit = (heat == 1.0).astype(p.dtype)
    gain = hit * (1 - p) ** 2 * jax.nn.log_sigmoid(logits)
    miss = (1 - hit) * counts * (1 - heat) ** 4 * p**2 * jax.nn.log_sigmoid(-logits)
    return -(gain + miss).sum() / jnp.maximum(hit.sum(), 1.0)


def _box_loss(sides, target, weight):
    """One minus the overlap of boxes seen from the same place, plus the error of their sides.

    The error is in shares of the true box, so that small things count as much as large ones.
    """
    low = jnp.minimum(sides, target)
    shared = jnp.maximum(low[..., 0] + low[..., 2], 0) * jnp.maximum(low[..., 1] + low[..., 3], 0)
    own = jnp.maximum(sides[..., 0] + sides[..., 2], 0) * jnp.maximum(
        sides[..., 1] + sides[..., 3], 0
    )
    real = (target[..., 0] + target[..., 2]) * (target[..., 1] + target[..., 3])
    overlap = shared / jnp.maximum(own + real - shared, 1e-6)
    size = jnp.sqrt(jnp.maximum(real, 1e-4))
    error = 1 - overlap + jnp.abs(sides - target).mean(-1) / size
    return (error * weight).sum() / jnp.maximum(weight.sum(), 1.0)


def _seen_from(box, place):
    """Distances from the middle of `place` to the left, top, right and bottom edge of `box`."""
    middle = (place[..., :2] + place[..., 2:]) / 2
    return jnp.concatenate([middle - box[..., :2], box[..., 2:] - middle], axis=-1)


def draw_picture(
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A frame, and back to front the drawing (4 * name + look) and the box of each thing."""
    frame = _backdrop(rng)
    count = int(rng.choice(6, p=[0.03, 0.2, 0.3, 0.25, 0.15, 0.07]))
    labels: list[int] = []
    placed: list[tuple[float, ...]] = []
    for _ in range(count):
        if labels and rng.random() < 0.12:
            label = labels[-1] if rng.random() < 0.6 else labels[-1] // 4 * 4 + int(rng.integers(4))
        else:
            label = int(rng.integers(_NOTHING))
        name, look = NAMES[label // 4], LOOKS[label % 4]
        box = _place(rng, aspect(name, look), count, np.array(placed).reshape(-1, 4))
        covered = paste(frame, name, look, box, bool(rng.random() < 0.5))
        if covered is not None:
            labels.append(label)
            placed.append(covered)
    return np.asarray(frame), np.array(labels, int), np.array(placed, np.float64).reshape(-1, 4)


def _backdrop(rng: np.random.Generator) -> Image.Image:
    """A background as it is; now and then a plain colour or a part of one, enlarged."""
    if rng.random() < 0.04:
        return Image.new("RGB", (_SIZE, _SIZE), tuple(int(c) for c in rng.integers(0, 256, 3)))
    name = BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))]
    wide = panorama(name, int(rng.integers(TRAIN_VARIANTS)), _SIZE)
    wide = wide[:, ::-1] if rng.random() < 0.5 else wide
    side = _SIZE if rng.random() < 0.75 else int(rng.integers(72, _SIZE))
    top, left = (int(rng.integers(extent - side + 1)) for extent in wide.shape[:2])
    picture = Image.fromarray(np.ascontiguousarray(wide[top : top + side, left : left + side]))
    return picture if side == _SIZE else picture.resize((_SIZE, _SIZE), Image.Resampling.BILINEAR)


def _place(
    rng: np.random.Generator, ratio: float, count: int, others: np.ndarray
) -> tuple[float, float, float, float]:
    """A box for a thing of this aspect: mostly beside the others, mostly inside the frame."""
    allowed = 0.6 if rng.random() < 0.25 else 0.1
    inside = rng.random() < 0.75
    best, least = np.zeros(4), np.inf
    for _ in range(6):
        long_side = rng.uniform(0.17, {1: 0.8, 2: 0.65}.get(count, 0.5))
        shape = ratio * np.exp(rng.uniform(-0.2, 0.2))
        width, height = (
            (long_side, long_side / shape) if shape > 1 else (long_side * shape, long_side)
        )
        reach = (0.0, 0.0) if inside else (0.4 * width, 0.4 * height)
        x = rng.uniform(-reach[0], 1 - width + reach[0])
        y = rng.uniform(-reach[1], 1 - height + reach[1])
        box = np.array([[x, y, x + width, y + height]])
        shared = intersection(box, others)[0]
        crowding = (shared / np.minimum(area(box)[0], area(others))).max(initial=0.0)
        if crowding < least:
            best, least = box[0], crowding
        if crowding <= allowed:
            break
    x0, y0, x1, y1 = best.tolist()
    return x0, y0, x1, y1


def _free_shares(boxes: np.ndarray) -> np.ndarray:
    """Share of each box that no box in front of it covers, at least."""
    shared = intersection(boxes, boxes)
    covered = np.triu(shared, 1).sum(1) / np.maximum(area(boxes), 1e-9)
    return 1 - np.minimum(covered, 1.0)


def grid_targets(boxes: np.ndarray, free: np.ndarray) -> dict[str, np.ndarray]:
    """What the finder should say: bumps at the centres, and box sides around each centre.

    `heat` is 1 at centres; `counts` is 0 in cells that are neither right nor wrong (much-hidden
    things); `sides` counts where `weight` is above 0.
    """
    middles = (np.arange(GRID) + 0.5) / GRID
    heat = np.zeros((GRID, GRID), np.float32)
    counts = np.ones((GRID, GRID), np.float32)
    sides = np.full((GRID, GRID, 4), 0.1, np.float32)
    weight = np.zeros((GRID, GRID), np.float32)
    for (x0, y0, x1, y1), uncovered in zip(boxes, free, strict=True):
        width, height = x1 - x0, y1 - y0
        dx, dy = (middles - (x0 + x1) / 2)[None], (middles - (y0 + y1) / 2)[:, None]
        spread = np.maximum([0.1 * width, 0.1 * height], 0.5 / GRID)
        bump = np.exp(-0.5 * ((dx / spread[0]) ** 2 + (dy / spread[1]) ** 2)).astype(np.float32)
        if uncovered < _LEAST_FREE:
            counts[bump > 0.3] = 0.0
            continue
        at = min(int((y0 + y1) / 2 * GRID), GRID - 1), min(int((x0 + x1) / 2 * GRID), GRID - 1)
        bump = np.minimum(bump, 0.95)
        bump[at] = 1.0
        near = (dx / width) ** 2 + (dy / height) ** 2 < 0.2**2
        near[at] = True
        near &= bump >= heat
        seen = np.stack(
            np.broadcast_arrays(
                middles[None] - x0, middles[:, None] - y0, x1 - middles[None], y1 - middles[:, None]
            ),
            -1,
        )
        # A thing counts once, however many cells it fills: only its best one is asked in the end.
        sides[near], weight[near] = seen[near], 1.0 / near.sum()
        heat = np.maximum(heat, bump)
    return {"heat": heat, "counts": counts, "sides": sides, "weight": weight}


def _proposals(
    rng: np.random.Generator, labels: np.ndarray, boxes: np.ndarray, free: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes as a finder might give them, the drawing in each, and its true box.

    Where nothing is, the drawing is "nothing" and the box its own.
    """
    seen = np.flatnonzero(free >= _LEAST_FREE)
    found: list[tuple[np.ndarray, int, np.ndarray]] = []
    while len(found) < count:
        if len(seen) and rng.random() < 0.8:
            at = int(seen[rng.integers(len(seen))])
            box = _jittered(rng, boxes[at], float(rng.choice(_JITTER)))
            overlap = iou(box[None], boxes)[0]
            if overlap[at] < 0.35 or overlap.argmax() != at:
                continue
            found.append((box, int(labels[at]), boxes[at]))
            continue
        if len(seen) and rng.random() < 0.5:  # beside, inside or far around a thing
            box = _jittered(rng, boxes[int(seen[rng.integers(len(seen))])], 0.45)
        else:
            width, height = rng.uniform(0.15, 0.7, 2)
            x, y = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
            box = np.array([x, y, x + width, y + height])
        if (box[2:] - box[:2]).min() > 0.08 and iou(box[None], boxes).max(initial=0.0) < 0.25:
            found.append((box, _NOTHING, box))
    proposals, drawings, targets = zip(*found, strict=True)
    return np.array(proposals), np.array(drawings, np.int32), np.array(targets)


def _jittered(rng: np.random.Generator, box: np.ndarray, share: float) -> np.ndarray:
    """The box with each edge moved by about `share` of its side, inside the frame."""
    size = np.tile(box[2:] - box[:2], 2)
    moved = np.clip(box + rng.normal(0, share, 4) * size, 0, 1)
    return np.concatenate([np.minimum(moved[:2], moved[2:] - 0.02), moved[2:]])
