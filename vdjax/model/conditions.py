"""What a film's text and grounding tokens are to the UNet's attention layers: keys and values.

They are the same at every denoising step, so they are computed once and given to the network as
its collection "conditions"; without it each layer computes them itself. The arithmetic is that of
`Attention` and `GatedSelfAttention`, layer by layer.
"""

from __future__ import annotations

from typing import Any, cast

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float

from vdjax.model.attention import LAYER_NORM_EPSILON
from vdjax.model.boxes import unpack
from vdjax.model.params import TEMPORAL, split_params
from vdjax.model.unet3d import UNet3DConfig

_KEPT = {"to_k": "key", "to_v": "value"}


def project_conditions(
    config: UNet3DConfig,
    params: Any,
    text: Float[Array, "batch length text_width"],
    grounding: Float[Array, "batch frame token grounding_width"] | None = None,
) -> dict[str, Any]:
    """The collection "conditions" of a `UNet3D`: keys and values of text, and of grounding tokens.

    Without `grounding` those of the gated layers are left out.
    """
    spatial = flatten_dict(split_params(params, TEMPORAL)[1])
    tokens = None
    if grounding is not None:
        tokens = grounding.reshape(-1, *grounding.shape[2:])
        if config.box_geometry:
            tokens, _, _ = unpack(tokens, config.picture_waves)

    def below(path: tuple[str, ...]) -> dict[str, Any]:
        return {at[-1]: leaf for at, leaf in spatial.items() if at[:-1] == path}

    def dense(path: tuple[str, ...], x: jax.Array) -> jax.Array:
        own = below(path)
        layer = nn.Dense(own["kernel"].shape[-1], use_bias="bias" in own)
        return cast(jax.Array, layer.apply({"params": own}, x))

    kept: dict[tuple[str, ...], jax.Array] = {}
    for layer in dict.fromkeys(path[:-2] for path in spatial if path[-2] in _KEPT):
        if layer[-1] == "attn2":
            context = text
        elif layer[-2:] == ("fuser", "attn") and tokens is not None:
            fuser = layer[:-1]
            norm = nn.LayerNorm(epsilon=LAYER_NORM_EPSILON)
            hidden = dense((*fuser, "linear"), tokens)
            context = cast(jax.Array, norm.apply({"params": below((*fuser, "norm1"))}, hidden))
        else:
            continue
        for name, kind in _KEPT.items():
            kept[*layer, kind] = dense((*layer, name), context)
    return unflatten_dict(kept)
