"""Flickr30k Entities: captions whose phrases are tied to boxes (Plummer et al. 2017).

`Sentences/*.txt` and `Annotations/*.xml` enter; a sample per sentence leaves. A phrase with several
boxes is an entity for each of them, as in the annotations GLIGEN was trained on. Phrases that are
the scene itself, or not to be seen, have no box and are no entity.
"""

from __future__ import annotations

import re
from os.path import isdir
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from vdjax.data.opening import find_picture, open_picture
from vdjax.data.reading import fingerprint, listed, unreadable
from vdjax.data.sample import Sample, Skipped, as_caption, framed, understood
from vdjax.errors import UserError

NEEDS = "Sentences/*.txt and Annotations/*.xml"
_PHRASE = re.compile(r"\[/EN#(\d+)(?:/[^\s\]]*)? ([^\]]*)\]")
_NOT_SHOWN = "0"
_PICTURES = ("flickr30k-images", "flickr30k_images", "images", "")
Boxes = dict[str, list[list[float]]]


def annotated_in(folder: Path) -> Path | None:
    """The folder that holds `Sentences` and `Annotations`: the one given, or one just inside it."""
    for place in (folder, *(folder / name for name in listed(folder))):
        if isdir(place / "Sentences") and isdir(place / "Annotations"):
            return place
    return None


class Flickr30k:
    """Flickr30k Entities as a `Reader`.

    With a `train.txt` beside the annotations, only the pictures it lists; without those sentences
    that `UNRELATED_CAPTIONS` lists.
    """

    name = "flickr30k"
    mirrors = True

    def __init__(self, path: Path) -> None:
        """`path`: the folder that holds the annotations, and the pictures in `flickr30k-images`.

        Raises:
            UserError: there are no annotations, or they cannot be read.
        """
        found = annotated_in(path)
        if found is None:
            raise UserError(f"{path} holds no Flickr30k Entities: there is no {NEEDS} in it")
        self._annotations = found
        self._places = [root / name for root in dict.fromkeys((path, found)) for name in _PICTURES]
        pictures, unrelated = _pictures(found), _unrelated(found)
        self._pictures: list[str] = pictures
        owners, numbers, texts = [], [], []
        for owner, picture in enumerate(pictures):
            text = _read(found / "Sentences" / f"{picture}.txt")
            texts.append(text)
            for number, _ in enumerate(_sentences(text)):
                if (picture, number + 1) not in unrelated:
                    owners.append(owner)
                    numbers.append(number)
        self._owners, self._numbers = np.array(owners, np.int64), np.array(numbers, np.int64)
        sizes = [f"{file.name} {file.stat().st_size}" for file in _xml_files(found)]
        kept = f"{self._owners.tobytes().hex()} {self._numbers.tobytes().hex()}"
        self.fingerprint = fingerprint("flickr30k", *texts, *sizes, kept)

    def __len__(self) -> int:
        return len(self._owners)

    def __getitem__(self, index: int) -> Sample:
        picture, number = self._pictures[self._owners[index]], int(self._numbers[index])
        id = f"{picture}#{number}"
        with understood(id):
            text = _read(self._annotations / "Sentences" / f"{picture}.txt")
            caption, mentions = read_sentence(_sentences(text)[number])
        size, boxes = self._boxes(id, picture)
        entities = [(phrase, box) for chain, phrase in mentions for box in boxes.get(chain, [])]
        places = [place / f"{picture}.jpg" for place in self._places]
        image = open_picture(id, find_picture(id, places), size)
        width, height = size or (image.shape[1], image.shape[0])
        phrases, kept, faults = framed(entities, width, height)
        return Sample(
            id=id, image=image, caption=caption, phrases=phrases, boxes=kept, faults=faults
        )

    def _boxes(self, id: str, picture: str) -> tuple[tuple[float, float] | None, Boxes]:
        path = self._annotations / "Annotations" / f"{picture}.xml"
        try:
            with understood(id):
                return read_boxes(path.read_bytes())
        except ElementTree.ParseError as error:
            raise Skipped(id, "annotation broken", f"{path}: {error}") from error


def read_sentence(line: str) -> tuple[str, list[tuple[str, str]]]:
    """A marked sentence as (caption, [(chain, phrase), …]); what is not shown has no chain."""
    mentions = [
        (chain, as_caption(phrase))
        for chain, phrase in _PHRASE.findall(line)
        if chain != _NOT_SHOWN
    ]
    return as_caption(_PHRASE.sub(r"\2", line)), mentions


def read_boxes(xml: bytes) -> tuple[tuple[float, float] | None, Boxes]:
    """Width and height of a picture, and the boxes of each chain, from its XML.

    Pixels are counted from 1 and both ends of a box belong to it, as in PASCAL VOC, whose form this
    is.
    """
    root = ElementTree.fromstring(xml)
    width, height = (float(root.findtext(f"size/{side}") or 0) for side in ("width", "height"))
    boxes: Boxes = {}
    for thing in root.iter("object"):
        box = thing.find("bndbox")
        if box is None:
            continue
        x0, y0, x1, y1 = (
            float(box.findtext(corner) or "nan") for corner in ("xmin", "ymin", "xmax", "ymax")
        )
        for name in thing.findall("name"):
            boxes.setdefault((name.text or "").strip(), []).append([x0 - 1, y0 - 1, x1, y1])
    return ((width, height) if width and height else None), boxes


def _sentences(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise unreadable(error, path) from error


def _xml_files(folder: Path) -> list[Path]:
    return [folder / "Annotations" / name for name in listed(folder / "Annotations")]


def _pictures(folder: Path) -> list[str]:
    """The pictures that have sentences; where somebody chose those for training, these."""
    written = [
        name.removesuffix(".txt") for name in listed(folder / "Sentences") if name.endswith(".txt")
    ]
    chosen = folder / "train.txt"
    if not chosen.is_file():
        return written
    training = set(_read(chosen).split())
    return [name for name in written if name in training]


def _unrelated(folder: Path) -> set[tuple[str, int]]:
    """(picture, number of the sentence, from 1) of the captions that are of something else."""
    path = folder / "UNRELATED_CAPTIONS"
    lines = _read(path).splitlines() if path.is_file() else []
    words = [line.split() for line in lines if not line.startswith("#")]
    return {(pair[0], int(pair[1])) for pair in words if len(pair) == 2 and pair[1].isdigit()}
