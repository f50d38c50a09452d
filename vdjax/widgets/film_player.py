"""A film to play, scene by scene and frame by frame, with the plan's boxes over it; or two in step.

A film enters, or several by title, which then play side by side at the same share of each scene;
nothing leaves but the place where it stands. Each scene travels as one WebP picture of all of its
frames. People without widgets have `play_film`, with boxes and captions and without ffmpeg, and
`vdjax.widgets.play`, for clips alone.
"""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import numpy as np
import traitlets
from PIL import Image

from vdjax.media.storyboard import storyboard
from vdjax.media.video import FPS
from vdjax.plan import VideoPlan
from vdjax.widgets.films import FilmWidget, Titled, as_films, boxed, told

SPEEDS = (0.25, 0.5, 1.0, 2.0)


class FilmPlayer(FilmWidget):
    """Play a film, or compare two in step: `FilmPlayer({"gates on": a, "gates off": b})`.

    Args:
        films: what `vdjax.film` made; the folder of a saved film; a clip per scene, or one clip, as
            uint8[frame, height, width, 3]; or a mapping from titles to these.
        plan: the plan of films that bring none of their own; its boxes lie over the frames.

    Traits to read, set or link:
        scene, frame: where it stands, both from 1.
        fps, speed: frames per second, and by how much faster than that it plays.
        loop: what is repeated: "film", "scene" or "none".
        boxes, captions: whether the plan's are shown.

    Raises:
        UserError: that is no film, or it has not a clip for each scene of its plan.
    """

    films: Any = traitlets.List().tag(sync=True)
    scene = traitlets.Int(1, min=1).tag(sync=True)
    frame = traitlets.Int(1, min=1).tag(sync=True)
    fps = traitlets.Float(FPS, min=0.1, max=60.0).tag(sync=True)
    speed = traitlets.Enum(SPEEDS, 1.0).tag(sync=True)
    loop = traitlets.Enum(("film", "scene", "none"), "film").tag(sync=True)
    boxes = traitlets.Bool(True).tag(sync=True)
    captions = traitlets.Bool(True).tag(sync=True)

    def __init__(self, films: Any, plan: VideoPlan | None = None, **traits: Any) -> None:
        self._titled = as_films(films, plan)
        pages = [
            {"title": film.title, "scenes": [film.scene(i) for i in range(len(film.clips))]}
            for film in self._titled
        ]
        super().__init__(films=pages, **traits)

    @property
    def alt(self) -> str:
        """The films in words."""
        return told(self._titled)

    def picture(self) -> Image.Image:
        """A storyboard of the first film; three frames of each scene where it has no plan."""
        film = self._titled[0]
        if film.plan is not None:
            return storyboard(film.plan, film.clips)
        rows = [np.concatenate([c[0], c[len(c) // 2], c[-1]], axis=1) for c in film.clips]
        return Image.fromarray(np.concatenate(rows))

    def fallback(self) -> str:
        """Each film as a picture that moves, with its boxes, its captions below."""
        return films_html(self._titled, self.fps)


def play_film(films: Any, plan: VideoPlan | None = None, fps: float = FPS) -> None:
    """Show in a notebook what `FilmPlayer` shows, as endless pictures. Raises `UserError` as it
    does."""
    from IPython.display import HTML, display

    display(HTML(films_html(as_films(films, plan), fps)))


def films_html(films: list[Titled], fps: float = FPS) -> str:
    """Films side by side as endless WebP pictures with alternative texts; no script."""
    figures = []
    for film in films:
        data = base64.b64encode(_webp(film, fps)).decode()
        title = f"<b>{html.escape(film.title)}</b><br>" if film.title else ""
        lines = [
            f"{number}. {html.escape(scene.description)}"
            for number, scene in enumerate(film.plan.scenes if film.plan else (), 1)
        ]
        figures.append(
            f'<figure style="margin:2px;max-width:256px">{title}'
            f'<img alt="{html.escape(told([film]))}" style="max-width:100%"'
            f' src="data:image/webp;base64,{data}"/>'
            f"<figcaption>{'<br>'.join(lines)}</figcaption></figure>"
        )
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(figures)}</div>'


def _webp(film: Titled, fps: float) -> bytes:
    """All scenes in order, boxes drawn; small, since notebooks are mailed and versioned."""
    scale = max(1, -(-256 // film.clips[0].shape[2]))
    images = [Image.fromarray(frame) for clip in boxed(film, scale) for frame in clip]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / fps),
        loop=0,
        quality=70,
        method=2,
    )
    return buffer.getvalue()
