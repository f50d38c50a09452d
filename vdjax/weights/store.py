"""Parameter trees on disk: one safetensors file per tree, checksums in a manifest beside them.

A tree is a nested mapping with arrays at its leaves, as Flax keeps parameters; a file holds it
flat, with "/" between the keys, and the configuration that made it as JSON in its header. A preset
is a folder of such files with a `manifest.json`, so that a file that was cut short, swapped or left
out is refused by name before anything runs on it. Nothing is ever unpickled.

Files of gigabytes are written leaf by leaf (`write_leaves`) and mapped into memory (`map_checked`).
Their headers say so, and their leaves begin where XLA can use them as they lie on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from vdjax.errors import WeightsError
from vdjax.files import output_error, replace_file

MANIFEST = "manifest.json"
_FORMAT = "vdjax-weights"
_CONFIG, _READ = "config", "read"
_MAPPED = "mapped"
ALIGNMENT = 64
"""Bytes; XLA on a processor takes memory that begins at a multiple of it without a copy."""

# The names that the file format has for dtypes; safetensors' own numpy reader knows no bfloat16.
DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    **{f"I{n}": np.dtype(f"int{n}") for n in (8, 16, 32, 64)},
    **{f"U{n}": np.dtype(f"uint{n}") for n in (8, 16, 32, 64)},
    **{f"F{n}": np.dtype(f"float{n}") for n in (16, 32, 64)},
    "BF16": ml_dtypes.bfloat16,
}

Tree = Mapping[str, Any]
"""Strings to arrays or to further trees."""


def shipped_presets() -> list[str]:
    """The names of the presets whose weights come with the package."""
    here = Path(__file__).parent
    return sorted(path.parent.name for path in here.glob(f"*/{MANIFEST}"))


def shipped_folder(preset: str) -> Path:
    """The folder of a preset's weights inside the package.

    Raises:
        WeightsError: no weights of that name come with the package.
    """
    names = shipped_presets()
    if preset not in names:
        raise WeightsError(
            f"no weights of {preset!r} come with vdjax; there are {', '.join(names) or 'none'}"
        )
    return Path(__file__).parent / preset


def save_tree(
    path: str | os.PathLike[str], tree: Tree, config: Mapping[str, Any] | None = None
) -> None:
    """Write a tree of arrays, and the configuration it belongs to, as one safetensors file.

    The file is replaced in one step. JAX arrays are fetched; integers, floats, bfloat16 and
    booleans keep their dtype.

    Raises:
        ValueError: a key is empty or holds "/", or a mapping is empty and would be lost.
        OutputError: the file cannot be written.
    """
    flat = {key: np.asarray(leaf, order="C") for key, leaf in _flatten(tree)}
    header = {_CONFIG: json.dumps(config, sort_keys=True)} if config is not None else None
    replace_file(Path(path), safetensors.numpy.save(flat, metadata=header))


def load_tree(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Read what `save_tree` wrote: the nested tree of numpy arrays, and the configuration or None.

    Raises:
        WeightsError: the file is missing, unreadable, or no safetensors file.
    """
    return _parse(Path(path), _read(Path(path)))


def write_manifest(folder: str | os.PathLike[str]) -> None:
    """Record size and SHA-256 of the weight and JSON files in `folder`: its parts from now on."""
    files = {
        path.name: _fingerprint_of(path)
        for path in sorted(Path(folder).iterdir())
        if path.suffix in (".safetensors", ".json") and path.name != MANIFEST
    }
    save_manifest(folder, files)


def save_manifest(folder: str | os.PathLike[str], files: Mapping[str, Mapping[str, Any]]) -> None:
    """Record sizes and checksums that are known already: `bytes` and `sha256` by file name."""
    text = json.dumps({"format": _FORMAT, "files": files}, indent=1) + "\n"
    replace_file(Path(folder) / MANIFEST, text.encode())


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """What a folder's manifest lists: `bytes` and `sha256` by file name.

    Raises:
        WeightsError: the folder has no manifest, or one of something else.
    """
    return _manifest(Path(folder))


