"""Many films from a list of prompts, on one process or on several, each made exactly once.

A process takes its share of the list first (every so-manieth prompt), and then whatever nobody has
begun. The model is loaded once and compiled once. On several devices the scenes of several films
fill them together. A prompt that gives no film is noted and the others go on.
"""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import jax

from vdjax.errors import OutputError, UserError
from vdjax.plan import Director
from vdjax.progress import Progress, silent
from vdjax.sample.spread import Spread, spread_over
from vdjax.systems.batch.asks import Ask
from vdjax.systems.batch.ledger import Ledger
from vdjax.systems.loaded import LoadedModel, load
from vdjax.systems.videodirectorgpt import Film, Prepared, prepare, render, render_together

Job = tuple[Ask, Prepared]


def run_batch(
    asks: Sequence[Ask],
    folder: str | Path,
    *,
    preset: str | Path | LoadedModel = "storybook",
    director: str | Director = "rules",
    devices: int | Sequence[jax.Device] | Spread | None = None,
    spread: str = "mesh",
    process: int = 0,
    processes: int = 1,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[str], None] = print,
    progress: Progress = silent,
) -> dict[str, int]:
    """Make the films that are not there yet, each as a folder of its own in `folder`.

    Any number of runs may work on one folder at once, in this process's group or apart from it.

    Args:
        asks: what is to be filmed, see `read_asks`.
        folder: where; it also gets `manifest.json`, which says what is done.
        preset: name of a shipped preset, a folder of weights, or a model already loaded.
        director: who plans.
        devices, spread: of `film`.
        process, processes: this process's number, from 0, among those that share the list.
        stop: asked between two steps; once it says yes, what is in work is dropped, to be begun
            anew by the next run, and this one ends.
        report: told of each film, in a line.
        progress: told how far each film is.

    Returns:
        how many prompts are "done", "failed", "started" (by another process, which may have ended)
        and "open".

    Raises:
        UserError: before any work: a film of another request is in the way, or there are no such
            devices or weights.
        OutputError: before any work or in the midst of it: films cannot be written there.
    """
    over = None if devices is None else spread_over(devices, spread)
    worker = f"{socket.gethostname()}:{os.getpid()}"
    ledger = Ledger(folder, asks, worker if processes == 1 else f"{worker} ({process})")
    ledger.check()
    places = sorted(range(len(asks)), key=lambda place: place % processes != process)
    order = [asks[place] for place in places]
    if any(map(ledger.is_open, order)):
        model = preset if isinstance(preset, LoadedModel) else load(preset)
        try:
            _Worker(ledger, model, director, over, stop, report, progress).work(order)
        except KeyboardInterrupt:
            if not stop():
                raise
    return ledger.write_manifest()


@dataclass
class _Worker:
    """One process's way through the list."""

    ledger: Ledger
    model: LoadedModel
    director: str | Director
    over: Spread | None
    stop: Callable[[], bool]
    report: Callable[[str], None]
    progress: Progress
    _held: dict[str, tuple[Ask, BinaryIO]] = field(default_factory=dict)

    def work(self, order: Sequence[Ask]) -> None:
        try:
            for group in self._groups(order):
                self._make(group)
        finally:
            for ask, lock in self._held.values():
                self.ledger.forget(ask)
                lock.close()

    def _groups(self, order: Sequence[Ask]) -> Iterator[list[Job]]:
        """Films that go together: enough scenes for the devices, all of one program."""
        wanted = 1 if self.over is None else len(self.over.devices)
        group: list[Job] = []
        for ask, made in self._jobs(order):
            if group and _program(group[0][1]) != _program(made):
                yield group
                group = []
            group.append((ask, made))
            if sum(len(each.plan.scenes) for _, each in group) >= wanted:
                yield group
                group = []
        if group:
            yield group

    def _jobs(self, order: Sequence[Ask]) -> Iterator[Job]:
        """Claimed and prepared, one when the next is wanted."""
        for ask in order:
            self._heed()
            lock = self.ledger.claim(ask)
            if lock is None:
                continue
            self._held[ask.id] = ask, lock
            try:
                prompt = ask.request["prompt"]
                made = prepare(prompt, preset=self.model, director=self.director, **ask.options)
            except Exception as error:
                self._fail(ask, error)
            else:
                yield ask, made

    def _make(self, group: Sequence[Job]) -> None:
        name = group[0][0].id if len(group) == 1 else f"{len(group)} films"

        def tell(stage: str, done: int, total: int) -> None:
            self._heed()
            self.progress(f"{name}: {stage}", done, total)

        films = [made for _, made in group]
        try:
            if self.over is None:
                shot = [render(made, tell) for made in films]
            else:
                shot = render_together(films, self.over, tell)
        except Exception as error:
            if len(group) == 1:
                self._fail(group[0][0], error)
                return
            for job in group:  # one of them is at fault, and the others shall not pay for it
                self._make([job])
            return
        for (ask, _), film in zip(group, shot, strict=True):
            self._save(ask, film)

    def _save(self, ask: Ask, film: Film) -> None:
        about = {"request": dict(ask.request), "worker": self.ledger.worker}
        made = Film(film.plan, film.frames, {**film.report, "batch": about})
        try:
            made.save(self.ledger.folder / ask.id)
        except OutputError as error:
            self._fail(ask, error)
            return
        self.ledger.forget(ask)
        scenes, seconds = len(film.plan.scenes), sum(film.report["seconds"].values())
        self._settle(ask, f"made {ask.id} ({scenes} scene{'s' * (scenes > 1)}, {seconds:.1f} s)")

    def _fail(self, ask: Ask, error: Exception) -> None:
        fault = not isinstance(error, UserError)
        reason = " ".join(str(error).split())
        if fault:
            reason = f"{type(error).__name__}: {reason[:300]}"
        details = "".join(traceback.format_exception(error)) if fault else None
        self.ledger.fail(ask, reason, details)
        self._settle(ask, f"failed {ask.id}: {reason}")
        # What the system refused to write for one film, it would refuse for the next.
        if isinstance(error, OutputError) and isinstance(error.__cause__, OSError):
            raise error

    def _settle(self, ask: Ask, line: str) -> None:
        """Give up the claim, whose film or failure is on the disk."""
        self._held.pop(ask.id)[1].close()
        counts = self.ledger.write_manifest()
        self.report(f"{line}; {counts['done']} of {sum(counts.values())} done")

    def _heed(self) -> None:
        if self.stop():
            raise KeyboardInterrupt


def _program(made: Prepared) -> tuple[object, int]:
    """What films must have in common to be made together."""
    return made.sampler, made.frames
