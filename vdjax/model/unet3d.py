"""The 3D UNet: ModelScope's text-to-video network with a place for grounding tokens.

Noisy latents of a clip, timesteps, the scene's text tokens and, where gates are on, grounding
tokens per frame enter; the prediction (noise or velocity, by training) leaves in the latents'
shape. Modules, order and names are diffusers' UNet3DConditionModel, so that its weights fit; gated
layers sit in every spatial transformer and in no temporal one, as in VideoDirectorGPT (section 3.2)
and LVD. One configuration drives every size.
"""

from __future__ import annotations

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from vdjax.model.attention import SpatialTransformer, TemporalTransformer
from vdjax.model.blocks import (
    CONV_EPSILON,
    Downsample,
    ResnetBlock,
    TemporalConv,
    TimestepEmbedding,
    Upsample,
    fold_frames,
    timestep_sinusoid,
)


@dataclass(frozen=True, kw_only=True)
class UNet3DConfig:
    """Shape of the UNet.

    `attention` says, level by level from the finest, where transformers stand; `box_geometry`
    whether gated layers are told how visual tokens lie in the boxes (GLIGEN and the full sizes:
    no). If so, `grounding_width` counts the four numbers of the box, which follow the token's own,
    and, before these, those of its picture, of `picture_waves` cosine waves each way (0: none).

    Heads are `head_dim` wide, as ModelScope and Stable Diffusion 2 have them, unless `num_heads`
    says how many there are per level (Stable Diffusion 1: 8). Without `temporal` layers the network
    is one for images; without `gated` ones it takes no grounding.
    """

    sample_size: int = 16
    in_channels: int = 4
    out_channels: int = 4
    block_out_channels: tuple[int, ...] = (64, 128, 256)
    attention: tuple[bool, ...] = (True, True, True)
    layers_per_block: int = 1
    text_width: int = 128
    grounding_width: int = 128
    head_dim: int = 32
    input_temporal_heads: int = 2
    norm_num_groups: int = 32
    box_geometry: bool = False
    picture_waves: int = 0
    num_heads: tuple[int, ...] = ()
    temporal: bool = True
    gated: bool = True

    def __post_init__(self):
        if self.picture_waves and not self.box_geometry:
            raise ValueError("picture_waves needs box_geometry: a picture is read by its box")
        if self.num_heads and len(self.num_heads) != len(self.block_out_channels):
            raise ValueError(
                f"num_heads has {len(self.num_heads)} levels, block_out_channels has "
                f"{len(self.block_out_channels)}: give one entry per level, or none"
            )
        if len(self.attention) != len(self.block_out_channels):
            raise ValueError(
                f"attention has {len(self.attention)} levels, block_out_channels has "
                f"{len(self.block_out_channels)}: give one entry per level"
            )

    def heads_at(self, level: int) -> tuple[int, int]:
        """Number and width of the heads at a level, counted from the finest."""
        channels = self.block_out_channels[level]
        if self.num_heads:
            return self.num_heads[level], channels // self.num_heads[level]
        return channels // self.head_dim, self.head_dim


