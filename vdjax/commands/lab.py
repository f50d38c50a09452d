"""`vdjax lab`: the notebooks of the course, copied into a folder of yours and opened in JupyterLab.

    vdjax lab
    vdjax lab ~/films --edition solutions
    vdjax lab --no-browser

What you have there stays as it is: a notebook that you have changed is never written over.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from vdjax.commands.types import a_path
from vdjax.errors import UserError
from vdjax.files import replace_file

FIRST = "00_start_here.ipynb"
_PLACES = {"student": "", "solutions": "solutions", "teacher": "teacher", "bare": "bare"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where the notebooks go, and which."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=a_path,
        default=Path("vdjax-notebooks"),
        metavar="DIR",
        help="your folder (vdjax-notebooks)",
    )
    parser.add_argument(
        "--edition", choices=_PLACES, default="student", help="whose notebooks (student)"
    )
    parser.add_argument("--no-browser", action="store_true", help="copy and serve, open nothing")
    parser.add_argument("--copy-only", action="store_true", help="copy, and start no JupyterLab")


def run(options: argparse.Namespace) -> int:
    """Copy what is not there yet, then serve it until JupyterLab is closed."""
    if not options.copy_only and importlib.util.find_spec("jupyterlab") is None:
        raise UserError(
            'JupyterLab is not installed; pip install "vdjax[notebooks]" brings it, and '
            "--copy-only copies the notebooks for another program"
        )
    copied, kept = copy_course(options.folder, options.edition)
    print(f"{copied} files copied into {options.folder}")
    if kept:
        print(f"{kept} are other than vdjax's, and stay: {options.folder} is yours")
    if options.copy_only:
        return 0
    command = [sys.executable, "-m", "jupyterlab", str(Path(_PLACES[options.edition]) / FIRST)]
    if options.no_browser:
        command.append("--no-browser")
    return subprocess.call(command, cwd=options.folder)


def copy_course(folder: Path, edition: str = "student") -> tuple[int, int]:
    """Copy the students' notebooks, the pages they link to and another edition into `folder`.

    Returns:
        how many files were copied, and how many were there, are others, and are left alone.

    Raises:
        UserError: this installation has no notebooks.
        OutputError: `folder` cannot be written to.
    """
    course = course_folder()
    sources = [*course.glob("[0-9][0-9]_*.ipynb"), *course.glob("*.md")]
    if edition != "student":
        sources += course.glob(f"{_PLACES[edition]}/[0-9][0-9]_*.ipynb")
    copied = kept = 0
    for source in sources:
        place = folder / source.relative_to(course)
        if not place.exists():
            replace_file(place, source.read_bytes())
            copied += 1
        elif place.read_bytes() != source.read_bytes():
            kept += 1
    return copied, kept


def course_folder() -> Path:
    """Where the notebooks are: in the clone that vdjax is imported from, else in the package.

    Raises UserError where they are in neither.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "notebooks", package / "notebooks"):
        if (folder / FIRST).exists():
            return folder
    raise UserError(
        f"no notebooks beside {package}; install a release of vdjax, or work in a clone of it"
    )
