"""`vdjax lab`: what it copies, what it leaves alone, and that JupyterLab then serves it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from vdjax.cli import main
from vdjax.commands import lab

COURSE = Path(__file__).parents[2] / "notebooks"


def test_the_notebooks_are_copied_with_the_pages_they_link_to(tmp_path, capsys):
    assert main(["lab", str(tmp_path / "mine"), "--copy-only"]) == 0
    notebooks = sorted(path.name for path in COURSE.glob("[0-9]*.ipynb"))
    assert sorted(path.name for path in tmp_path.rglob("*.ipynb")) == notebooks
    assert (tmp_path / "mine" / "glossary.md").read_bytes() == (COURSE / "glossary.md").read_bytes()
    assert f"{len(notebooks) + 3} files copied" in capsys.readouterr().out


def test_another_edition_lies_beside_the_students(tmp_path):
    lab.copy_course(tmp_path, "teacher")
    name = lab.FIRST
    assert (tmp_path / "teacher" / name).read_bytes() == (COURSE / "teacher" / name).read_bytes()
    assert (tmp_path / name).exists()


def test_what_was_changed_stays_and_what_is_missing_comes_again(tmp_path, capsys):
    lab.copy_course(tmp_path)
    (tmp_path / lab.FIRST).write_text("mine")
    (tmp_path / "glossary.md").unlink()
    assert main(["lab", str(tmp_path), "--copy-only"]) == 0
    assert (tmp_path / lab.FIRST).read_text() == "mine"
    said = capsys.readouterr().out
    assert "1 files copied" in said
    assert "1 are other than vdjax's, and stay" in said


def test_a_file_in_the_way_and_an_installation_without_notebooks(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    assert main(["lab", str(tmp_path / "file" / "course"), "--copy-only"]) == 2
    assert "cannot write" in capsys.readouterr().err
    monkeypatch.setattr(lab, "FIRST", "nonesuch.ipynb")
    assert main(["lab", str(tmp_path), "--copy-only"]) == 2
    assert "no notebooks beside" in capsys.readouterr().err


def answer_of(url):
    """What a server that has said its address answers, a moment later."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"nobody answers at {url}")


@pytest.mark.skipif(os.name != "posix", reason="process groups are of POSIX")
def test_jupyterlab_serves_the_copies(tmp_path):
    # Whoever runs the tests: JupyterLab refuses to serve for root unless it is told to.
    (tmp_path / "jupyter_server_config.json").write_text('{"ServerApp": {"allow_root": true}}')
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path)}
    environment["JUPYTER_RUNTIME_DIR"] = str(tmp_path / "runtime")
    command = [sys.executable, "-m", "vdjax", "lab", str(tmp_path / "mine"), "--no-browser"]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        try:
            urls = (
                re.search(r"(http://localhost:\d+)/lab\S*?(\?token=\w+)", line)
                for line in server.stderr
            )
            root, token = next(filter(None, urls)).groups()
            listing = answer_of(f"{root}/api/contents{token}")
        finally:
            os.killpg(server.pid, signal.SIGKILL)
    assert {lab.FIRST, "glossary.md"} <= {entry["name"] for entry in listing["content"]}
