"""Every notebook runs from top to bottom, offline; its checks tell right answers from wrong."""

import os
import re
import resource
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NAMES = sorted(
    path.stem for path in (Path(__file__).parents[2] / "notebooks" / "src").glob("[0-9]*.py")
)
SECONDS, CORES = 180, 2
"""How long a notebook may take, and on how many cores; a clock would time other work as well."""

pytestmark = [
    pytest.mark.notebooks,
    # Of the machinery that runs kernels, not of the notebooks.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def solutions(notebook):
    """The code in the folded solutions, in order."""
    pattern = r"<summary>Solution</summary>\s+```python\n(.*?)```"
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return [code for text in texts for code in re.findall(pattern, text, re.DOTALL)]


def said(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def used_by_children():
    """Seconds of processors that kernels which have ended used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("name", NAMES)
def test_notebook(building, name, tmp_path):
    notebook = building.from_master(name)
    cells = len(notebook.cells)
    checks = [cell for cell in notebook.cells if "def check_" in cell.source]
    solved = solutions(notebook)
    assert len(checks) == len(solved)
    for solution, check in zip(solved, checks, strict=True):
        last = check.source.rstrip().splitlines()[-1]
        assert last.startswith("print(check_")
        notebook.cells.append(nbformat.v4.new_code_cell(f"{solution}\n{last}"))

    environment = {**os.environ, **building.quiet_environment()}
    client = NotebookClient(notebook, timeout=900, kernel_name="python3")
    client.resources["metadata"] = {"path": str(tmp_path)}
    before = used_by_children()
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                client.execute_cell(cell, index)
    for check in checks:
        assert re.fullmatch(r"(?!Right).{20,}\n", said(check)), "a stub must get a helpful sentence"
    for answer in notebook.cells[cells:]:
        assert said(answer).startswith("Right"), said(answer)
    building.clean(notebook)
    assert building.bare_pictures(notebook) == []
    faults = [
        f for cell in notebook.cells for o in cell.get("outputs", []) for f in building._faults(o)
    ]
    assert faults == []
    assert list(tmp_path.iterdir()) == []
    assert used_by_children() - before < SECONDS * CORES
