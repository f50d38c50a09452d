"""The rules of the house that can be read off its files: what is needed, what imports what."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vdjax"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted(PACKAGE.rglob("*.py"))


def requirements(*extras):
    texts = list(PROJECT["dependencies"])
    for extra in extras:
        texts += PROJECT["optional-dependencies"][extra]
    return {str(Requirement(text)) for text in texts}


def test_environment_yml_asks_for_what_pyproject_asks_for():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = [entry for entry in entries if isinstance(entry, str)]
    (pip,) = (entry["pip"] for entry in entries if isinstance(entry, dict))
    assert pip.pop() == "-e ."
    conda.remove("pip")
    conda.remove(f"python{PROJECT['requires-python']}")
    listed = [str(Requirement(text)) for text in conda + pip]
    assert len(listed) == len(set(listed))
    assert set(listed) == requirements("notebooks", "train", "dev")


def test_the_extras_are_the_promised_ones():
    assert set(PROJECT["optional-dependencies"]) == {
        *("notebooks", "train", "llm", "hub", "parity", "dev")
    }


def test_the_lock_names_public_places_only():
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    for package in lock["package"]:
        source = package["source"]
        assert source in ({"registry": "https://pypi.org/simple"}, {"editable": "."}), package[
            "name"
        ]
        for file in [*package.get("wheels", []), package.get("sdist", {})]:
            assert file.get("url", "https://files.pythonhosted.org/").startswith(
                "https://files.pythonhosted.org/"
            )


def test_the_lock_is_of_this_pyproject():
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    (own,) = (package for package in lock["package"] if package["name"] == "vdjax")
    locked = {
        (entry["name"], entry.get("specifier", ""), extra_of(entry.get("marker", "")))
        for entry in own["metadata"]["requires-dist"]
    }
    names = {(name, extra) for name, _, extra in locked}
    for extra, texts in {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}.items():
        for requirement in map(Requirement, texts):
            assert (requirement.name, extra) in names, requirement
            specifiers = [s for n, s, e in locked if (n, e) == (requirement.name, extra)]
            assert requirement.specifier in [Requirement(f"x{s}").specifier for s in specifiers]


def extra_of(marker):
    _, _, name = marker.partition("extra == '")
    return name.rstrip("'")


def imported_by(code):
    """The modules that a fresh Python holds after running `code`."""
    ask = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_vdjax_imports_nothing_slow():
    assert imported_by("import vdjax") - imported_by(
        "from __future__ import annotations; import importlib, typing"
    ) == {"vdjax"}


@pytest.mark.parametrize("command", ["vdjax.plan", "vdjax.plan.schema", "vdjax.cli"])
def test_planning_imports_neither_jax_nor_numpy(command):
    loaded = imported_by(f"import {command}")
    assert not loaded & {"jax", "jaxlib", "flax", "numpy", "diffusers", "transformers", "torch"}


def test_public_names_can_be_found():
    import vdjax

    for name in vdjax.__all__:
        assert name in dir(vdjax)
        assert getattr(vdjax, name) is not None
    with pytest.raises(AttributeError, match="nonesuch"):
        _ = vdjax.nonesuch


def imports_of(path):
    """Every module that a file imports, at its top or later, but for those that typing needs."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    package = parts if parts[-1] == "__init__" else parts[:-1]
    package = package[:-1] if package[-1] == "__init__" else package

    class Finder(ast.NodeVisitor):
        def __init__(self):
            self.found = set()

        def visit_If(self, node):
            if "TYPE_CHECKING" in ast.dump(node.test):
                for child in node.orelse:
                    self.visit(child)
            else:
                self.generic_visit(node)

        def visit_Import(self, node):
            self.found |= {alias.name for alias in node.names}

        def visit_ImportFrom(self, node):
            base = node.module or ""
            if node.level:
                above = package[: len(package) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            # `from vdjax import errors` may name a module or a thing in one; both are noted.
            self.found |= {base} | {f"{base}.{alias.name}" for alias in node.names}

    finder = Finder()
    finder.visit(ast.parse(path.read_text()))
    return finder.found


# For each part of the package, the parts it may import. Films travel one way:
# plan <- ground <- sample <- systems <- cli; the model knows neither plans nor files.
EVERYWHERE = {"errors"}
WRITES_FILES = {*EVERYWHERE, "files", "runtime"}
MAY_IMPORT = {
    "errors": set(),
    "files": {"errors"},
    "runtime": {"errors"},
    "progress": {"errors"},
    "stopping": set(),
    "plan": EVERYWHERE,
    "model": EVERYWHERE,
    "data": {*WRITES_FILES, "plan", "media"},
    "weights": {*WRITES_FILES, "model", "ground"},
    "media": {*WRITES_FILES, "plan"},
    "ground": {*EVERYWHERE, "plan", "model"},
    "sample": {*EVERYWHERE, "plan", "ground", "model", "progress", "runtime"},
    "inspect": {*EVERYWHERE, "plan", "ground", "model", "sample", "runtime"},
    "widgets": {*EVERYWHERE, "files", "plan", "inspect", "media"},
    "systems": {
        *(*WRITES_FILES, "plan", "ground", "model", "sample", "weights", "media", "progress"),
    },
    "train": {
        *(*WRITES_FILES, "plan", "ground", "model", "sample", "systems"),
        # Of evaluate the detector that is trained; what is watched is looked at and drawn.
        *("data", "weights", "progress", "stopping", "evaluate", "inspect", "media"),
    },
    "evaluate": {
        *(*WRITES_FILES, "plan", "ground", "model", "sample", "systems"),
        *("data", "weights", "media", "progress"),
    },
    "doctor": {*WRITES_FILES, "weights"},
    "commands": {
        *(*WRITES_FILES, "plan", "weights", "evaluate", "systems", "train"),
        *("progress", "stopping"),
    },
}


def part_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_run_one_way(path):
    part = part_of(path)
    if part in ("cli", "__main__", "__init__"):
        return
    assert part in MAY_IMPORT, f"say in this test what vdjax/{part} may import"
    own = {name.split(".")[1] for name in imports_of(path) if name.startswith("vdjax.")}
    own -= {part, "__version__"}
    parts = {p.stem if p.suffix == ".py" else p.name for p in PACKAGE.iterdir()}
    assert own & parts <= MAY_IMPORT[part]


# Libraries that enter through one door, and those that a part must do without.
DOORS = {
    "diffusers": {"model/hf.py"},
    "transformers": {"model/hf.py"},
    "torch": set(),
    "pickle": {"train/autoencoder.py"},
    "orbax": {"train/checkpoints.py"},
    "tensorboardX": {"train/record.py"},
    "imageio_ffmpeg": {"media/video.py", "doctor.py"},
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_libraries_enter_through_their_doors(path):
    place = path.relative_to(PACKAGE).as_posix()
    roots = {name.partition(".")[0] for name in imports_of(path)}
    for library, doors in DOORS.items():
        assert library not in roots or place in doors
    if part_of(path) in ("plan", "data", "media", "weights", "errors", "files"):
        assert not roots & {"jax", "flax", "optax"}
    if part_of(path) == "plan":
        assert "numpy" not in roots


def test_continuous_integration_runs_what_everybody_runs():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    made = [line for line in script.read_text().splitlines() if line.startswith("make ")]
    assert made[:3] == ["make test", "make parity", "make fuzz"]
