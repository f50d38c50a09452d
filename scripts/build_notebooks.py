"""Make the notebooks from their masters, run them, and say what is not as it should be.

    python scripts/build_notebooks.py               sources only; outputs that still fit are kept
    python scripts/build_notebooks.py --execute 00  run 00 as well and keep its outputs, cleaned
    python scripts/build_notebooks.py --check       change nothing, say what is wrong
    python scripts/build_notebooks.py 02 --edition teacher --execute --out DIR    for a lesson

A master is `notebooks/src/NN_name.py`; notebooks/README.md says how it is written. The students'
notebooks lie in notebooks/ with their outputs, the other editions beside them without.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from course import editions, lint, masters, running  # noqa: E402  (they lie beside this file)


def build(name: str, run: bool, keep_time: bool, machine: str) -> None:
    """Write all editions of one notebook; with `run`, execute the student's, else keep the outputs
    of its unchanged cells."""
    notebook = editions.edition(name, "student")
    if run:
        seconds, memory = running.execute(notebook, cold=keep_time)
        print(f"{name}: {seconds:.0f} s" + (f", {memory:.1f} GB" if memory else ""))
        running.clean(notebook)
        running.note(name, machine, seconds if keep_time else None, memory)
        fresh = editions.edition(name, "student")  # its table now holds what was measured
        for old, new in zip(notebook.cells, fresh.cells, strict=True):
            old.source, old.id = new.source, new.id
    else:
        before = {cell.id: cell for cell in (lint.committed(name) or notebook).cells}
        for cell in notebook.cells:
            if cell.cell_type == "code" and cell.id in before:
                cell.outputs = before[cell.id].outputs
                cell.execution_count = before[cell.id].execution_count
    nbformat.write(notebook, lint.place(name, "student"))
    for kind in ("solutions", "teacher", "bare"):
        lint.place(name, kind).parent.mkdir(exist_ok=True)
        nbformat.write(editions.edition(name, kind), lint.place(name, kind))


def build_elsewhere(name: str, kind: str, run: bool, preset: str | None, out: Path) -> None:
    """Write one edition into a folder of yours, run there with other weights if you like."""
    notebook = editions.edition(name, kind)
    for cell in notebook.cells if preset else []:
        cell.source = cell.source.replace('PRESET = "storybook"', f'PRESET = "{preset}"')
    if run:
        running.execute(notebook, cold=False)
        running.clean(notebook)
    out.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, out / f"{name}.ipynb")
    print(out / f"{name}.ipynb")


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="their numbers or names; all if none")
    parser.add_argument("--execute", action="store_true", help="run them and keep the outputs")
    parser.add_argument("--check", action="store_true", help="change nothing, say what is wrong")
    parser.add_argument(
        "--no-time", action="store_true", help="use what was compiled before, and note no time"
    )
    parser.add_argument("--machine", help="how tables are to name this machine")
    elsewhere = parser.add_argument_group("one edition, into a folder of yours")
    elsewhere.add_argument("--out", type=Path, help="the folder")
    elsewhere.add_argument("--edition", choices=[*editions.FOLDERS, "tested"], default="student")
    elsewhere.add_argument("--preset", help="other weights than the notebook's own")
    options = parser.parse_args()
    if not options.out and (options.preset or options.edition != "student"):
        parser.error("--edition and --preset need --out")
    chosen = [
        name
        for name in masters.names()
        if not options.notebooks or any(name.startswith(part) for part in options.notebooks)
    ]
    if options.check:
        found = [problem for name in chosen for problem in lint.problems(name)]
        print("\n".join(found) or f"{len(chosen)} notebooks are as they should be")
        return bool(found)
    for name in chosen:
        if options.out:
            build_elsewhere(name, options.edition, options.execute, options.preset, options.out)
        else:
            machine = options.machine or running.this_machine()
            build(name, options.execute, not options.no_time, machine)
    return 0


if __name__ == "__main__":
    sys.exit(main())
