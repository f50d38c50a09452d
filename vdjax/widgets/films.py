"""Films as the widgets take them: what was made, what lies in a folder, or plain arrays.

Anything that people call a film enters; titled clips leave, with the plan they were made from where
there is one, and the same clips as the page wants them (each scene one sheet of frames, its boxes
frame by frame) or with boxes drawn into them for where nothing runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from vdjax.errors import UserError
from vdjax.media.pictures import load_picture
from vdjax.plan import VideoPlan, frame_boxes
from vdjax.widgets.base import Widget, entity_styles, sheet
from vdjax.widgets.layout_picture import as_clip

Clips = list[UInt8[np.ndarray, "_ _ _ 3"]]
"""A clip per scene, (frame, height, width, 3) each; scenes may differ in length."""

_STYLES = Path(__file__).with_name("film_stage.css")


class FilmWidget(Widget):
    """A widget that shows clips: film_stage.js and film_stage.css come before its own files."""

    parts: ClassVar[tuple[str, ...]] = ("film_stage",)

    def __init_subclass__(cls, **options: Any) -> None:
        made = "_css" in vars(cls)  # by traitlets, which derives a class for every object
        super().__init_subclass__(**options)
        if "_css" in vars(cls) and not made:
            cls._css = _STYLES.read_text(encoding="utf-8") + cls._css


@dataclass(frozen=True)
class Titled:
    """One film: a clip per scene, its title ("" for none) and the plan it was made from."""

    title: str
    clips: Clips
    plan: VideoPlan | None

    def scene(self, index: int) -> dict[str, Any]:
        """Scene `index` (from 0) as the page wants it."""
        clip, scene = self.clips[index], self.plan and self.plan.scenes[index]
        return {
            "sheet": sheet(clip),
            "caption": scene.description if scene else "",
            "background": scene.background if scene else "",
            "boxes": frame_boxes(scene, len(clip)) if scene else {},
        }


def as_films(films: Any, plan: VideoPlan | None = None) -> list[Titled]:
    """One film, or several by title.

    Args:
        films: what `vdjax.film` made; the folder of a saved film; a clip per scene, or one clip; or
            a mapping from titles to these.
        plan: the plan of films that bring none of their own.

    Raises:
        UserError: it is none of these, or has not a clip for each scene of its plan.
        PlanError: a folder's plan cannot be read.
    """
    if isinstance(films, Mapping):
        if not films:
            raise UserError("there is no film in an empty mapping: give at least one by its title")
        return [_film(str(title), film, plan) for title, film in films.items()]
    return [_film("", films, plan)]


def _film(title: str, film: Any, plan: VideoPlan | None) -> Titled:
    if isinstance(film, str | Path):
        clips, own = _read(Path(film))
    elif hasattr(film, "frames") and hasattr(film, "plan"):
        clips, own = [as_clip(clip) for clip in film.frames], film.plan
    elif isinstance(film, np.ndarray) and film.ndim == 4:
        clips, own = [as_clip(film)], None
    else:
        try:
            clips, own = [as_clip(clip) for clip in film], None
        except TypeError:
            raise UserError(
                f"{type(film).__name__} is no film: give what vdjax.film made, the folder of a "
                "saved film, arrays of frames, or a mapping from titles to these"
            ) from None
    plan = own or plan
    if not clips:
        raise UserError(
            f"the film{f' {title!r}' if title else ''} has no scenes: give at least one clip"
        )
    if plan is not None and len(plan.scenes) != len(clips):
        raise UserError(
            f"the film{f' {title!r}' if title else ''} has {len(clips)} clips: its plan has "
            f"{len(plan.scenes)} scenes, and each needs one"
        )
    return Titled(title, clips, plan)


def _read(folder: Path) -> tuple[Clips, VideoPlan]:
    """The frames and the plan of a film that `Film.save` wrote."""
    plan_file = folder / "plan.json"
    if not plan_file.is_file():
        raise UserError(f"{folder} holds no saved film: there is no plan.json in it")
    plan = VideoPlan.load(plan_file)
    clips = []
    for number in range(1, len(plan.scenes) + 1):
        files = sorted((folder / f"scene_{number}").glob("frame_*.png"))
        if not files:
            raise UserError(f"{folder} holds no frames of scene {number}: make the film again")
        clips.append(np.stack([load_picture(file) for file in files]))
    return clips, plan


def boxed(film: Titled, scale: int = 2) -> Clips:
    """The clips, enlarged by a whole `scale`, with the plan's boxes drawn into them."""
    names = [name for scene in film.plan.scenes for name in scene.entities] if film.plan else []
    styles = entity_styles(names)
    drawn = []
    for index, clip in enumerate(film.clips):
        large = clip.repeat(scale, 1).repeat(scale, 2)
        scene = film.plan and film.plan.scenes[index]
        tracks = frame_boxes(scene, len(clip)) if scene else {}
        frames = []
        for number, frame in enumerate(large):
            boxes = {name: track[number] for name, track in tracks.items()}
            frames.append(_with_boxes(frame, boxes, styles))
        drawn.append(np.stack(frames))
    return drawn


def _with_boxes(
    frame: np.ndarray, boxes: Mapping[str, Any], styles: Mapping[str, tuple[str, str]]
) -> np.ndarray:
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    wide, high = image.width - 1, image.height - 1
    for name, box in boxes.items():
        if box is not None:
            x0, y0, x1, y1 = (round(v * s) for v, s in zip(box, (wide, high) * 2, strict=True))
            colour = styles[name][0]
            draw.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=colour, width=2)
            place = draw.textbbox((x0 + 4, y0 + 2), name)
            draw.rectangle((x0, y0, place[2] + 3, place[3] + 2), fill=colour)
            draw.text((x0 + 4, y0 + 2), name, fill="white")
    return np.asarray(image)


def told(films: Sequence[Titled]) -> str:
    """The films in words: their scenes' descriptions, and whose boxes are over them."""
    words = []
    for film in films:
        of = f"{film.title}: " if film.title else ""
        scenes = "scene" if len(film.clips) == 1 else "scenes"
        words.append(f"{of}film in {len(film.clips)} {scenes}, {sum(map(len, film.clips))} frames")
        for number, scene in enumerate(film.plan.scenes if film.plan else (), 1):
            names = ", ".join(scene.entities)
            words.append(
                f"scene {number}, {scene.background}: {scene.description} (boxes: {names})"
            )
    return "; ".join(words)
