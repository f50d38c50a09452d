"""Where the grounding tokens are looked at, recorded from the guided layers, against the boxes.

A clip's latents at some denoising steps, its words and its grounding tokens enter; one map per
layer, step, frame, head, place and token leaves. The maps are the softmax weights with which each
visual token looks at each grounding token, of the conditional branch alone, as DAAM takes them
(Tang et al. 2023, section 3); unlike there the time axis is kept. Sampling is not touched: the
network is run once more on latents that the sampler has visited, so a film is the same whether
it is looked at or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Float

from vdjax.errors import UserError
from vdjax.inspect.gates import layer_of, running_order
from vdjax.model.unet3d import UNet3D, UNet3DConfig
from vdjax.runtime import jit

Spot = tuple[float, float, float, float]


@dataclass(frozen=True)
class AttentionRecord:
    """Attention weights of visual tokens on grounding tokens.

    Attributes:
        maps: for each guided layer, in running order, the weights, 0..1. The resolution is the
            layer's own.
        timesteps: the noise levels of the recorded steps, in the order of sampling.
    """

    maps: Mapping[str, Float[np.ndarray, "step frame head height width token"]]
    timesteps: tuple[int, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers, in running order."""
        return tuple(self.maps)

    @property
    def nbytes(self) -> int:
        """What the record holds in memory, in bytes."""
        return sum(value.nbytes for value in self.maps.values())

    def mean(
        self, layers: Sequence[str] | None = None, steps: Sequence[int] | None = None
    ) -> Float[np.ndarray, "frame height width token"]:
        """The mean over heads, steps and layers, at the resolution of the finest of the layers.

        Coarser maps are enlarged bilinearly. `steps` counts recorded steps from 0; None means all.

        Raises:
            UserError: a layer or a step that was not recorded.
        """
        chosen = self.layers if layers is None else tuple(layers)
        if strangers := [name for name in chosen if name not in self.maps]:
            raise UserError(
                f"layer {strangers[0]!r} was not recorded; there are {', '.join(self.layers)}"
            )
        count = len(self.timesteps)
        taken = list(range(count)) if steps is None else list(steps)
        if not chosen or not taken or any(not 0 <= step < count for step in taken):
            raise UserError(
                f"layers {chosen} and steps {taken}: name at least one of each; "
                f"steps were recorded from 0 to {count - 1}"
            )
        means = [self.maps[name][taken].mean(axis=(0, 2)) for name in chosen]
        height, width = max(mean.shape[1:3] for mean in means)
        return np.mean([_resize(mean, height, width) for mean in means], axis=0)


def record_attention(
    config: UNet3DConfig,
    params: Mapping[str, Any],
    latents: Iterable[Float[Array, "1 frame height width channel"]],
    timesteps: Sequence[int],
    text: Float[Array, "1 length text_width"],
    grounding: Float[Array, "1 frame token grounding_width"],
) -> AttentionRecord:
    """Run the UNet once on each of `latents` and keep what its guided layers look at.

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
    visited = list(latents)
    times = [int(time) for time in timesteps]
    if not visited or len(visited) != len(times):
        raise UserError(
            f"{len(visited)} latents and {len(times)} timesteps: give one timestep for each, "
            "and at least one"
        )
    steps = [
        _look(config, params, latent, jnp.asarray([time]), text, grounding)
        for latent, time in zip(visited, times, strict=True)
    ]
    layers = sorted(steps[0], key=running_order)
    maps = {layer_of(path): np.stack([np.asarray(step[path]) for step in steps]) for path in layers}
    return AttentionRecord(maps, tuple(times))


def attention_bytes(
    config: UNet3DConfig, params: Mapping[str, Any], frames: int, tokens: int, steps: int
) -> int:
    """What a record would hold in memory, in bytes, without running anything."""
    shape = (1, frames, config.sample_size, config.sample_size, config.in_channels)
    shapes = jax.eval_shape(
        partial(_look, config),
        params,
        jax.ShapeDtypeStruct(shape, jnp.float32),
        jax.ShapeDtypeStruct((1,), jnp.int32),
        jax.ShapeDtypeStruct((1, 1, config.text_width), jnp.float32),
        jax.ShapeDtypeStruct((1, frames, tokens, config.grounding_width), jnp.float32),
    )
    return steps * sum(leaf.size * leaf.dtype.itemsize for leaf in shapes.values())


@partial(jit, static_argnums=0)
def _look(config, params, latents, timestep, text, grounding):
    """{module path: weights[frame, head, height, width, token]} of one run, and nothing else."""
    _, sown = UNet3D(config).apply(
        {"params": params}, latents, timestep, text, grounding, mutable=["intermediates"]
    )
    tall, wide = latents.shape[2:4]
    found = {}
    for path, (weights,) in flatten_dict(sown["intermediates"]).items():
        if "fuser" not in path:
            continue
        frames, heads, queries, _ = weights.shape
        height = round((queries * tall / wide) ** 0.5)
        # The keys are [visual; grounding].
        onto = weights[..., queries:]
        found[path[:-2]] = onto.reshape(frames, heads, height, queries // height, onto.shape[-1])
    return found


def mass_in_box(
    heat: Float[np.ndarray, "frame height width"], boxes: Sequence[Spot | None]
) -> Float[np.ndarray, " frame"]:
    """The share of each frame's map that lies inside the box, 0..1; NaN in frames without a box.

    Cells that a box cuts count by the part inside. A map that is the same everywhere has exactly
    the box's area: `chance` gives that.
    """
    frames, height, width = heat.shape
    shares = np.full(frames, np.nan)
    for frame, box in enumerate(boxes):
        if box is not None:
            inside = np.outer(_covered(box[1], box[3], height), _covered(box[0], box[2], width))
            shares[frame] = (heat[frame] * inside).sum() / heat[frame].sum()
    return shares


def chance(boxes: Sequence[Spot | None]) -> Float[np.ndarray, " frame"]:
    """The area of the box in each frame, 0..1: what `mass_in_box` gives for an even map."""
    return np.array([np.nan if b is None else (b[2] - b[0]) * (b[3] - b[1]) for b in boxes], float)


def _covered(low: float, high: float, cells: int) -> Float[np.ndarray, " cell"]:
    """How much of each of `cells` equal parts of 0..1 lies between `low` and `high`."""
    edges = np.arange(cells + 1) / cells
    return np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None) * cells


def _resize(
    maps: Float[np.ndarray, "frame height width token"], height: int, width: int
) -> Float[np.ndarray, "frame tall wide token"]:
    shape = (maps.shape[0], height, width, maps.shape[3])
    return np.asarray(jax.image.resize(maps, shape, "linear"))
