"""A stage of three numbers: a line is learnt from noisy points. Tests run it, here and elsewhere.

As a program, `python line.py FOLDER STEPS [OPTIONS]` trains it with a checkpoint of every step and
says what it does; OPTIONS are JSON: fields of `Line`, and what `main` reads.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from vdjax.train.loop import run_stage
from vdjax.train.parallel import spread
from vdjax.train.stage import Schedule

SLOPE = np.array([2.0, -1.0], np.float32)
LIMIT = 1 << 16
"""Bytes a file may have once a disk is said to be full."""


@dataclass(frozen=True)
class Line:
    schedule: Schedule
    noise: float = 0.05
    waits_at: int = -1
    """The step whose batch never comes."""
    seconds: float = 0.0
    """What each batch takes to make."""
    bad: tuple[int, ...] = ()
    """Steps whose batches hold a number that is none."""
    fills_at: int = -1
    """The step at which the disk is full, ..."""
    filler: str = ""
    """... by this file; without one, no file may grow any more."""
    ballast: int = 0
    """Numbers that are trained for nothing, to make checkpoints heavy."""
    name: str = "line"

    def init(self):
        params = {"w": jnp.zeros(2), "b": jnp.zeros(())}
        if self.ballast:
            rng = np.random.default_rng(0)
            params["ballast"] = jnp.asarray(rng.normal(size=self.ballast), jnp.float32)
        return {"line": params}, {"shift": jnp.float32(3.0)}

    def batch(self, step):
        if step == self.waits_at:
            time.sleep(600)
        time.sleep(self.seconds)
        if step == self.fills_at:
            fill(self.filler)
        rng = np.random.default_rng([self.schedule.seed, step])
        x = rng.normal(size=(self.schedule.batch_size, 2)).astype(np.float32)
        y = x @ SLOPE + 0.5
        if step in self.bad:
            y[3] = np.nan
        return {"x": x, "y": y}

    def sample_ids(self, step):
        return [f"point {self.schedule.batch_size * step + n}" for n in range(len(self))]

    def __len__(self):
        return self.schedule.batch_size

    def loss(self, params, frozen, batch, key):
        line = params["line"]
        guess = batch["x"] @ line["w"] + line["b"] + frozen["shift"]
        drawn = jax.random.normal(key)
        error = (guess - batch["y"] - 3.0 + self.noise * drawn) ** 2
        return error.mean(), {"drawn": drawn, "gate": jnp.abs(line["b"])}

    def export(self, params, frozen):
        return {**params, "shift": np.asarray(frozen["shift"])}, {"noise": self.noise}

    def describe(self):
        return {"noise": self.noise, "seed": self.schedule.seed}


def fill(filler):
    if not filler:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
        return
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def schedule(steps, **options):
    return Schedule(
        **{"steps": steps, "batch_size": 8, "learning_rate": 0.1, "warmup_steps": 3, **options}
    )


def main():
    folder, steps, options = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    if "join" in options:
        jax.distributed.initialize(*options.pop("join"))
    over = options.pop("spread", None)
    run = {"checkpoint_seconds": 0.0, "log_every": 1, **options.pop("run", {})}
    stage = Line(schedule(steps), **{**options, "bad": tuple(options.get("bad", ()))})
    if over is not None:
        run["spread"] = spread(batch_size=len(stage), **over)
    run_stage(stage, folder, report=partial(print, flush=True), **run)


if __name__ == "__main__":
    main()
