import inspect
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.errors import UserError
from vdjax.inspect import attention
from vdjax.inspect.attention import (
    AttentionRecord,
    Token,
    attention_bytes,
    chance,
    mass_in_box,
    passing_bytes,
    record_attention,
)
from vdjax.inspect.records import enlarged
from vdjax.model import attention as model_attention
from vdjax.model.params import fill_params, init_unet
from vdjax.model.unet3d import UNet3D

LAYERS = ("down 0.0", "mid 0", "up 1.0", "up 1.1")


PLACES = {str(place): (place,) for place in range(5)}


def recorded(config, params, inputs, *, entities=None, words=PLACES, **options):
    """Two steps of three tokens and five words: one program for all that are of these sizes."""
    latents, text, grounding = inputs
    visited = [latents, 0.5 * latents]
    return record_attention(
        config,
        params,
        visited,
        [900, 100],
        text,
        grounding,
        entities=entities,
        words=words,
        **options,
    )


@pytest.fixture(scope="module")
def whole(config, params, inputs):
    return recorded(config, params, inputs)


@pytest.fixture(scope="module")
def record(whole):
    """Its tokens alone."""
    return AttentionRecord({layer: maps[..., :3] for layer, maps in whole.maps.items()}, (900, 100))


@pytest.fixture(scope="module")
def small(config):
    """One level and no time: a program that is made quickly."""
    config = replace(config, block_out_channels=(8,), attention=(True,), temporal=False)
    shapes = jax.eval_shape(partial(init_unet, config), jax.random.key(0))
    return config, fill_params(shapes)


@pytest.fixture(scope="module")
def full_and_lean(small, inputs):
    """All of it; and without heads, and without gates in the second step."""
    full = recorded(*small, inputs)
    return full, recorded(*small, inputs, heads=False, gated=[True, False])


def test_every_guided_layer_is_recorded_at_its_own_resolution(record):
    assert record.layers == LAYERS
    assert record.timesteps == (900, 100)
    for layer, maps in record.maps.items():
        heads, side = (4, 4) if layer == "mid 0" else (2, 8)
        assert maps.shape == (2, 2, heads, side, side, 3)


def test_weights_are_shares_of_what_a_visual_token_gives(record):
    for maps in record.maps.values():
        assert (maps > 0).all()
        assert (maps.sum(-1) < 1).all()  # the rest goes to visual tokens


def test_tokens_that_change_places_take_their_maps_along(record, config, params, inputs):
    latents, text, grounding = inputs
    turned = grounding[:, :, np.array([2, 0, 1])]
    again = recorded(config, params, (latents, text, turned))
    for layer in LAYERS:
        np.testing.assert_allclose(
            again.maps[layer][0][..., :3],
            record.maps[layer][0][..., [2, 0, 1]],
            rtol=2e-3,
            atol=1e-5,
        )
    assert not np.allclose(again.maps["mid 0"][0][..., :3], record.maps["mid 0"][0], rtol=2e-2)


def test_memory_is_known_beforehand(record, config, params):
    assert attention_bytes(config, params, frames=2, tokens=3, steps=2) == record.nbytes


def test_latents_and_timesteps_must_match(config, params, inputs):
    latents, text, grounding = inputs
    for visited, times in (([latents], [1, 2]), ([], [])):
        with pytest.raises(UserError, match="one timestep for each"):
            record_attention(config, params, visited, times, text, grounding)


def test_mean_takes_heads_steps_and_layers_and_enlarges_the_coarse():
    fine = np.zeros((2, 1, 2, 4, 4, 1), np.float32)
    fine[0], fine[1, :, 0], fine[1, :, 1] = 1, 2, 4
    coarse = np.full((2, 1, 1, 2, 2, 1), 5, np.float32)
    record = AttentionRecord({"down 0.0": fine, "mid 0": coarse}, (9, 1))
    assert (record.mean(["down 0.0"], [1]) == 3).all()
    assert (record.mean(["down 0.0"]) == 2).all()
    assert (record.mean() == 3.5).all()
    assert record.mean(["mid 0"]).shape == (1, 2, 2, 1)
    for layers, steps in ((["up 9.9"], None), (None, [2]), (None, []), ([], None)):
        with pytest.raises(UserError):
            record.mean(layers, steps)


