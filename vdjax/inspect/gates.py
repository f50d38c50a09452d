"""The gates of the guided layers: read them, scale them, close them, and measure what they let in.

A guided layer adds tanh(alpha_attn) · attention and tanh(alpha_dense) · feed-forward to what
passes (GLIGEN, equations 8 and 9; VideoDirectorGPT, section 3.2). Parameters of a UNet enter; plain
numbers, parameters with other gates, or latents denoised with other gates from some step on, leave.
Parameters that come in are never changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float

from vdjax.errors import UserError
from vdjax.model.attention import Attention, GatedSelfAttention
from vdjax.model.feedforward import FeedForward
from vdjax.model.unet3d import UNet3D, UNet3DConfig
from vdjax.runtime import jit

if TYPE_CHECKING:
    from vdjax.sample.loop import Conditions, Sampler

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


@dataclass(frozen=True)
class GateRecord:
    """How much each gate added, layer by layer and step by step, as shares of what it added to.

    Attributes:
        layers: the guided layers, in running order.
        timesteps: the noise levels of the recorded steps, in the order of sampling.
        attention: |tanh(alpha_attn) · attention| / |features|, Euclidean norms over all frames,
            places and channels; 0 where the gate is closed.
        dense: the same of tanh(alpha_dense) · feed-forward, beside the features it is added to,
            which hold the attention's part already.
    """

    layers: tuple[str, ...]
    timesteps: tuple[int, ...]
    attention: Float[np.ndarray, "layer step"]
    dense: Float[np.ndarray, "layer step"]


def record_gates(
    config: UNet3DConfig,
    params: Mapping[str, Any],
    latents: Iterable[Float[Array, "1 frame height width channel"]],
    timesteps: Sequence[int],
    text: Float[Array, "1 length text_width"],
    grounding: Float[Array, "1 frame token grounding_width"],
) -> GateRecord:
    """Run the UNet once on each of `latents` and measure what its gates add.

    Args:
        config: the UNet's shape.
        params: the UNet's parameters, guided layers included.
        latents: what entered each step that is to be recorded.
        timesteps: the noise level of each.
        text: token states of the scene's description (the conditional half alone).
        grounding: the scene's grounding tokens (the conditional half alone).

    Raises:
        UserError: nothing to record, or not one timestep for each of the latents.
    """
    visited, times = list(latents), [int(time) for time in timesteps]
    if not visited or len(visited) != len(times):
        raise UserError(
            f"{len(visited)} latents and {len(times)} timesteps: give one timestep for each, "
            "and at least one"
        )
    steps = [
        _added(config, params, latent, jnp.asarray([time]), text, grounding)
        for latent, time in zip(visited, times, strict=True)
    ]
    paths = sorted(steps[0], key=running_order)
    shares = np.array([[step[path] for step in steps] for path in paths], np.float32)
    layers = tuple(layer_of(path) for path in paths)
    return GateRecord(layers, tuple(times), shares[..., 0], shares[..., 1])


@partial(jit, static_argnums=0)
def _added(config, params, latents, timestep, text, grounding):
    """{module path of a guided layer: its two shares} of one run."""
    left: dict[tuple[str, ...], dict[str, jax.Array]] = {}

    def watch(run, args, kwargs, context):
        """What enters guided layers, and what their two parts give back, kept on the way."""
        made = run(*args, **kwargs)
        module, path = context.module, context.module.path
        if context.method_name != "__call__":
            return made
        if isinstance(module, GatedSelfAttention):
            left.setdefault(path, {})["x"] = args[0]
        elif isinstance(module, Attention | FeedForward) and path[-2] == "fuser":
            left.setdefault(path[:-1], {})[path[-1]] = made
        return made

    with nn.intercept_methods(watch):
        UNet3D(config).apply({"params": params}, latents, timestep, text, grounding)
    flat, shares = flatten_dict(params), {}
    for path, parts in left.items():
        x = parts["x"]
        attention = jnp.tanh(flat[*path, ATTENTION]) * parts["attn"]
        dense = jnp.tanh(flat[*path, DENSE]) * parts["ff"]
        shares[path] = jnp.stack([_share(attention, x), _share(dense, x + attention)])
    return shares


def _share(added: jax.Array, features: jax.Array) -> jax.Array:
    norms = [jnp.linalg.norm(x.astype(jnp.float32).ravel()) for x in (added, features)]
    return norms[0] / norms[1]


def stream_with_gates(
    sampler: Sampler,
    params: Mapping[str, Any],
    latents: Float[Array, "batch frame height width channel"],
    conditions: Conditions,
    guidance: jax.Array,
    switch: int,
    factors: Mapping[str, float],
    from_step: int = 1,
) -> Iterator[Float[Array, "batch frame height width channel"]]:
    """`Sampler.stream`, with the gates of layers scaled from a step on.

    Args:
        sampler, params, latents, conditions, guidance, switch: as `Sampler.stream` takes them.
        factors: 0 (closed) to 1 (as it is) by layer, as `scale_gates` takes them; other layers stay
            as they are.
        from_step: the first step, counted from 1, with scaled gates; the layout guides the first
            `switch` steps alone, with or without.

    Raises:
        UserError: a factor is outside 0..1, there is no such layer, or no such step.
    """
    if not 1 <= from_step <= sampler.num_inference_steps:
        raise UserError(
            f"from_step is {from_step}: it must be from 1 to {sampler.num_inference_steps}, the "
            "number of steps"
        )
    scaled = dict(params)
    for layer, factor in factors.items():
        if factor != 1:
            scaled = scale_gates(scaled, factor, [layer])
    return _stream(sampler, params, scaled, latents, conditions, guidance, switch, from_step - 1)


def _stream(sampler, params, scaled, latents, conditions, guidance, switch, turn):
    # Keys and values of words and tokens are made before any gate: all parameters share them.
    conditions = sampler.prepare(params, conditions)
    state, timesteps = sampler.begin(latents)
    latents = latents.astype(jnp.float32)
    for timestep, step in zip(timesteps, sampler._steps(timesteps), strict=True):
        state, latents = sampler._compiled_step(
            scaled if step >= turn else params,
            state,
            latents,
            timestep,
            conditions,
            guidance,
            gated=bool(step < switch),
        )
        yield latents
