"""Small UNets of PyTorch's, random, with every kind of layer; and ours of the same weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from parity import peer
from parity.peer import diffusers, torch

from vdjax.model.unet3d import UNet3D
from vdjax.weights.convert import unet2d, unet3d
from vdjax.weights.convert.unets import POSITION_NET, Denoiser

BATCH, FRAMES, SIDE, TEXT, LENGTH, ENTITIES = 2, 3, 8, 24, 7, 4
CHANNELS, HEAD, GROUPS = (32, 64), 16, 8

LATENTS = peer.normal(11, BATCH, FRAMES, SIDE, SIDE, 4)
TIMES = np.array([37, 921])
WORDS = peer.normal(12, BATCH, LENGTH, TEXT)
TOKENS = peer.normal(13, BATCH, FRAMES, ENTITIES, TEXT)


@dataclass(frozen=True)
class Pair:
    """Ours (`denoiser`, `params`) and PyTorch's (`theirs`) of the same weights."""

    denoiser: Denoiser
    params: dict[str, Any]
    theirs: torch.nn.Module

    def ours(self, latents, times, text, grounding=None, *, video=True):
        network = UNet3D(self.denoiser.unet)
        params = {name: tree for name, tree in self.params.items() if name != POSITION_NET}

        def run(params, latents, times, text, grounding):
            args = latents, times, text, grounding
            return network.apply({"params": params}, *args, video=video)

        return peer.ours(run, params, *map(jnp.asarray, (latents, times, text)), grounding)


def plain_unet3d() -> torch.nn.Module:
    """UNet3DConditionModel as diffusers has it."""
    return diffusers.UNet3DConditionModel(
        sample_size=SIDE,
        block_out_channels=CHANNELS,
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        layers_per_block=1,
        norm_num_groups=GROUPS,
        cross_attention_dim=TEXT,
        attention_head_dim=HEAD,
    )


def unet3d_pair(folder) -> Pair:
    """The same with LVD's fusers and position net put into it.

    diffusers' own video UNet has no place for them: LVD gave the spatial blocks theirs in a copy.
    """
    theirs = plain_unet3d()
    theirs.save_config(folder)
    config = {**json.loads((folder / "config.json").read_text()), "attention_type": "gated"}
    for module in list(theirs.modules()):
        if isinstance(module, diffusers.Transformer2DModel):
            width = module.inner_dim
            for block in module.transformer_blocks:
                block.fuser = diffusers.models.attention.GatedSelfAttentionDense(
                    width, TEXT, width // HEAD, HEAD
                )
        elif isinstance(module, diffusers.models.TransformerTemporalModel):
            module.forward = _deaf(module.forward)
    theirs.position_net = diffusers.models.embeddings.GLIGENTextBoundingboxProjection(TEXT, TEXT)
    return _paired(config, unet3d, peer.randomised(theirs))


def _deaf(forward):
    """Temporal transformers hear nothing of the grounding that spatial ones are given."""

    def run(*args, cross_attention_kwargs=None, **kwargs):
        return forward(*args, **kwargs)

    return run


def unet2d_pair(folder, attention_type="default", *, fixed_heads=False) -> Pair:
    """UNet2DConditionModel: Stable Diffusion 1's kind with fixed heads, or else 2's."""
    theirs = diffusers.UNet2DConditionModel(
        sample_size=SIDE,
        block_out_channels=CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=GROUPS,
        cross_attention_dim=TEXT,
        attention_head_dim=8 if fixed_heads else tuple(width // HEAD for width in CHANNELS),
        use_linear_projection=not fixed_heads,
        attention_type=attention_type,
    )
    config, _ = peer.saved(peer.randomised(theirs), folder)
    return _paired(config, unet2d, theirs)


def _paired(config, source, theirs) -> Pair:
    denoiser = source.configure(config)
    given = (denoiser,) if source is unet3d else (denoiser, config)
    rules = source.rules_for(*given)
    params = peer.converted(peer.state(theirs), rules, source.wanted(denoiser))
    return Pair(denoiser, params, theirs)


def grounded(tokens) -> dict[str, Any]:
    """Grounding tokens of (batch, frame, token, width) as diffusers hands them to a fuser."""
    rows = torch.from_numpy(np.ascontiguousarray(tokens.reshape(-1, *tokens.shape[2:])))
    return {"cross_attention_kwargs": {"gligen": {"objs": rows}}}


def rows(x: np.ndarray) -> torch.Tensor:
    """(batch, frame, height, width, channel) as the rows that 3D blocks work on."""
    return peer.first(x.reshape(-1, *x.shape[2:]))


def clips(x: torch.Tensor, batch: int = BATCH) -> np.ndarray:
    """Those rows as clips again."""
    x = peer.last(x)
    return x.reshape(batch, -1, *x.shape[1:])
