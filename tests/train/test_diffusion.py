"""The forward process against its formulas, and against the schedulers that undo it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.model.hf import SCHEDULERS, NoiseConfig, make_scheduler
from vdjax.train.backbone import diffusion_loss
from vdjax.train.diffusion import add_noise, alphas_cumprod, target_and_weight
from vdjax.weights.presets import Preset

NOISE = NoiseConfig()
BARS = alphas_cumprod(NOISE)
TIMES = jnp.array([0, 300, 999])
LATENTS, EPSILON = (jax.random.normal(jax.random.key(k), (3, 2, 4, 4, 4)) for k in (0, 1))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_training_and_sampling_share_their_schedule(scheduler):
    state = make_scheduler(scheduler, NOISE).create_state()
    np.testing.assert_allclose(state.common.alphas_cumprod, BARS, rtol=1e-4)


def test_the_schedule_is_scaled_linear():
    assert BARS[0] == pytest.approx(1 - 0.00085, rel=1e-6)
    betas = 1 - BARS[1:].astype(np.float64) / BARS[:-1]
    np.testing.assert_allclose(np.diff(np.sqrt(betas)), (0.012**0.5 - 0.00085**0.5) / 999, rtol=0.1)
    assert np.sqrt(betas[-1]) == pytest.approx(0.012**0.5, rel=1e-3)


def test_noise_and_velocity_turn_clean_latents_and_noise_into_each_other():
    noisy, velocity = add_noise(LATENTS, EPSILON, TIMES, jnp.asarray(BARS))
    for row, t in enumerate(TIMES):
        signal, sigma = BARS[t] ** 0.5, (1 - BARS[t]) ** 0.5
        np.testing.assert_allclose(noisy[row], signal * LATENTS[row] + sigma * EPSILON[row], 1e-4)
        # The rotation of (clean, noise) into (noisy, velocity), undone.
        back = signal * noisy[row] - sigma * velocity[row]
        np.testing.assert_allclose(back, LATENTS[row], atol=1e-5)
        back = sigma * noisy[row] + signal * velocity[row]
        np.testing.assert_allclose(back, EPSILON[row], atol=1e-5)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_weights_of_an_error_of_the_clean_latents(kind):
    """Min-SNR-γ's min(SNR, 5); for velocities (SNR + 1) / SNR times that, so that noise counts."""
    bars = jnp.asarray(BARS)
    noisy, velocity = add_noise(LATENTS, EPSILON, TIMES, bars)
    target, weight = target_and_weight(LATENTS, EPSILON, velocity, TIMES, bars, kind)
    assert weight.shape == TIMES.shape
    wrong = LATENTS + 0.1
    bar = bars[TIMES].reshape(-1, 1, 1, 1, 1)
    epsilon = (noisy - jnp.sqrt(bar) * wrong) / jnp.sqrt(1 - bar)
    answers = {
        "epsilon": epsilon,
        "v_prediction": jnp.sqrt(bar) * epsilon - jnp.sqrt(1 - bar) * wrong,
        "sample": wrong,
    }
    cost = weight * ((answers[kind] - target) ** 2).mean((1, 2, 3, 4))
    snr = BARS[TIMES] / (1 - BARS[TIMES])
    more = (snr + 1) / snr if kind == "v_prediction" else 1.0
    np.testing.assert_allclose(cost, np.minimum(snr, 5.0) * 0.01 * more, rtol=0.02)


def test_the_loss_is_zero_for_a_network_that_knows_and_sees_every_noise_level():
    preset = Preset.storybook()
    latents = jax.random.normal(jax.random.key(0), (20, 1, 4, 4, 4))
    bars, seen = jnp.asarray(BARS), []

    def knows(noisy, timesteps):
        seen.append(timesteps)
        bar = bars[timesteps].reshape(-1, 1, 1, 1, 1)
        noise = (noisy - jnp.sqrt(bar) * latents) / jnp.sqrt(1 - bar)
        return jnp.sqrt(bar) * noise - jnp.sqrt(1 - bar) * latents

    loss, metrics = diffusion_loss(preset, knows, latents, jax.random.key(1))
    assert loss < 1e-6
    assert metrics["mse"] < 1e-6
    (times,) = seen
    # Twenty clips, twenty equal slices of the thousand timesteps, one from each.
    np.testing.assert_array_equal(np.sort(times // 50), np.arange(20))
    ignorant, _ = diffusion_loss(preset, lambda x, t: jnp.zeros_like(x), latents, jax.random.key(1))
    assert ignorant > 0.1


def test_noisier_training_spends_more_of_its_timesteps_near_pure_noise():
    seen = []

    def record(noisy, timesteps):
        seen.append(np.asarray(timesteps))
        return jnp.zeros_like(noisy)

    latents = jnp.zeros((20, 1, 4, 4, 4))
    for noisier in (1.0, 2.0):
        diffusion_loss(Preset.storybook(), record, latents, jax.random.key(1), noisier=noisier)
    even, noisy = (np.sort(times) for times in seen)
    # A density that rises linearly: its distribution function is a square.
    np.testing.assert_allclose((noisy / 1000) ** 2, even / 1000, atol=0.003)
    assert noisy.mean() > even.mean() + 100


def test_emphasis_weighs_the_errors_of_its_cells():
    latents = jax.random.normal(jax.random.key(0), (4, 1, 4, 4, 4))
    only_left = jnp.concatenate([jnp.full((4, 1, 4, 2, 1), 2.0), jnp.zeros((4, 1, 4, 2, 1))], 3)

    def loss(wrong_at, emphasis):
        def predict(noisy, timesteps):
            bar = jnp.asarray(BARS)[timesteps].reshape(-1, 1, 1, 1, 1)
            noise = (noisy - jnp.sqrt(bar) * latents) / jnp.sqrt(1 - bar)
            right = jnp.sqrt(bar) * noise - jnp.sqrt(1 - bar) * latents
            return right.at[:, :, :, wrong_at].add(1.0)

        preset = Preset.storybook()
        return diffusion_loss(preset, predict, latents, jax.random.key(1), emphasis=emphasis)[0]

    assert loss(3, only_left) < 1e-6
    np.testing.assert_allclose(loss(0, only_left), 2 * loss(0, 1.0), rtol=1e-4)
