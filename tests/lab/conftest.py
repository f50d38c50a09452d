"""A real JupyterLab, a real Chromium before it, and a way to ask the kernel behind the page."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from chromium import chromium

ROOT = Path(__file__).parents[2]
NEVER = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Server:
    """JupyterLab in a process of its own, over a folder of notebooks."""

    def __init__(self, folder: Path) -> None:
        self.root, self.runtime = folder / "notebooks", folder / "runtime"
        self.root.mkdir()
        settings = {
            # JupyterLab refuses to serve for root unless it is told to.
            "ServerApp": {"allow_root": True, "open_browser": False},
            "IdentityProvider": {"token": ""},
            "LabApp": {"news_url": None, "check_for_updates_class": NEVER},
        }
        (folder / "jupyter_server_config.json").write_text(json.dumps(settings))
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JUPYTER_CONFIG_DIR": str(folder),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        }
        # All cells stay in the page, wherever it is scrolled to.
        tracker = folder / "settings" / "@jupyterlab" / "notebook-extension"
        tracker.mkdir(parents=True)
        (tracker / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--port=0", str(self.root)],
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self.url = self._address()

    def _address(self) -> str:
        for _ in range(600):
            for file in self.runtime.glob("jpserver-*.json"):
                if text := file.read_text():
                    return json.loads(text)["url"]
            assert self.process.poll() is None, Path(self.log.name).read_text()
            time.sleep(0.1)
        raise AssertionError("JupyterLab did not start in a minute")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def kernel(self, after: float) -> Any:
        """A client of the kernel that was started last, and not before `after`."""
        from jupyter_client import BlockingKernelClient

        for _ in range(600):
            files = [f for f in self.runtime.glob("kernel-*.json") if f.stat().st_mtime >= after]
            if files:
                newest = max(files, key=lambda file: file.stat().st_mtime)
                client = BlockingKernelClient(connection_file=str(newest))
                client.load_connection_file()
                client.start_channels()
                return client
            time.sleep(0.1)
        raise AssertionError("no kernel was started")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("jupyterlab")
    server = Server(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


class Notebook:
    """A notebook open in a browser: run it, ask its kernel, look at the page."""

    def __init__(self, page: Any, server: Server, name: str) -> None:
        self.page, self.path, began = page, server.root / name, time.time() - 1
        page.goto(f"{server.url}lab/tree/{name}?reset")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=120_000)
        self.kernel = server.kernel(began)

    def run_all(self, seconds: float = 60) -> None:
        """Run all cells, by the menu; fails if a cell does, or says something on stderr."""
        page = self.page
        cells = sum(cell.cell_type == "code" for cell in self._saved().cells)
        page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
        page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
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

    def do(self, code: str, seconds: float = 60) -> None:
        """Run code in the kernel, as a cell would."""
        reply = self.kernel.execute(code, reply=True, timeout=seconds)
        assert reply["content"]["status"] == "ok", reply["content"]

    def keep(self, name: str) -> None:
        """Keep a picture of the page in the folder VDJAX_SCREENSHOTS, if that is set."""
        if folder := os.environ.get("VDJAX_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


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


def _leaves(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in LOOPBACK
