"""What keeps a notebook from being what it should be, in words.

Three kinds of findings: of the master (parts that are missing, exercises without a check), of what
is committed (not what the master makes, not run), and of any notebook's text and outputs (pictures
without a description, paths and keys, links to nowhere, figures without labels).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course import masters
from course.editions import FOLDERS, call_of, edition, exercises, sentence_of
from course.figures import unlabelled
from course.masters import METADATA, read, tags
from course.running import WIDGET

LARGEST = 2_000_000
"""Bytes of a notebook: larger ones are slow to open and are not shown on code-hosting sites."""

_LEAST = {"teacher": 1, "discuss": 2, "slide": 3, "questions": 1, "answers": 1}
_HEADER = (
    r"### Exercise \d+ · .+\n\n"
    r"\*Difficulty [1-5]/5 · importance [1-5]/5 · (?:\d+ to )?\d+ minutes\*"
)
_DATA = re.compile(r"base64,[A-Za-z0-9+/=\\n]+")
_OF_A_MACHINE = {
    "a path of the machine that ran it": re.compile(
        r"(?<![\w.:/-])(?:/(?:home|root|tmp|Users|work|content|mnt|var|opt)/|[A-Z]:\\\\?Users)[^\s\"'\\]*"
    ),
    "what looks like a key": re.compile(
        r"\b(?:sk-[\w-]{16,}|hf_\w{20,}|gh[opsu]_\w{20,}|AKIA[0-9A-Z]{16}|AIza[\w-]{35}"
        r"|xox[abprs]-[\w-]{10,})|-----BEGIN [A-Z ]*PRIVATE KEY|\bBearer [\w.-]{20,}"
    ),
    "a package index": re.compile(
        r"Looking in indexes|\bpypi\.org|pythonhosted\.org|registry\.npmjs|conda\.anaconda\.org"
    ),
}
_LINKS = (
    re.compile(r"\]\(([^)\s]+)\)"),
    re.compile(r"^\[[^\]^]+\]: (\S+)", re.MULTILINE),
    re.compile(r"<(?:a|img)\b[^>]*\b(?:href|src)=\"([^\"]+)\""),
)


def place(name: str, kind: str) -> Path:
    """Where an edition lies."""
    return masters.NOTEBOOKS / FOLDERS[kind] / f"{name}.ipynb"


def committed(name: str, kind: str = "student") -> NotebookNode | None:
    """A notebook as it stands, if it stands."""
    path = place(name, kind)
    return nbformat.read(path, as_version=4) if path.exists() else None


def problems(name: str) -> list[str]:
    """All that is wrong with a master and with its committed editions."""
    try:
        found = [f"{name}: {fault}" for fault in of_master(name)]
        for kind in FOLDERS:
            found += [f"{name}, {kind}: {fault}" for fault in of_committed(name, kind)]
    except masters.MasterError as error:
        return [f"{name}: {error}"]
    return found


def of_master(name: str) -> Iterator[str]:
    """Parts that a notebook should have, and lacks."""
    cells = read(name).cells
    yield from _of_head(cells[0].source, name)
    if not any("install" in tags(cell) for cell in cells[:3]):
        yield "one of the first cells is to be tagged install"
    if len(exercises(cells)) < 3:
        yield f"has {len(exercises(cells))} exercises; at least 3"
    for number, exercise in enumerate(exercises(cells), 1):
        yield from (f"exercise {number} {fault}" for fault in _of_exercise(exercise))
    for cell in cells:
        title = cell.source.partition("\n")[0]
        section = title.startswith("## ") and not tags(cell) & masters.TEXT_TAGS
        if section and "minutes" not in cell.metadata:
            yield f"{title!r} says no minutes: # %% [markdown] minutes=10"
    for tag, least in _LEAST.items():
        count = sum(tag in tags(cell) for cell in cells)
        if count < least:
            yield f"has {count} cells tagged {tag}; at least {least}"
    last = cells[-1]
    if "references" not in tags(last) or "- Next: [" not in last.source:
        yield "ends without references and what to read next (- Next: […](…))"


def _of_head(head: str, name: str) -> Iterator[str]:
    parts = {
        f"its number (# {name[:2]} · …)": rf"\A# {name[:2]} · ",
        "**Goal, in one sentence:**": r"\*\*Goal, in one sentence:\*\*",
        "a picture with a description": r'<img alt="[^"]{30,}"',
        "a Colab badge of this version ({{COLAB}})": rf"/blob/v[\d.\w]+/notebooks/{name}\.ipynb",
        "**You will be able to**": r"\*\*You will be able to\*\*",
        "**You need**": r"\*\*You need\*\*",
        "the table of times ({{TIMES}})": r"\| most memory \|",
    }
    for part, pattern in parts.items():
        if not re.search(pattern, head):
            yield f"its head lacks {part}"


def _of_exercise(cells: list[NotebookNode]) -> Iterator[str]:
    if not re.match(_HEADER, cells[0].source):
        yield f"has no header like '*Difficulty 2/5 · importance 4/5 · 5 to 10 minutes*': {_HEADER}"
    for tag in ("stub", "check", "hint", "solution", "wrong"):
        count = sum(tag in tags(cell) for cell in cells)
        if count == 0 or (count > 1 and tag not in ("hint", "wrong")):
            yield f"has {count} cells tagged {tag}"
    for cell in cells:
        if "check" in tags(cell):
            call_of(cell)
        elif "wrong" in tags(cell):
            sentence_of(cell)


def of_committed(name: str, kind: str) -> Iterator[str]:
    """What is wrong with an edition as it is committed."""
    notebook, path = committed(name, kind), place(name, kind)
    if notebook is None:
        yield f"there is no {path.name}; run scripts/build_notebooks.py"
        return
    if _sources(notebook) != _sources(edition(name, kind)):
        yield "is not what its master makes; run scripts/build_notebooks.py"
    for code in (cell for cell in notebook.cells if cell.cell_type == "code"):
        if kind == "student" and code.execution_count is None:
            yield f"was not run: {code.source.partition(chr(10))[0]!r}"
        if kind != "student" and code.outputs:
            yield f"has outputs: {code.source.partition(chr(10))[0]!r}"
    yield from of_notebook(notebook, path)


def _sources(notebook: NotebookNode) -> list[tuple[object, ...]]:
    return [(c.cell_type, c.source, dict(c.metadata), c.id) for c in notebook.cells]


def of_notebook(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """What no notebook may have, whatever made it; `path` is where it lies."""
    if dict(notebook.metadata) != METADATA:
        yield f"has more metadata than it should: {', '.join(notebook.metadata)}"
    text = nbformat.writes(notebook)
    if (size := len(text.encode())) > LARGEST:
        yield f"has {size:,} bytes; at most {LARGEST:,}"
    text = _DATA.sub("", text)
    for what, pattern in _OF_A_MACHINE.items():
        if seen := pattern.search(text):
            yield f"holds {what}: {seen[0][:60]}"
    if str(masters.ROOT) in text or str(Path.home()) in text:
        yield "holds a path of the machine that ran it"
    yield from (f"has a picture without a description: {tag[:60]}" for tag in _bare(notebook))
    yield from of_links(notebook, path.parent)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield from unlabelled(cell.source)
            for output in cell.outputs:
                yield from of_output(output)


def of_output(output: NotebookNode) -> Iterator[str]:
    """What no output may be: an error, a warning, a picture or widget that says nothing."""
    if output.output_type == "error":
        yield f"an error stands in it: {output.ename}: {output.evalue}"
    elif output.output_type == "stream":
        if output.name == "stderr":
            yield f"says on stderr: {output.text[:200]}"
    else:
        for kind in output.data:
            if kind.startswith("image/") or kind == WIDGET:
                yield f"an output of kind {kind}, which carries no description"


def _bare(notebook: NotebookNode) -> list[str]:
    """Picture tags without an alternative text, in text and outputs."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts.append(output.get("data", {}).get("text/html", ""))
    images = [tag for text in texts for tag in re.findall(r"<img\b[^>]*>", text)]
    bare = [tag for tag in images if not re.search(r'alt="[^"]{8,}"', tag)]
    return bare + [m[0] for text in texts for m in re.finditer(r"!\[\s*\]\([^)]*\)", text)]


def of_links(notebook: NotebookNode, folder: Path) -> Iterator[str]:
    """Links to files, or headings of notebooks, that are not there; `folder` is where it lies."""
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        text = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
        for target in (target for pattern in _LINKS for target in pattern.findall(text)):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target) or not path:
                continue
            if not (folder / path).exists():
                yield f"links to {target}, which does not exist"
            elif anchor and path.endswith(".ipynb") and anchor not in _anchors(folder / path):
                yield f"links to {target}, which has no such heading"


def _anchors(path: Path) -> set[str]:
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return {title.strip().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)}
