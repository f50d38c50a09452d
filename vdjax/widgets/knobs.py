"""Sliders over a slow function: a film drawn again when a slider is let go.

A function of the sliders' values that returns HTML enters; a widget leaves. Plain `interact`
leaves nothing in a saved notebook, since its picture lives in the widget's state; this one carries
the picture and the values as HTML in its own output, for every reader without a kernel. It uses
only what ipywidgets 7.7 (Colab's) and 8 have in common, and puts no Output or Accordion into the
page, which Colab's widget manager does not take well.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from typing import Any

import ipywidgets  # type: ignore[import-untyped]

_VIEW = "application/vnd.jupyter.widget-view+json"


class Knobs(ipywidgets.VBox):
    """Sliders above what a function makes of their values.

    Args:
        draw: takes the values by name and returns HTML, such as `film_html` makes.
        sliders: ipywidgets controls by name; `continuous_update=False` where drawing is slow.

    What was drawn once is kept, so going back to a value costs nothing.
    """

    # ipywidgets 7 would take this instead of the bundle below, and the fallback would be lost.
    _ipython_display_ = None

    def __init__(self, draw: Callable[..., str], **sliders: Any) -> None:
        self._draw = draw
        self._sliders = sliders
        self._drawn: dict[tuple[Any, ...], str] = {}
        self._line = ipywidgets.HTML()
        self._screen = ipywidgets.HTML()
        for slider in sliders.values():
            slider.style.description_width = "7em"
            slider.layout.width = "26em"
        super().__init__([*sliders.values(), self._line, self._screen])
        self._redraw(None)
        for slider in sliders.values():
            slider.observe(self._redraw, "value")

    @property
    def values(self) -> dict[str, Any]:
        """What the sliders say now."""
        return {name: slider.value for name, slider in self._sliders.items()}

    def _redraw(self, _: Any) -> None:
        values = self.values
        key = tuple(values.values())
        if key not in self._drawn:
            self._line.value = "drawing …"
            began = time.perf_counter()
            try:
                self._drawn[key] = self._draw(**values)
            except Exception as error:  # an error in a callback would be lost without a trace
                self._line.value = html.escape(f"{type(error).__name__}: {error}")
                return
            seconds = f" ({time.perf_counter() - began:.1f} s)"
        else:
            seconds = " (drawn before)"
        self._line.value = html.escape(self._settings() + seconds)
        self._screen.value = self._drawn[key]

    def _settings(self) -> str:
        return ", ".join(f"{name} = {value:g}" for name, value in self.values.items())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The live widget, and for readers without one the picture, its settings in words."""
        settings = self._settings()
        still = f"<p>{html.escape(settings)} (run the notebook to move the sliders)</p>"
        return {
            "text/plain": f"Knobs({settings})",
            "text/html": still + self._screen.value,
            _VIEW: {"version_major": 2, "version_minor": 0, "model_id": self.model_id},
        }
