"""Where tokens are looked at, recorded from the attention layers, against the boxes.

A clip's latents at some denoising steps, its words and its grounding tokens enter; one map per
layer, step, frame, head, place and token leaves. The maps are the softmax weights with which each
visual token looks at each grounding token (in the gated layers) and at each word of the caption (by
cross-attention), of the conditional branch alone, as DAAM takes them (Tang et al. 2023, section 3).
Unlike there the time axis is kept, and a word of several pieces has the sum of their weights, so
that maps stay shares. Sampling is not touched: the network is run once more on latents that the
sampler has visited, so a film is the same whether it is looked at or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Float

from vdjax.errors import UserError
from vdjax.inspect.gates import layer_of, running_order
from vdjax.inspect.records import AttentionRecord, Spot, Token, chance, mass_in_box, readable
from vdjax.model.unet3d import UNet3D, UNet3DConfig
from vdjax.runtime import jit

__all__ = [
    "LIMIT",
    "AttentionRecord",
    "Spot",
    "Token",
    "attention_bytes",
    "chance",
    "check_size",
    "mass_in_box",
    "passing_bytes",
    "record_attention",
]

LIMIT = 1 << 30
"""Bytes that a record may hold unless told otherwise: one GiB, an eighth of a laptop's memory."""


def record_attention(
    config: UNet3DConfig,
    params: Mapping[str, Any],
    latents: Iterable[Float[Array, "1 frame height width channel"]],
    timesteps: Sequence[int],
    text: Float[Array, "1 length text_width"],
    grounding: Float[Array, "1 frame token grounding_width"],
    *,
    entities: Mapping[str, Sequence[int]] | None = None,
    words: Mapping[str, Sequence[int]] | None = None,
    gated: Sequence[bool] | None = None,
    heads: bool = True,
    limit: int = LIMIT,
) -> AttentionRecord:
    """Run the UNet once on each of `latents` and keep what its attention layers look at.

    Args:
        config: the UNet's shape.
        params: the UNet's parameters, guided layers included.
        latents: what entered each step that is to be recorded.
        timesteps: the noise level of each.
        text: token states of the scene's description (the conditional half alone).
        grounding: the scene's grounding tokens (the conditional half alone).
        entities: by name the grounding tokens that are an entity's, whose weights are added up;
            where None every token is recorded for itself.
        words: by name the places in `text` that are a word's (see `caption_words`), whose weights
            are added up; where None no words are recorded.
        gated: which steps run with the gated layers; all where None.
        heads: False keeps the mean over heads alone.
        limit: what the record may hold, in bytes.

    Raises:
        UserError: nothing to record, not one timestep for each of the latents, or the record would
            be larger than `limit`.
    """
    visited = list(latents)
    times = [int(time) for time in timesteps]
    on = [True] * len(times) if gated is None else [bool(gate) for gate in gated]
    if not visited or len(visited) != len(times) or len(on) != len(times):
        raise UserError(
            f"{len(visited)} latents and {len(times)} timesteps: give one timestep for each, "
            "and at least one (and, if any, as many in `gated`)"
        )
    length = grounding.shape[2]
    who = {f"token {i + 1}": (i,) for i in range(length)} if entities is None else entities
    told = words or {}
    count = len(who) + len(told)
    _, frames, tall, wide, _ = visited[0].shape
    check_size(
        config, params, frames, count, len(times), heads=heads, size=(tall, wide), limit=limit
    )
    sums = _sums(who.values(), length), _sums(told.values(), text.shape[1])
    steps = [
        _look(
            config, params, latent, jnp.asarray([time]), text, grounding, sums, on=gate, each=heads
        )
        for latent, time, gate in zip(visited, times, on, strict=True)
    ]
    layers = sorted(steps[0], key=running_order)
    maps = {layer_of(path): np.stack([np.asarray(step[path]) for step in steps]) for path in layers}
    tokens = (*map(Token, who), *(Token(name, "word") for name in told))
    return AttentionRecord(maps, tuple(times), tokens, tuple(on))


def attention_bytes(
    config: UNet3DConfig,
    params: Mapping[str, Any],
    frames: int,
    tokens: int,
    steps: int,
    *,
    heads: bool = True,
    size: tuple[int, int] | None = None,
) -> int:
    """What a record would hold in memory, in bytes, without running anything.

    `tokens` counts words too; `heads` is as `record_attention` takes it; `size` is the height and
    width of the latents, `config.sample_size` both where None.
    """
    places = sum(
        height * width * (count if heads else 1)
        for count, height, width in _layers(config, params, size)
    )
    return steps * frames * tokens * places * np.dtype(np.float32).itemsize


