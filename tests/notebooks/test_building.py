"""The script that writes notebooks: what it keeps, what it measures, what it leaves of outputs."""

import json
import re

import build_notebooks
import nbformat
import pytest
from course import lint, masters, running
from course.editions import FOLDERS
from nbformat.v4 import new_code_cell, new_output

pytestmark = [
    # Of the machinery that runs kernels, not of the notebooks.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def main(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["build_notebooks.py", *map(str, arguments)])
    return build_notebooks.main()


def test_a_notebook_is_built_run_measured_and_kept(template, monkeypatch, capsys):
    assert main(monkeypatch, "99", "--execute", "--no-time", "--machine", "a desk") == 0
    assert main(monkeypatch, "--check") == 0
    assert "1 notebooks are as they should be" in capsys.readouterr().out
    noted = json.loads(masters.MEASURED.read_text())
    assert noted["machines"][0] == "a desk"
    assert 0.05 < noted["notebooks"][template]["a desk"]["memory"] < 4
    assert "seconds" not in noted["notebooks"][template]["a desk"]
    head = lint.committed(template).cells[0].source
    assert re.search(r"\| a desk \| not measured \| 0\.\d GB \|", head)

    # A change of text keeps the outputs, a change of code loses those of its cell.
    path = masters.MASTERS / f"{template}.py"
    path.write_text(path.read_text().replace("One rule per", "A rule per"))
    assert main(monkeypatch, "--check") == 1
    assert main(monkeypatch) == 0
    assert main(monkeypatch, "--check") == 0
    path.write_text(path.read_text().replace("FRAMES, SEED = 16, 0", "FRAMES, SEED = 12, 0"))
    assert main(monkeypatch) == 0
    assert main(monkeypatch, "--check") == 1
    assert capsys.readouterr().out.count("was not run") == 1


def test_one_edition_goes_into_a_folder_of_yours(template, monkeypatch, tmp_path):
    out = tmp_path / "lesson"
    assert main(monkeypatch, "99", "--edition", "teacher", "--out", out) == 0
    made = nbformat.read(out / f"{template}.ipynb", as_version=4)
    assert "Plan of the lesson" in made.cells[1].source
    assert not any(lint.place(template, kind).exists() for kind in FOLDERS)


def test_an_edition_without_a_folder_is_refused(template, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        main(monkeypatch, "--edition", "teacher")
    assert "need --out" in capsys.readouterr().err


def test_cleaning_leaves_what_can_be_seen_without_a_kernel():
    view = {running.WIDGET: {"model_id": "1"}, "text/html": "<p>seen</p>", "text/plain": "w"}
    cell = new_code_cell(
        "1",
        metadata={"execution": {"iopub.execute_input": "now"}},
        outputs=[
            new_output("stream", name="stdout", text="one "),
            new_output("stream", name="stdout", text="line\n"),
            new_output("stream", name="stderr", text="a warning\n"),
            new_output("display_data", data=view, metadata={"width": 3}),
        ],
    )
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}})
    running.clean(notebook)
    assert dict(notebook.metadata) == masters.METADATA
    assert dict(cell.metadata) == {}
    assert [output.get("text") for output in cell.outputs] == ["one line\n", "a warning\n", None]
    assert dict(cell.outputs[2].data) == {"text/html": "<p>seen</p>", "text/plain": "w"}
    assert dict(cell.outputs[2].metadata) == {}


def test_measurements_stand_beside_one_another(template):
    running.note(template, "a desk", 61.4, 1.23)
    running.note(template, "a desk", None, 2.34)
    running.note(template, "Colab, CPU", 2.0, None)
    rows = masters.times(template).splitlines()[2:]
    assert rows[0] == "| a desk | 60 s | 2.3 GB |"
    assert "| Colab, CPU | 5 s | not measured |" in rows
    assert "| Colab, T4 GPU | not measured | not measured |" in rows


def test_the_readme_says_what_was_measured():
    """Its table of the course holds each notebook's time and memory on the first machine."""
    page = (masters.ROOT / "README.md").read_text()
    noted = masters.measured()
    machine = noted["machines"][0]
    for name, found in noted["notebooks"].items():
        (row,) = re.findall(rf"^\| \[.*\]\(notebooks/{name}\.ipynb\) \|.*", page, re.MULTILINE)
        seconds, memory = (found[machine].get(what) for what in ("seconds", "memory"))
        assert row.endswith(f"| {seconds} s, {memory} GB |"), f"{row}\n{seconds} s, {memory} GB"
