"""The unCLIP prior: from an entity's text to an image embedding that could be its picture's.

VideoDirectorGPT samples one image embedding per entity and uses it in every scene of the entity's
group (section 3.2; Karlo's prior in the paper). The network is diffusers' PriorTransformer at any
size: a causal transformer over [text tokens, text embedding, timestep, noisy image embedding,
query], whose last token predicts the clean embedding. Noise follows the squared-cosine schedule
(Nichol & Dhariwal 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Num

from vdjax.model.attention import LAYER_NORM_EPSILON, Attention
from vdjax.model.blocks import TimestepEmbedding, timestep_sinusoid

TRAIN_TIMESTEPS = 1000
COSINE_OFFSET = 0.008  # Nichol & Dhariwal 2021, equation 17
MAX_BETA = 0.999  # same source
MASKED = -10000.0  # diffusers: PriorTransformer's causal mask


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """Shape and sampling of the prior.

    `sample_clip` holds the predicted embedding within that distance of zero: 10 in Karlo's
    prior_model.py, 5 in the scheduler of diffusers' unCLIP pipeline, where embeddings have unit
    variance. `unit_text` says whether the text's embedding is brought to length one, `mask_padding`
    whether the padding after a text is hidden (diffusers: UnCLIPPipeline). With a guidance of 2 the
    storybook's draws are of the right name as often as with Karlo's 4, and of all four looks.

    Of `draws` embeddings one is kept, where grounding tokens carry pictures: the one whose picture
    is surest (`picture_variance`). DALL-E 2 keeps the better of two by their likeness to the text
    (Ramesh et al. 2022, section 2.2), which did not help here. Four are a compromise: of sixteen
    the look is kept more often from film to film, and with it every film's cat looks alike.
    """

    embedding_width: int = 128
    text_width: int = 128
    width: int = 128
    layers: int = 4
    heads: int = 4
    text_length: int = 12
    num_inference_steps: int = 25
    guidance_scale: float = 2.0
    sample_clip: float = 10.0
    unit_text: bool = True
    mask_padding: bool = False
    draws: int = 4

    @classmethod
    def karlo(cls) -> PriorConfig:
        """Karlo 1B over CLIP ViT-L/14 (karlo: configs/prior_1B_vit_l.yaml)."""
        return cls(
            embedding_width=768,
            text_width=768,
            width=2048,
            layers=20,
            heads=32,
            text_length=77,
            num_inference_steps=25,
            guidance_scale=4.0,
            unit_text=False,
            mask_padding=True,
            draws=1,
        )


class PriorTransformer(nn.Module):
    """Predicts the clean image embedding from a noisy one and the text.

    `text_mask` is false for the padding after a text, which is then looked at by nobody; without it
    padding is text like any.
    """

    config: PriorConfig

    @nn.compact
    def __call__(
        self,
        noisy: Float[Array, "batch embedding"],
        timesteps: Num[Array, " batch"],
        text_embedding: Float[Array, "batch embedding"],
        text_states: Float[Array, "batch length text_width"],
        text_mask: Bool[Array, "batch length"] | None = None,
    ) -> Float[Array, "batch embedding"]:
        c = self.config
        dense = nn.Dense
        time = TimestepEmbedding(c.width, name="time_embedding")(
            timestep_sinusoid(timesteps, c.width)
        )
        query = self.param("prd_embedding", nn.initializers.normal(0.02), (1, 1, c.width))
        tokens = jnp.concatenate(
            [
                dense(c.width, name="encoder_hidden_states_proj")(text_states[:, : c.text_length]),
                dense(c.width, name="embedding_proj")(text_embedding)[:, None],
                time[:, None],
                dense(c.width, name="proj_in")(noisy)[:, None],
                jnp.broadcast_to(query, (noisy.shape[0], 1, c.width)),
            ],
            axis=1,
        )
        length = tokens.shape[1]
        position = self.param(
            "positional_embedding", nn.initializers.normal(0.02), (1, length, c.width)
        )
        x = tokens + position
        bias = jnp.where(jnp.tril(jnp.ones((length, length), bool)), 0.0, MASKED)[None, None]
        if text_mask is not None:
            seen = text_mask[:, : c.text_length]
            seen = jnp.pad(seen, ((0, 0), (0, length - seen.shape[1])), constant_values=True)
            bias = bias + jnp.where(seen, 0.0, MASKED)[:, None, None]
        for i in range(c.layers):
            x = _PriorBlock(c.heads, c.width, name=f"transformer_blocks_{i}")(x, bias)
        last = nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name="norm_out")(x)[:, -1]
        return dense(c.embedding_width, name="proj_to_clip_embeddings")(last)


class _PriorBlock(nn.Module):
    heads: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array, bias: jax.Array) -> jax.Array:
        h = nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name="norm1")(x)
        attention = Attention(
            self.heads, self.width // self.heads, self.width, use_bias=True, name="attn1"
        )
        x = x + attention(h, bias=bias)
        h = nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name="norm3")(x)
        h = nn.gelu(nn.Dense(4 * self.width, name="ff_net_0_proj")(h), approximate=False)
        return x + nn.Dense(self.width, name="ff_net_2")(h)


def init_prior(config: PriorConfig, key: jax.Array) -> dict:
    """Parameters as `sample_embeddings` takes them, with statistics that do nothing."""
    c = config
    args = (
        jnp.zeros((1, c.embedding_width)),
        jnp.zeros((1,), jnp.int32),
        jnp.zeros((1, c.embedding_width)),
        jnp.zeros((1, c.text_length, c.text_width)),
    )
    return {
        "network": PriorTransformer(c).init(key, *args)["params"],
        "clip_mean": jnp.zeros(c.embedding_width),
        "clip_std": jnp.ones(c.embedding_width),
    }


def cosine_alphas(steps: int = TRAIN_TIMESTEPS) -> Float[np.ndarray, " steps"]:
    """Cumulative product of alphas of the squared-cosine schedule, from clean to noise."""
    grid = np.arange(steps + 1) / steps
    bar = np.cos((grid + COSINE_OFFSET) / (1 + COSINE_OFFSET) * np.pi / 2) ** 2
    betas = np.minimum(1 - bar[1:] / bar[:-1], MAX_BETA)
    return np.cumprod(1 - betas).astype(np.float32)


def sample_embeddings(
    prior: PriorTransformer,
    params,
    key: jax.Array,
    text_embedding: Float[Array, "batch embedding"],
    text_states: Float[Array, "batch length text_width"],
    null_embedding: Float[Array, "1 embedding"],
    null_states: Float[Array, "1 length text_width"],
    text_mask: Bool[Array, "batch length"] | None = None,
    null_mask: Bool[Array, "1 length"] | None = None,
) -> Float[Array, "batch embedding"]:
    """Draw one image embedding per text, by ancestral sampling with guidance; not normalised.

    `params` hold the network under "network" and the statistics of the training embeddings under
    "clip_mean" and "clip_std". The null text is the empty sentence. The masks say which states are
    of the text and which of its padding (Karlo's prior is told, the storybook's is not).

    Raises:
        ValueError: one mask is given without the other.
    """
    c = prior.config
    bars = jnp.asarray(cosine_alphas())
    steps = np.linspace(TRAIN_TIMESTEPS - 1, 0, c.num_inference_steps).round().astype(np.int32)
    previous = np.append(steps[1:], -1)
    batch = text_embedding.shape[0]
    texts = jnp.concatenate([jnp.repeat(null_embedding, batch, 0), text_embedding])
    states = jnp.concatenate([jnp.repeat(null_states, batch, 0), text_states])
    masks: tuple[jax.Array, ...] = ()
    if text_mask is not None and null_mask is not None:
        masks = (jnp.concatenate([jnp.repeat(null_mask, batch, 0), text_mask]),)
    elif text_mask is not None or null_mask is not None:
        raise ValueError("text_mask and null_mask: give both or neither")

    def step(carry, times):
        x, key = carry
        t, t_next = times
        key, noise_key = jax.random.split(key)
        both = prior.apply(
            {"params": params["network"]},
            jnp.concatenate([x, x]),
            jnp.full((2 * batch,), t),
            texts,
            states,
            *masks,
        )
        without, with_text = jnp.split(cast(jax.Array, both), 2)
        clean = without + c.guidance_scale * (with_text - without)
        clean = jnp.clip(clean, -c.sample_clip, c.sample_clip)
        bar, bar_next = bars[t], jnp.where(t_next >= 0, bars[t_next], 1.0)
        alpha = bar / bar_next
        mean = (jnp.sqrt(bar_next) * (1 - alpha) * clean + jnp.sqrt(alpha) * (1 - bar_next) * x) / (
            1 - bar
        )
        deviation = jnp.sqrt(jnp.maximum((1 - bar_next) / (1 - bar) * (1 - alpha), 0.0))
        x = mean + deviation * jax.random.normal(noise_key, x.shape)
        return (x, key), None

    key, start = jax.random.split(key)
    first = jax.random.normal(start, text_embedding.shape)
    (x, _), _ = jax.lax.scan(step, (first, key), (jnp.asarray(steps), jnp.asarray(previous)))
    return x * params["clip_std"][None] + params["clip_mean"][None]
