"""Pictures and films as HTML that carries its own data and its own description.

Figures, Pillow images, arrays and clips enter; `<img>` with an alternative text leaves. Such HTML
is shown alike by JupyterLab, Colab and pages that only display a saved notebook, and a screen
reader says what is on it; the alternative text of a plain PNG output is dropped on the way. Films
are GIFs for the same reason: made by mediapy where an ffmpeg is found, by Pillow otherwise.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdjax.media import video

LARGEST_EXACT = 50_000
"""Bytes above which a picture is stored with small losses: notebooks are mailed and versioned."""

Clip = UInt8[np.ndarray, "frame height width 3"]


def show(picture: Any, alt: str, width: int | None = None) -> None:
    """Show a matplotlib figure, a Pillow image or an array of 0..255 in a notebook.

    `alt` says what is to be seen for those who cannot; `width` is in pixels of the page.
    """
    _display(picture_html(picture, alt, width))


def play(
    clips: Sequence[Clip] | Mapping[str, Clip], alt: str, width: int = 256, fps: float = video.FPS
) -> None:
    """Show a film in a notebook.

    The clips of a list play one after the other, those of a mapping side by side under their keys.
    `width` is that of one film in pixels of the page.
    """
    _display(film_html(clips, alt, width, fps))


def picture_html(picture: Any, alt: str, width: int | None = None) -> str:
    """The HTML that `show` shows. Raises `ValueError` without an alternative text."""
    kind, data = _encoded(picture)
    return _img(kind, data, alt, width)


def film_html(
    clips: Sequence[Clip] | Mapping[str, Clip],
    alt: str,
    width: int = 256,
    fps: float = video.FPS,
) -> str:
    """The HTML that `play` shows. Raises `ValueError` without an alternative text or frames."""
    films = clips if isinstance(clips, Mapping) else {"": np.concatenate(list(clips))}
    if not films or any(len(film) == 0 for film in films.values()):
        raise ValueError("there are no frames to play")
    cells = []
    for title, frames in films.items():
        words = f"{alt}: {title}" if title else alt
        caption = f"<figcaption>{html.escape(title)}</figcaption>" if title else ""
        picture = _img("gif", _gif(frames, fps), words, width)
        cells.append(f'<figure style="margin:2px">{picture}{caption}</figure>')
    return f'<div style="display:flex;flex-wrap:wrap">{"".join(cells)}</div>'


def _gif(frames: Clip, fps: float) -> bytes:
    """An endless GIF, by mediapy if there is an ffmpeg to drive it."""
    try:
        import mediapy

        mediapy.set_ffmpeg(video._ffmpeg())
        return mediapy.compress_video(frames, codec="gif", fps=fps)
    except (ImportError, RuntimeError, OSError, video.NoFfmpegError):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "film.gif"
            video.write_gif(path, [frames], fps)
            return path.read_bytes()


def _encoded(picture: Any) -> tuple[str, bytes]:
    """(kind, bytes): drawings exactly as they are, photographs, which would be large, nearly so."""
    if hasattr(picture, "savefig"):
        drawn = io.BytesIO()
        picture.savefig(drawn, format="png")
        picture = Image.open(drawn).convert("RGB")
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
    for options in ({"lossless": True}, {"quality": 90}):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", method=4, **options)
        if buffer.tell() <= LARGEST_EXACT:
            break
    return "webp", buffer.getvalue()


def _img(kind: str, data: bytes, alt: str, width: int | None) -> str:
    if not alt.strip():
        raise ValueError("say in `alt` what is to be seen, for those who cannot see it")
    # A small film is shown larger: its pixels stay squares, and a narrow page shrinks it.
    size = f' width="{width}"' if width else ""
    style = "max-width:100%;height:auto" + (";image-rendering:pixelated" if kind == "gif" else "")
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<img alt="{html.escape(alt)}"{size} style="{style}" src="{source}"/>'


def _display(content: str) -> None:
    from IPython.display import HTML, display

    display(HTML(content))
