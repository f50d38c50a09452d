"""The training loop, on a stage of three numbers: what it computes, keeps, and goes on from."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.train.loop import run_stage
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, make_train_step
from vdjax.weights.store import load_tree

pytestmark = pytest.mark.loose_dtypes  # optax mixes them

STAGE = '''
"""A line is learnt from noisy points; as a program it trains until it is told to wait."""

import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from vdjax.train.stage import Schedule

SLOPE = np.array([2.0, -1.0], np.float32)
SLOWLY = -2


@dataclass(frozen=True)
class Line:
    schedule: Schedule
    noise: float = 0.05
    waits_at: int = -1
    name: str = "line"

    def init(self):
        return {"line": {"w": jnp.zeros(2), "b": jnp.zeros(())}}, {"shift": jnp.float32(3.0)}

    def batch(self, step):
        if step == self.waits_at:
            time.sleep(600)
        if self.waits_at == SLOWLY:
            time.sleep(0.3)
        rng = np.random.default_rng([self.schedule.seed, step])
        x = rng.normal(size=(self.schedule.batch_size, 2)).astype(np.float32)
        return {"x": x, "y": x @ SLOPE + 0.5}

    def loss(self, params, frozen, batch, key):
        line = params["line"]
        guess = batch["x"] @ line["w"] + line["b"] + frozen["shift"]
        drawn = jax.random.normal(key)
        error = (guess - batch["y"] - 3.0 + self.noise * drawn) ** 2
        return error.mean(), {"drawn": drawn}

    def export(self, params, frozen):
        return {**params, "shift": np.asarray(frozen["shift"])}, {"noise": self.noise}

    def describe(self):
        return {"noise": self.noise, "seed": self.schedule.seed}


if __name__ == "__main__":
    from vdjax.train.loop import run_stage

    folder, steps, waits_at = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    schedule = Schedule(steps=steps, batch_size=8, learning_rate=0.1, warmup_steps=3)
    stage = Line(schedule, waits_at=waits_at)
    say = partial(print, flush=True)
    run_stage(stage, folder, checkpoint_seconds=0.0, log_every=1, report=say)
'''
STEPS = 24
SCHEDULE = Schedule(steps=STEPS, batch_size=8, learning_rate=0.1, warmup_steps=3)
PATIENCE = 240
"""Seconds after which a process that says nothing is taken to be stuck."""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The stage above in a file, which other processes run."""
    path = tmp_path_factory.mktemp("stage") / "line_stage.py"
    path.write_text(STAGE)
    return path


@pytest.fixture(scope="module")
def make_stage(program):
    spec = importlib.util.spec_from_file_location("line_stage", program)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Line


@pytest.fixture(scope="module")
def unbroken(make_stage, tmp_path_factory):
    """A run from the first step to the last: (folder, what it reported)."""
    folder, lines = tmp_path_factory.mktemp("runs") / "line", []
    with jax.numpy_dtype_promotion("standard"):
        run_stage(make_stage(SCHEDULE), folder, log_every=1, report=lines.append)
    return folder, lines


def run(stage, folder, **options):
    return run_stage(stage, folder, report=lambda line: None, **{"log_every": 1, **options})


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def learnt(entries):
    """What a log says of the training, without its speed."""
    return [
        {name: entry[name] for name in ("step", "loss", "drawn", "grad_norm")} for entry in entries
    ]


def assert_same_weights(folder, other):
    assert (folder / "weights.safetensors").read_bytes() == (
        other / "weights.safetensors"
    ).read_bytes()


def test_the_loss_falls_and_every_step_is_logged(unbroken):
    entries = log(unbroken[0])
    assert [entry["step"] for entry in entries] == list(range(1, STEPS + 1))
    losses = [entry["loss"] for entry in entries]
    assert max(losses[-3:]) < 0.3 * losses[0]
    assert len({entry["drawn"] for entry in entries}) == STEPS  # each step has noise of its own
    assert all(entry["samples_per_second"] > 0 for entry in entries)
    assert all(0 <= entry["wait_share"] <= 1 for entry in entries)


def test_progress_says_what_is_trained_and_how_far_it_is(unbroken):
    first, *rest = unbroken[1]
    assert first.startswith("line: 3 trained parameters, 1 frozen (75.0 % trained), on ")
    assert len(rest) == STEPS
    assert rest[-1].startswith(f"line {STEPS}/{STEPS}  ETA 0:00:00  ")
    assert "  loss " in rest[-1]


def test_the_log_is_as_fine_as_asked_and_has_the_last_step(make_stage, tmp_path):
    schedule = replace(SCHEDULE, steps=11)
    run(make_stage(schedule), tmp_path, log_every=4)
    assert [entry["step"] for entry in log(tmp_path)] == [4, 8, 11]


