"""Boxes say what the pixels say: the alpha is recovered from a black and a white backdrop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdjax.data.storybook import LOOKS, NAMES, render_plan_frames
from vdjax.data.storybook.backgrounds import background
from vdjax.data.storybook.compose import SOLID, compose
from vdjax.errors import UserError

SIZE = 64


def solid_box(name, look, box, mirrored):
    """The box of solid pixels as the pictures show it, in shares of the frame, or None."""
    path = np.array([box])
    pictures = []
    for level in (0, 255):
        backdrop = np.full((SIZE, SIZE, 3), level, np.uint8)
        frames, _, _ = compose([backdrop], [(name, look, path, np.ones(1, bool), mirrored)])
        pictures.append(frames[0].astype(int))
    alpha = 255 - (pictures[1] - pictures[0]).min(-1)
    rows, columns = (np.flatnonzero((alpha >= SOLID).any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / SIZE


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    look=st.sampled_from(LOOKS),
    x=st.floats(-0.3, 0.9),
    y=st.floats(-0.3, 0.9),
    width=st.floats(0.15, 0.7),
    height=st.floats(0.15, 0.7),
    mirrored=st.booleans(),
)
def test_boxes_are_tight_to_the_pixels(name, look, x, y, width, height, mirrored):
    box = (x, y, x + width, y + height)
    backdrop = np.zeros((SIZE, SIZE, 3), np.uint8)
    thing = (name, look, np.array([box]), np.ones(1, bool), mirrored)
    _, boxes, visible = compose([backdrop], [thing])
    found = solid_box(name, look, box, mirrored)
    assert visible[0, 0] == (found is not None)
    if found is not None:
        # Blending rounds alpha by one step, which can move an edge of soft art by a pixel.
        np.testing.assert_allclose(boxes[0, 0], found, atol=1.01 / SIZE)
        assert (boxes >= 0).all() and (boxes <= 1).all()  # noqa: PT018
    if x >= 0 and y >= 0 and x + width <= 1 and y + height <= 1:
        # Art fills the box it was asked to fill.
        np.testing.assert_allclose(boxes[0, 0], box, atol=2.6 / SIZE)


def test_later_things_are_in_front():
    backdrop = np.zeros((SIZE, SIZE, 3), np.uint8)
    box, shown = np.array([[0.2, 0.2, 0.8, 0.8]]), np.ones(1, bool)
    apple = ("apple", "noto", box, shown, False)
    ball = ("ball", "noto", box, shown, False)
    front = compose([backdrop], [apple, ball])[0][0, 20:44, 20:44]
    alone = compose([backdrop], [ball])[0][0, 20:44, 20:44]
    np.testing.assert_array_equal(front, alone)


def test_a_plan_is_rendered_where_it_says_and_only_when_visible():
    boxes = np.tile([0.25, 0.25, 0.75, 0.75], (4, 1))
    visible = [True, True, False, True]
    frames = render_plan_frames("beach", 5, [("cat", "noto", boxes, visible, False)], SIZE, 4)
    empty = background("beach", 5, SIZE)
    assert frames.shape == (4, SIZE, SIZE, 3)
    np.testing.assert_array_equal(frames[2], empty)
    changed = (frames[0] != empty).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert abs(rows[0] - 16) <= 2
    assert abs(rows[-1] - 47) <= 2
    assert abs(columns[0] - 16) <= 2
    assert abs(columns[-1] - 47) <= 2


def test_nan_where_a_thing_is_absent_is_fine():
    boxes = np.full((2, 4), np.nan)
    boxes[0] = (0.1, 0.1, 0.5, 0.5)
    frames = render_plan_frames("park", 1, [("dog", "noto", boxes, [True, False], True)], SIZE, 2)
    np.testing.assert_array_equal(frames[1], background("park", 1, SIZE))


def test_boxes_that_do_not_fit_the_frames_are_refused():
    with pytest.raises(UserError, match=r"'cat' has boxes of shape \(3, 4\).*16 frames need"):
        render_plan_frames("park", 1, [("cat", "noto", np.zeros((3, 4)), [True] * 3, False)])