@dataclass(frozen=True)
class Leaf:
    """A leaf to be written: its path with "/" between names, and how to get its values."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    values: Callable[[], np.ndarray]

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(DTYPES[self.dtype]).itemsize


def write_leaves(
    path: str | os.PathLike[str], leaves: Sequence[Leaf], config: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write a tree as `save_tree` does, one leaf in memory at a time; return size and checksum.

    The file is written where it is to be: what is half written is for the caller to remove. It is
    one to be mapped (`is_mapped`): all but odd-sized leaves begin at multiples of `ALIGNMENT`.

    Raises:
        OutputError: the file cannot be written.
        ValueError: a leaf's values are not of its shape and dtype.
    """
    # The format knows no gaps: leaves that keep the next one aligned come first, then wider numbers
    # before others, so that each starts at a multiple of its width.
    ordered = sorted(
        leaves,
        key=lambda leaf: (
            leaf.size % ALIGNMENT > 0,
            -np.dtype(DTYPES[leaf.dtype]).itemsize,
            leaf.path,
        ),
    )
    header: dict[str, Any] = {"__metadata__": {_READ: _MAPPED}}
    if config is not None:
        header["__metadata__"][_CONFIG] = json.dumps(config, sort_keys=True)
    at = 0
    for leaf in ordered:
        offsets = [at, at := at + leaf.size]
        header[leaf.path] = {
            "dtype": leaf.dtype,
            "shape": list(leaf.shape),
            "data_offsets": offsets,
        }
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    digest = hashlib.sha256()
    try:
        with Path(path).open("xb") as file:

            def put(data) -> None:
                digest.update(data)
                file.write(data)

            put(len(text).to_bytes(8, "little"))
            put(text)
            for leaf in ordered:
                values = np.ascontiguousarray(leaf.values())
                values = values.reshape(leaf.shape) if leaf.shape == () else values
                if values.shape != leaf.shape or values.dtype != DTYPES[leaf.dtype]:
                    raise ValueError(f"{leaf.path} is {values.dtype}{values.shape}: see {leaf}")
                put(values.reshape(-1).view(np.uint8))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise output_error(error, Path(path)) from error
    return {"bytes": 8 + len(text) + at, "sha256": digest.hexdigest()}


def write_bytes(path: str | os.PathLike[str], data: bytes) -> dict[str, Any]:
    """Write a file that is no tree, such as a tokenizer; return size and checksum.

    Raises:
        OutputError: the file cannot be written.
    """
    replace_file(Path(path), data)
    return _fingerprint(data)


