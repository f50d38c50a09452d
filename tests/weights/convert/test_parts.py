"""Autoencoder, CLIP and prior: whose configurations are ours, and what full sizes are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vdjax.errors import WeightsError
from vdjax.ground.prior import PriorConfig
from vdjax.model.hf import AutoencoderConfig, CLIPConfig
from vdjax.weights.convert import autoencoder, clip, prior
from vdjax.weights.convert.rules import expected_shapes, plan_conversion

# CLIP's Flax modules are made to ask their sizes, and mix dtypes as they are.
pytestmark = pytest.mark.loose_dtypes

AUTOENCODER = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "sample_size": 512,
    "act_fn": "silu",
}
VIT_H = {
    "architectures": ["CLIPTextModel"],
    "hidden_act": "gelu",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 23,
}
VIT_L = {
    "architectures": ["CLIPTextModelWithProjection"],
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "projection_dim": 768,
}
VIT_L_PICTURES = {
    "architectures": ["CLIPVisionModelWithProjection"],
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "patch_size": 14,
    "projection_dim": 768,
}
PRIOR = {"_class_name": "PriorTransformer", "num_attention_heads": 32, "attention_head_dim": 64}
ALL = [(autoencoder, AUTOENCODER), (clip, VIT_H), (clip, VIT_L_PICTURES), (prior, PRIOR)]
NAMES = ["autoencoder", "text", "pictures", "prior"]


def rules_of(source):
    return autoencoder.rules_for(()) if source is autoencoder else source.RULES


def small(source):
    if source is autoencoder:
        return AutoencoderConfig()
    return CLIPConfig() if source is clip else PriorConfig()


def test_the_released_configurations_are_the_named_ones():
    assert autoencoder.configure(AUTOENCODER) == AutoencoderConfig.stable_diffusion()
    assert clip.configure(VIT_H) == CLIPConfig.vit_h_text()
    assert prior.configure(PRIOR) == PriorConfig.karlo()
    both = {"architectures": ["CLIPModel"], "text_config": VIT_L, "vision_config": VIT_L_PICTURES}
    assert clip.configure({**both, "projection_dim": 768}) == CLIPConfig.vit_l()


@pytest.mark.parametrize(
    ("source", "data", "count"),
    [
        (autoencoder, AUTOENCODER, 83_653_863),
        (clip, VIT_H, 340_387_840),
        (clip, VIT_L, 123_650_304),
        (clip, VIT_L_PICTURES, 303_966_208),
    ],
)
def test_full_sizes_have_the_released_number_of_parameters(source, data, count):
    shapes = expected_shapes(rules_of(source), source.wanted(source.configure(data)))
    assert sum(map(math.prod, shapes.values())) == count


def test_a_text_tower_alone_has_neither_pictures_nor_a_shared_space():
    leaves = clip.wanted(clip.configure(VIT_H))
    assert {leaf.partition("/")[0] for leaf in leaves} == {"text_model"}
    leaves = clip.wanted(clip.configure(VIT_L_PICTURES))
    assert {leaf.partition("/")[0] for leaf in leaves} == {"vision_model", "visual_projection"}


@pytest.mark.parametrize("source", [autoencoder, clip, prior])
def test_every_key_has_one_place_and_every_place_one_key(source):
    wanted = source.wanted(small(source))
    shapes = expected_shapes(rules_of(source), wanted)
    assert len(plan_conversion(shapes, rules_of(source), wanted)) == len(wanted) == len(shapes)
    lost, *_ = shapes
    with pytest.raises(WeightsError, match=f"1 key missing: {lost}"):
        plan_conversion({k: v for k, v in shapes.items() if k != lost}, rules_of(source), wanted)
    with pytest.raises(WeightsError, match="1 key that no rule knows: surplus"):
        plan_conversion({**shapes, "surplus.weight": (3,)}, rules_of(source), wanted)


def test_the_autoencoders_attention_goes_by_two_names():
    wanted = autoencoder.wanted(AutoencoderConfig())
    now, before = (expected_shapes(r, wanted) for r in (autoencoder.RULES, autoencoder.OLD_RULES))
    assert set(now) - set(before) == {
        f"{side}.mid_block.attentions.0.{layer}.{kind}"
        for side in ("encoder", "decoder")
        for layer in ("to_q", "to_k", "to_v", "to_out.0")
        for kind in ("weight", "bias")
    }
    assert autoencoder.rules_for(now) == autoencoder.RULES
    assert autoencoder.rules_for(before) == autoencoder.OLD_RULES


def test_the_index_of_positions_is_known_and_not_kept():
    wanted = clip.wanted(CLIPConfig())
    shapes = expected_shapes(clip.RULES, wanted)
    shapes |= {f"{t}_model.embeddings.position_ids": (1, 40) for t in ("text", "vision")}
    assert len(plan_conversion(shapes, clip.RULES, wanted)) == len(wanted)


@pytest.mark.parametrize(("source", "data"), ALL, ids=NAMES)
def test_what_nobody_knows_is_refused(source, data):
    with pytest.raises(WeightsError, match="unknown configuration field wings = 2"):
        source.configure({**data, "wings": 2})
    with pytest.raises(WeightsError, match="is of Bird: expected "):
        source.configure({"_class_name": "Bird"})


@pytest.mark.parametrize(
    ("source", "data", "field", "value"),
    [
        (autoencoder, AUTOENCODER, "act_fn", "relu"),
        (autoencoder, AUTOENCODER, "shift_factor", 0.1),
        (autoencoder, AUTOENCODER, "use_quant_conv", False),
        (autoencoder, AUTOENCODER, "down_block_types", ["AttnDownEncoderBlock2D"] * 4),
        (clip, VIT_H, "hidden_act", "relu"),
        (clip, VIT_H, "layer_norm_eps", 1e-6),
        (clip, VIT_H, "intermediate_size", 4000),
        (prior, PRIOR, "added_emb_type", None),
        (prior, PRIOR, "norm_in_type", "layer"),
        (prior, PRIOR, "clip_embed_dim", 1024),
    ],
)
def test_another_arithmetic_is_refused(source, data, field, value):
    with pytest.raises(WeightsError, match=f"{field} is "):
        source.configure({**data, field: value})


def test_towers_of_two_activations_are_refused():
    text, pictures = {**VIT_L, "hidden_act": "gelu"}, VIT_L_PICTURES
    with pytest.raises(WeightsError, match="'gelu' for text and 'quick_gelu' for pictures"):
        clip.configure(
            {"architectures": ["CLIPModel"], "text_config": text, "vision_config": pictures}
        )


def test_the_statistics_of_a_prior_lose_the_row_they_are_in():
    wanted = prior.wanted(PriorConfig())
    shapes = expected_shapes(prior.RULES, wanted)
    assert shapes["clip_mean"] == (1, 128)
    (move,) = (m for m in plan_conversion(shapes, prior.RULES, wanted) if m.leaf == "clip_mean")
    row = np.arange(128.0)[None]
    np.testing.assert_array_equal(move(row), row[0])
