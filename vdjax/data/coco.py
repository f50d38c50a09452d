"""COCO: pictures with boxes of things in 80 categories and five captions each (Lin et al. 2014).

`instances_*.json` enters, with `captions_*.json` beside it where there is one; a sample per picture
leaves, whose phrases are names of categories and whose caption is the first that is not empty.
Boxes of crowds (`iscrowd`, with run lengths for outlines) hold many things at once: they are left
out.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vdjax.data.opening import find_picture, open_picture
from vdjax.data.reading import elements, fingerprint, listed
from vdjax.data.sample import Sample, Skipped, as_caption, corners, framed, understood
from vdjax.errors import UserError

_PREFIX = "instances_"
NEEDS = "annotations/instances_*.json"
_UNKNOWN = -1


def instances_in(folder: Path) -> list[Path]:
    """The files of boxes in a COCO folder, or in its `annotations`."""
    for place in (folder / "annotations", folder):
        if found := [place / name for name in listed(place) if _names_boxes(name)]:
            return found
    return []


def _names_boxes(name: str) -> bool:
    return name.startswith(_PREFIX) and name.endswith(".json")


class Coco:
    """COCO's annotations as a `Reader`.

    Pictures are looked for in the folder named as the annotations are (`train2017`), in `images`,
    and in both of them one below the other.
    """

    name = "coco"
    mirrors = True

    def __init__(self, path: Path) -> None:
        """`path`: COCO's folder, or one file of boxes. Of several files in it, those for training
        are read.

        Raises:
            UserError: there are no annotations, they cannot be read, or it is not clear which are
                meant.
        """
        instances = _chosen(path)
        captions = instances.with_name("captions_" + instances.name.removeprefix(_PREFIX))
        files = [instances, captions] if captions.exists() else [instances]
        self.fingerprint = fingerprint("coco", *files)
        self._places = _places(instances)
        self._read_instances(instances)
        self._captions = _first_captions(captions) if captions.exists() else {}

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> Sample:
        key = self._ids[index]
        name, size = self._pictures.get(key, (None, None))
        id = str(key)
        if name is None:
            raise Skipped(id, "picture missing", "boxes name it, the list of pictures does not")
        with understood(id):
            places = [place / name for place in self._places]
        image = open_picture(id, find_picture(id, places), size)
        width, height = size or (image.shape[1], image.shape[0])
        first, last = self._first[index : index + 2]
        boxes, kinds = self._boxes[first:last], self._kinds[first:last]
        entities = [
            (self._categories.get(int(kind)), corners(box.tolist()))
            for box, kind in zip(boxes, kinds, strict=True)
        ]
        phrases, kept, faults = framed(entities, width, height)
        return Sample(
            id=id,
            image=image,
            caption=self._captions.get(key, ""),
            phrases=phrases,
            boxes=kept,
            faults=faults,
        )

    def _read_instances(self, path: Path) -> None:
        self._pictures: dict[Any, tuple[str | None, tuple[float, float] | None]] = {}
        self._categories: dict[int, str] = {}
        numbers: dict[Any, int] = {}
        owners, kinds, boxes = array("q"), array("q"), array("f")
        for key, start, _, value in elements(path, "images", "annotations", "categories"):
            try:
                if key == "images":
                    self._pictures[value["id"]] = (value.get("file_name"), _size(value))
                elif key == "categories":
                    self._categories[value["id"]] = value["name"]
                elif not value.get("iscrowd"):
                    owners.append(numbers.setdefault(value["image_id"], len(numbers)))
                    kind = value.get("category_id")
                    kinds.append(kind if isinstance(kind, int) else _UNKNOWN)
                    boxes.extend(_four(value.get("bbox")))
            except (KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{path}, byte {start}: this is no entry of COCO's {key} ({error!r}); "
                    "is it another format?"
                ) from error
        for key in self._pictures:  # those without boxes come last
            numbers.setdefault(key, len(numbers))
        # In the order of the file, whatever order its boxes are in; then those it does not list.
        listed_first = [*self._pictures, *(key for key in numbers if key not in self._pictures)]
        place = np.empty(len(numbers), np.int64)
        place[[numbers[key] for key in listed_first]] = np.arange(len(numbers))
        owner = place[np.array(owners, np.int64)]
        order = np.argsort(owner, kind="stable")
        self._ids: list[Any] = listed_first
        self._first = np.searchsorted(owner[order], np.arange(len(numbers) + 1))
        self._boxes = np.array(boxes, np.float32).reshape(-1, 4)[order]
        self._kinds = np.array(kinds, np.int64)[order]


def _chosen(path: Path) -> Path:
    if path.is_file():
        return path
    found = instances_in(path)
    if not found:
        raise UserError(f"{path} holds no COCO data: there is no {NEEDS} in it")
    training = [file for file in found if file.name.startswith(_PREFIX + "train")]
    meant = training or found
    if len(meant) > 1:
        raise UserError(
            f"{path} holds {len(meant)} sets ({', '.join(file.name for file in meant)}): name one, "
            f"as in coco:{meant[0]}"
        )
    return meant[0]


def _places(instances: Path) -> list[Path]:
    """Where the pictures of a file of boxes may lie."""
    split = instances.stem.removeprefix(_PREFIX)
    above = instances.parent
    root = above.parent if above.name == "annotations" else above
    return [root / split, root / "images" / split, root / "images", root]


def _size(image: dict[str, Any]) -> tuple[float, float] | None:
    width, height = image.get("width"), image.get("height")
    return (float(width), float(height)) if width and height else None


def _four(box: Any) -> Iterator[float]:
    """Four numbers, or four that are none: what is wrong with a box is told with its sample."""
    try:
        numbers = [float(number) for number in box]
    except (TypeError, ValueError):
        numbers = []
    yield from numbers if len(numbers) == 4 else [float("nan")] * 4


def _first_captions(path: Path) -> dict[Any, str]:
    captions: dict[Any, str] = {}
    for *_, value in elements(path, "annotations"):
        key = value.get("image_id") if isinstance(value, dict) else None
        if key is not None and not captions.get(key):
            captions[key] = as_caption(value.get("caption"))
    return captions
