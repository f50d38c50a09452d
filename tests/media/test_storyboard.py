"""The storyboard shows the frames, boxes where the plan has them, and names that can be read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vdjax.media import storyboard as board


def near(image, colour, tolerance=12):
    return (np.abs(np.asarray(image).astype(int) - colour) <= tolerance).all(axis=-1)


def test_is_as_wide_as_a_telephone_and_has_a_row_per_scene(plan, clips):
    image = board.storyboard(plan, clips)
    assert image.width == 1170
    one = board.storyboard(plan.replace(scenes=plan.scenes[:1], groups=None), clips[:1])
    assert one.height < image.height


def test_shows_the_first_and_the_last_frame_of_each_scene(plan, clips):
    image = np.asarray(board.storyboard(plan, clips))
    for clip in clips:
        for frame in (clip[0], clip[-1]):
            assert near(image, frame[0, 0].astype(int), 2).sum() > 5000


def test_fewer_frames_than_columns_are_shown_once_each(plan, clips):
    still = [clip[:1] for clip in clips]
    image = np.asarray(board.storyboard(plan, still))
    frame = still[0][0]
    cells = near(image, frame[0, 0].astype(int), 2).sum() / (board.CELL * board.CELL * 32 / 48)
    assert 0.3 < cells <= 1


def test_boxes_are_drawn_where_the_plan_has_them(plan, clips):
    cell = board._cell(clips[0][0], {"cat": (0.2, 0.25, 0.8, 0.75)}, {"cat": "#0072b2"}, "1/16")
    tall = round(board.CELL * 32 / 48)
    blue = near(np.asarray(cell)[:tall], (0x00, 0x72, 0xB2))
    ys, xs = np.nonzero(blue[round(0.5 * tall) :])
    assert xs.min() == pytest.approx(0.2 * board.CELL, abs=3)
    assert xs.max() == pytest.approx(0.8 * board.CELL, abs=3)
    assert ys.max() + round(0.5 * tall) == pytest.approx(0.75 * tall, abs=3)


def test_a_name_has_one_colour_in_the_whole_film(plan):
    colours = board._entity_colours(plan)
    assert set(colours) == {"cat", "dog"}
    assert colours["cat"] != colours["dog"]


unit = st.floats(0, 1)


@given(
    boxes=st.lists(st.tuples(unit, unit, unit, unit), min_size=1, max_size=7),
    names=st.lists(st.text("abcdef ", min_size=1, max_size=14), min_size=7, max_size=7),
)
def test_names_stay_inside_the_frame(boxes, names):
    taken = []
    for (xa, ya, xb, yb), name in zip(boxes, names, strict=False):
        box = tuple(v * board.CELL for v in (min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)))
        x0, y0, x1, y1 = board._free_spot(board._chip_size(name), box, taken, board.CELL)
        assert 0 <= x0 < x1 <= board.CELL
        assert 0 <= y0 < y1 <= board.CELL
        taken.append((x0, y0, x1, y1))


def test_names_of_equal_boxes_do_not_cover_each_other():
    box, taken = (50.0, 100.0, 150.0, 200.0), []
    for name in ("cat", "dog", "cow", "pig", "fox", "owl", "bee"):
        spot = board._free_spot(board._chip_size(name), box, taken, board.CELL)
        assert not any(board._overlap(spot, other) for other in taken)
        taken.append(spot)


def test_box_from_edge_to_edge_can_be_drawn(clips):
    boxes = {"sky": (0.0, 0.0, 1.0, 1.0), "dot": (0.5, 0.5, 0.5001, 0.5001)}
    cell = board._cell(clips[0][0], boxes, {"sky": "#0072b2", "dot": "#d55e00"}, "")
    assert isinstance(cell, Image.Image)


@given(st.text(max_size=300))
def test_any_text_is_wrapped_to_its_width(text):
    font = board._font(29)
    lines = board._wrap(board._drawable(text), font, 400)
    assert lines
    assert all(font.getlength(line) <= 400 for line in lines)


def test_wrapping_loses_no_word():
    text = "A cat drives a red car to the beach and " + "x" * 200 + " ends"
    lines = board._wrap(text, board._font(29), 400)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_letters_that_the_font_lacks_become_plain():
    assert board._drawable("café → “ok” 猫") == "cafe -> “ok” ?"
