"""The UNet beside diffusers': layer by layer, whole, and as an image model."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from parity import networks as nets
from parity import peer
from parity.networks import BATCH, CHANNELS, ENTITIES, FRAMES, GROUPS, HEAD, TEXT
from parity.peer import torch

from vdjax.ground.tokens import Grounding, GroundingNet
from vdjax.model.attention import (
    GatedSelfAttention,
    SpatialTransformer,
    TemporalTransformer,
)
from vdjax.model.blocks import (
    Downsample,
    ResnetBlock,
    TemporalConv,
    TimestepEmbedding,
    Upsample,
    timestep_sinusoid,
)
from vdjax.weights.convert.run import convert
from vdjax.weights.convert.unets import POSITION_NET, Denoiser
from vdjax.weights.presets import Preset
from vdjax.weights.store import load_checked

FINE, COARSE = CHANNELS


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return nets.unet3d_pair(tmp_path_factory.mktemp("unet3d"))


def apply(module, params, *args):
    return peer.ours(module.apply, {"params": params}, *args)


def features(channels, seed=21):
    return peer.normal(seed, BATCH, FRAMES, 8, 6, channels)


def test_the_timestep(pair, same):
    times = np.array([0, 3, 421, 999])
    code = peer.ours(lambda t: timestep_sinusoid(t, FINE), times)
    theirs = pair.theirs.time_proj(torch.from_numpy(times))
    same("timestep sinusoid", code, theirs.numpy())
    embedding = apply(TimestepEmbedding(4 * FINE), pair.params["time_embedding"], theirs.numpy())
    same("time embedding", embedding, pair.theirs.time_embedding(theirs).numpy())


@pytest.mark.parametrize(("level", "width"), [(0, FINE), (1, COARSE)])
def test_a_residual_block(pair, same, level, width):
    x, time = features(FINE), peer.normal(22, BATCH, 4 * FINE)
    module = ResnetBlock(width, GROUPS)
    params = pair.params[f"down_blocks_{level}"]["resnets_0"]
    repeated = torch.from_numpy(time).repeat_interleave(FRAMES, 0)
    theirs = pair.theirs.down_blocks[level].resnets[0](nets.rows(x), repeated)
    same("resnet", apply(module, params, x, time), nets.clips(theirs))


def test_a_temporal_convolution_pools_its_norm_over_the_clip(pair, same):
    x = features(FINE)
    params = pair.params["down_blocks_0"]["temp_convs_0"]
    layer = pair.theirs.down_blocks[0].temp_convs[0]
    theirs = nets.clips(layer(nets.rows(x), num_frames=FRAMES))
    same("temporal convolution", apply(TemporalConv(GROUPS), params, x), theirs)
    alone = nets.clips(layer(nets.rows(x), num_frames=1))
    assert np.abs(theirs - alone).max() > 1e-2


def test_a_spatial_transformer(pair, same):
    x = features(FINE)
    params = pair.params["down_blocks_0"]["attentions_0"]
    layer = pair.theirs.down_blocks[0].attentions[0]
    words = torch.from_numpy(nets.WORDS).repeat_interleave(FRAMES, 0)
    module = SpatialTransformer(FINE // HEAD, HEAD, GROUPS)
    for tokens, name in (
        (None, "spatial transformer"),
        (nets.TOKENS, "spatial transformer, gated"),
    ):
        told = {} if tokens is None else nets.grounded(tokens)
        theirs = layer(nets.rows(x), encoder_hidden_states=words, **told, return_dict=False)[0]
        same(name, apply(module, params, x, nets.WORDS, tokens), nets.clips(theirs))


def test_a_temporal_transformer(pair, same):
    x = features(FINE)
    for name, heads in (("transformer_in", 8), ("temp_attentions", FINE // HEAD)):
        if name == "transformer_in":
            params, layer = pair.params[name], pair.theirs.transformer_in
        else:
            params = pair.params["down_blocks_0"][f"{name}_0"]
            layer = pair.theirs.down_blocks[0].temp_attentions[0]
        module = TemporalTransformer(heads, HEAD, GROUPS)
        theirs = layer(nets.rows(x), num_frames=FRAMES, return_dict=False)[0]
        same("temporal transformer", apply(module, params, x), nets.clips(theirs))


def test_a_fuser(pair, same):
    x, tokens = peer.normal(23, 5, 12, FINE), peer.normal(24, 5, ENTITIES, TEXT)
    block = pair.params["down_blocks_0"]["attentions_0"]["transformer_blocks_0"]
    layer = pair.theirs.down_blocks[0].attentions[0].transformer_blocks[0].fuser
    assert 0 < abs(float(layer.alpha_attn)) < 2
    module = GatedSelfAttention(FINE // HEAD, HEAD, FINE)
    theirs = layer(torch.from_numpy(x), torch.from_numpy(tokens)).numpy()
    same("fuser", apply(module, block["fuser"], x, tokens), theirs)


def test_down_and_up(pair, same):
    x = features(FINE)
    down = apply(Downsample(FINE), pair.params["down_blocks_0_downsamplers_0"], x)
    theirs = pair.theirs.down_blocks[0].downsamplers[0](nets.rows(x))
    same("down", down, nets.clips(theirs))
    x = features(COARSE)
    up = apply(Upsample(COARSE), pair.params["up_blocks_0_upsamplers_0"], x)
    same("up", up, nets.clips(pair.theirs.up_blocks[0].upsamplers[0](nets.rows(x))))


def entities(config, has_text=None, has_image=None):
    """Entities of which some are absent: for our grounding net, and as GLIGEN's is called.

    PyTorch's sees frames as rows and masks as numbers.
    """
    everybody = np.ones((BATCH, ENTITIES), bool)
    has_text = everybody if has_text is None else has_text
    has_image = everybody if has_image is None else has_image
    corners = np.sort(np.random.default_rng(25).random((BATCH, FRAMES, ENTITIES, 2, 2)), axis=3)
    boxes = corners.reshape(BATCH, FRAMES, ENTITIES, 4).astype(np.float32)
    present = np.ones((BATCH, FRAMES, ENTITIES), bool)
    present[0, :, 3], present[1, 1, 1:] = False, False
    text = peer.normal(26, BATCH, ENTITIES, config.text_width)
    image = peer.normal(27, BATCH, ENTITIES, config.image_width)
    ours = Grounding(
        *map(jnp.asarray, (boxes, present, text, image, has_text, has_image)),
    )

    def frames(feature):
        repeated = np.repeat(feature[:, None], FRAMES, 1)
        return torch.from_numpy(repeated.reshape(BATCH * FRAMES, *feature.shape[1:]))

    def mask(has):
        seen = has[:, None] & present
        return torch.from_numpy(seen.reshape(-1, ENTITIES).astype(np.float32))

    theirs = {"boxes": torch.from_numpy(boxes.reshape(-1, ENTITIES, 4)), "masks": mask(everybody)}
    if config.text_only:
        theirs |= {"positive_embeddings": frames(text)}
    else:
        theirs |= {"phrases_masks": mask(has_text), "phrases_embeddings": frames(text)}
        theirs |= {"image_masks": mask(has_image), "image_embeddings": frames(image)}
    return ours, theirs


def tokens_of(pair, grounding):
    return apply(GroundingNet(pair.denoiser.grounding), pair.params[POSITION_NET], grounding)


def test_the_position_net_of_texts(pair, same):
    ours, theirs = entities(pair.denoiser.grounding)
    tokens = pair.theirs.position_net(**theirs).numpy()
    same(
        "position net, text",
        tokens_of(pair, ours),
        tokens.reshape(BATCH, FRAMES, ENTITIES, TEXT),
    )


def test_the_position_net_of_texts_and_pictures(tmp_path, same):
    image = nets.unet2d_pair(tmp_path, "gated-text-image")
    some = np.array([[True, False, True, True], [False, True, True, True]])
    ours, theirs = entities(image.denoiser.grounding, some, ~some | some[::-1])
    tokens = image.theirs.position_net(**theirs).numpy()
    same(
        "position net, text and image",
        tokens_of(image, ours),
        tokens.reshape(BATCH, FRAMES, 2 * ENTITIES, TEXT),
    )


def test_the_whole_video_network(pair, same):
    args = nets.LATENTS, nets.TIMES, nets.WORDS
    theirs = pair.theirs(
        peer.first(nets.LATENTS), torch.from_numpy(nets.TIMES), torch.from_numpy(nets.WORDS)
    )
    same("UNet3D", pair.ours(*args), peer.last(theirs.sample))
    theirs = pair.theirs(
        peer.first(nets.LATENTS),
        torch.from_numpy(nets.TIMES),
        torch.from_numpy(nets.WORDS),
        **nets.grounded(nets.TOKENS),
    )
    same("UNet3D, gated", pair.ours(*args, nets.TOKENS), peer.last(theirs.sample))


def test_a_folder_that_diffusers_saved(tmp_path, same):
    """By the way a user goes: `save_pretrained`, `vdjax weights convert`, load."""
    theirs = peer.randomised(nets.plain_unet3d(), seed=3)
    theirs.save_pretrained(tmp_path / "theirs", safe_serialization=True)
    convert(tmp_path / "theirs", tmp_path / "ours")
    params, config = load_checked(tmp_path / "ours", "unet")
    pair = nets.Pair(Denoiser(Preset.from_json(config).unet), params, theirs)
    args = nets.LATENTS, nets.TIMES, nets.WORDS
    expected = theirs(peer.first(nets.LATENTS), *map(torch.from_numpy, args[1:])).sample
    same("UNet3D", pair.ours(*args), peer.last(expected))


def by_frames(network, latents, gligen=None):
    """A 2D network's prediction for each frame of each clip."""
    told = {} if gligen is None else {"cross_attention_kwargs": {"gligen": gligen}}
    times, words = (
        torch.from_numpy(x).repeat_interleave(latents.shape[1], 0) for x in (nets.TIMES, nets.WORDS)
    )
    return nets.clips(network(nets.rows(latents), times, words, **told).sample)


