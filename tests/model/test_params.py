"""Which parameters there are at which size, what they are called, and how they are taken apart."""

from __future__ import annotations

import json
import math
import re
from functools import cache, partial
from pathlib import Path

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from hypothesis import given
from hypothesis import strategies as st

from vdjax.model.params import (
    GATED,
    TEMPORAL,
    fill_params,
    init_unet,
    merge_params,
    split_params,
)
from vdjax.model.unet3d import UNet3DConfig
from vdjax.weights.presets import Preset

MODELSCOPE = UNet3DConfig(
    sample_size=32,
    block_out_channels=(320, 640, 1280, 1280),
    attention=(True, True, True, False),
    layers_per_block=2,
    text_width=1024,
    grounding_width=1024,
    head_dim=64,
    input_temporal_heads=8,
)
UNGATED = 1_411_233_860  # ModelScope's UNet
FUSERS = 211_213_152  # 16 gated layers whose tokens are 1024 wide, as LVD ships them


@cache
def shapes(config):
    return jax.eval_shape(partial(init_unet, config), jax.random.key(0))


def count(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree_util.tree_leaves(tree))


def torch_name(module):
    """One module's name as PyTorch has it: members of lists and sequences go by their number."""
    if found := re.fullmatch(r"(conv\d)_(norm|conv)", module):
        # A sequence of norm, SiLU and convolution; behind the first, with a dropout before it.
        block, layer = found.groups()
        return f"{block}.{0 if layer == 'norm' else 2 if block == 'conv1' else 3}"
    if module.startswith("linear"):
        return module
    return re.sub(r"_(\d+)(_|$)", r".\1.", module).rstrip(".").replace("to_out", "to_out.0")


def torch_names(tree):
    """Every parameter under the name and in the shape that diffusers' PyTorch model has it."""
    found = {}
    for (*modules, kind), leaf in flatten_dict(tree).items():
        name, shape = ".".join(map(torch_name, modules)), tuple(leaf.shape)
        if kind == "kernel":
            *window, inputs, outputs = shape
            # A temporal convolution is one over (frame, 1, 1) there, over (frame, pixel) here.
            window = (3, 1, 1) if "temp_convs" in name else window
            shape = (outputs, inputs, *window)
        found[f"{name}.{'bias' if kind == 'bias' else 'weight'}"] = shape
    return found


def test_full_size_names_and_shapes_are_diffusers():
    """The list is that of UNet3DConditionModel in diffusers 0.38, as ModelScope configures it."""
    text = Path(__file__).with_name("modelscope_shapes.json").read_text()
    expected = {name: tuple(shape) for name, shape in json.loads(text).items()}
    found = torch_names(split_params(shapes(MODELSCOPE), GATED)[1])
    assert set(found) == set(expected)
    assert found == expected
    assert sum(map(math.prod, found.values())) == UNGATED


def test_full_size_gated_layers_are_lvds():
    gated, rest = split_params(shapes(MODELSCOPE), GATED)
    assert count(rest) == UNGATED
    assert count(gated) == FUSERS
    fusers = {path[: path.index("fuser")] for path in flatten_dict(gated)}
    assert len(fusers) == 16
    assert {path[-2:] for path in fusers} == {("attentions_0", "transformer_blocks_0")} | {
        (f"attentions_{i}", "transformer_blocks_0") for i in (1, 2)
    }
    # One per width, counted by hand: 320, 640 and 1280 channels.
    of_width = {
        320: ("down_blocks_0", 1_970_882),
        640: ("down_blocks_1", 7_218_562),
        1280: ("down_blocks_2", 27_544_322),
    }
    for block, expected in of_width.values():
        fuser = gated[block]["attentions_0"]["transformer_blocks_0"]["fuser"]
        assert count(fuser) == expected
        assert set(fuser) == {"alpha_attn", "alpha_dense", "linear", "norm1", "attn", "norm2", "ff"}
        assert set(fuser["attn"]["to_q"]) == {"kernel"}
        assert set(fuser["attn"]["to_out"]) == set(fuser["linear"]) == {"kernel", "bias"}


@pytest.mark.parametrize("config", [MODELSCOPE, Preset.toy().unet], ids=["modelscope", "toy"])
def test_groups_of_parameters_cover_the_network_without_overlap(config):
    whole = shapes(config)
    gated, rest = split_params(whole, GATED)
    temporal, spatial = split_params(rest, TEMPORAL)
    assert merge_params(gated, temporal, spatial) == whole
    assert count(gated) + count(temporal) + count(spatial) == count(whole)
    for path in flatten_dict(gated):
        assert "fuser" in path
        assert any(re.fullmatch(r"attentions_\d", part) for part in path)
        assert not any(part.startswith(TEMPORAL) for part in path)
    for path in flatten_dict(spatial):
        assert not {"fuser", "transformer_in"} & set(path)
        assert not any(part.startswith("temp_") for part in path)
    assert any(path[0] == "transformer_in" for path in flatten_dict(temporal))


TREES = st.recursive(
    st.integers(),
    lambda inner: st.dictionaries(
        st.sampled_from(["fuser", "attentions_0", "temp_convs_1", "x"]), inner, min_size=1
    ),
    max_leaves=12,
).filter(lambda tree: isinstance(tree, dict))


@given(tree=TREES, markers=st.sampled_from([GATED, TEMPORAL, ("nothing",)]))
def test_what_is_split_can_be_merged(tree, markers):
    inside, outside = split_params(tree, markers)
    assert merge_params(inside, outside) == merge_params(outside, inside) == tree
    assert all(any(p.startswith(markers) for p in path) for path in flatten_dict(inside))
    assert not any(p.startswith(markers) for path in flatten_dict(outside) for p in path)


def test_filled_parameters_are_tame_and_reproducible():
    tree = shapes(Preset.toy().unet)
    filled, again, other = fill_params(tree), fill_params(tree), fill_params(tree, seed=1)
    assert jax.tree_util.tree_structure(filled) == jax.tree_util.tree_structure(tree)
    kernels = 0
    for (path, leaf), same, seeded in zip(
        flatten_dict(filled).items(),
        flatten_dict(again).values(),
        flatten_dict(other).values(),
        strict=True,
    ):
        np.testing.assert_array_equal(leaf, same)
        if path[-1] == "kernel":
            kernels += 1
            fan_in = math.prod(leaf.shape[:-1])
            assert float(leaf.std()) == pytest.approx(fan_in**-0.5, rel=0.2)
            assert not np.array_equal(leaf, seeded)
        elif leaf.ndim:
            assert set(np.unique(leaf)) == {1.0 if path[-1] == "scale" else 0.0}
        else:
            assert leaf == 0.5
    assert kernels > 100
