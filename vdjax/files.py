"""Writing files so that a failure is told in a sentence and leaves nothing behind.

What vdjax writes is made in memory and goes through here, because encoders that write for themselves
report a full disk in many ways or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from vdjax.errors import OutputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to a file at `path` and push it to the disk.

    Raises:
        OutputError: there is no room, or no permission.
    """
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise output_error(error, path) from error


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that there is the former file or the new one, never a part of it.

    Raises:
        OutputError: there is no room, or no permission.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise output_error(error, path) from error
    work = Path(name)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        work.chmod(0o666 & ~umask())  # temporary files are made for their owner alone
        work.replace(path)
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            work.unlink()


def umask() -> int:
    """The permissions that this process leaves out of what it makes; there is no way to only ask."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def output_error(error: OSError, path: Path) -> OutputError:
    """The sentence for an operating system's refusal to write at `path`."""
    if error.errno in _NO_ROOM:
        return no_room(path)
    if error.errno in _NOT_ALLOWED:
        return OutputError(
            f"cannot write {path}: permission denied; choose another place, or change "
            f"the permissions of {path.parent}"
        )
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"cannot write {path}: {reason}; choose another place")


def no_room(path: Path) -> OutputError:
    """The sentence for a disk, quota or size limit that is full."""
    return OutputError(
        f"cannot write {path}: no room left on the disk; free some, or choose another place"
    )
