"""Where tests find a real browser; they skip, with a reason, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium, driven by Playwright. While its sync API is open, no other test could
    run an event loop of its own."""
    sync_api = pytest.importorskip("playwright.sync_api")
    wanted = os.environ.get("VDJAX_CHROMIUM")
    path = wanted or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no chromium; install one or name it in VDJAX_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
