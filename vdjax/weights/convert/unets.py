"""What UNets of diffusers' family have in common, in two dimensions and in three.

A `Denoiser` says which UNet, and which grounding MLP where there are gated layers; its leaves are
one tree, the grounding MLP under "position_net". Blocks go by diffusers' names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vdjax.errors import WeightsError
from vdjax.ground.tokens import GroundingConfig
from vdjax.model.unet3d import UNet3DConfig
from vdjax.weights.convert.rules import Rule, conv, linear, norm, under
from vdjax.weights.size import net_shapes, unet_shapes

POSITION_NET = "position_net"


@dataclass(frozen=True)
class Denoiser:
    """A UNet, and the grounding MLP that its gated layers are fed by."""

    unet: UNet3DConfig
    grounding: GroundingConfig | None = None


def wanted(denoiser: Denoiser) -> dict[str, tuple[int, ...]]:
    """Our leaves and their shapes."""
    shapes = dict(unet_shapes(denoiser.unet))
    if denoiser.grounding is not None:
        net = net_shapes(denoiser.grounding)
        shapes |= {f"{POSITION_NET}/{leaf}": shape for leaf, shape in net.items()}
    return shapes


RESNET = (
    *norm("norm{n:1|2}"),
    *conv("conv{n:1|2}"),
    *linear("time_emb_proj"),
    *conv("conv_shortcut"),
)

# Sequences of norm, SiLU and convolution; from the second on a dropout stands before the last.
TEMPORAL_CONV = (
    *norm("conv{n:1|2|3|4}.0", "conv{n}_norm"),
    *conv("conv1.2", "conv1_conv", change="temporal conv"),
    *conv("conv{n:2|3|4}.3", "conv{n}_conv", change="temporal conv"),
)

FEED_FORWARD = (
    *linear("ff.net.0.proj", "ff/net_0_proj"),
    *linear("ff.net.2", "ff/net_2"),
)


def attention(name: str) -> tuple[Rule, ...]:
    """The rules of an attention; `name` may be a choice, as `{attn:attn1|attn2}` is."""
    target = "{attn}" if name.startswith("{") else name
    return (
        *linear(f"{name}.{{part:to_q|to_k|to_v}}", f"{target}/{{part}}", bias=False),
        *linear(f"{name}.to_out.0", f"{target}/to_out"),
    )


BLOCK = (*norm("norm{n:1|2|3}"), *attention("{attn:attn1|attn2}"), *FEED_FORWARD)


def transformer(projection: str = "linear") -> tuple[Rule, ...]:
    """The rules of a transformer whose projections in and out are kept by PyTorch as `projection`
    says: "linear", "conv as linear" or "conv1d as linear"."""
    return (
        *norm("norm"),
        *conv("{proj:proj_in|proj_out}", change=projection),
        *under("transformer_blocks.0", "transformer_blocks_0", BLOCK),
    )


# Of any block, with its place: levels on the way down and up, and the bottom.
PLACES = (("{way:down|up}_blocks.{i}", "{way}_blocks_{i}"), ("mid_block", "mid_block"))

FRAME = (
    *linear("time_embedding.linear_{n:1|2}", "time_embedding/linear_{n}"),
    *conv("conv_in"),
    *norm("conv_norm_out"),
    *conv("conv_out"),
    *conv("down_blocks.{i}.downsamplers.0.conv", "down_blocks_{i}_downsamplers_0/conv"),
    *conv("up_blocks.{i}.upsamplers.0.conv", "up_blocks_{i}_upsamplers_0/conv"),
)


def layers(kind: str, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The rules of the layers of one kind ("resnets", ...), wherever they stand."""
    return tuple(
        rule
        for pattern, target in PLACES
        for rule in under(f"{pattern}.{kind}.{{j}}", f"{target}/{kind}_{{j}}", rules)
    )


SPATIAL = (*FRAME, *layers("resnets", RESNET))

# Fields of config.json that both kinds of UNet have, and what they must be.
FIXED: Mapping[str, Any] = {
    "act_fn": "silu",
    "downsample_padding": 1,
    "mid_block_scale_factor": (1, 1.0),
    "norm_eps": 1e-5,
    "num_attention_heads": None,
    "time_cond_proj_dim": None,
}
SIZES: Mapping[str, Any] = {
    "sample_size": None,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "attention_type": "default",
    "down_block_types": None,
    "up_block_types": None,
}


def common_fields(kind: str, settings: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    """What both kinds of config.json say in the same way, as fields of `UNet3DConfig`.

    `suffix` ends the blocks' names: "2D" or "3D".

    Raises:
        WeightsError: levels are of blocks, or in an order, that vdjax's UNet has not.
    """
    channels = tuple(settings["block_out_channels"])
    names = {f"CrossAttnDownBlock{suffix}": True, f"DownBlock{suffix}": False}
    usual = [f"CrossAttnDownBlock{suffix}"] * 3 + [f"DownBlock{suffix}"]
    down = list(settings["down_block_types"] or usual)
    up = list(settings["up_block_types"] or [name.replace("Down", "Up") for name in down[::-1]])
    if any(name not in names for name in down) or len(down) != len(channels):
        raise WeightsError(
            f"{kind}: down_block_types is {down}; vdjax's UNet has {' and '.join(names)}, one for "
            f"each of {len(channels)} block_out_channels"
        )
    if up != [name.replace("Down", "Up") for name in down[::-1]]:
        raise WeightsError(f"{kind}: up_block_types is {up}; vdjax's UNet mirrors {down}")
    for name in ("sample_size", "in_channels", "out_channels", "layers_per_block"):
        if not isinstance(settings[name] or 1, int):
            raise WeightsError(f"{kind}: {name} is {settings[name]!r}; vdjax's is one number")
    groups = settings["norm_num_groups"]
    if not isinstance(groups, int) or any(width % groups for width in channels):
        raise WeightsError(
            f"{kind}: norm_num_groups is {groups!r}; vdjax's divides all of {channels}"
        )
    return {
        "sample_size": settings["sample_size"] or 32,
        "in_channels": settings["in_channels"],
        "out_channels": settings["out_channels"],
        "block_out_channels": channels,
        "attention": tuple(names[name] for name in down),
        "layers_per_block": settings["layers_per_block"],
        "norm_num_groups": settings["norm_num_groups"],
    }


def whole_number(kind: str, name: str, value: Any) -> int:
    """A field that must be one number.

    Raises:
        WeightsError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise WeightsError(f"{kind}: {name} is {value!r}; vdjax's is one whole number")
    return value
