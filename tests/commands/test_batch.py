"""`vdjax batch` in real processes: shared lists, kills, and signals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from vdjax.cli import main
from vdjax.systems.batch.ledger import NOTES

PATIENCE = 300
"""Seconds after which something that should have ended is taken to be stuck."""

MADE = re.compile(r"^made (\S+)", re.MULTILINE)

LONG = 500
"""Denoising steps: so many that a film is not done before a signal comes."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_list(path, steps):
    """One prompt for each name, with the steps it is to take."""
    lines = [{"id": name, "prompt": "A cat walks", "steps": count} for name, count in steps.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


class Worker:
    """`vdjax batch` in a process of its own, ended when the test ends."""

    def __init__(self, stack, *options):
        command = [sys.executable, "-m", "vdjax", "batch", "list.jsonl", "-o", "films"]
        command += ["--preset", "toy", *map(str, options)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = stack.enter_context(subprocess.Popen(command, text=True, **pipes))
        stack.callback(self.process.kill)

    def finish(self):
        """Exit code, and the ids of the films it made."""
        out, self.err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, MADE.findall(out)


@pytest.fixture
def start():
    with contextlib.ExitStack() as stack:
        yield lambda *options: Worker(stack, *options)


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def notes(tmp_path):
    return {path.stem for path in (tmp_path / "films" / NOTES).glob("*.json")}


def states(tmp_path):
    films = json.loads((tmp_path / "films" / "manifest.json").read_text())["films"]
    return {film["id"]: film["state"] for film in films}


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.02)
    return found


@pytest.mark.loose_dtypes
def test_two_processes_share_a_list_and_one_is_killed(tmp_path, start, capsys):
    """Only the next run takes up what the killed one had in work, and each film is made once."""
    names = [f"film{n}" for n in range(6)]
    write_list(tmp_path / "list.jsonl", dict.fromkeys(names, 2))
    group = ("--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2)
    first, second = (start(*group, "--process", number) for number in (0, 1))
    wait_until(lambda: "film1" in notes(tmp_path))
    second.process.send_signal(signal.SIGKILL)
    code, made = first.finish()
    assert code == 0, first.err
    assert sorted(made) == ["film0", *(f"film{n}" for n in range(2, 6))]
    assert second.finish() == (-signal.SIGKILL, [])
    assert states(tmp_path) == {name: "started" if name == "film1" else "done" for name in names}
    capsys.readouterr()
    assert main(["batch", "list.jsonl", "-o", "films", "--preset", "toy"]) == 0
    assert MADE.findall(capsys.readouterr().out) == ["film1"]
    assert set(states(tmp_path).values()) == {"done"}
    workers = {
        name: json.loads((tmp_path / "films" / name / "report.json").read_text())["batch"]["worker"]
        for name in names
    }
    assert workers["film0"].endswith(f"{first.process.pid} (0)")
    assert workers["film1"].endswith(f":{os.getpid()}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_between_two_steps(tmp_path, start, number):
    write_list(tmp_path / "list.jsonl", {"long": LONG})
    worker = start()
    for line in worker.process.stderr:
        if "long: scene 1 of 1" in line:
            break
    worker.process.send_signal(number)
    code, made = worker.finish()
    assert (code, made) == (128 + number, [])
    assert "stopping after this step" in worker.err
    assert "Traceback" not in worker.err
    assert states(tmp_path) == {"long": "open"}
    assert {path.name for path in (tmp_path / "films").iterdir()} == {NOTES, "manifest.json"}


@pytest.mark.loose_dtypes
def test_a_prompt_that_fails_makes_the_exit_code_one(tmp_path, capsys):
    (tmp_path / "list.jsonl").write_text(json.dumps({"id": "bad", "prompt": "x " * 1500}))
    code = main(["batch", "list.jsonl", "-o", "films", "--preset", "toy"])
    assert code == 1
    assert "failed bad: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("none.jsonl", "-o", "films"), "cannot read none.jsonl"),
        (("list.jsonl", "-o", "films"), "list.jsonl, line 2: "),
        (("list.jsonl",), "-o"),
        (("good.jsonl", "-o", "films", "--processes", "2"), "--coordinator and --process missing"),
        (("good.jsonl", "-o", "films", "--devices", "0"), "'0' is not a whole number from 1"),
        (("good.jsonl", "-o", "films", "--preset", "toy", "--devices", "99"), "99 devices"),
        (("good.jsonl", "-o", "films", "--preset", "huge"), "'huge'"),
        (("good.jsonl", "-o", "films", "--director", "kubrick"), "'kubrick'"),
        (("good.jsonl", "-o", "good.jsonl", "--preset", "toy"), "is a file, not a folder"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_code_2(tmp_path, capsys, arguments, says):
    (tmp_path / "good.jsonl").write_text('"A cat walks"\n')
    (tmp_path / "list.jsonl").write_text('"A cat walks"\n{"prompt": ""}\n')
    assert main(["batch", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert {path.name for path in tmp_path.iterdir()} == {"good.jsonl", "list.jsonl"}
