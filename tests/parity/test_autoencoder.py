"""The autoencoder beside diffusers' AutoencoderKL."""

from __future__ import annotations

import pytest
from parity import peer

from vdjax.model.hf import Autoencoder
from vdjax.weights.convert import autoencoder


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(ours, our parameters, theirs)."""
    theirs = peer.randomised(
        peer.diffusers.AutoencoderKL(
            block_out_channels=(32, 64, 64, 96),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            norm_num_groups=16,
            sample_size=32,
        )
    )
    config, weights = peer.saved(theirs, tmp_path_factory.mktemp("autoencoder"))
    ours = Autoencoder(autoencoder.configure(config))
    rules = autoencoder.rules_for(weights)
    return ours, peer.converted(weights, rules, autoencoder.wanted(ours.config)), theirs


def test_pictures_to_latents(pair, same):
    ours, params, theirs = pair
    pictures = peer.normal(1, 2, 32, 48, 3)
    posterior = theirs.encode(peer.first(pictures)).latent_dist
    mean, variance = peer.ours(ours.moments, params, pictures)
    same("autoencoder, encoder", mean, peer.last(posterior.mean))
    same("autoencoder, encoder", variance, peer.last(posterior.logvar))
    scaled = peer.ours(ours.encode, params, pictures)
    same("autoencoder, encoder", scaled, peer.last(posterior.mean * theirs.config.scaling_factor))


def test_latents_to_pictures(pair, same):
    ours, params, theirs = pair
    latents = peer.normal(2, 2, 4, 6, 4)
    expected = theirs.decode(peer.first(latents) / theirs.config.scaling_factor).sample
    same("autoencoder, decoder", peer.ours(ours.decode, params, latents), peer.last(expected))


def test_attention_by_its_former_names(pair, same):
    """Files from before the attention's keys were renamed, as Stable Diffusion 1 has them."""
    ours, params, theirs = pair
    former = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = {}
    for key, value in peer.state(theirs).items():
        for new, old in former.items():
            key = key.replace(f".{new}.", f".{old}.")
        weights[key] = value
    rules = autoencoder.rules_for(weights)
    again = peer.converted(weights, rules, autoencoder.wanted(ours.config))
    latents = peer.normal(2, 1, 4, 4, 4)
    expected = peer.ours(ours.decode, params, latents)
    same("autoencoder, decoder", peer.ours(ours.decode, again, latents), expected)
