"""An output folder that appears whole or not at all, and never at the cost of somebody's files.

The result is made in a hidden folder beside its destination, pushed to the disk, and moved into
place in one step. Whatever goes wrong before, the destination stays as it was. A folder that vdjax
made may be replaced by the next run; the record of what was written (name and SHA-256 of every
file) tells whether anything in it was added or changed since, and then it is left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from vdjax.errors import OutputError
from vdjax.files import output_error, umask

RECORD = "report.json"
"""The file of a finished folder that holds its record under the keys `format` and `files`."""

FORMAT = "vdjax-film"


@contextlib.contextmanager
def new_folder(
    destination: str | os.PathLike[str], replaceable: Collection[str] = ()
) -> Iterator[Path]:
    """Give an empty folder to write into, which becomes `destination` when the block ends well.

    Args:
        destination: where the folder shall stand. Missing parents are made. It may be an empty
            folder or a film made earlier, see `check_destination`.
        replaceable: names that may have been changed by hand in a film that is replaced.

    Raises:
        OutputError: the destination cannot be written or holds files that are not vdjax's. An
            OSError inside the block counts as a failure to write, other errors pass through;
            in every case nothing is left behind.
    """
    target = _resolved(destination)
    check_destination(target, replaceable)
    made = _make_parents(target.parent)
    try:
        work = Path(
            tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
        )
    except OSError as error:
        _remove_empty(made)
        raise output_error(error, target) from error
    try:
        yield work
        _sync(work)
        work.chmod(0o777 & ~umask())  # temporary folders are made for their owner alone
        check_destination(target, replaceable)  # a long run is time enough for it to have changed
        _move_into_place(work, target)
    except OSError as error:
        raise output_error(error, target) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        _remove_empty(made)


def check_destination(
    destination: str | os.PathLike[str], replaceable: Collection[str] = ()
) -> None:
    """Refuse, before any work is done, a destination that could not take the result at its end.

    Raises:
        OutputError: it is a file; it is a folder with files that vdjax did not write, or that were
            changed since (unless named in `replaceable`); or it cannot be written to.
    """
    target = _resolved(destination)
    try:
        if not target.exists():
            parent = next(p for p in target.parents if p.exists())
            if not parent.is_dir():
                raise OutputError(f"cannot make {target}: {parent} is a file, not a folder")
            _check_writable(parent, target)
            return
        if not target.is_dir():
            raise OutputError(f"{target} is a file, not a folder; choose another folder with -o")
        if Path.cwd().is_relative_to(target):
            raise OutputError(f"{target} is in use as the current folder; name a new one with -o")
        if target.is_mount():
            raise OutputError(f"{target} is a mount point; name a folder inside it with -o")
        _check_writable(target.parent, target)
        foreign = foreign_files(target, replaceable)
    except OSError as error:
        raise output_error(error, target) from error
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise OutputError(
            f"{target} holds {foreign[0]}{more}, which vdjax did not write or which was changed "
            f"since; move what you want to keep, or choose another folder with -o"
        )


def foreign_files(folder: Path, replaceable: Collection[str] = ()) -> list[str]:
    """What a folder holds beyond the unchanged files of a film, as sorted relative names."""
    files = recorded_files(folder)
    loose = {*replaceable, RECORD} if files else set()
    folders = {parent.as_posix() for name in (*files, *loose) for parent in Path(name).parents}

    def is_known(path: Path, name: str) -> bool:
        if path.is_symlink():
            return False
        if path.is_dir():
            return name in folders
        return name in loose or (name in files and sha256(path) == files[name])

    named = ((path, path.relative_to(folder).as_posix()) for path in folder.rglob("*"))
    return sorted(name for path, name in named if not is_known(path, name))


def record_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file under `folder` by relative name: what `RECORD` holds as `files`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}


def recorded_files(folder: Path) -> dict[str, str]:
    """What the record of a film says it holds; empty if this is not a film that vdjax wrote."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        return {}
    files = record.get("files")
    return files if isinstance(files, dict) else {}


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _resolved(destination: str | os.PathLike[str]) -> Path:
    # A link to a folder is kept: the folder behind it is what gets replaced.
    target = Path(destination).expanduser()
    try:
        target = target.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise OutputError(f"{target} leads nowhere: it is a loop of links") from error
    return target


def _check_writable(parent: Path, target: Path) -> None:
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(
            f"cannot make {target}: no permission to write in {parent}; choose another with -o"
        )


def _make_parents(parent: Path) -> list[Path]:
    """Make missing parents; return those that were made, innermost first."""
    missing = [path for path in (parent, *parent.parents) if not path.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _remove_empty(missing)
        raise output_error(error, parent) from error
    return missing


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):  # one that is in use stays, and so do those around it
        for folder in folders:
            folder.rmdir()


def _sync(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move_into_place(work: Path, target: Path) -> None:
    """Put `work` where `target` is; a former film is set aside first and removed last."""
    if not target.exists():
        work.rename(target)
        return
    aside = work.with_suffix(".former")
    target.rename(aside)
    try:
        work.rename(target)
    except BaseException:  # also an interrupt: the former film must not stay hidden
        if not target.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
