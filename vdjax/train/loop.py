"""The one training loop: every stage of the package runs through it.

A stage and a run folder enter; the folder gains checkpoints (`checkpoints/`), a log of losses
(`log.jsonl`) and the exported weights (`weights.safetensors`). Started again on the same folder, it
goes on from the newest checkpoint and sees the same batches and noise as a run that was never
interrupted. Ctrl-C and SIGTERM end a run after the step it is at, with a checkpoint of it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from vdjax.files import replace_file
from vdjax.train.checkpoints import Checkpoints
from vdjax.train.stage import Stage
from vdjax.train.state import create_state, make_train_step
from vdjax.train.stopping import stop_between_steps
from vdjax.train.workers import in_order
from vdjax.weights.store import save_tree


def run_stage(
    stage: Stage,
    folder: Path,
    *,
    start: Any = None,
    checkpoint_seconds: float = 180.0,
    log_every: int = 20,
    report: Callable[[str], None] = print,
) -> Path:
    """Train a stage to its last step, resuming where the folder's newest checkpoint is.

    Args:
        stage: what to train.
        folder: run folder of this stage, made if missing.
        start: parameters to begin with instead of the stage's own, where no checkpoint is yet.
            Parameters it lacks, or has in another shape, begin as the stage's own do.
        checkpoint_seconds: seconds between checkpoints; a killed run loses at most this much.
        log_every: steps between progress lines.
        report: takes each progress line.

    Returns:
        The exported weights file, holding the moving average of the parameters.

    Raises:
        KeyboardInterrupt, SystemExit: Ctrl-C or SIGTERM was met and all that was learnt is kept.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    total = stage.schedule.steps
    params, frozen = stage.init()
    params, taken = begun_with(params, start or {})
    state = create_state(params, stage.schedule)
    # Closed also when training is interrupted: the checkpoint being written is finished first.
    checkpointing = closing(Checkpoints(folder / "checkpoints", stage.describe()))
    with checkpointing as checkpoints, stop_between_steps(report) as stopping:
        if (resumed := checkpoints.restore(state)) is not None:
            state = resumed
            report(f"{stage.name}: resuming after step {int(state.step)} of {total}")
        elif start is not None:
            report(f"{stage.name}: {taken:,} parameters begin where earlier weights end")
        report(f"{stage.name}: {_counted(params, frozen)}, on {jax.devices()[0].device_kind}")
        step_fn = make_train_step(stage.loss, stage.schedule)
        everywhere, shared_out = _shardings(stage.schedule.batch_size)
        state, frozen = jax.device_put((state, frozen), everywhere)
        done = int(state.step)
        clock = _Clock(done, total, stage.schedule.batch_size)
        saved_at = time.monotonic()
        _forget_after(folder / "log.jsonl", done)
        with open(folder / "log.jsonl", "a", encoding="utf-8") as log:
            for batch in _prefetched(stage, done, total, clock):
                state, metrics = step_fn(state, frozen, jax.device_put(batch, shared_out))
                done += 1
                if done % log_every == 0 or done == total:
                    values = {name: float(value) for name, value in metrics.items()}
                    entry = {"step": done, **values, **clock.rates(done)}
                    log.write(json.dumps(entry) + "\n")
                    log.flush()
                    report(f"{stage.name} {clock.line(done)}  " + _metrics_line(values))
                if time.monotonic() - saved_at > checkpoint_seconds:
                    checkpoints.save(state)
                    saved_at = time.monotonic()
                    _export(stage, state, frozen, folder)
                if stopping.signal is not None:
                    report(f"{stage.name}: stopped after step {done} of {total}; it can go on")
                    break
        checkpoints.save(state)
    exported = _export(stage, state, frozen, folder)
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


def _shardings(batch_size: int) -> tuple[NamedSharding, NamedSharding]:
    """A copy on every device, and a batch cut into equal parts, one for each.

    As many devices as there are, or, where these do not divide the batch, fewer. Two devices of a
    CPU (`XLA_FLAGS=--xla_force_host_platform_device_count=2`) keep two cores busier than one does.
    """
    count = math.gcd(batch_size, jax.device_count())
    mesh = Mesh(np.array(jax.devices()[:count]), ("data",))
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))


def _counted(params: Any, frozen: Any) -> str:
    count, held = (sum(x.size for x in jax.tree_util.tree_leaves(t)) for t in (params, frozen))
    share = 100 * count / max(count + held, 1)
    return f"{count:,} trained parameters, {held:,} frozen ({share:.1f} % trained)"


def _forget_after(log: Path, step: int) -> None:
    """Drop what a killed run logged beyond the step it resumes from: that comes again."""
    if not log.exists():
        return
    kept = []
    for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            if line.endswith("\n") and json.loads(line)["step"] <= step:
                kept.append(line)
        except ValueError:  # cut short in the middle of writing
            continue
    replace_file(log, "".join(kept).encode())


def _export(stage: Stage, state, frozen, folder: Path) -> Path:
    path = folder / "weights.safetensors"
    tree, config = stage.export(jax.device_get(state.ema), frozen)
    save_tree(path, tree, config)
    return path


def _metrics_line(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in sorted(values.items()))


class _Clock:
    """Throughput, share of time spent waiting for data, and time left."""

    def __init__(self, start: int, total: int, batch_size: int):
        self.start, self.total, self.batch_size = start, total, batch_size
        self.began = time.monotonic()
        self.waited = 0.0

    def rates(self, step: int) -> dict[str, float]:
        seconds = max(time.monotonic() - self.began, 1e-9)
        return {
            "samples_per_second": (step - self.start) * self.batch_size / seconds,
            "wait_share": self.waited / seconds,
        }

    def line(self, step: int) -> str:
        rates = self.rates(step)
        per_step = self.batch_size / max(rates["samples_per_second"], 1e-9)
        left = int((self.total - step) * per_step)
        eta = f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
        return (
            f"{step}/{self.total}  ETA {eta}  {rates['samples_per_second']:.1f} samples/s  "
            f"{per_step:.3g} s/step  waiting {100 * rates['wait_share']:.0f} %"
        )


def _prefetched(stage: Stage, start: int, stop: int, clock: _Clock) -> Iterator[dict]:
    """Batches of steps start..stop-1 in order, made ahead."""
    heavy = bool(getattr(stage, "renders", False))
    # A copy without what the stage has cached: it travels to other processes.
    source: Any = replace(cast(Any, stage)) if heavy else stage
    batches = in_order(source.batch, range(start, stop), heavy=heavy)
    for _ in range(start, stop):
        began = time.monotonic()
        batch = next(batches)
        clock.waited += time.monotonic() - began
        yield batch
