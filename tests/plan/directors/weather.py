"""A real HTTP server on loopback that answers as servers do, in good weather and in bad."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Weather = Callable[["Handler"], None]
"""What the server does with one request."""


class Handler(BaseHTTPRequestHandler):
    """Gives each request to the next weather of its server; the last one stays."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        self.asked: dict[str, Any] = json.loads(self.rfile.read(length))
        with self.server.lock:
            self.server.requests.append(self.asked)
            self.server.headers.append({k.lower(): v for k, v in self.headers.items()})
            weather = self.server.forecast[0]
            if len(self.server.forecast) > 1:
                self.server.forecast.pop(0)
        with suppress(BrokenPipeError, ConnectionResetError):  # the client left
            weather(self)

    def do_GET(self) -> None:
        self.send("application/json", json.dumps({"object": "list", "data": self.server.models}))

    def send(self, kind: str, body: str | bytes, status: int = 200, **headers: str) -> None:
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        """Begin a stream of events; it ends with the connection."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

    def piece(self, text: str, finish: str | None = None, **delta: str) -> None:
        choice = {"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}
        self.event({"choices": [choice]})

    def event(self, data: dict[str, Any]) -> None:
        whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", **data}
        self.wfile.write(f"data: {json.dumps(whole)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """`forecast` is what comes, in order; `requests` and `headers` what was asked."""

    daemon_threads = True

    def __init__(self, forecast: list[Weather]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.forecast, self.lock = list(forecast), threading.Lock()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.models: list[dict[str, Any]] = [model("m")]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


def model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1, "owned_by": "us"}


@contextmanager
def serving(*forecast: Weather) -> Iterator[Server]:
    """A server for the length of a block."""
    server = Server(list(forecast))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def says(text: str, *, finish: str = "stop", pieces: int = 3) -> Weather:
    """A good answer, in pieces, with its cost."""

    def weather(handler: Handler) -> None:
        handler.stream()
        step = max(1, -(-len(text) // pieces))
        for at in range(0, len(text), step):
            handler.piece(text[at : at + step])
        handler.piece("", finish)
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        handler.event({"choices": [], "usage": usage})
        handler.wfile.write(b"data: [DONE]\n\n")

    return weather


def fails(status: int, message: str = "no", **headers: str) -> Weather:
    """An error, as OpenAI writes them."""
    body = json.dumps({"error": {"message": message, "type": "error", "code": None}})
    return lambda handler: handler.send("application/json", body, status, **headers)


def hangs(seconds: float) -> Weather:
    """Nothing at all for a while."""
    return lambda _: time.sleep(seconds)


def cut(text: str) -> Weather:
    """A connection that ends in the middle of a chunk."""

    def weather(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        data = f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode()
        handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\nff\r\nda")
        handler.wfile.flush()
        handler.close_connection = True

    return weather


def page(handler: Handler) -> None:
    """A web page where an answer should be."""
    handler.send("text/html; charset=utf-8", "<html><body>Sign in</body></html>")


def empty(handler: Handler) -> None:
    """A stream that says nothing."""
    handler.stream()
    handler.piece("", "stop")
    handler.wfile.write(b"data: [DONE]\n\n")


def refuses(handler: Handler) -> None:
    """A model that will not."""
    handler.stream()
    handler.piece("", None, refusal="I cannot help with that.")
    handler.piece("", "stop")


def endless(handler: Handler) -> None:
    """Two megabytes, and more if anybody reads on."""
    handler.stream()
    for _ in range(400):
        handler.piece("cat " * 1280)


def not_utf8(handler: Handler) -> None:
    """Bytes that are no text."""
    handler.stream()
    handler.piece("{")
    handler.wfile.write(b'data: {"choices": "\xff\xfe\x80"}\n\n')


def dribbles(seconds: float) -> Weather:
    """A word now and then, for ever: no hang, and no end."""

    def weather(handler: Handler) -> None:
        handler.stream()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            handler.piece("cat ")
            time.sleep(0.05)

    return weather
