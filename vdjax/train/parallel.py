"""How a training step is laid over devices, of one process or of many.

A step, written for one device (`state.py`), enters; a callable over all of them leaves, and beside
it what places the state, feeds it rows and fetches it whole. The paper trains on eight GPUs
(VideoDirectorGPT, appendix D.3) and does not say how; the ways here are JAX's. Over a "mesh",
the default, `jit` sees one large device: rows are divided among all, and parameters, too, where
`fsdp` is above one. By "pmap" every device holds all parameters and its own rows, and gradients
are averaged: the older way, kept because it shows what happens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from vdjax.errors import UserError
from vdjax.runtime import jit

PyTree = Any
KINDS = ("mesh", "pmap")
AXES = ("data", "fsdp")
"""Of a mesh: rows are divided along both, parameters along the second alone."""


@dataclass(frozen=True, eq=False)
class Spread(ABC):
    """Devices, `data` times `fsdp` of them, and the batch that they share. Made by `spread`."""

    batch_size: int
    mesh: Mesh
    kind: ClassVar[str]
    """One of `KINDS`."""

    @property
    def devices(self) -> list[Any]:
        """All devices in the order of their rows; those of one process follow one another."""
        return list(self.mesh.devices.flat)

    @property
    def leader(self) -> bool:
        """Whether this process is the one that reports and writes."""
        return jax.process_index() == 0

    @property
    def rows(self) -> slice:
        """The rows of a batch that this process feeds its own devices with."""
        own = [n for n, d in enumerate(self.devices) if d.process_index == jax.process_index()]
        each = self.batch_size // len(self.devices)
        return slice(own[0] * each, (own[-1] + 1) * each)

    def describe(self) -> dict[str, Any]:
        """Plain values for a log."""
        return {
            "kind": self.kind,
            "devices": len(self.devices),
            "device_kind": self.devices[0].device_kind,
            "processes": jax.process_count(),
            "rows_per_device": self.batch_size // len(self.devices),
            **self.mesh.shape,
        }

    @abstractmethod
    def axes(self, *, cuttable: bool) -> tuple[str, ...]:
        """The names under which a step finds the devices, if it is cut by us; else none.

        `cuttable` says that its loss is a mean over rows (see `state.make_train_step`).
        """

    @abstractmethod
    def place(self, state: PyTree, frozen: PyTree) -> tuple[PyTree, PyTree]:
        """Copies of both on the devices. Every process gives the same numbers."""

    @abstractmethod
    def compile(self, step: Callable[..., Any], *, cut: bool) -> Callable[..., Any]:
        """(state, frozen, batch) -> (state, metrics) over all devices; the old state is given up.

        With `cut` the step sees the rows of one device, and makes what it returns equal on all.
        """

    @abstractmethod
    def fetch(self, tree: PyTree) -> PyTree:
        """A placed tree, or metrics, whole and in numpy, on every process: all have to call it."""

    @abstractmethod
    def _place_rows(self, rows: np.ndarray, whole: bool) -> Any:
        """Rows of the whole batch, or those of this process, on the devices."""

    def feed(self, batch: PyTree) -> PyTree:
        """A batch on the devices, from all of its rows or only from this process's (`rows`).

        Raises:
            UserError: there are as many rows as neither.
        """
        own = self.rows.stop - self.rows.start

        def place(rows: Any) -> Any:
            rows = np.asarray(rows)
            if len(rows) not in (self.batch_size, own):
                raise UserError(
                    f"a batch of {len(rows)} rows was fed where steps take {self.batch_size}: give "
                    f"them all, or the {own} of this process"
                )
            return self._place_rows(rows, len(rows) == self.batch_size)

        return jax.tree_util.tree_map(place, batch)


class MeshSpread(Spread):
    """One program over a mesh of all devices; arrays say how they are divided."""

    kind = "mesh"

    def axes(self, *, cuttable: bool) -> tuple[str, ...]:
        return AXES if cuttable and self.mesh.shape["fsdp"] == 1 else ()

    def sharding(self, shape: tuple[int, ...]) -> NamedSharding:
        """Where an array of the state, or a frozen one, is kept.

        Along its longest axis that `fsdp` divides, unless it is a vector or a number: these are a
        hundredth of a network, and each one divided would have to be gathered.
        """
        parts = self.mesh.shape["fsdp"]
        divisible = [axis for axis, size in enumerate(shape) if size % parts == 0]
        if parts == 1 or len(shape) < 2 or not divisible:
            return NamedSharding(self.mesh, PartitionSpec())
        longest = max(divisible, key=lambda axis: shape[axis])
        return NamedSharding(self.mesh, PartitionSpec(*[None] * longest, "fsdp"))

    @cached_property
    def by_rows(self) -> NamedSharding:
        """Where the arrays of a batch are kept."""
        return NamedSharding(self.mesh, PartitionSpec(AXES))

    def place(self, state: PyTree, frozen: PyTree) -> tuple[PyTree, PyTree]:
        def put(leaf: Any) -> jax.Array:
            # By way of the host: an array that is on its device already would be placed as it is,
            # and then given up by the first step though others hold it.
            given = np.asarray(leaf)
            where = self.sharding(given.shape)
            return jax.make_array_from_callback(
                given.shape, where, lambda part: np.asarray(given[part])
            )

        placed: tuple[PyTree, PyTree] = jax.tree_util.tree_map(put, (state, frozen))
        return placed

    def _place_rows(self, rows: np.ndarray, whole: bool) -> jax.Array:
        shape = (self.batch_size, *rows.shape[1:])
        if whole:
            return jax.make_array_from_callback(shape, self.by_rows, lambda part: rows[part])
        return jax.make_array_from_process_local_data(self.by_rows, rows, shape)

    def compile(self, step: Callable[..., Any], *, cut: bool) -> Callable[..., Any]:
        if cut:
            everywhere, by_rows = PartitionSpec(), self.by_rows.spec
            # What leaves is equal on all devices because the step made it so, which the type
            # system of shard_map would ask it to say for every leaf.
            parts = jax.shard_map(
                step,
                mesh=self.mesh,
                in_specs=(everywhere, everywhere, by_rows),
                out_specs=everywhere,
                check_vma=False,
            )
            return self._jit(parts)

        def kept_in_place(state: PyTree, frozen: PyTree, batch: PyTree):
            def keep(leaf: jax.Array) -> jax.Array:
                return jax.lax.with_sharding_constraint(leaf, self.sharding(leaf.shape))

            # The next step is this one's program only if its state lies where this one's lay.
            return jax.tree_util.tree_map(keep, step(state, frozen, batch))

        return self._jit(kept_in_place)

    def _jit(self, step: Callable[..., Any]) -> Callable[..., Any]:
        # With our options for a CPU, runs of one program side by side spoil one another's matrix
        # products (jaxlib 0.10.2; met in sampling over several devices of a CPU).
        compiled = jit if len(self.devices) == 1 else jax.jit
        return compiled(step, donate_argnums=0)

    def fetch(self, tree: PyTree) -> PyTree:
        def whole(leaf: Any) -> np.ndarray:
            apart = isinstance(leaf, jax.Array) and not leaf.is_fully_replicated
            if apart and not leaf.is_fully_addressable:
                from jax.experimental.multihost_utils import process_allgather

                return np.asarray(process_allgather(leaf, tiled=True))
            # A copy: on a CPU the array might be a view of memory that the next step reuses.
            return np.array(leaf)

        return jax.tree_util.tree_map(whole, tree)


class PmapSpread(Spread):
    """One program on each device; the state has one more axis in front, a copy for each.

    Only the copies of this process's devices are seen by it, and metrics have no such axis.
    """

    kind = "pmap"

    @property
    def _here(self) -> int:
        return sum(device.process_index == jax.process_index() for device in self.devices)

    def axes(self, *, cuttable: bool) -> tuple[str, ...]:
        del cuttable  # there is no other way
        return AXES[:1]

    def place(self, state: PyTree, frozen: PyTree) -> tuple[PyTree, PyTree]:
        def copies(leaf: Any) -> np.ndarray:
            given = np.asarray(leaf)
            return np.broadcast_to(given, (self._here, *given.shape))

        given = jax.tree_util.tree_map(copies, (state, frozen))
        placed: tuple[PyTree, PyTree] = jax.pmap(lambda tree: tree, devices=self.devices)(given)
        return placed

    def _place_rows(self, rows: np.ndarray, whole: bool) -> np.ndarray:
        # Left to pmap, which knows how it wants them.
        own = rows[self.rows] if whole else rows
        return own.reshape(self._here, -1, *own.shape[1:])

    def compile(self, step: Callable[..., Any], *, cut: bool) -> Callable[..., Any]:
        assert cut, "pmap gives a step the rows of one device"
        compiled: Callable[..., Any] = jax.pmap(
            step,
            axis_name=AXES[0],
            out_axes=(0, None),
            devices=self.devices,
            donate_argnums=0,
        )
        return compiled

    def fetch(self, tree: PyTree) -> PyTree:
        def first(leaf: Any) -> np.ndarray:
            if np.ndim(leaf) == 0:  # a metric
                return np.array(leaf)
            return np.array(leaf.addressable_shards[0].data).reshape(leaf.shape[1:])

        return jax.tree_util.tree_map(first, tree)


def spread(
    kind: str = "mesh",
    *,
    batch_size: int,
    data: int | None = None,
    fsdp: int = 1,
    devices: int | Sequence[Any] | None = None,
) -> Spread:
    """A way to lay steps over devices: `data` times `fsdp` of them.

    Args:
        kind: "mesh" or "pmap".
        batch_size: rows of a batch, over all devices and processes.
        data: in how many parts rows alone are divided; None: as many as there are devices for.
        fsdp: among how many devices parameters are divided, too.
        devices: which ones, or how many; None: as many as `data` asks for, or all.

    Raises:
        UserError: the kind is unknown, there are not so many devices, they make no such mesh or do
            not divide the batch, or leave a process with fewer than the others.
    """
    if kind not in KINDS:
        raise UserError(f"kind {kind!r} is unknown: use {' or '.join(KINDS)}")
    if kind == "pmap" and fsdp != 1:
        raise UserError(
            f"fsdp is {fsdp}: pmap keeps all parameters on every device; use a mesh to divide them"
        )
    for name, number in (("data", data), ("fsdp", fsdp), ("batch_size", batch_size)):
        if number is not None and number < 1:
            raise UserError(f"{name} is {number}: give a number above zero")
    if devices is None and data is not None:
        devices = data * fsdp
    chosen = _chosen(devices)
    rows = len(chosen) // fsdp if data is None else data
    if rows * fsdp != len(chosen):
        raise UserError(
            f"{len(chosen)} devices make no mesh of {rows} × {fsdp} (data × fsdp): "
            f"use as many as their product, or choose an fsdp that divides {len(chosen)}"
        )
    if batch_size % len(chosen):
        fewer = [n for n in range(fsdp, len(chosen), fsdp) if batch_size % n == 0]
        raise UserError(
            f"{len(chosen)} devices do not divide a batch of {batch_size}: use a batch of "
            f"{batch_size + -batch_size % len(chosen)}"
            + (f", or {fewer[-1]} of the devices" if fewer else "")
        )
    mesh = Mesh(np.array(chosen).reshape(rows, fsdp), AXES, axis_types=(AxisType.Auto,) * 2)
    return (MeshSpread if kind == "mesh" else PmapSpread)(batch_size, mesh)


def _chosen(devices: int | Sequence[Any] | None) -> list[Any]:
    """The devices asked for, process after process, equally many of each."""
    known = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    if isinstance(devices, int):
        if not 0 < devices <= len(known):
            raise UserError(
                f"{devices} devices are asked for, JAX has {len(known)} ({known[0].device_kind}): "
                f"use 1 to {len(known)}; JAX_NUM_CPU_DEVICES makes more of a CPU"
            )
        chosen = known[:devices]
    else:
        chosen = list(devices) if devices is not None else known
    held = Counter(device.process_index for device in chosen)
    if len(held) != jax.process_count() or len(set(held.values())) != 1:
        counts = ", ".join(f"{held[n]} of process {n}" for n in range(jax.process_count()))
        raise UserError(
            f"the devices in use are {counts}: every process must have as many; use all "
            f"{len(known)}, or start fewer processes"
        )
    return chosen
