"""The real command, killed or cut off half-way: nothing stays at its place, and it can go on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vdjax.weights.convert.run import convert
from vdjax.weights.store import verify

COMMIT = "0" * 40
PIECE = 10 * 2**20  # huggingface_hub: constants.py, DOWNLOAD_CHUNK_SIZE


@pytest.fixture(scope="module")
def heavy(tmp_path_factory, foreign):
    """A model of some 40 MB: enough to be caught in the middle of."""
    model = foreign("unet3d", block_out_channels=[128, 256], norm_num_groups=32)
    return model.save(tmp_path_factory.mktemp("heavy"))


def partial_folders(folder):
    return list(folder.glob(".out.*.partial"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_conversion_leaves_nothing_at_its_place_and_can_be_done_again(tmp_path, heavy):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "vdjax", "weights", "convert", str(heavy), str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 300
    while not partial_folders(tmp_path):
        assert process.poll() is None, "it was done before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    assert partial_folders(tmp_path)  # hidden, and swept up by the next conversion to this place
    convert(heavy, out)
    assert verify(out) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_leftovers_of_a_process_of_our_own_number_are_swept_up_too(tmp_path, unet3d_model):
    """In a container each run may have the same number."""
    (tmp_path / f".out.{os.getpid()}.partial").mkdir()
    convert(unet3d_model.save(tmp_path / "in"), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


class Hub(ThreadingHTTPServer):
    """A hub of one repository. While `broken`, weights stop half-way and the line goes dead."""

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.files, self.broken = files, True
        self.ranges: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if "/api/models/" in self.path:
            siblings = [{"rfilename": name} for name in self.server.files]
            data = json.dumps({"id": "owner/name", "sha": COMMIT, "siblings": siblings}).encode()
            self._send(200, data, {"Content-Type": "application/json"}, body)
            return
        name = re.sub(rf"^/owner/name/resolve/(main|{COMMIT})/", "", self.path)
        data = self.server.files[name]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
        heavy = name.endswith(".safetensors") and body
        if heavy and self.server.broken:
            # The line holds until half is through; who asks again finds nobody.
            if self.server.ranges:
                self.close_connection = True
                return
            self.server.ranges.append("")
            self._send(200, data, headers, body, sent=len(data) // 2)
            return
        code, start = 200, 0
        if heavy and (asked := self.headers.get("Range")):
            self.server.ranges.append(asked)
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            code = 206
        self._send(code, data[start:], headers, body)

    def _send(self, code, data, headers, body, sent=None) -> None:
        self.send_response(code)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            with contextlib.suppress(OSError):
                self.wfile.write(data[:sent])
        self.close_connection = True


@pytest.fixture
def hub(heavy):
    pytest.importorskip("huggingface_hub")
    files = {path.name: path.read_bytes() for path in heavy.iterdir()}
    server = Hub(files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def surroundings(hub, tmp_path):
    return {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def test_a_download_that_breaks_off_is_said_and_goes_on(hub, tmp_path, vdjax_command):
    environment = surroundings(hub, tmp_path)
    out = tmp_path / "out"
    done = vdjax_command("weights", "convert", "owner/name", out, env=environment)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("vdjax: ")]
    assert "owner/name is no path here, and the hub cannot be reached" in line
    assert "try again, which goes on where it stopped" in line
    assert "Traceback" not in done.stderr
    assert not out.exists()

    hub.broken = False
    done = vdjax_command("weights", "convert", "owner/name", out, env=environment)
    assert done.returncode == 0, done.stderr
    # The rest is fetched, and not all of it again: the client keeps pieces of 10 MiB.
    kept = len(hub.files["diffusion_pytorch_model.safetensors"]) // 2 // PIECE * PIECE
    assert kept > 0
    assert hub.ranges[-1] == f"bytes={kept}-"
    assert verify(out) == []


def test_a_hub_that_is_not_there_is_said(tmp_path, vdjax_command):
    pytest.importorskip("huggingface_hub")
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "cache")}
    environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HF_HUB_OFFLINE": "0"}
    out = tmp_path / "out"
    done = vdjax_command("weights", "convert", "owner/name", out, env=environment)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "the hub cannot be reached" in line
    assert not out.exists()
