"""From a source to a folder of weights: planned whole, written leaf by leaf, kept only when whole.

A path or hub id enters; a folder leaves, with one safetensors file per part and a manifest. Until
the last byte is on the disk the folder is a hidden one beside its place: what is interrupted leaves
nothing there, and the next conversion to that place sweeps up what a killed one could not.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vdjax.errors import OutputError, WeightsError
from vdjax.files import output_error
from vdjax.weights.convert import hub
from vdjax.weights.convert.plan import DENOISERS, KINDS, Part, plan_source
from vdjax.weights.convert.rules import Move
from vdjax.weights.convert.settings import kind_of
from vdjax.weights.convert.source import Tensor, config_of, is_pipeline, open_source, parts_of
from vdjax.weights.parts import tokenizer_of
from vdjax.weights.store import (
    DTYPES,
    MANIFEST,
    Leaf,
    read_manifest,
    save_manifest,
    write_bytes,
    write_leaves,
)

DTYPE_NAMES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
"""Dtypes that weights may be kept in, by the name that the file format has for them."""


@dataclass(frozen=True)
class Conversion:
    """What was converted: parts with their parameters and bytes, and what was left out, and why."""

    folder: Path
    parameters: dict[str, int]
    bytes: dict[str, int]
    left_out: dict[str, str]


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    dtype: str | None = None,
    preset: str | None = None,
    report: Callable[[str], None] = lambda line: None,
    while_writing: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
) -> Conversion:
    """Convert a model, or all models of a pipeline, into the folder `out`.

    `source` is a folder as diffusers or transformers save it, one safetensors file, or a hub id
    ("owner/name"). A folder `out` that holds weights already gets the new parts beside its own.
    `dtype` is one of `DTYPE_NAMES`; without it each weight keeps its own. `preset` stands in where
    a file has no configuration. `report` is told what happens, a line each.

    Raises:
        WeightsError: the source cannot be read, is a pickle, is not of a known architecture, or
            has missing, surplus, misshapen or infinite weights.
        OutputError: there is no room, no permission, or something else at `out`.
    """
    if dtype is not None and dtype not in DTYPE_NAMES:
        raise WeightsError(f"dtype {dtype!r} is unknown: use one of {', '.join(DTYPE_NAMES)}")
    out = Path(out)
    before = _check_place(out)
    parts, left_out = _planned(_resolve(source, report), preset)
    names = [part.name for part in parts]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise WeightsError(f"{source} has more than one {twice[0]}: convert its folders one by one")
    if taken := sorted({f"{name}.safetensors" for name in names} & before.keys()):
        raise OutputError(f"{out} holds {taken[0]} already: remove it, or choose another place")
    for part in parts:
        for note in part.notes:
            report(f"note: {note}")
    leaves = {part.name: _leaves(part, dtype) for part in parts}
    _check_room(out, sum(leaf.size for some in leaves.values() for leaf in some))
    sizes: dict[str, int] = {}
    with while_writing(), _staged(out, before) as work:
        files = dict(before)
        for part in parts:
            report(f"writing {part.name}: {part.parameters:,} parameters")
            file = f"{part.name}.safetensors"
            files[file] = write_leaves(work / file, leaves[part.name], part.config)
            sizes[part.name] = files[file]["bytes"]
            if part.tokenizer is not None:
                file = tokenizer_of(part.name)
                files[file] = write_bytes(work / file, part.tokenizer)
        save_manifest(work, files)
    return Conversion(out, {part.name: part.parameters for part in parts}, sizes, left_out)


def _resolve(source: str | os.PathLike[str], report: Callable[[str], None]) -> Path:
    path = Path(source).expanduser()
    if path.exists() or not hub.is_hub_id(os.fspath(source)):
        return path
    report(f"{source} is no path here: getting it from the hub")
    return hub.download(os.fspath(source))


def _planned(path: Path, preset: str | None) -> tuple[list[Part], dict[str, str]]:
    """The parts of a model or of all models of a pipeline; and what is none of ours, by name."""
    if not is_pipeline(path):
        return plan_source(open_source(path), preset), {}
    parts: list[Part] = []
    left_out: dict[str, str] = {}
    for name, folder in parts_of(path).items():
        kind = kind_of(config_of(folder) or {})
        # A UNet of another name is one of pictures in a chain of several, as Karlo's decoder is.
        if kind in KINDS and (kind not in DENOISERS or name == "unet"):
            parts += plan_source(open_source(folder), preset if name == "unet" else None)
        else:
            left_out[name] = kind or "no class"
    if not parts:
        raise WeightsError(f"{path}: none of {', '.join(left_out)} is a network that vdjax has")
    return parts, left_out


def _leaves(part: Part, dtype: str | None) -> list[Leaf]:
    return [
        Leaf(
            path,
            move.leaf_shape,
            tensor.dtype if dtype is None else DTYPE_NAMES[dtype],
            _reader(move, tensor, None if dtype is None else DTYPES[DTYPE_NAMES[dtype]]),
        )
        for path, (move, tensor) in part.moves.items()
    ]


def _reader(move: Move, tensor: Tensor, dtype: Any) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        values = tensor.read()
        if dtype is not None and values.dtype != dtype:
            with np.errstate(over="ignore"):
                values = values.astype(dtype)
        if not np.isfinite(values).all():
            more = "" if dtype is None else f" as {np.dtype(dtype).name}"
            raise WeightsError(f"{tensor.file}: {move.key} holds values that are not finite{more}")
        return move(values)

    return read


def _check_place(out: Path) -> dict[str, dict[str, Any]]:
    """What the manifest at `out` lists: nothing where nothing is.

    Raises:
        OutputError: something else is there.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return {}
    if not (out / MANIFEST).exists():
        raise OutputError(f"{out} is there and holds no weights of vdjax: choose another place")
    return read_manifest(out)


def _check_room(out: Path, needed: int) -> None:
    place = out.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise OutputError(
            f"cannot write {out}: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free "
            f"at {place}; free some, choose another place, or keep weights as bfloat16"
        )


@contextlib.contextmanager
def _staged(out: Path, before: dict[str, dict[str, Any]]) -> Iterator[Path]:
    """A hidden folder beside `out` that takes its place when all went well, and goes otherwise."""
    work = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        work.mkdir()
    except OSError as error:
        raise output_error(error, out) from error
    try:
        yield work
        try:
            _take_place(work, out, list(before))
        except OSError as error:
            raise output_error(error, out) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _take_place(work: Path, out: Path, kept: Sequence[str]) -> None:
    if not kept:
        work.replace(out)
        return
    # New files first, the manifest last: until then the folder is what it was.
    for path in work.iterdir():
        if path.name != MANIFEST:
            path.replace(out / path.name)
    (work / MANIFEST).replace(out / MANIFEST)


def _sweep(out: Path) -> None:
    """Remove what conversions to this place left behind that were killed."""
    for path in out.parent.glob(f".{out.name}.*.partial"):
        pid = path.name.split(".")[-2]
        # Our own number on it means another's, of before this machine or container began anew.
        if pid.isdigit() and (int(pid) == os.getpid() or not _alive(int(pid))):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