def test_a_run_is_its_steps_one_after_another(unbroken, make_stage):
    """The loop adds nothing to the steps: batch 0, 1, 2, ... each once; the average is exported."""
    stage = make_stage(SCHEDULE)
    params, frozen = stage.init()
    state, step = create_state(params, SCHEDULE), make_train_step(stage.loss, SCHEDULE)
    for number in range(STEPS):
        state, _ = step(state, frozen, stage.batch(number))
    tree, config = load_tree(unbroken[0] / "weights.safetensors")
    np.testing.assert_array_equal(tree["line"]["w"], state.ema["line"]["w"])
    np.testing.assert_array_equal(tree["line"]["b"], state.ema["line"]["b"])
    assert (tree["line"]["w"] != state.params["line"]["w"]).all()
    assert tree["shift"] == 3.0
    assert config == {"noise": 0.05}


def test_training_begins_where_it_is_told(unbroken, make_stage, tmp_path):
    start = {"line": {"w": np.array([2.0, -1.0]), "b": np.array(0.5)}}  # float64: brought to ours
    run(make_stage(SCHEDULE), tmp_path, start=start)
    assert log(tmp_path)[0]["loss"] < 0.1 * log(unbroken[0])[0]["loss"]


def test_what_earlier_weights_lack_begins_as_the_stage_does(unbroken, make_stage, tmp_path):
    """A network that has grown since: the rest goes on from what it had learnt."""
    start = {"line": {"w": np.array([2.0, -1.0]), "b": np.zeros(3)}, "gone": np.ones(2)}
    lines = []
    run_stage(make_stage(SCHEDULE), tmp_path, start=start, log_every=1, report=lines.append)
    assert lines[0] == "line: 2 parameters begin where earlier weights end"
    # Only the 0.5 of the bias is left to learn, and the noise.
    assert log(tmp_path)[0]["loss"] < 0.5 < log(unbroken[0])[0]["loss"]


def test_other_seeds_are_other_runs(unbroken, make_stage, tmp_path):
    run(make_stage(replace(SCHEDULE, seed=1)), tmp_path)
    for name in ("loss", "drawn"):
        assert log(tmp_path)[0][name] != log(unbroken[0])[0][name]


def moving(ema_decay, count):
    """Parameters and averages after each step of a stage whose gradient is one."""
    schedule = Schedule(
        steps=50, batch_size=1, learning_rate=0.1, warmup_steps=1, ema_decay=ema_decay
    )
    step = make_train_step(lambda params, frozen, batch, key: (params["a"], {}), schedule)
    state = create_state({"a": jnp.float32(5.0)}, schedule)
    seen = [(5.0, 5.0)]
    for _ in range(count):
        state, metrics = step(state, {}, {})
        assert metrics["grad_norm"] == 1.0
        seen.append((float(state.params["a"]), float(state.ema["a"])))
    assert int(state.step) == count
    return seen


def test_the_average_follows_closely_at_first_and_then_slowly():
    seen = moving(0.4, 8)
    average = 5.0
    # (1 + t) / (10 + t): 2/11, 3/12, 4/13, 5/14, 6/15 = 0.4, and from there what was asked for.
    decays = [2 / 11, 3 / 12, 4 / 13, 5 / 14, 0.4, 0.4, 0.4, 0.4]
    for decay, (value, ema) in zip(decays, seen[1:], strict=True):
        average = decay * average + (1 - decay) * value
        assert ema == pytest.approx(average, rel=1e-5)


def test_the_rate_warms_up_from_nothing_to_its_peak():
    (start, _), (first, _), (second, _), (third, _) = moving(0.9, 3)
    assert first == start  # step 0 has rate 0
    assert start - second == pytest.approx(0.1, rel=1e-3)  # Adam moves by the rate
    assert 0.09 < second - third < 0.1  # and then it decays


