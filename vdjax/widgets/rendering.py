"""Rendering in a thread, for widgets that show a film change: the kernel stays free meanwhile.

A widget's own work enters; it runs in a thread, one at a time, may be cancelled between two steps,
and shows how far it is through traits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import traitlets

from vdjax.errors import UserError
from vdjax.widgets.base import Widget


class Renders(Widget):
    """A widget with a `render` of its user's; the work and what it shows are the subclass's."""

    can_render = traitlets.Bool(False).tag(sync=True)
    rendering: Any = traitlets.Dict({"state": "idle"}).tag(sync=True)

    def __init__(self, render: Callable[..., Any] | None, **traits: Any) -> None:
        self._render = render
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._turn = threading.RLock()
        super().__init__(can_render=render is not None, **traits)

    def cancel(self) -> None:
        """Stop rendering after the step that is being made; what was there before stays."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is rendered; False if `seconds` have passed before that."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _begin(self, work: Callable[..., None], *arguments: Any, **about: Any) -> None:
        """Run work(render, *arguments) in the thread, unless it is busy.

        Raises:
            UserError: there is nothing to render with.
        """
        if self._render is None:
            name = type(self).__name__
            raise UserError(f"there is nothing to render with; give {name} a `render`")
        if not self.wait(0):
            return
        self._stop.clear()
        self.rendering = {"state": "running", "step": 0, **about}
        given = (self._render, *arguments)
        self._thread = threading.Thread(target=work, args=given, daemon=True)
        self._thread.start()

    def _show(self, **values: Any) -> None:
        """Set traits from the thread. While a message from the page is being read, ipywidgets holds
        notifications back for the whole widget, and one from here could be lost."""
        with self._turn:
            for name, value in values.items():
                setattr(self, name, value)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """ipywidgets' own, by turns with the thread that renders."""
        with self._turn:
            super().set_state(sync_data)
