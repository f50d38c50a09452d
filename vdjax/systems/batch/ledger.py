"""What is done of a batch, on disk, for any number of processes at once.

    DIR/ID/               the film; its report says which request it was made from
    DIR/.batch/ID.json    a try that has not become a film: started, or failed and why
    DIR/.batch/ID.lock    locked by the process that works on it
    DIR/manifest.json     all of it in one file, made anew from the rest each time

A film that is there is done: its folder appears whole, in one move, with its request in it, so no
kill can come between the film and the note of it. A lock (flock) dies with its process, whatever
ended that, so a killed worker's prompts are free at once. The process that was killed may have been
killed by its prompt, though (too large for the memory): a try is left alone by the workers of the
same run and taken up by the next one.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from vdjax.errors import UserError
from vdjax.files import lock, replace_file
from vdjax.media.folder import RECORD, check_destination
from vdjax.systems.batch.asks import Ask

MANIFEST = "manifest.json"
NOTES = ".batch"
STATES = ("done", "failed", "started", "open")


class Ledger:
    """A batch's folder as one process sees it; a run begins when its ledger is made."""

    def __init__(self, folder: str | Path, asks: Sequence[Ask], worker: str) -> None:
        self.folder, self.asks, self.worker = Path(folder), list(asks), worker
        self._began = time.time()
        self._done: dict[str, dict[str, Any]] = {}

    def check(self) -> None:
        """Refuse a folder that could not take the films, before any is made.

        Raises:
            UserError: a film is there that was made from another request.
            OutputError: it cannot be written, or holds files that are not vdjax's.
        """
        for ask in self.asks:
            if self._film(ask) is None:
                check_destination(self.folder / ask.id)

    def is_open(self, ask: Ask) -> bool:
        """Whether there is neither a film nor a try of this run."""
        if self._film(ask) is not None:
            return False
        note = self._note(ask)
        return note is None or note["at"] < self._began

    def claim(self, ask: Ask) -> BinaryIO | None:
        """Take an open prompt for this process alone, until the file that is returned is closed.

        None where another process has it, or it is open no more.
        """
        held = lock(self.folder / NOTES / f"{ask.id}.lock")
        if held is None:
            return None
        # Only now: another process may have finished it since it was last looked at.
        if not self.is_open(ask):
            held.close()
            return None
        self._sweep(ask)
        self._write(ask, {"state": "started"})
        return held

    def fail(self, ask: Ask, reason: str, details: str | None = None) -> None:
        """Note that a claimed prompt gave no film, and why; `details` help to find the fault."""
        self._write(ask, {"state": "failed", "reason": reason, "details": details})

    def forget(self, ask: Ask) -> None:
        """Drop the note of a claimed prompt: it became a film, or shall be as if never begun."""
        (self.folder / NOTES / f"{ask.id}.json").unlink(missing_ok=True)

    def write_manifest(self) -> dict[str, int]:
        """Make the manifest of what there is now, and count the prompts by their state.

        Films of another list in the same folder stay in it.
        """
        path = self.folder / MANIFEST
        # Read and written by one process at a time, or an older view could replace a newer one.
        gate = lock(self.folder / NOTES / ".manifest", wait=True)
        assert gate is not None
        with gate:
            films = [self._entry(ask) for ask in self.asks]
            own = {ask.id for ask in self.asks}
            films += [
                film
                for film in _read(path).get("films", [])
                if film["id"] not in own and (self.folder / film["id"] / RECORD).exists()
            ]
            found = Counter(film["state"] for film in films[: len(self.asks)])
            counts = {state: found[state] for state in STATES}
            content = {"format": "vdjax-batch", "format_version": 1, **counts, "films": films}
            replace_file(path, (json.dumps(content, indent=1) + "\n").encode())
        return counts

    def _entry(self, ask: Ask) -> dict[str, Any]:
        about = {"id": ask.id, "state": "open", "prompt": ask.request["prompt"]}
        try:
            film = self._film(ask)
        except UserError as error:
            return {**about, "state": "failed", "reason": str(error)}
        if film is not None:
            return {**about, "state": "done", **film}
        note = self._note(ask) or {}
        told = ("state", "reason", "seconds", "seed", "worker")
        return {**about, **{name: note[name] for name in told if name in note}}

    def _film(self, ask: Ask) -> dict[str, Any] | None:
        """What the manifest says of a film that is there; None where none is.

        Raises:
            UserError: it was made from another request. It is neither replaced, for it may have
                taken hours, nor taken for the one that is asked for.
        """
        if ask.id in self._done:
            return self._done[ask.id]
        place = self.folder / ask.id
        report = _read(place / RECORD)
        if not report:
            return None
        made = report.get("batch", {})
        former = made.get("request", {})
        keys = sorted({*former, *ask.request})
        if changed := [key for key in keys if former.get(key) != ask.request.get(key)]:
            raise UserError(
                f"{place} is a film of another request than line {ask.line} ({', '.join(changed)} "
                "differ): give the line another id, or remove that folder to have it made again"
            )
        self._done[ask.id] = {
            "seed": report["seed"],
            "seconds": round(sum(report["seconds"].values()), 3),
            "scenes": len(report["scenes"]),
            "worker": made.get("worker"),
        }
        return self._done[ask.id]

    def _note(self, ask: Ask) -> dict[str, Any] | None:
        return _read(self.folder / NOTES / f"{ask.id}.json") or None

    def _write(self, ask: Ask, note: dict[str, Any]) -> None:
        now, former = time.time(), self._note(ask) or {}
        content = {
            "id": ask.id,
            "at": now,
            "worker": self.worker,
            "seed": ask.request.get("seed", 0),
            "request": dict(ask.request),
            **({"seconds": round(now - former["at"], 3)} if note["state"] == "failed" else {}),
            **note,
        }
        path = self.folder / NOTES / f"{ask.id}.json"
        replace_file(path, (json.dumps(content, indent=1) + "\n").encode())

    def _sweep(self, ask: Ask) -> None:
        """Remove what a killed process left half-written; nobody else writes a claimed film."""
        left = re.compile(rf"\.{re.escape(ask.id)}\.[a-z0-9_]{{8}}\.partial")
        for path in self.folder.iterdir():
            if left.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)


def _read(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}
