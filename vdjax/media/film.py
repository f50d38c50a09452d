"""A finished film to its folder: what people open first, and what programs read.

film.mp4         all scenes in order (film.webp where there is no ffmpeg)
film.gif         the same, for pages and chats
storyboard.png   scenes × frames, with the plan's boxes and names
plan.json        what was asked for; edit it and render it again
scene_1/ …       each scene's frames as the model made them, frame_00.png …
report.json      seed, versions, times, memory, and where everything is
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdjax.media import folder, video
from vdjax.media.storyboard import storyboard
from vdjax.runtime import peak_memory_bytes, versions

if TYPE_CHECKING:
    from vdjax.plan import VideoPlan


def save_film(
    destination: str | os.PathLike[str],
    plan: VideoPlan,
    clips: Sequence[UInt8[np.ndarray, "frame height width 3"]],
    report: Mapping[str, Any] | None = None,
    *,
    fps: float = video.FPS,
    replaceable: Collection[str] = (),
) -> Path:
    """Write the folder of a film, whole or not at all; a former film there is replaced.

    Args:
        destination: the folder to make.
        plan: the plan the film was made from.
        clips: one clip per scene, all of one size and length.
        report: what is known about the making, such as `seed`, `seconds` (a mapping of stages) and
            `seconds_per_step`; it goes to `report.json`, where this function adds the rest.
        fps: frames per second of the moving pictures.
        replaceable: see `vdjax.media.folder.new_folder`.

    Returns:
        the folder, as an absolute path.

    Raises:
        OutputError: it cannot be written, or holds files that vdjax did not write.
    """
    began = time.perf_counter()
    with folder.new_folder(destination, replaceable) as work:
        names, notes = _write_moving(work, clips, fps)
        names["storyboard"] = "storyboard.png"
        (work / names["storyboard"]).write_bytes(_png(storyboard(plan, clips)))
        names["plan"] = "plan.json"
        (work / names["plan"]).write_text(plan.to_json(), encoding="utf-8")
        scenes = []
        for number, (scene, clip) in enumerate(zip(plan.scenes, clips, strict=True), start=1):
            path = f"scene_{number}"
            _write_frames(work / path, clip)
            scenes.append({"path": path, "description": scene.description})
        count, height, width, _ = clips[0].shape
        scale = video.viewing_scale(height, width)
        made = dict(report or {})
        content = {
            "format": folder.FORMAT,
            "format_version": 1,
            "prompt": plan.prompt,
            **made,
            **names,
            "fps": fps,
            "frames_per_scene": count,
            "width": width * scale,
            "height": height * scale,
            "frame_width": width,
            "frame_height": height,
            "scenes": scenes,
            "seconds": {
                **made.get("seconds", {}),
                "write": round(time.perf_counter() - began, 3),
            },
            "peak_memory_bytes": max(made.get("peak_memory_bytes", 0), peak_memory_bytes()),
            "versions": {**versions(), **made.get("versions", {})},
            "notes": [*made.get("notes", ()), *notes],
            "files": folder.record_files(work),
        }
        (work / folder.RECORD).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return Path(destination).expanduser().resolve()


def _write_moving(
    work: Path, clips: Sequence[UInt8[np.ndarray, "frame height width 3"]], fps: float
) -> tuple[dict[str, str], list[str]]:
    """Write the film for players and for pages; say so if the first cannot be an mp4."""
    names, notes = {"film": "film.mp4", "gif": "film.gif"}, []
    try:
        video.write_mp4(work / names["film"], clips, fps)
    except video.NoFfmpegError as error:
        (work / names["film"]).unlink(missing_ok=True)
        names["film"] = "film.webp"
        video.write_webp(work / names["film"], clips, fps)
        notes.append(
            f"no film.mp4: {error}; film.webp and film.gif hold the film "
            "(`pip install imageio-ffmpeg` brings ffmpeg)"
        )
    video.write_gif(work / names["gif"], clips, fps)
    return names, notes


def _write_frames(path: Path, clip: UInt8[np.ndarray, "frame height width 3"]) -> None:
    path.mkdir()
    digits = max(2, len(str(len(clip) - 1)))
    for index, frame in enumerate(clip):
        (path / f"frame_{index:0{digits}}.png").write_bytes(_png(Image.fromarray(frame)))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=False)
    return buffer.getvalue()
