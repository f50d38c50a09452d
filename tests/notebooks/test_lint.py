"""The notebooks as committed: whole, clean, readable by everybody; and faults are found."""

import importlib.util
import io
import subprocess
import sys
from contextlib import redirect_stdout
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from course import lint, masters
from course.editions import FOLDERS, edition
from course.figures import unlabelled

import vdjax

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"


def test_the_course_starts_and_nothing_else_lies_there():
    assert {"00_start_here", "02_grounding_tokens", "05_multi_scene_sampling"} <= set(
        masters.names()
    )
    for folder in FOLDERS.values():
        made = {path.stem for path in (NOTEBOOKS / folder).glob("*.ipynb")}
        assert made == set(masters.names()), folder


def test_committed_notebooks_are_as_they_should_be(name):
    assert lint.problems(name) == []


def test_the_badge_is_pinned_to_this_version(name):
    for kind, folder in FOLDERS.items():
        if kind != "bare":
            path = "/".join(filter(None, ("notebooks", folder, f"{name}.ipynb")))
            assert f"/blob/v{vdjax.__version__}/{path})" in edition(name, kind).cells[0].source


def install_cell(name):
    (install,) = (c.source for c in edition(name, "student").cells if "install" in masters.tags(c))
    return install


def run_install_cell(monkeypatch, folder, found=None):
    """Run it in `folder` on a machine that finds no vdjax; returns what it asked pip for."""
    asked = []
    monkeypatch.chdir(folder)
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: found)
    monkeypatch.setattr(subprocess, "run", lambda pip, check: asked.append(pip) or FINISHED)
    exec(compile(install_cell("00_start_here"), "install", "exec"), {})
    return asked


FINISHED = subprocess.CompletedProcess([], 0)


def test_install_cells_are_alike(name):
    assert install_cell(name) == install_cell("00_start_here")


def test_installing_leaves_what_a_machine_has_as_it_is(monkeypatch, tmp_path):
    (pip,) = run_install_cell(monkeypatch, tmp_path)
    assert any(f"@v{vdjax.__version__}" in part for part in pip)
    for held in ("jax", "jaxlib", "flax", "numpy", "ipywidgets"):
        assert f"{held}=={metadata.version(held)}" in pip
    assert not {"-U", "--upgrade"} & set(pip)


