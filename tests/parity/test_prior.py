"""The prior beside diffusers' PriorTransformer, alone and through the steps of its pipeline."""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
from parity import peer
from parity.limits import STEP_LIMIT

from vdjax.ground import prior
from vdjax.weights.convert import prior as source

BATCH, WIDTH, LENGTH = 2, 24, 9
MASKS = np.array([[True] * 9, [True] * 4 + [False] * 5])
EMBEDDING, STATES = peer.normal(1, BATCH, WIDTH), peer.normal(2, BATCH, LENGTH, WIDTH)


def tensor(x):
    return peer.torch.from_numpy(np.array(x))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(our configuration, our parameters, theirs)."""
    theirs = peer.randomised(
        peer.diffusers.PriorTransformer(
            num_attention_heads=4,
            attention_head_dim=16,
            num_layers=3,
            embedding_dim=WIDTH,
            num_embeddings=LENGTH,
        )
    )
    config, weights = peer.saved(theirs, tmp_path_factory.mktemp("prior"))
    ours = source.configure(config)
    return ours, peer.converted(weights, source.RULES, source.wanted(ours)), theirs


def test_the_network(pair, same):
    config, params, theirs = pair
    noisy, times = peer.normal(3, BATCH, WIDTH), np.array([7, 940])
    network = prior.PriorTransformer(config)
    predicted = peer.ours(
        network.apply, {"params": params["network"]}, noisy, times, EMBEDDING, STATES, MASKS
    )
    expected = theirs(*map(tensor, (noisy, times, EMBEDDING, STATES, MASKS)))
    same("prior", predicted, expected.predicted_image_embedding.numpy())
    # Without padding to hide, a mask of ones and no mask are the same.
    unmasked = peer.ours(
        network.apply, {"params": params["network"]}, noisy, times, EMBEDDING, STATES
    )
    whole = tensor(np.ones_like(MASKS))
    expected = theirs(*map(tensor, (noisy, times, EMBEDDING, STATES)), whole)
    same("prior", unmasked, expected.predicted_image_embedding.numpy())


def in_doubles(scheduler):
    """The scheduler's constants in float64, as ours are made.

    Its own float32 takes the first beta, 4.1e-5, back from one minus itself, which leaves an error
    of 5e-4 in the last step: of the scheduler, not of the network or of the order of steps.
    """
    bars = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(1001)]
    betas = [min(1 - after / before, 0.999) for before, after in itertools.pairwise(bars)]
    doubles = peer.torch.tensor(betas, dtype=peer.torch.float64)
    peer.torch.testing.assert_close(doubles.float(), scheduler.betas)
    scheduler.betas, scheduler.alphas = doubles, 1 - doubles
    scheduler.alphas_cumprod = peer.torch.cumprod(scheduler.alphas, 0)


@pytest.mark.parametrize("clip", [5.0, 0.5])
def test_twenty_five_steps_with_guidance(pair, same, monkeypatch, clip):
    """The order of UnCLIPPipeline's steps: text off, text on, guide, step, undo the statistics."""
    config, params, theirs = pair
    config = replace(config, sample_clip=clip)
    assert (config.num_inference_steps, config.guidance_scale) == (25, 4.0)
    null = peer.normal(4, 1, WIDTH), peer.normal(5, 1, LENGTH, WIDTH), MASKS[1:]
    key = jax.random.key(3)

    def draw(params, *texts):
        return prior.sample_embeddings(prior.PriorTransformer(config), params, key, *texts)

    drawn = peer.ours(draw, params, EMBEDDING, STATES, *null[:2], MASKS, null[2])

    # The same noise on both sides: ours, in the order in which it is drawn.
    key, start = jax.random.split(key)
    noises = [np.asarray(jax.random.normal(start, (BATCH, WIDTH)))]
    for _ in range(config.num_inference_steps):
        key, noise_key = jax.random.split(key)
        noises.append(np.asarray(jax.random.normal(noise_key, (BATCH, WIDTH))))
    noises = iter(map(tensor, noises))
    module = sys.modules[peer.diffusers.UnCLIPScheduler.__module__]
    scheduler = peer.diffusers.UnCLIPScheduler(
        variance_type="fixed_small_log", prediction_type="sample", clip_sample_range=clip
    )
    in_doubles(scheduler)
    monkeypatch.setattr(module, "randn_tensor", lambda *args, **kwargs: next(noises))
    both = [
        peer.torch.cat([tensor(off).repeat_interleave(BATCH, 0), tensor(on)])
        for off, on in zip(null, (EMBEDDING, STATES, MASKS), strict=True)
    ]
    scheduler.set_timesteps(config.num_inference_steps)
    x = next(noises)
    before = [*scheduler.timesteps[1:], None]
    for t, t_next in zip(scheduler.timesteps, before, strict=True):
        out = theirs(peer.torch.cat([x, x]), t, both[0], both[1], both[2])
        without, with_text = out.predicted_image_embedding.chunk(2)
        guided = without + config.guidance_scale * (with_text - without)
        x = scheduler.step(guided, t, x, prev_timestep=t_next).prev_sample
    expected = theirs.post_process_latents(x).numpy()
    same("prior, 25 steps", drawn, expected, STEP_LIMIT)
