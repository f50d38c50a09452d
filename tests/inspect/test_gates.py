from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.inspect.gates import read_gates, record_gates, scale_gates, stream_with_gates
from vdjax.model.hf import NoiseConfig
from vdjax.model.unet3d import UNet3D
from vdjax.sample.loop import Conditions, Sampler


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


@pytest.fixture(scope="module")
def flat(config):
    """The same network for single frames: it has every gate, and compiles in half of the time."""
    return replace(config, temporal=False)


@pytest.fixture(scope="module")
def record(flat, params, inputs):
    latents, text, grounding = inputs
    return record_gates(flat, params, [latents, 0.5 * latents], [900, 100], text, grounding)


def test_what_each_gate_adds_is_recorded_by_layer_and_step(record, params):
    assert record.layers == tuple(gate.layer for gate in read_gates(params))
    assert record.timesteps == (900, 100)
    for shares in (record.attention, record.dense):
        assert shares.shape == (4, 2)
        assert (shares > 0).all()
        assert (shares < 3).all()
        assert not np.allclose(shares[:, 0], shares[:, 1])


def test_what_a_gate_adds_is_what_its_layer_gives_and_takes(record, flat, params, inputs):
    """The first layer sees the same features however its gates stand: they can be told apart."""
    latents, text, grounding = inputs

    def first(params):
        return record_gates(flat, params, [latents], [900], text, grounding)

    half = first(scale_gates(params, 0.5, ["down 0.0"]))
    assert half.attention[0, 0] == pytest.approx(record.attention[0, 0] / 2, rel=2e-3)

    @jax.jit
    def parts(params):
        _, found = UNet3D(flat).apply(
            {"params": params},
            latents,
            jnp.asarray([900]),
            text,
            grounding,
            capture_intermediates=lambda module, _: "fuser" in module.path,
            mutable=["intermediates"],
        )
        fuser = found["intermediates"]["down_blocks_0"]["attentions_0"]["transformer_blocks_0"][
            "fuser"
        ]
        return [part["__call__"][0] for part in (fuser, fuser["attn"], fuser["ff"])]

    out, seen, fed = parts(params)
    gate = read_gates(params)[0]
    between = out - gate.dense * fed
    entered = between - gate.attention * seen
    expected = (
        gate.attention * jnp.linalg.norm(seen) / jnp.linalg.norm(entered),
        gate.dense * jnp.linalg.norm(fed) / jnp.linalg.norm(between),
    )
    np.testing.assert_allclose((record.attention[0, 0], record.dense[0, 0]), expected, rtol=1e-3)


def test_closed_gates_add_nothing(flat, params, inputs):
    latents, text, grounding = inputs
    closed = scale_gates(params, 0.0, ["mid 0"])
    record = record_gates(flat, closed, [latents], [900], text, grounding)
    assert record.layers[1] == "mid 0"
    assert record.attention[1] == record.dense[1] == 0
    assert (record.attention[[0, 2, 3]] > 0).all()


def test_a_record_needs_a_timestep_for_each_of_its_latents(flat, params, inputs):
    latents, text, grounding = inputs
    for visited, times in (([latents], [1, 2]), ([], [])):
        with pytest.raises(UserError, match="one timestep for each"):
            record_gates(flat, params, visited, times, text, grounding)


@pytest.fixture(scope="module")
def streams(flat, params, inputs):
    latents, text, grounding = inputs
    sampler = Sampler(unet=flat, noise=NoiseConfig(), num_inference_steps=3)
    conditions = Conditions(
        text=jnp.concatenate([0 * text, text]),
        grounding=jnp.concatenate([0 * grounding, grounding]),
    )
    rest = latents, conditions, jnp.float32(2.0), 3

    def scaled(factors, from_step=1):
        return list(stream_with_gates(sampler, params, *rest, factors, from_step))

    return list(sampler.stream(params, *rest)), scaled, (sampler, *rest)


def test_gates_are_scaled_from_a_step_on(streams):
    plain, scaled, _ = streams
    layers = ["down 0.0", "mid 0", "up 1.0", "up 1.1"]
    for a, b in zip(plain, scaled(dict.fromkeys(layers, 1.0)), strict=True):
        np.testing.assert_array_equal(a, b)
    closed = scaled(dict.fromkeys(layers, 0.0), from_step=2)
    np.testing.assert_array_equal(plain[0], closed[0])
    assert float(jnp.abs(plain[1] - closed[1]).max()) > 1e-4
    assert float(jnp.abs(plain[0] - scaled({"mid 0": 0.0})[0]).max()) > 1e-5


def test_steps_layers_and_factors_that_are_none_are_refused(streams):
    _, scaled, _ = streams
    for from_step in (0, 4):
        with pytest.raises(UserError, match="from 1 to 3"):
            scaled({"mid 0": 0.5}, from_step)
    with pytest.raises(UserError, match=r"'up 7\.0'"):
        scaled({"up 7.0": 0.5})
    with pytest.raises(UserError, match="from 0"):
        scaled({"mid 0": 2.0})


def test_the_inspector_of_a_scene_records_and_renders_it(streams, record, params):
    """The widget's own tests need no network; this one shares its with those above."""
    pytest.importorskip("anywidget")
    from vdjax.widgets.gate_inspector import GateInspector

    _, _, (sampler, latents, conditions, *_) = streams

    def decode(latents):
        return np.asarray(jnp.clip(128 + 20 * latents[..., :3], 0, 255), np.uint8)

    made = SimpleNamespace(
        scene=lambda number: (latents, conditions),
        sampler=sampler,
        model=SimpleNamespace(part=lambda name: params, decode=decode),
        guidance=2.0,
        switch=2,
    )
    inspector = GateInspector.of_scene(made)
    assert inspector.steps == 3
    assert len(inspector.record["timesteps"]) == 2  # the third step has no gates
    assert [gate["layer"] for gate in inspector.gates] == list(record.layers)
    assert np.shape(inspector.record["attention"]) == (4, 2)
    inspector.factors = dict.fromkeys(inspector.factors, 0.0)
    inspector.from_step = 3
    inspector.render()
    assert inspector.wait(60)
    assert inspector.rendering["state"] == "done"
    assert inspector.change == 0  # from step 3 on there is nothing to close
    made.switch = 0
    with pytest.raises(UserError, match="alpha is 0"):
        GateInspector.of_scene(made)
