"""A part of a data set through the frozen networks: samples enter, the arrays of a shard leave.

Pictures are opened and cut ahead of the networks by other threads, which Pillow leaves to work side
by side. The networks come from the caller: this package knows none.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from jaxtyping import UInt8

from vdjax.data.prepare import LEAST_AREA, MOST_ENTITIES, WHOLE, Prepared, prepare
from vdjax.data.sample import Fault, Reader, Skipped

BATCH = 32
T = TypeVar("T")


class Encoder(Protocol):
    """The frozen networks. Each method takes and gives as many rows as it takes.

    `fingerprint` tells one set of weights from another; `image_size` and `crop_size` are the sides
    of what `latents` and `looks` want, in pixels. Both are always called with the same number of
    rows, and so is `words`: one program each is compiled.
    """

    @property
    def fingerprint(self) -> str: ...

    @property
    def image_size(self) -> int: ...

    @property
    def crop_size(self) -> int: ...

    def latents(self, pictures: UInt8[np.ndarray, "batch size size 3"]) -> Any:
        """Pictures as latents at unit variance (batch, h, w, channel)."""
        ...

    def looks(self, close_ups: UInt8[np.ndarray, "batch crop crop 3"]) -> Any:
        """Close-ups as image embeddings (batch, width)."""
        ...

    def words(self, phrases: Sequence[str]) -> Any:
        """Phrases as text embeddings (batch, width)."""
        ...

    def tokens(self, captions: Sequence[str]) -> Any:
        """Captions as token ids (batch, length)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is kept of a sample (see `prepare`)."""

    least_area: float = LEAST_AREA
    most: int = MOST_ENTITIES


@dataclass(kw_only=True)
class Part:
    """Samples `first` to `stop` - 1 of a data set, as they are gone through.

    `arrays` and `about` are a shard's. `refuse` is called with the sample and the fault where
    something is wrong; it may raise.
    """

    first: int
    stop: int
    refuse: Callable[[str, Fault], None]
    ids: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    phrases: dict[str, int] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    columns: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def leave_out(self, number: int, id: str, fault: Fault, what: str, bad: bool = True) -> None:
        if bad:
            self.refuse(id, fault)
        told = {"id": id, "reason": fault.reason, "detail": fault.detail, "left_out": what}
        self.faults.append({**told, "bad": bad, "number": number})

    def add(self, **columns: np.ndarray) -> None:
        for name, rows in columns.items():
            self.columns.setdefault(name, []).append(rows)

    def word(self, phrase: str) -> int:
        return self.phrases.setdefault(phrase, len(self.phrases))

    @property
    def about(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "stop": self.stop,
            "ids": self.ids,
            "captions": self.captions,
            "phrases": list(self.phrases),
            "faults": self.faults,
        }


def encode_part(
    reader: Reader, part: Part, encode: Encoder, selection: Selection, *, workers: int | None = None
) -> dict[str, np.ndarray]:
    """The arrays of the shard that holds a part of a data set; `part` learns the rest of it.

    Args:
        workers: threads that open pictures; as many as there are cores to spare.
    """
    chunk: list[tuple[int, Prepared]] = []

    def task(index: int) -> tuple[Prepared, tuple[Fault, ...]] | Skipped:
        try:
            sample = reader[index]
            ready = prepare(
                sample,
                encode.image_size,
                encode.crop_size,
                least_area=selection.least_area,
                most=selection.most,
            )
            return ready, sample.faults
        except Skipped as skipped:
            return skipped

    indices = range(part.first, part.stop)
    with warnings.catch_warnings(), closing(_ahead(task, indices, workers)) as prepared:
        # Of a picture that it can read, Pillow's complaints are of no use to anybody.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for number, done in zip(indices, prepared, strict=True):
            if isinstance(done, Skipped):
                part.leave_out(number, done.id, done.fault, "sample", done.bad)
                continue
            ready, faults = done
            for fault in faults:
                part.leave_out(number, ready.id, fault, "box")
            chunk.append((number, ready))
            if len(chunk) == BATCH:
                _encode_chunk(chunk, part, encode, reader.mirrors)
                chunk.clear()
    if chunk:
        _encode_chunk(chunk, part, encode, reader.mirrors)
    return _arrays(part, encode)


def _encode_chunk(
    chunk: Sequence[tuple[int, Prepared]], part: Part, encode: Encoder, mirrors: bool
) -> None:
    samples = [ready for _, ready in chunk]
    pictures = np.stack([ready.image for ready in samples])
    sides = [pictures, pictures[:, :, ::-1]] if mirrors else [pictures]
    close_ups, boxes, words = [], [], []
    for ready in samples:
        close_ups.append(ready.close_ups)
        boxes.append(ready.boxes)
        words += [part.word(phrase) for phrase in ready.phrases]
        if ready.background is not None and ready.backdrop is not None:
            close_ups.append(ready.backdrop[None])
            boxes.append(WHOLE[None])
            words.append(part.word(ready.background))
    behind = [ready.background is not None for ready in samples]
    captions = [ready.caption for ready in samples]
    part.ids += [ready.id for ready in samples]
    part.captions += captions
    part.add(
        latents=np.stack([_by_batches(encode.latents, side) for side in sides], axis=1),
        ids=np.asarray(encode.tokens(captions), np.int32),
        entities=np.array([len(r.boxes) + b for r, b in zip(samples, behind, strict=True)]),
        source=np.array([number for number, _ in chunk], np.int64),
        sided=np.array([ready.tells_sides for ready in samples]),
        behind=np.array(behind),
        boxes=np.concatenate(boxes),
        looks=_by_batches(encode.looks, np.concatenate(close_ups)),
        word=np.array(words, np.int32),
    )


def _arrays(part: Part, encode: Encoder) -> dict[str, np.ndarray]:
    if not part.ids:
        return {"source": np.zeros(0, np.int64)}
    arrays = {name: np.concatenate(rows) for name, rows in part.columns.items()}
    arrays["first"] = np.cumsum([0, *arrays.pop("entities")], dtype=np.int64)
    phrases = list(part.phrases)
    arrays["words"] = _by_batches(lambda some: encode.words(list(some)), np.array(phrases, object))
    return arrays


def _by_batches(network: Callable[[Any], Any], rows: np.ndarray) -> np.ndarray:
    """A network's answers for rows, asked for `BATCH` of them at a time; the last is repeated."""
    answers = []
    for first in range(0, len(rows), BATCH):
        some = rows[first : first + BATCH]
        full = np.concatenate([some, np.repeat(some[-1:], BATCH - len(some), axis=0)])
        answers.append(np.asarray(network(full))[: len(some)].astype(np.float16))
    return np.concatenate(answers)


def _ahead(
    task: Callable[[int], T], indices: Iterable[int], workers: int | None
) -> Generator[T, None, None]:
    """task(i) for each index, in order, begun up to two batches early."""
    pool = ThreadPoolExecutor(workers or min(max((os.cpu_count() or 1) - 1, 1), 8))
    waiting: deque[Future[T]] = deque()
    try:
        for index in indices:
            waiting.append(pool.submit(task, index))
            if len(waiting) > 2 * BATCH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
