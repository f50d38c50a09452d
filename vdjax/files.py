"""Files that appear whole or not at all, and locks that go with their process."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from vdjax.errors import OutputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


def folder_name(text: str, longest: int = 48) -> str:
    """A name that can be read and typed: `a-cat-drives-a-red-car`; `film` where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = "-".join(re.findall(r"[a-z0-9]+", plain))
    if len(name) > longest:
        name = name[: longest + 1].rpartition("-")[0] or name[:longest]
    return name or "film"


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


def lock(
    path: Path, *, wait: bool = False, unlocked: Callable[[str], None] | None = None
) -> BinaryIO | None:
    """The file at `path`, locked until it is closed or the process ends, however that ends.

    None if another has it: `holder(path)` says who. On a file system without locks `unlocked` is
    told why, and the file comes unlocked.

    Raises:
        OutputError: the file cannot be written, or there are no locks and nobody to be told.
    """
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise output_error(error, path) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        file.close()
        return None
    except OSError as error:
        if unlocked is None:
            file.close()
            raise output_error(error, path) from error
        unlocked(str(error.strerror))
    with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        file.flush()
    return file


def holder(path: Path) -> str:
    """Who has the lock at `path`, as far as that was written."""
    with contextlib.suppress(OSError):
        if said := path.read_text(encoding="utf-8", errors="replace"):
            return said
    return "another process"


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
