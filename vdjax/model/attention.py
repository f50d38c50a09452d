"""Attention of the 3D UNet: spatial transformer with Guided 2D Attention, and temporal transformer.

The guided block follows VideoDirectorGPT (section 3.2, figure 3c) and GLIGEN: self-attention, then
gated self-attention over [visual; grounding] tokens with a gated feed-forward, then cross-attention
to the scene text, then a feed-forward. Both gates are tanh of a scalar that starts at zero, so that
an untrained block is the ungated one. Names and arithmetic otherwise follow diffusers.

One departure, off by default, helps a small network that is trained for minutes: with
`box_geometry` a gated layer tells its visual tokens where they lie, in the frame and in each box,
and its heads attend more to the boxes that hold them; with `picture_waves` it also tells them what
the token expects to see there. GLIGEN leaves all this to be learnt from the boxes' codes, from many
times as many pictures; ours then heeded names and looks, never the boxes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdjax.model.blocks import fold_frames
from vdjax.model.boxes import BoxGeometry, unpack
from vdjax.model.feedforward import FeedForward

# diffusers: the group norm of Transformer2DModel and TransformerTemporalModel
TRANSFORMER_NORM_EPSILON = 1e-6
LAYER_NORM_EPSILON = 1e-5  # torch's default, which diffusers keeps
BLOCK = 512
"""Queries whose scores are held at once on a CPU; with fewer, or fewer keys, whole matrices win."""
FLASH_HEAD_DIM = 128  # jax.nn.dot_product_attention: the widest head of cuDNN's kernels
MOST_GAIN = 6.0  # of a head at the start: e^6 outweighs the 64 visual tokens of the finest level


class Attention(nn.Module):
    """Multi-head attention of tokens to themselves, to a context, or with `joint` to both.

    Both means their own tokens first, the context's after them. A context stays the same over the
    steps of a film: its keys and values are taken from the collection "conditions" where that holds
    them (see `vdjax.model.conditions`), and the context is then not read.

    `bias` is added to the scores: the prior's causal mask, or what a box says. `relations` are
    codes of how each query stands to the last keys, added to those keys' values (relative position
    representations, Shaw et al. 2018). Only the prior uses `use_bias`, for its projections. Scores
    and their softmax are of float32 whatever is multiplied. The weights are recorded under the
    collection "intermediates" only where the caller asks for it.
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
        bias: Float[Array, "*#rows #head query all_keys"] | None = None,
        relations: Float[Array, "*rows query last code"] | None = None,
        *,
        joint: bool = False,
    ) -> Float[Array, "*rows query channel"]:
        inner = self.heads * self.head_dim

        def projection(name: str) -> nn.Dense:
            return nn.Dense(inner, use_bias=self.use_bias, name=name)

        def split(tokens: jax.Array) -> jax.Array:
            return tokens.reshape(*tokens.shape[:-1], self.heads, self.head_dim)

        def attended(project: nn.Dense, kept: str) -> jax.Array:
            if context is None:
                return split(project(x))
            known = self.has_variable("conditions", kept)
            given: jax.Array = self.get_variable("conditions", kept) if known else project(context)
            return split(jnp.concatenate([project(x), given], axis=-2) if joint else given)

        query = split(projection("to_q")(x)) * self.head_dim**-0.5
        key, value = attended(projection("to_k"), "key"), attended(projection("to_v"), "value")
        recorded = self.is_mutable_collection("intermediates")
        if bias is None and relations is None and not recorded and (attend := _kernel(query, key)):
            mixed = attend(query, key, value).reshape(*x.shape[:-1], inner)
            return nn.Dense(self.channels, name="to_out")(mixed)
        scores = jnp.einsum("...qhd,...khd->...hqk", query, key, preferred_element_type=jnp.float32)
        if bias is not None:
            scores = scores + bias
        weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
        if recorded:
            self.sow("intermediates", "attention", weights)
        mixed = jnp.einsum("...hqk,...khd->...qhd", weights, value).reshape(*x.shape[:-1], inner)
        if relations is not None:
            last = weights[..., -relations.shape[-2] :].swapaxes(-3, -2)
            # A sum of products, not a matrix product: there are as many as queries, and all small.
            related = (last[..., None] * relations[..., None, :, :]).sum(-2)
            related = related.reshape(*x.shape[:-1], -1)
            mixed = mixed + nn.Dense(inner, use_bias=False, name="to_r")(related)
        return nn.Dense(self.channels, name="to_out")(mixed)


def _kernel(query: jax.Array, key: jax.Array) -> Callable[..., jax.Array] | None:
    """What attends faster than whole matrices here, where nobody needs the scores."""
    if _by_blocks(query, key):
        return attend_by_blocks
    return attend_by_flash if _by_flash(query) else None


