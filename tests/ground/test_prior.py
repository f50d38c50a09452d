"""The prior: its noise schedule, its network, and one ancestral step after the other."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.ground.prior import PriorConfig, PriorTransformer, cosine_alphas, sample_embeddings
from vdjax.model.params import fill_params

CONFIG = PriorConfig(
    embedding_width=6,
    text_width=5,
    width=8,
    layers=2,
    heads=2,
    text_length=3,
    num_inference_steps=4,
    guidance_scale=1.5,
)
BATCH = 2


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


TEXTS = {
    "text_embedding": normal(1, BATCH, 6),
    "text_states": normal(2, BATCH, 3, 5),
    "null_embedding": normal(3, 1, 6),
    "null_states": normal(4, 1, 3, 5),
}
STATISTICS = {"clip_mean": normal(5, 6), "clip_std": jnp.linspace(0.5, 2.0, 6)}


class Linear(PriorTransformer):
    """Stands in for the network: a clean embedding that can be followed by hand."""

    def __call__(self, noisy, timesteps, text_embedding, text_states):
        told = text_embedding + text_states.mean((1, 2))[:, None]
        return 0.3 * noisy + told + 1e-3 * timesteps[:, None].astype(jnp.float32)


def test_the_schedule_is_the_squared_cosine():
    bars = cosine_alphas()
    assert bars.shape == (1000,)

    def f(t):
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    for t in (0, 1, 100, 500, 900, 990):
        assert bars[t] == pytest.approx(f(t + 1) / f(0), rel=1e-4)
    assert (np.diff(bars) < 0).all()
    # The last beta would be one; it is kept at 0.999.
    assert bars[999] / bars[998] == pytest.approx(0.001, rel=1e-3)


def test_sampling_takes_the_steps_of_ddpm():
    """Against the posterior of Ho et al. 2020, equations 6 and 7, with the steps' own betas."""
    key = jax.random.key(0)
    params = {"network": {}, **STATISTICS}
    drawn = sample_embeddings(Linear(CONFIG), params, key, **TEXTS)

    bars = np.asarray(cosine_alphas(), np.float64)
    times = [999, 666, 333, 0]
    key, start = jax.random.split(key)
    x = np.asarray(jax.random.normal(start, (BATCH, 6)), np.float64)
    text = (
        np.asarray(TEXTS["text_embedding"])
        + np.asarray(TEXTS["text_states"]).mean((1, 2), keepdims=True)[:, 0]
    )
    null = np.asarray(TEXTS["null_embedding"]) + np.asarray(TEXTS["null_states"]).mean()
    for i, t in enumerate(times):
        key, noise_key = jax.random.split(key)
        noise = np.asarray(jax.random.normal(noise_key, (BATCH, 6)))
        with_text, without = 0.3 * x + text + 1e-3 * t, 0.3 * x + null + 1e-3 * t
        clean = np.clip(without + 1.5 * (with_text - without), -10, 10)
        before = bars[times[i + 1]] if i < 3 else 1.0
        beta = 1 - bars[t] / before
        mean = (
            math.sqrt(before) * beta / (1 - bars[t]) * clean
            + math.sqrt(1 - beta) * (1 - before) / (1 - bars[t]) * x
        )
        x = mean + math.sqrt((1 - before) / (1 - bars[t]) * beta) * noise
    expected = x * np.asarray(STATISTICS["clip_std"]) + np.asarray(STATISTICS["clip_mean"])
    np.testing.assert_allclose(drawn, expected, rtol=1e-3, atol=1e-3)


def test_the_predicted_embedding_is_clamped():
    params = {"network": {}, "clip_mean": jnp.zeros(6), "clip_std": jnp.ones(6)}
    far = {**TEXTS, "text_embedding": jnp.full((BATCH, 6), 1e4)}
    drawn = sample_embeddings(Linear(CONFIG), params, jax.random.key(0), **far)
    np.testing.assert_allclose(drawn, 10.0, atol=1e-4)


@pytest.fixture(scope="module")
def network():
    """The network with random weights: (parameters, compiled application, compiled sampling)."""
    module = PriorTransformer(CONFIG)
    args = normal(6, BATCH, 6), jnp.array([3, 900]), TEXTS["text_embedding"], TEXTS["text_states"]
    params = fill_params(jax.eval_shape(module.init, jax.random.key(0), *args)["params"])
    draw = jax.jit(partial(sample_embeddings, module))
    run = jax.jit(lambda *args: module.apply({"params": params}, *args))
    return {"network": params, **STATISTICS}, run, draw, args


def test_the_network_predicts_an_embedding_per_row(network):
    _, run, _, args = network
    out = run(*args)
    assert out.shape == (BATCH, 6)
    changed = run(*(arg.at[1].add(1) for arg in args))
    np.testing.assert_array_equal(changed[0], out[0])
    for i in range(4):
        one = [arg.at[1].add(1) if i == j else arg for j, arg in enumerate(args)]
        assert np.abs(run(*one)[1] - out[1]).max() > 1e-5


def test_the_same_key_draws_the_same_embeddings(network):
    params, _, draw, _ = network
    texts = TEXTS.values()
    first = draw(params, jax.random.key(7), *texts)
    assert first.shape == (BATCH, 6)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, draw(params, jax.random.key(7), *texts))
    assert (np.asarray(draw(params, jax.random.key(8), *texts)) != first).all()
    # Entities of one kind need not look the same: every row has noise of its own.
    alike = {**TEXTS, "text_embedding": jnp.ones((BATCH, 6)), "text_states": jnp.ones((2, 3, 5))}
    same = np.asarray(draw(params, jax.random.key(7), *alike.values()))
    assert (same[0] != same[1]).all()
