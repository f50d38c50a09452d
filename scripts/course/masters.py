"""Read the masters: notebooks as Python files, with tags on their cells and marks to be filled in.

A master is `notebooks/src/NN_name.py` (jupytext, py:percent). What enters is that file, what leaves
is a notebook with every cell the master has; `course.editions` chooses among them. Pictures are put
into the text itself, so that a notebook is whole when it is opened alone, as in Colab.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
MASTERS = NOTEBOOKS / "src"
MEASURED = MASTERS / "measured.json"
REPOSITORY = "vdjax/vdjax"
PAGE = 800
"""Pixels that a picture is wide at most."""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
ROAD = (
    ("01_planning", "planning", "plan", "a sentence becomes scenes, things, boxes"),
    ("02_grounding_tokens", "grounding tokens", "ground", "boxes, names, pictures become tokens"),
    ("03_unet3d_and_gated_attention", "the UNet", "model", "the 3D UNet and its gated layers"),
    ("04_training", "training", "train", "the gates open"),
    ("05_multi_scene_sampling", "sampling", "sample", "noise becomes frames, step by step"),
    ("06_looking_inside", "looking inside", "inspect", "attention and gates, looked at"),
    ("07_measuring", "measuring", "evaluate", "is it there, moving, the same?"),
    ("08_many_devices", "many devices", "train", "the same step on many devices"),
    ("09_real_weights", "real weights", "weights", "the full-size model"),
    ("10_your_own_pictures", "your own pictures", "train", "your picture, your plan"),
)
"""The stations after 00: the notebook, its name for people, its folder, what happens."""
TEXT_TAGS = {"exercise", "hint", "questions", "answers", "references", "teacher", "discuss"}
CODE_TAGS = {"install", "stub", "check", "solution", "wrong", "scratch"}
SLIDE_TAGS = {"slide", "subslide", "fragment"}

_PICTURE = re.compile(r"!\[(?P<alt>[^]]+)\]\((?P<path>pictures/[^)]+)\)")
_MARK = re.compile(r"\{\{(\w+)\}\}")


class MasterError(ValueError):
    """A master is not written as notebooks/README.md says."""


def names() -> list[str]:
    """The names of all notebooks, in order."""
    return sorted(path.stem for path in MASTERS.glob("[0-9][0-9]_*.py"))


def tags(cell: NotebookNode) -> set[str]:
    """The tags of a cell; none for most."""
    return set(cell.metadata.get("tags", []))


def read(name: str, folder: str = "") -> NotebookNode:
    """All cells of a master, marks filled in for an edition that lies in `folder`.

    Raises MasterError for a tag or a mark that means nothing, or one on the wrong kind of cell.
    """
    notebook = jupytext.read(MASTERS / f"{name}.py")
    marks = _marks(name, folder)
    number = 0
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)
        known = SLIDE_TAGS | (TEXT_TAGS if cell.cell_type == "markdown" else CODE_TAGS)
        if unknown := tags(cell) - known:
            raise MasterError(
                f"{name}: a {cell.cell_type} cell is tagged {', '.join(sorted(unknown))}; "
                f"it may be {', '.join(sorted(known))}"
            )
        number += "stub" in tags(cell)
        cell.source = _filled(cell, marks, number, name)
    return notebook


def _filled(cell: NotebookNode, marks: dict[str, str], number: int, name: str) -> str:
    source: str = cell.source.strip("\n")
    if "install" in tags(cell):
        title = '# @title Install what is missing {display-mode: "form"}'
        source = f"{title}\n{(MASTERS / 'install.py').read_text().rstrip()}"
    elif "check" in tags(cell):
        source = f'# @title Check exercise {number} {{display-mode: "form"}}\n{source}'
    for mark in _MARK.findall(source):
        if mark not in marks:
            raise MasterError(f"{name}: {{{{{mark}}}}} is no mark; there are {', '.join(marks)}")
    source = _MARK.sub(lambda mark: marks[mark[1]], source)
    return _PICTURE.sub(_inlined, source) if cell.cell_type == "markdown" else source


def _marks(name: str, folder: str) -> dict[str, str]:
    from vdjax import __version__

    tag, path = f"v{__version__}", "/".join(filter(None, ("notebooks", folder, f"{name}.ipynb")))
    return {
        "COLAB": f"https://colab.research.google.com/github/{REPOSITORY}/blob/{tag}/{path}",
        "SOURCE": f"git+https://github.com/{REPOSITORY}@{tag}",
        "TIMES": times(name),
        "MAP": course_map(),
    }


def course_map() -> str:
    """The road as a table; a notebook that is not there yet is called planned."""
    rows = ["| folder | what happens | notebook |", "|---|---|---|"]
    for notebook, title, folder, happens in ROAD:
        title = f"{notebook[:2]} · {title}"
        there = (MASTERS / f"{notebook}.py").exists()
        link = f"[{title}]({notebook}.ipynb)" if there else f"{title} (planned)"
        rows.append(f"| `vdjax/{folder}` | {happens} | {link} |")
    return "\n".join(rows)


def times(name: str) -> str:
    """A table of what *Run all* takes, per machine, as far as it was measured."""
    noted = measured()
    rows = ["| where | *Run all*, compiling included | most memory |", "|---|---|---|"]
    for machine in noted["machines"]:
        found = noted["notebooks"].get(name, {}).get(machine, {})
        seconds, memory = found.get("seconds"), found.get("memory")
        rows.append(
            f"| {machine} | {f'{seconds} s' if seconds else 'not measured'} | "
            f"{f'{memory} GB' if memory else 'not measured'} |"
        )
    return "\n".join(rows)


def measured() -> dict[str, Any]:
    """The machines, in the order of the table, and what was measured on each."""
    noted: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return noted


def _inlined(match: re.Match[str]) -> str:
    picture = (MASTERS / match["path"]).read_bytes()
    with Image.open(io.BytesIO(picture)) as opened:
        width = min(opened.width, PAGE)
    data = base64.b64encode(picture).decode()
    alt = " ".join(match["alt"].split())
    kind = match["path"].rpartition(".")[2]
    return f'<img alt="{alt}" width="{width}" src="data:image/{kind};base64,{data}"/>'


def finished(cells: list[NotebookNode]) -> NotebookNode:
    """A notebook of these cells, each named after what it holds, so that versions compare well."""
    notebook = nbformat.v4.new_notebook(metadata=METADATA)
    taken: set[str] = set()
    for cell in cells:
        number = 0
        while (identity := _identity(cell, number)) in taken:
            number += 1
        taken.add(identity)
        cell.id = identity
        notebook.cells.append(cell)
    nbformat.validate(notebook)
    return notebook


def _identity(cell: NotebookNode, number: int) -> str:
    return hashlib.sha256(f"{cell.cell_type}{cell.source}{number}".encode()).hexdigest()[:12]
