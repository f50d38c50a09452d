"""Whatever a person gives as a picture is read upright and opaque, or refused in a sentence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vdjax.errors import ImageError
from vdjax.media.pictures import LONGEST_SIDE, load_picture


@pytest.mark.parametrize("kind", ["png", "webp", "bmp", "tiff"])
def test_pixels_come_back_exactly(tmp_path, kind):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    path = tmp_path / f"picture.{kind}"
    Image.fromarray(pixels).save(path, **({"lossless": True} if kind == "webp" else {}))
    assert (load_picture(path) == pixels).all()


def test_transparent_becomes_white(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (load_picture(tmp_path / "clear.png") == 255).all()


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "I;16", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    Image.new(mode, (12, 8)).save(tmp_path / "picture.tiff")
    assert load_picture(tmp_path / "picture.tiff").shape == (8, 12, 3)


@pytest.mark.parametrize("name", ["grey.png", "grey.tiff"])
def test_sixteen_bits_of_grey_keep_their_shades(tmp_path, name):
    shades = np.arange(0, 256, dtype=np.uint16)[None].repeat(8, axis=0)
    Image.fromarray(shades * 257).save(tmp_path / name)
    np.testing.assert_array_equal(load_picture(tmp_path / name)[..., 1], shades)


def test_numbers_that_say_no_white_are_refused(tmp_path):
    Image.new("F", (20, 20)).save(tmp_path / "heights.tiff")
    with pytest.raises(ImageError, match="mode F: nothing says what is black"):
        load_picture(tmp_path / "heights.tiff")


def test_a_speck_is_refused(tmp_path):
    Image.new("RGB", (40, 1)).save(tmp_path / "speck.png")
    with pytest.raises(
        ImageError, match=r"speck.png has 40 × 1 pixels; give one of 2 × 2 at least"
    ):
        load_picture(tmp_path / "speck.png")


def test_a_photograph_is_turned_upright(tmp_path):
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6  # taken with the camera turned
    image.save(tmp_path / "photo.jpg", exif=exif)
    assert load_picture(tmp_path / "photo.jpg").shape == (40, 20, 3)


def test_a_large_picture_is_made_smaller(tmp_path):
    Image.new("RGB", (3000, 1500)).save(tmp_path / "large.png")
    assert load_picture(tmp_path / "large.png").shape == (LONGEST_SIDE // 2, LONGEST_SIDE, 3)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"there is no picture .*cat\.png"):
        load_picture(tmp_path / "cat.png")


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(ImageError, match="cannot be read: is a directory"):
        load_picture(tmp_path)


def test_a_text_is_no_picture(tmp_path):
    (tmp_path / "cat.png").write_text("a cat")
    with pytest.raises(ImageError, match="not a picture; give a PNG"):
        load_picture(tmp_path / "cat.png")


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("RGB", (20, 20)).save(tmp_path / "bomb.png")
    with pytest.raises(ImageError, match="more than 100 pixels"):
        load_picture(tmp_path / "bomb.png")


@given(cut=st.integers(0, 400), kind=st.sampled_from(["png", "jpeg", "webp", "gif"]))
def test_a_picture_that_was_cut_short_is_read_or_refused(tmp_path_factory, cut, kind):
    path = tmp_path_factory.mktemp("cut") / f"picture.{kind}"
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[:cut])
    try:
        read = load_picture(path)
    except ImageError as error:
        said = str(error)
    else:
        said = str(path)
        assert read.shape == (9, 9, 3)
    assert str(path) in said
