"""Annotation files, read piece by piece: as Python objects they may be larger than the memory.

A JSON file of a gigabyte enters; its elements leave one by one, each with the bytes it came from,
so that an index of a few numbers per picture is all that a reader keeps.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from jaxtyping import Int64

from vdjax.errors import UserError

_PIECE = 1 << 20  # bytes read at a time; more where one element is longer
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_BOM = "\xef\xbb\xbf"


def unreadable(error: OSError, path: Path) -> UserError:
    """The sentence for an operating system's refusal to read `path`."""
    if isinstance(error, PermissionError):
        return UserError(f"cannot read {path}: permission denied; change its permissions")
    reason = (error.strerror or str(error)).lower()
    return UserError(f"cannot read {path}: {reason}; give a path that can be read")


def listed(folder: Path) -> list[str]:
    """The names in a folder, sorted; none where there is no such folder.

    Raises:
        UserError: it may not be read.
    """
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(error, folder) from error


def fingerprint(*parts: str | Path) -> str:
    """A short hash of texts and of what is in files.

    Raises:
        UserError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            try:
                with open(part, "rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise unreadable(error, part) from error
        else:
            digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()[:16]


class Element(NamedTuple):
    """A value in a JSON file: the list it stands in, its first byte, the byte after it, itself."""

    key: str
    start: int
    stop: int
    value: Any


def elements(path: Path, *keys: str) -> Iterator[Element]:
    """The elements of the lists under some keys of a JSON object, in the order of the file.

    Without keys, the elements of a file that is a list itself; their key is empty.

    Raises:
        UserError: the file cannot be read, is no JSON, or is not of this form.
    """
    try:
        with open(path, "rb") as file:
            text = _Text(file, path)
            if not keys:
                yield from text.list_under("")
                return
            for key in text.members():
                if text.next_is("["):
                    for element in text.list_under(key):
                        if key in keys:
                            yield element
                else:
                    text.value("")
    except OSError as error:
        raise unreadable(error, path) from error


def read_between(path: Path, start: int, stop: int) -> Any:
    """One JSON value again, by the bytes that `elements` told."""
    with open(path, "rb") as file:
        file.seek(start)
        return json.loads(file.read(stop - start))


def line_starts(path: Path) -> Int64[np.ndarray, " line"]:
    """The first byte of every line that is not empty.

    Raises:
        UserError: the file cannot be read.
    """
    starts, at = [np.zeros(1, np.int64)], 0
    try:
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == 0x0A)
                starts.append(ends + (at + 1))
                at += len(piece)
    except OSError as error:
        raise unreadable(error, path) from error
    begins = np.concatenate(starts)
    lengths = np.diff(begins, append=at)
    if (two := lengths == 2).any():  # a carriage return and a line feed are an empty line, too
        lengths[two] -= np.memmap(path, np.uint8, mode="r")[begins[two]] == 0x0D
    return begins[lengths > 1]


class _Text:
    """A JSON file as text, as far as it is needed.

    Bytes are read as Latin-1: a character for each, so that places in the text are places in the
    file. What is not ASCII is read again as the UTF-8 that it is.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path = file, path
        self._text, self._at, self._before = "", 0, 0
        self._plain = True
        self._more()
        if self._text.startswith(_BOM):
            self._at = len(_BOM)

    def members(self) -> Iterator[str]:
        """The keys of an object; between two, the caller reads the value."""
        self._take("{")
        if self.next_is("}"):
            return
        while True:
            key = self.value("").value
            self._take(":")
            yield str(key)
            if self.next_is("}"):
                return
            self._take(",")

    def list_under(self, key: str) -> Iterator[Element]:
        """The elements of the list that comes next."""
        self._take("[")
        if self.next_is("]"):
            self._at += 1
            return
        while True:
            yield self.value(key)
            if self.next_is("]"):
                self._at += 1
                return
            self._take(",")

    def next_is(self, character: str) -> bool:
        """Whether that comes next, after any space."""
        self._skip_space()
        return self._text.startswith(character, self._at)

    def value(self, key: str) -> Element:
        """The value that comes next, as an element of the list `key`."""
        self._skip_space()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise self._broken(str(error.msg)) from error
            else:
                # A number at the end of what was read may go on.
                if end < len(self._text) or not self._more():
                    break
        part = "" if self._plain else self._text[self._at : end]
        if not part.isascii():
            try:
                value = json.loads(part.encode("latin-1").decode("utf-8"))
            except UnicodeDecodeError as error:
                raise self._broken("it is not UTF-8") from error
        element = Element(key, self._before + self._at, self._before + end, value)
        self._at = end
        return element

    def _skip_space(self) -> None:
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text) or not self._more():
                return

    def _take(self, character: str) -> None:
        if not self.next_is(character):
            raise self._broken(f"expected {character!r}")
        self._at += 1

    def _more(self) -> bool:
        kept = self._text[self._at :]
        piece = self._file.read(max(_PIECE, len(kept)))
        self._before += self._at
        self._text, self._at = kept + piece.decode("latin-1"), 0
        self._plain = self._text.isascii()
        return bool(piece)

    def _broken(self, why: str) -> UserError:
        return UserError(
            f"{self._path} cannot be read as JSON at byte {self._before + self._at}: {why}; "
            "is it whole?"
        )
