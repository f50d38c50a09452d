"""diffusers' UNet3DConditionModel: ModelScope's network, and LVD's with gated layers in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vdjax.model.unet3d import UNet3DConfig
from vdjax.weights.convert.gligen import gated_rules, grounding_of
from vdjax.weights.convert.rules import Rule, under
from vdjax.weights.convert.settings import read_settings
from vdjax.weights.convert.unets import (
    FIXED,
    SIZES,
    SPATIAL,
    TEMPORAL_CONV,
    Denoiser,
    common_fields,
    layers,
    transformer,
    wanted,
    whole_number,
)

KINDS = ("UNet3DConditionModel",)

# diffusers: unet_3d_condition.py. Every other attention has heads of the width `attention_head_dim`
# and as many as fit; the first temporal one has eight of that width, whatever the channels.
INPUT_TEMPORAL_HEADS = 8

RULES = (
    *SPATIAL,
    *under("transformer_in", "transformer_in", transformer()),
    *layers("temp_convs", TEMPORAL_CONV),
    *layers("attentions", transformer()),
    *layers("temp_attentions", transformer()),
)


def rules_for(denoiser: Denoiser) -> tuple[Rule, ...]:
    """The rules of one network's keys."""
    return (*RULES, *gated_rules(denoiser.grounding))


def configure(data: Mapping[str, Any]) -> Denoiser:
    """Our configuration of a config.json.

    Raises:
        WeightsError: it is not of a UNet3DConditionModel, or of one that vdjax has not.
    """
    (kind,) = KINDS
    settings = read_settings(
        data,
        kinds=KINDS,
        sizes={**SIZES, "cross_attention_dim": 1024, "attention_head_dim": 64},
        fixed=FIXED,
    )
    text_width = whole_number(kind, "cross_attention_dim", settings["cross_attention_dim"])
    grounding = grounding_of(kind, settings["attention_type"], text_width)
    unet = UNet3DConfig(
        **common_fields(kind, settings, "3D"),
        text_width=text_width,
        grounding_width=text_width,
        head_dim=whole_number(kind, "attention_head_dim", settings["attention_head_dim"]),
        input_temporal_heads=INPUT_TEMPORAL_HEADS,
        gated=grounding is not None,
    )
    return Denoiser(unet, grounding)


__all__ = ["KINDS", "RULES", "configure", "rules_for", "wanted"]
