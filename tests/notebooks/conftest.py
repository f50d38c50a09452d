"""The scripts that make the notebooks; the template as a notebook."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from course import masters  # noqa: E402  (it lies in scripts)

NAMES = masters.names()


def pytest_configure(config):
    config.addinivalue_line("markers", "notebooks: runs whole notebooks, up to five minutes each")


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", NAMES)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """Where this session's kernels keep what they compiled, for the next edition to use."""
    return str(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="session")
def scratch():
    """Takes a notebook's name, and gives what it builds from scratch: the imports of its master
    and the definitions in its cells tagged `scratch`, as a namespace."""

    def extract(name):
        cells = [cell for cell in masters.read(name).cells if cell.cell_type == "code"]
        bodies = [
            ast.parse(cell.source).body for cell in cells if "install" not in masters.tags(cell)
        ]
        imports = [
            node
            for body in bodies
            for node in body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        pieces = [cell for cell in cells if "scratch" in masters.tags(cell)]
        code = "\n\n".join([*map(ast.unparse, imports), *(cell.source for cell in pieces)])
        namespace = {"__name__": name}
        exec(compile(code, f"{name}.py", "exec"), namespace)
        return namespace

    return extract


@pytest.fixture
def template(tmp_path, monkeypatch):
    """The template of a new notebook, as notebook 99 of a course of its own."""
    (tmp_path / "src" / "pictures").mkdir(parents=True)
    for file in ("install.py", "measured.json", "pictures/00_road.png", "pictures/colab.png"):
        (tmp_path / "src" / file).write_bytes((masters.MASTERS / file).read_bytes())
    text = (masters.MASTERS / "TEMPLATE.py").read_text(encoding="utf-8")
    (tmp_path / "src" / "99_template.py").write_text(
        text.replace("# NN · ", "# 99 · "), encoding="utf-8"
    )
    for linked in ("00_start_here", "02_grounding_tokens"):
        for folder in ("", "solutions", "teacher", "bare"):
            place = tmp_path / folder / f"{linked}.ipynb"
            place.parent.mkdir(exist_ok=True)
            place.touch()
    monkeypatch.setattr(masters, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(masters, "MASTERS", tmp_path / "src")
    monkeypatch.setattr(masters, "MEASURED", tmp_path / "src" / "measured.json")
    return "99_template"
