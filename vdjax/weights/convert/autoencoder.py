"""diffusers' AutoencoderKL: Stable Diffusion's and ModelScope's encoder and decoder of pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vdjax.errors import WeightsError
from vdjax.model.hf import Autoencoder, AutoencoderConfig
from vdjax.model.params import leaf_shapes
from vdjax.weights.convert.rules import Rule, conv, linear, norm, under
from vdjax.weights.convert.settings import read_settings

KINDS = ("AutoencoderKL",)

_RESNET = (
    *norm("norm1"),
    *conv("conv1"),
    *norm("norm2"),
    *conv("conv2"),
    *conv("conv_shortcut"),
)
_NEW = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_OLD = {name: name for name in _NEW}  # until diffusers 0.14; Stable Diffusion 1's files have them


def _rules(attention: Mapping[str, str]) -> tuple[Rule, ...]:
    side, block = "{side:encoder|decoder}", "{way:down|up}_blocks.{i}"
    target = "{side}/{way}_blocks_{i}"
    middle = (
        *norm("group_norm"),
        *(rule for ours, theirs in attention.items() for rule in linear(theirs, ours)),
    )
    return (
        *conv(f"{side}.conv_in"),
        *under(f"{side}.{block}.resnets.{{j}}", f"{target}/resnets_{{j}}", _RESNET),
        *conv(
            f"{side}.{block}.{{turn:downsamplers|upsamplers}}.0.conv", f"{target}/{{turn}}_0/conv"
        ),
        *under(f"{side}.mid_block.resnets.{{j}}", "{side}/mid_block/resnets_{j}", _RESNET),
        *under(f"{side}.mid_block.attentions.0", "{side}/mid_block/attentions_0", middle),
        *norm(f"{side}.conv_norm_out"),
        *conv(f"{side}.conv_out"),
        *conv("quant_conv"),
        *conv("post_quant_conv"),
    )


RULES, OLD_RULES = _rules(_NEW), _rules(_OLD)


def rules_for(keys: Iterable[str]) -> tuple[Rule, ...]:
    """The rules of the naming that these keys have."""
    return OLD_RULES if any(key.endswith(".proj_attn.weight") for key in keys) else RULES


def configure(data: Mapping[str, Any]) -> AutoencoderConfig:
    """Our configuration of a config.json.

    Raises:
        WeightsError: it is not of an AutoencoderKL, or of one that vdjax has not.
    """
    sizes = read_settings(
        data,
        kinds=KINDS,
        sizes={
            "block_out_channels": [64],
            "layers_per_block": 1,
            "latent_channels": 4,
            "norm_num_groups": 32,
            "sample_size": 32,
            "scaling_factor": 0.18215,
            "down_block_types": ["DownEncoderBlock2D"],
            "up_block_types": ["UpDecoderBlock2D"],
        },
        fixed={
            "act_fn": "silu",
            "in_channels": 3,
            "out_channels": 3,
            "latents_mean": None,
            "latents_std": None,
            "shift_factor": None,
            "mid_block_add_attention": True,
            "use_quant_conv": True,
            "use_post_quant_conv": True,
        },
        ignored=("force_upcast",),  # of half precision: ours decodes in float32
    )
    for name, kind in (
        ("down_block_types", "DownEncoderBlock2D"),
        (
            "up_block_types",
            "UpDecoderBlock2D",
        ),
    ):
        blocks = list(sizes.pop(name))
        if blocks != [kind] * len(sizes["block_out_channels"]):
            raise WeightsError(f"AutoencoderKL: {name} is {blocks}; vdjax's has {kind} throughout")
    channels = tuple(sizes.pop("block_out_channels"))
    return AutoencoderConfig(block_out_channels=channels, **sizes)


def wanted(config: AutoencoderConfig) -> dict[str, tuple[int, ...]]:
    """Our leaves and their shapes."""
    return leaf_shapes(Autoencoder(config).init)
