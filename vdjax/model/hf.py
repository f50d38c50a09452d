"""The one door to Hugging Face's Flax classes: the autoencoder, CLIP and the schedulers.

What enters are our own configurations; what leaves are Flax modules and schedulers with diffusers'
and transformers' numbers. Those Flax classes are frozen upstream (last in diffusers 0.39 and
transformers 4.57), so nothing else in the package imports them: replacing them costs this file and
no other.

Images are (batch, height, width, channel) in [-1, 1] at our doors; the channel-first layout that
the Hugging Face classes expect stays inside.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Params = Mapping[str, Any]


@contextmanager
def _upstream_silenced():
    """Both libraries announce that their Flax classes will go; the pins answer that."""
    # Each sets the level of its own logger when it is first imported: let that come before ours.
    import diffusers.utils.logging  # noqa: F401
    import transformers.utils.logging  # noqa: F401

    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """Shape of a KL autoencoder (diffusers' AutoencoderKL).

    `scaling_factor` brings the latents to unit variance: 0.18215 in Stable Diffusion, measured on
    the training images for weights of our own.
    """

    block_out_channels: tuple[int, ...] = (16, 32, 64, 128)
    layers_per_block: int = 1
    latent_channels: int = 4
    norm_num_groups: int = 16
    sample_size: int = 128
    scaling_factor: float = 1.0

    @classmethod
    def stable_diffusion(cls, sample_size: int = 512) -> AutoencoderConfig:
        """Stable Diffusion's and ModelScope's, 83.7 million parameters."""
        return cls(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            norm_num_groups=32,
            sample_size=sample_size,
            scaling_factor=0.18215,
        )

    @property
    def downscale(self) -> int:
        """Pixels per latent cell along one side (8 for four levels)."""
        return 2 ** (len(self.block_out_channels) - 1)


@dataclass(frozen=True)
class Autoencoder:
    """Pixels to latents and back; a thin channel-last face over FlaxAutoencoderKL."""

    config: AutoencoderConfig

    @cached_property
    def module(self):
        with _upstream_silenced():
            from diffusers import FlaxAutoencoderKL

            levels = len(self.config.block_out_channels)
            return FlaxAutoencoderKL(
                in_channels=3,
                out_channels=3,
                down_block_types=("DownEncoderBlock2D",) * levels,
                up_block_types=("UpDecoderBlock2D",) * levels,
                block_out_channels=self.config.block_out_channels,
                layers_per_block=self.config.layers_per_block,
                latent_channels=self.config.latent_channels,
                norm_num_groups=self.config.norm_num_groups,
                sample_size=self.config.sample_size,
            )

    def init(self, key: jax.Array) -> Params:
        with _upstream_silenced():
            return self.module.init_weights(key)

    def moments(
        self, params: Params, images: Float[Array, "batch height width 3"]
    ) -> tuple[Float[Array, "batch h w channel"], Float[Array, "batch h w channel"]]:
        """Mean and log-variance of the latent posterior, unscaled."""
        with _upstream_silenced():
            posterior = self.module.apply(
                {"params": params}, images.transpose(0, 3, 1, 2), method=self.module.encode
            ).latent_dist
        return posterior.mean, posterior.logvar

    def encode(
        self, params: Params, images: Float[Array, "batch height width 3"]
    ) -> Float[Array, "batch h w channel"]:
        """Images in [-1, 1] to mean latents at unit variance; sides are divided by `downscale`."""
        mean, _ = self.moments(params, images)
        return mean * self.config.scaling_factor

    def decode(
        self, params: Params, latents: Float[Array, "batch h w channel"]
    ) -> Float[Array, "batch height width 3"]:
        """Latents at unit variance to images, nominally in [-1, 1] (not clipped)."""
        unscaled = (latents / self.config.scaling_factor).transpose(0, 3, 1, 2)
        with _upstream_silenced():
            decoded = self.module.apply({"params": params}, unscaled, method=self.module.decode)
        return decoded.sample.transpose(0, 2, 3, 1)


@dataclass(frozen=True, kw_only=True)
class CLIPConfig:
    """Shape of a CLIP model: a causal text tower, a ViT image tower, one shared embedding space.

    With no `text_layers` or no `vision_layers` there is no such tower, with a `projection_dim` of 0
    no shared space.
    `activation` is "quick_gelu" (OpenAI's) or "gelu" (OpenCLIP's, exact). Pictures in 0..1 are
    brought to zero mean and unit variance by `image_mean` and `image_std`, one number per colour;
    without them the tower sees [-1, 1].
    """

    vocab_size: int = 1024
    text_positions: int = 40
    text_width: int = 128
    text_layers: int = 3
    text_heads: int = 4
    image_size: int = 64
    patch_size: int = 8
    vision_width: int = 128
    vision_layers: int = 3
    vision_heads: int = 4
    projection_dim: int = 128
    bos_token_id: int = 1
    eos_token_id: int = 3
    activation: str = "quick_gelu"
    image_mean: tuple[float, ...] = ()
    image_std: tuple[float, ...] = ()

    @classmethod
    def vit_l(cls) -> CLIPConfig:
        """OpenAI's ViT-L/14: what entities are told by, in text and picture, and Karlo's."""
        return cls(
            vocab_size=49408,
            text_positions=77,
            text_width=768,
            text_layers=12,
            text_heads=12,
            image_size=224,
            patch_size=14,
            vision_width=1024,
            vision_layers=24,
            vision_heads=16,
            projection_dim=768,
            bos_token_id=49406,
            eos_token_id=49407,
            # transformers: image_utils.py, OPENAI_CLIP_MEAN and OPENAI_CLIP_STD
            image_mean=(0.48145466, 0.4578275, 0.40821073),
            image_std=(0.26862954, 0.26130258, 0.27577711),
        )

    @classmethod
    def vit_h_text(cls) -> CLIPConfig:
        """OpenCLIP's ViT-H/14 text tower without its last layer: ModelScope's and SD 2's scenes."""
        return cls(
            vocab_size=49408,
            text_positions=77,
            text_width=1024,
            text_layers=23,
            text_heads=16,
            vision_layers=0,
            projection_dim=0,
            bos_token_id=49406,
            eos_token_id=49407,
            activation="gelu",
        )


@dataclass(frozen=True)
class CLIP:
    """Text and pictures in one space; a thin channel-last face over FlaxCLIPModel.

    Parameters are FlaxCLIPModel's tree without the parts that the configuration has not.
    """

    config: CLIPConfig

    @cached_property
    def _wrapper(self):
        with _upstream_silenced():
            from transformers import CLIPConfig as HFConfig
            from transformers import CLIPTextConfig, CLIPVisionConfig, FlaxCLIPModel

            c = self.config
            text = CLIPTextConfig(
                vocab_size=c.vocab_size,
                hidden_size=c.text_width,
                intermediate_size=4 * c.text_width,
                num_hidden_layers=c.text_layers,
                num_attention_heads=c.text_heads,
                max_position_embeddings=c.text_positions,
                projection_dim=c.projection_dim,
                hidden_act=c.activation,
                bos_token_id=c.bos_token_id,
                eos_token_id=c.eos_token_id,
                pad_token_id=0,
            )
            vision = CLIPVisionConfig(
                hidden_size=c.vision_width,
                intermediate_size=4 * c.vision_width,
                num_hidden_layers=c.vision_layers,
                num_attention_heads=c.vision_heads,
                image_size=c.image_size,
                patch_size=c.patch_size,
                projection_dim=c.projection_dim,
                hidden_act=c.activation,
            )
            config = HFConfig.from_text_vision_configs(
                text, vision, projection_dim=c.projection_dim
            )
            return FlaxCLIPModel(
                config, input_shape=((1, 4), (1, c.image_size, c.image_size, 3)), _do_init=False
            )

    @property
    def module(self):
        return self._wrapper.module

    def init(self, key: jax.Array) -> Params:
        with _upstream_silenced():
            c = self.config
            shapes = ((1, c.text_positions), (1, c.image_size, c.image_size, 3))
            params = self._wrapper.init_weights(key, shapes)
        absent = set()
        if not c.text_layers:
            absent |= {"text_model", "text_projection", "logit_scale"}
        if not c.vision_layers:
            absent |= {"vision_model", "visual_projection", "logit_scale"}
        if not c.projection_dim:
            absent |= {"text_projection", "visual_projection", "logit_scale"}
        return {name: part for name, part in params.items() if name not in absent}

    def _apply(self, params: Params, *args, method):
        """Run a part of the model; the scale of its training loss is asked for but never used."""
        return self.module.apply(
            {"params": {"logit_scale": jnp.zeros(()), **params}}, *args, method=method
        )

    def text(
        self, params: Params, ids: Int[Array, "batch length"]
    ) -> tuple[Float[Array, "batch length width"], Float[Array, "batch width"]]:
        """The text tower's last hidden states (after its final norm) and its end-of-text state."""

        def run(module, ids):
            positions = jnp.broadcast_to(jnp.arange(ids.shape[-1]), ids.shape)
            out = module.text_model(ids, jnp.ones_like(ids), positions, deterministic=True)
            return out[0], out[1]

        return self._apply(params, ids, method=run)

    def project_text(
        self, params: Params, ids: Int[Array, "batch length"]
    ) -> Float[Array, "batch projection"]:
        """Text embeddings in the shared space at the length they come in, as Karlo takes them."""

        def run(module, ids):
            positions = jnp.broadcast_to(jnp.arange(ids.shape[-1]), ids.shape)
            out = module.text_model(ids, jnp.ones_like(ids), positions, deterministic=True)
            return module.text_projection(out[1])

        return self._apply(params, ids, method=run)

    def embed_text(
        self, params: Params, ids: Int[Array, "batch length"]
    ) -> Float[Array, "batch projection"]:
        """Unit-length text embeddings in the shared space."""
        return _unit(self.project_text(params, ids))

    def project_image(
        self, params: Params, images: Float[Array, "batch size size 3"]
    ) -> Float[Array, "batch projection"]:
        """Embeddings of pictures in [-1, 1] at the tower's own size, at the length they come in."""
        c = self.config
        if c.image_mean:
            mean, std = (
                jnp.asarray(x, images.dtype)[None, None, None] for x in (c.image_mean, c.image_std)
            )
            images = (images * 0.5 + 0.5 - mean) / std

        def run(module, images):
            return module.visual_projection(module.vision_model(images, deterministic=True)[1])

        return self._apply(params, images, method=run)

    def embed_image(
        self, params: Params, images: Float[Array, "batch size size 3"]
    ) -> Float[Array, "batch projection"]:
        """Unit-length embeddings of pictures in [-1, 1] at the tower's own size."""
        return _unit(self.project_image(params, images))


def _unit(x: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
    return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-6)


@dataclass(frozen=True, kw_only=True)
class NoiseConfig:
    """The forward process.

    Betas are Stable Diffusion's and ModelScope's (scaled-linear, 0.00085 to 0.012).
    """

    num_train_timesteps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012
    prediction_type: str = "epsilon"


SCHEDULERS = ("dpm++", "ddim", "pndm")


def make_scheduler(name: str, noise: NoiseConfig):
    """One of diffusers' Flax schedulers.

    They are "dpm++" (DPM-Solver++ 2M), "ddim" and "pndm" (PLMS, the paper's).
    """
    with _upstream_silenced():
        from diffusers import (
            FlaxDDIMScheduler,
            FlaxDPMSolverMultistepScheduler,
            FlaxPNDMScheduler,
        )

        common: dict[str, Any] = {
            "num_train_timesteps": noise.num_train_timesteps,
            "beta_start": noise.beta_start,
            "beta_end": noise.beta_end,
            "beta_schedule": "scaled_linear",
            "prediction_type": noise.prediction_type,
        }
        if name == "dpm++":
            return FlaxDPMSolverMultistepScheduler(**common)
        if name == "ddim":
            # Latents are no pixels: they go beyond [-1, 1] (ModelScope and SD: clip_sample false).
            return FlaxDDIMScheduler(
                **common, set_alpha_to_one=False, steps_offset=1, clip_sample=False
            )
        if name == "pndm":
            return FlaxPNDMScheduler(
                **common, set_alpha_to_one=False, steps_offset=1, skip_prk_steps=True
            )
    raise ValueError(f"scheduler {name!r}: expected one of {', '.join(SCHEDULERS)}")
