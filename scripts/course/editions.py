"""From one master, five notebooks: for students, with solutions, for teachers, bare, for tests.

What enters is a master's cells with their tags, what leaves is a notebook without outputs. Each
edition is one table row of notebooks/README.md: which tags it keeps, and how it shows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course.masters import SLIDE_TAGS, MasterError, finished, read, tags

FOLDERS = {"student": "", "solutions": "solutions", "teacher": "teacher", "bare": "bare"}
"""The editions that are committed, and where under notebooks/ they lie."""

_TITLES = {"solutions": "Solution edition", "teacher": "Teacher edition", "bare": "Bare edition"}
_SAYS = re.compile(r"# says: (.+)\n")
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|\d\d_)([^)]+)(?=\))")


def edition(name: str, kind: str) -> NotebookNode:
    """The notebook `name` in one of the editions of FOLDERS, or as "tested": everything, in order
    to see that each check passes its solution and refuses every wrong answer."""
    make = {
        "student": _student,
        "solutions": _solved,
        "teacher": _teacher,
        "bare": _bare,
        "tested": _tested,
    }[kind]
    folder = FOLDERS.get(kind, "")
    master = read(name, folder).cells
    if folder:
        for cell in (cell for cell in master if cell.cell_type == "markdown"):
            cell.source = _LINK.sub(r"../\1", cell.source)
        master[0] = _headed(master[0], name, kind)
    cells = list(make(master))
    for cell in cells:
        _marked(cell, kind)
    return finished(cells)


def exercises(cells: list[NotebookNode]) -> list[list[NotebookNode]]:
    """The cells of each exercise, from its text to its last wrong answer."""
    found: list[list[NotebookNode]] = []
    inside = False
    for cell in cells:
        if "exercise" in tags(cell):
            inside = cell.source.startswith("### ")
            found += [[]] if inside else []
        elif not tags(cell) & {"stub", "check", "hint", "solution", "wrong", "teacher", "discuss"}:
            inside = False
        if inside:
            found[-1].append(cell)
    return found


def call_of(check: NotebookNode) -> str:
    """The line of a check that asks it: its last."""
    last: str = check.source.rstrip().splitlines()[-1]
    if not re.fullmatch(r"print\(check_\w+\(\w+\)\)", last):
        raise MasterError(f"a check ends with print(check_…(…)), not with {last!r}")
    return last


def sentence_of(wrong: NotebookNode) -> str:
    """What a check is to say, among other things, of a wrong answer."""
    says = _SAYS.match(wrong.source)
    if says is None:
        raise MasterError(f"a wrong answer opens with '# says: …': {wrong.source[:60]!r}")
    return says[1].strip()


def _student(cells: list[NotebookNode]) -> Iterator[NotebookNode]:
    for cell in cells:
        if tags(cell) & {"teacher", "discuss", "wrong"}:
            continue
        if "hint" in tags(cell):
            yield _folded("Hint", cell.source)
        elif "answers" in tags(cell):
            yield _folded("Answers", cell.source)
        elif "solution" in tags(cell):
            yield _folded("Solution", f"```python\n{cell.source}\n```")
        else:
            yield cell


def _solved(cells: list[NotebookNode]) -> Iterator[NotebookNode]:
    """As the student's, but solutions stand where stubs stood."""
    for position, cell in enumerate(cells):
        if tags(cell) & {"teacher", "discuss", "wrong", "solution"}:
            continue
        if "stub" in tags(cell):
            yield _solution(cells[position:])
        elif "hint" in tags(cell):
            yield _folded("Hint", cell.source)
        elif "answers" in tags(cell):
            yield new_markdown_cell(f"**Answers**\n\n{cell.source}")
        else:
            yield cell


def _solution(cells: list[NotebookNode]) -> NotebookNode:
    for cell in cells:
        if tags(cell) & {"solution", "exercise"}:
            break
    if "solution" not in tags(cell):
        raise MasterError(f"an exercise has no solution: {cells[0].source[:60]!r}")
    return cell


