"""What must hold of the UNet whatever its weights: who influences whom, and what zero gates do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from vdjax.model.boxes import PICTURE_CHANNELS, PLACED_WIDTH, picture_width
from vdjax.model.params import TEMPORAL, init_unet, merge_params, split_params
from vdjax.model.unet3d import UNet3D, UNet3DConfig

CLOSE = 1e-6
GATES = ("alpha_attn", "alpha_dense")


def leaves(params):
    return flatten_dict(params, sep="/")


def zeroed(params, *endings):
    """The parameters with those leaves at zero whose path ends with one of `endings`."""
    return unflatten_dict(
        {k: jnp.zeros_like(v) if k.endswith(endings) else v for k, v in leaves(params).items()},
        sep="/",
    )


def ends_a_temporal_layer(path):
    is_temporal = any(part.startswith(TEMPORAL) for part in path.split("/"))
    return is_temporal and ("/conv4_conv/" in path or "/proj_out/" in path)


def test_the_prediction_has_the_shape_of_the_latents(network):
    for options in ({}, {"gated": False}, {"video": False}):
        out = network(**options)
        assert out.shape == network.latents.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        assert out.std() > 0.1


@pytest.mark.parametrize("video", [True, False])
def test_a_clip_of_a_batch_changes_no_other(network, video):
    before = network(video=video)
    changed = {
        "latents": network.latents.at[1].add(1.0),
        "timesteps": network.timesteps.at[1].set(3),
        "text": network.text.at[1].multiply(-1.0),
        "grounding": network.grounding.at[1].multiply(-1.0),
    }
    after = network(video=video, **changed)
    np.testing.assert_array_equal(after[0], before[0])
    assert not np.array_equal(after[1], before[1])


@pytest.mark.parametrize("field", ["latents", "grounding"])
def test_in_image_mode_a_frame_changes_no_other(network, field):
    changed = {field: getattr(network, field).at[:, 1].multiply(-1.0)}
    before, after = network(video=False), network(video=False, **changed)
    np.testing.assert_array_equal(after[:, [0, 2]], before[:, [0, 2]])
    assert not np.array_equal(after[:, 1], before[:, 1])


@pytest.mark.parametrize("field", ["latents", "grounding"])
def test_in_video_mode_a_frame_changes_the_others(network, field):
    changed = {field: getattr(network, field).at[:, 1].multiply(-1.0)}
    difference = np.abs(network(**changed) - network()).max(axis=(2, 3, 4))
    assert (difference > 1e-4).all()


def test_image_mode_is_each_frame_alone(network):
    together = network(video=False)
    for frame in range(together.shape[1]):
        for clip in range(together.shape[0]):
            alone = network(
                video=False,
                latents=network.latents[clip, frame][None, None],
                timesteps=network.timesteps[clip][None],
                text=network.text[clip][None],
                grounding=network.grounding[clip, frame][None, None],
            )
            np.testing.assert_allclose(alone[0, 0], together[clip, frame], atol=1e-5)


def test_image_mode_needs_no_temporal_parameter(network):
    temporal, spatial = split_params(network.params, TEMPORAL)
    broken = jax.tree_util.tree_map(lambda leaf: jnp.full_like(leaf, jnp.nan), temporal)
    params = merge_params(broken, spatial)
    np.testing.assert_array_equal(network(video=False, params=params), network(video=False))
    assert np.isnan(network(params=params)).all()


def test_zero_gates_are_no_gates(network):
    closed = zeroed(network.params, *GATES)
    ungated = network(gated=False)
    np.testing.assert_allclose(network(params=closed), ungated, atol=CLOSE)
    assert np.abs(network() - ungated).max() > 1e-2


def test_zero_gates_change_no_bit_where_every_operation_runs_by_itself(network):
    """Compiled as one program, what is fused with what may round otherwise."""
    args = network.latents, network.timesteps, network.text
    closed = {"params": zeroed(network.params, *GATES)}
    unet = UNet3D(network.config)
    np.testing.assert_array_equal(
        unet.apply(closed, *args, network.grounding), unet.apply(closed, *args)
    )


@pytest.mark.parametrize("gate", GATES)
def test_either_gate_alone_acts(network, gate):
    half_closed = network(params=zeroed(network.params, gate))
    assert np.abs(half_closed - network(gated=False)).max() > 1e-2
    assert np.abs(half_closed - network()).max() > 1e-2


def test_with_its_dense_gate_alone_the_layout_is_not_seen(network):
    dense_only = zeroed(network.params, "alpha_attn")
    np.testing.assert_allclose(
        network(params=dense_only, grounding=-network.grounding),
        network(params=dense_only),
        atol=CLOSE,
    )


def test_temporal_layers_whose_last_weights_are_zero_let_frames_pass(network):
    passing = zeroed(network.params, *filter(ends_a_temporal_layer, leaves(network.params)))
    np.testing.assert_allclose(
        network(params=passing), network(params=passing, video=False), atol=1e-5
    )


def test_the_text_and_the_time_matter(network):
    before = network()
    assert np.abs(network(text=-network.text) - before).max() > 1e-2
    assert np.abs(network(timesteps=network.timesteps + 50) - before).max() > 1e-3


def test_the_order_of_words_and_of_entities_is_not_the_networks_to_know(network):
    """Attention has no order: that of words comes with the text tower, places with boxes."""
    shuffled = {"text": network.text[:, ::-1], "grounding": network.grounding[:, :, ::-1]}
    np.testing.assert_allclose(network(**shuffled), network(), atol=1e-4)


def test_attention_must_be_given_level_by_level():
    with pytest.raises(ValueError, match=r"attention has 1 levels, block_out_channels has 2"):
        UNet3DConfig(block_out_channels=(32, 64), attention=(True,))


def test_pictures_are_refused_without_the_boxes_they_are_read_by():
    with pytest.raises(ValueError, match=r"picture_waves needs box_geometry"):
        UNet3DConfig(picture_waves=2)
    assert UNet3DConfig(box_geometry=True, picture_waves=2).picture_waves == 2


def test_every_gated_layer_is_told_of_boxes_and_pictures(network):
    """At every level and at the bottom, and none takes the picture or the box for the token."""
    waves, token = 2, 5
    config = replace(
        network.config,
        grounding_width=token + picture_width(waves) + 4,
        box_geometry=True,
        picture_waves=waves,
    )
    shapes = leaves(jax.eval_shape(partial(init_unet, config), jax.random.key(0)))
    told = {k: v.shape for k, v in shapes.items() if k.endswith("/attn/to_r/kernel")}
    read = {k: v.shape for k, v in shapes.items() if k.endswith("/fuser/linear/kernel")}
    assert len(told) == len(read) == sum(k.endswith("alpha_attn") for k in shapes) == 4
    for inputs, outputs in told.values():
        heads = outputs // config.head_dim
        assert inputs == heads * (PLACED_WIDTH + PICTURE_CHANNELS)
    assert {inputs for inputs, _ in read.values()} == {token}


def test_new_layers_start_as_no_layers(network):
    """At its start the gates are closed and every temporal layer ends in zeros."""

    def last(key):
        return {
            name: jnp.abs(leaf).max()
            for name, leaf in leaves(init_unet(network.config, key)).items()
            if ends_a_temporal_layer(name) or name.endswith(GATES)
        }

    # Compiled, so that what is not asked for is never made.
    values = jax.jit(last)(jax.random.key(0))
    assert [name for name, value in values.items() if value != 0] == []
    # Per level one layer on the way down and two on the way up; at the bottom two residual blocks
    # around one transformer. The finer level has no transformers but the one behind the entrance.
    found = {kind: sum(kind in name for name in values) for kind in (*GATES, "conv4", "proj_out")}
    assert found == {"alpha_attn": 4, "alpha_dense": 4, "conv4": 2 * 8, "proj_out": 2 * 5}


def test_levels_are_computed_twice_for_the_same_gradient(network):
    """What it saves shows on accelerators alone: on a CPU the compiler undoes it."""

    def loss(params, remat):
        module = UNet3D(network.config, remat=remat)
        given = network.latents, network.timesteps, network.text, network.grounding
        return (module.apply({"params": params}, *given, video=False) ** 2).mean()

    kept, twice = (
        jax.jit(
            jax.grad(partial(loss, remat=remat)),
            compiler_options={"xla_backend_optimization_level": 0},
        ).trace(network.params)
        for remat in (None, "nothing_saveable")
    )
    convolutions = [str(x.jaxpr).count("conv_general_dilated[") for x in (kept, twice)]
    assert convolutions[1] > 1.2 * convolutions[0]
    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
        *(x.lower().compile()(network.params) for x in (kept, twice)),
    )
