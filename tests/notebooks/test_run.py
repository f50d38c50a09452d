"""Notebooks run from top to bottom, offline; their checks tell right answers from wrong.

A few run here in the one edition that holds all code; `make test-notebooks` (VDJAX_NOTEBOOKS=all)
runs every notebook in every edition.
"""

import os
import re
import resource

import pytest
from course import lint, masters, running
from course.editions import edition, sentence_of

SECONDS, CORES = 300, 2
"""How long a notebook may take, and on how many cores; a clock would time other work as well."""
ALL = os.environ.get("VDJAX_NOTEBOOKS") == "all"
SOME = {"00_start_here", "02_grounding_tokens"}

pytestmark = [
    pytest.mark.notebooks,
    # Of the machinery that runs kernels, not of the notebooks.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def said(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def run(notebook, folder, kind="student"):
    """Run it; what any notebook must not do, it did not."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    running.execute(notebook, cold=False, folder=str(folder))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    running.clean(notebook)
    assert list(lint.of_notebook(notebook, lint.place("", kind))) == []
    assert list(folder.iterdir()) == []
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < SECONDS * CORES


def judged(name, folder):
    """Run the tested edition of a notebook; each check must judge as its master says."""
    notebook = edition(name, "tested")
    run(notebook, folder)
    judging = {"check", "solution", "wrong"}
    of_master = [c for c in masters.read(name).cells if masters.tags(c) & judging]
    run_cells = [c for c in notebook.cells if masters.tags(c) & judging]
    for cell, judgement in zip(of_master, map(said, run_cells), strict=True):
        if "solution" in masters.tags(cell):
            assert judgement.startswith("Right"), f"{cell.source}\n{judgement}"
        else:
            assert re.fullmatch(r"(?!Right).{20,}\n", judgement), f"{cell.source}\n{judgement}"
        if "wrong" in masters.tags(cell):
            assert sentence_of(cell) in judgement


@pytest.fixture
def quick(compiled, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", compiled)


@pytest.fixture
def empty(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_template_runs_and_its_checks_judge(template, empty):
    judged(template, empty)


def test_a_check_that_judges_wrongly_is_found(template, empty):
    path = masters.MASTERS / f"{template}.py"
    path.write_text(path.read_text().replace("if abs(value - 0.5) > 1e-6:", "if False:"))
    with pytest.raises(AssertionError, match="Right: the length of a step"):
        judged(template, empty)


def test_notebook(quick, name, empty):
    if not ALL and name not in SOME:
        pytest.skip("make test-notebooks runs all")
    judged(name, empty)


@pytest.mark.skipif(not ALL, reason="make test-notebooks runs all editions")
@pytest.mark.parametrize("kind", ["student", "solutions", "bare"])  # the teacher's code is solved
def test_edition(quick, name, kind, empty):
    run(edition(name, kind), empty, kind)
