import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from vdjax.media import video
from vdjax.widgets.show import film_html, picture_html

RED = np.zeros((3, 24, 32, 3), np.uint8)
RED[..., 0] = 200


def pictures(content):
    """(alternative text, image) of every picture in some HTML."""
    for tag in re.findall(r"<img [^>]*>", content):
        alt = re.search(r'alt="([^"]*)"', tag)[1]
        data = re.search(r"base64,([^\"]+)", tag)[1]
        yield alt, Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_picture_comes_with_its_description():
    ((alt, image),) = pictures(picture_html(RED[0], 'a "red" <frame>', width=64))
    assert alt == "a &quot;red&quot; &lt;frame&gt;"
    assert (np.asarray(image.convert("RGB")) == RED[0]).all()


def test_what_would_be_large_is_stored_smaller_and_looks_the_same():
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    noise = noise.repeat(8, 0).repeat(8, 1) // 2 + np.random.default_rng(1).integers(
        0, 64, (320, 320, 3)
    ).astype(np.uint8)
    ((_, image),) = pictures(picture_html(noise, "coloured noise"))
    error = np.abs(np.asarray(image.convert("RGB")).astype(int) - noise)
    assert 0 < error.mean() < 25
    assert len(picture_html(noise, "coloured noise")) < noise.size


def test_figures_are_drawn_as_they_are():
    from matplotlib.figure import Figure

    ((_, image),) = pictures(picture_html(Figure(figsize=(2, 1), dpi=50), "an empty figure"))
    assert (image.format, image.size) == ("WEBP", (100, 50))


@pytest.mark.parametrize("ffmpeg", [True, False])
def test_films_play_with_and_without_ffmpeg(monkeypatch, ffmpeg):
    def none():
        raise video.NoFfmpegError("no ffmpeg was found")

    if not ffmpeg:
        monkeypatch.setattr(video, "_ffmpeg", none)
    clips = [RED, 255 - RED]
    ((alt, image),) = pictures(film_html(clips, "red, then cyan", fps=10))
    assert alt == "red, then cyan"
    assert image.format == "GIF"
    # ffmpeg writes a frame that repeats the one before as a longer one.
    milliseconds, colours = 0, []
    for index in range(image.n_frames):
        image.seek(index)
        milliseconds += image.info["duration"]
        colours.append(np.asarray(image.convert("RGB"))[12, 16])
    assert milliseconds == 600
    assert np.abs(colours[0].astype(int) - RED[0, 0, 0]).max() < 12
    assert np.abs(colours[-1].astype(int) - (255 - RED[0, 0, 0])).max() < 12


def test_films_of_a_mapping_stand_side_by_side_with_titles():
    content = film_html({"gates on": RED, "gates off": RED}, "scene 1")
    assert [alt for alt, _ in pictures(content)] == ["scene 1: gates on", "scene 1: gates off"]
    assert "<figcaption>gates on</figcaption>" in content


def test_what_cannot_be_described_or_played_is_refused():
    for alt in ("", "  "):
        with pytest.raises(ValueError, match="alt"):
            picture_html(RED[0], alt)
    with pytest.raises(ValueError, match="no frames"):
        film_html({"empty": RED[:0]}, "nothing")