def test_a_long_gradient_is_cut_to_its_limit():
    schedule = replace(SCHEDULE, clip_norm=1.0)
    moments = []
    for size in (1.0, 100.0):
        slope = jnp.array([3.0, 4.0]) * size

        def loss(params, frozen, batch, key, slope=slope):
            return params["a"] @ slope, {}

        state = create_state({"a": jnp.zeros(2)}, schedule)
        state, metrics = make_train_step(loss, schedule)(state, {}, {})
        assert float(metrics["grad_norm"]) == pytest.approx(5 * size)  # told before it is cut
        moments += [leaf for leaf in jax.tree_util.tree_leaves(state.opt_state) if leaf.ndim]
    for one, other in zip(moments[:2], moments[2:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_finished_run_is_not_run_again(unbroken, make_stage):
    folder, _ = unbroken
    before = (folder / "log.jsonl").read_bytes(), (folder / "weights.safetensors").read_bytes()
    lines = []
    path = run_stage(make_stage(SCHEDULE), folder, report=lines.append)
    assert f"line: resuming after step {STEPS} of {STEPS}" in lines
    assert path == folder / "weights.safetensors"
    assert ((folder / "log.jsonl").read_bytes(), path.read_bytes()) == before


class PowerCut(Exception):
    pass


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(unbroken, make_stage, tmp_path):
    """Also where its log is ahead of its checkpoint, and cut short in the middle of a line."""

    def cut(line):
        if line.startswith("line 7/"):
            raise PowerCut

    with pytest.raises(PowerCut):
        run_stage(make_stage(SCHEDULE), tmp_path, checkpoint_seconds=0.0, log_every=1, report=cut)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 8, "loss": 9.0}\n{"step": 9, "lo')
    lines = []
    run_stage(make_stage(SCHEDULE), tmp_path, log_every=1, report=lines.append)
    assert f"line: resuming after step 6 of {STEPS}" in lines
    assert_same_weights(tmp_path, unbroken[0])
    assert learnt(log(tmp_path)) == learnt(log(unbroken[0]))


def start(program, folder, waits_at, **environment):
    command = [sys.executable, str(program), str(folder), str(STEPS), str(waits_at)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("devices", [2, 3])
def test_several_devices_learn_what_one_learns(unbroken, program, tmp_path, devices):
    """Batches of 8 over two devices; three do not divide them, so that one does the work."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    with start(program, tmp_path, waits_at=-1, XLA_FLAGS=flags) as process:
        said = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, said
    for one, several in zip(log(unbroken[0]), log(tmp_path), strict=True):
        assert several["loss"] == pytest.approx(one["loss"], rel=1e-4)
    alone, _ = load_tree(unbroken[0] / "weights.safetensors")
    spread, _ = load_tree(tmp_path / "weights.safetensors")
    np.testing.assert_allclose(spread["line"]["w"], alone["line"]["w"], rtol=1e-5)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, None)])
def test_a_signal_ends_a_run_after_its_step_and_nothing_learnt_is_lost(
    unbroken, program, tmp_path, sent, code
):
    with start(program, tmp_path, waits_at=-2) as stopped:
        said = ""
        while "line 2/" not in said:
            line = stopped.stdout.readline()
            assert line, said
            said += line
        stopped.send_signal(sent)
        said += stopped.communicate(timeout=PATIENCE)[0]
    # Python ends a script that an interrupt ended as that signal would have.
    assert stopped.returncode == (-sent if code is None else code), said
    assert "stopping after this step (once more: at once)" in said
    last = len(learnt(log(tmp_path)))
    assert f"line: stopped after step {last} of {STEPS}; it can go on" in said
    with start(program, tmp_path, waits_at=-1) as again:
        said = again.communicate(timeout=PATIENCE)[0]
    assert f"line: resuming after step {last} of {STEPS}" in said
    assert_same_weights(tmp_path, unbroken[0])
    assert learnt(log(tmp_path)) == learnt(log(unbroken[0]))


def test_a_killed_process_started_again_ends_with_the_same_weights(unbroken, program, tmp_path):
    folder = tmp_path / "line"
    # Should the signal be late, the process is found waiting for a batch, not done.
    with start(program, folder, waits_at=STEPS - 5) as killed:
        deadline = time.monotonic() + PATIENCE
        while not any(path.name.isdigit() for path in (folder / "checkpoints").glob("*")):
            assert killed.poll() is None, killed.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(killed.pid, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    before = learnt(log_so_far(folder))
    assert 0 < len(before) < STEPS

    with start(program, folder, waits_at=-1) as again:
        said = again.communicate(timeout=PATIENCE)[0]
    assert again.returncode == 0, said
    assert "line: resuming after step " in said
    assert_same_weights(folder, unbroken[0])
    assert learnt(log(folder)) == learnt(log(unbroken[0]))
    assert learnt(log(folder))[: len(before)] == before


def log_so_far(folder):
    """The whole lines of a log whose writer was killed."""
    lines = (folder / "log.jsonl").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def test_a_checkpoint_of_another_make_is_refused(unbroken, make_stage):
    folder, _ = unbroken
    before = (folder / "log.jsonl").read_bytes()
    with pytest.raises(UserError) as refusal:
        run(make_stage(replace(SCHEDULE, seed=3), noise=0.1), folder)
    (line,) = str(refusal.value).splitlines()
    assert f"checkpoints/{STEPS} was made with another configuration" in line
    assert "(differing: noise, seed)" in line
    assert (folder / "log.jsonl").read_bytes() == before


def test_batches_of_a_stage_that_renders_come_from_a_copy_of_it(make_stage, unbroken, tmp_path):
    """A stage that draws its pictures is sent to other processes, without what it has cached."""

    class Drawing(make_stage):
        renders = True

        def batch(self, step):
            assert "cached" not in vars(self)
            return super().batch(step)

    stage = Drawing(SCHEDULE)
    vars(stage)["cached"] = "a large thing"
    run(stage, tmp_path)
    assert_same_weights(tmp_path, unbroken[0])
