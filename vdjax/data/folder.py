"""Your own pictures: a folder with a line of JSON for each of them in `samples.jsonl`.

    {"image": "cats/mo.jpg", "caption": "A cat asleep on a sofa",
     "entities": [{"phrase": "a cat", "box": [0.1, 0.4, 0.6, 0.9]}]}

Boxes are x0 y0 x1 y1 in shares of the picture, 0 to 1, from its upper left corner. The caption may
be left out.
"""

from __future__ import annotations

import json
from pathlib import Path

from vdjax.data.opening import find_picture, open_picture
from vdjax.data.reading import fingerprint, line_starts
from vdjax.data.sample import Sample, Skipped, as_caption, framed, understood
from vdjax.errors import UserError

NEEDS = "samples.jsonl"


class Folder:
    """Lines of JSON as a `Reader`."""

    name = "folder"
    mirrors = True

    def __init__(self, path: Path) -> None:
        """`path`: the folder, or a file of such lines; pictures are named from where that lies.

        Raises:
            UserError: there is no such file, or it cannot be read.
        """
        self._file = path if path.is_file() else path / NEEDS
        if not self._file.is_file():
            raise UserError(f"{path} holds no {NEEDS}: write a line of JSON there for each picture")
        self._starts = line_starts(self._file)
        self.fingerprint = fingerprint("folder", self._file)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> Sample:
        id = f"line {index + 1}"
        with understood(id):
            with open(self._file, "rb") as file:
                file.seek(int(self._starts[index]))
                item = json.loads(file.readline())
            id = item["image"]
            if not isinstance(id, str):
                raise Skipped(f"line {index + 1}", "annotation broken", f"image is {id!r}")
            caption = as_caption(item.get("caption"))
            entities = [(about["phrase"], about["box"]) for about in item["entities"]]
            place = self._file.parent / id
        image = open_picture(id, find_picture(id, [place]))
        phrases, boxes, faults = framed(entities)
        return Sample(
            id=id, image=image, caption=caption, phrases=phrases, boxes=boxes, faults=faults
        )