unit = st.floats(0, 1, allow_subnormal=False)
boxes = st.tuples(unit, unit, unit, unit).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(boxes, sizes)
def test_an_even_map_has_the_area_of_the_box_inside(box, size):
    inside = mass_in_box(np.full((1, *size), 0.3), [box])
    np.testing.assert_allclose(inside, chance([box]), atol=1e-9)


@given(sizes, unit, unit, st.integers(0, 2**32 - 1))
def test_four_boxes_that_fill_the_frame_share_the_whole_map(size, x, y, seed):
    heat = np.random.default_rng(seed).random((1, *size)) + 1e-3
    parts = [(0, 0, x, y), (x, 0, 1, y), (0, y, x, 1), (x, y, 1, 1)]
    shares = [mass_in_box(heat, [part])[0] for part in parts]
    np.testing.assert_allclose(sum(shares), 1, atol=1e-9)
    assert min(shares) >= 0


def test_a_box_tells_left_from_top_and_no_box_is_no_number():
    heat = np.zeros((2, 4, 8))
    heat[:, 0, 6] = 1.0  # in the first row, at three quarters of the width
    assert mass_in_box(heat, [(0.75, 0, 1, 0.25), None]).tolist()[0] == 1
    assert mass_in_box(heat, [(0, 0.75, 0.25, 1), (0.75, 0, 1, 0.25)]).tolist() == [0, 1]
    assert np.isnan(mass_in_box(heat, [None, None])).all()
    assert np.isnan(chance([None, (0, 0, 1, 1)])).tolist() == [True, False]


# What is kept, and what it costs.


def test_tokens_of_one_entity_and_pieces_of_one_word_are_added_up(whole, config, params, inputs):
    entities = {"cat": (0, 2), "beach": (1,), "nothing": ()}
    words = {"a": (1,), "cat": (2, 3), "b": (0,), "c": (4,), "d": ()}
    named = recorded(config, params, inputs, entities=entities, words=words)
    labels = [token.label for token in named.tokens]
    assert labels[:5] == ["cat", "beach", "nothing", "word a", "word cat"]
    for layer in LAYERS:
        ours, each = named.maps[layer], whole.maps[layer]
        for label, sum_of in {"cat": (0, 2), "beach": (1,), "word cat": (5, 6)}.items():
            wanted = each[..., list(sum_of)].sum(axis=-1)
            np.testing.assert_allclose(ours[..., named.place(label)], wanted, rtol=1e-4)
        assert (ours[..., named.place("nothing")] == 0).all()


def test_words_are_looked_at_as_the_cross_attention_does(whole, config, params, inputs):
    latents, text, grounding = inputs
    for layer in LAYERS:
        np.testing.assert_allclose(whole.maps[layer][..., 3:].sum(-1), 1, atol=1e-5)
    turned = [1, 0, 2, 3, 4]
    again = recorded(config, params, (latents, text[:, np.array(turned)], grounding))
    np.testing.assert_allclose(
        again.maps["up 1.1"][..., 3:][..., turned], whole.maps["up 1.1"][..., 3:], rtol=1e-3
    )


def test_heads_and_gates_may_be_left_out(full_and_lean, small):
    full, lean = full_and_lean
    assert lean.gated == (True, False)
    assert lean.nbytes == attention_bytes(*small, 2, 8, 2, heads=False)
    for layer in full.layers:
        whole = full.maps[layer].mean(axis=2)
        np.testing.assert_allclose(lean.maps[layer][0, :, 0], whole[0], rtol=1e-3)
        assert (lean.maps[layer][1][..., :3] == 0).all(), "no gates, no looks at tokens"
    words = lean.maps["up 0.1"][1, :, 0, ..., 3:]
    assert (words > 0).all()
    np.testing.assert_allclose(words.sum(-1), 1, atol=1e-5)


def test_memory_is_known_for_frames_of_any_shape(config, params):
    def of(*shape):
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    shapes = jax.eval_shape(
        partial(attention._look, config, on=True, each=True),
        params,
        of(1, 2, 4, 8, 4),
        of(1),
        of(1, 5, 8),
        of(1, 2, 3, 8),
        (of(3, 3), of(5, 0)),
    )
    need = sum(4 * leaf.size for leaf in shapes.values())
    assert need == attention_bytes(config, params, 2, 3, 1, size=(4, 8))