@pytest.mark.parametrize("fixed_heads", [True, False])
def test_a_whole_image_network(tmp_path, same, fixed_heads):
    """Eight heads and projections kept as convolutions (1.5), or heads of one width (2.1)."""
    image = nets.unet2d_pair(tmp_path, fixed_heads=fixed_heads)
    name = "UNet2D, as Stable Diffusion " + ("1" if fixed_heads else "2")
    made = image.ours(nets.LATENTS, nets.TIMES, nets.WORDS)
    same(name, made, by_frames(image.theirs, nets.LATENTS))


def test_the_video_network_in_image_mode_is_the_image_network(pair, tmp_path, same):
    """The 2D network takes the spatial half of the 3D one's weights, and gives what it gives."""
    image = nets.unet2d_pair(tmp_path, "gated").theirs
    weights = pair.theirs.state_dict()
    spatial = {key: weights[key] for key in image.state_dict()}
    assert len(spatial) < len(weights)
    image.load_state_dict(spatial)
    args = nets.LATENTS, nets.TIMES, nets.WORDS
    same("image mode", pair.ours(*args, video=False), by_frames(image, nets.LATENTS))
    ours, theirs = entities(pair.denoiser.grounding)
    made = pair.ours(*args, tokens_of(pair, ours), video=False)
    same("image mode, gated", made, by_frames(image, nets.LATENTS, theirs))
