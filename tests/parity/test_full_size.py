"""PyTorch's classes at full size, without their weights: every key has its place and its shape."""

from __future__ import annotations

import json
import math

import pytest
from parity import peer

from vdjax.ground.prior import PriorConfig
from vdjax.model.hf import AutoencoderConfig, CLIPConfig
from vdjax.weights.convert import autoencoder, clip, prior
from vdjax.weights.convert.rules import plan_conversion

VIT_L = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "projection_dim": 768,
}
VIT_L_PICTURES = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "projection_dim": 768,
}
VIT_H = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "hidden_act": "gelu",
}


def stable_diffusion_autoencoder():
    return peer.diffusers.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        sample_size=512,
    )


def vit_l():
    config = peer.transformers.CLIPConfig(
        text_config=VIT_L, vision_config=VIT_L_PICTURES, projection_dim=768
    )
    return peer.transformers.CLIPModel(config)


def vit_h():
    return peer.transformers.CLIPTextModel(peer.transformers.CLIPTextConfig(**VIT_H))


def karlo():
    return peer.diffusers.PriorTransformer()


def config_of(model, folder):
    """What `save_pretrained` would say, without the weights."""
    config = model.config
    if hasattr(config, "to_dict"):  # transformers
        config.architectures = [type(model).__name__]
        config.save_pretrained(folder)
    else:
        model.save_config(folder)
    return json.loads((folder / "config.json").read_text())


CASES = [
    (stable_diffusion_autoencoder, autoencoder, AutoencoderConfig.stable_diffusion(), 83_653_863),
    (vit_l, clip, CLIPConfig.vit_l(), 427_616_513),
    (vit_h, clip, CLIPConfig.vit_h_text(), 340_387_840),
    (karlo, prior, PriorConfig.karlo(), None),
]


NAMES = [make.__name__ for make, *_ in CASES]


@pytest.mark.loose_dtypes
@pytest.mark.parametrize(("make", "source", "ours", "count"), CASES, ids=NAMES)
def test_full_size_parts(make, source, ours, count, tmp_path):
    with peer.torch.device("meta"):
        theirs = make()
    assert source.configure(config_of(theirs, tmp_path)) == ours
    shapes = {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    rules = source.rules_for(shapes) if source is autoencoder else source.RULES
    wanted = source.wanted(ours)
    assert len(plan_conversion(shapes, rules, wanted)) == len(wanted)
    size = sum(map(math.prod, wanted.values()))
    assert size == sum(map(math.prod, shapes.values()))
    assert count is None or size == count
