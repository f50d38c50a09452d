"""UNets of diffusers' and ModelScope's naming: which they are, what they are made of."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from weights.convert.conftest import UNET2D, UNET3D, UNETSD

from vdjax.errors import WeightsError
from vdjax.weights.convert import modelscope, unet2d, unet3d
from vdjax.weights.convert.rules import expected_shapes, plan_conversion
from vdjax.weights.convert.unets import Denoiser, wanted
from vdjax.weights.presets import get_preset

# What the released configurations say beyond diffusers' defaults.
SD15 = {"attention_head_dim": 8, "cross_attention_dim": 768, "sample_size": 64}
SD21 = {
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "sample_size": 96,
    "use_linear_projection": True,
    "upcast_attention": True,
    "num_class_embeds": None,
}


def of_preset(name):
    preset = get_preset(name)
    return Denoiser(preset.unet, preset.grounding if preset.unet.gated else None)


def test_modelscopes_keys_are_those_of_diffusers():
    """The list is that of UNet3DConditionModel in diffusers 0.38, as ModelScope configures it."""
    text = (Path(__file__).parents[2] / "model" / "modelscope_shapes.json").read_text()
    denoiser = unet3d.configure({"_class_name": "UNet3DConditionModel"})
    assert denoiser == of_preset("modelscope")
    expected = {key: tuple(shape) for key, shape in json.loads(text).items()}
    assert expected_shapes(unet3d.rules_for(denoiser), wanted(denoiser)) == expected


def test_lvd_has_gated_layers_in_every_spatial_transformer_and_a_net_of_text_alone():
    denoiser = unet3d.configure({"_class_name": "UNet3DConditionModel", "attention_type": "gated"})
    assert denoiser == of_preset("lvd")
    shapes = expected_shapes(unet3d.rules_for(denoiser), wanted(denoiser))
    assert sum(map(math.prod, shapes.values())) == 1_623_793_636
    net = {key: shape for key, shape in shapes.items() if key.startswith("position_net.")}
    assert net == {
        "position_net.null_positive_feature": (1024,),
        "position_net.null_position_feature": (64,),
        "position_net.linears.0.weight": (512, 1024 + 64),
        "position_net.linears.0.bias": (512,),
        "position_net.linears.2.weight": (512, 512),
        "position_net.linears.2.bias": (512,),
        "position_net.linears.4.weight": (1024, 512),
        "position_net.linears.4.bias": (1024,),
    }
    fusers = {key for key in shapes if key.endswith(".fuser.alpha_attn")}
    assert len(fusers) == 16
    assert {shapes[key] for key in fusers} == {()}
    assert all(".attentions." in key for key in fusers)


@pytest.mark.parametrize(
    ("name", "fields", "parameters"),
    [("sd15", SD15, 859_520_964), ("sd21", SD21, 865_910_724)],
)
def test_stable_diffusion_is_the_spatial_half(name, fields, parameters):
    config = {"_class_name": "UNet2DConditionModel", **fields}
    denoiser = unet2d.configure(config)
    assert denoiser == of_preset(name)
    shapes = expected_shapes(unet2d.rules_for(denoiser, config), wanted(denoiser))
    assert len(shapes) == 686
    assert sum(map(math.prod, shapes.values())) == parameters
    projection = shapes["mid_block.attentions.0.proj_in.weight"]
    assert projection == ((1280, 1280, 1, 1) if name == "sd15" else (1280, 1280))


def test_heads_are_counted_in_two_dimensions_and_measured_in_three():
    assert of_preset("sd15").unet.heads_at(2) == (8, 160)
    assert of_preset("sd21").unet.heads_at(2) == (20, 64)
    assert of_preset("modelscope").unet.heads_at(0) == (5, 64)


def test_gligens_text_and_image_net_has_a_token_for_each():
    config = {**UNET2D, "attention_type": "gated-text-image"}
    denoiser = unet2d.configure(config)
    shapes = expected_shapes(unet2d.rules_for(denoiser, config), wanted(denoiser))
    assert shapes["position_net.linears_image.4.weight"] == (6, 512)
    assert shapes["position_net.null_image_feature"] == (6,)
    assert "position_net.null_positive_feature" not in shapes


def test_both_namings_of_modelscope_mean_the_same_weights(foreign):
    original = foreign("modelscope")
    same = {"block_out_channels": [32, 64], "norm_num_groups": 32, "sample_size": 32}
    diffusers = foreign("unet3d", **same)
    assert modelscope.configure(UNETSD) == unet3d.configure(diffusers.config)
    assert sorted(original.leaves) == sorted(diffusers.leaves)
    assert "input_blocks.1.0.temopral_conv.conv4.3.weight" in original.state
    assert original.state["input_blocks.0.1.proj_in.weight"].ndim == 3
    for leaf, value in original.leaves.items():
        np.testing.assert_array_equal(value, diffusers.leaves[leaf])


def test_the_released_modelscope_is_what_its_configuration_leaves_open():
    denoiser = modelscope.configure({})
    assert denoiser == of_preset("modelscope")
    shapes = expected_shapes(modelscope.rules_for(denoiser), wanted(denoiser))
    assert len(shapes) == 1480
    assert shapes["output_blocks.2.1.conv.weight"] == (1280, 1280, 3, 3)
    assert shapes["output_blocks.8.3.conv.weight"] == (640, 640, 3, 3)
    assert shapes["input_blocks.3.op.weight"] == (320, 320, 3, 3)
    assert shapes["middle_block.3.out_layers.3.weight"] == (1280, 1280, 3, 3)


@pytest.mark.parametrize("kind", ["unet3d", "unet2d", "modelscope"])
def test_every_key_has_one_rule(foreign, kind):
    model = foreign(kind)
    denoiser, rules = {
        "unet3d": (unet3d.configure(UNET3D), unet3d.RULES),
        "unet2d": (unet2d.configure(UNET2D), unet2d.CONV_RULES),
        "modelscope": (
            modelscope.configure(UNETSD),
            modelscope.rules_for(modelscope.configure(UNETSD)),
        ),
    }[kind]
    for key in model.state:
        assert sum(rule.match(key) is not None for rule in rules) == 1
    shapes = {key: value.shape for key, value in model.state.items()}
    for move in plan_conversion(shapes, rules, wanted(denoiser)):
        np.testing.assert_array_equal(move(model.state[move.key]), model.leaves[move.leaf])


@pytest.mark.parametrize(
    ("module", "base", "changed", "say"),
    [
        (unet3d, UNET3D, {"_class_name": "UNetMotionModel"}, "is of UNetMotionModel: expected"),
        (unet3d, UNET3D, {"motion_heads": 8}, "unknown configuration field motion_heads = 8"),
        (unet3d, UNET3D, {"act_fn": "gelu"}, "act_fn is 'gelu'; vdjax's network has 'silu'"),
        (unet3d, UNET3D, {"norm_eps": 1e-6}, "norm_eps is 1e-06"),
        (unet3d, UNET3D, {"attention_head_dim": [4, 8]}, r"attention_head_dim is \[4, 8\]"),
        (unet3d, UNET3D, {"cross_attention_dim": "6"}, "cross_attention_dim is '6'"),
        (unet3d, UNET3D, {"attention_type": "gatted"}, "attention_type is 'gatted'; vdjax has"),
        (unet3d, UNET3D, {"up_block_types": ["UpBlock3D"] * 2}, "mirrors"),
        (unet3d, UNET3D, {"down_block_types": ["Down", "DownBlock3D"]}, "down_block_types is"),
        (unet3d, UNET3D, {"block_out_channels": [8, 16, 32]}, "one for each of 3"),
        (unet3d, UNET3D, {"sample_size": [4, 8]}, "sample_size is"),
        (unet3d, UNET3D, {"norm_num_groups": 3}, "norm_num_groups is 3"),
        (unet2d, UNET2D, {"attention_head_dim": [2, 2, 2]}, "attention_head_dim is"),
        (unet2d, UNET2D, {"attention_head_dim": 3}, "divides the channels"),
        (unet2d, UNET2D, {"addition_embed_type": "text_time"}, "addition_embed_type is"),
        (unet2d, UNET2D, {"time_embedding_type": "fourier"}, "time_embedding_type is"),
        (unet2d, UNET2D, {"_class_name": "UNet3DConditionModel"}, "expected UNet2D"),
        (modelscope, UNETSD, {"model": {"model_cfg": {"unet_fps": 8}}}, "unet_fps = 8"),
        (modelscope, UNETSD, {"model": {"model_cfg": {"mean_type": "v"}}}, "mean_type is 'v'"),
    ],
)
def test_configurations_of_other_networks_are_refused(module, base, changed, say):
    with pytest.raises(WeightsError, match=say):
        module.configure({**base, **changed})


def test_a_configuration_of_something_else_is_not_modelscopes():
    with pytest.raises(WeightsError, match="field 'model'"):
        modelscope.configure(UNET3D)