class UNet3D(nn.Module):
    """Predicts what was mixed into the latents of a clip.

    `video=False` bypasses every temporal layer: each frame is then an image of its own (image mode,
    in which the gated layers are trained). Without `grounding` the gated layers are not part of the
    program.

    `remat` names a policy of `jax.checkpoint_policies`: what the gradient keeps of each level. With
    "nothing_saveable" levels are computed a second time on the way back, and training holds one
    level's activations at a time; without a policy everything is kept.
    """

    config: UNet3DConfig
    remat: str | None = None

    @nn.compact
    def __call__(
        self,
        latents: Float[Array, "batch frame height width channel"],
        timesteps: Num[Array, " batch"],
        text: Float[Array, "batch length text_width"],
        grounding: Float[Array, "batch frame token grounding_width"] | None = None,
        *,
        video: bool = True,
    ) -> Float[Array, "batch frame height width channel"]:
        c = self.config
        video = video and c.temporal
        if grounding is not None and not c.gated:
            raise ValueError("this network has no gated layers: give it no grounding tokens")
        widths = c.block_out_channels
        levels = len(widths)

        level_type, mid_type = _Level, _Mid
        if self.remat is not None:
            policy = getattr(jax.checkpoint_policies, self.remat)
            # `video` decides what is in the program; it is the last argument, counted from self.
            level_type = nn.remat(_Level, policy=policy, static_argnums=(6,))
            mid_type = nn.remat(_Mid, policy=policy, static_argnums=(5,))

        code = timestep_sinusoid(timesteps, widths[0]).astype(latents.dtype)
        time = TimestepEmbedding(4 * widths[0], name="time_embedding")(code)

        x = nn.Conv(widths[0], (3, 3), padding=1, name="conv_in")(fold_frames(latents))
        x = x.reshape(*latents.shape[:-1], widths[0])
        if video:
            x = TemporalTransformer(
                c.input_temporal_heads, c.head_dim, c.norm_num_groups, name="transformer_in"
            )(x)

        skips = [x]
        for level, channels in enumerate(widths):
            block = level_type(
                c, level, c.layers_per_block, c.attention[level], name=f"down_blocks_{level}"
            )
            x, outputs = block(x, time, text, grounding, [], video)
            skips += outputs
            if level < levels - 1:
                x = Downsample(channels, name=f"down_blocks_{level}_downsamplers_0")(x)
                skips.append(x)

        x = mid_type(c, name="mid_block")(x, time, text, grounding, video)

        for i, level in enumerate(reversed(range(levels))):
            layers = c.layers_per_block + 1
            taken, skips = skips[-layers:], skips[:-layers]
            block = level_type(c, level, layers, c.attention[level], name=f"up_blocks_{i}")
            x, _ = block(x, time, text, grounding, taken[::-1], video)
            if level > 0:
                x = Upsample(widths[level], name=f"up_blocks_{i}_upsamplers_0")(x)

        x = fold_frames(x)
        x = nn.GroupNorm(c.norm_num_groups, epsilon=CONV_EPSILON, name="conv_norm_out")(x)
        x = nn.Conv(c.out_channels, (3, 3), padding=1, name="conv_out")(nn.silu(x))
        return x.reshape(*latents.shape[:-1], c.out_channels)


class _Level(nn.Module):
    """The layers of one resolution.

    Each is a residual block, a temporal convolution, spatial and temporal attention. On the way up
    a layer first takes one of the `skips`, put behind the hidden channels.
    """

    config: UNet3DConfig
    level: int
    layers: int
    attention: bool

    @nn.compact
    def __call__(self, x, time, text, grounding, skips, video):
        c = self.config
        channels, (heads, head_dim) = c.block_out_channels[self.level], c.heads_at(self.level)
        outputs = []
        for i in range(self.layers):
            if skips:
                x = jnp.concatenate([x, skips[i]], axis=-1)
            x = ResnetBlock(channels, c.norm_num_groups, name=f"resnets_{i}")(x, time)
            if video:
                x = TemporalConv(c.norm_num_groups, name=f"temp_convs_{i}")(x)
            if self.attention:
                spatial = SpatialTransformer(
                    heads,
                    head_dim,
                    c.norm_num_groups,
                    c.box_geometry,
                    c.picture_waves,
                    name=f"attentions_{i}",
                )
                x = spatial(x, text, grounding)
                if video:
                    x = TemporalTransformer(
                        heads, head_dim, c.norm_num_groups, name=f"temp_attentions_{i}"
                    )(x)
            outputs.append(x)
        return x, outputs


class _Mid(nn.Module):
    """The bottom of the UNet: residual, attention, residual, each with its temporal part."""

    config: UNet3DConfig

    @nn.compact
    def __call__(self, x, time, text, grounding, video):
        c = self.config
        channels, (heads, head_dim) = c.block_out_channels[-1], c.heads_at(-1)
        x = ResnetBlock(channels, c.norm_num_groups, name="resnets_0")(x, time)
        if video:
            x = TemporalConv(c.norm_num_groups, name="temp_convs_0")(x)
        spatial = SpatialTransformer(
            heads,
            head_dim,
            c.norm_num_groups,
            c.box_geometry,
            c.picture_waves,
            name="attentions_0",
        )
        x = spatial(x, text, grounding)
        if video:
            x = TemporalTransformer(heads, head_dim, c.norm_num_groups, name="temp_attentions_0")(x)
        x = ResnetBlock(channels, c.norm_num_groups, name="resnets_1")(x, time)
        if video:
            x = TemporalConv(c.norm_num_groups, name="temp_convs_1")(x)
        return x
