import numpy as np
import pytest
from attention_records import CAT, DOG, TOKENS, make_record

from vdjax.errors import UserError
from vdjax.inspect.attention import AttentionRecord, Token
from vdjax.inspect.views import (
    Look,
    check_comparable,
    inside_and_even,
    layer_maps,
    pooled,
    token_boxes,
)

RECORD = make_record()


def test_the_mean_over_steps_leaves_out_steps_without_gates():
    maps = layer_maps(RECORD, "mid 0")
    assert maps.shape == (4, 4, 4, 4, 5)
    np.testing.assert_allclose(maps[3, ..., 0], maps[:2, ..., 0].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(maps[3, ..., 4], maps[:3, ..., 4].mean(axis=0), rtol=1e-5)


def test_the_mean_over_layers_is_the_records():
    maps = layer_maps(RECORD)
    for step in range(3):
        np.testing.assert_allclose(maps[step], RECORD.mean(steps=[step]), rtol=1e-5)


@pytest.mark.parametrize("token", [token.label for token in TOKENS])
@pytest.mark.parametrize(("layer", "head"), [(None, None), ("mid 0", None), ("mid 0", 3)])
def test_one_token_is_what_it_is_among_all(token, layer, head):
    alone = layer_maps(RECORD, layer, head, token)
    among = layer_maps(RECORD, layer, head)[..., RECORD.place(token)]
    np.testing.assert_allclose(alone[..., 0], among, rtol=1e-6)
    assert (Look(token, 2, layer, head).heat(RECORD) == alone[1, ..., 0]).all()


def test_a_head_is_that_head():
    heat = Look("dog", 2, "down 0.0", 2).heat(RECORD)
    assert (heat == RECORD.maps["down 0.0"][1, :, 1, ..., 1]).all()


def test_colours_are_scaled_to_a_map_a_step_or_everything():
    heat = Look("cat", 1, "mid 0").heat(RECORD)
    by_map = Look("cat", 1, "mid 0", norm="map").limits(RECORD)
    assert (by_map == np.stack([heat.min(axis=(1, 2)), heat.max(axis=(1, 2))], -1)).all()
    by_step = Look("cat", 1, "mid 0", norm="step").limits(RECORD)
    assert by_step.tolist() == [[heat.min(), heat.max()]] * 4
    absolute = Look("cat", 1, "mid 0", norm="absolute").limits(RECORD)
    means = [maps.mean(axis=2)[..., :3].max() for maps in RECORD.maps.values()]
    assert absolute.tolist() == [[0, max(means)]] * 4
    one_head = Look("cat", 1, "mid 0", 1, norm="absolute").limits(RECORD)
    assert one_head[0, 1] == max(maps[..., :3].max() for maps in RECORD.maps.values())


def test_records_that_are_compared_share_a_scale():
    other = make_record(seed=5)
    for norm in ("step", "absolute"):
        look = Look("cat", 1, "mid 0", norm=norm)
        together = look.limits(RECORD, other)
        assert (together == look.limits(other, RECORD)).all()
        alone = np.stack([look.limits(RECORD)[0], look.limits(other)[0]])
        assert together[0].tolist() == [alone[:, 0].min(), alone[:, 1].max()]


def test_only_what_was_recorded_alike_is_compared():
    check_comparable(RECORD, make_record(seed=5, gated=(False, False, False)))
    shorter = AttentionRecord(
        {name: maps[:2] for name, maps in RECORD.maps.items()}, (900, 500), TOKENS
    )
    with pytest.raises(UserError, match=r"steps \(900, 500, 100\), the second \(900, 500\)"):
        check_comparable(RECORD, shorter)
    with pytest.raises(UserError, match="frames 4, the second 2"):
        check_comparable(RECORD, make_record(frames=2))


def test_boxes_are_of_entities_and_of_the_words_that_name_them(plan):
    record = make_record(tokens=(*TOKENS, Token("dog (2)", "word")))
    boxes = token_boxes(record, 9, plan, 2)
    assert list(boxes) == ["cat", "dog", "word cat", "word dog (2)"]
    assert boxes["word cat"] == boxes["cat"]
    assert boxes["dog"][0] is None
    assert boxes["dog"][8] == DOG
    assert token_boxes(record, 9, None) == {}
    assert token_boxes(make_record(), 9, plan, 1)["cat"][0] == pytest.approx(CAT)


def test_shares_inside_are_numbers_only_where_there_is_a_box_and_a_map():
    heat = np.zeros((3, 4, 4))
    heat[:2, 0, 0] = 0.5
    inside, even = inside_and_even(heat, [(0, 0, 0.5, 0.5), None, (0, 0, 0.5, 0.5)])
    assert inside[0] == 1
    assert np.isnan(inside[1:]).all()
    assert even[0] == 0.25
    assert np.isnan(inside_and_even(heat, None)[0]).all()


def test_pooling_keeps_the_mean_and_small_maps_as_they_are():
    maps = layer_maps(RECORD, "down 0.0")
    assert pooled(maps, 8) is maps
    small = pooled(maps, 4)
    assert small.shape == (4, 4, 4, 4, 5)
    np.testing.assert_allclose(small.mean(), maps.mean(), rtol=0.02)


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (Look("cow"), "token 'cow' was not recorded; there are cat, dog"),
        (Look("cat", 4), "step is 4: steps 1 to 3"),
        (Look("cat", 0), "step is 0"),
        (Look("cat", 1, "up 9.9"), "layer 'up 9.9'"),
        (Look("cat", 1, "mid 0", 4), "head is 4: layer 'mid 0' has heads 1 to 3"),
        (Look("cat", 1, None, 1), "name a layer"),
        (Look("cat", norm="loud"), "norm is 'loud': use one of map, step, absolute"),
    ],
)
def test_what_is_not_there_is_said(look, words):
    with pytest.raises(UserError, match=words):
        look.limits(RECORD)
