"""ModelScope's own naming of its UNet (UNetSD), in which blocks are numbered in a row.

Numbers and names are read off modelscope's video_synthesis/unet_sd.py. "temopral_conv" is its
spelling; projections of temporal transformers are convolutions over one frame there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vdjax.errors import WeightsError
from vdjax.model.unet3d import UNet3DConfig
from vdjax.weights.convert.rules import Rule, conv, linear, norm, under
from vdjax.weights.convert.settings import read_settings
from vdjax.weights.convert.unets import TEMPORAL_CONV, Denoiser, transformer, wanted

KINDS = ("UNetSD",)

RESNET = (
    *norm("in_layers.0", "norm1"),
    *conv("in_layers.2", "conv1"),
    *linear("emb_layers.1", "time_emb_proj"),
    *norm("out_layers.0", "norm2"),
    *conv("out_layers.3", "conv2"),
    *conv("skip_connection", "conv_shortcut"),
)
_SPATIAL, _TEMPORAL = transformer("linear"), transformer("conv1d as linear")

_FIELDS = {
    "unet_in_dim": 4,
    "unet_out_dim": 4,
    "unet_dim": 320,
    "unet_context_dim": 1024,
    "unet_dim_mult": [1, 2, 4, 4],
    "unet_num_heads": 8,
    "unet_head_dim": 64,
    "unet_res_blocks": 2,
    "unet_attn_scales": [1, 0.5, 0.25],
}


def is_named_so(keys: Iterable[str]) -> bool:
    """Whether a state dict has this naming."""
    return any(key.startswith("input_blocks.") for key in keys)


def configure(data: Mapping[str, Any]) -> Denoiser:
    """Our configuration of a `configuration.json`; of what it leaves open, the released network's.

    Raises:
        WeightsError: it is of something else, or of a network that vdjax has not.
    """
    if data and "model" not in data:
        raise WeightsError("a configuration of ModelScope's has a field 'model': this is not one")
    model = data.get("model", {}).get("model_cfg", {})
    s = read_settings(
        {**model, "_class_name": KINDS[0]},
        kinds=KINDS,
        sizes=_FIELDS,
        fixed={"temporal_attention": ("True", True), "num_timesteps": 1000, "mean_type": "eps"},
        ignored=("unet_y_dim", "unet_dropout", "var_type", "loss_type"),
    )
    multiples = s["unet_dim_mult"]
    scales = [float(scale) for scale in s["unet_attn_scales"]]
    return Denoiser(
        UNet3DConfig(
            sample_size=32,
            in_channels=s["unet_in_dim"],
            out_channels=s["unet_out_dim"],
            block_out_channels=tuple(s["unet_dim"] * times for times in multiples),
            attention=tuple(0.5**level in scales for level in range(len(multiples))),
            layers_per_block=s["unet_res_blocks"],
            text_width=s["unet_context_dim"],
            grounding_width=s["unet_context_dim"],
            head_dim=s["unet_head_dim"],
            input_temporal_heads=s["unet_num_heads"],
            gated=False,
        )
    )


def rules_for(denoiser: Denoiser) -> tuple[Rule, ...]:
    """The rules of one network's keys: a place's number depends on how many come before it."""
    config = denoiser.unet
    levels = len(config.block_out_channels)
    rules = [
        *linear("time_embed.0", "time_embedding/linear_1"),
        *linear("time_embed.2", "time_embedding/linear_2"),
        *conv("input_blocks.0.0", "conv_in"),
        *under("input_blocks.0.1", "transformer_in", _TEMPORAL),
        *norm("out.0", "conv_norm_out"),
        *conv("out.2", "conv_out"),
    ]
    at = 0
    for level in range(levels):
        for layer in range(config.layers_per_block):
            at += 1
            place = f"down_blocks_{level}"
            rules += _layer(f"input_blocks.{at}", place, layer, config.attention[level])
        if level < levels - 1:
            at += 1
            rules += conv(f"input_blocks.{at}.op", f"down_blocks_{level}_downsamplers_0/conv")
    rules += _layer("middle_block", "mid_block", 0, True)
    rules += _resnet("middle_block.3", "mid_block", 1)
    at = -1
    for i, level in enumerate(reversed(range(levels))):
        for layer in range(config.layers_per_block + 1):
            at += 1
            attention = config.attention[level]
            rules += _layer(f"output_blocks.{at}", f"up_blocks_{i}", layer, attention)
        if level > 0:
            # The upsampler stands behind the last layer's parts.
            behind = f"output_blocks.{at}.{3 if attention else 1}"
            rules += conv(f"{behind}.conv", f"up_blocks_{i}_upsamplers_0/conv")
    return tuple(rules)


def _layer(name: str, target: str, layer: int, attention: bool) -> tuple[Rule, ...]:
    """The rules of one place: a residual block and, with attention, two transformers."""
    rules = _resnet(f"{name}.0", target, layer)
    if attention:
        rules += under(f"{name}.1", f"{target}/attentions_{layer}", _SPATIAL)
        rules += under(f"{name}.2", f"{target}/temp_attentions_{layer}", _TEMPORAL)
    return rules


def _resnet(name: str, target: str, layer: int) -> tuple[Rule, ...]:
    temporal = under(f"{name}.temopral_conv", f"{target}/temp_convs_{layer}", TEMPORAL_CONV)
    return under(name, f"{target}/resnets_{layer}", RESNET) + temporal


__all__ = ["KINDS", "configure", "is_named_so", "rules_for", "wanted"]
