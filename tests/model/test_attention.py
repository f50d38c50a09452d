"""Attention and the gated layer against the same arithmetic written out in numpy."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.model import attention as attention_module
from vdjax.model.attention import (
    Attention,
    GatedSelfAttention,
    SpatialBlock,
    SpatialTransformer,
    TemporalTransformer,
    attend_by_blocks,
    attend_by_flash,
)
from vdjax.model.boxes import PICTURE_CHANNELS, BoxGeometry, picture_width
from vdjax.model.params import fill_params

RNG = np.random.default_rng(0)
HEADS, WIDTH = 2, 4
CHANNELS = HEADS * WIDTH


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def random_params(module, *args):
    params = fill_params(jax.eval_shape(module.init, jax.random.key(0), *args)["params"])
    return jax.tree_util.tree_map(lambda x: x + 0.1 * normal(*x.shape), params)


def apply(module, params, *args):
    return np.asarray(jax.jit(module.apply)({"params": params}, *args))


def doubles(tree):
    return jax.tree_util.tree_map(lambda x: np.asarray(x, np.float64), tree)


def dense(x, p):
    return x @ p["kernel"] + p.get("bias", 0.0)


def layer_norm(x, p):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5) * p["scale"] + p["bias"]


def group_norm(x, p, groups, axes):
    split = x.reshape(*x.shape[:-1], groups, -1)
    over = (*axes, split.ndim - 1)
    mean, var = split.mean(over, keepdims=True), split.var(over, keepdims=True)
    return ((split - mean) / np.sqrt(var + 1e-6)).reshape(x.shape) * p["scale"] + p["bias"]


def attend(x, context, p, mask=0.0):
    """One row: head by head, scores over √width, softmax over the context."""
    q, k, v = dense(x, p["to_q"]), dense(context, p["to_k"]), dense(context, p["to_v"])
    heads = []
    for h in range(HEADS):
        part = slice(h * WIDTH, (h + 1) * WIDTH)
        scores = q[:, part] @ k[:, part].T / math.sqrt(WIDTH) + mask
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        heads.append(weights / weights.sum(-1, keepdims=True) @ v[:, part])
    return dense(np.concatenate(heads, -1), p["to_out"])


def feed_forward(x, p):
    value, gate = np.split(dense(x, p["net_0_proj"]), 2, axis=-1)
    exact = 0.5 * gate * (1 + np.vectorize(math.erf)(gate / math.sqrt(2)))
    return dense(value * exact, p["net_2"])


def fuse(x, grounding, p):
    joint = layer_norm(np.concatenate([x, dense(grounding, p["linear"])]), p["norm1"])
    x = x + np.tanh(p["alpha_attn"]) * attend(joint, joint, p["attn"])[: len(x)]
    return x + np.tanh(p["alpha_dense"]) * feed_forward(layer_norm(x, p["norm2"]), p["ff"])


@pytest.mark.parametrize("other_context", [False, True])
def test_attention(other_context):
    x = normal(2, 5, CHANNELS)
    args = (x, normal(2, 3, 6)) if other_context else (x,)
    module = Attention(HEADS, WIDTH, CHANNELS)
    params = random_params(module, *args)
    out, p = apply(module, params, *args), doubles(params)
    for row in range(2):
        expected = attend(doubles(x)[row], doubles(args[-1])[row], p)
        np.testing.assert_allclose(out[row], expected, atol=1e-5)


def test_attention_with_a_mask_and_biases():
    x = normal(1, 4, CHANNELS)
    mask = jnp.where(jnp.tril(jnp.ones((4, 4), bool)), 0.0, -10000.0)
    module = Attention(HEADS, WIDTH, CHANNELS, use_bias=True)
    bias = mask[None, None]
    params = random_params(module, x, None, bias)
    out = apply(module, params, x, None, bias)
    expected = attend(doubles(x)[0], doubles(x)[0], doubles(params), np.asarray(mask))
    np.testing.assert_allclose(out[0], expected, atol=1e-5)
    later = apply(module, params, x.at[:, 3].add(1.0), None, bias)
    np.testing.assert_array_equal(later[:, :3], out[:, :3])


def test_the_gated_layer():
    x, grounding = normal(2, 5, CHANNELS), normal(2, 3, 6)
    module = GatedSelfAttention(HEADS, WIDTH, CHANNELS)
    params = random_params(module, x, grounding)
    out = apply(module, params, x, grounding)
    for row in range(2):
        expected = fuse(doubles(x)[row], doubles(grounding)[row], doubles(params))
        np.testing.assert_allclose(out[row], expected, atol=1e-5)


def geometry_of(*boxes, size=2):
    return BoxGeometry.of(jnp.array(boxes, jnp.float32)[None], size, size)


def without(geometry, **zeroed):
    """The geometry with parts of it set to zero."""
    return replace(geometry, **{k: jnp.zeros_like(getattr(geometry, k)) for k in zeroed})


LEFT, TOP, NONE = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 1.0, 0.5), (0.0, 0.0, 0.0, 0.0)


def test_the_gated_layer_with_box_geometry():
    x, grounding = normal(1, 4, CHANNELS), normal(1, 2, 6)
    geometry = geometry_of(LEFT, (0.2, 0.1, 0.9, 0.8))
    module = GatedSelfAttention(HEADS, WIDTH, CHANNELS)
    params = random_params(module, x, grounding, geometry)
    out, p, g = (
        apply(module, params, x, grounding, geometry),
        doubles(params),
        doubles(vars(geometry)),
    )
    h = np.concatenate(
        [x[0] + dense(g["cells"], p["place"]), dense(doubles(grounding)[0], p["linear"])]
    )
    h = layer_norm(h, p["norm1"])
    attn = p["attn"]
    q, k, v = (dense(h, attn[name]) for name in ("to_q", "to_k", "to_v"))
    values, related = [], []
    for head in range(HEADS):
        part = slice(head * WIDTH, (head + 1) * WIDTH)
        scores = q[:4, part] @ k[:, part].T / math.sqrt(WIDTH)
        scores[:, 4:] += p["box_gain"][head] * g["inside"][0]
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        values.append(weights @ v[:, part])
        related.append(np.einsum("qk,qkc->qc", weights[:, 4:], g["placed"][0]))
    mixed = np.concatenate(values, -1) + dense(np.concatenate(related, -1), attn["to_r"])
    y = doubles(x)[0] + np.tanh(p["alpha_attn"]) * dense(mixed, attn["to_out"])
    y = y + np.tanh(p["alpha_dense"]) * feed_forward(layer_norm(y, p["norm2"]), p["ff"])
    np.testing.assert_allclose(out[0], y, atol=1e-4)


def test_closed_gates_let_no_geometry_through():
    x, grounding, geometry = normal(1, 4, CHANNELS), normal(1, 2, 6), geometry_of(LEFT, TOP)
    module = GatedSelfAttention(HEADS, WIDTH, CHANNELS)
    params = random_params(module, x, grounding, geometry)
    assert np.abs(apply(module, params, x, grounding, geometry) - x).max() > 1e-2
    closed = {**params, "alpha_attn": jnp.float32(0.0), "alpha_dense": jnp.float32(0.0)}
    np.testing.assert_array_equal(apply(module, closed, x, grounding, geometry), x)


@pytest.mark.parametrize("part", ["cells", "inside", "placed"])
def test_each_part_of_the_geometry_tells_like_cells_apart(part):
    """Visual tokens that look alike come out alike, but for what this one part says."""
    x, grounding, geometry = normal(1, 1, CHANNELS), normal(1, 2, 6), geometry_of(LEFT, TOP)
    x = jnp.broadcast_to(x, (1, 4, CHANNELS))
    module = GatedSelfAttention(HEADS, WIDTH, CHANNELS)
    params = random_params(module, x, grounding, geometry)
    others = {name: True for name in ("cells", "inside", "placed") if name != part}
    alone = without(geometry, **others)
    nothing = without(alone, **{part: True})
    assert apply(module, params, x, grounding, nothing).std(1).max() < 1e-5
    assert apply(module, params, x, grounding, alone).std(1).max() > 1e-3


def test_a_box_draws_attention_from_what_lies_inside_it():
    """With high gains, a cell in one box heeds that token alone; a cell in none is as it was."""
    x, grounding = normal(1, 4, CHANNELS), normal(1, 2, 6)
    module = GatedSelfAttention(HEADS, WIDTH, CHANNELS)
    geometry = without(geometry_of((0, 0, 0.5, 0.5), (0, 0.5, 0.5, 1)), cells=True, placed=True)
    params = random_params(module, x, grounding, geometry)
    assert params["box_gain"].shape == (HEADS,)
    blind = apply(module, {**params, "box_gain": jnp.zeros(HEADS)}, x, grounding, geometry)
    strong = {**params, "box_gain": jnp.full(HEADS, 50.0)}
    moved = apply(module, strong, x, grounding, geometry)
    np.testing.assert_allclose(moved[0, [1, 3]], blind[0, [1, 3]], atol=1e-5)
    assert np.abs(moved[0, [0, 2]] - blind[0, [0, 2]]).max() > 1e-3
    # All attention of the cell inside goes to its token: the other's value no longer counts.
    other = apply(module, strong, x, grounding.at[:, 1].add(3.0), geometry)
    np.testing.assert_allclose(other[0, 0], moved[0, 0], atol=1e-4)


def whole(query, key, value):
    weights = jax.nn.softmax(jnp.einsum("...qhd,...khd->...hqk", query, key), axis=-1)
    return jnp.einsum("...hqk,...khd->...qhd", weights, value)


@pytest.mark.parametrize(
    ("rows", "queries", "keys"),
    [((2,), 1024, 512), ((), 512, 542), ((1, 3), 300, 260), ((2,), 521, 600)],
)
def test_attention_by_blocks_is_attention(rows, queries, keys):
    """Whatever divides the queries, with keys that are more than they; a large score too."""
    query, (key, value) = 5 * normal(*rows, queries, HEADS, 8), normal(2, *rows, keys, HEADS, 8)

    def gradients(function):
        def loss(*given):
            return (function(*given) ** 2).mean()

        return jax.jit(jax.value_and_grad(loss, (0, 1, 2)))(query, key, value)

    expected = whole(*(x.astype(jnp.float32) for x in (query, key, value)))
    np.testing.assert_allclose(
        jax.jit(attend_by_blocks)(query, key, value), expected, atol=4e-6 * float(expected.max())
    )
    ours, theirs = gradients(attend_by_blocks), gradients(whole)
    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * float(jnp.abs(b).max())),
        ours,
        theirs,
    )


def test_a_cpu_attends_by_blocks_where_scores_are_many_and_nobody_looks(monkeypatch):
    calls = []

    def noted(*given):
        calls.append(given)
        return attend_by_blocks(*given)

    monkeypatch.setattr(attention_module, "attend_by_blocks", noted)
    monkeypatch.setattr(attention_module.jax, "default_backend", lambda: "cpu")
    module, x = Attention(HEADS, WIDTH, CHANNELS), normal(1, 512, CHANNELS)
    params = {"params": random_params(module, x)}
    calls.clear()
    by_blocks = module.apply(params, x)
    assert len(calls) == 1
    looked_at, _ = module.apply(params, x, mutable=["intermediates"])
    module.apply(params, x, None, jnp.zeros((1, 1, 512, 512)))
    module.apply(params, x[:, 1:])
    module.apply(params, x, x[:, 1:])
    monkeypatch.setattr(attention_module.jax, "default_backend", lambda: "gpu")
    on_another = module.apply(params, x)
    assert len(calls) == 1
    np.testing.assert_allclose(by_blocks, looked_at, atol=1e-6)
    np.testing.assert_array_equal(on_another, looked_at)


def test_every_grounding_token_is_attended_to_null_tokens_too():
    x, grounding = normal(1, 5, CHANNELS), normal(1, 3, 6)
    module = GatedSelfAttention(HEADS, WIDTH, CHANNELS)
    params = random_params(module, x, grounding)
    fewer = apply(module, params, x, grounding[:, :2])
    with_null = apply(module, params, x, grounding.at[:, 2].set(0.0))
    assert np.abs(with_null - fewer).max() > 1e-3


def test_a_spatial_transformer_goes_self_gated_cross_feed_forward():
    x, text, grounding = normal(2, 2, 2, 3, CHANNELS), normal(2, 4, 6), normal(2, 2, 3, 5)
    module = SpatialTransformer(HEADS, WIDTH, groups=4)
    params = random_params(module, x, text, grounding)
    out, p = apply(module, params, x, text, grounding), doubles(params)
    block = p["transformer_blocks_0"]
    for clip in range(2):
        for frame in range(2):
            picture = doubles(x)[clip, frame]
            h = group_norm(picture, p["norm"], 4, (0, 1)).reshape(6, CHANNELS)
            h = dense(h, p["proj_in"])
            n = layer_norm(h, block["norm1"])
            h = h + attend(n, n, block["attn1"])
            h = fuse(h, doubles(grounding)[clip, frame], block["fuser"])
            n = layer_norm(h, block["norm2"])
            h = h + attend(n, doubles(text)[clip], block["attn2"])
            h = h + feed_forward(layer_norm(h, block["norm3"]), block["ff"])
            expected = picture + dense(h, p["proj_out"]).reshape(2, 3, CHANNELS)
            np.testing.assert_allclose(out[clip, frame], expected, atol=1e-4)


BOXES = jnp.array([[0.0, 0.0, 0.5, 1.0], [0.2, 0.1, 0.9, 0.8], [0.0] * 4])


@pytest.mark.parametrize("waves", [0, 2])
def test_a_spatial_transformer_takes_tokens_apart_into_token_picture_and_box(waves):
    """Its block is given what it finds, and the geometry of the whole picture, by hand."""
    clips, frames, height, width = 2, 2, 2, 3
    x, text = normal(clips, frames, height, width, CHANNELS), normal(clips, 4, 6)
    token = normal(clips, frames, 3, 5)
    pictures = normal(clips, frames, 3, waves, waves, PICTURE_CHANNELS)
    shrunk = jnp.array([[1.0, 0.9], [0.8, 0.7]]).reshape(clips, frames, 1, 1)
    boxes = shrunk * BOXES[None, None]
    packed = jnp.concatenate([token, pictures.reshape(*token.shape[:3], -1), boxes], axis=-1)
    assert packed.shape[-1] == 5 + picture_width(waves) + 4
    module = SpatialTransformer(HEADS, WIDTH, 4, box_geometry=True, picture_waves=waves)
    params = random_params(module, x, text, packed)
    out, p = apply(module, params, x, text, packed), doubles(params)

    def rows(given):
        return given.reshape(clips * frames, *given.shape[2:])

    geometry = BoxGeometry.of(rows(boxes), height, width, rows(pictures) if waves else None)
    h = np.stack([group_norm(picture, p["norm"], 4, (0, 1)) for picture in rows(doubles(x))])
    h = dense(h.reshape(clips * frames, height * width, CHANNELS), p["proj_in"])
    block = SpatialBlock(HEADS, WIDTH, CHANNELS)
    given = jnp.asarray(h, jnp.float32), text, rows(token), geometry
    h = dense(doubles(apply(block, params["transformer_blocks_0"], *given)), p["proj_out"])
    np.testing.assert_allclose(out, doubles(x) + h.reshape(x.shape), atol=1e-4)


def test_a_picture_is_seen_where_its_token_has_a_box_and_nowhere_else():
    x, text, token = normal(1, 1, 2, 3, CHANNELS), normal(1, 4, 6), normal(1, 1, 3, 5)
    boxes = jnp.broadcast_to(BOXES, (1, 1, 3, 4))
    module = SpatialTransformer(HEADS, WIDTH, 4, box_geometry=True, picture_waves=2)

    def packed(pictures):
        return jnp.concatenate([token, pictures, boxes], axis=-1)

    pictures = normal(1, 1, 3, picture_width(2))
    params = random_params(module, x, text, packed(pictures))
    before = apply(module, params, x, text, packed(pictures))
    for number, there in enumerate((True, True, False)):
        other = apply(module, params, x, text, packed(pictures.at[:, :, number].add(1.0)))
        assert (np.abs(other - before).max() > 1e-3) == there


def test_a_temporal_transformer_looks_along_each_pixels_frames_twice():
    x = normal(2, 3, 1, 2, CHANNELS)
    module = TemporalTransformer(HEADS, WIDTH, groups=4)
    params = random_params(module, x)
    out, p = apply(module, params, x), doubles(params)
    block = p["transformer_blocks_0"]
    for clip in range(2):
        normed = group_norm(doubles(x)[clip], p["norm"], 4, (0, 1, 2))
        for pixel in range(2):
            h = dense(normed[:, 0, pixel], p["proj_in"])
            for i in (1, 2):
                n = layer_norm(h, block[f"norm{i}"])
                h = h + attend(n, n, block[f"attn{i}"])
            h = h + feed_forward(layer_norm(h, block["norm3"]), block["ff"])
            expected = doubles(x)[clip, :, 0, pixel] + dense(h, p["proj_out"])
            np.testing.assert_allclose(out[clip, :, 0, pixel], expected, atol=1e-4)


def test_temporal_attention_knows_no_order_of_frames():
    x = normal(1, 4, 2, 2, CHANNELS)
    order = jnp.array([2, 0, 3, 1])
    module = TemporalTransformer(HEADS, WIDTH, groups=4)
    params = random_params(module, x)
    np.testing.assert_allclose(
        apply(module, params, x[:, order]), apply(module, params, x)[:, order], atol=1e-5
    )


@pytest.mark.loose_dtypes
def test_a_gpu_attends_by_one_fused_program_in_halves_alone(monkeypatch):
    """The fused program itself is stood in for by the compiler's own, which takes the same call."""
    calls = []

    def noted(*given):
        calls.append(given)
        return attend_by_flash(*given, implementation="xla")

    monkeypatch.setattr(attention_module, "attend_by_flash", noted)
    module = Attention(2, 8, 16)
    x, context = normal(1, 2, 6, 16), normal(1, 2, 5, 16)
    params = {"params": random_params(module, x, context)}
    expected = np.asarray(module.apply(params, x, context))
    monkeypatch.setattr(attention_module.jax, "default_backend", lambda: "gpu")
    np.testing.assert_allclose(module.apply(params, x, context), expected, atol=1e-6)
    assert not calls
    halves = jax.tree_util.tree_map(lambda leaf: leaf.astype(jnp.bfloat16), (params, x, context))
    fused = np.asarray(module.apply(*halves), np.float32)
    assert len(calls) == 1
    np.testing.assert_allclose(fused, expected, atol=0.1)
    assert np.abs(fused - expected).max() > 0
    # With a bias the scores are needed.
    module.apply(*halves, jnp.zeros((1, 1, 1, 6, 5)))
    assert len(calls) == 1
