"""Work done ahead: in order, no further ahead than asked, and over when its reader is gone."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vdjax.train import workers
from vdjax.train.workers import in_order

PATIENCE = 120
"""Seconds after which something that should have ended is taken to be stuck."""

TASKS = '''
"""Work for other processes, which import it by its name."""

import os
import pathlib
import time


def who(index):
    return index, os.getpid()


def late_first(index):
    """Number 0 is done only when number 1 is: results are ready in the wrong order."""
    here = pathlib.Path(__file__).parent
    while index == 0 and not (here / "done").exists():
        time.sleep(0.01)
    if index == 1:
        (here / "done").touch()
    return index


def refuses_three(index):
    if index == 3:
        raise ValueError("no three")
    return index


def hang(index):
    (pathlib.Path(__file__).parent / f"worker_{os.getpid()}").touch()
    time.sleep(300)
'''


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.02)


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """A module that worker processes can import, on a machine that has cores for two of them."""
    (tmp_path / "tasks_of_this_test.py").write_text(TASKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(workers.os, "cpu_count", lambda: workers.SPARE + 2)
    monkeypatch.delitem(sys.modules, "tasks_of_this_test", raising=False)
    import tasks_of_this_test

    yield tasks_of_this_test
    del sys.modules["tasks_of_this_test"]
    wait_until(lambda: not multiprocessing.active_children())


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = set(threading.enumerate())
    yield
    wait_until(lambda: set(threading.enumerate()) <= before)


@pytest.mark.parametrize("ahead", [1, 3, 50])
def test_every_index_once_in_order(ahead):
    indices = [5, 3, 3, 9, *range(20)]
    assert list(in_order(lambda i: i * i, indices, ahead=ahead)) == [i * i for i in indices]


def test_nothing_to_do():
    assert list(in_order(lambda i: i, [])) == []


def test_without_cores_to_spare_heavy_work_stays_in_this_process(monkeypatch):
    monkeypatch.setattr(workers.os, "cpu_count", lambda: workers.SPARE + 1)
    pids = set(in_order(lambda i: os.getpid(), range(6), heavy=True))
    assert pids == {os.getpid()}


def test_work_is_done_beside_its_reader():
    reader = threading.get_ident()
    assert reader not in set(in_order(lambda i: threading.get_ident(), range(6)))


def test_no_more_is_begun_than_was_asked_for():
    taken = itertools.count()
    results = in_order(lambda i: i, taken, ahead=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert next(taken) == 3 + 4
    results.close()


def test_an_error_is_raised_in_its_place_and_ends_the_work():
    def task(index):
        if index == 3:
            raise ValueError("no three")
        return index

    results = in_order(task, range(1_000_000))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no three"):
        next(results)
    assert list(results) == []


def test_who_stops_reading_stops_the_work():
    done, before = [], set(threading.enumerate())
    results = in_order(done.append, range(1_000_000), ahead=2)
    next(results)
    results.close()
    wait_until(lambda: set(threading.enumerate()) <= before)
    assert len(done) <= 3


def test_processes_keep_the_order(tasks):
    seen = list(in_order(tasks.who, range(12), heavy=True, ahead=2))
    assert [index for index, _ in seen] == list(range(12))
    assert os.getpid() not in {pid for _, pid in seen}


def test_processes_that_finish_in_another_order_keep_it_too(tasks):
    assert list(in_order(tasks.late_first, range(4), heavy=True)) == [0, 1, 2, 3]


def test_an_error_in_a_process_is_raised_here(tasks):
    results = in_order(tasks.refuses_three, range(100), heavy=True)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no three"):
        next(results)


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, though nobody has asked yet how


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux who is running")
def test_workers_of_a_killed_process_end(tmp_path):
    (tmp_path / "tasks_of_this_test.py").write_text(TASKS)
    script = tmp_path / "reader.py"
    script.write_text(
        "import os\n"
        "from tasks_of_this_test import hang\n"
        "from vdjax.train import workers\n"
        "if __name__ == '__main__':\n"
        "    workers.os.cpu_count = lambda: workers.SPARE + 2\n"
        "    next(workers.in_order(hang, range(9), heavy=True))\n"
    )

    def found():
        return [int(path.name.removeprefix("worker_")) for path in tmp_path.glob("worker_*")]

    with subprocess.Popen([sys.executable, str(script)]) as reader:
        try:
            wait_until(lambda: len(found()) == 2 or reader.poll() is not None)
        finally:
            reader.send_signal(signal.SIGKILL)
    assert len(found()) == 2
    wait_until(lambda: not any(map(is_running, found())))
