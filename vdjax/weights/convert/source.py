"""What is converted: a model of somebody else's on disk, read one tensor at a time.

A folder with config.json and safetensors (whole, or in shards with an index), or one safetensors
file, enters; a `Source` leaves, which knows every tensor's shape and dtype before it reads one.
Pickles are refused: reading one can run any code that is in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from vdjax.errors import WeightsError
from vdjax.weights.store import DTYPES, read_header

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
CONFIG, INDEX = "config.json", ".safetensors.index.json"
MODELSCOPE_CONFIG = "configuration.json"
PIPELINE = "model_index.json"

# diffusers' and transformers' names for the weights of a model; a variant ("fp16") stands between.
USUAL = ("diffusion_pytorch_model", "model")
HALF = ".fp16."
"""In the name of a file of weights in half precision, beside a whole one or without."""


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies: its dtype by the file format's name, and its place in the file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int

    def read(self) -> np.ndarray:
        """The values, fetched from the disk now.

        Raises:
            WeightsError: the file has changed or cannot be read any more.
        """
        try:
            with self.file.open("rb") as file:
                file.seek(self.start)
                data = file.read(self.size)
        except OSError as error:
            raise _unreadable(self.file, error) from error
        if len(data) != self.size:
            raise WeightsError(f"{self.file} became shorter while it was read; get it again")
        return np.frombuffer(data, DTYPES[self.dtype]).reshape(self.shape)


@dataclass(frozen=True)
class Source:
    """One model: where it is from, its configuration if it has one, and its tensors by key."""

    path: Path
    config: Mapping[str, Any] | None
    tensors: Mapping[str, Tensor]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {key: tensor.shape for key, tensor in self.tensors.items()}


def open_source(path: Path) -> Source:
    """Look at a model's files; a single file takes the configuration that lies beside it.

    Raises:
        WeightsError: there are no safetensors, or they are not whole, or several to choose from.
    """
    if path.is_dir():
        tensors = _in_folder(path)
    else:
        tensors = _sharded(path) if path.name.endswith(INDEX) else _in_file(path)
    return Source(path, config_of(path), tensors)


def config_of(path: Path) -> dict[str, Any] | None:
    """The configuration in a model's folder, or beside its file; None where there is none."""
    folder = path if path.is_dir() else path.parent
    for name in (CONFIG, MODELSCOPE_CONFIG):
        if (folder / name).exists():
            return read_json(folder / name)
    return None


def is_pipeline(path: Path) -> bool:
    """Whether a folder holds several models, as diffusers' pipelines are saved."""
    return (path / PIPELINE).exists()


def parts_of(path: Path) -> dict[str, Path]:
    """The folders of a pipeline that have a configuration, by name."""
    folders = sorted(child for child in path.iterdir() if (child / CONFIG).exists())
    if not folders:
        raise WeightsError(f"{path} has a {PIPELINE} but no folder with a {CONFIG}; get it again")
    return {folder.name: folder for folder in folders}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds one object.

    Raises:
        WeightsError: it cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise WeightsError(f"{path} is not JSON ({error}); get it again") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} holds {type(content).__name__}, not an object; get it again")
    return content


def _in_folder(folder: Path) -> dict[str, Tensor]:
    indices = sorted(folder.glob(f"*{INDEX}"))
    files = sorted(folder.glob("*.safetensors"))
    usual = [path for path in (*indices, *files) if path.name.partition(".")[0] in USUAL]
    plain = [path for path in usual if path.name.split(".", 1)[1] in ("safetensors", INDEX[1:])]
    half = [path for path in usual if HALF in path.name]
    for found in (plain, indices, usual, half, files):
        if len(found) == 1:
            return _sharded(found[0]) if found[0].name.endswith(INDEX) else _in_file(found[0])
    if files:
        names = ", ".join(path.name for path in (*indices, *files)[:4])
        raise WeightsError(f"{folder} holds several weights ({names}): name one of the files")
    if pickles := sorted(path for path in folder.iterdir() if path.suffix in PICKLES):
        raise _pickle(pickles[0])
    raise WeightsError(f"{folder} holds no safetensors: name a model's folder or file")


def _sharded(index: Path) -> dict[str, Tensor]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise WeightsError(f"{index} has no weight_map; get it again")
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(places.values())):
        if Path(name).name != name:
            raise WeightsError(f"{index} names {name!r}, which is not a file beside it")
        shard = index.parent / name
        if not shard.exists():
            raise WeightsError(f"{shard} is missing, which {index.name} names; get it again")
        found = _in_file(shard)
        if twice := sorted(found.keys() & tensors.keys()):
            raise WeightsError(f"{shard} repeats {twice[0]} of another shard; get them again")
        tensors |= found
    if absent := sorted(key for key in places if key not in tensors):
        raise WeightsError(
            f"{index.name} promises {len(absent)} tensors that its files lack: "
            f"{', '.join(absent[:4])}; get them again"
        )
    return tensors


def _in_file(path: Path) -> dict[str, Tensor]:
    if path.suffix in PICKLES and path.exists():
        raise _pickle(path)
    try:
        # safetensors itself checks that header and data are whole and fit each other.
        with safetensors.safe_open(path, framework="numpy"):
            pass
        header, start = read_header(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    except (safetensors.SafetensorError, ValueError) as error:
        if _starts_as_pickle(path):
            raise _pickle(path) from error
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}); get it again"
        ) from error
    header.pop("__metadata__", None)
    if unknown := sorted({entry["dtype"] for entry in header.values()} - set(DTYPES)):
        raise WeightsError(
            f"{path} holds tensors of dtype {', '.join(unknown)}: vdjax reads {', '.join(DTYPES)}"
        )
    return {
        key: Tensor(
            path,
            entry["dtype"],
            tuple(entry["shape"]),
            start + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for key, entry in header.items()
    }


def _starts_as_pickle(path: Path) -> bool:
    """Whether a file that is no safetensors file is one of PyTorch's, new (zip) or old."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x04")


def _pickle(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} is a pickle, which can run any code when it is opened, so vdjax reads safetensors "
        "only: where you trust it and have PyTorch, write "
        f"safetensors.torch.save_file(torch.load({path.name!r}, weights_only=True), "
        f"{path.stem + '.safetensors'!r}), and convert that"
    )


def _unreadable(path: Path, error: OSError) -> WeightsError:
    if isinstance(error, FileNotFoundError):
        return WeightsError(f"{path} is missing: name a model's folder, file or hub id")
    return WeightsError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}")