def passing_bytes(
    config: UNet3DConfig,
    params: Mapping[str, Any],
    frames: int,
    *,
    size: tuple[int, int] | None = None,
) -> int:
    """About what a run that records holds meanwhile beside the network: the scores and the weights
    of its largest self-attention, whole, which a run that records nothing need not hold."""
    largest = max(
        count * (height * width) ** 2 for count, height, width in _layers(config, params, size)
    )
    return 2 * frames * largest * np.dtype(np.float32).itemsize


def _layers(
    config: UNet3DConfig, params: Mapping[str, Any], size: tuple[int, int] | None
) -> list[tuple[int, int, int]]:
    """Heads, height and width of each layer that looks at words (and at tokens)."""
    size = size or (config.sample_size, config.sample_size)
    found = []
    for stage, _ in {path[:2] for path in flatten_dict(params) if _looks_at_words(path)}:
        level = _level(stage, len(config.block_out_channels))
        height, width = (-(-side // 2**level) for side in size)
        found.append((config.heads_at(level)[0], height, width))
    return found


def check_size(
    config: UNet3DConfig,
    params: Mapping[str, Any],
    frames: int,
    tokens: int,
    steps: int,
    *,
    heads: bool = True,
    size: tuple[int, int] | None = None,
    limit: int = LIMIT,
) -> int:
    """What `attention_bytes` says, where that is not above `limit`.

    Raises:
        UserError: it is; the message says what of it would fit.
    """

    def hold(heads: bool) -> int:
        return attention_bytes(config, params, frames, tokens, steps, heads=heads, size=size)

    need = hold(heads)
    if need <= limit:
        return need
    outs = []
    if heads:
        outs.append(f"keep only the mean over heads (heads=False: {readable(hold(False))})")
    if fits := limit * steps // need:
        outs.append(f"record {fits} of the steps")
    raise UserError(
        f"a record of {steps} steps, {frames} frames and {tokens} tokens"
        f"{' with all heads' if heads else ''} would hold {readable(need)}, above the limit of "
        f"{readable(limit)}: {', '.join([*outs, 'record fewer tokens'])}, or raise `limit`"
    )


def _sums(groups: Iterable[Sequence[int]], length: int) -> Float[Array, "place group"]:
    """A matrix that adds up the weights of each group's places."""
    groups = list(groups)
    matrix = np.zeros((length, len(groups)), np.float32)
    for column, places in enumerate(groups):
        matrix[list(places), column] = 1.0
    return jnp.asarray(matrix)


def _level(stage: str, levels: int) -> int:
    """The level of a stage of the UNet, counted from the finest."""
    number = stage.rpartition("_")[2]
    if not number.isdigit():
        return levels - 1
    return int(number) if stage.startswith("down") else levels - 1 - int(number)


def _looks_at_words(path: tuple[str, ...]) -> bool:
    """Whether something lies in a cross-attention to the text, not in attention over time."""
    return path[1].startswith("attentions_") and "attn2" in path


@partial(jit, static_argnums=0, static_argnames=("on", "each"))
def _look(config, params, latents, timestep, text, grounding, sums, *, on: bool, each: bool):
    """{module path: weights[frame, head, height, width, token]} of one run, and nothing else."""
    _, sown = UNet3D(config).apply(
        {"params": params},
        latents,
        timestep,
        text,
        grounding if on else None,
        mutable=["intermediates"],
    )
    frames, tall, wide = latents.shape[1:4]
    flat = {path: leaf for path, (leaf,) in flatten_dict(sown["intermediates"]).items()}
    found = {}
    for path, onto_text in flat.items():
        if not _looks_at_words(path):
            continue
        heads, queries = onto_text.shape[1], onto_text.shape[2] // frames
        # The queries of all frames are one row here.
        onto_text = onto_text[0].reshape(heads, frames, queries, -1).swapaxes(0, 1)
        if on:  # the keys are [visual; grounding]
            onto_tokens = flat[*path[:-2], "fuser", "attn", "attention"][..., queries:]
        else:
            onto_tokens = jnp.zeros((*onto_text.shape[:-1], grounding.shape[2]))
        onto = jnp.concatenate(
            [
                jnp.matmul(weights.astype(jnp.float32), added, precision="highest")
                for weights, added in zip((onto_tokens, onto_text), sums, strict=True)
            ],
            axis=-1,
        )
        onto = onto if each else onto.mean(axis=1, keepdims=True)
        height = round((queries * tall / wide) ** 0.5)
        found[path[:2]] = onto.reshape(*onto.shape[:2], height, queries // height, -1)
    return found
