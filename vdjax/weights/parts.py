"""The parts of a folder of weights, by their headers: shapes, dtypes and configuration, no numbers.

A part is one safetensors file. A system that was trained here has autoencoder, clip, unet, prior
and guided (the gated layers and the grounding net). A converted one may have a text_encoder beside
clip, or clip in two halves, clip_text and image_encoder, as Karlo's pipelines have it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vdjax.errors import WeightsError
from vdjax.weights.store import DTYPES, config_of, is_mapped, read_header, read_manifest

CLIP_HALVES = ("clip_text", "image_encoder")
KNOWN = ("autoencoder", "clip", *CLIP_HALVES, "text_encoder", "unet", "prior", "guided")
"""Every part that a system is put together from; a folder may hold others, such as a detector."""


@dataclass(frozen=True)
class Part:
    """One file of weights. `dtypes` go by the file format's names; `mapped` as in `is_mapped`."""

    path: Path
    config: Mapping[str, Any] | None
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    mapped: bool

    @property
    def parameters(self) -> int:
        return sum(map(math.prod, self.shapes.values()))

    @property
    def memory(self) -> int:
        """Bytes that its leaves take once they are loaded: what is not mapped becomes float32."""
        if not self.mapped:
            return 4 * self.parameters
        return sum(
            math.prod(shape) * np.dtype(DTYPES[self.dtypes[leaf]]).itemsize
            for leaf, shape in self.shapes.items()
        )


def read_parts(folder: Path) -> dict[str, Part]:
    """Every part that a folder's manifest lists.

    Raises:
        WeightsError: the folder has no manifest, or a file of it cannot be read.
    """
    parts = {}
    for file in read_manifest(folder):
        path = folder / file
        if path.suffix == ".safetensors":
            parts[path.stem] = _read(path)
    return parts


def clip_parts(names: Collection[str]) -> tuple[str, ...]:
    """The parts that tell entities: clip, or what there is of its halves, or the scenes' encoder
    (as in LVD, which has no other)."""
    if "clip" in names:
        return ("clip",)
    halves = tuple(name for name in CLIP_HALVES if name in names)
    return halves or tuple(name for name in ("text_encoder",) if name in names)


def tokenizer_of(part: str) -> str:
    """The file of the tokenizer that a converted text tower came with."""
    return f"{part}_tokenizer.json"


def _read(path: Path) -> Part:
    try:
        header, _ = read_header(path)
        config, mapped = config_of(header), is_mapped(header)
        leaves = {name: entry for name, entry in header.items() if name != "__metadata__"}
        shapes = {name: tuple(entry["shape"]) for name, entry in leaves.items()}
        dtypes = {name: entry["dtype"] for name, entry in leaves.items()}
        if odd := sorted({dtype for dtype in dtypes.values() if dtype not in DTYPES}):
            raise ValueError(f"it holds numbers of dtype {odd[0]}")
    except FileNotFoundError as error:
        raise WeightsError(f"weight file {path} is missing, which {path.parent} lists") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} is not a whole safetensors file ({error})") from error
    return Part(path, config, shapes, dtypes, mapped)
