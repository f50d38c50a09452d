"""GLIGEN's training data: rows of an id, a tab and JSON with the picture in it (Li et al. 2023).

A `.tsv` file, or a folder of the pieces it is published in, enters; a sample per row leaves. Of a
row these are read: `image` (base64), `caption`, and `annos` with `bbox` (x, y, width, height in
pixels) and either `tokens_positive` (where in the caption the phrase stands) or `category_name`
(detection data, which has no caption). The embeddings in it are of one CLIP, and are not read.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from vdjax.data.opening import open_picture
from vdjax.data.reading import fingerprint, line_starts, listed, unreadable
from vdjax.data.sample import Sample, Skipped, as_caption, corners, framed, understood
from vdjax.errors import UserError

NEEDS = "*.tsv"
_ENDS = 1 << 20  # bytes at each end of a file that tell one from another; the whole is too much


def pieces_of(path: Path) -> list[Path]:
    """The `.tsv` files at a path, in the order of their names."""
    if path.is_file():
        return [path]
    return [path / name for name in listed(path) if name.endswith(".tsv")]


class GligenTSV:
    """GLIGEN's rows as a `Reader`. Where rows start is read from the `.lineidx` beside a file, if
    it is of that file; otherwise the file is gone through once."""

    name = "tsv"
    mirrors = True

    def __init__(self, path: Path) -> None:
        """`path`: a `.tsv` file, or a folder of them.

        Raises:
            UserError: there is none, or it cannot be read.
        """
        self._files = pieces_of(path)
        if not self._files:
            raise UserError(f"{path} holds no GLIGEN data: there is no {NEEDS} in it")
        self._starts = [_row_starts(file) for file in self._files]
        self._before = np.cumsum([0, *map(len, self._starts)])
        ends = [_ends(file) for file in self._files]
        self.fingerprint = fingerprint("tsv", *ends, str(self._before.tolist()))

    def __len__(self) -> int:
        return int(self._before[-1])

    def __getitem__(self, index: int) -> Sample:
        piece = int(np.searchsorted(self._before, index, side="right")) - 1
        path, line = self._files[piece], index - int(self._before[piece])
        id = f"{path.stem}:{line + 1}"  # until the row says better
        with understood(id):
            with open(path, "rb") as file:
                file.seek(int(self._starts[piece][line]))
                name, tab, row = file.readline().partition(b"\t")
            if not tab:
                raise Skipped(id, "annotation broken", "no tab in its row")
            # Numbers are not unique over the pieces of several data sets.
            id = f"{path.stem}:{name.decode('utf-8', 'replace').strip()}"
            item = json.loads(row)
            encoded = base64.b64decode(item["image"], validate=True)
            caption = as_caption(item.get("caption"))
            entities = [(_phrase(about, item), corners(about["bbox"])) for about in item["annos"]]
        image = open_picture(id, encoded)
        phrases, boxes, faults = framed(entities, image.shape[1], image.shape[0])
        return Sample(
            id=id, image=image, caption=caption, phrases=phrases, boxes=boxes, faults=faults
        )


def _phrase(about: dict[str, Any], item: dict[str, Any]) -> str:
    """What an annotation is of: the parts of the caption it names, or its category."""
    parts, caption = about.get("tokens_positive"), item.get("caption")
    if parts and isinstance(caption, str):
        return " ".join(caption[start:stop] for start, stop in parts)
    return as_caption(about.get("category_name"))


def _row_starts(path: Path) -> Int64[np.ndarray, " row"]:
    told = path.with_suffix(".lineidx")
    try:
        starts = np.array(told.read_text().split(), np.int64)
        if _begin_rows(path, starts):
            return starts
    except (OSError, ValueError):  # no such file, or it holds something else
        pass
    return line_starts(path)


def _begin_rows(path: Path, starts: Int64[np.ndarray, " row"]) -> bool:
    """Whether these may well be the rows' first bytes: they rise, and the last row is the last."""
    if not len(starts) or starts[0] != 0 or (np.diff(starts) <= 0).any():
        return False
    with open(path, "rb") as file:
        for at in (starts[len(starts) // 2], starts[-1]):
            file.seek(max(int(at) - 1, 0))
            if at and file.read(1) != b"\n":
                return False
        return bool(file.readline().strip()) and not file.readline().strip()


def _ends(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            first = file.read(_ENDS)
            file.seek(max(size - _ENDS, 0))
            return fingerprint(f"{size} {first.hex()} {file.read().hex()}")
    except OSError as error:
        raise unreadable(error, path) from error
