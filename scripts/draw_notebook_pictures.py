"""Draw the pictures at the head of the notebooks: `python scripts/draw_notebook_pictures.py 02`.

Each is a module of scripts/pictures, named after its notebook, whose `draw` writes a PNG into
notebooks/src/pictures; from there scripts/build_notebooks.py puts it into the notebook.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path[:0] = [str(SCRIPTS), str(SCRIPTS.parent)]


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="their numbers; all if none")
    options = parser.parse_args()
    if not options.notebooks:
        import_module("pictures.badge").draw()
    for path in sorted((SCRIPTS / "pictures").glob("n[0-9][0-9]_*.py")):
        if not options.notebooks or path.stem[1:3] in options.notebooks:
            import_module(f"pictures.{path.stem}").draw()


if __name__ == "__main__":
    main()
