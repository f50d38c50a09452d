"""Steps over several devices: the numbers of one, and one reduction between them.

Devices are made of the CPU before JAX starts, so each run is a process of its own (spreading.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.train.parallel import spread
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, make_train_step

PROGRAM = Path(__file__).with_name("spreading.py")
DENSE = ("one", "one_in_parts", "mesh", "mesh_in_parts", "mesh_left_whole", "fsdp", "pmap")
PICTURES = ("pictures_one", "pictures_mesh", "pictures_fsdp", "pictures_pmap")
STEPS = 20


@pytest.fixture(scope="module")
def four_devices(tmp_path_factory):
    """What every case learnt on four devices of one process."""
    folder = tmp_path_factory.mktemp("four")
    command = [sys.executable, PROGRAM, folder, *DENSE, *PICTURES]
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "4"}
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return folder


def arrays(folder, case):
    with np.load(folder / f"{case}.npz") as file:
        return dict(file)


def result(folder, case):
    return json.loads((folder / f"{case}.json").read_text())


def assert_same_learning(found, wanted, told, told_before):
    assert found.keys() == wanted.keys()
    assert found["step"] == STEPS
    for name in wanted:
        exact = name.startswith("kept/")
        tolerance = {"rtol": 0, "atol": 0} if exact else {"rtol": 1e-3, "atol": 2e-6}
        np.testing.assert_allclose(found[name], wanted[name], err_msg=name, **tolerance)
    for after, before in zip(told, told_before, strict=True):
        assert after == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize("case", [*DENSE[1:], *PICTURES[1:]])
def test_many_devices_learn_what_one_learns(four_devices, case):
    """Parameters, average and moments after twenty steps, and all that was told on the way."""
    one = "pictures_one" if case in PICTURES else "one"
    assert_same_learning(
        arrays(four_devices, case),
        arrays(four_devices, one),
        result(four_devices, case)["told"],
        result(four_devices, one)["told"],
    )


def test_and_one_learns_something(four_devices):
    losses = [values["loss"] for values in result(four_devices, "one")["told"]]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    for case in ("one", "pictures_one"):
        assert {values["finite"] for values in result(four_devices, case)["told"]} == {1.0}
        found = arrays(four_devices, case)
        for name in found:
            if name.startswith("params/"):
                average = found["ema" + name.removeprefix("params")]
                assert (found[name] != average).any(), name


@pytest.mark.parametrize(
    "case", ["mesh", "mesh_in_parts", "pmap", "pictures_mesh", "pictures_pmap"]
)
def test_devices_speak_once_a_step(four_devices, case):
    """One reduction of all gradients and metrics, nothing else, also with parts accumulated."""
    assert result(four_devices, case)["collectives"] == {"all-reduce": 1}


def test_one_device_speaks_to_nobody(four_devices):
    assert result(four_devices, "one")["collectives"] == {}


def test_sharded_parameters_are_gathered(four_devices):
    """What shows that they are sharded at all."""
    assert result(four_devices, "fsdp")["collectives"]["all-gather"] > 0
    described = result(four_devices, "fsdp")["described"]
    assert (described["data"], described["fsdp"], described["rows_per_device"]) == (2, 2, 2)


# --- what is refused, and what is kept, with the one device that is here -------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "vmap"}, "kind 'vmap' is unknown: use mesh or pmap"),
        ({"kind": "pmap", "fsdp": 2}, "pmap keeps all parameters on every device"),
        ({"fsdp": 0}, "fsdp is 0: give a number above zero"),
        ({"devices": 4}, "4 devices are asked for, JAX has 1"),
        ({"data": 2}, "2 devices are asked for, JAX has 1"),
        ({"devices": 3}, "3 devices are asked for"),
    ],
    ids=str,
)
def test_a_spread_that_cannot_be_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        spread(batch_size=8, **options)


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (3, {}, "3 devices do not divide a batch of 8: use a batch of 9, or 2 of the devices"),
        (6, {"fsdp": 3}, "6 devices do not divide a batch of 8: use a batch of 12$"),
        (4, {"fsdp": 3}, r"4 devices make no mesh of 1 × 3 \(data × fsdp\)"),
        (4, {"data": 3}, r"4 devices make no mesh of 3 × 1 \(data × fsdp\)"),
    ],
    ids=str,
)
def test_a_mesh_that_does_not_divide_the_batch_is_refused(count, options, message):
    with pytest.raises(UserError, match=message):
        spread(batch_size=8, devices=jax.devices() * count, **options)


@pytest.mark.parametrize("kind", ["mesh", "pmap"])
def test_a_batch_of_another_size_is_refused(kind):
    over = spread(kind, batch_size=8)
    with pytest.raises(UserError, match="a batch of 6 rows was fed where steps take 8"):
        over.feed({"x": np.zeros((6, 2))})


@pytest.mark.loose_dtypes  # optax's bias correction
@pytest.mark.parametrize("kind", ["mesh", "pmap"])
def test_what_is_placed_is_a_copy_and_what_is_fetched_is_too(kind):
    """The first step gives up its state; who made it may hold it yet."""
    schedule = Schedule(steps=4, batch_size=2, learning_rate=0.1, warmup_steps=0)
    over = spread(kind, batch_size=2)

    def loss(params, frozen, batch, key):
        return ((batch["x"] @ params["w"] - frozen["y"]) ** 2).mean(), {}

    given = create_state({"w": jnp.ones((3, 3))}, schedule)
    frozen = {"y": np.float32(2.0)}
    state, placed = over.place(given, frozen)
    step = make_train_step(loss, schedule, over)
    first = over.fetch(state)
    for _ in range(3):
        state, metrics = step(state, placed, over.feed({"x": np.ones((2, 3), np.float32)}))
    np.testing.assert_array_equal(given.params["w"], 1.0)
    np.testing.assert_array_equal(first.params["w"], 1.0)
    assert first.params["w"].shape == (3, 3)
    last = over.fetch(state)
    assert last.step == 3
    assert (last.params["w"] != 1.0).all()
    assert over.fetch(metrics)["loss"] == float(metrics["loss"])
    assert over.fetch(placed) == frozen
    assert over.leader
    assert over.describe()["kind"] == kind
    assert over.rows == slice(0, 2)