def load_checked(
    folder: str | os.PathLike[str], name: str
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Read `name`.safetensors from a folder with a manifest, after comparing its checksum.

    Raises:
        WeightsError: the manifest or the file is missing, or the file is not the one recorded.
    """
    file = f"{name}.safetensors"
    return _parse(Path(folder) / file, read_checked(folder, file))


def read_checked(folder: str | os.PathLike[str], file: str) -> bytes:
    """Read any file of a folder with a manifest, such as its tokenizer, after the same comparison.

    Raises:
        WeightsError: as for `load_checked`.
    """
    path = Path(folder) / file
    recorded = _recorded(path)
    data = _read(path)
    _check(path, _fingerprint(data), recorded)
    return data


def map_checked(
    folder: str | os.PathLike[str], name: str
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Map `name`.safetensors into memory: leaves are read when they are used, and take no room.

    Its size is compared with the manifest's; its checksum, which would read all of it, is not: that
    is what `verify` and `vdjax weights check` are for.

    Raises:
        WeightsError: the manifest or the file is missing, or the file is not whole.
    """
    path = Path(folder) / f"{name}.safetensors"
    recorded = _recorded(path)
    try:
        if path.stat().st_size != recorded["bytes"]:
            raise _damaged(path, f"has {path.stat().st_size} bytes instead of {recorded['bytes']}")
        with safetensors.safe_open(path, framework="numpy"):
            pass  # which sees that the header speaks of every byte once
        header, start = read_header(path)
        data = (
            np.memmap(path, np.uint8, mode="r", offset=start) if recorded["bytes"] > start else b""
        )
        flat = {
            leaf: np.frombuffer(
                data[slice(*entry["data_offsets"])], DTYPES[entry["dtype"]]
            ).reshape(entry["shape"])
            for leaf, entry in header.items()
            if leaf != "__metadata__"
        }
    except OSError as error:
        raise _unreadable(path, error) from error
    except (
        safetensors.SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise _not_whole(path, error) from error
    return _nest(flat), config_of(header)


def read_header(path: str | os.PathLike[str]) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and where its data starts.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it has no such header.
    """
    with Path(path).open("rb") as file:
        # A safetensors file opens with the length of its JSON header in eight bytes.
        size = int.from_bytes(file.read(8), "little")
        if size > os.fstat(file.fileno()).st_size:
            raise ValueError(f"a header of {size} bytes is longer than the file")
        header = json.loads(file.read(size))
    if not isinstance(header, dict):
        raise ValueError("the header is no mapping")
    return header, 8 + size


def is_mapped(header: Mapping[str, Any]) -> bool:
    """Whether a file is used as it lies on the disk, in the dtypes that it has: a converted one.

    Others, written by `save_tree`, hold numbers that were narrowed for the journey.
    """
    return header.get("__metadata__", {}).get(_READ) == _MAPPED


def config_of(header: Mapping[str, Any]) -> dict[str, Any] | None:
    """The configuration that `save_tree` put into a header, or None."""
    text = header.get("__metadata__", {}).get(_CONFIG)
    return None if text is None else json.loads(text)


def verify(folder: str | os.PathLike[str]) -> list[str]:
    """Compare every file that a folder's manifest lists; return what is wrong, a sentence each."""
    faults = []
    try:
        files = _manifest(Path(folder))
    except WeightsError as error:
        return [str(error)]
    for name, recorded in files.items():
        path = Path(folder) / name
        try:
            _check(path, _fingerprint_of(path), recorded)
        except WeightsError as error:
            faults.append(str(error))
    return faults


def _flatten(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if not tree:
        raise ValueError(
            f"the mapping at {prefix or 'the top'!r} is empty: a file cannot hold that"
        )
    for key, value in tree.items():
        if "/" in key or not key:
            raise ValueError(
                f"key {key!r} at {prefix or 'the top'!r} must be some text without '/'"
            )
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}/")
        else:
            yield prefix + key, value


def _nest(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, leaf in flat.items():
        *parents, last = name.split("/")
        branch = tree
        for key in parents:
            branch = branch.setdefault(key, {})
        branch[last] = leaf
    return tree


def _recorded(path: Path) -> dict[str, Any]:
    files = _manifest(path.parent)
    if path.name not in files:
        listed = ", ".join(files)
        raise WeightsError(
            f"{path.with_name(MANIFEST)} lists no {path.name}; it lists {listed}; "
            f"{_repair(path.parent)}"
        )
    return files[path.name]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> WeightsError:
    if isinstance(error, FileNotFoundError):
        return WeightsError(f"weight file {path} is missing; {_repair(path.parent)}")
    reason = (error.strerror or str(error)).lower()
    return WeightsError(f"weight file {path} cannot be read: {reason}")


def _not_whole(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path} is not a whole safetensors file ({error}); {_repair(path.parent)}")


def _damaged(path: Path, seen: str) -> WeightsError:
    return WeightsError(f"weight file {path} is damaged: it {seen}; {_repair(path.parent)}")


def _repair(folder: Path) -> str:
    """The way out, for weights that ship and for those that somebody made."""
    if folder.resolve().parent == Path(__file__).resolve().parent:
        return (
            "get it again: `git checkout -- vdjax/weights` in a clone, "
            "`pip install --force-reinstall vdjax` otherwise"
        )
    return (
        f"make {folder} again, by `vdjax weights convert` of PyTorch weights or `vdjax ship` of "
        "your own"
    )


def _parse(path: Path, data: bytes) -> tuple[dict[str, Any], dict[str, Any] | None]:
    try:
        flat = {
            name: np.frombuffer(entry["data"], DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in safetensors.deserialize(data)
        }
        # A safetensors file opens with the length of its JSON header in eight bytes.
        size = int.from_bytes(data[:8], "little")
        config = config_of(json.loads(data[8 : 8 + size]))
    except (safetensors.SafetensorError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise _not_whole(path, error) from error
    return _nest(flat), config


def _manifest(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if foreign := _foreign(folder):
            raise WeightsError(
                f"{folder} holds {foreign}, so it is as PyTorch's libraries save models: write "
                f"`vdjax weights convert {folder} OUT`, and load OUT"
            ) from error
        raise WeightsError(
            f"{folder} has no {MANIFEST}, so it holds no weights; {_repair(folder)}"
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); {_repair(folder)}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise WeightsError(f"{path} is no manifest of weights; {_repair(folder)}")
    files: dict[str, dict[str, Any]] = content["files"]
    return files


def _foreign(folder: Path) -> str:
    """A file that only models of other libraries have; "" where there is none."""
    names = ("model_index.json", "config.json", "configuration.json")
    return next((name for name in names if (folder / name).exists()), "")


def _fingerprint(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _fingerprint_of(path: Path) -> dict[str, Any]:
    """The same of a file of any size, read in pieces."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return {"bytes": file.tell(), "sha256": digest.hexdigest()}
    except OSError as error:
        raise _unreadable(path, error) from error


def _check(path: Path, found: Mapping[str, Any], recorded: Mapping[str, Any]) -> None:
    if found["bytes"] != recorded["bytes"]:
        raise _damaged(path, f"has {found['bytes']} bytes instead of {recorded['bytes']}")
    if found["sha256"] != recorded["sha256"]:
        seen = f"has SHA-256 {found['sha256'][:12]}… instead of {recorded['sha256'][:12]}…"
        raise _damaged(path, seen)
