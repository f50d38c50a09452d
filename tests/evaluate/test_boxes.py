"""Overlap and doubles, on boxes whose answers can be worked out by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vdjax.evaluate.boxes import area, intersection, iou, without_doubles


@st.composite
def boxes(draw, most=5):
    corners = draw(
        hnp.arrays(
            np.float64,
            st.tuples(st.integers(1, most), st.just(2), st.just(2)),
            elements=st.floats(0, 1, width=16),
        )
    )
    corners.sort(axis=1)
    return corners.reshape(-1, 4)


def test_half_overlap_is_a_third():
    left, right = np.array([[0.0, 0.0, 0.4, 0.5]]), np.array([[0.2, 0.0, 0.6, 0.5]])
    np.testing.assert_allclose(iou(left, right), [[1 / 3]])
    np.testing.assert_allclose(intersection(left, right), [[0.1]])
    np.testing.assert_allclose(area(left), [0.2])


def test_boxes_that_touch_share_nothing():
    assert iou(np.array([[0.0, 0.0, 0.5, 0.5]]), np.array([[0.5, 0.0, 1.0, 0.5]])) == 0


def test_no_boxes_at_all():
    none = np.zeros((0, 4))
    assert iou(none, np.ones((3, 4))).shape == (0, 3)
    assert len(without_doubles(none, np.zeros(0), 0.5)) == 0


def test_the_better_of_two_doubles_stays():
    pair = np.array([[0.1, 0.1, 0.5, 0.5], [0.12, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]])
    kept = without_doubles(pair, np.array([0.4, 0.9, 0.5]), 0.5)
    assert kept.tolist() == [1, 2]


@given(boxes(), boxes())
def test_overlap_is_symmetric_and_at_most_one(a, b):
    overlap = iou(a, b)
    assert overlap.shape == (len(a), len(b))
    assert (overlap >= 0).all()
    assert (overlap <= 1 + 1e-9).all()
    np.testing.assert_allclose(overlap, iou(b, a).T)


@given(boxes())
def test_a_box_with_area_overlaps_itself_wholly(a):
    solid = area(a) > 1e-6
    np.testing.assert_allclose(np.diag(iou(a, a))[solid], 1.0)


@given(boxes(), st.floats(0, 0.9))
def test_what_stays_does_not_overlap_and_what_goes_does(a, limit):
    scores = np.linspace(1, 0.1, len(a))
    kept = without_doubles(a, scores, limit)
    overlap = iou(a, a)
    for at in range(len(a)):
        better = [other for other in kept if scores[other] > scores[at]]
        assert (at in kept) == all(overlap[at, other] <= limit for other in better)
