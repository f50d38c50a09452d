"""Widgets in a real browser, without a notebook around them.

`page_with(widget)` shows a widget's own module in a blank page of headless Chromium. The page's
model talks to the Python widget in the messages that notebooks send, so traits follow one another
both ways. Nothing is served and nothing may be asked for: a test fails at its end if the page wrote
an error, asked for anything, or a handler in Python raised.
"""

from __future__ import annotations

import base64
import io
import os
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import chromium
from PIL import Image

import vdjax.widgets

PAGE_JS = Path(vdjax.widgets.__file__).with_name("page.js")
BRIDGE = """
    async ([text, state, views]) => {
      const waiting = [];
      const model = new VdjaxModel(state, (message) => { waiting.push(message); exchange(); });
      let busy = null;
      async function once() {
        for (const message of await kernel(waiting.splice(0))) model.receive(message);
      }
      async function exchange() {
        while (busy) await busy;
        busy = once();
        await busy;
        busy = null;
      }
      window.settle = async () => {
        for (let quiet = 0; quiet < 2; quiet += waiting.length ? 0 : 1) {
          await exchange();
          await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        }
      };
      window.model = model;
      window.cleanup = await vdjaxShow(text, model, document.querySelectorAll(".view"));
      setInterval(() => busy || exchange(), 20);
    }
"""


@dataclass
class View:
    """A widget in a page. `page` is Playwright's; mice, keys and locators are there."""

    page: Any

    def settle(self) -> None:
        """Wait until what the page and Python have to tell each other is told and drawn."""
        self.page.evaluate("settle()")

    def get(self, name: str) -> Any:
        """The page's value of a trait; bytes come as an empty mapping."""
        return self.page.evaluate("(name) => model.get(name)", name)

    def picture(self, selector: str = ".view") -> np.ndarray:
        """What is seen of an element, as (height, width, 3)."""
        data = self.page.locator(selector).first.screenshot(animations="disabled")
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def keep(self, name: str) -> None:
        """Keep a picture of the whole page in the folder VDJAX_SCREENSHOTS, if that is set."""
        if folder := os.environ.get("VDJAX_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser per file, not per session: see `chromium`."""
    with chromium() as one:
        yield one


@pytest.fixture
def page_with(browser: Any, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., View]]:
    """Show a widget: `page_with(widget, width=900, height=900, theme="light", touch=False,
    views=1)`; or a whole page, as `to_html` writes it: `page_with(html)`."""
    troubles: list[str] = []
    contexts = []

    def show(
        what: Any,
        *,
        width: int = 900,
        height: int = 900,
        theme: str = "light",
        touch: bool = False,
        views: int = 1,
    ) -> View:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, has_touch=touch
        )
        contexts.append(context)
        context.set_offline(True)
        context.set_default_timeout(5000)
        page = context.new_page()
        page.on("console", lambda m: m.type in ("error", "warning") and troubles.append(m.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda r: _outside(r.url) and troubles.append(f"asks for {r.url}"))
        if isinstance(what, str):
            page.set_content(what)
        else:
            _connect(page, what, views)
        return View(page)

    yield show
    for context in contexts:
        context.close()
    # ipywidgets logs what a handler raises, and goes on.
    troubles += [record.getMessage() for record in caplog.records if record.levelname != "INFO"]
    assert not troubles


def _outside(url: str) -> bool:
    return not url.startswith(("blob:", "data:", "about:"))


def _connect(page: Any, widget: Any, views: int) -> None:
    """Put a widget's module into a page, and both models into one conversation."""
    from ipywidgets.widgets.widget import _put_buffers, _remove_buffers

    outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()  # widgets may speak from any thread

    def publish(kind: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any):
        if (data or {}).get("method") == "update":
            state = data["state"]
            _put_buffers(state, data["buffer_paths"], buffers or [])
            outbox.put({"method": "update", "state": to_page(state)})
        elif (data or {}).get("method") == "custom":
            outbox.put({"method": "custom", "content": to_page(data["content"])})

    def exchange(messages: list[Any]) -> list[Any]:
        for message in messages:
            if message["method"] == "update":
                state, paths, buffers = _remove_buffers(from_page(message["state"]))
                data = {"method": "update", "state": state, "buffer_paths": paths}
            else:
                data, buffers = message, []
            widget.comm.handle_msg({"content": {"data": data}, "buffers": buffers})
        return [outbox.get() for _ in range(outbox.qsize())]

    widget.comm.publish_msg = publish
    page.expose_function("kernel", exchange)
    state = {key: value for key, value in widget.get_state().items() if key not in NOT_SHOWN}
    elements = '<div class="view"></div>' * views
    look = ":root { color-scheme: light dark; font: 14px sans-serif } body { margin: 8px }"
    page.set_content(
        f"<!doctype html><style>{look}</style><style>{widget._css}</style>{elements}"
        f"<script>{PAGE_JS.read_text(encoding='utf-8')}</script>"
    )
    page.evaluate(BRIDGE, [str(widget._esm), to_page(state), views])
    page.evaluate("settle()")


NOT_SHOWN = {"layout", "_esm", "_css"}


def to_page(value: Any) -> Any:
    """A widget's state as JSON."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict):
        return {key: to_page(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_page(item) for item in value]
    return value


def from_page(value: Any) -> Any:
    """The inverse of `to_page`."""
    if isinstance(value, dict):
        if set(value) == {"$bytes"}:
            return base64.b64decode(value["$bytes"])
        return {key: from_page(item) for key, item in value.items()}
    return [from_page(item) for item in value] if isinstance(value, list) else value
