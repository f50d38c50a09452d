"""What training reads of a data set, computed once: latents, tokens and embeddings in a folder.

A reader and the frozen networks enter; an `EncodedData` leaves, kept in shards of which each is
whole or not there, so that a build that was killed goes on where it stopped. `cache.json` says what
they were made from; another source is refused, never mixed in. One process builds, many may read.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from vdjax.data.encoded import EncodedData, Shard, read_shard, write_shard
from vdjax.data.encoding import Encoder, Part, Selection, encode_part
from vdjax.data.prepare import LEAST_AREA, MOST_ENTITIES
from vdjax.data.sample import Fault, Reader, told
from vdjax.errors import UserError
from vdjax.files import holder, lock, replace_file

SHARD = 512
"""Samples to a shard: some 10 MB at 32 × 32 latents, and what a killed build loses at most."""
POLICIES = ("skip", "stop")
RECORD, SKIPPED, LOCK = "cache.json", "skipped.jsonl", "lock"
_VERSION = 1
Report = Callable[[str], None]


def build(
    reader: Reader,
    folder: str | Path,
    encode: Encoder,
    *,
    count: int | None = None,
    on_bad: str = "skip",
    shard_size: int = SHARD,
    least_area: float = LEAST_AREA,
    most: int = MOST_ENTITIES,
    workers: int | None = None,
    wait: bool = False,
    report: Report = print,
) -> EncodedData:
    """The encoded samples of a data set, from the folder where they are there, made where not.

    Args:
        reader: the data set.
        folder: where they are kept, this data set's alone.
        encode: the frozen networks.
        count: use so many of its samples, from the first; a larger count later adds to the folder.
        on_bad: "skip" leaves out what cannot be used, and tells of it in `skipped.jsonl`; "stop"
            ends at the first.
        shard_size: samples gone through for a shard.
        least_area, most: which entities are kept, as in `vdjax.data.prepare.prepare`.
        workers: threads that open pictures; as many as there are cores to spare.
        wait: where another process builds there, wait for it and read what it made; so may all
            processes of one run ask at once.
        report: takes lines of progress.

    Raises:
        UserError: the folder is of another source or another process builds there; something cannot
            be used and `on_bad` is "stop"; nothing at all can be used.
        OutputError: there is no room, or no permission to write.
    """
    folder = Path(folder)
    if on_bad not in POLICIES:
        raise UserError(f"on_bad {on_bad!r} is unknown: use {' or '.join(POLICIES)}")
    total = len(reader) if count is None else min(count, len(reader))
    if total < 1:
        raise UserError(f"{reader.name} has {len(reader)} samples, of which {total} are wanted")
    record = {
        "version": _VERSION,
        "data": {"name": reader.name, "fingerprint": reader.fingerprint, "mirrors": reader.mirrors},
        "networks": {
            "fingerprint": encode.fingerprint,
            "image_size": encode.image_size,
            "crop_size": encode.crop_size,
        },
        "kept": {"least_area": least_area, "most": most, "shard_size": shard_size},
    }
    _refuse_another(folder, record)
    firsts = range(0, total, shard_size)
    stops = {first: min(first + shard_size, total) for first in firsts}
    shards = _kept(folder, stops, report)
    if len(shards) < len(stops):
        with _locked(folder, wait, report):
            _refuse_another(folder, record)  # somebody may have begun meanwhile
            replace_file(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
            shards = _kept(folder, stops, report)
            _make(reader, folder, encode, stops, shards, on_bad, record, workers, report)
    data = _data(record, [shards[first] for first in firsts], total)
    if on_bad == "stop" and (bad := next((fault for fault in data.faults if fault["bad"]), None)):
        _stop(reader.name)(bad["id"], Fault(bad["reason"], bad["detail"]))
    _refuse_nothing(data, folder)
    report(_summary(data, folder))
    return data


def open_cache(folder: str | Path, *, count: int | None = None) -> EncodedData:
    """The encoded samples that lie in a folder, as far as they were made; no network is needed.

    Args:
        count: as in `build`.

    Raises:
        UserError: there is no cache, or its files are damaged.
    """
    folder = Path(folder)
    record = _record(folder)
    if record is None:
        raise UserError(f"{folder} holds no encoded data: there is no {RECORD} in it")
    size: int = record["kept"]["shard_size"]
    shards: list[Shard] = []
    while (path := _path(folder, len(shards) * size)).exists():
        try:
            shards.append(read_shard(path))
        except (OSError, ValueError) as damage:
            raise UserError(f"{path} is damaged ({damage}): build the cache again") from damage
    made = shards[-1].about["stop"] if shards else 0
    data = _data(record, shards, made if count is None else min(count, made))
    _refuse_nothing(data, folder)
    return data


def _make(
    reader: Reader,
    folder: Path,
    encode: Encoder,
    stops: dict[int, int],
    shards: dict[int, Shard],
    on_bad: str,
    record: dict[str, Any],
    workers: int | None,
    report: Report,
) -> None:
    """Make the shards that are missing, and add them to those that are there."""
    selection = Selection(least_area=record["kept"]["least_area"], most=record["kept"]["most"])
    missing = {first: stop for first, stop in stops.items() if first not in shards}
    left = sum(stop - first for first, stop in missing.items())
    began, gone = time.monotonic(), 0
    for first, stop in missing.items():
        refuse = _stop(reader.name) if on_bad == "stop" else _go_on
        part = Part(first=first, stop=stop, refuse=refuse)
        arrays = encode_part(reader, part, encode, selection, workers=workers)
        path = _path(folder, first)
        write_shard(path, arrays, part.about)
        shards[first] = read_shard(path)
        _write_skipped(folder, shards)
        gone += stop - first
        rate = gone / (time.monotonic() - began)
        out = sum(fault["left_out"] == "sample" for fault in _faults(shards))
        report(
            f"encoding {reader.name}: {stop}/{max(stops.values())}, {out} left out  {rate:.1f}/s  "
            f"ETA {(left - gone) / rate:.0f} s"
        )


def _path(folder: Path, first: int) -> Path:
    return folder / f"{first:09d}.safetensors"


def _kept(folder: Path, stops: dict[int, int], report: Report) -> dict[int, Shard]:
    """The shards that are there, whole, and go as far as they are wanted to."""
    kept = {}
    for first, stop in stops.items():
        path = _path(folder, first)
        try:
            shard = read_shard(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as damage:
            report(f"{path} is damaged ({damage}): its samples are encoded again")
            continue
        if shard.about["stop"] >= stop:
            kept[first] = shard
    return kept


def _data(record: dict[str, Any], shards: list[Shard], total: int) -> EncodedData:
    return EncodedData(
        name=record["data"]["name"], shards=shards, total=total, most=record["kept"]["most"]
    )


def _record(folder: Path) -> dict[str, Any] | None:
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): nobody can say what the folder was made from; "
            "choose another folder, or remove this one"
        ) from error
    return record


def _refuse_another(folder: Path, record: dict[str, Any]) -> None:
    """Refuse a folder of encoded samples that were made from something else."""
    found = _record(folder)
    if found is None:
        if folder.is_dir() and any(folder.glob("*.safetensors")):
            raise UserError(
                f"{folder} holds weights or shards, but no {RECORD}: choose another folder"
            )
        return
    # Both as JSON has them: to it, 30 is 30.0 and a tuple a list.
    before, now = _flat(found), _flat(json.loads(json.dumps(record)))
    other = [
        f"{name} {before.get(name)} (here {now.get(name)})"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    if other:
        raise UserError(
            f"{folder} was made from something else: {', '.join(other)}; choose another folder, or "
            "remove this one"
        )


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name} ")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _locked(folder: Path, wait: bool, report: Report) -> BinaryIO:
    path = folder / LOCK

    def unlocked(reason: str) -> None:
        report(f"{folder} cannot be locked ({reason}): let no other build there")

    held = lock(path, wait=wait, unlocked=unlocked)
    if held is None:
        raise UserError(
            f"{holder(path)} encodes into {folder}: wait until it ends, stop it, or choose another "
            "folder"
        )
    return held


def _stop(name: str) -> Callable[[str, Fault], None]:
    def refuse(id: str, fault: Fault) -> None:
        raise UserError(
            f"{name}, sample {id}: {told(fault)}; mend it, or let what cannot be used be skipped"
        )

    return refuse


def _go_on(id: str, fault: Fault) -> None:
    """What cannot be used is left out and written down."""


def _faults(shards: dict[int, Shard]) -> list[dict[str, Any]]:
    return [fault for first in sorted(shards) for fault in shards[first].about["faults"]]


def _write_skipped(folder: Path, shards: dict[int, Shard]) -> None:
    lines = [json.dumps(fault, ensure_ascii=False) + "\n" for fault in _faults(shards)]
    path = folder / SKIPPED
    if lines or path.exists():
        replace_file(path, "".join(lines).encode("utf-8", "backslashreplace"))


def _counted(data: EncodedData, what: str) -> str:
    counts = Counter(fault["reason"] for fault in data.faults if fault["left_out"] == what)
    return ", ".join(f"{reason} {number}" for reason, number in counts.most_common())


def _refuse_nothing(data: EncodedData, folder: Path) -> None:
    if not len(data):
        raise UserError(
            f"none of the {data.total} samples of {data.name} can be used: "
            f"{_counted(data, 'sample') or 'none was made'}; {folder / SKIPPED} tells of each"
        )


def _summary(data: EncodedData, folder: Path) -> str:
    mirrored = len(data) - data.pictures
    text = f"{data.name}: {data.pictures} of {data.total} samples, {mirrored} mirrored as well"
    for what in ("sample", "box"):
        if counted := _counted(data, what):
            text += f"; {'samples' if what == 'sample' else 'boxes'} left out: {counted}"
    return f"{text}; see {folder / SKIPPED}" if data.faults else text
