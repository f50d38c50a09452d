"""Encoded samples as they lie on the disk, and the rows of a batch that training reads from there.

A shard is one safetensors file, mapped into memory, which any number of processes may read at once.
The entities of all its samples follow one another, so that few entities take little room; `first`
says where each sample's begin. Texts and what was left out stand in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from vdjax.data.prepare import mirrored
from vdjax.files import replace_file

_DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "F16": np.float16,
    "F32": np.float32,
    "I32": np.int32,
    "I64": np.int64,
}
_LENGTH = 8  # bytes that say how long a safetensors header is


@dataclass(frozen=True, kw_only=True, eq=False)
class Shard:
    """Some samples of a data set, encoded.

    Attributes:
        arrays: `latents` (sample, side, h, w, channel) of a picture and, as the second side, of its
            mirror image; `ids` (sample, length); `first` (sample + 1); `source` (sample), numbers
            in the data set; `sided` (sample), whether words tell left from right; `behind`
            (sample), whether the last entity is the background; `boxes` (entity, 4); `looks`
            (entity, width); `word` (entity), rows of `words` (phrase, width). None in a shard
            without samples.
        about: `first` and `stop`, the part of the data set; `ids`, `captions` and `phrases` (as
            `words`); `faults`, what was left out and why.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.about["ids"])


def write_shard(path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    """Write a shard, whole or not at all.

    Raises:
        OutputError: there is no room, or no permission.
    """
    from safetensors.numpy import save

    tidy = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    replace_file(path, save(tidy, metadata={"about": json.dumps(about)}))


def read_shard(path: Path) -> Shard:
    """A shard, mapped.

    Raises:
        ValueError: the file is damaged.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        size = path.stat().st_size
        if not 0 < length <= size - _LENGTH:
            raise ValueError("it is cut short")
        header = json.loads(file.read(length))
    start = _LENGTH + length
    data = np.asarray(np.memmap(path, np.uint8, mode="r"))[start:]
    try:
        about = json.loads(header.pop("__metadata__")["about"])
        if max((entry["data_offsets"][1] for entry in header.values()), default=0) != len(data):
            raise ValueError("it is cut short")
        arrays = {
            name: data[slice(*entry["data_offsets"])]
            .view(_DTYPES[entry["dtype"]])
            .reshape(entry["shape"])
            for name, entry in header.items()
        }
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no shard: {error}") from error
    return Shard(path=path, arrays=arrays, about=about)


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedData:
    """A data set as layout training reads it.

    It has an index for each picture and, after it, one for its mirror image, unless the data set is
    not to be mirrored or the words of the sample tell left from right: whoever draws indices evenly
    draws mirror images as often as GLIGEN does.

    Attributes:
        name: of the data set.
        shards: in the order of the data set.
        total: samples of the data set numbered this or higher do not count.
        most: entities of a sample at most, less the background.
    """

    name: str
    shards: Sequence[Shard]
    total: int
    most: int

    def __len__(self) -> int:
        return len(self._places)

    @property
    def pictures(self) -> int:
        """How many samples there are without their mirror images."""
        return int((self._places[:, 2] == 0).sum())

    def rows(self, indices: Int[np.ndarray, " batch"]) -> dict[str, np.ndarray]:
        """What the samples are made of, copied into memory.

        Returns:
            `latents` (batch, 1, h, w, channel) float16; `ids` (batch, length) int32; `boxes`
            (batch, 1, entity, 4) float32, x0 y0 x1 y1 in 0..1; `present` (batch, 1, entity) bool;
            `text` and `image` (batch, entity, width) float32. There are `most` + 1 entities, the
            largest first; the last is the background, or nobody.
        """
        places = self._places[indices].tolist()
        out = self._empty(len(places))
        for i, (number, row, side) in enumerate(places):
            arrays = self.shards[number].arrays
            out["latents"][i, 0] = arrays["latents"][row, side]
            out["ids"][i] = arrays["ids"][row]
            first, stop = arrays["first"][row : row + 2].tolist()
            slots = np.arange(stop - first)
            if arrays["behind"][row]:
                slots[-1] = self.most
            boxes = arrays["boxes"][first:stop]
            out["boxes"][i, 0, slots] = mirrored(boxes) if side else boxes
            out["present"][i, 0, slots] = True
            out["text"][i, slots] = arrays["words"][arrays["word"][first:stop]]
            out["image"][i, slots] = arrays["looks"][first:stop]
        return out

    def names(self, indices: Int[np.ndarray, " batch"]) -> list[str]:
        """What people know the samples by."""
        return [
            f"{self.name} {self.shards[number].about['ids'][row]}{' (mirrored)' * side}"
            for number, row, side in self._places[indices].tolist()
        ]

    def texts(self, indices: Int[np.ndarray, " batch"]) -> list[tuple[str, tuple[str, ...]]]:
        """Caption and phrases of each sample; the phrases as its entities in `rows`, less the
        background's."""
        told = []
        for number, row, _ in self._places[indices].tolist():
            shard = self.shards[number]
            first, stop = shard.arrays["first"][row : row + 2].tolist()
            words = shard.arrays["word"][first : stop - int(shard.arrays["behind"][row])]
            phrases = tuple(shard.about["phrases"][word] for word in words)
            told.append((shard.about["captions"][row], phrases))
        return told

    @cached_property
    def faults(self) -> list[dict[str, Any]]:
        """What was left out: `id`, `reason`, `detail`, `left_out` (the sample or a box of it) and
        `bad`, false where nothing was wrong."""
        every = (fault for shard in self.shards for fault in shard.about["faults"])
        return [fault for fault in every if fault["number"] < self.total]

    @cached_property
    def _places(self) -> np.ndarray:
        """(index, 3): shard, row and side."""
        parts = [np.zeros((0, 3), np.int64)]
        for number, shard in enumerate(self.shards):
            if not len(shard):
                continue
            rows = np.flatnonzero(shard.arrays["source"] < self.total)
            sides = np.ones((len(rows), shard.arrays["latents"].shape[1]), bool)
            sides[:, 1:] &= ~shard.arrays["sided"][rows, None]
            at, side = np.nonzero(sides)
            parts.append(np.stack([np.full(len(at), number), rows[at], side], axis=-1))
        return np.concatenate(parts)

    def _empty(self, batch: int) -> dict[str, np.ndarray]:
        some = next(shard.arrays for shard in self.shards if len(shard))
        entities = self.most + 1
        return {
            "latents": np.zeros((batch, 1, *some["latents"].shape[2:]), np.float16),
            "ids": np.zeros((batch, some["ids"].shape[1]), np.int32),
            "boxes": np.zeros((batch, 1, entities, 4), np.float32),
            "present": np.zeros((batch, 1, entities), bool),
            "text": np.zeros((batch, entities, some["words"].shape[1]), np.float32),
            "image": np.zeros((batch, entities, some["looks"].shape[1]), np.float32),
        }
