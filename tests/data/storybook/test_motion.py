"""Paths do what their name says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdjax.data.storybook.motion import KINDS, LEAST_INSIDE, draw_path, inside


def centres(path):
    return (path.boxes[:, :2] + path.boxes[:, 2:]) / 2


def widths(path):
    return path.boxes[:, 2] - path.boxes[:, 0]


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    width=st.floats(0.2, 0.7),
    height=st.floats(0.2, 0.7),
    place=st.sampled_from(["ground", "sky", "water", "any"]),
)
def test_a_path_moves_as_it_says(seed, width, height, place):
    path = draw_path(np.random.default_rng(seed), width, height, place, 16)
    x, y = centres(path).T
    steps = np.diff(x), np.diff(y)
    assert np.isfinite(path.boxes).all()
    assert path.present.any()
    if path.kind == "slide":
        along = steps[0] if path.direction in ("left", "right") else steps[1]
        sign = 1 if path.direction in ("right", "down") else -1
        assert (along * sign > 0).all()
        assert 0.24 <= abs(along.sum()) <= 0.71
    elif path.kind == "grow":
        assert (np.diff(widths(path)) > 0).all()
        assert widths(path)[-1] / widths(path)[0] > 1.6
    elif path.kind == "shrink":
        assert (np.diff(widths(path)) < 0).all()
    elif path.kind == "bounce":
        assert y.max() - y.min() > 0.05
        assert {"right": x[-1] > x[0], "left": x[-1] < x[0], "": x[-1] == x[0]}[path.direction]
    elif path.kind == "arc":
        assert y.min() < min(y[0], y[-1]) - 0.1
        assert (x[-1] > x[0]) == (path.direction == "right")
    elif path.kind == "circle":
        np.testing.assert_allclose(centres(path)[0], centres(path)[-1], atol=1e-9)
        turn = np.cross(
            np.c_[steps[0], steps[1], 0 * steps[0]][:-1],
            np.c_[steps[0], steps[1], 0 * steps[0]][1:],
        )
        # y grows downwards, so a positive turn is clockwise on the screen.
        assert (turn[:, 2] > 0).all() == (path.direction == "clockwise")
    elif path.kind == "appear":
        assert not path.present[0]
        assert path.present[-1]
    elif path.kind == "disappear":
        assert path.present[0]
        assert not path.present[-1]
    elif path.kind in ("enter", "leave"):
        assert (x[-1] > x[0]) == (path.direction == "right")
        assert path.present[-1] == (path.kind == "enter")
        assert path.present[0] == (path.kind == "leave")
    else:
        assert path.kind == "still"
        assert np.ptp(path.boxes, axis=0).max() == 0


def test_lasting_things_are_there_in_every_frame():
    for seed in range(300):
        path = draw_path(np.random.default_rng(seed), 0.3, 0.3, "ground", 16, lasting=True)
        assert path.present.all(), path.kind


def test_all_kinds_of_motion_come_up_as_often_as_declared():
    kinds = [draw_path(np.random.default_rng(s), 0.4, 0.4, "any", 16).kind for s in range(3000)]
    for kind, share in KINDS:
        assert kinds.count(kind) / 3000 == pytest.approx(share * 0.85, abs=0.03)
    assert sum(map(kinds.count, ("appear", "disappear", "enter", "leave"))) / 3000 == pytest.approx(
        0.15, abs=0.03
    )
    assert sum(share for _, share in KINDS) == pytest.approx(1)


def test_inside_measures_the_share_of_the_box():
    boxes = np.array([[0.0, 0.0, 0.5, 0.5], [-0.5, 0.0, 0.5, 0.5], [-0.9, 0.0, 0.1, 0.5]])
    assert inside(boxes).tolist() == [True, True, LEAST_INSIDE <= 0.1]


def test_a_single_frame_is_a_path_too():
    assert draw_path(np.random.default_rng(0), 0.3, 0.3, "any", 1, lasting=True).boxes.shape == (
        1,
        4,
    )
