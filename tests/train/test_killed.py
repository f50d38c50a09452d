"""Runs that are killed, stopped, starved of disk or moved to other devices: real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from train.line import Line, schedule

from vdjax.errors import UserError
from vdjax.train.loop import run_stage
from vdjax.weights.store import load_tree

pytestmark = pytest.mark.loose_dtypes  # optax mixes them

PROGRAM = Path(__file__).with_name("line.py")
STEPS = 24
PATIENCE = 240
"""Seconds after which a process that says nothing is taken to be stuck."""
SLOWLY = {"seconds": 0.2}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "line"
    with jax.numpy_dtype_promotion("standard"):
        run_stage(Line(schedule(STEPS)), folder, report=lambda line: None)
    return folder


@pytest.fixture
def start():
    """Start the program; whatever a test comes to, no process is left behind."""
    started = []

    def begin(folder, *, devices=1, **options):
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder), str(STEPS), json.dumps(options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def read_until(process, text):
    """What a process says, up to a line with that text."""
    said = ""
    while text not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def wait_for(folder, step, process):
    """Until a process has made a checkpoint of that step or a later one."""
    deadline = time.monotonic() + PATIENCE
    while not any(p.name.isdigit() and int(p.name) >= step for p in folder.glob("checkpoints/*")):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def log(folder):
    """The whole lines of a log, whose writer may have been killed."""
    lines = (folder / "log.jsonl").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def learnt(folder):
    """What a log says of the training, without its speed."""
    names = ("step", "loss", "drawn", "grad_norm", "gate", "finite")
    return [{name: entry[name] for name in names} for entry in log(folder)]


def assert_goes_on(folder, unbroken, after=None):
    """Started again, a run ends with the losses and weights of one that was never broken."""
    lines = []
    run_stage(Line(schedule(STEPS)), folder, report=lines.append)
    resumed = next(line for line in lines if "resuming after step" in line)
    if after is not None:
        assert resumed == f"line: resuming after step {after} of {STEPS}"
    assert learnt(folder) == learnt(unbroken)
    weights = "weights.safetensors"
    assert (folder / weights).read_bytes() == (unbroken / weights).read_bytes()


def test_a_killed_run_started_again_has_the_same_losses_and_weights(unbroken, start, tmp_path):
    """Meanwhile nobody else may write there; killed, it holds the folder no longer."""
    folder = tmp_path / "line"
    # Should the signal be late, the process is found waiting for a batch, not done.
    killed = start(folder, waits_at=STEPS - 5)
    wait_for(folder, 1, killed)
    with pytest.raises(UserError, match=f"in use by another run .process {killed.pid} on "):
        run_stage(Line(schedule(STEPS)), folder, report=lambda line: None)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    before = learnt(folder)
    assert 0 < len(before) < STEPS
    assert_goes_on(folder, unbroken)
    assert learnt(folder)[: len(before)] == before


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, -signal.SIGINT)])
def test_a_signal_ends_a_run_after_its_step_and_nothing_learnt_is_lost(
    unbroken, start, tmp_path, sent, code
):
    """Python ends a script that an interrupt ended as that signal would have."""
    stopped = start(tmp_path, run={"checkpoint_seconds": 600}, **SLOWLY)
    said = read_until(stopped, "line 2/")
    stopped.send_signal(sent)
    said += stopped.communicate(timeout=PATIENCE)[0]
    assert stopped.returncode == code, said
    assert "stopping after this step (once more: at once)" in said
    last = len(log(tmp_path))
    assert f"line: stopped after step {last} of {STEPS}; it can go on" in said
    assert_goes_on(tmp_path, unbroken, after=last)


def test_a_second_signal_acts_at_once(start, tmp_path):
    waiting = start(tmp_path, waits_at=3)
    read_until(waiting, "line 2/")
    waiting.send_signal(signal.SIGTERM)
    read_until(waiting, "stopping after this step")
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(PATIENCE) == -signal.SIGTERM


# --- full disks ----------------------------------------------------------------------------------


def assert_starved(process, folder):
    """It said so in a sentence, and goes on with the same losses once there is room."""
    said = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1, said  # a script's, after an error that nobody catches
    # Behind it may stand what orbax's unfinished writes say of Python's end.
    told = [line for line in said.splitlines() if line.startswith("vdjax.errors.OutputError: ")]
    assert len(told) == 1, said
    assert "cannot write " in told[0]
    assert "no room left on the disk" in told[0]
    steps = sorted(int(p.name) for p in (folder / "checkpoints").iterdir() if p.name.isdigit())
    assert steps
    return steps[-1]


def test_files_that_may_not_grow_stop_a_run_whose_last_checkpoint_is_whole(
    unbroken, start, tmp_path
):
    """What a quota does."""
    full = start(tmp_path, fills_at=12, ballast=1 << 16)
    last = assert_starved(full, tmp_path)
    assert 1 <= last <= 13
    lines = []
    run_stage(Line(schedule(STEPS), ballast=1 << 16), tmp_path, report=lines.append)
    assert f"line: resuming after step {last} of {STEPS}" in lines
    assert learnt(tmp_path) == learnt(unbroken)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of four megabytes."""
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or not mount or not unmount:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run([unmount, "--lazy", str(disk)], check=True)


