"""The benchmarks compare like with like, and say what they found; nothing is timed here."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import compare, results, train
from benchmarks.flops import count_flops
from benchmarks.layouts import LEARNING_RATE
from benchmarks.options import Options
from benchmarks.sizes import SIZES
from benchmarks.table import TIMED, Table, add_timed
from benchmarks.timing import Times, alternate

TINY = SIZES["tiny"]

# torch's arrays, as numpy sees those that its DPM-Solver++ makes
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def options():
    return Options(sizes=(TINY,), sides=("vdjax", "eager"), steps=3)


@pytest.mark.parametrize("kind", ["forward", "step", "clip"])
def test_both_sides_compute_the_same(kind, options, same):
    pair = compare.pair_of(TINY, options)
    ours, theirs = (getattr(pair.sides[side], kind)() for side in ("vdjax", "eager"))
    expected = theirs.result()
    assert expected.shape == (1, TINY.frames, TINY.side, TINY.side, 4)
    limit = {"limit": 1e-5 if kind == "forward" else 1e-4}
    same(f"benchmark, {kind}", ours.result(), expected, **limit)
    # A job that is run again gives the same again: no state is carried from one run to the next.
    np.testing.assert_array_equal(theirs.result(), expected)
    assert compare.difference(ours.result(), expected) <= limit["limit"]


@pytest.mark.loose_dtypes  # optax counts steps in whole numbers
def test_training_steps_learn_the_same(options, same):
    """Five steps from the same weights: the same losses, and gates that moved alike."""
    ours, theirs = (train.sides_of(TINY, options)[side] for side in ("vdjax", "eager"))
    before = ours.gates()
    np.testing.assert_allclose(theirs.gates(), before, rtol=1e-6)
    jobs = ours.train(), theirs.train()
    losses = np.array([[job.result()[0] for job in jobs] for _ in range(5)])
    same("benchmark, training losses", losses[:, 0], losses[:, 1], limit=1e-5)
    assert losses[-1, 0] < losses[0, 0]
    moved, expected = ((side.gates() - before) / LEARNING_RATE for side in (ours, theirs))
    same("benchmark, what gates learnt", moved, expected, limit=1e-3)


def test_every_scheduler_is_the_same_on_both_sides(same):
    for name in ("ddim", "pndm"):
        options = Options(sizes=(TINY,), sides=("vdjax", "eager"), steps=3, scheduler=name)
        pair = compare.pair_of(TINY, options)
        ours, theirs = (pair.sides[side].clip().result() for side in ("vdjax", "eager"))
        same(f"benchmark, clip of {name}", ours, theirs, limit=1e-4)


def test_operations_grow_with_the_work(options):
    ours = compare.pair_of(TINY, options).ours
    forward, step, clip = (ours.flops(kind) for kind in ("forward", "step", "clip"))
    assert step == 2 * forward
    assert clip == 3 * step


def test_operations_are_counted_through_loops_and_branches():
    image, kernel, matrix = jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 5)), jnp.ones((4, 4))

    def run(image, kernel, matrix):
        names = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(image, kernel, (2, 2), "SAME", dimension_numbers=names)
        z = jax.lax.map(lambda row: row @ matrix, jnp.stack([matrix] * 6))
        return y, jax.lax.cond(z[0, 0, 0] > 0, lambda m: m @ m @ m, lambda m: m @ m, matrix)

    counted = count_flops(jax.make_jaxpr(jax.jit(run))(image, kernel, matrix).jaxpr)
    assert counted == 2 * (4 * 4 * 5) * (3 * 3 * 3) + (6 + 2) * 2 * 4**3


def test_sides_that_differ_are_not_timed(options):
    class Answers:
        def __init__(self, value):
            self.value = value

        def result(self):
            return np.full((2, 2), self.value, np.float32)

    jobs = {"vdjax": Answers(1.0), "eager": Answers(1.01)}
    with pytest.raises(RuntimeError, match="vdjax and eager are"):
        compare.warm_up(jobs, options)
    assert compare.warm_up({**jobs, "vdjax": Answers(1.01)}, options) == ({"vdjax": 0.0}, {})


def test_a_compiler_that_fails_is_said_and_the_rest_goes_on(options):
    class Fails:
        def result(self):
            raise OSError("no such compiler\nand much more")

    differences, failures = compare.warm_up({"compile": Fails()}, options)
    assert differences == {}
    assert failures == {"compile": "it fails here with OSError: no such compiler"}
    with pytest.raises(OSError, match="no such compiler"):
        compare.warm_up({"eager": Fails()}, options)


def test_a_size_that_does_not_fit_is_left_out(options, monkeypatch):
    monkeypatch.setattr(compare.machine, "free_bytes", lambda device: 1000)
    table = compare.timed_table("UNet forward", "", "forward", options)
    assert "not measured: needs 0.0 GiB of memory, 0.0 GiB are free" in str(table)
    # The full size in float32 needs its 5.26 GiB of weights twice, and a margin.
    assert "needs 13.7 GiB of memory" in compare.too_large(SIZES["full"], options)


def test_sides_take_turns():
    order = []

    def run(name):
        return lambda: float(order.append(name) is None)

    times = alternate({name: run(name) for name in "abc"}, 3)
    assert "".join(order) == "abcbcacab"
    assert times["a"].seconds == [1.0, 1.0, 1.0]


def test_a_ratio_is_of_the_same_round():
    ours, theirs = Times([1.0, 20.0, 3.0]), Times([2.0, 40.0, 3.0])
    assert ours.ratio(theirs) == 0.5
    assert ours.median == 3.0
    assert ours.spread == (1.0, 20.0)


def test_a_table_says_what_was_measured_and_what_was_not():
    table = Table("UNet forward", "About it.", TIMED)
    times = {"vdjax": Times([1.0, 2.0]), "eager": Times([4.0, 4.0])}
    add_timed(
        table,
        "mid, CPU, float32",
        times,
        flops=30e9,
        limit=40e9,
        differences={"vdjax": 2e-6},
        failures={"compile": "it fails here"},
    )
    lines = str(table).splitlines()
    assert lines[0] == "### UNet forward"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:] if line]
    assert len({len(row) for row in rows}) == 1
    numbers = ["1.5 s", "1 s to 2 s", "", "20", "50%", "2.0e-06"]
    assert rows[2] == ["mid, CPU, float32", "vdjax", *numbers]
    assert rows[3][4:7] == ["0.38", "7.5", "19%"]
    assert rows[4][1:3] == ["PyTorch, torch.compile", "not measured: it fails here"]
    assert rows[4][3:] == [""] * 5


def test_results_hold_one_section_per_machine(tmp_path):
    path = tmp_path / "RESULTS.md"
    results.save("A, 2 processors", "first", path)
    results.save("B, 4 processors", "other", path)
    before = path.read_text()
    assert before.startswith("# Benchmarks\n")
    results.save("A, 2 processors", "### Table\n\nsecond", path)
    after = path.read_text()
    assert after == before.replace("first", "### Table\n\nsecond")
    assert after.count("\n## ") == 2
