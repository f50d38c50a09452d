"""What is kept of each step: its numbers are read, judged, logged, and told now and then.

A step's metrics enter while it runs. They are read one step late, by a thread that also notes when
the step was done: the device has its next step by then and waits for nobody. A loss or gradient
that is not finite stops the run, or is counted where that is asked for.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax

from vdjax.errors import UserError
from vdjax.train.parallel import Spread
from vdjax.train.record import Record
from vdjax.train.stage import Stage

MOST_BAD = 20
"""Steps in a row without a finite loss and gradient before a run stops, whatever was asked for: by
then it is not the batch."""
SHOWN = 8
"""Ids of a batch that a message names; the log has all of them."""
WINDOW = 20
"""Steps over which speed is measured."""
QUIET_SECONDS = 30.0
"""Longest time without a line of progress, where steps are slow."""
LABELS = {"gate": "mean |tanh gate|"}


class Ledger:
    """The steps of one run, in order: `enter` each as it starts; `settle` waits for the last one.

    Args:
        stage: whose steps they are.
        spread: what fetches their metrics.
        record: where entries go.
        start: the step that the run resumes after.
        skips: whether a step whose loss or gradient is not finite is left out; otherwise it stops
            the run. The state after it is the one before it (see `state.make_train_step`).
        log_every: steps between lines of progress.
        report: takes these lines.
    """

    def __init__(
        self,
        stage: Stage,
        spread: Spread,
        record: Record,
        start: int,
        skips: bool,
        log_every: int,
        report: Callable[[str], None],
    ) -> None:
        self._stage, self._spread, self._record, self._report = stage, spread, record, report
        self._skips, self._log_every = skips, log_every
        self._total = stage.schedule.steps
        self.pace = Pace(start, self._total, stage.schedule.batch_size)
        self._reader = ThreadPoolExecutor(1, "metrics")
        self._running: tuple[int, Future[tuple[dict[str, float], float]]] | None = None
        self._waited = 0.0
        self._bad = 0
        self._told = time.monotonic()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.shutdown(wait=False, cancel_futures=True)

    def arrived(self, asked: float) -> None:
        """A batch that was asked for at that time is there: the device waited if it was idle."""
        idle = asked
        if self._running is not None:
            reading = self._running[1]
            if not reading.done():
                return
            idle = max(asked, reading.result()[1])
        self._waited = time.monotonic() - idle

    def enter(self, step: int, metrics: Mapping[str, Any]) -> None:
        """A step has been started; the one before it is settled.

        Raises:
            UserError: see `settle`.
        """
        self.settle()
        self.pace.held += self._waited
        self._waited = 0.0
        self._running = step, self._reader.submit(self._read, metrics)

    def settle(self, seen: Mapping[str, float] | None = None) -> None:
        """Wait for the step that runs and enter what it gave, with what was `seen` after it.

        Raises:
            UserError: its loss or gradient is not finite, and that stops the run.
        """
        if self._running is None:
            return
        (step, reading), self._running = self._running, None
        values, finished = reading.result()
        self.pace.finished(step, finished)
        good = values.get("finite", 1.0) > 0
        self._bad = 0 if good else self._bad + 1
        entry: dict[str, Any] = {
            "step": step,
            "loss": values["loss"],
            **values,
            **self.pace.rates(),
            **(seen or {}),
        }
        ids = [] if good else self._ids(step)
        if not good:
            entry["bad"] = ids
        tells = self._tells(step)
        self._record.write(entry, curves=tells or bool(seen))
        if not good:
            self._judge(step, values, ids)
        if tells:
            self._report(f"{self._stage.name} {self.pace.line()}  {_listed(values)}")

    def _read(self, metrics: Mapping[str, Any]) -> tuple[dict[str, float], float]:
        values = {name: float(value) for name, value in self._spread.fetch(dict(metrics)).items()}
        return values, time.monotonic()

    def _tells(self, step: int) -> bool:
        now = time.monotonic()
        due = step % self._log_every == 0 or step == self._total
        if due or now - self._told > QUIET_SECONDS:
            self._told = now
            return True
        return False

    def _ids(self, step: int) -> list[str]:
        """What people know the samples of that step by, where the stage can tell."""
        told: Callable[[int], list[str]] | None = getattr(self._stage, "sample_ids", None)
        return [] if told is None else list(told(step - 1))

    def _judge(self, step: int, values: Mapping[str, float], ids: list[str]) -> None:
        batch = ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" * (len(ids) > SHOWN))
        what = (
            f"step {step} of {self._total} has loss {values['loss']:.4g} and gradient norm "
            f"{values['grad_norm']:.4g}" + (f" on {batch}" if batch else "")
        )
        if not self._skips:
            raise UserError(
                f"{self._stage.name}: {what}: look at these samples, lower the learning rate, or "
                'leave such steps out (on_bad_step="skip"); the last checkpoint is whole'
            )
        if self._bad >= MOST_BAD:
            raise UserError(
                f"{self._stage.name}: {what}, the last of {self._bad} such steps in a row: lower "
                "the learning rate, or look at the data; the last checkpoint is whole"
            )
        self._report(f"{self._stage.name}: skipped, {what}")


class Pace:
    """How fast steps go, how long the device had to wait for batches, and how long it will take."""

    def __init__(self, start: int, total: int, batch_size: int) -> None:
        self._start, self._step, self._total, self._batch = start, start, total, batch_size
        self.held = 0.0
        """Seconds for which the device has waited for batches."""
        # When a step was done, and for how long the device had waited until then.
        self._marks = deque([(time.monotonic(), 0.0)], maxlen=WINDOW + 1)
        self.flops: float | None = None
        """Of one step, over all devices; None where nobody can tell."""

    def finished(self, step: int, when: float) -> None:
        self._marks.append((when, self.held))
        self._step = step
        if step == self._start + 2:
            self._marks.popleft()  # the first step was compiled, too

    def leave_out(self, seconds: float) -> None:
        """Do not count so much of the last step: something else was done while it was entered."""
        *before, last = self._marks
        self._marks.clear()
        self._marks.extend([*((when + seconds, held) for when, held in before), last])

    def rates(self) -> dict[str, float]:
        (began, held), (ended, held_since) = self._marks[0], self._marks[-1]
        seconds = max(ended - began, 1e-9)
        speed = (len(self._marks) - 1) / seconds
        rates = {
            "samples_per_second": speed * self._batch,
            "wait_share": min((held_since - held) / seconds, 1.0),
        }
        if self.flops is not None:
            rates["tflops_per_second"] = speed * self.flops / 1e12
        return rates

    def line(self) -> str:
        rates = self.rates()
        per_step = self._batch / max(rates["samples_per_second"], 1e-9)
        left = int((self._total - self._step) * per_step)
        parts = [
            f"{self._step}/{self._total}",
            f"ETA {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}",
            f"{rates['samples_per_second']:.1f} samples/s",
            f"{per_step:.3g} s/step",
            f"waiting {100 * rates['wait_share']:.0f} %",
        ]
        if self.flops is not None:
            parts.insert(4, f"{rates['tflops_per_second']:.3g} TFLOP/s")
        return "  ".join(parts)


def flops_of(step: Callable[..., Any], times: int, *arguments: Any) -> float | None:
    """Floating-point operations of a compiled step, as XLA counts them.

    It counts what one device does, and the body of a loop once: `times` is devices × rounds.

    What was compiled already is not compiled again. Arrays may have been given up since: only their
    shapes and places are looked at. None where the backend does not count.
    """

    def shape(leaf: Any) -> Any:
        where = leaf.sharding if isinstance(leaf, jax.Array) else None
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where)

    program: Any = step.program() if hasattr(step, "program") else step
    # Counting is a convenience, and each backend has reasons of its own not to.
    with contextlib.suppress(Exception):
        shapes = jax.tree_util.tree_map(shape, arguments)
        costs = program.lower(*shapes).compile().cost_analysis()
        costs = costs[0] if isinstance(costs, list) else costs
        flops = float(costs["flops"])
        return flops * times if flops > 0 else None
    return None


def _listed(values: Mapping[str, float]) -> str:
    names = ["loss", *sorted(values.keys() - {"loss", "finite"})]
    return "  ".join(f"{LABELS.get(name, name)} {values[name]:.4g}" for name in names)
