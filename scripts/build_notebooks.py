"""Make the notebooks from their masters, run them, and leave only what may be committed.

    python scripts/build_notebooks.py               sources only; outputs that still fit are kept
    python scripts/build_notebooks.py --execute 00  run 00 as well and keep its outputs, cleaned
    python scripts/build_notebooks.py --check       say what is not as it should be

A master is `notebooks/src/NN_name.py` (jupytext, py:percent). Marks in double braces are filled in:
the install cell, the place the project is published at, and measured seconds
(notebooks/src/seconds.json). Pictures are put into the notebook itself, so that it is whole when it
is opened alone, as in Colab.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jupytext
import nbformat

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
MASTERS = NOTEBOOKS / "src"
SECONDS = MASTERS / "seconds.json"
REPOSITORY = "vdjax/vdjax"
LARGEST = 2_000_000
"""Bytes of a notebook: larger ones are slow to open and are not shown on code-hosting sites."""

_WIDGET = "application/vnd.jupyter.widget-view+json"
_PICTURE = re.compile(r"!\[(?P<alt>[^]]+)\]\((?P<path>pictures/[^)]+)\)")
_MARK = re.compile(r"\{\{(\w+)\}\}")
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def names() -> list[str]:
    """The names of all notebooks, in order."""
    return sorted(path.stem for path in MASTERS.glob("[0-9][0-9]_*.py"))


def from_master(name: str) -> nbformat.NotebookNode:
    """The notebook of a master, without outputs."""
    notebook = jupytext.read(MASTERS / f"{name}.py")
    notebook.metadata = nbformat.from_dict(_METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    taken: set[str] = set()
    for cell in notebook.cells:
        cell.source = _filled(cell.source, name)
        if cell.cell_type == "markdown":
            cell.source = _PICTURE.sub(_inlined, cell.source)
        cell.id = _identity(cell, taken)
        cell.metadata.pop("lines_to_next_cell", None)
    return notebook


def _filled(source: str, name: str) -> str:
    from vdjax import __version__

    tag = f"v{__version__}"
    measured = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
    values = {
        "COLAB": f"https://colab.research.google.com/github/{REPOSITORY}/blob/{tag}",
        "SOURCE": f"git+https://github.com/{REPOSITORY}@{tag}",
        "SECONDS": measured.get("seconds", {}).get(name, "not measured"),
        "MACHINE": measured.get("machine", "any"),
    }
    install = (MASTERS / "install.py").read_text().rstrip()
    source = source.replace("# {{INSTALL}}", install)
    return _MARK.sub(lambda mark: values[mark[1]], source)


def _inlined(match: re.Match[str]) -> str:
    data = base64.b64encode((MASTERS / match["path"]).read_bytes()).decode()
    alt = " ".join(match["alt"].split())
    kind = match["path"].rpartition(".")[2]
    return f'<img alt="{alt}" width="800" src="data:image/{kind};base64,{data}"/>'


def _identity(cell: nbformat.NotebookNode, taken: set[str]) -> str:
    """A name that stays while the cell stays, so that versions compare well."""
    number = 0
    while True:
        text = f"{cell.cell_type}{cell.source}{number}".encode()
        identity = hashlib.sha256(text).hexdigest()[:12]
        if identity not in taken:
            taken.add(identity)
            return identity
        number += 1


def committed(name: str) -> nbformat.NotebookNode | None:
    """The notebook as it stands, if it stands."""
    path = NOTEBOOKS / f"{name}.ipynb"
    return nbformat.read(path, as_version=4) if path.exists() else None


def execute(notebook: nbformat.NotebookNode, cold: bool = True) -> float:
    """Run a notebook from top to bottom in a process of its own; returns the seconds it took.

    The working folder is empty, and there is no network. `cold`: nothing compiled before is used,
    as on a machine that sees the notebook for the first time.
    """
    from nbclient import NotebookClient

    with TemporaryDirectory() as folder:
        environment = {**os.environ, **quiet_environment()}
        if cold:
            environment["JAX_COMPILATION_CACHE_DIR"] = folder
        client = NotebookClient(
            notebook,
            timeout=900,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            store_widget_state=False,
            record_timing=False,
        )
        began = time.perf_counter()
        client.execute(env=environment)
        return time.perf_counter() - began


def quiet_environment() -> dict[str, str]:
    """Variables of a kernel that has this clone's package and no network."""
    nowhere = "http://127.0.0.1:9"
    return {
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
        "NO_PROXY": "127.0.0.1,localhost",
    }


def clean(notebook: nbformat.NotebookNode) -> None:
    """Leave of the outputs what a reader without a kernel can see, and nothing of the machine."""
    notebook.metadata = nbformat.from_dict(_METADATA)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        outputs: list[Any] = []
        for output in cell.outputs:
            if output.output_type == "stream" and outputs and _kind(output) == _kind(outputs[-1]):
                outputs[-1].text += output.text
                continue
            if "data" in output:
                if "text/html" in output.data:
                    # The view of a widget that lives no more would stand before the picture.
                    output.data.pop(_WIDGET, None)
                output.metadata = nbformat.from_dict({})
            outputs.append(output)
        cell.outputs = outputs


