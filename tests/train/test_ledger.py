"""What is said of steps: how fast they are, what held them up, and what they cost."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.runtime import jit
from vdjax.train import ledger
from vdjax.train.ledger import WINDOW, Pace, flops_of


@pytest.fixture
def clock(monkeypatch):
    """The time of day, which only moves when it is told to."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(ledger.time, "monotonic", lambda: Clock.now)
    return Clock


def paced(clock, seconds, *, total=1000, batch_size=8, held=0.0):
    """A run whose steps took these seconds, with so much of each spent waiting."""
    pace = Pace(0, total, batch_size)
    for step, took in enumerate(seconds, 1):
        clock.now += took
        pace.held += held
        pace.finished(step, clock.now)
    return pace


def test_speed_is_that_of_the_last_steps(clock):
    slow, fast = [1.0] * 40, [0.25] * WINDOW
    assert paced(clock, slow).rates()["samples_per_second"] == pytest.approx(8)
    assert paced(clock, slow + fast).rates()["samples_per_second"] == pytest.approx(32)


def test_compiling_is_not_speed(clock):
    """The first step is compiled; from the second on it does not count."""
    assert paced(clock, [60.0]).rates()["samples_per_second"] == pytest.approx(8 / 60)
    assert paced(clock, [60.0, 0.5]).rates()["samples_per_second"] == pytest.approx(16)


def test_the_share_of_waiting_is_of_the_same_time(clock):
    assert paced(clock, [0.5] * 30, held=0.125).rates()["wait_share"] == pytest.approx(0.25)
    assert paced(clock, [0.5] * 30).rates()["wait_share"] == 0


def test_looking_on_is_not_training(clock):
    """What watchers took between two steps is left out of the speed of the steps around them."""
    pace = paced(clock, [0.5] * 10)
    clock.now += 30.5  # half a second for the step, the rest for the watchers
    pace.finished(11, clock.now)
    pace.leave_out(30.0)
    assert pace.rates()["samples_per_second"] == pytest.approx(16)
    clock.now += 0.5
    pace.finished(12, clock.now)
    assert pace.rates()["samples_per_second"] == pytest.approx(16)


def test_the_line_says_all_of_it(clock):
    pace = paced(clock, [0.5] * 30, total=7230, held=0.125)
    assert pace.line() == "30/7230  ETA 1:00:00  16.0 samples/s  0.5 s/step  waiting 25 %"
    pace.flops = 3e12
    assert pace.rates()["tflops_per_second"] == pytest.approx(6)
    assert "  0.5 s/step  6 TFLOP/s  waiting 25 %" in pace.line()


def product(a, b):
    return a @ b


@pytest.mark.parametrize("compiled", [jit, jax.jit], ids=["ours", "jax's"])
def test_operations_are_counted_from_the_compiled_program(compiled):
    """A product of n × n matrices takes n³ multiplications and as many additions."""
    a = jnp.ones((64, 64))
    assert flops_of(compiled(product), 1, a, np.ones((64, 64), np.float32)) == pytest.approx(
        2 * 64**3, rel=0.05
    )


def test_what_was_given_up_can_still_be_counted():
    step = jax.jit(lambda a: a @ a, donate_argnums=0)
    a = jnp.ones((64, 64))
    step(a)
    assert a.is_deleted()
    assert flops_of(step, 1, a) == pytest.approx(2 * 64**3, rel=0.05)


def test_rounds_of_a_loop_are_counted_by_who_knows_them():
    def rounds(rows, kernel):
        return jax.lax.scan(lambda total, x: (total + (x @ kernel).sum(), None), 0.0, rows)[0]

    given = jnp.ones((4, 64, 64)), jnp.ones((64, 64))
    assert flops_of(jax.jit(rounds), 4, *given) == pytest.approx(4 * 2 * 64**3, rel=0.05)


def test_where_nobody_counts_nothing_is_said():
    assert flops_of(product, 1, jnp.ones((2, 2)), jnp.ones((2, 2))) is None