def _by_blocks(query: jax.Array, key: jax.Array) -> bool:
    """Whether the scores are so many that a CPU's caches do not hold them."""
    on_cpu = jax.default_backend() == "cpu"
    return on_cpu and min(query.shape[-3], key.shape[-3]) >= BLOCK


def attend_by_blocks(
    query: Float[Array, "*rows query head head_dim"],
    key: Float[Array, "*rows key head head_dim"],
    value: Float[Array, "*rows key head head_dim"],
) -> Float[Array, "*rows query head head_dim"]:
    """Attention of scaled queries, one head and one block of them after another.

    The numbers of whole matrices, in less than half of their time on a CPU at 1024 tokens: the
    scores of a block stay in the caches from the first product to the second. The sum of a row of
    weights divides what was mixed, not the weights, which are many more. Gradients go block by
    block too, from the sums that were kept and the scores taken anew (FlashAttention-2, Dao 2023,
    algorithm 2).
    """
    *rows, queries, heads, width = query.shape

    def by_head(x: jax.Array) -> jax.Array:
        return x.swapaxes(-2, -3).reshape(-1, x.shape[-3], width)

    mixed = jax.lax.map(lambda one: _head(*one), (by_head(query), by_head(key), by_head(value)))
    return mixed.reshape(*rows, heads, queries, width).swapaxes(-2, -3)


@jax.custom_vjp
def _head(
    query: Float[Array, "query head_dim"],
    key: Float[Array, "key head_dim"],
    value: Float[Array, "key head_dim"],
) -> Float[Array, "query head_dim"]:
    """One head's attention of scaled queries, block by block."""
    return _head_and_sums(query, key, value)[0]


def _head_and_sums(
    query: jax.Array, key: jax.Array, value: jax.Array
) -> tuple[Float[Array, "query head_dim"], Float[Array, "query 1"]]:
    """What a head mixes, and the logarithm of each query's sum of exp(scores)."""

    def attend_block(query: jax.Array) -> tuple[jax.Array, jax.Array]:
        scores = _product(query, key.T)
        greatest = scores.max(axis=-1, keepdims=True)
        weights = jnp.exp(scores - greatest)
        total = weights.sum(axis=-1, keepdims=True)
        mixed = (weights.astype(value.dtype) @ value) / total
        return mixed.astype(value.dtype), greatest + jnp.log(total)

    mixed, sums = jax.lax.map(attend_block, _blocks(query))
    return mixed.reshape(query.shape), sums.reshape(-1, 1)


