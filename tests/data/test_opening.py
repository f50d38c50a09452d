"""Whatever people call a picture is opened upright and opaque, or its sample is skipped."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vdjax.data.opening import find_picture, open_picture
from vdjax.data.sample import Skipped

GREY = np.linspace(0, 255, 12, dtype=np.uint8).reshape(3, 4)


def stored(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *[("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("P", "GIF"), ("LA", "PNG"), ("RGBA", "PNG")],
        *[("I;16", "PNG"), ("I;16", "TIFF"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "JPEG")],
        *[("RGB", "JPEG"), ("RGB", "WEBP"), ("YCbCr", "JPEG"), ("RGB", "BMP")],
    ],
)
def test_every_mode_is_seen_as_a_person_sees_it(mode, kind):
    """A dark left half and a bright right one, whatever the file calls them."""
    scene = np.repeat(np.array([[51] * 8 + [204] * 8], np.uint8), 16, axis=0)
    image = Image.fromarray(scene)
    if mode == "I;16":
        image = Image.fromarray(scene.astype(np.uint16) * 257)
    elif mode == "1":
        image = image.point(lambda v: 255 * (v > 128)).convert("1")
    else:
        image = image.convert("RGB").convert(mode) if mode != "LA" else image.convert("LA")
    seen = open_picture("it", stored(image, kind))
    assert seen.shape == (16, 16, 3)
    assert seen.dtype == np.uint8
    wanted = np.array([0, 255]) if mode == "1" else np.array([51, 204])
    np.testing.assert_allclose(seen[:, [2, 13]].mean((0, 2)), wanted, atol=8)


def test_sixteen_bits_keep_their_shades():
    """Pillow's own way would make all but the darkest 256 of them white."""
    image = Image.fromarray(GREY.astype(np.uint16) * 257)
    np.testing.assert_array_equal(open_picture("it", stored(image, "PNG"))[..., 0], GREY)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_becomes_white(mode):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    if mode == "P":
        image, options = Image.new("P", (4, 4)), {"transparency": 0}
    else:
        image, options = clear.convert(mode), {}
    assert (open_picture("it", stored(image, "PNG", **options)) == 255).all()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_no_known_range_are_refused(mode):
    with pytest.raises(Skipped, match="nothing says what is black"):
        open_picture("it", stored(Image.new(mode, (4, 4)), "TIFF"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_photographs_are_turned_upright(orientation, kind):
    """As Pillow turns them, but for files whose annotations are of the picture as it is stored."""
    from PIL import ImageOps

    image = Image.fromarray(np.repeat(np.repeat(GREY, 8, 0), 8, 1))
    exif = image.getexif()
    exif[0x0112] = orientation
    data = stored(image, kind, exif=exif)
    with Image.open(io.BytesIO(data)) as again:
        upright = np.asarray(ImageOps.exif_transpose(again).convert("RGB"))
    np.testing.assert_array_equal(open_picture("it", data), upright)
    wide, high = image.size
    if orientation > 4 and kind != "TIFF":  # Pillow turns those itself
        assert open_picture("it", data, (high, wide)).shape == (wide, high, 3)
        assert open_picture("it", data, (wide, high)).shape == (high, wide, 3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_note_of_the_camera_does_not_spoil_the_picture():
    image = Image.new("RGB", (8, 6), "red")
    data = stored(image, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffnonsense")
    assert open_picture("it", data).shape == (6, 8, 3)


@pytest.mark.parametrize(
    ("size", "annotated", "fits"),
    [
        ((640, 480), (640, 480), True),
        ((320, 240), (640, 480), True),
        ((1000, 750), (667, 500), True),
        ((640, 480), (480, 640), False),
        ((640, 480), (500, 333), False),
    ],
)
def test_a_copy_of_another_size_will_do_another_picture_will_not(size, annotated, fits):
    data = stored(Image.new("L", size), "PNG")
    if fits:
        assert open_picture("it", data, annotated).shape[:2] == size[::-1]
    else:
        with pytest.raises(Skipped, match=f"{size[0]} × {size[1]}, annotated as {annotated[0]}"):
            open_picture("it", data, annotated)


@given(cut=st.integers(0, 900), kind=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF"]))
def test_a_file_cut_short_is_read_or_skipped(cut, kind):
    whole = stored(Image.fromarray(np.repeat(GREY, 5, 0)), kind)
    try:
        shape = open_picture("it", whole[:cut]).shape
    except Skipped as skipped:
        shape = skipped.fault.reason
    assert shape in ((15, 4, 3), "picture unreadable")


@given(data=st.data(), kind=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]))
def test_a_damaged_file_is_read_or_skipped(data, kind):
    whole = bytearray(stored(Image.fromarray(np.repeat(GREY, 5, 0)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        kind = open_picture("it", bytes(whole)).dtype
    except Skipped as skipped:
        kind = skipped.id
    assert kind in (np.uint8, "it")


def test_files_are_named(tmp_path):
    (tmp_path / "naïve.png").write_text("a cat")
    with pytest.raises(Skipped, match=r"picture unreadable \(.*naïve\.png"):
        open_picture("it", tmp_path / "naïve.png")
    with pytest.raises(Skipped, match="picture unreadable"):
        open_picture("it", tmp_path)
    with pytest.raises(Skipped, match="picture missing"):
        open_picture("it", tmp_path / "gone.png")


def test_a_bomb_is_refused(monkeypatch):
    bomb = stored(Image.new("L", (20, 20)), "PNG")
    for most in (300, 100):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with pytest.raises(Skipped, match="picture too large"):
            open_picture("it", bomb)


def test_the_first_place_with_a_file_is_taken(tmp_path, draw):
    draw(tmp_path / "b" / "it.png")
    places = [tmp_path / name / "it.png" for name in "abc"]
    assert find_picture("it", places) == places[1]
    with pytest.raises(Skipped, match=r"picture missing \(looked for .*a/it\.png"):
        find_picture("it", places[:1])
    with pytest.raises(Skipped, match="picture unreadable"):
        find_picture("it", [tmp_path / ("x" * 300)])
    with pytest.raises(Skipped, match="picture unreadable"):
        find_picture("it", [tmp_path / "a\0b"])


def test_a_length_that_lies_is_no_end_of_memory():
    """A PNG whose header claims a size that its data do not have."""
    data = bytearray(stored(Image.new("L", (4, 4)), "PNG"))
    data[16:24] = struct.pack(">II", 4000, 4000)
    with pytest.raises(Skipped, match="picture unreadable"):
        open_picture("it", bytes(data))
