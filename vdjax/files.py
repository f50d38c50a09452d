"""Writing a file so that a failure is told in a sentence and leaves nothing behind."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from vdjax.errors import OutputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


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
    """The permissions that this process withholds; the system has no way of only asking."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def output_error(error: OSError, path: Path) -> OutputError:
    """The sentence for an operating system's refusal to write at `path`."""
    if error.errno in _NO_ROOM:
        return OutputError(
            f"cannot write {path}: no room left on the disk; free some, or choose another place"
        )
    if error.errno in _NOT_ALLOWED:
        return OutputError(
            f"cannot write {path}: permission denied; choose another place, or change "
            f"the permissions of {path.parent}"
        )
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"cannot write {path}: {reason}; choose another place")
