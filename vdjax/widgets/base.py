"""What every widget here shares: its files, its looks, and what it leaves where nothing runs.

A class enters that says what its picture is and what is on it; it gets the module and the style
sheet that lie beside its file, a fallback for saved notebooks (an image with words for those who
cannot see it) and an export as one HTML page that plays without a kernel. Colours are Okabe and
Ito's, each with a dash pattern of its own, so that things are told apart without colour too.
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import ipywidgets  # type: ignore[import-untyped]
import numpy as np
import traitlets
from jaxtyping import UInt8
from PIL import Image

from vdjax.files import replace_file
from vdjax.widgets.show import picture_html

_FOLDER = Path(__file__).parent
_VIEW = "application/vnd.jupyter.widget-view+json"

PALETTE = (
    ("#d55e00", ""),
    ("#0072b2", "7 4"),
    ("#009e73", "2 3"),
    ("#cc79a7", "10 3 2 3"),
    ("#e69f00", "14 4"),
    ("#56b4e9", "4 2"),
    ("#7b4fb5", "8 3 2 3 2 3"),
)
"""Colours and SVG dash patterns of entities, in the order in which a film names them."""


def entity_styles(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """(colour, SVG dash pattern) of each name; the same names in the same order look the same."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(dict.fromkeys(names))}


def sheet(frames: UInt8[np.ndarray, "frame height width 3"], quality: int = 90) -> dict[str, Any]:
    """A clip as one picture of all its frames, row by row, which `drawFrame` of base.js shows.

    Returns {"count", "columns", "width", "height", "data"}: sizes are one frame's, in pixels;
    `data` is a WebP file, exact where `quality` is 100.
    """
    count, height, width, _ = frames.shape
    columns = math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width, 3), np.uint8)
    cells[:count] = frames
    grid = cells.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    buffer = io.BytesIO()
    whole = Image.fromarray(grid.reshape(rows * height, columns * width, 3))
    whole.save(buffer, "WEBP", method=2, quality=quality, lossless=quality == 100)
    size = {"count": count, "columns": columns, "width": width, "height": height}
    return {**size, "data": buffer.getvalue()}


class Widget(anywidget.AnyWidget):
    """A widget whose module and styles are NAME.js and NAME.css beside its NAME.py.

    base.js and base.css come before them: their functions and `--vdjax-…` variables are there to
    use. `live` is false in exported pages, where no Python listens: a module then hides what needs
    it. Give `picture` and `alt`.
    """

    # ipywidgets 7 would take this instead of the bundle below, and the fallback would be lost.
    _ipython_display_ = None

    parts: ClassVar[tuple[str, ...]] = ()
    """Further files of JavaScript beside the class's own, which they come before."""

    live = traitlets.Bool(True).tag(sync=True)
    palette = traitlets.List([list(style) for style in PALETTE]).tag(sync=True)

    def __init_subclass__(cls, **options: Any) -> None:
        own = Path(getattr(sys.modules[cls.__module__], "__file__", None) or "none")
        # traitlets derives a class of its own for every object; that one has them already.
        if "_esm" not in vars(cls) and own.with_suffix(".js").is_file():
            parts = [_FOLDER / "base.js", *(own.with_name(f"{name}.js") for name in cls.parts)]
            cls._esm = "".join(map(_read, [*parts, own.with_suffix(".js")]))
            cls._css = _read(_FOLDER / "base.css") + _read(own.with_suffix(".css"))
        super().__init_subclass__(**options)

    @property
    def alt(self) -> str:
        """What is to be seen now, in words."""
        raise NotImplementedError

    def picture(self) -> Image.Image:
        """What is to be seen now, for where nothing runs."""
        raise NotImplementedError

    def fallback(self) -> str:
        """HTML with the same content for readers without a kernel; no script."""
        note = f"<p>{html.escape(type(self).__name__)} (run the notebook to use it)</p>"
        return picture_html(self.picture(), self.alt) + note

    def to_html(self, path: str | Path | None = None) -> str:
        """The widget as one HTML page that plays without a kernel and asks the network for nothing.

        Written to `path`, if given, whole or not at all.

        Raises:
            OutputError: it cannot be written there.
        """
        page = _PAGE.format(
            title=html.escape(type(self).__name__),
            css=self._css.replace("</", "<\\/"),
            still=picture_html(self.picture(), self.alt),
            page_js=_read(_FOLDER / "page.js"),
            esm=_json(str(self._esm)),
            state=_json({**self._own_state(), "live": False}),
        )
        if path is not None:
            replace_file(Path(path), page.encode())
        return page

    def _own_state(self) -> dict[str, Any]:
        """The synchronised traits that are not every widget's."""
        general = set(ipywidgets.DOMWidget.class_traits())
        return {
            name: value
            for name, value in self.get_state().items()
            if name not in general and not name.startswith("_")
        }

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live widget, and for readers without one its picture in words and pixels."""
        content = {
            "text/plain": f"{type(self).__name__}: {self.alt}",
            "text/html": self.fallback(),
        }
        bundle = super()._repr_mimebundle_()
        view, about = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**content, _VIEW: view[_VIEW]}, about


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _json(value: Any) -> str:
    """JSON that can stand inside <script>."""
    return json.dumps(_plain(value)).replace("<", "\\u003c")


def _plain(value: Any) -> Any:
    """Bytes as page.js reads them."""
    if isinstance(value, bytes | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';
 script-src 'unsafe-inline' blob:; img-src data: blob:; media-src data: blob:">
<title>{title}</title>
<style>:root {{ color-scheme: light dark; font: 14px sans-serif }} body {{ margin: 8px }}</style>
<style>{css}</style>
<main class="view">{still}</main>
<script>{page_js}</script>
<script>
  const model = new VdjaxModel({state});
  vdjaxShow({esm}, model, document.querySelectorAll(".view"));
</script>
</html>
"""
