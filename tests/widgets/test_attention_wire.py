import numpy as np
import pytest
from attention_records import TOKENS, make_record
from hypothesis import given
from hypothesis import strategies as st

from vdjax.errors import UserError
from vdjax.inspect.views import Look, inside_and_even, layer_maps
from vdjax.widgets.attention_wire import (
    codes,
    packed,
    packed_heads,
    shared_most,
    travelling_side,
)

RECORD = make_record()
BOXES = {"dog": [None, (0.1, 0.2, 0.5, 0.9), (0.2, 0.2, 0.6, 0.9), (0.3, 0.2, 0.7, 0.9)]}


def floats(data, *shape):
    return np.frombuffer(data, np.float32).reshape(shape)


def decoded(coded, ranges):
    low, high = ranges[..., 0, None, None], ranges[..., 1, None, None]
    return low + (high - low) * coded / 255


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e3), st.floats(-1, 1))
def test_a_code_is_off_by_half_a_step_at_most(seed, scale, shift):
    maps = scale * (np.random.default_rng(seed).random((2, 5, 4)) + shift)
    coded, ranges = codes(maps)
    steps = (maps.max(axis=(1, 2)) - maps.min(axis=(1, 2))) / 510
    apart = np.abs(decoded(coded, ranges) - maps).max(axis=(1, 2))
    assert (apart <= steps * 1.001 + 1e-6 * np.abs(maps).max()).all()


def test_a_map_without_a_difference_has_one_code():
    coded, ranges = codes(np.full((1, 2, 2), 0.3))
    assert (coded == 0).all()
    assert ranges.tolist() == [[pytest.approx(0.3)] * 2]


def test_a_page_finds_every_map_by_counting():
    pack = packed(RECORD, BOXES, 64)
    assert [layer["name"] for layer in pack["layers"]] == ["", "down 0.0", "mid 0"]
    assert [layer["heads"] for layer in pack["layers"]] == [1, 2, 3]
    ranges = floats(pack["ranges"], 3, 4, 5, 4, 2)
    start = 0
    for at, layer in enumerate(pack["layers"]):
        shape = (4, 5, 4, layer["height"], layer["width"])
        coded = np.frombuffer(pack["maps"], np.uint8, int(np.prod(shape)), start).reshape(shape)
        start += coded.size
        whole = layer_maps(RECORD, layer["name"] or None).transpose(0, 4, 1, 2, 3)
        np.testing.assert_allclose(decoded(coded, ranges[at]), whole, atol=1e-3)
    assert start == len(pack["maps"])


def test_what_is_measured_is_measured_on_the_record():
    shares = floats(packed(RECORD, BOXES, 2)["shares"], 3, 4, 5, 4)
    heat = Look("dog", 2, "down 0.0").heat(RECORD)
    wanted, _ = inside_and_even(heat, BOXES["dog"])
    np.testing.assert_allclose(shares[1, 1, 1], wanted, rtol=1e-6)
    assert np.isnan(shares[:, :, [0, 2, 3, 4]]).all(), "only the dog has a box"
    assert np.isnan(shares[1, 2, 1]).all(), "without gates nothing is looked at"


def test_heads_are_those_of_one_token_at_one_layer():
    pack = packed_heads(RECORD, BOXES, "dog", "mid 0", 64)
    coded = np.frombuffer(pack["maps"], np.uint8).reshape(3, 4, 4, 4, 4)
    ranges = floats(pack["ranges"], 3, 4, 4, 2)
    for head in range(3):
        heat = Look("dog", 1, "mid 0", head + 1).heat(RECORD)
        np.testing.assert_allclose(decoded(coded[head, 0], ranges[head, 0]), heat, atol=1e-3)
    wanted, _ = inside_and_even(Look("dog", 1, "mid 0", 2).heat(RECORD), BOXES["dog"])
    np.testing.assert_allclose(floats(pack["shares"], 3, 4, 4)[1, 0], wanted, rtol=1e-6)
    assert packed_heads(RECORD, BOXES, "cow", "mid 0", 64) is None


def test_the_most_is_of_all_records_and_of_one_kind():
    other = make_record(seed=5)
    found = shared_most([RECORD, other])
    assert found["heads"]["word"] == pytest.approx(
        max(maps[..., 3:].max() for record in (RECORD, other) for maps in record.maps.values())
    )
    assert found["means"]["box"] < found["heads"]["box"]


def test_large_maps_travel_smaller_or_not_at_all():
    sizes = {side: len(packed(RECORD, {}, side)["maps"]) for side in (64, 8, 4)}
    assert sizes[64] == sizes[8]
    assert travelling_side([RECORD]) == 64
    with pytest.raises(UserError, match="record fewer steps"):
        travelling_side([RECORD], limit=sizes[8] - 1)
    large = make_record(tokens=TOKENS[:1])
    maps = {"down 0.0": large.maps["down 0.0"].repeat(8, 3).repeat(8, 4)}
    large = type(large)(maps, large.timesteps, large.tokens, large.gated)
    side = travelling_side([large], limit=2 * 4 * 4 * 16 * 16)
    assert side == 16
    assert len(packed(large, {}, side)["maps"]) == 2 * 4 * 4 * 16 * 16


def test_a_storybook_scene_is_small():
    """16 frames, 4 steps, 10 layers from 16 × 16 to 4 × 4, 5 tokens: well below 8 MB."""
    sides = {"down 0": 16, "down 1": 8, "down 2": 4, "mid": 4, "up 0": 4, "up 1": 4}
    sides |= {"up 2": 8, "up 3": 8, "up 4": 16, "up 5": 16}
    rng = np.random.default_rng(0)
    maps = {
        name: rng.random((4, 16, 2, side, side, 5), dtype=np.float32) / 5
        for name, side in sides.items()
    }
    record = type(RECORD)(maps, (900, 700, 500, 300), TOKENS)
    pack = packed(record, {}, travelling_side([record]))
    whole = sum(len(pack[name]) for name in ("maps", "ranges", "shares"))
    assert whole < 700_000
