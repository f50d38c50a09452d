"""Visual Genome: pictures with names of objects and phrases about regions (Krishna et al. 2017).

`objects.json` and `region_descriptions.json`, or one of them, enter, with `image_data.json` where
there is one; a sample per picture leaves. Objects are its entities, and the phrases of its largest
regions its caption; without objects, regions are the entities. The data set has no captions: GLIGEN
took sentences made of such phrases, too (MDETR's mixture), but not by this rule, which is ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vdjax.data.opening import find_picture, open_picture
from vdjax.data.reading import elements, fingerprint, read_between
from vdjax.data.sample import Sample, as_caption, as_phrases, corners, framed, understood
from vdjax.errors import UserError

OBJECTS, REGIONS, IMAGES = "objects.json", "region_descriptions.json", "image_data.json"
NEEDS = f"{OBJECTS} or {REGIONS}"
REGIONS_TOLD = 5
"""How many of the largest regions make a caption: some 30 words, where CLIP reads 75 tokens."""
_PLACES = ("", "images", "VG_100K", "VG_100K_2", "images/VG_100K", "images/VG_100K_2")
Span = tuple[int, int]


class VisualGenome:
    """Visual Genome as a `Reader`; where in its files a picture is told of is all that is kept."""

    name = "vg"
    mirrors = True

    def __init__(self, path: Path) -> None:
        """`path`: the folder that holds the JSON files, and `VG_100K` and `VG_100K_2`.

        Raises:
            UserError: the files are not there, or cannot be read.
        """
        self._folder = path
        files = [path / name for name in (OBJECTS, REGIONS, IMAGES) if (path / name).is_file()]
        if not {OBJECTS, REGIONS} & {file.name for file in files}:
            raise UserError(f"{path} holds no Visual Genome: there is no {NEEDS} in it")
        self.fingerprint = fingerprint("vg", *files)
        self._objects = _spans(path / OBJECTS)
        self._regions = _spans(path / REGIONS)
        self._images = _images(path / IMAGES)
        told_of = {**self._images, **self._objects, **self._regions}
        self._ids: list[Any] = list(told_of)

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> Sample:
        key = self._ids[index]
        id = str(key)
        with understood(id):
            regions = self._told(REGIONS, self._regions.get(key), "regions")
            objects = self._told(OBJECTS, self._objects.get(key), "objects")
            about = self._images.get(key, {})
            url, width, height = (about.get(name) for name in ("url", "width", "height"))
            places = [self._folder / place / name for place in _PLACES for name in _names(key, url)]
            size = (float(width), float(height)) if width and height else None
            described = [(region.get("phrase"), _sides(region)) for region in regions]
            entities = described
            if self._objects:
                entities = [(_name(thing), _sides(thing)) for thing in objects]
        image = open_picture(id, find_picture(id, places), size)
        wide, high = size or (image.shape[1], image.shape[0])
        phrases, boxes, faults = framed(entities, wide, high)
        caption = ""
        if self._objects:
            told, where, more = framed(described, wide, high)
            largest = (-(where[:, 2:] - where[:, :2]).prod(-1)).argsort(kind="stable")
            caption = as_phrases([told[i] for i in largest[:REGIONS_TOLD]])
            faults += more
        return Sample(
            id=id, image=image, caption=caption, phrases=phrases, boxes=boxes, faults=faults
        )

    def _told(self, file: str, span: Span | None, key: str) -> list[dict[str, Any]]:
        return read_between(self._folder / file, *span)[key] if span else []


def _spans(path: Path) -> dict[Any, Span]:
    """Where in a file each picture is told of. Regions call it `id`, objects `image_id`."""
    if not path.is_file():
        return {}
    found: dict[Any, Span] = {}
    for _, start, stop, value in elements(path):
        key = value.get("image_id", value.get("id")) if isinstance(value, dict) else None
        if key is None:
            raise UserError(f"{path}, byte {start}: no image_id; is it another format?")
        found[key] = (start, stop)
    return found


def _images(path: Path) -> dict[Any, dict[str, Any]]:
    if not path.is_file():
        return {}
    kept = ("url", "width", "height")
    return {
        value["image_id"]: {name: value.get(name) for name in kept}
        for *_, value in elements(path)
        if isinstance(value, dict) and "image_id" in value
    }


def _names(key: Any, url: Any) -> list[str]:
    """What a picture's file may be called: older ones by their address, all others by number."""
    parts = url.split("/") if isinstance(url, str) else []
    by_address = ["/".join(parts[-2:]), parts[-1]] if parts else []
    return list(dict.fromkeys([*by_address, f"{key}.jpg"]))


def _name(thing: dict[str, Any]) -> str:
    names = thing.get("names") or [thing.get("name")]
    return as_caption(names[0])


def _sides(thing: dict[str, Any]) -> list[float]:
    """x0 y0 x1 y1 of an object (w, h) or a region (width, height)."""
    width, height = thing.get("w", thing.get("width")), thing.get("h", thing.get("height"))
    return corners([thing["x"], thing["y"], width, height])
