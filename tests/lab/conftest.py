"""A real JupyterLab or classic notebook, a real Chromium before it, and a way to ask the kernel
behind the page."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from chromium import chromium

ROOT = Path(__file__).parents[2]
NEVER = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
CHOSEN = {
    # All cells stay in the page, wherever it is scrolled to; nobody is asked about news.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false"},
}
"""JupyterLab's settings, as a person would choose them."""
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Kind:
    """What one kind of notebook calls what the tests look for."""

    package: str
    version: str
    configuration: str
    settings: dict[str, dict[str, Any]]
    path: str
    """Of a notebook, after the server's address."""
    # Selectors.
    ready: str
    run_all: tuple[str, ...]
    """What to click, in turn."""
    slider: str
    handle: str


JUPYTERLAB = Kind(
    package="jupyterlab",
    version="4.",
    configuration="jupyter_server_config.json",
    settings={
        # JupyterLab refuses to serve for root unless it is told to.
        "ServerApp": {"allow_root": True, "open_browser": False},
        "IdentityProvider": {"token": ""},
        "LabApp": {"news_url": None, "check_for_updates_class": NEVER},
    },
    path="lab/tree/{}?reset",
    ready=".jp-Notebook .jp-Cell",
    run_all=(".lm-MenuBar-itemLabel:text('Run')", ".lm-Menu-itemLabel:text('Run All Cells')"),
    slider=".jp-OutputArea .noUi-base",
    handle=".jp-OutputArea .noUi-handle",
)
CLASSIC = Kind(  # with ipywidgets 7
    package="notebook",
    version="6.",
    configuration="jupyter_notebook_config.json",
    settings={"NotebookApp": {"allow_root": True, "open_browser": False, "token": ""}},
    path="notebooks/{}",
    ready="#kernel_indicator_icon.kernel_idle_icon",
    run_all=("#celllink", "#run_all_cells"),
    slider=".output .ui-slider",
    handle=".output .ui-slider-handle",
)


