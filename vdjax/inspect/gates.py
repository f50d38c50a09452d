"""The gates of the guided layers: read them, scale them, close them.

A guided layer adds tanh(alpha_attn) · attention and tanh(alpha_dense) · feed-forward to what
passes (GLIGEN, equations 8 and 9; VideoDirectorGPT, section 3.2). Parameters of a UNet enter; plain
numbers, or parameters with other gates, leave. Parameters that come in are never changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from vdjax.errors import UserError

ATTENTION, DENSE = "alpha_attn", "alpha_dense"
_STAGES = ("down_blocks", "mid_block", "up_blocks")


@dataclass(frozen=True)
class Gate:
    """The two gates of one guided layer, as the factors (tanh) that they multiply by, -1..1."""

    layer: str
    attention: float
    dense: float


def layer_of(path: Iterable[str]) -> str:
    """The name of the transformer that a module path lies in: "down 1.0", "mid 0", "up 0.1"."""
    stage, attention = list(path)[:2]
    layer = attention.rpartition("_")[2]
    if stage == "mid_block":
        return f"mid {layer}"
    kind, _, number = stage.partition("_blocks_")
    return f"{kind} {number}.{layer}"


def running_order(path: Iterable[str]) -> tuple[int, ...]:
    """Sorts layers in the order in which the UNet runs them: down, middle, up."""
    stage, attention = list(path)[:2]
    place = next(i for i, name in enumerate(_STAGES) if stage.startswith(name))
    number = stage.rpartition("_")[2]
    return place, int(number) if number.isdigit() else 0, int(attention.rpartition("_")[2])


def read_gates(params: Mapping[str, Any]) -> list[Gate]:
    """The gates of a UNet, in the order in which its layers run.

    Raises:
        UserError: these parameters have no guided layers.
    """
    flat = flatten_dict(params)
    layers = sorted((path[:-1] for path in flat if path[-1] == ATTENTION), key=running_order)
    if not layers:
        raise UserError(
            "these parameters have no gates: give those of a UNet with guided layers, "
            'such as load("storybook").params["unet"]'
        )
    return [
        Gate(
            layer_of(layer),
            float(jnp.tanh(flat[*layer, ATTENTION])),
            float(jnp.tanh(flat[*layer, DENSE])),
        )
        for layer in layers
    ]


def scale_gates(
    params: Mapping[str, Any], factor: float, layers: Collection[str] | None = None
) -> dict[str, Any]:
    """The same parameters with the tanh of gates times `factor`, 0 (closed) to 1 (as it is).

    `layers` are names as `read_gates` gives them; None means all.

    Raises:
        UserError: the factor is outside 0..1, or there is no layer of that name.
    """
    if not 0 <= factor <= 1:
        raise UserError(f"factor is {factor}: it must be from 0 (gates closed) to 1 (as they are)")
    known = [gate.layer for gate in read_gates(params)]
    chosen = set(known if layers is None else layers)
    if strangers := sorted(chosen - set(known)):
        raise UserError(f"there is no guided layer {strangers[0]!r}; there are {', '.join(known)}")
    flat = dict(flatten_dict(params))
    for path, leaf in flat.items():
        if path[-1] in (ATTENTION, DENSE) and layer_of(path) in chosen:
            flat[path] = jnp.arctanh(factor * jnp.tanh(leaf))
    return unflatten_dict(flat)
