"""A run folder as it is: its configuration, its log as columns, its contact sheets.

Files enter that a living run may be writing, or that a killed one left; what can be read of them
leaves, with a sentence on each thing that cannot.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vdjax.errors import UserError

CONFIG, LOG, SHEETS = "config.json", "log.jsonl", "sheets"
LARGEST_SHEET = 8 << 20
"""Bytes; a larger picture is left out, so that the page stays one that a browser opens."""

Column = tuple[Float[np.ndarray, " step"], Float[np.ndarray, " step"]]
"""Steps, and the values there; NaN where a value is not finite."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run folder holds. `entries` are the log's lines by step, in order of steps."""

    folder: Path
    config: Mapping[str, Any]
    entries: tuple[Mapping[str, Any], ...]
    sheets: tuple[tuple[int, Path], ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def step(self) -> int:
        """The last step in the log; 0 where there is none."""
        return int(self.entries[-1]["step"]) if self.entries else 0

    @property
    def steps(self) -> int | None:
        """How many steps the run is meant to have, where its configuration says so."""
        planned = self.setting("steps")
        return planned if _whole(planned) else None

    def setting(self, name: str) -> Any:
        """The setting of that name, wherever in the configuration it stands; None where nowhere."""
        return _found(self.config, name)

    def column(self, name: str) -> Column:
        """A number of the log over the steps that have it; empty where none has."""
        pairs = [(entry["step"], _number(entry[name])) for entry in self.entries if name in entry]
        steps, values = np.array(pairs, np.float64).reshape(-1, 2).T
        return steps, values

    def names(self) -> tuple[str, ...]:
        """All numbers that the log has, in the order in which they come."""
        every = {name: None for entry in self.entries for name in entry if name != "step"}
        return tuple(name for name in every if np.isfinite(self.column(name)[1]).any())


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        UserError: there is no such folder, or it is no run's.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give the one that a training run wrote to")
    if not (folder / CONFIG).exists() and not (folder / LOG).exists():
        inside = sorted(path.parent.name for path in folder.glob(f"*/{LOG}"))
        way_out = (
            f"give one of the runs in it: {', '.join(inside[:8])}"
            if inside
            else "give the folder that a training run wrote to"
        )
        raise UserError(f"{folder} holds neither {LOG} nor {CONFIG}: {way_out}")
    notes: list[str] = []
    config = _config(folder / CONFIG, notes)
    entries = _entries(folder / LOG, notes)
    return Run(
        folder=folder,
        config=config,
        entries=entries,
        sheets=tuple(_sheets(folder / SHEETS, notes)),
        notes=tuple(notes),
    )


def _config(path: Path, notes: list[str]) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        notes.append(f"{path.name} is missing: what made the run is not known.")
        return {}
    except (OSError, ValueError) as error:
        notes.append(f"{path.name} cannot be read ({error}): what made the run is not known.")
        return {}
    if not isinstance(found, dict):
        notes.append(f"{path.name} holds no settings: what made the run is not known.")
        return {}
    return found


def _entries(path: Path, notes: list[str]) -> tuple[Mapping[str, Any], ...]:
    """The log's lines; of a step that comes twice (a killed run went on) the later one."""
    by_step: dict[int, Mapping[str, Any]] = {}
    damaged: list[int] = []
    number = 0
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                try:
                    entry = json.loads(line)
                except ValueError:
                    entry = None
                if not isinstance(entry, dict) or not _whole(entry.get("step")):
                    damaged.append(number)
                    continue
                by_step[entry["step"]] = entry
    except FileNotFoundError:
        notes.append(f"{path.name} is missing: no step was logged.")
    except OSError as error:
        notes.append(f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}.")
    if damaged == [number]:
        notes.append(
            f"The last line of {path.name} is cut short, as where a run is killed while it writes; "
            "it is left out."
        )
    elif damaged:
        notes.append(
            f"{len(damaged)} of {number} lines of {path.name} cannot be read and are left out "
            f"(the first is line {damaged[0]})."
        )
    return tuple(by_step[step] for step in sorted(by_step))


def _sheets(folder: Path, notes: list[str]) -> Iterator[tuple[int, Path]]:
    """Contact sheets by step, as far as they are whole."""
    for path in sorted(folder.glob("step_*.png")):
        match = re.fullmatch(r"step_(\d+)\.png", path.name)
        if not match:
            continue
        size = path.stat().st_size
        if size > LARGEST_SHEET:
            notes.append(f"{path.name} is left out: it has {size / 1e6:.0f} MB.")
            continue
        data = path.read_bytes()
        if not data.startswith(b"\x89PNG\r\n\x1a\n") or b"IEND" not in data[-16:]:
            notes.append(f"{path.name} is left out: it is no whole PNG picture.")
            continue
        yield int(match[1]), path


def _found(config: Any, name: str) -> Any:
    """The outermost value of that name."""
    level = [config]
    while level:
        tables = [each for each in level if isinstance(each, dict)]
        for table in tables:
            if name in table:
                return table[name]
        level = [value for table in tables for value in table.values()]
    return None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if math.isfinite(value) else math.nan