def _teacher(cells: list[NotebookNode]) -> Iterator[NotebookNode]:
    """As with solutions, and with a plan, notes, prompts, wrong answers and slides."""
    yield cells[0]
    yield new_markdown_cell(plan_of_lesson(cells))
    for position, cell in enumerate(cells[1:], 1):
        if "teacher" in tags(cell):
            note = _quoted("Teacher", cell.source)
            note.metadata["slideshow"] = {"slide_type": "notes"}
            yield note
        elif "discuss" in tags(cell):
            yield _quoted("Discuss", cell.source, cell)
        elif "stub" in tags(cell):
            yield _solution(cells[position:])
        elif "hint" in tags(cell):
            yield _quoted("Hint", cell.source)
        elif "answers" in tags(cell):
            yield new_markdown_cell(f"**Answers**\n\n{cell.source}")
        elif "wrong" in tags(cell):
            code = _SAYS.sub("", cell.source).strip()
            yield _folded(f"Wrong answer: “… {sentence_of(cell)} …”", f"```python\n{code}\n```")
        elif "solution" not in tags(cell):
            yield cell


def _bare(cells: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Headings and the lesson's code."""
    for cell in cells:
        if cell.cell_type == "code":
            if not tags(cell) & {"stub", "check", "solution", "wrong"}:
                yield cell
        elif not tags(cell) - SLIDE_TAGS:
            headings = re.findall(r"^#+ .+$", cell.source, re.MULTILINE)
            if headings:
                yield new_markdown_cell("\n\n".join(headings))


def _tested(cells: list[NotebookNode]) -> Iterator[NotebookNode]:
    """The student's code; every wrong answer and every solution, each asked by its check."""
    call = ""
    for cell in cells:
        if "check" in tags(cell):
            call = call_of(cell)
        if tags(cell) & {"wrong", "solution"}:
            yield new_code_cell(f"{cell.source}\n{call}", metadata=cell.metadata)
        elif cell.cell_type == "code":
            yield cell


def plan_of_lesson(cells: list[NotebookNode]) -> str:
    """Minutes per section and exercise, added up: what a teacher plans an hour with."""
    rows, minutes_so_far = [], 0
    for cell in cells:
        title = cell.source.partition("\n")[0].lstrip("# ")
        minutes = cell.metadata.get("minutes") or _minutes(cell)
        if cell.cell_type == "markdown" and minutes:
            minutes_so_far += minutes
            rows.append(f"| {title} | {minutes} | {minutes_so_far} |")
    return "\n".join(
        ["**Plan of the lesson**", "", "| part | minutes | so far |", "|---|---|---|", *rows]
    )


def _minutes(cell: NotebookNode) -> int:
    if "exercise" not in tags(cell):
        return 0
    said = re.search(r"(\d+) minutes\*", cell.source)
    return int(said[1]) if said else 0


def _headed(head: NotebookNode, name: str, kind: str) -> NotebookNode:
    title, _, rest = head.source.partition("\n")
    note = f"*{_TITLES[kind]}; made from the same file as [the student's](../{name}.ipynb).*"
    return new_markdown_cell(f"{title}\n\n{note}\n{rest}".rstrip(), metadata=head.metadata)


def _folded(title: str, text: str) -> NotebookNode:
    return new_markdown_cell(f"<details><summary>{title}</summary>\n\n{text}\n\n</details>")


def _quoted(title: str, text: str, like: NotebookNode | None = None) -> NotebookNode:
    lines = f"**{title}.** {text}".splitlines()
    quoted = "\n".join(f"> {line}".rstrip() for line in lines)
    return new_markdown_cell(quoted, metadata=like.metadata if like else {})


def _marked(cell: NotebookNode, kind: str) -> None:
    """Leave of a cell's metadata what the tools of readers know."""
    kept = tags(cell) & {"exercise", "stub", "check", "solution", "wrong", "install"}
    slideshow = cell.metadata.get("slideshow")
    if kind == "teacher" and slideshow is None:
        slides = sorted(tags(cell) & SLIDE_TAGS)
        slideshow = {"slide_type": slides[0] if slides else "skip"}
    cell.metadata.clear()
    if kept & {"check", "install"}:
        kept.add("hide-input")  # a site folds it
        cell.metadata["cellView"] = "form"  # Colab does
        cell.metadata["jupyter"] = {"source_hidden": True}  # JupyterLab does
    if kept:
        cell.metadata["tags"] = sorted(kept)
    if slideshow:
        cell.metadata["slideshow"] = slideshow