def _kind(output: nbformat.NotebookNode) -> tuple[str, str | None]:
    return output.output_type, output.get("name")


def problems(name: str) -> list[str]:
    """What keeps the committed notebook from being what it should be, in words."""
    notebook, path = committed(name), NOTEBOOKS / f"{name}.ipynb"
    if notebook is None:
        return [f"{name}: there is no {path.relative_to(ROOT)}; run scripts/build_notebooks.py"]
    found = []
    master = from_master(name)
    ours = [(c.cell_type, c.source, dict(c.metadata), c.id) for c in notebook.cells]
    if ours != [(c.cell_type, c.source, dict(c.metadata), c.id) for c in master.cells]:
        found.append("is not what its master makes; run scripts/build_notebooks.py")
    if dict(notebook.metadata) != _METADATA:
        found.append(f"has more metadata than it should: {', '.join(notebook.metadata)}")
    text = path.read_text(encoding="utf-8")
    if len(text.encode()) > LARGEST:
        found.append(f"has {len(text.encode()):,} bytes; at most {LARGEST:,}")
    for code in (cell for cell in notebook.cells if cell.cell_type == "code"):
        if code.execution_count is None:
            found.append(f"was not run: {code.source.splitlines()[0]!r}")
        for output in code.outputs:
            found += _faults(output)
    for folder in {str(ROOT), str(Path.home()), "/tmp/"}:
        if len(folder) > 1 and folder in text:
            found.append(f"names a folder of the machine that ran it: {folder}")
    found += [f"has a picture without a description: {tag[:60]}" for tag in bare_pictures(notebook)]
    return [f"{name}: {fault}" for fault in found]


def _faults(output: nbformat.NotebookNode) -> list[str]:
    if output.output_type == "error":
        return [f"an error stands in it: {output.ename}: {output.evalue}"]
    if output.output_type == "stream":
        return [f"says on stderr: {output.text[:200]}"] if output.name == "stderr" else []
    bare = [kind for kind in output.data if kind.startswith("image/") or kind == _WIDGET]
    return [f"an output of kind {kind}, which carries no description" for kind in bare]


def bare_pictures(notebook: nbformat.NotebookNode) -> list[str]:
    """Picture tags without an alternative text, in text and outputs."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts.append(output.get("data", {}).get("text/html", ""))
    tags = [tag for text in texts for tag in re.findall(r"<img [^>]*>", text)]
    bare = [tag for tag in tags if not re.search(r'alt="[^"]{8,}"', tag)]
    return bare + [m[0] for text in texts for m in re.finditer(r"!\[\s*\]\([^)]*\)", text)]


def build(name: str, run: bool, preset: str | None = None, keep_time: bool = True) -> None:
    """Write one notebook; with `run`, execute it, else keep the outputs of unchanged cells."""
    notebook = from_master(name)
    if run:
        if preset is not None:
            for cell in notebook.cells:
                cell.source = cell.source.replace('PRESET = "storybook"', f'PRESET = "{preset}"')
        seconds = execute(notebook, cold=keep_time)
        print(f"{name}: {seconds:.0f} s")
        clean(notebook)
        if preset is not None:
            nbformat.write(notebook, Path(f"{name}.{preset}.ipynb"))
            return
        if keep_time:
            _note_seconds(name, seconds)
            fresh = from_master(name)
            for old, new in zip(notebook.cells, fresh.cells, strict=True):
                old.source, old.id = new.source, new.id
    else:
        before = {cell.id: cell for cell in (committed(name) or notebook).cells}
        for cell in notebook.cells:
            if cell.cell_type == "code" and cell.id in before:
                cell.outputs = before[cell.id].outputs
                cell.execution_count = before[cell.id].execution_count
    nbformat.validate(notebook)
    nbformat.write(notebook, NOTEBOOKS / f"{name}.ipynb")


def _note_seconds(name: str, seconds: float) -> None:
    noted = json.loads(SECONDS.read_text()) if SECONDS.exists() else {"seconds": {}}
    cores = len(os.sched_getaffinity(0))
    noted["machine"] = f"{cores} CPU cores ({_processor()})"
    noted["seconds"][name] = f"{5 * round(seconds / 5)} s, compiling included"
    SECONDS.write_text(json.dumps(noted, indent=1) + "\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line for line in lines if line.startswith("model name")).partition(": ")[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="their numbers or names; all if none")
    parser.add_argument("--execute", action="store_true", help="run them and keep the outputs")
    parser.add_argument("--check", action="store_true", help="change nothing, say what is wrong")
    parser.add_argument("--preset", help="run with other weights, into NAME.PRESET.ipynb here")
    parser.add_argument(
        "--no-time", action="store_true", help="use what was compiled before, and note no time"
    )
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    chosen = [
        name
        for name in names()
        if not options.notebooks or any(name.startswith(part) for part in options.notebooks)
    ]
    if options.check:
        found = [problem for name in chosen for problem in problems(name)]
        print("\n".join(found) or f"{len(chosen)} notebooks are as they should be")
        return bool(found)
    for name in chosen:
        build(
            name, options.execute or options.preset is not None, options.preset, not options.no_time
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
