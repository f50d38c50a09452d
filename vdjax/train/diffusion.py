"""The forward process and the loss that both the backbone and the gated layers are trained with."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from vdjax.model.hf import NoiseConfig

SNR_CLIP = 5.0  # min-SNR-γ weighting, Hang et al. 2023, with their γ


def alphas_cumprod(noise: NoiseConfig) -> Float[np.ndarray, " timestep"]:
    """Cumulative products of 1 − β for scaled-linear betas, as in diffusers' schedulers."""
    roots = np.linspace(noise.beta_start**0.5, noise.beta_end**0.5, noise.num_train_timesteps)
    return np.cumprod(1.0 - roots**2).astype(np.float32)


def add_noise(
    latents: Float[Array, " batch *rest"],
    noise: Float[Array, " batch *rest"],
    timesteps: Int[Array, " batch"],
    bars: Float[Array, " timestep"],
) -> tuple[Float[Array, " batch *rest"], Float[Array, " batch *rest"]]:
    """Noisy latents and the velocity target v = √ᾱ·ε − √(1−ᾱ)·x (Salimans & Ho 2022)."""
    bar = bars[timesteps].reshape(-1, *(1,) * (latents.ndim - 1))
    signal, sigma = jnp.sqrt(bar), jnp.sqrt(1.0 - bar)
    return signal * latents + sigma * noise, signal * noise - sigma * latents


def target_and_weight(
    latents: Float[Array, " batch *rest"],
    noise: Float[Array, " batch *rest"],
    velocity: Float[Array, " batch *rest"],
    timesteps: Int[Array, " batch"],
    bars: Float[Array, " timestep"],
    prediction_type: str,
) -> tuple[Float[Array, " batch *rest"], Float[Array, " batch"]]:
    """What the network should give, and each sample's min-SNR-γ weight for that prediction."""
    snr = bars[timesteps] / (1.0 - bars[timesteps])
    clipped = jnp.minimum(snr, SNR_CLIP)
    if prediction_type == "epsilon":
        return noise, clipped / snr
    if prediction_type == "v_prediction":
        # Full weight where there is more noise than the clip: there the layout is decided, and
        # min-SNR's own min(snr, γ)/(snr + 1) would all but switch it off.
        return velocity, clipped / snr
    return latents, clipped