def test_a_full_disk_stops_a_run_whose_last_checkpoint_is_whole(unbroken, start, small_disk):
    folder, filler = small_disk / "line", small_disk / "filler"
    full = start(folder, ballast=1 << 16, fills_at=12, filler=str(filler))
    last = assert_starved(full, folder)
    filler.unlink()
    lines = []
    run_stage(Line(schedule(STEPS), ballast=1 << 16), folder, report=lines.append)
    assert f"line: resuming after step {last} of {STEPS}" in lines
    assert learnt(folder) == learnt(unbroken)


# --- other devices -------------------------------------------------------------------------------


def assert_about_as(folder, unbroken):
    """The same losses, but for the order of sums."""
    for one, other in zip(learnt(unbroken), learnt(folder), strict=True):
        assert other == pytest.approx(one, rel=1e-3, abs=1e-5)
    alone, _ = load_tree(unbroken / "weights.safetensors")
    spread, _ = load_tree(folder / "weights.safetensors")
    np.testing.assert_allclose(spread["line"]["w"], alone["line"]["w"], rtol=1e-4)


def test_a_run_stopped_on_two_devices_goes_on_with_one(unbroken, start, tmp_path):
    stopped = start(tmp_path, devices=2, run={"checkpoint_seconds": 600}, **SLOWLY)
    read_until(stopped, "line 6/")
    stopped.send_signal(signal.SIGTERM)
    said = stopped.communicate(timeout=PATIENCE)[0]
    assert stopped.returncode == 0, said
    lines = []
    run_stage(Line(schedule(STEPS)), tmp_path, report=lines.append)
    assert any("resuming after step" in line for line in lines)
    assert any(line.startswith("line: goes on elsewhere (data 2 → 1") for line in lines)
    assert_about_as(tmp_path, unbroken)


def test_copies_of_pmap_are_one_checkpoint(start, tmp_path):
    """Begun by pmap on two devices, gone on with over a mesh, which three would not divide, and
    ended here. Each device of pmap draws for itself, so that only what was learnt is alike."""
    over = {"kind": "pmap"}
    stopped = start(tmp_path, devices=2, spread=over, run={"checkpoint_seconds": 600}, **SLOWLY)
    read_until(stopped, "line 12/")
    stopped.send_signal(signal.SIGTERM)
    said = stopped.communicate(timeout=PATIENCE)[0]
    assert stopped.returncode == 0, said
    last = len(log(tmp_path))
    again = start(tmp_path, devices=3, run={"checkpoint_every": 3}, waits_at=20)
    said = read_until(again, "line 19/")
    assert f"line: resuming after step {last} of {STEPS}" in said
    wait_for(tmp_path, 18, again)
    again.send_signal(signal.SIGKILL)
    again.wait()
    lines = []
    run_stage(Line(schedule(STEPS)), tmp_path, report=lines.append)
    assert f"line: resuming after step 18 of {STEPS}" in lines
    losses = [entry["loss"] for entry in log(tmp_path)]
    assert len(losses) == STEPS
    assert max(losses[-3:]) < 0.3 * losses[0]


def test_processes_stop_together_and_one_goes_on(unbroken, start, tmp_path):
    """Only the one that does not lead is told to stop."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    options = {"run": {"checkpoint_seconds": 0.0, "log_every": 1}, **SLOWLY}
    pair = [start(tmp_path, join=[address, 2, n], **options) for n in range(2)]
    read_until(pair[0], "line 6/")
    pair[1].send_signal(signal.SIGTERM)
    said = [process.communicate(timeout=PATIENCE)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], "".join(said)
    last = len(log(tmp_path))
    assert f"line: stopped after step {last} of {STEPS}; it can go on" in said[0]
    assert "line " not in said[1]  # who does not lead says nothing
    lines = []
    run_stage(Line(schedule(STEPS)), tmp_path, report=lines.append)
    assert f"line: resuming after step {last} of {STEPS}" in lines
    assert_about_as(tmp_path, unbroken)