def test_nothing_is_installed_where_vdjax_is(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert run_install_cell(monkeypatch, tmp_path, found="here") == []
    assert run_install_cell(monkeypatch, NOTEBOOKS / "teacher") == []
    assert sys.path[0] == str(ROOT)
    assert "comes from this clone" in capsys.readouterr().out


def test_spelling():
    """Of masters and pages, by codespell: misspellings that are known, few false alarms."""
    from codespell_lib import main

    said = io.StringIO()
    with redirect_stdout(said):
        found = main(str(NOTEBOOKS / "src"), *pages())
    assert found == 0, said.getvalue()


def pages():
    return [str(path) for path in NOTEBOOKS.glob("*.md")]


@pytest.mark.parametrize("page", ["README.md", "glossary.md", "notation.md"])
def test_links_of_pages_lead_somewhere(page):
    cell = nbformat.v4.new_markdown_cell((NOTEBOOKS / page).read_text(encoding="utf-8"))
    assert list(lint.of_links(masters.finished([cell]), NOTEBOOKS)) == []


# Faults are found.


@pytest.mark.parametrize(
    ("good", "bad", "sentence"),
    [
        ("# 99 · ", "# 98 · ", "its head lacks its number"),
        ("**Goal, in one sentence:**", "Goal:", "its head lacks **Goal"),
        ("![The road", "![](x) [The road", "its head lacks a picture"),
        ("({{COLAB}})", "(x)", "its head lacks a Colab badge"),
        ("**You need**", "You need", "its head lacks **You need**"),
        ("# {{TIMES}}", "#", "its head lacks the table of times"),
        ('tags=["install"]', "", "is to be tagged install"),
        ("minutes=10 ", "", "says no minutes"),
        ("Difficulty 1/5", "Difficulty 6/5", "exercise 1 has no header"),
        ('tags=["hint"]', "", "exercise 1 has 0 cells tagged hint"),
        ('tags=["wrong"]', 'tags=["scratch"]', "exercise 1 has 0 cells tagged wrong"),
        ('tags=["teacher"]', "", "has 0 cells tagged teacher; at least 1"),
        ('tags=["discuss"]', "", "has 0 cells tagged discuss; at least 2"),
        ('tags=["slide"]', "", "has 0 cells tagged slide; at least 3"),
        ('tags=["questions"]', "", "has 0 cells tagged questions; at least 1"),
        ("- Next: ", "- After that: ", "ends without references and what to read next"),
        ("### Exercise 3", "### 3", "exercise 3 has no header"),
    ],
)
def test_faults_of_a_master_are_found(template, good, bad, sentence):
    assert list(lint.of_master(template)) == []
    path = masters.MASTERS / f"{template}.py"
    path.write_text(path.read_text().replace(good, bad))
    assert any(sentence in fault for fault in lint.of_master(template))


PICTURE = {"image/png": "iVBORw0KGgo="}
HTML = "text/html"


def with_output(kind, **content):
    def change(notebook):
        notebook.cells[1].outputs.append(nbformat.v4.new_output(kind, **content))

    return change


def html(text):
    return with_output("display_data", data={HTML: text})


def markdown(text):
    return lambda notebook: notebook.cells[0].update(source=text)


def code(text):
    return lambda notebook: notebook.cells[1].update(source=text)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda notebook: notebook.metadata.update(widgets={}), "more metadata than it should"),
        (html('<img src="data:,">'), "picture without a description"),
        (markdown("![](x.png)"), "picture without a description"),
        (with_output("display_data", data=PICTURE), "carries no description"),
        (with_output("display_data", data={lint.WIDGET: {}}), "carries no description"),
        (html("x" * 2_000_000), "bytes; at most 2,000,000"),
        (with_output("error", ename="E", evalue="e", traceback=[]), "an error stands in it"),
        (with_output("stream", name="stderr", text="a warning"), "says on stderr"),
        (with_output("stream", name="stdout", text="in /home/ada/vdjax"), "path of the machine"),
        (with_output("stream", name="stdout", text="see /tmp/x7/film"), "path of the machine"),
        (with_output("stream", name="stdout", text=r"C:\Users\ada"), "path of the machine"),
        (html(f"<p>{masters.ROOT}</p>"), "path of the machine"),
        (code("key = 'sk-" + "a1" * 20 + "'"), "looks like a key"),
        (code("token = 'hf_" + "a1" * 20 + "'"), "looks like a key"),
        (with_output("stream", name="stdout", text="Looking in indexes: x"), "a package index"),
        (markdown("[a](nowhere.ipynb)"), "links to nowhere.ipynb, which does not exist"),
        (markdown("[a][b]\n\n[b]: nowhere.md"), "links to nowhere.md, which does not exist"),
        (markdown('<a href="nowhere.md">a</a>'), "links to nowhere.md, which does not exist"),
        (markdown("[a](00_start_here.ipynb#9-·-No)"), "which has no such heading"),
        (code("plt.plot(x)\nplt.title('a')"), "draws on 'plt' without xlabel, ylabel"),
    ],
)
def test_faults_of_a_notebook_are_found(change, sentence):
    cells = [nbformat.v4.new_markdown_cell("[a](00_start_here.ipynb)")]
    cells.append(nbformat.v4.new_code_cell("1"))
    notebook = masters.finished(cells)
    path = NOTEBOOKS / "a.ipynb"
    assert list(lint.of_notebook(notebook, path)) == []
    change(notebook)
    assert any(sentence in fault for fault in lint.of_notebook(notebook, path))


def test_faults_of_what_is_committed_are_found(template):
    def faults():
        return " ".join(fault for kind in FOLDERS for fault in lint.of_committed(template, kind))

    assert "there is no 99_template.ipynb" in faults()
    for kind in FOLDERS:
        notebook = edition(template, kind)
        nbformat.write(notebook, lint.place(template, kind))
    notebook = edition(template, "student")
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert faults().count("was not run") == len(code_cells)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1
    nbformat.write(notebook, lint.place(template, "student"))
    assert faults() == ""
    notebook.cells.pop()
    nbformat.write(notebook, lint.place(template, "bare"))
    assert "is not what its master makes" in faults()
    bare = edition(template, "bare")
    with_output("stream", name="stdout", text="1")(bare)
    nbformat.write(bare, lint.place(template, "bare"))
    assert "has outputs" in faults()


@pytest.mark.parametrize(
    ("drawing", "lacks"),
    [
        ("axis.plot(x)\naxis.set(title='a', xlabel='b', ylabel='c')", None),
        ("axis.plot(x)\naxis.set_title('a')\naxis.set_xlabel('b')\naxis.set_ylabel('c')", None),
        ("panel.imshow(x)\npanel.set_title('a')\npanel.axis('off')", None),
        ("plt.bar(x, y)\nplt.title('a')\nplt.xlabel('b')\nplt.ylabel('c')", None),
        ("panel.imshow(x)\npanel.axis('off')", "title"),
        ("left.plot(x)\nright.set(title='a', xlabel='b', ylabel='c')", "title, xlabel, ylabel"),
        ("grid[0, 1].bar(x, y)\ngrid[0, 1].set(title='a', xlabel='b')", "ylabel"),
    ],
)
def test_figures_are_read_off_their_code(drawing, lacks):
    found = list(unlabelled(f"figure = Figure()\n{drawing}"))
    assert [fault.partition(" without ")[2] for fault in found] == ([lacks] if lacks else [])
    assert list(unlabelled("story.plot(x)")) == []
