"""Rows over devices: every row once and in order, by one program, and what there is not is refused.

Several devices need a process of their own: their number is set before JAX starts.
"""

from __future__ import annotations

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.sample.spread import KINDS, Spread, spread_over

ON_FOUR = '''
import json
import jax, jax.numpy as jnp, numpy as np
from vdjax.sample.spread import KINDS, spread_over

found = {"devices": len(jax.devices())}
for kind in KINDS:
    traces = []

    def power(shared, row):
        """As many turns as the row says: no two devices need the same number."""
        traces.append(kind)
        base, turns = row["base"], row["turns"]
        return jax.lax.fori_loop(0, turns, lambda _, x: x * shared["by"] + base, base)

    over = spread_over(4, kind)
    shared = over.place({"by": jnp.float32(2)})
    rows = [{"base": np.full(3, n, np.float32), "turns": np.int32(n)} for n in range(10)]
    rounds = list(over.rounds(power, shared, rows))
    assert list(over.rounds(power, shared, rows[:1]))[0][0].shape == (3,)
    found[kind] = {
        "rounds": [len(some) for some in rounds],
        "values": [float(row[0]) for some in rounds for row in some],
        "traces": len(traces),
        "held_by": sorted(device.id for device in shared["by"].devices()),
    }
    three = spread_over(jax.devices()[1:], kind)
    (first,) = three.rounds(power, three.place({"by": jnp.float32(2)}), rows[:2])
    found[kind]["others"] = [float(row[0]) for row in first]
print(json.dumps(found))
'''


def expected(n):
    value = float(n)
    for _ in range(n):
        value = 2 * value + n
    return value


def test_every_row_is_computed_once_in_order_by_one_program():
    command = [sys.executable, "-c", ON_FOUR]
    environment = {"JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env={**_outer(), **environment})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["devices"] == 4
    for kind in KINDS:
        assert found[kind]["rounds"] == [4, 4, 2]
        assert found[kind]["values"] == [expected(n) for n in range(10)]
        # Twice: for four devices and for the three others. Rounds that are not full are no third.
        assert found[kind]["traces"] in (1, 2)
        assert found[kind]["held_by"] == [0, 1, 2, 3]
        assert found[kind]["others"] == [expected(n) for n in range(2)]


def _outer():
    import os

    return {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}


@pytest.mark.parametrize("kind", KINDS)
def test_one_device_is_a_spread_too(kind):
    over = spread_over(1, kind)
    shared = over.place(jnp.arange(3.0))
    rows = [np.float32(n) for n in range(3)]
    rounds = list(over.rounds(_scaled, shared, rows))
    assert [len(some) for some in rounds] == [1, 1, 1]
    for n, (row,) in enumerate(rounds):
        np.testing.assert_array_equal(row, n * np.arange(3.0, dtype=np.float32))


def _scaled(shared, row):
    return shared * row


def test_what_was_placed_is_not_copied_again():
    over, tree = spread_over(1), {"kernel": jnp.ones(2)}
    assert over.place(tree) is over.place(tree)
    assert over.place({"kernel": jnp.ones(2)}) is not over.place(tree)


def test_a_spread_is_taken_as_it_is():
    over = Spread(jax.devices(), "pmap")
    assert spread_over(over) is over


@pytest.mark.parametrize(
    ("devices", "kind", "says"),
    [
        (99, "mesh", "99 devices are asked for and this process has 1 (cpu): ask for at most 1"),
        (99, "mesh", "JAX_NUM_CPU_DEVICES=99"),
        (0, "mesh", "devices is 0: it must be a whole number from 1 to 1"),
        (1, "vmap", "spread 'vmap' is unknown: use one of mesh, pmap"),
        ((), "mesh", "name at least one"),
        (("twice",), "mesh", "none twice"),
    ],
)
def test_what_cannot_be_spread_over_is_refused(devices, kind, says):
    if devices == ("twice",):
        devices = [*jax.devices(), *jax.devices()]
    with pytest.raises(UserError) as refused:
        spread_over(devices, kind)
    assert says in str(refused.value)
