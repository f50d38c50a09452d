"""A run folder's records: what made the run, what each step gave, and that nobody else writes here.

What a stage and a loop are set to enters once (`config.json`), an entry for every step after that;
a log of JSON lines (`log.jsonl`) and curves for TensorBoard leave. A log has no more than the
checkpoint that a run resumes from: the steps after it come again.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from vdjax.errors import UserError
from vdjax.files import holder, lock, output_error, replace_file
from vdjax.runtime import versions
from vdjax.train.parallel import Spread
from vdjax.train.stage import Stage, listed

CONFIG, LOG, LOCK, CURVES = "config.json", "log.jsonl", ".lock", "tensorboard"
FREE = {"steps", "remat"}
"""Of a schedule, what may change from one start to the next: how long, and at what memory."""
FLUSH_SECONDS = 15.0


def config_of(stage: Stage, spread: Spread, **loop: Any) -> dict[str, Any]:
    """All that made a run, in plain values; `loop` is what `run_stage` was told beside them."""
    return {
        "stage": stage.name,
        "schedule": listed(stage.schedule),
        "made_of": stage.describe(),
        "loop": loop,
        "devices": spread.describe(),
        "versions": versions(),
        "command": sys.argv,
        "began": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


class Record:
    """The records of one run, held by one run at a time; only the leader of processes writes.

    Raises:
        UserError: another run is at work in this folder, or it cannot be written.
    """

    def __init__(self, folder: Path, report: Callable[[str], None], *, leader: bool = True) -> None:
        self.folder, self._report, self._leader = folder, report, leader
        self._config: Mapping[str, Any] = {}
        self._log: int | None = None
        self._curves = _Curves(folder / CURVES, report)
        self._lock = _locked(folder, report) if leader else None

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *error: object) -> None:
        self._curves.close()
        if self._log is not None:
            os.close(self._log)
        if self._lock is not None:
            self._lock.close()
        self._log = self._lock = None

    def check(self, config: Mapping[str, Any]) -> None:
        """Compare a configuration with the one that the run began with; a new run's is kept later.

        Raises:
            UserError: the run began with other options.
        """
        path, self._config = self.folder / CONFIG, config
        if not path.exists():
            return
        try:
            began = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(
                f"{path} cannot be read ({error}): remove it to go on with today's options"
            ) from error
        if changed := list(_changed(began, config, ("stage", "schedule", "made_of"))):
            raise UserError(
                f"the run in {self.folder} began with other options ({', '.join(changed)}): use "
                f"the former ones or another folder, or remove {path} to go on with the new ones"
            )
        if changed := list(_changed(began, config, ("devices", "versions"))):
            self._report(f"{config['stage']}: goes on elsewhere ({', '.join(changed)})")

    def begin(self, step: int) -> None:
        """Open the log behind that step, without what a killed run logged beyond it.

        Raises:
            OutputError: the folder cannot be written.
        """
        if not self._leader:
            return
        config, log = self.folder / CONFIG, self.folder / LOG
        if not config.exists():
            replace_file(config, (json.dumps(self._config, indent=2) + "\n").encode())
        _forget_after(log, step)
        try:
            self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError as error:
            raise output_error(error, log) from error
        self._curves.begin(step)

    def write(self, entry: Mapping[str, Any], *, curves: bool) -> None:
        """One step's entry into the log, and, on demand, its numbers into the curves.

        Numbers that are not finite become null, which JSON has a word for.

        Raises:
            OutputError: there is no room.
        """
        if self._log is None:
            return
        plain = {name: _plain(value) for name, value in entry.items()}
        line = (json.dumps(plain, allow_nan=False) + "\n").encode()
        try:
            while line:  # a disk that fills up takes a part, and says why at the next
                line = line[os.write(self._log, line) :]
        except OSError as error:
            raise output_error(error, self.folder / LOG) from error
        if curves:
            self._curves.write(plain)

    def flush(self) -> None:
        """All that was written lies on the disk."""
        if self._log is not None:
            os.fsync(self._log)
            self._curves.flush()


def _locked(folder: Path, report: Callable[[str], None]) -> BinaryIO:
    path = folder / LOCK

    def unlocked(reason: str) -> None:
        report(f"{folder} cannot be locked ({reason}): let no other run write there")

    held = lock(path, unlocked=unlocked)
    if held is None:
        raise UserError(
            f"{folder} is in use by another run ({holder(path)}): wait until it ends, stop it, or "
            "choose another folder"
        )
    return held


def _changed(
    before: Mapping[str, Any], now: Mapping[str, Any], parts: tuple[str, ...]
) -> Iterator[str]:
    """ "learning_rate 0.1 → 0.2" for every value that differs and that both know."""
    # Only JSON is compared with JSON: to it, a tuple is a list.
    now = json.loads(json.dumps(dict(now)))

    def compare(name: str, old: Any, new: Any) -> Iterator[str]:
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted(old.keys() & new.keys() - FREE):
                yield from compare(key, old[key], new[key])
        elif old != new:
            yield f"{name} {_short(old)} → {_short(new)}"

    for part in parts:
        if part in before and part in now:
            yield from compare(part, before[part], now[part])


def _short(value: Any, longest: int = 40) -> str:
    text = str(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _plain(value: Any) -> Any:
    if isinstance(value, list | str | bool | int) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else None


def _forget_after(log: Path, step: int) -> None:
    """Drop what a killed run logged beyond the step it resumes from: that comes again."""
    if not log.exists():
        return
    kept = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        try:
            if line.endswith("\n") and json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):  # cut short in the middle of writing
            continue
    replace_file(log, "".join(kept).encode())


class _Curves:
    """TensorBoard's event file, by tensorboardX.

    Its writer proper, not its SummaryWriter: that hands events to a thread which a full disk ends,
    and waits for it for ever after. Curves are a convenience: the first trouble switches them off.
    """

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self._folder, self._report = folder, report
        self._writer: Any = None
        self._begun = 0
        self._on = False
        self._flushed = 0.0

    def begin(self, step: int) -> None:
        self._begun, self._on = step, True

    def write(self, entry: Mapping[str, Any]) -> None:
        if not self._on:
            return
        with self._or_off():
            from tensorboardX.proto.event_pb2 import Event
            from tensorboardX.proto.summary_pb2 import Summary

            numbers = {name: value for name, value in entry.items() if isinstance(value, float)}
            values = [Summary.Value(tag=name, simple_value=x) for name, x in numbers.items()]
            now = time.time()
            event = Event(wall_time=now, step=entry["step"], summary=Summary(value=values))
            self._opened().write_event(event)
            if now - self._flushed > FLUSH_SECONDS:
                self._writer.flush()
                self._flushed = now

    def flush(self) -> None:
        if self._writer is not None:
            with self._or_off():
                self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            with self._or_off():
                self._writer.close()

    def _opened(self) -> Any:
        if self._writer is None:
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto.event_pb2 import Event, SessionLog

            self._folder.mkdir(parents=True, exist_ok=True)
            # A name of its own, also for a run that starts again within the second.
            prefix, suffix = str(self._folder / "events"), f".{os.getpid()}.{self._begun}"
            self._writer = EventsWriter(prefix, suffix)
            # Tells TensorBoard to forget what a killed run drew beyond the step resumed from.
            start = SessionLog(status=SessionLog.START)
            self._writer.write_event(
                Event(wall_time=time.time(), step=self._begun + 1, session_log=start)
            )
        return self._writer

    @contextlib.contextmanager
    def _or_off(self) -> Iterator[None]:
        try:
            yield
        except ModuleNotFoundError:
            self._on, self._writer = False, None
            self._report(
                f"no curves for TensorBoard: they need tensorboardX ({sys.executable} -m pip "
                'install "vdjax[train]")'
            )
        except Exception as error:
            self._on, self._writer = False, None
            self._report(f"no more curves for TensorBoard: {error}")
