"""Parameter trees on disk: one safetensors file per tree, checksums in a manifest beside them.

A tree is a nested mapping with arrays at its leaves, as Flax keeps parameters; a file holds it
flat, with "/" between the keys, and the configuration that made it as JSON in its header. A preset
is a folder of such files with a `manifest.json`, so that a file that was cut short, swapped or left
out is refused by name before anything runs on it. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from vdjax.errors import WeightsError
from vdjax.files import replace_file

MANIFEST = "manifest.json"
_FORMAT = "vdjax-weights"
_CONFIG = "config"
_REPAIR = (
    "get it again: `git checkout -- vdjax/weights` in a clone, "
    "`pip install --force-reinstall vdjax` otherwise"
)

# The names that the file format has for dtypes; safetensors' own numpy reader knows no bfloat16.
_DTYPES: dict[str, Any] = {
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
        path.name: _fingerprint(path.read_bytes())
        for path in sorted(Path(folder).iterdir())
        if path.suffix in (".safetensors", ".json") and path.name != MANIFEST
    }
    text = json.dumps({"format": _FORMAT, "files": files}, indent=1) + "\n"
    replace_file(Path(folder) / MANIFEST, text.encode())


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
    files = _manifest(Path(folder))
    path = Path(folder) / file
    if file not in files:
        raise WeightsError(
            f"{path.with_name(MANIFEST)} lists no {file}; it lists {', '.join(files)}; {_REPAIR}"
        )
    data = _read(path)
    _check(path, data, files[file])
    return data


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
            _check(path, _read(path), recorded)
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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(f"weight file {path} is missing; {_REPAIR}") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WeightsError(f"weight file {path} cannot be read: {reason}") from error


def _parse(path: Path, data: bytes) -> tuple[dict[str, Any], dict[str, Any] | None]:
    try:
        flat = {
            name: np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in safetensors.deserialize(data)
        }
        # A safetensors file opens with the length of its JSON header in eight bytes.
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size]).get("__metadata__", {})
        config = json.loads(header[_CONFIG]) if _CONFIG in header else None
    except (safetensors.SafetensorError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}); {_REPAIR}"
        ) from error
    return _nest(flat), config


def _manifest(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(
            f"{folder} has no {MANIFEST}, so it holds no weights; {_REPAIR}"
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); {_REPAIR}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise WeightsError(f"{path} is no manifest of weights; {_REPAIR}")
    files: dict[str, dict[str, Any]] = content["files"]
    return files


def _fingerprint(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _check(path: Path, data: bytes, recorded: Mapping[str, Any]) -> None:
    found = _fingerprint(data)
    if found["bytes"] != recorded["bytes"]:
        seen = f"has {found['bytes']} bytes instead of {recorded['bytes']}"
    elif found["sha256"] != recorded["sha256"]:
        seen = f"has SHA-256 {found['sha256'][:12]}… instead of {recorded['sha256'][:12]}…"
    else:
        return
    raise WeightsError(f"weight file {path} is damaged: it {seen}; {_REPAIR}")
