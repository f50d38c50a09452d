"""Clips to moving pictures: mp4 through ffmpeg, GIF and WebP through Pillow.

A film is a sequence of clips, one per scene, each `uint8[frame, height, width, 3]` of one size; the
files hold them one after the other. Small frames are shown larger by a whole factor, each pixel of
the model becoming a square: players then need not blur a stamp, and the mp4's halved colour
resolution (4:2:0) still has a sample for every pixel of the model.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdjax.errors import OutputError

FPS = 8
"""Frames per second, as ModelScope's and VideoDirectorGPT's videos are shown."""

SMALLEST_SIDE = 256
"""Frames with a shorter side than this, in pixels, are enlarged for viewing."""

Clips = Sequence[UInt8[np.ndarray, "frame height width 3"]]


class NoFfmpegError(OutputError):
    """There is no ffmpeg that can be run and writes H.264; GIF and WebP can still be written."""


def viewing_scale(height: int, width: int) -> int:
    """The whole factor by which frames are enlarged: to 256 pixels at least, and to even sides.

    H.264 with halved colour resolution has no odd heights or widths.
    """
    large_enough = -(-SMALLEST_SIDE // min(height, width))
    all_even = height * large_enough % 2 == 0 == width * large_enough % 2
    return large_enough if all_even else large_enough + 1


def enlarge(
    frames: UInt8[np.ndarray, "frame height width 3"], scale: int
) -> UInt8[np.ndarray, "frame tall wide 3"]:
    """Repeat every pixel `scale` times in both directions."""
    return frames.repeat(scale, axis=1).repeat(scale, axis=2)


def write_mp4(path: Path, clips: Clips, fps: float = FPS) -> None:
    """Write all clips in order as H.264, 4:2:0, playable everywhere, the same bytes every time.

    Raises:
        NoFfmpegError: no ffmpeg was found, or it cannot write H.264.
        OSError: the file cannot be written.
    """
    frames = _viewed(clips)
    _, height, width, _ = frames.shape
    command = [
        *(_ffmpeg(), "-y", "-loglevel", "error", "-threads", "1", "-fflags", "+bitexact"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps)),
        *("-i", "-", "-an", "-c:v", "libx264", "-preset", "medium", "-crf", "14"),
        # Name the colour matrix that is used, or players guess and shift the colours.
        *("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p"),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
        *("-threads", "1", "-flags:v", "+bitexact", "-movflags", "+faststart", "-f", "mp4"),
        str(path),
    ]
    try:
        done = subprocess.run(command, input=frames.tobytes(), capture_output=True, check=False)
    except OSError as error:
        raise NoFfmpegError(f"cannot run ffmpeg ({command[0]}): {error.strerror}") from error
    if done.returncode == 0:
        return
    said = done.stderr.decode(errors="replace").strip()
    # A process that passes its file size limit is stopped by this signal before it can say why.
    if done.returncode == -signal.SIGXFSZ or os.strerror(errno.ENOSPC) in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    last = said.splitlines()[-1] if said else f"exit status {done.returncode}"
    if "libx264" in said:
        raise NoFfmpegError(f"{command[0]} cannot write H.264: {last}")
    raise OSError(f"ffmpeg failed: {last}")


def write_gif(path: Path, clips: Clips, fps: float = FPS) -> None:
    """Write all clips in order as an endless GIF.

    One palette per clip, chosen from all of its frames: a palette per frame would make still
    backgrounds flicker.
    """
    images: list[Image.Image] = []
    for clip in clips:
        clip = enlarge(clip, viewing_scale(*clip.shape[1:3]))
        strip = Image.fromarray(clip.reshape(-1, clip.shape[2], 3))
        palette = strip.quantize(256, method=Image.Quantize.MEDIANCUT)
        images += [
            Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
            for frame in clip
        ]
    _write_animation(path, images, fps, "GIF", optimize=False)


def write_webp(path: Path, clips: Clips, fps: float = FPS) -> None:
    """Write all clips in order as an endless WebP: true colours, no ffmpeg needed."""
    images = [Image.fromarray(frame) for frame in _viewed(clips)]
    _write_animation(path, images, fps, "WEBP", quality=92, method=4)


def _write_animation(
    path: Path, images: list[Image.Image], fps: float, kind: str, **options: object
) -> None:
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        kind,
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / fps),
        loop=0,
        **options,
    )
    path.write_bytes(buffer.getvalue())  # Pillow, writing for itself, may swallow a full disk


def _viewed(clips: Clips) -> UInt8[np.ndarray, "total tall wide 3"]:
    frames = np.concatenate(list(clips))
    return enlarge(frames, viewing_scale(*frames.shape[1:3]))


def _ffmpeg() -> str:
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise NoFfmpegError("no ffmpeg was found") from error
