"""Networks that can be followed by hand, in the place of the UNet."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest

from vdjax.model.hf import NoiseConfig
from vdjax.model.unet3d import UNet3DConfig
from vdjax.sample import loop
from vdjax.train.diffusion import alphas_cumprod

SPREAD = 0.5
"""Standard deviation of the data that the stand-in knows."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Gaussian:
    """The perfect prediction for data that is normal with mean zero; no weights, no conditions.

    Conditions are heard all the same, so that tests can see them: the mean of the text is added to
    the noise, and where there is grounding, its mean too.
    """

    config: UNet3DConfig

    def apply(self, variables, latents, timesteps, text, grounding):
        noise = NOISES[self.config.sample_size]
        bar = jnp.asarray(alphas_cumprod(noise))[timesteps].reshape(-1, 1, 1, 1, 1)
        variance = bar * SPREAD**2 + 1 - bar
        clean = jnp.sqrt(bar) * SPREAD**2 / variance * latents
        epsilon = jnp.sqrt(1 - bar) / variance * latents
        epsilon = epsilon + text.mean((1, 2)).reshape(-1, 1, 1, 1, 1)
        if grounding is not None:
            epsilon = epsilon + grounding.mean((1, 2, 3)).reshape(-1, 1, 1, 1, 1)
        if noise.prediction_type == "epsilon":
            return epsilon
        if noise.prediction_type == "v_prediction":
            return jnp.sqrt(bar) * epsilon - jnp.sqrt(1 - bar) * clean
        return clean


NOISES: dict[int, NoiseConfig] = {}


@pytest.fixture
def sampler(monkeypatch):
    """Make a sampler over the stand-in: sampler(scheduler, steps, prediction_type)."""
    monkeypatch.setattr(loop, "UNet3D", Gaussian)

    def make(scheduler="dpm++", steps=6, prediction_type="epsilon"):
        # A size of its own keeps its programs apart from those of every other sampler.
        number = next(_numbers) + 1000
        NOISES[number] = NoiseConfig(prediction_type=prediction_type)
        return loop.Sampler(
            unet=UNet3DConfig(sample_size=number),
            noise=NOISES[number],
            scheduler=scheduler,
            num_inference_steps=steps,
        )

    return make


@pytest.fixture
def conditions():
    """Make conditions whose means are given: text and grounding, unconditional then conditional."""

    def make(text=(0.0, 0.0), grounding=(0.0, 0.0)):
        return loop.Conditions(
            text=jnp.broadcast_to(jnp.array(text)[:, None, None], (2, 3, 4)),
            grounding=jnp.broadcast_to(jnp.array(grounding)[:, None, None, None], (2, 2, 3, 4)),
        )

    return make


@pytest.fixture(scope="session")
def noise():
    """A clip of two frames to start from."""
    return jax.random.normal(jax.random.key(3), (1, 2, 2, 2, 4))
