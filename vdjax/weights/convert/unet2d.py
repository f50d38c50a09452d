"""diffusers' UNet2DConditionModel: Stable Diffusion 1 and 2, and GLIGEN's networks made of them.

They become the spatial half of ours: a network of one frame, without temporal layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vdjax.errors import WeightsError
from vdjax.model.unet3d import UNet3DConfig
from vdjax.weights.convert.gligen import gated_rules, grounding_of
from vdjax.weights.convert.rules import Rule
from vdjax.weights.convert.settings import read_settings
from vdjax.weights.convert.unets import (
    FIXED,
    SIZES,
    SPATIAL,
    Denoiser,
    common_fields,
    layers,
    transformer,
    wanted,
    whole_number,
)

KINDS = ("UNet2DConditionModel",)

_FIXED = {
    **FIXED,
    "addition_embed_type": None,
    "addition_embed_type_num_heads": 64,
    "addition_time_embed_dim": None,
    "center_input_sample": False,
    "class_embed_type": None,
    "class_embeddings_concat": False,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "cross_attention_norm": None,
    "dual_cross_attention": False,
    "encoder_hid_dim": None,
    "encoder_hid_dim_type": None,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_only_cross_attention": None,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "num_class_embeds": None,
    "only_cross_attention": False,
    "projection_class_embeddings_input_dim": None,
    "resnet_out_scale_factor": (1, 1.0),
    "resnet_skip_time_act": False,
    "resnet_time_scale_shift": "default",
    "reverse_transformer_layers_per_block": None,
    "time_embedding_act_fn": None,
    "time_embedding_dim": None,
    "time_embedding_type": "positional",
    "timestep_post_act": None,
    "transformer_layers_per_block": 1,
}
# Of half precision and of training: ours takes softmax in float32 and has no dropout.
_IGNORED = ("upcast_attention", "dropout")


def _rules(projection: str) -> tuple[Rule, ...]:
    return (*SPATIAL, *layers("attentions", transformer(projection)))


LINEAR_RULES = _rules("linear")  # Stable Diffusion 2
CONV_RULES = _rules("conv as linear")  # Stable Diffusion 1


def rules_for(denoiser: Denoiser, data: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules of one network's keys; its config.json says how projections are kept."""
    rules = LINEAR_RULES if data.get("use_linear_projection", False) else CONV_RULES
    return (*rules, *gated_rules(denoiser.grounding))


def configure(data: Mapping[str, Any]) -> Denoiser:
    """Our configuration of a config.json.

    Raises:
        WeightsError: it is not of a UNet2DConditionModel, or of one that vdjax has not.
    """
    (kind,) = KINDS
    settings = read_settings(
        data,
        kinds=KINDS,
        sizes={
            **SIZES,
            "cross_attention_dim": 1280,
            "attention_head_dim": 8,
            "use_linear_projection": False,
        },
        fixed=_FIXED,
        ignored=_IGNORED,
    )
    text_width = whole_number(kind, "cross_attention_dim", settings["cross_attention_dim"])
    grounding = grounding_of(kind, settings["attention_type"], text_width)
    fields = common_fields(kind, settings, "2D")
    unet = UNet3DConfig(
        **fields,
        **_heads(kind, settings["attention_head_dim"], fields["block_out_channels"]),
        text_width=text_width,
        grounding_width=text_width,
        input_temporal_heads=8,
        temporal=False,
        gated=grounding is not None,
    )
    return Denoiser(unet, grounding)


def _heads(kind: str, given: Any, channels: tuple[int, ...]) -> dict[str, Any]:
    """What `attention_head_dim` means: the number of heads, in spite of its name (diffusers says
    why in unet_2d_condition.py), for all levels or for each."""
    heads = tuple(given) if isinstance(given, (list, tuple)) else (given,) * len(channels)
    if len(heads) != len(channels) or any(
        not isinstance(n, int) or n < 1 or width % n
        for n, width in zip(heads, channels, strict=False)
    ):
        raise WeightsError(
            f"{kind}: attention_head_dim is {given!r}; vdjax's is one number of heads, or one for "
            f"each of {channels}, that divides the channels"
        )
    widths = {width // n for n, width in zip(heads, channels, strict=True)}
    if len(widths) == 1:
        return {"head_dim": widths.pop()}
    return {"num_heads": heads, "head_dim": 64}


__all__ = ["CONV_RULES", "KINDS", "LINEAR_RULES", "configure", "rules_for", "wanted"]
