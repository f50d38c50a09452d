"""Processes that share a list: who they are is checked, and they meet or say why not."""

from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from vdjax.errors import UserError
from vdjax.systems.batch.processes import check_group, meet


@pytest.fixture
def coordinator():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{held.getsockname()[1]}"


def test_all_return_when_all_are_there(coordinator):
    with ThreadPoolExecutor(2) as both:
        late = both.submit(meet, coordinator, 2, 1, 120)
        meet(coordinator, 2, 0, 120)
        assert late.result() is None


@pytest.mark.parametrize("number", [0, 1])
def test_who_is_left_alone_is_told_so(coordinator, number):
    with pytest.raises(UserError) as refused:
        meet(coordinator, 2, number, 2)
    (line,) = str(refused.value).splitlines()
    assert f"process {number} of 2 found no complete group at {coordinator} within 2 s" in line
    assert "DEADLINE_EXCEEDED" in line


def test_the_one_that_waits_does_not_outlive_who_sent_it(coordinator):
    command = [sys.executable, "-m", "vdjax.systems.batch.processes", coordinator, "2", "0", "300"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        child.stdin.close()
        assert child.wait(60) == 1


def test_a_group_is_said_whole_or_not_at_all():
    assert not check_group(None, None, None)
    assert check_group("127.0.0.1:9911", 2, 1)
    assert check_group("[::1]:9911", 1, 0)


@pytest.mark.parametrize(
    ("group", "says"),
    [
        (("127.0.0.1:9911", None, 0), "--processes missing"),
        ((None, 2, 0), "--coordinator missing"),
        (("127.0.0.1:9911", None, None), "--processes and --process missing"),
        (("127.0.0.1", 2, 0), "'127.0.0.1' is not HOST:PORT"),
        ((":9911", 2, 0), "is not HOST:PORT"),
        (("host:port", 2, 0), "is not HOST:PORT"),
        (("host:70000", 2, 0), "is not HOST:PORT"),
        (("127.0.0.1:9911", 2, 2), "process is 2: of 2 processes it must be from 0 to 1"),
    ],
)
def test_what_is_no_group_is_refused(group, says):
    with pytest.raises(UserError) as refused:
        check_group(*group)
    assert says in str(refused.value)
