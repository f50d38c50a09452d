"""Scenes over several devices: one program, and one row of work for each device at a time.

A function of (what all share, one row) and its rows enter; the results leave in the rows' order.
The shared part, a network's parameters, is copied to every device once. "mesh" is `jit` over a mesh
of one axis, "pmap" is `jax.pmap`; either way each device runs the program that one device alone
would run on its row, and nothing is communicated, so the frames are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any, cast

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from vdjax.errors import UserError

PyTree = Any
KINDS = ("mesh", "pmap")
AXIS = "scene"


class Spread:
    """Devices that rows of work are laid over, and what was copied to them.

    Kept and used again, it copies nothing twice and compiles nothing twice.
    """

    def __init__(self, devices: Sequence[jax.Device], kind: str = "mesh") -> None:
        self.devices = tuple(devices)
        self.kind = kind
        self._placed: list[tuple[PyTree, PyTree]] = []

    def place(self, tree: PyTree) -> PyTree:
        """A copy of `tree` on every device; the one made before, if it is the same object."""
        for original, copy in self._placed:
            if original is tree:
                return copy
        copy = jax.device_put(tree, NamedSharding(_mesh(self.devices), PartitionSpec()))
        self._placed.append((tree, copy))
        return copy

    def rounds(
        self, function: Callable[[PyTree, PyTree], PyTree], shared: PyTree, rows: Sequence[PyTree]
    ) -> Iterator[list[PyTree]]:
        """`function(shared, row)` of each row, as many at a time as there are devices.

        Args:
            function: can be traced; the same object each time, or it is compiled again.
            shared: what `place` gave.
            rows: trees of arrays, all of the same shapes. A round that is not full is filled up
                with its last row, and what that gives again is dropped.
        """
        program, count = _program(function, self.devices, self.kind), len(self.devices)
        for first in range(0, len(rows), count):
            some = rows[first : first + count]
            full = [*some, *[some[-1]] * (count - len(some))]
            batch = jax.tree_util.tree_map(lambda *leaves: np.stack(leaves), *full)
            made = jax.tree_util.tree_map(np.asarray, program(shared, batch))
            yield [_row(made, place) for place in range(len(some))]


def spread_over(devices: int | Sequence[jax.Device] | Spread, kind: str = "mesh") -> Spread:
    """The first so many of this process's devices, or those given, as a `Spread`.

    Raises:
        UserError: there are fewer devices, or `kind` is neither "mesh" nor "pmap".
    """
    if isinstance(devices, Spread):
        return devices
    if kind not in KINDS:
        raise UserError(f"spread {kind!r} is unknown: use one of {', '.join(KINDS)}")
    if not isinstance(devices, Integral):
        chosen: tuple[Any, ...] = tuple(cast(Sequence[Any], devices))
        if not chosen or len(set(chosen)) < len(chosen):
            raise UserError(
                f"devices are {list(map(str, chosen))}: name at least one, and none twice"
            )
        return Spread(chosen, kind)
    here, asked = jax.local_devices(), int(devices)
    if asked < 1:
        raise UserError(f"devices is {asked}: it must be a whole number from 1 to {len(here)}")
    if asked > len(here):
        raise UserError(_too_many(asked, len(here), here[0].platform))
    return Spread(here[:asked], kind)


def _too_many(asked: int, there: int, platform: str) -> str:
    way_out = f"ask for at most {there}"
    if platform == "cpu":
        way_out += (
            f", or set JAX_NUM_CPU_DEVICES={asked} in the environment, which divides the processor"
        )
    return f"{asked} devices are asked for and this process has {there} ({platform}): {way_out}"


def _row(tree: PyTree, place: int) -> PyTree:
    return jax.tree_util.tree_map(lambda leaf: leaf[place], tree)


def _mesh(devices: tuple[jax.Device, ...]) -> Mesh:
    return Mesh(np.asarray(devices), (AXIS,))


@lru_cache(maxsize=16)
def _program(
    function: Callable[[PyTree, PyTree], PyTree], devices: tuple[jax.Device, ...], kind: str
) -> Callable[[PyTree, PyTree], PyTree]:
    """`function` on a batch of one row per device."""
    if kind == "pmap":
        mapped: Callable[[PyTree, PyTree], PyTree] = jax.pmap(
            function, in_axes=(None, 0), devices=devices
        )
        return mapped
    program = _over_mesh(function, _mesh(devices))
    each = NamedSharding(_mesh(devices), PartitionSpec(AXIS))
    return lambda shared, rows: program(shared, jax.device_put(rows, each))


def _over_mesh(function: Callable[[PyTree, PyTree], PyTree], mesh: Mesh) -> Any:
    """`jit` of `function` on each device's own row.

    Rows differ in how many steps their gates are on, so their loops are of different lengths:
    nothing between the devices may wait for all of them, and nothing does.
    """

    def on_one_device(shared: PyTree, rows: PyTree) -> PyTree:
        return jax.tree_util.tree_map(lambda leaf: leaf[None], function(shared, _row(rows, 0)))

    each = PartitionSpec(AXIS)
    # Not `vdjax.runtime.jit`: with its options for a CPU, two runs of one program at the same time
    # spoil one another's matrix products (jaxlib 0.10.2; storybook's latents off by 1 and more).
    return jax.jit(
        jax.shard_map(
            on_one_device,
            mesh=mesh,
            in_specs=(PartitionSpec(), each),
            out_specs=each,
            check_vma=False,
        )
    )
