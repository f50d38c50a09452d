"""The notebooks as they are committed: what their masters make, clean, readable by everybody."""

import re
from pathlib import Path

import nbformat
import pytest

import vdjax

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in (NOTEBOOKS / "src").glob("[0-9]*.py"))


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def notebook(name):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def markdown(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_the_first_three_are_there():
    assert {"00_start_here", "02_grounding_tokens", "05_multi_scene_sampling"} <= set(NAMES)
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(NAMES)


def test_committed_notebooks_are_their_masters_with_clean_outputs(building, name):
    assert building.problems(name) == []


def test_faults_are_found(building, name, tmp_path, monkeypatch):
    """What the check above is for is seen by it."""
    good = (NOTEBOOKS / f"{name}.ipynb").read_text()
    monkeypatch.setattr(building, "ROOT", tmp_path)
    monkeypatch.setattr(building, "NOTEBOOKS", tmp_path)

    def faults(change):
        notebook = nbformat.reads(good, as_version=4)
        change(notebook)
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
        return " ".join(building.problems(name))

    def output(kind, **content):
        def add(notebook):
            code = next(cell for cell in notebook.cells if cell.cell_type == "code")
            code.outputs.append(nbformat.v4.new_output(kind, **content))

        return add

    def html(text):
        return output("display_data", data={"text/html": text})

    picture = {"image/png": "iVBORw0KGgo="}
    assert faults(lambda notebook: None) == ""
    assert "master" in faults(lambda notebook: notebook.cells.pop())
    assert "metadata" in faults(lambda notebook: notebook.metadata.update(widgets={}))
    assert "description" in faults(html('<img src="data:,">'))
    assert "description" in faults(output("display_data", data=picture))
    assert "folder" in faults(html(f"<p>{tmp_path}</p>"))
    assert "bytes" in faults(html("x" * 2_000_000))
    assert "error" in faults(output("error", ename="E", evalue="e", traceback=[]))
    assert "stderr" in faults(output("stream", name="stderr", text="a warning"))
    assert "not run" in faults(lambda notebook: notebook.cells[1].update(execution_count=None))


def test_the_head_tells_what_a_reader_wants_to_know(notebook, name):
    head = notebook.cells[0].source
    number, _, _ = name.partition("_")
    assert head.startswith(f"# {number} · ")
    for part in ("**Goal, in one sentence:**", "<img alt=", "**You will be able to**"):
        assert part in head
    assert "**You need**" in head
    assert "not measured |" in head
    assert re.search(r"CPU cores? .*\| \d+ s", head), "time on a CPU, measured"
    assert f"/blob/v{vdjax.__version__}/notebooks/{name}.ipynb" in head


def test_equal_install_cells_that_hold_what_colab_has(notebook):
    install = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert (NOTEBOOKS / "src" / "install.py").read_text().split("{{")[0] in install
    assert f"@v{vdjax.__version__}" in install
    compile(install, "install", "exec")


def test_every_exercise_has_its_header_check_hint_and_solution(notebook):
    text = markdown(notebook)
    exercises = re.findall(r"### Exercise \d · .*\n\n(.*)", text)
    assert 2 <= len(exercises) <= 3
    for header in exercises:
        assert re.fullmatch(
            r"\*Difficulty [1-5]/5 · importance [1-5]/5 · [\d to]+ minutes\*", header
        )
    assert text.count("<summary>Hint</summary>") == len(exercises)
    assert text.count("<summary>Solution</summary>") == len(exercises)
    codes = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert sum("def check_" in code for code in codes) == len(exercises)


def test_links_lead_to_files_that_exist(notebook):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", markdown(notebook)):
        if not target.startswith("http"):
            assert (NOTEBOOKS / target).exists(), target