class Server:
    """JupyterLab or the classic notebook in a process of its own, over a folder of notebooks."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind, self.root, self.runtime = kind, folder / "notebooks", folder / "runtime"
        self.root.mkdir()
        (folder / kind.configuration).write_text(json.dumps(kind.settings))
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JUPYTER_CONFIG_DIR": str(folder),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        }
        for name, choices in CHOSEN.items():
            file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(choices))
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", kind.package, f"--port={_free_port()}", str(self.root)],
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self.url = self._address()

    def _address(self) -> str:
        for _ in range(600):
            for file in self.runtime.glob("*server-*.json"):
                if _is_whole(file):
                    return json.loads(file.read_text())["url"]
            assert self.process.poll() is None, Path(self.log.name).read_text()
            time.sleep(0.1)
        raise AssertionError(f"{self.kind.package} did not start in a minute")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def kernel(self, after: float) -> Any:
        """A client of the kernel that was started last, and not before `after`."""
        from jupyter_client import BlockingKernelClient

        for _ in range(600):
            files = [f for f in self.runtime.glob("kernel-*.json") if f.stat().st_mtime >= after]
            if files and all(map(_is_whole, files)):
                newest = max(files, key=lambda file: file.stat().st_mtime)
                client = BlockingKernelClient(connection_file=str(newest))
                client.load_connection_file()
                client.start_channels()
                return client
            time.sleep(0.1)
        raise AssertionError("no kernel was started")


class Notebook:
    """A notebook open in a browser: run it, ask its kernel, look at the page."""

    def __init__(self, page: Any, server: Server, name: str) -> None:
        self.page, self.kind, self.path = page, server.kind, server.root / name
        began = time.time() - 1
        page.goto(server.url + self.kind.path.format(name))
        page.locator(self.kind.ready).first.wait_for(timeout=120_000)
        self.kernel = server.kernel(began)

    def run_all(self, seconds: float = 60) -> None:
        """Run all cells, by the menu; fails if a cell does, or says something on stderr."""
        page = self.page
        cells = sum(cell.cell_type == "code" for cell in self._saved().cells)
        for selector in self.kind.run_all:
            page.locator(selector).first.click()
        until = time.monotonic() + seconds
        while (ran := self.ask("get_ipython().execution_count", seconds) - 1) < cells:
            assert time.monotonic() < until, f"{ran} of {cells} cells were run in {seconds:g} s"
            assert self.ask("not hasattr(__import__('sys'), 'last_value')"), f"cell {ran} failed"
            page.wait_for_timeout(500)
        page.wait_for_timeout(1000)  # the page has the last output a moment after the kernel
        page.keyboard.press("Control+s")
        while not all(cell.execution_count for cell in self._saved().cells if "outputs" in cell):
            assert time.monotonic() < until, "the notebook was not saved"
            page.wait_for_timeout(500)
        said = [o for cell in self._saved().cells for o in cell.get("outputs", [])]
        assert not [o for o in said if o.output_type == "error" or o.get("name") == "stderr"]
        assert page.locator("text=/Error displaying widget/").count() == 0

    def _saved(self) -> Any:
        return nbformat.read(self.path, as_version=4)

    def ask(self, expression: str, seconds: float = 60) -> Any:
        """What an expression is in the kernel, once it has done what it was asked before."""
        reply = self.kernel.execute(
            "", user_expressions={"it": f"({expression})"}, reply=True, timeout=seconds
        )
        found = reply["content"]["user_expressions"]["it"]
        assert found["status"] == "ok", found
        return ast.literal_eval(found["data"]["text/plain"])

    def until(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression holds in the kernel."""
        end = time.monotonic() + seconds
        while not self.ask(expression, seconds):
            assert time.monotonic() < end, f"{expression} does not hold after {seconds:g} s"
            self.page.wait_for_timeout(200)

    def do(self, code: str, seconds: float = 60) -> None:
        """Run code in the kernel, as a cell would."""
        reply = self.kernel.execute(code, reply=True, timeout=seconds)
        assert reply["content"]["status"] == "ok", reply["content"]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Pull the mouse from one place of the page to another."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=8)
        self.page.mouse.up()

    def pull(self, place: Any, dx: float, dy: float) -> None:
        """Drag an element by its middle, by so many pixels."""
        place.scroll_into_view_if_needed()
        at = place.bounding_box()
        x, y = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
        self.drag((x, y), (x + dx, y + dy))

    def draw_box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a new box, in shares of the picture, in the page's first layout editor."""
        self.page.get_by_role("button", name="Draw box").first.click()
        stage = self.page.locator(".le-stage").first
        stage.scroll_into_view_if_needed()
        at = stage.bounding_box()
        left, top, wide, tall = (at[part] for part in ("x", "y", "width", "height"))
        self.drag((left + x0 * wide, top + y0 * tall), (left + x1 * wide, top + y1 * tall))

    def keep(self, name: str) -> None:
        """Keep a picture of the page in the folder VDJAX_SCREENSHOTS, if that is set."""
        if folder := os.environ.get("VDJAX_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{self.kind.package}-{name}.png")


@pytest.fixture(scope="module", params=[JUPYTERLAB, CLASSIC], ids=["JupyterLab", "classic"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Of the kind that the environment has; `make test-classic` has the classic one."""
    kind = request.param
    found = metadata.distributions(name=kind.package)
    if not any(one.version.startswith(kind.version) for one in found):
        pytest.skip(f"{kind.package} {kind.version}* is not installed")
    server = Server(kind, tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture
def notebook(server: Server) -> Iterator[Any]:
    """Open a notebook of these cells: `notebook("name.ipynb", cells)`; without cells, with those of
    the course's own of that name. Nothing may complain on the console, and no request may leave the
    machine."""
    troubles: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(20_000)
        page.on("console", lambda m: m.type == "error" and troubles.append(m.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda r: _leaves(r.url) and troubles.append(f"asks for {r.url}"))

        def show(name: str, cells: list[str] | None = None) -> Notebook:
            if cells is None:
                course = nbformat.read(ROOT / "notebooks" / name, as_version=4)
                cells = [cell.source for cell in course.cells if cell.cell_type == "code"]
            made = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
                metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            )
            nbformat.write(made, server.root / name)
            return Notebook(page, server, name)

        yield show
    assert not troubles


def _is_whole(file: Path) -> bool:
    """Whether a file of JSON is written to its end."""
    try:
        return bool(json.loads(file.read_text()))
    except ValueError:
        return False


def _free_port() -> int:
    """A port that is free now; servers take the next one if it no longer is."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _leaves(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in LOOPBACK
