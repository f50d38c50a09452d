"""The chat model against a real server on loopback, in every weather."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback

import pytest
from plan.directors import weather as w

pytest.importorskip("openai")

from vdjax.plan.directors.chat import MAX_CHARACTERS, ChatModel
from vdjax.plan.directors.model import LanguageModel, ModelError, Request, SchemaRefused

KEY = "sk-test-0123456789abcdef"
QUESTION = Request(messages=({"role": "user", "content": "Film a cat"},), seed=7)
SHAPED = Request(messages=QUESTION.messages, schema={"type": "object"})


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)


def chat(server: w.Server, **options: object) -> ChatModel:
    options = {"model": "m", "api_key": KEY, "timeout": 0.5, "retries": 0, **options}
    return ChatModel(base_url=server.url, **options)  # type: ignore[arg-type]


def test_answer_arrives_whole_and_piece_by_piece_with_its_cost():
    seen: list[str] = []
    with w.serving(w.says("a cat on a mat")) as server:
        model = chat(server)
        answer = model.answer(QUESTION, seconds=5, on_text=seen.append)
    assert isinstance(model, LanguageModel)
    assert answer.text == "a cat on a mat"
    assert answer.complete
    assert (answer.prompt_tokens, answer.completion_tokens) == (100, 20)
    assert seen[-1] == answer.text
    assert len(seen) == 3
    assert server.requests[0]["seed"] == 7
    assert "response_format" not in server.requests[0]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_answer_that_ran_out_of_tokens_says_so():
    with w.serving(w.says("a cat", finish="length")) as server:
        assert not chat(server).answer(QUESTION, seconds=5).complete


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (w.fails(500, "out of memory"), "failed: .*out of memory"),
        (w.fails(401, f"bad key {KEY}"), "refused the key"),
        (w.fails(403), "refused the key"),
        (w.fails(404, "no such model"), "knows no model 'm'"),
        (w.fails(429, "slow down"), "is busy.*slow down"),
        (w.hangs(1.0), "no sign of life for 0.5 s"),
        (w.cut('{"scenes": ['), "broke in the middle"),
        (w.page, "answered with text/html.*ends in /v1"),
        (w.empty, "empty answer"),
        (w.refuses, "refused to answer: I cannot help"),
        (w.endless, "does not stop"),
        (w.not_utf8, "cannot be read"),
        (w.dribbles(3.0), "not done in the time"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:16],
)
def test_bad_weather_is_one_sentence_without_the_key(bad: w.Weather, said: str):
    with w.serving(bad) as server, pytest.raises(ModelError, match=said) as caught:
        chat(server).answer(QUESTION, seconds=1.2)
    told = str(caught.value)
    assert KEY not in told
    assert "\n" not in told
    assert len(told) < 600
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("bad", [w.fails(429, retry_after="0.2"), w.fails(500), w.fails(503)])
def test_what_may_pass_is_tried_again(bad: w.Weather):
    with w.serving(bad, w.says("a cat")) as server:
        began = time.monotonic()
        assert chat(server, retries=2).answer(QUESTION, seconds=9).text == "a cat"
        assert len(server.requests) == 2
        assert time.monotonic() - began > 0.15  # not at once


def test_retries_are_bounded():
    with w.serving(w.fails(500)) as server, pytest.raises(ModelError):
        chat(server, retries=1).answer(QUESTION, seconds=9)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "message",
    ["'response_format' of type 'json_schema' is not supported", "Invalid schema", "bad grammar"],
)
def test_server_without_schemas_is_told_apart(message: str):
    with w.serving(w.fails(400, message), w.says("a cat")) as server:
        model = chat(server)
        with pytest.raises(SchemaRefused):
            model.answer(SHAPED, seconds=5)
        assert model.answer(QUESTION, seconds=5).text == "a cat"


@pytest.mark.parametrize("option", ["seed", "temperature", "stream_options", "max_tokens"])
def test_option_that_a_server_refuses_is_left_out_for_good(option: str):
    refusal = w.fails(400, f"Unsupported parameter: '{option}'")
    with w.serving(refusal, w.says("a cat")) as server:
        model = chat(server)
        model.answer(QUESTION, seconds=5)
        model.answer(QUESTION, seconds=5)
    assert [option in asked for asked in server.requests] == [True, False, False]
    if option == "max_tokens":
        assert server.requests[1]["max_completion_tokens"] == QUESTION.max_tokens


def test_bad_request_that_nothing_mends_is_an_error():
    bad = w.fails(400, "the prompt is too long")
    with w.serving(bad) as server, pytest.raises(ModelError, match="too long"):
        chat(server).answer(QUESTION, seconds=5)
    assert len(server.requests) == 1


def test_nobody_at_the_address():
    with w.serving(w.empty) as server:
        url = server.url
    with pytest.raises(ModelError, match=r"no connection to the server at http://127.*running"):
        ChatModel("m", base_url=url, retries=0).answer(QUESTION, seconds=5)


def test_servers_only_model_is_taken_and_several_are_listed(monkeypatch: pytest.MonkeyPatch):
    with w.serving(w.says("a cat")) as server:
        alone = chat(server, model=None)
        assert alone.name == ""  # nobody was asked yet
        alone.answer(QUESTION, seconds=5)
        assert alone.name == "m"
        assert server.requests[0]["model"] == "m"
        server.models.append(w.model("n"))
        with pytest.raises(ModelError, match=r"which model.*it has m, n"):
            chat(server, model=None).answer(QUESTION, seconds=5)
        monkeypatch.setenv("OPENAI_MODEL", "n")
        assert chat(server, model=None).name == "n"


def test_address_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    with w.serving(w.says("a cat")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        ChatModel("m").answer(QUESTION, seconds=5)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_openai_without_a_key_is_refused_beforehand():
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        ChatModel("m")


@pytest.mark.parametrize("url", ["localhost:8080", "file:///etc/passwd", "http://"])
def test_address_that_is_none(url: str):
    with pytest.raises(ModelError, match="no address of a server"):
        ChatModel("m", base_url=url)


def test_key_is_neither_shown_nor_pickled(monkeypatch: pytest.MonkeyPatch):
    model = ChatModel("m", base_url="http://name:secret@127.0.0.1:1/v1", api_key=KEY)
    held = pickle.dumps(model)
    for text in (repr(model), str(vars(model).keys()), held.decode("latin1")):
        assert KEY not in text
        assert "secret" not in text
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    again = pickle.loads(held)
    assert again.name == "m"
    assert again.base_url == "http://127.0.0.1:1/v1"


def test_long_answers_stop_being_read():
    with w.serving(w.endless) as server, pytest.raises(ModelError, match=f"{MAX_CHARACTERS:,}"):
        chat(server, timeout=5.0).answer(QUESTION, seconds=30)


def test_interrupt_stops_a_hanging_question():
    """A process that waits for a server, stopped as by Ctrl-C."""
    code = (
        "import sys; from vdjax.plan.directors.chat import ChatModel\n"
        "from vdjax.plan.directors.model import Request\n"
        "model = ChatModel('m', base_url=sys.argv[1], timeout=60)\n"
        "print('asking', flush=True)\n"
        "try: model.answer(Request(messages=({'role': 'user', 'content': 'x'},)), seconds=60)\n"
        "except KeyboardInterrupt: print('stopped', flush=True)\n"
    )
    command = [sys.executable, "-c", code]
    with (
        w.serving(w.hangs(20)) as server,
        subprocess.Popen([*command, server.url], stdout=subprocess.PIPE, text=True) as child,
    ):
        assert child.stdout is not None
        assert child.stdout.readline() == "asking\n"
        deadline = time.monotonic() + 20
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGINT)
        assert child.communicate(timeout=10)[0] == "stopped\n"


def test_requests_are_json_that_servers_know():
    with w.serving(w.says("{}")) as server:
        chat(server).answer(SHAPED, seconds=5)
    (asked,) = server.requests
    assert asked["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert json.dumps(asked)
