"""Attention of the 3D UNet: spatial transformer with Guided 2D Attention, and temporal transformer.

The guided block follows VideoDirectorGPT (section 3.2, figure 3c) and GLIGEN: self-attention, then
gated self-attention over [visual; grounding] tokens with a gated feed-forward, then cross-attention
to the scene text, then a feed-forward. Both gates are tanh of a scalar that starts at zero, so that
an untrained block is the ungated one. Names and arithmetic otherwise follow diffusers.

Two departures, off by default, help a small network that is trained for minutes: `place_codes`
tells visual tokens where they are, and `box_bias` lets every head attend more (or less) to the
tokens whose boxes hold it. GLIGEN leaves both to be learnt, from many times as many pictures;
without them our gates heeded names and looks and never the boxes.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdjax.model.blocks import fold_frames
from vdjax.model.boxes import cell_codes, cells_inside

# diffusers: the group norm of Transformer2DModel and TransformerTemporalModel
TRANSFORMER_NORM_EPSILON = 1e-6
LAYER_NORM_EPSILON = 1e-5  # torch's default, which diffusers keeps
MOST_GAIN = 6.0  # of a head at the start: e^6 outweighs the 64 visual tokens of the finest level

Tokens = Float[Array, "*rows token channel"]


class Attention(nn.Module):
    """Multi-head attention of tokens to a context (to themselves without one); no dropout.

    `bias` is added to the scores: the prior's causal mask, or what a box says. Only the prior uses
    `use_bias`, for its projections. The weights are recorded under the collection "intermediates"
    only where the caller asks for it.
    """

    heads: int
    head_dim: int
    channels: int
    use_bias: bool = False

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "*rows query channel"],
        context: Float[Array, "*rows key context_channel"] | None = None,
        bias: Float[Array, "*#rows #head query key"] | None = None,
    ) -> Float[Array, "*rows query channel"]:
        context = x if context is None else context
        inner = self.heads * self.head_dim

        def split(tokens: jax.Array, name: str) -> jax.Array:
            projected = nn.Dense(inner, use_bias=self.use_bias, name=name)(tokens)
            return projected.reshape(*tokens.shape[:-1], self.heads, self.head_dim)

        query, key, value = split(x, "to_q"), split(context, "to_k"), split(context, "to_v")
        scores = jnp.einsum("...qhd,...khd->...hqk", query * self.head_dim**-0.5, key)
        if bias is not None:
            scores = scores + bias
        weights = jax.nn.softmax(scores, axis=-1)
        if self.is_mutable_collection("intermediates"):
            self.sow("intermediates", "attention", weights)
        mixed = jnp.einsum("...hqk,...khd->...qhd", weights, value)
        return nn.Dense(self.channels, name="to_out")(mixed.reshape(*x.shape[:-1], inner))


class FeedForward(nn.Module):
    """GEGLU feed-forward, four times as wide inside; the exact (erf) GELU, as in torch."""

    channels: int

    @nn.compact
    def __call__(self, x: Tokens) -> Tokens:
        value, gate = jnp.split(nn.Dense(8 * self.channels, name="net_0_proj")(x), 2, axis=-1)
        return nn.Dense(self.channels, name="net_2")(value * nn.gelu(gate, approximate=False))


class GatedSelfAttention(nn.Module):
    """GLIGEN's fuser: visual tokens look at themselves and at grounding tokens, through two gates.

    Computes x + tanh(alpha_attn) · attention(norm1([x; W g]))[visual], then
    x + tanh(alpha_dense) · ff(norm2(x)). Padding tokens are learned null tokens, attended to. With
    `places`, the codes of where the visual tokens are, attention sees x + W p in place of x. With
    `inside`, the share of each visual token's cell that lies in each grounding token's box, scores
    of that pair rise by a gain times that share; every head learns its own gain.
    """

    heads: int
    head_dim: int
    channels: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "row visual channel"],
        grounding: Float[Array, "row token grounding_width"],
        places: Float[Array, "visual code"] | None = None,
        inside: Float[Array, "row visual token"] | None = None,
    ) -> Float[Array, "row visual channel"]:
        alpha_attn = self.param("alpha_attn", nn.initializers.zeros, ())
        alpha_dense = self.param("alpha_dense", nn.initializers.zeros, ())
        tokens = nn.Dense(self.channels, name="linear")(grounding)
        placed = x if places is None else x + nn.Dense(self.channels, name="place")(places)[None]
        joint = jnp.concatenate([placed, tokens], axis=1)
        joint = nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name="norm1")(joint)
        # Only the visual rows are kept, so only they need to be queries.
        visual = joint[:, : x.shape[1]]
        attention = Attention(self.heads, self.head_dim, self.channels, name="attn")
        attended = attention(visual, joint, bias=None if inside is None else self._bias(inside))
        x = x + jnp.tanh(alpha_attn) * attended
        h = nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name="norm2")(x)
        return x + jnp.tanh(alpha_dense) * FeedForward(self.channels, name="ff")(h)

    def _bias(self, inside):
        """What each head adds to the scores of [visual; grounding] keys."""
        gain = self.param("box_gain", _spread_gains, (self.heads,))
        tokens = gain[None, :, None, None] * inside[:, None]
        rows, queries, _ = inside.shape
        visual = jnp.zeros((rows, self.heads, queries, queries), tokens.dtype)
        return jnp.concatenate([visual, tokens], axis=-1)


def _spread_gains(key, shape) -> Float[Array, " head"]:
    """From heads that look anywhere to heads that look at little but what they are inside of."""
    del key
    return jnp.linspace(0.0, MOST_GAIN, *shape)


class SpatialBlock(nn.Module):
    """One spatial block: self, gated (where grounding is given), cross, feed-forward."""

    heads: int
    head_dim: int
    channels: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "row visual channel"],
        text: Float[Array, "batch length text_width"],
        grounding: Float[Array, "row token grounding_width"] | None,
        places: Float[Array, "visual code"] | None = None,
        inside: Float[Array, "row visual token"] | None = None,
    ) -> Float[Array, "row visual channel"]:
        def norm(name: str, h: jax.Array) -> jax.Array:
            return nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name=name)(h)

        size = (self.heads, self.head_dim, self.channels)
        x = x + Attention(*size, name="attn1")(norm("norm1", x))
        if grounding is not None:
            x = GatedSelfAttention(*size, name="fuser")(x, grounding, places, inside)
        # All frames of a clip share its text: they go as one long row of queries.
        per_clip = norm("norm2", x).reshape(text.shape[0], -1, self.channels)
        x = x + Attention(*size, name="attn2")(per_clip, text).reshape(x.shape)
        return x + FeedForward(self.channels, name="ff")(norm("norm3", x))


class SpatialTransformer(nn.Module):
    """Transformer over each frame's pixels (diffusers: Transformer2DModel, linear projections).

    With `box_bias` the last four channels of a grounding token are its box.
    """

    heads: int
    head_dim: int
    groups: int
    place_codes: bool = False
    box_bias: bool = False

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch frame height width channel"],
        text: Float[Array, "batch length text_width"],
        grounding: Float[Array, "batch frame token grounding_width"] | None = None,
    ) -> Float[Array, "batch frame height width channel"]:
        channels = x.shape[-1]
        frames = fold_frames(x)
        h = nn.GroupNorm(self.groups, epsilon=TRANSFORMER_NORM_EPSILON, name="norm")(frames)
        h = h.reshape(h.shape[0], -1, channels)
        h = nn.Dense(self.heads * self.head_dim, name="proj_in")(h)
        if grounding is not None:
            grounding = grounding.reshape(-1, *grounding.shape[2:])
        block = SpatialBlock(
            self.heads, self.head_dim, self.heads * self.head_dim, name="transformer_blocks_0"
        )
        places = cell_codes(*x.shape[2:4]) if self.place_codes else None
        inside = None
        if grounding is not None and self.box_bias:
            grounding, boxes = grounding[..., :-4], grounding[..., -4:]
            inside = cells_inside(boxes, *x.shape[2:4])
        h = nn.Dense(channels, name="proj_out")(block(h, text, grounding, places, inside))
        return x + h.reshape(x.shape)


class TemporalTransformer(nn.Module):
    """Transformer over the frames of each pixel: self-attention twice, no positions (diffusers).

    Its last projection starts at zero, so that an untrained layer lets frames pass unchanged.
    """

    heads: int
    head_dim: int
    groups: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch frame height width channel"]
    ) -> Float[Array, "batch frame height width channel"]:
        batch, frames, height, width, channels = x.shape
        inner = self.heads * self.head_dim
        h = nn.GroupNorm(self.groups, epsilon=TRANSFORMER_NORM_EPSILON, name="norm")(x)
        h = h.reshape(batch, frames, height * width, channels).swapaxes(1, 2)
        h = nn.Dense(inner, name="proj_in")(h)
        h = _TemporalBlock(self.heads, self.head_dim, inner, name="transformer_blocks_0")(h)
        h = nn.Dense(channels, kernel_init=nn.initializers.zeros, name="proj_out")(h)
        return x + h.swapaxes(1, 2).reshape(x.shape)


class _TemporalBlock(nn.Module):
    heads: int
    head_dim: int
    channels: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch pixel frame channel"]
    ) -> Float[Array, "batch pixel frame channel"]:
        size = (self.heads, self.head_dim, self.channels)
        for i in (1, 2):
            h = nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name=f"norm{i}")(x)
            x = x + Attention(*size, name=f"attn{i}")(h)
        h = nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name="norm3")(x)
        return x + FeedForward(self.channels, name="ff")(h)
