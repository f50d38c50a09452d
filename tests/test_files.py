"""Locks: one holder at a time, gone with its process."""

import os
import subprocess
import sys

import pytest

from vdjax.errors import OutputError
from vdjax.files import folder_name, holder, lock

HOLD = """
import sys, time
from pathlib import Path
from vdjax.files import lock
held = lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_has_one_holder_until_it_is_closed(tmp_path):
    path = tmp_path / "a" / "lock"
    held = lock(path)
    assert lock(path) is None
    assert holder(path).startswith(f"process {os.getpid()} on ")
    held.close()
    with lock(path) as again:
        assert again is not None


def test_a_killed_process_holds_nothing(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        assert lock(path) is None
        assert f"process {other.pid} " in holder(path)
        other.kill()
    with lock(path) as held:
        assert held is not None


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot write"):
        lock(tmp_path / "file" / "lock")
    assert holder(tmp_path / "nothing") == "another process"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A cat, a dog & a whale!", "a-cat-a-dog-a-whale"),
        ("Café au lait", "cafe-au-lait"),
        ("../../etc/passwd", "etc-passwd"),
        ("猫", "film"),
        ("word " * 40, "word-word-word-word-word-word-word-word-word"),
        ("x" * 300, "x" * 48),
    ],
)
def test_folders_are_named_after_what_is_in_them(text, name):
    assert folder_name(text) == name
