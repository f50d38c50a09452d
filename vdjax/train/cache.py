"""Training samples as the later stages read them: latents, token ids and embeddings, computed once.

The world's frames go through the trained autoencoder and CLIP; arrays leave, kept in one `.npz`
beside a record of what they were made from. A cache made from other weights is made again, never
mixed in.
"""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from vdjax.data.prepare import WHOLE, close_up
from vdjax.data.storybook import BACKGROUNDS, NAMES, StorybookWorld
from vdjax.files import replace_file
from vdjax.ground.tokenizer import Tokenizer
from vdjax.model.hf import CLIP, Autoencoder
from vdjax.train.workers import in_order

MAX_ENTITIES = 7  # per scene, as vdjax.plan allows; the background is the eighth token
NOBODY = -1


@dataclass(frozen=True)
class Samples:
    """Arrays over samples: latents at unit variance, embeddings of unit length, a `Tokenizer`'s
    ids.

    `names` index the world's names (−1: no entity), `backgrounds` its backgrounds.
    """

    latents: np.ndarray  # (sample, frame, h, w, channel) float16
    ids: np.ndarray  # (sample, length) int16
    names: np.ndarray  # (sample, entity) int16
    boxes: np.ndarray  # (sample, entity, frame, 4) float16
    visible: np.ndarray  # (sample, entity, frame) bool
    images: np.ndarray  # (sample, entity, projection) float16
    backgrounds: np.ndarray  # (sample,) int16
    backdrops: np.ndarray  # (sample, projection) float16

    def __len__(self) -> int:
        return len(self.latents)


def fingerprint(*files: Path) -> str:
    """Short hash of what a cache was made from."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:16]


def cached_samples(
    folder: Path,
    world: StorybookWorld,
    kind: str,
    count: int,
    autoencoder: Autoencoder,
    autoencoder_params,
    clip: CLIP,
    clip_params,
    tokenizer: Tokenizer,
    source: str,
    *,
    report: Callable[[str], None] = print,
) -> Samples:
    """Samples 0..count-1 of a world: `kind` "image" (one frame) or "clip" (all frames).

    `source` names what the arrays depend on (see `fingerprint`); another source makes the cache
    anew.
    """
    record = {
        "kind": kind,
        "count": count,
        "split": world.split,
        "seed": world.seed,
        "source": source,
    }
    path = Path(folder) / f"{world.split}_{kind}.npz"
    record_path = path.with_suffix(".json")
    if (kept := _kept(path, record_path, record, report)) is not None:
        return kept
    samples = _encode(
        world, kind, count, autoencoder, autoencoder_params, clip, clip_params, tokenizer, report
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, **samples.__dict__)
    record_path.unlink(missing_ok=True)
    temporary.replace(path)
    replace_file(record_path, (json.dumps(record, indent=1) + "\n").encode())
    return samples


def _kept(path: Path, record_path: Path, record: dict, report) -> Samples | None:
    """What an earlier run encoded; None where that is nothing, something else, or damaged."""
    try:
        if json.loads(record_path.read_text()) != record:
            return None
        with open(path, "rb") as file, np.load(file) as arrays:
            return Samples(**arrays)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as damage:
        report(f"{path} is damaged ({damage}): its samples are encoded again")
        return None


def _encode(
    world, kind, count, autoencoder, autoencoder_params, clip, clip_params, tokenizer, report
) -> Samples:
    encode = jax.jit(lambda p, x: autoencoder.encode(p, x.astype(jnp.float32) / 127.5 - 1.0))
    embed = jax.jit(lambda p, x: clip.embed_image(p, x.astype(jnp.float32) / 127.5 - 1.0))
    size = clip.config.image_size
    columns: dict[str, list[np.ndarray]] = {name: [] for name in Samples.__annotations__}
    began = time.monotonic()
    chunk = 32 if kind == "image" else 2
    rendered = in_order(
        world.image if kind == "image" else world.clip, range(count), heavy=True, ahead=2 * chunk
    )
    for first in range(0, count, chunk):
        clips = list(islice(rendered, min(chunk, count - first)))
        frames = np.concatenate([c.frames for c in clips])
        latents = np.asarray(encode(autoencoder_params, _padded(frames, 32)))[: len(frames)]
        crops, owners = [], []
        names = np.full((len(clips), MAX_ENTITIES), NOBODY, np.int16)
        frames_each = len(clips[0].frames)
        boxes = np.zeros((len(clips), MAX_ENTITIES, frames_each, 4), np.float16)
        visible = np.zeros((len(clips), MAX_ENTITIES, frames_each), bool)
        for i, c in enumerate(clips):
            for j, name in enumerate(c.names[:MAX_ENTITIES]):
                names[i, j] = NAMES.index(name)
                boxes[i, j], visible[i, j] = c.boxes[j], c.visible[j]
                # The largest view of the entity is the one that tells most about it.
                areas = np.prod(c.boxes[j, :, 2:] - c.boxes[j, :, :2], axis=-1) * c.visible[j]
                at = int(areas.argmax())
                crops.append(close_up(c.frames[at], c.boxes[j, at], size))
                owners.append((i, j))
        pictures = np.stack(crops + [close_up(c.backdrop, WHOLE, size) for c in clips])
        embedded = np.asarray(embed(clip_params, _padded(pictures, 32)))[: len(pictures)]
        images = np.zeros((len(clips), MAX_ENTITIES, embedded.shape[-1]), np.float16)
        for row, (i, j) in zip(embedded, owners, strict=False):
            images[i, j] = row
        columns["latents"].append(
            latents.reshape(len(clips), frames_each, *latents.shape[1:]).astype(np.float16)
        )
        columns["ids"].append(tokenizer([c.caption for c in clips]).astype(np.int16))
        columns["names"].append(names)
        columns["boxes"].append(boxes)
        columns["visible"].append(visible)
        columns["images"].append(images)
        columns["backgrounds"].append(
            np.array([BACKGROUNDS.index(c.background) for c in clips], np.int16)
        )
        columns["backdrops"].append(embedded[len(crops) :].astype(np.float16))
        done = first + len(clips)
        if (done // chunk) % 50 == 0 or done == count:
            rate = done / (time.monotonic() - began)
            report(
                f"encoding {world.split} {kind}s: {done}/{count}  {rate:.1f}/s  "
                f"ETA {(count - done) / rate:.0f} s"
            )
    return Samples(**{name: np.concatenate(parts) for name, parts in columns.items()})


def _padded(rows: np.ndarray, multiple: int) -> np.ndarray:
    """Rows repeated up to a multiple, so that few shapes are compiled."""
    missing = -len(rows) % multiple
    return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) if missing else rows
