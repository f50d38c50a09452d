import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.errors import UserError
from vdjax.inspect.attention import (
    AttentionRecord,
    attention_bytes,
    chance,
    mass_in_box,
    record_attention,
)

LAYERS = ("down 0.0", "mid 0", "up 1.0", "up 1.1")


@pytest.fixture(scope="module")
def record(config, params, inputs):
    latents, text, grounding = inputs
    return record_attention(config, params, [latents, 0.5 * latents], [900, 100], text, grounding)


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
    again = record_attention(config, params, [latents], [900], text, turned)
    for layer in LAYERS:
        np.testing.assert_allclose(
            again.maps[layer][0], record.maps[layer][0][..., [2, 0, 1]], rtol=2e-3, atol=1e-5
        )
    assert not np.allclose(again.maps["mid 0"][0], record.maps["mid 0"][0], rtol=2e-2)


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