def _head_forward(
    query: jax.Array, key: jax.Array, value: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    mixed, sums = _head_and_sums(query, key, value)
    return mixed, (query, key, value, mixed, sums)


def _head_backward(
    kept: tuple[jax.Array, ...], gradient: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Gradients of one head; those of keys and values are summed with their axes swapped.

    XLA multiplies by a transposed matrix of weights at a fifth of the speed on a CPU, so what is
    transposed is the thin factor: (gᵀ · weights)ᵀ in place of weightsᵀ · g.
    """
    query, key, value, mixed, sums = kept
    dots = jnp.sum(gradient * mixed, axis=-1, keepdims=True, dtype=jnp.float32)

    def block_backward(
        summed: tuple[jax.Array, jax.Array], block: tuple[jax.Array, ...]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        query, turned, gradient, turned_gradient, sums, dots = block
        weights = jnp.exp(_product(query, key.T) - sums)
        pushed = (weights * (_product(gradient, value.T) - dots)).astype(query.dtype)
        to_key = summed[0] + _product(turned, pushed)
        to_value = summed[1] + _product(turned_gradient, weights.astype(gradient.dtype))
        return (to_key, to_value), pushed @ key

    nothing = jnp.zeros(key.T.shape, jnp.float32)
    queries, gradients = _blocks(query), _blocks(gradient)
    turned = queries.swapaxes(-1, -2), gradients.swapaxes(-1, -2)
    blocks = (queries, turned[0], gradients, turned[1], _blocks(sums), _blocks(dots))
    (to_key, to_value), to_query = jax.lax.scan(block_backward, (nothing, nothing), blocks)
    return (
        to_query.reshape(query.shape),
        to_key.T.astype(key.dtype),
        to_value.T.astype(value.dtype),
    )


_head.defvjp(_head_forward, _head_backward)


def _product(left: jax.Array, right: jax.Array) -> jax.Array:
    """A matrix product of whatever precision, summed in float32."""
    return jnp.matmul(left, right, preferred_element_type=jnp.float32)


def _blocks(x: Float[Array, "query size"]) -> Float[Array, "block row size"]:
    """Queries in blocks: the largest that divide them, of up to `BLOCK`."""
    queries, size = x.shape
    rows = next(rows for rows in range(min(BLOCK, queries), 0, -1) if queries % rows == 0)
    return x.reshape(-1, rows, size)


def _by_flash(query: jax.Array) -> bool:
    """Whether cuDNN's fused attention takes it: half precision, and heads it has kernels for."""
    half = query.dtype in (jnp.bfloat16, jnp.float16)
    fits = query.shape[-1] <= FLASH_HEAD_DIM and query.shape[-1] % 8 == 0
    return jax.default_backend() == "gpu" and half and fits


def attend_by_flash(
    query: Float[Array, "*rows query head head_dim"],
    key: Float[Array, "*rows key head head_dim"],
    value: Float[Array, "*rows key head head_dim"],
    implementation: Literal["cudnn", "xla"] = "cudnn",
) -> Float[Array, "*rows query head head_dim"]:
    """Attention of scaled queries by one fused program, which holds no scores in memory."""

    def one_batch(x: jax.Array) -> jax.Array:
        return x.reshape(-1, *x.shape[-3:])

    mixed = jax.nn.dot_product_attention(
        *map(one_batch, (query, key, value)), scale=1.0, implementation=implementation
    )
    return mixed.reshape(query.shape)


class GatedSelfAttention(nn.Module):
    """GLIGEN's fuser: visual tokens look at themselves and at grounding tokens, through two gates.

    Computes x + tanh(alpha_attn) · attention(norm1([x; W g]))[visual], then
    x + tanh(alpha_dense) · ff(norm2(x)). Padding tokens are learned null tokens, attended to.

    With a `geometry`, attention sees x + W cells in place of x; the score of a cell and a token
    rises by a gain, of each head's own, times the share of the cell inside the token's box; and
    what is taken from the token tells where in its box the cell lies (and what its picture shows
    there).
    """

    heads: int
    head_dim: int
    channels: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "row visual channel"],
        grounding: Float[Array, "row token grounding_width"],
        geometry: BoxGeometry | None = None,
    ) -> Float[Array, "row visual channel"]:
        alpha_attn = self.param("alpha_attn", nn.initializers.zeros, ())
        alpha_dense = self.param("alpha_dense", nn.initializers.zeros, ())
        tokens = nn.Dense(self.channels, name="linear")(grounding)
        h, bias, relations = x, None, None
        if geometry is not None:
            h = x + nn.Dense(self.channels, name="place")(geometry.cells)[None]
            bias, relations = self._bias(geometry.inside), geometry.placed
        norm = nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name="norm1")
        attention = Attention(self.heads, self.head_dim, self.channels, name="attn")
        # Only the visual rows are kept, so only they are queries.
        seen = attention(norm(h), norm(tokens), bias, relations, joint=True)
        x = x + jnp.tanh(alpha_attn) * seen
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
        geometry: BoxGeometry | None = None,
    ) -> Float[Array, "row visual channel"]:
        def norm(name: str, h: jax.Array) -> jax.Array:
            return nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, name=name)(h)

        size = (self.heads, self.head_dim, self.channels)
        x = x + Attention(*size, name="attn1")(norm("norm1", x))
        if grounding is not None:
            x = GatedSelfAttention(*size, name="fuser")(x, grounding, geometry)
        # All frames of a clip share its text: they go as one long row of queries.
        per_clip = norm("norm2", x).reshape(text.shape[0], -1, self.channels)
        x = x + Attention(*size, name="attn2")(per_clip, text).reshape(x.shape)
        return x + FeedForward(self.channels, name="ff")(norm("norm3", x))


class SpatialTransformer(nn.Module):
    """Transformer over each frame's pixels (diffusers: Transformer2DModel, linear projections).

    With `box_geometry` the last four channels of a grounding token are its box; before them, with
    `picture_waves`, come the waves of its picture.
    """

    heads: int
    head_dim: int
    groups: int
    box_geometry: bool = False
    picture_waves: int = 0

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
        geometry = None
        if grounding is not None and self.box_geometry:
            grounding, pictures, boxes = unpack(grounding, self.picture_waves)
            geometry = BoxGeometry.of(boxes, x.shape[2], x.shape[3], pictures)
            # The codes of cells are float32: left so, they would widen all that follows.
            geometry = jax.tree_util.tree_map(lambda leaf: leaf.astype(x.dtype), geometry)
        h = block(h, text, grounding, geometry)
        # Zero at the start, as in latent diffusion: an untrained transformer changes nothing.
        h = nn.Dense(channels, kernel_init=nn.initializers.zeros, name="proj_out")(h)
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
