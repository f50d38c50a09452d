import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.plan import PlanError
from vdjax.widgets.layout_picture import as_clip, draw_layout, layout_words


def coloured(picture, colour, tolerance=12):
    """How many pixels have a colour, nearly."""
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return int((np.abs(np.asarray(picture).astype(int) - wanted).max(axis=-1) < tolerance).sum())


def test_a_scene_is_drawn_with_a_colour_per_name(plan):
    first, second = draw_layout(plan, 1), draw_layout(plan, 2)
    assert coloured(first, "#d55e00") > 500
    assert coloured(first, "#0072b2") == 0, "the dog is not in scene 1"
    assert coloured(second, "#0072b2") > 200


def test_frames_lie_under_the_boxes(plan):
    frames = np.zeros((5, 20, 20, 3), np.uint8)
    frames[0], frames[2], frames[4] = (10, 200, 10), (10, 10, 200), (200, 10, 200)
    picture = draw_layout(plan, 1, frames)
    for colour in ("#0ac80a", "#0a0ac8", "#c80ac8"):
        assert coloured(picture, colour, 4) > 5000, "first, middle and last keyframe"


def test_words_say_who_goes_where_and_when(plan):
    assert layout_words(plan, 1).endswith(
        "cat: centre at 25% from the left and 70% from the top, 40% wide and 40% high"
        " to centre at 65% from the left and 70% from the top, 40% wide and 40% high"
    )
    assert "dog (keyframes 6 to 9): centre at 70%" in layout_words(plan, 2)


def test_what_cannot_be_drawn_is_said(plan):
    with pytest.raises(PlanError, match="there is no scene 3"):
        draw_layout(plan, 3)
    with pytest.raises(UserError, match=r"frames are float64 of shape \(2, 2\)"):
        as_clip(np.zeros((2, 2)))
