"""Two processes over JAX's own distributed runtime learn what one learns."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("spreading.py")
CASES = ("mesh", "fsdp", "pmap")
PATIENCE = 240
"""Seconds after which processes that wait for each other are taken to be stuck."""


def start(folder, *options, devices, cases):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), *cases, *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)},
    )


def finish(processes):
    """Wait for all; whatever happens, none is left behind."""
    try:
        said = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders: of one process, and of each of two that are fed their own rows."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    finish([start(folder / "alone", devices=1, cases=["one"])])
    finish(
        [
            start(folder / f"{n}", "--join", port, 2, n, "--own-rows", devices=2, cases=CASES)
            for n in range(2)
        ]
    )
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_processes_agree_with_one(runs, case):
    alone = np.load(runs / "alone" / "one.npz")
    for process in "01":
        found = np.load(runs / process / f"{case}.npz")
        assert set(found) == set(alone)
        for name in alone:
            np.testing.assert_allclose(
                found[name], alone[name], rtol=1e-3, atol=2e-6, err_msg=f"{process}: {name}"
            )


@pytest.mark.parametrize("case", CASES)
def test_both_processes_hold_the_same_bits(runs, case):
    first, second = (np.load(runs / process / f"{case}.npz") for process in "01")
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
