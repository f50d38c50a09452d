"""The full-size step's analysis, on the smallest network: what it reads and works out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.scaling import LINKS, reduction_seconds, sent_by

ROOT = Path(__file__).parents[2]


def test_bytes_are_read_from_a_compiled_program():
    text = """
      %a = f32[3,5]{1,0} all-reduce(%x), channel_id=1, to_apply=%add
      %b = (bf16[4]{0}, /*index=1*/f32[]) all-gather(%x, %y), dimensions={0}
      %c = f32[10]{0} all-reduce-start(%z)
      ROOT %d = f32[2]{0} add(%all-reduce, %b)
    """
    assert sent_by(text) == {"all-reduce": (2, 100), "all-gather": (1, 12)}


def test_a_ring_sends_nearly_twice_the_bytes_and_one_device_nothing():
    assert reduction_seconds(1, 1e9) == 0.0
    assert reduction_seconds(8, 3e9) == pytest.approx(2 * 7 / 8 * 3e9 / LINKS[8])
    assert reduction_seconds(256, 1e9) == pytest.approx(2 * 255 / 256 * 1e9 / LINKS[256])


def test_a_small_step_is_analysed_on_two_devices():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scaling", "--preset=toy", "--rows=2", "--devices=2"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"([\d,]+) numbers learn, ([\d,]+) are frozen", done.stdout)
    trained, frozen = (int(number.replace(",", "")) for number in found.groups())
    assert 0 < trained < frozen
    # One reduction, of the gradient and a few metrics.
    assert re.findall(r"- (\d+) ([a-z-]+), ", done.stdout)[-1] == ("1", "all-reduce")
    assert "under 40 GB" in done.stdout
    assert re.search(r"\| 256 \| 512 \|", done.stdout)
