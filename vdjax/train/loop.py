"""The one training loop: every stage of the package runs through it.

A stage and a run folder enter; the folder gains what made the run (`config.json`), checkpoints
(`checkpoints/`), a log of every step (`log.jsonl`), curves (`tensorboard/`) and the exported
weights (`weights.safetensors`). Started again on the same folder, it goes on from the newest
checkpoint and sees the same batches and noise as a run that was never interrupted. Ctrl-C and
SIGTERM end a run after the step it is at, with a checkpoint of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from vdjax.errors import UserError
from vdjax.stopping import Stopping, stop_between_steps
from vdjax.train import parallel
from vdjax.train.agreement import Agreement
from vdjax.train.checkpoints import Checkpoints
from vdjax.train.ledger import Ledger, flops_of
from vdjax.train.observing import Observing, Watcher, whole
from vdjax.train.record import Record, config_of
from vdjax.train.stage import Stage
from vdjax.train.state import TrainState, create_state, in_dtype, make_train_step
from vdjax.train.workers import in_memory, in_order
from vdjax.weights.store import save_tree

__all__ = ["Watcher", "begun_with", "run_stage"]

ON_BAD_STEP = ("stop", "skip")


def run_stage(
    stage: Stage,
    folder: Path,
    *,
    spread: parallel.Spread | None = None,
    start: Any = None,
    checkpoint_seconds: float = 180.0,
    checkpoint_every: int | None = None,
    keep_every: int | None = None,
    on_bad_step: str = "stop",
    watchers: Sequence[Watcher] = (),
    log_every: int = 20,
    report: Callable[[str], None] = print,
) -> Path:
    """Train a stage to its last step, resuming where the folder's newest checkpoint is.

    A stage may also have `sample_ids(step)`, what people know the samples of a step by; `draw`, see
    `make_train_step`; and `renders`, whether its batches are worth other processes.

    Args:
        stage: what to train.
        folder: run folder of this stage, made if missing.
        spread: over which devices; None: over as many as divide the batch.
        start: parameters to begin with instead of the stage's own, where no checkpoint is yet.
            Parameters it lacks, or has in another shape, begin as the stage's own do.
        checkpoint_seconds: seconds between checkpoints; a killed run loses at most this much.
        checkpoint_every: steps between checkpoints, instead of seconds.
        keep_every: beside the newest two checkpoints, one of every so many steps is kept.
        on_bad_step: what a loss or gradient that is not finite does: "stop" the run, or "skip" the
            step. Skipped ones are in the log, with the ids of their samples; 20 in a row stop it.
        watchers: look on while the network learns. One that fails is reported and switched off.
        log_every: steps between lines of progress; the log has every step.
        report: takes each line.

    Returns:
        The exported weights file, holding the moving average of the parameters.

    Raises:
        UserError: the folder is in use, or was begun with other options, or has no room; or a
            step was bad. What was kept before stays whole.
        KeyboardInterrupt, SystemExit: Ctrl-C or SIGTERM was met and all that was learnt is kept.
    """
    if on_bad_step not in ON_BAD_STEP:
        raise UserError(f"on_bad_step {on_bad_step!r} is unknown: use {' or '.join(ON_BAD_STEP)}")
    folder, total, rows = Path(folder), stage.schedule.steps, stage.schedule.batch_size
    if spread is None:
        spread = parallel.spread(batch_size=rows, devices=math.gcd(rows, jax.device_count()))
    say = report if spread.leader else _nothing
    with ExitStack() as opened:
        record = opened.enter_context(Record(folder, say, leader=spread.leader))
        record.check(config_of(stage, spread, on_bad_step=on_bad_step))
        stopping = opened.enter_context(stop_between_steps(say))
        params, frozen = stage.init()
        params, taken = begun_with(params, start or {})
        about = f"{_counted(params, frozen)}, on {_named(spread)}"
        if stage.schedule.frozen_dtype != "float32":
            frozen = in_dtype(frozen, stage.schedule.frozen_dtype)
        state, frozen = spread.place(create_state(params, stage.schedule), frozen)
        del params  # copies of them learn
        # Closed also when training is interrupted: the checkpoint being written is finished first.
        checkpoints = opened.enter_context(
            Checkpoints(folder / "checkpoints", stage.describe(), keep_every, say)
        )
        state, done = _resumed(checkpoints, spread, state)
        if done:
            say(f"{stage.name}: resuming after step {done} of {total}")
        elif start is not None:
            say(f"{stage.name}: {taken:,} parameters begin where earlier weights end")
        say(f"{stage.name}: {about}")

        def save() -> None:
            record.flush()
            kept = spread.fetch(state) if spread.kind == "pmap" else state
            checkpoints.save(kept, done, samples=done * rows)

        draw = getattr(stage, "draw", None)
        step = make_train_step(stage.loss, stage.schedule, spread, draw=draw)
        record.begin(done)
        ledger = opened.enter_context(
            Ledger(stage, spread, record, done, on_bad_step == "skip", log_every, say)
        )
        observing, agree = Observing(watchers, total, spread, say), Agreement()
        saved_at, counted = time.monotonic(), False
        batches = opened.enter_context(closing(_batches(stage, done, ledger, stopping)))
        for batch in batches:
            fed = spread.feed(batch)
            state, metrics = step(state, frozen, fed)
            done += 1
            ledger.enter(done, metrics)
            if not counted:
                times = len(spread.devices) * stage.schedule.accumulate
                ledger.pace.flops = flops_of(step, times, state, frozen, fed)
                counted = True
            checkpoints.check()
            late = checkpoint_every is None and time.monotonic() - saved_at > checkpoint_seconds
            signal, overdue = agree(stopping.signal or 0, int(late))
            due = bool(overdue) or any(n and done % n == 0 for n in (checkpoint_every, keep_every))
            if due or observing.due(done):
                # What is saved has been judged, and logged: nothing of it is done again.
                began = time.monotonic()
                seen = observing(done, state, frozen)
                looked = time.monotonic() - began
                ledger.settle(seen)
                ledger.pace.leave_out(looked)
            if due:
                save()
                agree.forget()
                saved_at = time.monotonic()
                _export(stage, spread, state, frozen, folder)
            if signal:
                stopping.signal = signal
                break
        ledger.settle()
        save()
        if stopping.signal:
            say(f"{stage.name}: stopped after step {done} of {total}; it can go on")
        exported = _export(stage, spread, state, frozen, folder)
    stopping.leave()
    return exported


def begun_with(params: Any, start: Any) -> tuple[Any, int]:
    """`params` with the leaves of `start` that fit, and how many numbers those are."""
    mine, given = flatten_dict(params), flatten_dict(start)
    fitting = {
        path: given[path].astype(leaf.dtype)
        for path, leaf in mine.items()
        if path in given and given[path].shape == leaf.shape
    }
    return unflatten_dict({**mine, **fitting}), sum(leaf.size for leaf in fitting.values())


def _resumed(
    checkpoints: Checkpoints, spread: parallel.Spread, state: TrainState
) -> tuple[TrainState, int]:
    """The newest state, placed as `state` is, and its step; or `state` itself, and 0."""
    copies = spread.kind == "pmap"  # a checkpoint has one
    found = checkpoints.restore(spread.fetch(state) if copies else state)
    if found is None:
        return state, 0
    state, samples = found
    if copies:
        state, _ = spread.place(state, {})
    done = int(spread.fetch(state.step))
    if samples not in (None, done * spread.batch_size):
        raise UserError(
            f"{done} steps of the run in {checkpoints.folder.parent} saw {samples} samples, which "
            f"are no batches of {spread.batch_size}: use the batch size it began with, or another "
            "folder"
        )
    return state, done


def _batches(
    stage: Stage, start: int, ledger: Ledger, stopping: Stopping
) -> Generator[dict[str, np.ndarray], None, None]:
    """Batches of the steps after `start`, in order, made ahead."""
    heavy = bool(getattr(stage, "renders", False))
    # A copy without what the stage has cached: it travels to other processes.
    source: Any = replace(cast(Any, stage)) if heavy else stage
    steps = range(start, stage.schedule.steps)
    with closing(in_order(partial(_batch, source), steps, heavy=heavy)) as batches:
        for _ in steps:
            asked = time.monotonic()
            try:
                batch = next(batches)
            except BrokenExecutor:
                # A signal to a whole group of processes ends those that make batches.
                if stopping.signal is None:
                    raise
                return
            ledger.arrived(asked)
            yield batch


def _batch(stage: Stage, step: int) -> dict[str, np.ndarray]:
    return in_memory(stage.batch(step))


def _export(stage: Stage, spread: parallel.Spread, state: TrainState, frozen, folder: Path) -> Path:
    path = folder / "weights.safetensors"
    params, frozen = spread.fetch(state.ema), whole(spread, frozen)
    if spread.leader:
        save_tree(path, *stage.export(params, frozen))
    return path


def _counted(params: Any, frozen: Any) -> str:
    count, held = (sum(x.size for x in jax.tree_util.tree_leaves(t)) for t in (params, frozen))
    share = 100 * count / max(count + held, 1)
    return f"{count:,} trained parameters, {held:,} frozen ({share:.1f} % trained)"


def _named(spread: parallel.Spread) -> str:
    count = len(spread.devices)
    return (
        f"{count} × {spread.devices[0].device_kind}" if count > 1 else spread.devices[0].device_kind
    )


def _nothing(line: str) -> None:
    """What processes say that do not lead."""
