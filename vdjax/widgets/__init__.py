"""What notebooks show and what people turn in them: pictures, films, sliders, and widgets.

Everything here also leaves something to look at in a saved notebook, where nothing runs any more.
The widgets need anywidget (the extra `notebooks`), which is imported when one is asked for.
"""

from importlib import import_module
from typing import Any

from vdjax.widgets.knobs import Knobs
from vdjax.widgets.show import film_html, picture_html, play, show

_WIDGETS = {
    "AttentionInspector": "attention_inspector",
    "FilmPlayer": "film_player",
    "GateInspector": "gate_inspector",
    "LayoutEditor": "layout_editor",
    "PlanViewer": "plan_viewer",
    "play_film": "film_player",
    "show_gates": "gate_picture",
    "show_plan": "plan_picture",
}

__all__ = [
    "AttentionInspector",
    "FilmPlayer",
    "GateInspector",
    "Knobs",
    "LayoutEditor",
    "PlanViewer",
    "film_html",
    "picture_html",
    "play",
    "play_film",
    "show",
    "show_gates",
    "show_plan",
]


def __getattr__(name: str) -> Any:
    if name in _WIDGETS:
        return getattr(import_module(f"vdjax.widgets.{_WIDGETS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
