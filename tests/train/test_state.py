"""One step of training: its parts, precision, rate, and what it does with numbers that are none."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.train.parallel import spread
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, in_dtype, make_train_step

pytestmark = pytest.mark.loose_dtypes  # optax mixes them

SCHEDULE = Schedule(
    steps=100, batch_size=8, learning_rate=0.01, warmup_steps=5, clip_norm=0.1, ema_decay=0.9
)


@pytest.fixture(autouse=True, scope="module")
def quickly():
    """Compile in little time, not well."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def network():
    """(trained, frozen): two layers, the first frozen, with a table of whole numbers."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 6, 6)).astype(np.float32)
    frozen = {"kernel": jnp.asarray(first), "ids": jnp.arange(8)}
    return {"kernel": jnp.asarray(second), "bias": jnp.zeros(6)}, frozen


def batch_of(step):
    x = np.random.default_rng([5, step]).normal(size=(8, 6)).astype(np.float32)
    return {"x": x, "y": np.tanh(x[:, ::-1]).copy()}


def draw(key, shapes):
    return {"noise": jax.random.normal(key, shapes["x"].shape)}


def loss(params, frozen, batch, key):
    """Of the target plus noise; the network works in the dtype of its parameters."""
    noise = batch["noise"] if "noise" in batch else draw(key, batch)["noise"]
    dtype = frozen["kernel"].dtype
    hidden = jnp.tanh(batch["x"].astype(dtype) @ frozen["kernel"])
    guess = (hidden @ params["kernel"] + params["bias"][None]).astype(jnp.float32)
    return ((guess - batch["y"] - 0.1 * noise) ** 2).mean(), {"size": jnp.abs(guess).mean()}


def train(schedule, steps, *, loss=loss, over=None, frozen=None, batch_of=batch_of, **options):
    """(state, frozen, metrics of every step)."""
    params, given = network()
    frozen = given if frozen is None else frozen
    state = create_state(params, schedule)
    if over is not None:
        state, frozen = over.place(state, frozen)
    step, told = make_train_step(loss, schedule, over, **options), []
    for number in range(steps):
        state, metrics = step(state, frozen, batch_of(number))
        told.append({name: float(value) for name, value in metrics.items()})
    return state, frozen, told


def leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(tree)]


def assert_close(tree, other, **tolerance):
    for one, two in zip(leaves(tree), leaves(other), strict=True):
        np.testing.assert_allclose(one, two, **tolerance)


# --- parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [2, 8])
def test_parts_one_after_another_are_the_whole_batch(parts):
    """The same draws, gradients and metrics, summed in another order."""
    whole, _, told = train(SCHEDULE, 10, draw=draw)
    state, _, told_in_parts = train(replace(SCHEDULE, accumulate=parts), 10, draw=draw)
    assert_close(state, whole, rtol=1e-4, atol=1e-6)
    for one, other in zip(told, told_in_parts, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_what_is_drawn_for_a_batch_does_not_depend_on_who_draws_it():
    """A loss that draws for itself has the numbers of one that is given them."""
    one, _, told = train(SCHEDULE, 5)
    other, _, told_given = train(SCHEDULE, 5, draw=draw)
    assert_close(one, other, rtol=1e-5, atol=1e-7)
    assert told[-1] == pytest.approx(told_given[-1], rel=1e-5)


def test_parts_of_a_loss_that_draws_for_itself_have_draws_of_their_own():
    seen = []

    def watched(params, frozen, batch, key):
        jax.debug.callback(lambda bits: seen.append(tuple(bits.tolist())), jax.random.key_data(key))
        return loss(params, frozen, batch, key)

    train(replace(SCHEDULE, accumulate=4), 2, loss=watched)
    jax.effects_barrier()
    assert len(seen) == len(set(seen)) == 8


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"accumulate": 3}, "accumulate is 3: a batch of 8 cannot be cut into so many equal parts"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"precision": "float16"}, "precision 'float16' is unknown: use float32 or bfloat16"),
        ({"frozen_dtype": "int8"}, "frozen_dtype 'int8' is unknown: use float32 or bfloat16"),
        ({"decay": "linear"}, "decay 'linear' is unknown: use cosine or constant"),
    ],
    ids=str,
)
def test_a_schedule_that_cannot_be_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        replace(SCHEDULE, **wrong)


def test_rows_that_cannot_be_cut_are_refused_when_they_come():
    with pytest.raises(UserError, match="accumulate is 8: the 6 rows of a device cannot be cut"):
        train(
            replace(SCHEDULE, accumulate=8),
            1,
            batch_of=lambda step: {name: x[:6] for name, x in batch_of(step).items()},
        )


# --- precision and freezing ----------------------------------------------------------------------


def test_bfloat16_computes_in_half_and_learns_in_whole_precision():
    seen = {}

    def watched(params, frozen, batch, key):
        seen.update(params=params["kernel"].dtype, frozen=frozen["kernel"].dtype)
        seen.update(ids=frozen["ids"].dtype)
        return loss(params, frozen, batch, key)

    half = replace(SCHEDULE, precision="bfloat16", frozen_dtype="bfloat16")
    stored = in_dtype(network()[1], half.frozen_dtype)
    assert stored["kernel"].dtype == jnp.bfloat16
    state, _, told = train(half, 60, loss=watched, frozen=stored)
    assert seen == {"params": jnp.bfloat16, "frozen": jnp.bfloat16, "ids": jnp.int32}
    for leaf in leaves((state.params, state.ema, state.opt_state)):
        assert leaf.dtype in (np.float32, np.int32)
    # Steps smaller than what bfloat16 can tell from 1 add up, as they would not in it.
    whole, _, told_whole = train(SCHEDULE, 60)
    assert told[-1]["loss"] == pytest.approx(told_whole[-1]["loss"], rel=0.05)
    begun = leaves(network()[0])
    for one, other, start in zip(leaves(state.params), leaves(whole.params), begun, strict=True):
        assert np.corrcoef((one - start).ravel(), (other - start).ravel())[0, 1] > 0.98


def test_in_float32_a_frozen_part_kept_in_half_is_widened():
    seen = {}

    def watched(params, frozen, batch, key):
        seen.update(frozen=frozen["kernel"].dtype)
        return loss(params, frozen, batch, key)

    train(SCHEDULE, 1, loss=watched, frozen=in_dtype(network()[1], "bfloat16"))
    assert seen == {"frozen": jnp.float32}


@pytest.mark.parametrize(
    ("kind", "dtype"), [(None, "float32"), ("mesh", "bfloat16"), ("pmap", "bfloat16")]
)
def test_what_is_frozen_keeps_its_bits_after_a_hundred_steps(kind, dtype):
    schedule = replace(SCHEDULE, precision=dtype, frozen_dtype=dtype, weight_decay=0.1)
    over = spread(kind, batch_size=8) if kind else None
    feed = over.feed if over is not None else lambda batch: batch
    before = in_dtype(network()[1], dtype)
    state, frozen, _ = train(
        schedule, 100, over=over, frozen=before, batch_of=lambda n: feed(batch_of(n)), draw=draw
    )
    if over is not None:
        state, frozen = over.fetch((state, frozen))
    for one, other in zip(leaves(frozen), leaves(before), strict=True):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    for one, other in zip(leaves(state.params), leaves(network()[0]), strict=True):
        assert (one != other).all()


# --- rate ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("warmup", [0, 4])
@pytest.mark.parametrize("decay", ["constant", "cosine"])
def test_the_rate_warms_up_and_then_stays_or_falls(decay, warmup):
    """Adam moves a parameter whose gradient stays the same by the rate."""
    schedule = Schedule(steps=20, batch_size=1, learning_rate=0.5, warmup_steps=warmup, decay=decay)
    step = make_train_step(lambda params, frozen, batch, key: (params["a"], {}), schedule)
    state = create_state({"a": jnp.float32(0.0)}, schedule)
    values = [0.0]
    for _ in range(20):
        state, _ = step(state, {}, {})
        values.append(float(state.params["a"]))
    rates = -np.diff(values)
    for number, rate in enumerate(rates):
        if number < warmup:
            wanted = 0.5 * number / warmup
        elif decay == "constant":
            wanted = 0.5
        else:
            along = (number - warmup) / (20 - warmup)
            low = schedule.final_fraction
            wanted = 0.5 * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * along)))
        assert rate == pytest.approx(wanted, rel=1e-3, abs=1e-6)


# --- numbers that are none -----------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("parts", [1, 4])
def test_a_step_that_is_not_finite_changes_nothing_but_its_number(bad, parts):
    def spoilt(number):
        batch = batch_of(number)
        if number == 3:
            batch["y"][5, 2] = bad
        return batch

    schedule = replace(SCHEDULE, accumulate=parts)
    before, _, _ = train(schedule, 3, draw=draw)
    after, _, told = train(schedule, 4, draw=draw, batch_of=spoilt)
    assert [values["finite"] for values in told] == [1.0, 1.0, 1.0, 0.0]
    assert not math.isfinite(told[3]["loss"])
    assert int(after.step) == 4
    assert_close(replace(after, step=before.step), before, rtol=0, atol=0)
    # And it goes on from there.
    later, _, told = train(schedule, 6, draw=draw, batch_of=spoilt)
    assert [values["finite"] for values in told[4:]] == [1.0, 1.0]
    assert (leaves(later.params)[1] != leaves(after.params)[1]).all()


def test_a_gradient_alone_can_be_what_is_not_finite():
    def steep(params, frozen, batch, key):
        # The square root of nothing is finite, its slope is not.
        return jnp.sqrt(jnp.abs(params["bias"]).sum()), {}

    state, _, told = train(SCHEDULE, 2, loss=steep)
    assert [values["loss"] for values in told] == [0.0, 0.0]
    assert [values["finite"] for values in told] == [0.0, 0.0]
    assert_close(state.params, network()[0], rtol=0, atol=0)
