"""A picture with what is in it: what every reader of a data set gives, or says why it cannot.

Annotations as people have them enter, in pixels and with mistakes; phrases and boxes in shares of
the picture leave, beside a note of each mistake, so that whoever builds on them may stop or go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float32, UInt8


class Fault(NamedTuple):
    """Something wrong with a sample: a reason that can be counted, and what it was this time."""

    reason: str
    detail: str


class Skipped(Exception):
    """A sample that cannot be used.

    `bad` is false where nothing is wrong with it but that it holds nothing to learn from.
    """

    def __init__(self, id: str, reason: str, detail: str = "", *, bad: bool = True) -> None:
        super().__init__(id, reason, detail)
        self.id, self.fault, self.bad = id, Fault(reason, detail), bad

    def __str__(self) -> str:
        return f"sample {self.id}: {told(self.fault)}"


def told(fault: Fault) -> str:
    """A fault in words."""
    return f"{fault.reason} ({fault.detail})" if fault.detail else fault.reason


@dataclass(frozen=True, kw_only=True)
class Background:
    """What lies behind all entities: its name, and a picture of it alone."""

    phrase: str
    image: UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture with its caption and its entities.

    `phrases[i]` names what lies in `boxes[i]`, x0 y0 x1 y1 in 0..1 with an area above zero. A data
    set that has no caption for a picture leaves it empty. `faults` are mistakes in the annotations,
    which have been left out.
    """

    id: str
    image: UInt8[np.ndarray, "height width 3"]
    caption: str
    phrases: tuple[str, ...]
    boxes: Float32[np.ndarray, "entity 4"]
    background: Background | None = None
    faults: tuple[Fault, ...] = ()


class Reader(Protocol):
    """A data set as a sequence of samples; pictures are read when they are asked for.

    `fingerprint` tells one state of the annotations from another. `mirrors` says whether a mirrored
    picture is as good as a new one.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def mirrors(self) -> bool: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Sample number `index`, the same each time.

        Raises:
            Skipped: the picture or its annotations cannot be used.
        """
        ...


def corners(box: Any) -> list[float]:
    """x0 y0 x1 y1 of a box told by its first corner and its sides."""
    x, y, width, height = box
    return [x, y, x + width, y + height]


def framed(
    entities: Iterable[tuple[Any, Any]], width: float = 1.0, height: float = 1.0
) -> tuple[tuple[str, ...], Float32[np.ndarray, "entity 4"], tuple[Fault, ...]]:
    """Phrases and boxes as a `Sample` has them, from annotations in the units of width and height.

    Boxes that reach over the border are cut off there. What is no phrase or no box, has no area or
    lies outside is left out and told of.

    Args:
        entities: (phrase, x0 y0 x1 y1) each.
        width, height: of the picture that was annotated.
    """
    phrases: list[str] = []
    boxes: list[np.ndarray] = []
    faults: list[Fault] = []
    scale = np.array([width, height, width, height], np.float64)
    for phrase, box in entities:
        words = " ".join(phrase.split()) if isinstance(phrase, str) else ""
        numbers = _four_numbers(box)
        if not words:
            faults.append(Fault("entity without a phrase", f"box {box}"))
            continue
        where = f"{box} of {words!r} in {width:g} × {height:g}"
        if numbers is None:
            faults.append(Fault("box is not four numbers", f"{box} of {words!r}"))
        elif (numbers[2:] <= numbers[:2]).any():
            faults.append(Fault("box without area", where))
        else:
            inside = (numbers / scale).clip(0.0, 1.0).astype(np.float32)
            if (inside[2:] <= inside[:2]).any():
                faults.append(Fault("box outside the picture", where))
            else:
                phrases.append(words)
                boxes.append(inside)
    kept = np.stack(boxes) if boxes else np.zeros((0, 4), np.float32)
    return tuple(phrases), kept, tuple(faults)


def _four_numbers(box: Any) -> np.ndarray | None:
    try:
        numbers = np.asarray(box, np.float64)
    except (TypeError, ValueError):
        return None
    return numbers if numbers.shape == (4,) and np.isfinite(numbers).all() else None


def as_caption(text: Any) -> str:
    """A caption on one line; what is none is empty."""
    return " ".join(text.split()) if isinstance(text, str) else ""


def as_phrases(phrases: Sequence[str]) -> str:
    """What stands in for a caption where there is none: the names, joined by commas.

    GLIGEN does so for detection data (its tsv_dataset.py, make_a_sentence).
    """
    return ", ".join(phrases)


@contextmanager
def understood(id: str) -> Iterator[None]:
    """Whatever is amiss with the annotations read within skips the sample."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        detail = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise Skipped(id, "annotation broken", detail) from error
    except OSError as error:
        raise Skipped(id, "annotation unreadable", str(error)) from error