def test_what_passes_through_memory_is_known(small, config, params):
    # 2 frames, 2 heads, 64 places that look at 64, scores and weights of 4 bytes
    assert passing_bytes(config, params, 2) == 2 * 2 * 64 * 64 * 2 * 4
    assert passing_bytes(*small, 4, size=(4, 8)) == 4 * 2 * 32 * 32 * 2 * 4


def test_a_record_too_large_is_refused_before_anything_runs(config, params, inputs, monkeypatch):
    def run(*_, **__):
        raise AssertionError("the network ran")

    monkeypatch.setattr(attention, "_look", run)
    need = attention_bytes(config, params, 2, 8, 2)
    with pytest.raises(
        UserError, match=r"2 steps, 2 frames and 8 tokens with all heads"
    ) as refusal:
        recorded(config, params, inputs, limit=need - 1)
    words = str(refusal.value)
    assert "heads=False" in words
    assert "record 1 of the steps" in words
    with pytest.raises(AssertionError, match="the network ran"):
        recorded(config, params, inputs, limit=need)


def test_a_record_says_what_its_axes_are():
    maps = {"down 0.0": np.zeros((2, 1, 1, 2, 2, 3), np.float32)}
    record = AttentionRecord(maps, (9, 1))
    assert [token.label for token in record.tokens] == ["token 1", "token 2", "token 3"]
    assert record.gated == (True, True)
    assert record.place("token 2") == 1
    cat = Token("cat")
    for wrong in (
        {"timesteps": (9,)},
        {"timesteps": (9, 1), "tokens": (cat,)},
        {"timesteps": (9, 1), "gated": (True,)},
        {"timesteps": (9, 1), "tokens": (cat, cat, Token("dog"))},
    ):
        with pytest.raises(UserError):
            AttentionRecord(maps, **wrong)
    AttentionRecord(maps, (9, 1), (cat, Token("cat", "word"), Token("dog")))  # not the same thing
    with pytest.raises(UserError, match="token 'cow' was not recorded"):
        record.place("cow")


def program(small, inputs, **options):
    config, params = small
    latents, text, grounding = inputs

    def run(params, latents, text, grounding):
        # A function of its own each time: JAX keeps what it traced of the same one.
        network = UNet3D(config)
        return network.apply(
            {"params": params}, latents, jnp.array([5]), text, grounding, **options
        )

    return str(jax.make_jaxpr(run)(params, latents, text, grounding))


def test_what_is_not_asked_for_costs_nothing(small, inputs, monkeypatch):
    """The network's program is the same with the code that records, and with that code cut out."""
    here = program(small, inputs)
    recording = program(small, inputs, mutable=["intermediates"])
    source = inspect.getsource(model_attention.Attention)
    asked = 'recorded = self.is_mutable_collection("intermediates")'
    kept = '        if recorded:\n            self.sow("intermediates", "attention", weights)\n'
    assert asked in source
    assert kept in source
    names = dict(vars(model_attention))
    exec(source.replace(asked, "recorded = False").replace(kept, ""), names)
    monkeypatch.setattr(model_attention, "Attention", names["Attention"])
    assert program(small, inputs) == here
    assert program(small, inputs, mutable=["intermediates"]) != recording


@given(sizes, sizes)
def test_enlarging_keeps_even_maps_even_and_the_middle_in_the_middle(before, after):
    even = enlarged(np.full((1, *before, 2), 0.3, np.float32), *after)
    assert even.shape == (1, *after, 2)
    np.testing.assert_allclose(even, 0.3, rtol=1e-5)
    slope = np.broadcast_to((np.arange(before[1]) + 0.5) / before[1], before)
    sloped = enlarged(slope[None, ..., None].astype(np.float32), *after)[0, ..., 0]
    np.testing.assert_allclose(sloped.mean(), 0.5, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 6), (3, 4), (2, 9)])
def test_enlarging_is_what_jax_does(size):
    maps = np.random.default_rng(0).random((2, 4, 4, 3)).astype(np.float32)
    theirs = jax.image.resize(maps, (2, *size, 3), "linear")
    np.testing.assert_allclose(enlarged(maps, *size), theirs, atol=1e-5)
