"""The networks that are measured: ModelScope's, at its own width and at smaller ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Size:
    """Arguments of diffusers' UNet3DConditionModel, the clip that goes in, and how often.

    `rounds` is how many times each side is measured unless the command line says otherwise, `later`
    how many steps follow the first in a process of its own. A training step takes so many `stills`.
    """

    name: str
    frames: int
    side: int
    rounds: int
    later: int = 2
    text_length: int = 77
    stills: int = 8
    network: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)

    @property
    def text_width(self) -> int:
        return self.network["cross_attention_dim"]

    def __str__(self) -> str:
        widths = self.network["block_out_channels"]
        return (
            f"{self.name}: channels {min(widths)} to {max(widths)}, "
            f"{self.frames} frames of {self.side}×{self.side} latents"
        )


_TINY = {
    "block_out_channels": (32, 64),
    "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
    "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "cross_attention_dim": 32,
    "attention_head_dim": 16,
}
_MID = {
    "block_out_channels": (64, 128, 256, 256),
    "cross_attention_dim": 256,
    "attention_head_dim": 32,
}
# diffusers: the defaults of unet_3d_condition.py are ModelScope's.
_FULL = {
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 1024,
    "attention_head_dim": 64,
}

SIZES = {
    size.name: size
    for size in (
        Size("tiny", frames=4, side=8, rounds=3, text_length=7, stills=2, network=_TINY),
        Size("mid", frames=16, side=32, rounds=7, network=_MID),
        Size("full", frames=16, side=32, rounds=3, later=1, network=_FULL),
    )
}
