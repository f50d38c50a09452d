"""Data sets: pictures with boxes, wherever they come from, through one door.

`open_data("coco:DIR")` names the form; of a path alone the form is found by what lies there. Each
reader is a sequence of `vdjax.data.sample.Sample`; `vdjax.data.cache` makes of it what training
reads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vdjax.errors import UserError

if TYPE_CHECKING:
    from vdjax.data.sample import Reader

FORMS = ("storybook", "coco", "flickr30k", "vg", "tsv", "folder")
"""What may stand before the colon; all but the storybook, which ships, want a path after it."""


def open_data(spec: str | Path, *, size: int = 128) -> Reader:
    """The data set that `spec` names.

    Args:
        spec: "storybook", "storybook:COUNT", "coco:DIR", "flickr30k:DIR", "vg:DIR", "tsv:FILE",
            "folder:DIR", or a path, whose form is found by what lies there.
        size: of the storybook's pictures; those of others have the size they have.

    Raises:
        UserError: there is no such form or path, it may not be read, or it holds no samples.
    """
    form, colon, rest = str(spec).partition(":")
    if form == "storybook":
        return _storybook(rest if colon else None, size)
    if form in FORMS and colon:
        path = Path(rest).expanduser()
    else:
        path, form = Path(spec).expanduser(), ""
    from vdjax.data.reading import unreadable

    try:
        _must_exist(path, str(spec))
        reader = _readers()[form or _recognised(path)](path)
    except OSError as error:
        raise unreadable(error, Path(error.filename or path)) from error
    if not len(reader):
        raise UserError(f"{spec} is an empty data set: no picture is told of there")
    return reader


def _storybook(count: str | None, size: int) -> Reader:
    from vdjax.data.storybook.reader import PICTURES, Storybook

    if count is not None and not count.isdecimal():
        raise UserError(f"storybook:{count}: after the colon stands how many pictures, a number")
    return Storybook(int(count) if count is not None else PICTURES, size=size)


def _readers() -> dict[str, Callable[[Path], Reader]]:
    from vdjax.data.coco import Coco
    from vdjax.data.flickr30k import Flickr30k
    from vdjax.data.folder import Folder
    from vdjax.data.gligen import GligenTSV
    from vdjax.data.visual_genome import VisualGenome

    return {
        "coco": Coco,
        "flickr30k": Flickr30k,
        "vg": VisualGenome,
        "tsv": GligenTSV,
        "folder": Folder,
    }


def _must_exist(path: Path, spec: str) -> None:
    try:
        path.stat()
    except FileNotFoundError as error:
        raise UserError(
            f"there is no data at {spec!r}: give a path, with or without its form before it "
            f"({', '.join(FORMS)}) and a colon"
        ) from error


def _recognised(path: Path) -> str:
    """The form of what lies at a path.

    Raises:
        UserError: it is none of those known.
    """
    from vdjax.data import coco, flickr30k, folder, gligen, visual_genome

    if path.is_file():
        endings = {".tsv": "tsv", ".jsonl": "folder", ".json": "coco"}
        if path.suffix in endings:
            return endings[path.suffix]
        raise UserError(f"{path} is no data set: looked for {', '.join(endings)} at its end")
    if (path / folder.NEEDS).is_file():
        return "folder"
    if coco.instances_in(path):
        return "coco"
    if (path / visual_genome.OBJECTS).is_file() or (path / visual_genome.REGIONS).is_file():
        return "vg"
    if flickr30k.annotated_in(path):
        return "flickr30k"
    if gligen.pieces_of(path):
        return "tsv"
    modules = (folder, coco, visual_genome, flickr30k, gligen)
    raise UserError(
        f"{path} is no data set that is known: looked in it for "
        f"{'; '.join(module.NEEDS for module in modules)}"
    )
