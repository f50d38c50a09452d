"""Guidance, and how many steps the layout guides."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.sample.guidance import gated_steps, guide

BOTH = jnp.arange(16, dtype=jnp.float32).reshape(4, 1, 2, 2, 1) ** 2


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 9.0])
def test_guidance_goes_from_the_unconditional_half_past_the_conditional(scale):
    guided = guide(BOTH, jnp.float32(scale))
    np.testing.assert_allclose(guided, BOTH[:2] + scale * (BOTH[2:] - BOTH[:2]))


def test_scale_one_is_conditional_and_zero_unconditional():
    np.testing.assert_array_equal(guide(BOTH, jnp.float32(1)), BOTH[2:])
    np.testing.assert_array_equal(guide(BOTH, jnp.float32(0)), BOTH[:2])


@pytest.mark.parametrize(
    ("alpha", "steps", "expected"),
    [
        (0.0, 50, 0),
        (1.0, 50, 50),
        (0.1, 50, 5),
        (0.3, 50, 15),
        (0.29, 100, 29),  # 28.999999999999996 in binary
        (0.57, 100, 57),  # 56.99999999999999
        (0.7, 10, 7),
        (1 / 3, 3, 1),
        (0.6, 16, 9),  # 9.6
        (0.99, 10, 9),
        (0.09, 10, 0),
        (0.999, 16, 15),
    ],
)
def test_the_switch_is_the_whole_part(alpha, steps, expected):
    assert gated_steps(alpha, steps) == expected


@given(percent=st.integers(0, 100), steps=st.integers(1, 500))
def test_the_switch_is_exact_for_every_percentage(percent, steps):
    assert gated_steps(percent / 100, steps) == int(Decimal(percent) / 100 * steps)


@given(part=st.fractions(0, 1, max_denominator=500))
def test_a_share_of_the_steps_is_that_many_steps(part: Fraction):
    assert gated_steps(float(part), part.denominator) == part.numerator


@given(alpha=st.floats(0, 1), more=st.floats(0, 1), steps=st.integers(1, 500))
def test_more_alpha_is_never_fewer_steps(alpha, more, steps):
    low, high = sorted((alpha, more))
    assert 0 <= gated_steps(low, steps) <= gated_steps(high, steps) <= steps
