"""The loop over denoising steps: exact where the answer is known, and the same in both forms."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.model.hf import SCHEDULERS, NoiseConfig, make_scheduler
from vdjax.model.params import fill_params, init_unet
from vdjax.model.unet3d import UNet3DConfig
from vdjax.sample import loop
from vdjax.train.diffusion import alphas_cumprod

SPREAD = 0.5  # of the stand-in's data, see conftest.py
BARS = alphas_cumprod(NoiseConfig()).astype(np.float64)
SCALE = jnp.float32(1.0)


def denoise(made, latents, told, scale=SCALE, switch=0, params=None):
    # A copy: the noise is used up.
    given = params or {}, jnp.array(latents), told, scale, jnp.int32(switch)
    return np.asarray(made.denoise(*given))


def stream(made, latents, told, scale=SCALE, switch=0, params=None):
    return [np.asarray(x) for x in made.stream(params or {}, latents, told, scale, switch)]


@pytest.mark.parametrize(
    ("scheduler", "prediction_type"),
    [*((name, "epsilon") for name in SCHEDULERS), ("dpm++", "v_prediction")],
)
def test_many_steps_reach_the_exact_solution(
    sampler, conditions, noise, scheduler, prediction_type
):
    """For normal data the probability flow only rescales, by the ratio of standard deviations."""
    made = sampler(scheduler, 100, prediction_type)
    _, timesteps = made.begin(noise)

    def deviation(t):
        return np.sqrt(BARS[t] * SPREAD**2 + 1 - BARS[t])

    # The last step of each scheduler lands on the cleanest timestep, whose noise is 0.03.
    exact = np.asarray(noise) * deviation(0) / deviation(int(timesteps[0]))
    np.testing.assert_allclose(denoise(made, noise, conditions()), exact, rtol=0.03)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_latents_are_not_held_in_the_range_of_pixels(sampler, conditions, noise, scheduler):
    """The stand-in is linear, so its latents are, however large."""
    made = sampler(scheduler, 4)
    usual, large = (denoise(made, size * noise, conditions()) for size in (1.0, 20.0))
    np.testing.assert_allclose(large, 20.0 * usual, rtol=1e-4, atol=1e-4)


def test_ddim_takes_its_own_steps_exactly(sampler, conditions, noise):
    """Against equation 12 of Song et al. 2021 without its noise."""
    made = sampler("ddim", 5)
    x, bias = np.asarray(noise, np.float64), 0.1
    states = stream(made, noise, conditions(text=(0.0, bias)))
    for i, t in enumerate([801, 601, 401, 201, 1]):
        bar, before = BARS[t], BARS[t - 200] if t > 200 else BARS[0]
        epsilon = np.sqrt(1 - bar) / (bar * SPREAD**2 + 1 - bar) * x + bias
        clean = (x - np.sqrt(1 - bar) * epsilon) / np.sqrt(bar)
        x = np.sqrt(before) * clean + np.sqrt(1 - before) * epsilon
        np.testing.assert_allclose(states[i], x, rtol=1e-4, atol=1e-5)


def test_dpm_takes_its_own_steps_exactly(sampler, conditions, noise):
    """Against DPM-Solver++(2M), algorithm 2 of arXiv 2211.01095; its last step is of order one."""
    made = sampler("dpm++", 5)
    states = stream(made, noise, conditions(text=(0.0, 0.1)))
    _, timesteps = made.begin(noise)
    times = [*map(int, timesteps), 0]
    half_log_snr = 0.5 * np.log(BARS / (1 - BARS))
    x, former = np.asarray(noise, np.float64), None
    for i, (t, after) in enumerate(pairwise(times)):
        bar = BARS[t]
        epsilon = np.sqrt(1 - bar) / (bar * SPREAD**2 + 1 - bar) * x + 0.1
        clean = (x - np.sqrt(1 - bar) * epsilon) / np.sqrt(bar)
        h = half_log_snr[after] - half_log_snr[t]
        estimate = clean
        if former is not None and i < 4:
            r = (half_log_snr[t] - half_log_snr[times[i - 1]]) / h
            estimate = (1 + 1 / (2 * r)) * clean - 1 / (2 * r) * former
        sigma = np.sqrt((1 - BARS[after]) / (1 - bar))
        x = sigma * x - np.sqrt(BARS[after]) * np.expm1(-h) * estimate
        former = clean
        np.testing.assert_allclose(states[i], x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 6])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_denoise_equals_stream(sampler, conditions, noise, scheduler, steps):
    made = sampler(scheduler, steps)
    args = noise, conditions(text=(0.1, -0.2), grounding=(0.3, 0.7)), jnp.float32(2.5), steps // 2
    states = stream(made, *args)
    assert len(states) == steps + (scheduler == "pndm" and steps > 1)
    assert np.isfinite(states[-1]).all()
    np.testing.assert_allclose(denoise(made, *args), states[-1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_gates_are_on_before_the_switch_and_off_from_it(
    sampler, conditions, noise, scheduler, monkeypatch
):
    steps, told = 6, conditions(grounding=(0.4, 0.4))
    made, gates = sampler(scheduler, steps), []
    compiled = type(made)._compiled_step
    monkeypatch.setattr(
        type(made),
        "_compiled_step",
        lambda *args, gated: gates.append(gated) or compiled(*args, gated=gated),
    )
    results = {}
    for switch in range(steps + 1):
        gates.clear()
        results[switch] = stream(made, noise, told, switch=switch)[-1]
        # PNDM looks twice at its first step.
        twice = int(scheduler == "pndm" and switch > 0)
        assert gates == [True] * (switch + twice) + [False] * (len(gates) - switch - twice)
        np.testing.assert_allclose(
            denoise(made, noise, told, switch=switch), results[switch], rtol=1e-5, atol=1e-5
        )
    assert len({result.tobytes() for result in results.values()}) == steps + 1
    deaf = denoise(made, noise, conditions(), switch=steps)
    np.testing.assert_allclose(results[0], deaf, rtol=1e-5, atol=1e-5)


def test_guidance_scale_one_is_the_conditional_model(sampler, conditions, noise):
    made = sampler()
    told = conditions(text=(5.0, 0.3), grounding=(-5.0, 0.2))
    only = conditions(text=(0.3, 0.3), grounding=(0.2, 0.2))
    np.testing.assert_allclose(
        denoise(made, noise, told, switch=3),
        denoise(made, noise, only, jnp.float32(7), switch=3),
        rtol=1e-4,
        atol=1e-4,
    )


def test_what_a_user_changes_compiles_nothing(sampler, conditions, noise):
    made = sampler()
    programs = loop.Sampler.denoise.program(), loop.Sampler._compiled_step.program()
    wholes, steps = (program._cache_size() for program in programs)
    for seed, scale, switch in [(0, 1.0, 0), (1, 7.5, 3), (2, 0.0, 6)]:
        latents = jax.random.normal(jax.random.key(seed), noise.shape)
        told = conditions(text=(seed, 1.0), grounding=(1.0, seed))
        denoise(made, latents, told, jnp.float32(scale), switch)
        stream(made, latents, told, jnp.float32(scale), switch)
    assert programs[0]._cache_size() - wholes == 1
    # One program with gates and one without.
    assert programs[1]._cache_size() - steps == 2


def test_an_unknown_scheduler_is_refused():
    with pytest.raises(ValueError, match=r"scheduler 'euler': expected one of dpm\+\+, ddim, pndm"):
        make_scheduler("euler", NoiseConfig())


REAL = UNet3DConfig(
    sample_size=2,
    block_out_channels=(8,),
    attention=(True,),
    text_width=6,
    grounding_width=5,
    head_dim=4,
    norm_num_groups=4,
)
THREE, TWO = jnp.float32(3), 2


def real(config=REAL, scheduler="dpm++"):
    """A sampler over the real network, its parameters, noise and conditions of two scenes."""
    params = fill_params(jax.eval_shape(partial(init_unet, config), jax.random.key(0)))
    made = loop.Sampler(
        unet=config, noise=NoiseConfig(), scheduler=scheduler, num_inference_steps=3
    )
    keys = jax.random.split(jax.random.key(1), 3)
    told = loop.Conditions(
        text=jax.random.normal(keys[0], (4, 5, 6)),
        grounding=jax.random.normal(keys[1], (4, 2, 3, 5)),
    )
    return made, params, jax.random.normal(keys[2], (2, 2, 2, 2, 4)), told


def test_the_real_network_denoises_as_it_streams():
    made, params, latents, told = real()
    states = stream(made, latents, told, THREE, TWO, params)
    assert np.isfinite(states[-1]).all()
    np.testing.assert_allclose(
        denoise(made, latents, told, THREE, TWO, params), states[-1], rtol=1e-3, atol=1e-3
    )


def test_a_scene_of_a_batch_changes_no_other():
    made, params, latents, told = real()
    before = denoise(made, latents, told, THREE, TWO, params)
    # Rows 1 and 3 are the second scene's, without and with conditions.
    other = loop.Conditions(
        text=told.text.at[1::2].multiply(-1.0), grounding=told.grounding.at[1::2].add(1.0)
    )
    after = denoise(made, latents.at[1].add(1.0), other, THREE, TWO, params)
    np.testing.assert_array_equal(after[0], before[0])
    assert np.abs(after[1] - before[1]).max() > 1e-2


def test_a_network_without_gated_layers_is_denoised_by_words_alone():
    made, params, latents, told = real(replace(REAL, gated=False))
    states = stream(made, latents, told, THREE, 0, params)
    alone = denoise(made, latents, told, THREE, 0, params)
    np.testing.assert_allclose(alone, states[-1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_halves_are_computed_in_and_floats_go_on(scheduler, monkeypatch):
    """As on an accelerator: parameters and network in bfloat16, latents in float32 at each step."""
    stills = replace(REAL, temporal=False, layers_per_block=1)  # quick to compile
    made, params, latents, told = real(stills, scheduler)
    expected = stream(made, latents, told, SCALE, TWO, params)
    halves = jax.tree_util.tree_map(lambda x: x.astype(jnp.bfloat16), params)
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    with jax.numpy_dtype_promotion("standard"):
        states = stream(made, latents, told, SCALE, TWO, halves)
        whole = denoise(made, latents, told, SCALE, TWO, halves)
    assert {state.dtype for state in [*states, whole]} == {np.dtype(np.float32)}
    np.testing.assert_allclose(whole, states[-1], rtol=0.1, atol=0.1)
    # A half has three decimal digits: near, and not the same.
    error = np.abs(states[0] - expected[0]).max() / np.abs(expected[0]).max()
    assert 1e-5 < error < 0.05


def test_the_noise_is_used_up():
    made, params, latents, told = real()
    made.denoise(params, latents, told, THREE, jnp.int32(TWO))
    assert latents.is_deleted()
