"""CLIP's towers beside transformers': both GELUs, both ways of finding the end of a text."""

from __future__ import annotations

import numpy as np
import pytest
from parity import peer

from vdjax.model.hf import CLIP
from vdjax.weights.convert import clip

TEXT = {
    "vocab_size": 99,
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 16,
    "projection_dim": 24,
    "bos_token_id": 97,
    "eos_token_id": 98,
}
VISION = {
    "hidden_size": 96,
    "intermediate_size": 384,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "image_size": 28,
    "patch_size": 7,
    "projection_dim": 24,
}
IDS = np.array([[97, 5, 9, 98, *[0] * 12], [97, *range(3, 17), 98], [97, 98, *[98] * 14]])

pytestmark = pytest.mark.loose_dtypes


def pair(theirs, folder):
    """(ours, our parameters) of one of transformers' models, made random and saved."""
    config, weights = peer.saved(peer.randomised(theirs), folder)
    ours = CLIP(clip.configure(config))
    return ours, peer.converted(weights, clip.RULES, clip.wanted(ours.config))


def torch_ids():
    return peer.torch.from_numpy(IDS)


@pytest.mark.parametrize(
    ("activation", "name"), [("gelu", "CLIP text, gelu"), ("quick_gelu", "CLIP text, quick_gelu")]
)
def test_text_without_a_shared_space(activation, name, tmp_path, same):
    config = peer.transformers.CLIPTextConfig(**{**TEXT, "eos_token_id": 2}, hidden_act=activation)
    theirs = peer.transformers.CLIPTextModel(config)
    ours, params = pair(theirs, tmp_path)
    assert ours.config.activation == activation
    out = theirs(torch_ids())
    states, pooled = peer.ours(ours.text, params, IDS)
    same(name, states, out.last_hidden_state.numpy())
    same(name, pooled, out.pooler_output.numpy())


def test_text_with_a_shared_space(tmp_path, same):
    config = peer.transformers.CLIPTextConfig(**TEXT)
    theirs = peer.transformers.CLIPTextModelWithProjection(config)
    ours, params = pair(theirs, tmp_path)
    out = theirs(torch_ids())
    name = "CLIP text, quick_gelu"
    same(name, peer.ours(ours.text, params, IDS)[0], out.last_hidden_state.numpy())
    same(name, peer.ours(ours.project_text, params, IDS), out.text_embeds.numpy())


def test_pictures(tmp_path, same):
    """With the same preparation of pixels as transformers' image processor gives."""
    config = peer.transformers.CLIPVisionConfig(**VISION)
    theirs = peer.transformers.CLIPVisionModelWithProjection(config)
    ours, params = pair(theirs, tmp_path)
    pictures = np.random.default_rng(3).integers(0, 256, (2, 28, 28, 3), dtype=np.uint8)
    processor = peer.transformers.CLIPImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    )
    pixels = processor(list(pictures), return_tensors="pt")["pixel_values"]
    embedded = peer.ours(ours.project_image, params, pictures.astype(np.float32) / 127.5 - 1.0)
    same("CLIP vision", embedded, theirs(pixels).image_embeds.numpy())


def test_both_towers_in_one_file(tmp_path, same):
    config = peer.transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24)
    theirs = peer.transformers.CLIPModel(config)
    ours, params = pair(theirs, tmp_path)
    # The greatest scale of the loss would dwarf what is looked at here; it is only carried along.
    assert np.asarray(params["logit_scale"]) == theirs.logit_scale.numpy()
    pixels = peer.normal(4, 2, 28, 28, 3)
    out = theirs(
        input_ids=torch_ids(),
        pixel_values=peer.first((pixels * 0.5 + 0.5 - ours.config.image_mean).astype(np.float32))
        / peer.torch.tensor(ours.config.image_std)[:, None, None],
    )
    same("CLIP, unit length", peer.ours(ours.embed_text, params, IDS), out.text_embeds.numpy())
    same("CLIP, unit length", peer.ours(ours.embed_image, params, pixels), out.image_embeds.numpy())
