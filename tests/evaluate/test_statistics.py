"""Intervals against published and worked values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.evaluate import statistics


def test_wilson_against_a_published_value():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, and 1 of 29.
    figure = statistics.share([True] * 81 + [False] * 182)
    assert figure.value == pytest.approx(81 / 263)
    assert (figure.low, figure.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    figure = statistics.share([True] + [False] * 28)
    assert (figure.low, figure.high) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_no_plans_no_figure():
    assert statistics.share([]) == statistics.NO_FIGURE == statistics.mean([])


def test_equal_values_leave_no_doubt():
    figure = statistics.mean([0.25] * 7)
    assert (figure.value, figure.low, figure.high, figure.plans) == (0.25, 0.25, 0.25, 7)


def test_bootstrap_comes_close_to_the_normal_interval():
    values = np.random.default_rng(0).normal(0.6, 0.1, 200)
    figure = statistics.mean(values.tolist())
    half = 1.96 * values.std() / np.sqrt(200)
    assert figure.low == pytest.approx(values.mean() - half, abs=2e-3)
    assert figure.high == pytest.approx(values.mean() + half, abs=2e-3)


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_share_lies_in_its_interval_within_0_and_1(passed):
    figure = statistics.share(passed)
    assert 0 <= figure.low <= figure.value <= figure.high <= 1
    assert figure.high - figure.low > 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_a_mean_lies_in_its_interval_and_is_the_same_again(values):
    figure = statistics.mean(values)
    assert figure.low <= figure.value <= figure.high
    assert figure == statistics.mean(values)
