import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.inspect.gates import read_gates, scale_gates
from vdjax.model.unet3d import UNet3D


def test_gates_are_read_in_running_order(params):
    gates = read_gates(params)
    assert [gate.layer for gate in gates] == ["down 0.0", "mid 0", "up 1.0", "up 1.1"]
    assert gates[0].attention == pytest.approx(np.tanh(0.1))
    assert gates[0].dense == pytest.approx(np.tanh(0.2))
    assert gates[-1].dense == pytest.approx(np.tanh(0.8))


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_scaled_gates_are_scaled_and_nothing_else_is(params, factor):
    before = jax.tree_util.tree_map(np.array, params)
    scaled = scale_gates(params, factor)
    for old, new in zip(read_gates(params), read_gates(scaled), strict=True):
        assert new.attention == pytest.approx(factor * old.attention, abs=1e-6)
        assert new.dense == pytest.approx(factor * old.dense, abs=1e-6)
    same = jax.tree_util.tree_map(lambda a, b: bool((a == b).all()), before, params)
    assert all(jax.tree_util.tree_leaves(same))
    kernel = ("mid_block", "attentions_0", "proj_in", "kernel")
    old, new = params, scaled
    for key in kernel:
        old, new = old[key], new[key]
    assert new is old


def test_closed_gates_are_the_network_without_guided_layers(config, params, inputs):
    latents, text, grounding = inputs
    times = jnp.asarray([500])

    @jax.jit
    def run(params, grounding):
        return UNet3D(config).apply(
            {"params": params}, latents, times, text, grounding, video=False
        )

    without = run(params, None)
    np.testing.assert_allclose(run(scale_gates(params, 0.0), grounding), without, atol=1e-5)
    assert float(jnp.abs(run(params, grounding) - without).max()) > 1e-3


def test_one_layer_can_be_closed_alone(params):
    closed = read_gates(scale_gates(params, 0.0, ["mid 0"]))
    for before, after in zip(read_gates(params), closed, strict=True):
        expected = 0.0 if before.layer == "mid 0" else before.dense
        assert after.dense == pytest.approx(expected, abs=1e-6)
    with pytest.raises(UserError, match=r"'up 7\.0'.*mid 0"):
        scale_gates(params, 0.0, ["up 7.0"])


@pytest.mark.parametrize("factor", [-0.1, 1.1, float("nan")])
def test_factors_outside_are_refused(params, factor):
    with pytest.raises(UserError, match="from 0"):
        scale_gates(params, factor)


def test_parameters_without_gates_are_refused():
    with pytest.raises(UserError, match="no gates"):
        read_gates({"conv_in": {"kernel": jnp.zeros(3)}})
