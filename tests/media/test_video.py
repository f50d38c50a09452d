"""Moving pictures are read back, frame by frame, by decoders that did not write them."""

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vdjax.media import video


def animation(path):
    """(frame, milliseconds shown) of every image in a GIF or WebP."""
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            yield np.asarray(image.convert("RGB")), image.info["duration"]


@given(st.integers(1, 700), st.integers(1, 700))
def test_viewing_scale_makes_sides_even_and_large_enough(height, width):
    def fits(scale):
        shown = height * scale, width * scale
        return min(shown) >= video.SMALLEST_SIDE and shown[0] % 2 == 0 == shown[1] % 2

    scale = video.viewing_scale(height, width)
    assert fits(scale)
    assert not any(fits(smaller) for smaller in range(1, scale))


def test_enlarge_repeats_pixels():
    frames = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    large = video.enlarge(frames, 3)
    assert large.shape == (1, 6, 6, 3)
    for y in range(6):
        for x in range(6):
            assert (large[0, y, x] == frames[0, y // 3, x // 3]).all()


def test_mp4_holds_all_clips_in_order_in_true_colours(tmp_path, clips, decode_mp4):
    video.write_mp4(tmp_path / "film.mp4", clips, fps=8)
    shown, _ = decode_mp4(tmp_path / "film.mp4")
    assert shown.shape == (32, 256, 384, 3)
    expected = video.enlarge(np.concatenate(clips), 8)
    assert np.abs(shown.astype(int) - expected).max() <= 4


def test_mp4_says_its_frame_rate_and_colours(tmp_path, clips, decode_mp4):
    video.write_mp4(tmp_path / "film.mp4", clips, fps=5)
    shown, about = decode_mp4(tmp_path / "film.mp4")
    assert len(shown) == 32
    assert " 5 fps" in about
    assert "yuv420p(tv, bt709" in about


def test_mp4_is_the_same_every_time(tmp_path, clips):
    video.write_mp4(tmp_path / "a.mp4", clips)
    video.write_mp4(tmp_path / "b.mp4", clips)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("write", [video.write_gif, video.write_webp])
def test_animations_hold_all_clips_in_order(tmp_path, clips, write):
    path = tmp_path / f"film.{write.__name__.removeprefix('write_')}"
    write(path, clips, fps=10)
    frames, times = zip(*animation(path), strict=True)
    expected = video.enlarge(np.concatenate(clips), 8)
    assert np.abs(np.stack(frames).astype(int) - expected).max() <= 8
    assert set(times) == {100}


def test_gif_keeps_a_still_background_still(tmp_path):
    rng = np.random.default_rng(0)
    background = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    clip = np.repeat(background[None], 8, axis=0)
    for frame in range(8):
        clip[frame, 4:8, frame * 4 : frame * 4 + 4] = 255
    video.write_gif(tmp_path / "film.gif", [clip])
    frames = np.stack([frame for frame, _ in animation(tmp_path / "film.gif")])
    assert (frames[:, 100:] == frames[0, 100:]).all()


def test_missing_ffmpeg_is_told_apart(tmp_path, clips, monkeypatch):
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/nowhere/ffmpeg")
    with pytest.raises(video.NoFfmpegError, match="/nowhere/ffmpeg"):
        video.write_mp4(tmp_path / "film.mp4", clips)


def test_ffmpeg_without_h264_is_told_apart(tmp_path, clips, monkeypatch):
    poor = tmp_path / "ffmpeg"
    poor.write_text("#!/bin/sh\ncat > /dev/null\necho \"Unknown encoder 'libx264'\" >&2\nexit 1\n")
    poor.chmod(0o755)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(poor))
    with pytest.raises(video.NoFfmpegError, match=r"H\.264"):
        video.write_mp4(tmp_path / "film.mp4", clips)


def test_mp4_into_no_folder_is_an_os_error(tmp_path, clips):
    with pytest.raises(OSError, match="No such file"):
        video.write_mp4(tmp_path / "none" / "film.mp4", clips)
