"""What notebook 08 builds from scratch is the package's, on four devices and on inputs of any kind.

Devices are made of the CPU before JAX starts, so all of it runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
NAME = "08_many_devices"
BUILT = {"cut", "pmap_gradient", "shard_map_gradient", "placed", "jit_gradient"}
BUILT |= {"collectives", "ring_sum", "rounds", "gradient_in_parts"}

PROGRAM = """
import ast, json, sys
from functools import partial
sys.path[:0] = [sys.argv[1] + "/scripts", sys.argv[1]]
import jax
import jax.numpy as jnp
import numpy as np
from course import masters
from vdjax.train.parallel import spread
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, make_optimizer, make_train_step

cells = [cell for cell in masters.read(sys.argv[2]).cells if cell.cell_type == "code"]
own = [cell for cell in cells if "install" not in masters.tags(cell)]
kinds = ast.Import | ast.ImportFrom
imports = [node for cell in own for node in ast.parse(cell.source).body if isinstance(node, kinds)]
pieces = [cell.source for cell in cells if "scratch" in masters.tags(cell)]
book = {"__name__": "book"}
exec("\\n\\n".join([*map(ast.unparse, imports), *pieces]), book)
devices, batch_size, found = jax.devices(), 8, {}
Mesh, NamedSharding, P = book["Mesh"], book["NamedSharding"], book["P"]


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


params = {"first": normal(1, 6, 8), "second": normal(2, 8, 4), "bias": np.zeros(4, np.float32)}
frozen = {"shift": normal(3, 6)}
batch = {"x": normal(4, batch_size, 6), "y": normal(5, batch_size, 4)}


def loss(params, frozen, batch):
    hidden = jnp.tanh((batch["x"] + frozen["shift"]) @ params["first"])
    return ((hidden @ params["second"] + params["bias"] - batch["y"]) ** 2).mean()


def apart(tree, other):
    pairs = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), tree, other)
    return float(max(jax.tree.leaves(pairs)))


AXES = ("data", "fsdp")
mesh, divided = Mesh(np.array(devices).reshape(4, 1), AXES), spread(batch_size=8, fsdp=2)
whole, rows = (lambda s: NamedSharding(mesh, P())), (lambda s: NamedSharding(mesh, P(AXES)))
put = lambda kept: partial(book["placed"], kept=kept)
ways = {
    "pmap": (
        book["pmap_gradient"](loss, devices),
        lambda tree: tree,
        partial(book["cut"], parts=4),
    ),
    "shard_map": (book["shard_map_gradient"](loss, mesh), put(whole), put(rows)),
    "jit": (book["jit_gradient"](loss, whole), put(whole), put(rows)),
    "fsdp": (
        book["jit_gradient"](loss, divided.sharding),
        put(divided.sharding),
        put(lambda shape: divided.by_rows),
    ),
}
parts = book["gradient_in_parts"](loss, 4)(params, frozen, batch)
found["in parts"] = apart(parts, jax.grad(loss)(params, frozen, batch))
schedule = Schedule(steps=9, batch_size=batch_size, learning_rate=1e-2, warmup_steps=1)
step = make_train_step(lambda *given: (loss(*given[:3]), {}), schedule)
state = create_state(jax.tree.map(jnp.asarray, params), schedule)
for _ in range(2):  # the rate of the first is zero
    state, metrics = step(state, frozen, batch)
package = jax.tree.map(np.array, state.params)
optimizer = make_optimizer(schedule)
for name, (program, place, feed) in ways.items():
    given = place(params), place(frozen), feed(batch)
    grads = program(*given)
    theirs, mine = optimizer.init(params), params
    for _ in range(2):  # both with the gradient of the first parameters, which do not move at once
        updates, theirs = optimizer.update(jax.tree.map(np.array, grads), theirs, mine)
        mine = jax.tree.map(lambda a, b: a + np.asarray(b), mine, updates)
    found[name] = {
        "gradient": apart(grads, jax.grad(loss)(params, frozen, batch)),
        "step": apart(mine, package),
        "sent": book["collectives"](program.lower(*given).compile().as_text()),
        "equal": [leaf.shape for leaf in jax.tree.leaves(grads)]
        == [leaf.shape for leaf in jax.tree.leaves(params)],
    }
found["moved"] = apart(package, params)
for count in (2, 4):
    line = Mesh(np.array(devices[:count]), ("ring",))
    vectors = normal(9, count, 24)

    def on_ring(rows):
        total, history = book["ring_sum"](rows[0], "ring", count)
        return total[None], history[None]

    specs = dict(mesh=line, in_specs=P("ring"), out_specs=P("ring"))
    ring = jax.jit(jax.shard_map(on_ring, **specs))
    totals, history = ring(vectors)
    found[f"ring {count}"] = {
        "off": float(np.abs(np.asarray(totals) - vectors.sum(axis=0)).max()),
        "history": list(history.shape),
        "sent": book["collectives"](ring.lower(vectors).compile().as_text()),
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    environment |= {"JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PROGRAM, str(ROOT), NAME]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_builds_what_it_says(scratch):
    assert set(scratch(NAME)) >= BUILT


@pytest.mark.parametrize("way", ["pmap", "shard_map", "jit", "fsdp"])
def test_every_way_is_the_step_of_one_device(found, way):
    assert found["moved"] > 5e-3
    assert found[way]["gradient"] < 1e-5
    assert found[way]["step"] < 1e-5
    assert found[way]["equal"]


@pytest.mark.parametrize("way", ["pmap", "shard_map", "jit"])
def test_data_parallelism_sends_the_gradient_once(found, way):
    bytes_of_gradient = 4 * (6 * 8 + 8 * 4 + 4)
    assert list(found[way]["sent"]) == ["all-reduce"]
    assert found[way]["sent"]["all-reduce"][1] == bytes_of_gradient


def test_parts_one_after_another_are_the_same_gradient(found):
    assert found["in parts"] < 1e-5


def test_divided_parameters_are_sent_as_well(found):
    assert set(found["fsdp"]["sent"]) - {"all-reduce"}


@pytest.mark.parametrize("devices", [2, 4])
def test_the_ring_sums_in_twice_the_devices_less_two_hops(found, devices):
    ring = found[f"ring {devices}"]
    hops = 2 * (devices - 1)
    assert ring["off"] < 1e-5
    assert ring["history"] == [devices, hops + 1, 24]
    assert ring["sent"] == {"collective-permute": [hops, hops * 4 * 24 // devices]}


@pytest.mark.parametrize(("scenes", "devices"), [(1, 1), (3, 4), (5, 4), (12, 4), (7, 3)])
def test_rounds_are_the_packages(scratch, scenes, devices, monkeypatch):
    from vdjax.sample import spread

    seen = []

    def program(shared, rows):
        seen.append(rows.tolist())
        return rows

    monkeypatch.setattr(spread, "_program", lambda *given: program)
    over = spread.Spread(devices * jax.local_devices()[:1])  # only how many there are counts here
    rows = [np.int32(n + 1) for n in range(scenes)]
    made = [row for some in over.rounds(lambda shared, row: row, None, rows) for row in some]
    assert [int(row) for row in made] == list(range(1, scenes + 1))
    table = scratch(NAME)["rounds"](scenes, devices)
    assert np.abs(table).tolist() == seen
    assert sorted(table[table > 0].tolist()) == list(range(1, scenes + 1))
