"""`vdjax.load` of a folder that PyTorch's own libraries saved and `convert` brought over."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity import networks as nets
from parity import peer
from weights.convert.publics import END, vocabulary, write_tokenizer

import vdjax
from vdjax.weights.convert.run import convert

pytestmark = pytest.mark.loose_dtypes

VOCAB = vocabulary()
SENTENCES = ["The cat and the dog", ""]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """PyTorch's UNet, text encoder and whole CLIP, and the folder that ours are loaded from."""
    with jax.numpy_dtype_promotion("standard"):
        return _save(tmp_path_factory)


def _save(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    unet = peer.randomised(nets.plain_unet3d())
    unet.save_pretrained(folder / "video" / "unet", safe_serialization=True)
    sizes = {
        "vocab_size": len(VOCAB),
        "hidden_size": nets.TEXT,
        "intermediate_size": 4 * nets.TEXT,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "projection_dim": 16,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    config = peer.transformers.CLIPTextConfig(**sizes, hidden_act="gelu")
    scenes = peer.randomised(peer.transformers.CLIPTextModel(config))
    scenes.save_pretrained(folder / "video" / "text_encoder", safe_serialization=True)
    write_tokenizer(folder / "video" / "tokenizer", padding="!")
    (folder / "video" / "model_index.json").write_text("{}")
    convert(folder / "video", folder / "ours")

    text = {**sizes, "eos_token_id": VOCAB[END]}
    vision = {"hidden_size": 32, "intermediate_size": 128, "num_attention_heads": 4}
    vision |= {"num_hidden_layers": 2, "image_size": 28, "patch_size": 14}
    both = peer.transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    clip = peer.randomised(peer.transformers.CLIPModel(both))
    clip.save_pretrained(folder / "clip", safe_serialization=True)
    write_tokenizer(folder / "clip", padding=END)
    convert(folder / "clip", folder / "ours")
    return folder, unet, scenes, clip


def test_the_door_gives_pytorchs_prediction(saved, same):
    folder, theirs, *_ = saved
    model = vdjax.load(folder / "ours")
    prediction = model.unet(*map(jnp.asarray, (nets.LATENTS, nets.TIMES, nets.WORDS)))
    clip = peer.first(nets.LATENTS)
    times, words = peer.torch.from_numpy(nets.TIMES), peer.torch.from_numpy(nets.WORDS)
    same("vdjax.load, UNet", prediction, peer.last(theirs(clip, times, words).sample))


def ids(folder, padding):
    tokenizer = peer.transformers.CLIPTokenizerFast.from_pretrained(folder, pad_token=padding)
    rows = tokenizer(SENTENCES, padding="max_length", max_length=77, return_tensors="pt")
    return rows["input_ids"]


def test_the_door_reads_scenes_and_entities_as_pytorch_does(saved, same):
    folder, _, scenes, clip = saved
    model = vdjax.load(folder / "ours")
    states = scenes(ids(folder / "video" / "tokenizer", "!")).last_hidden_state
    same("vdjax.load, scenes", model.encode_text(SENTENCES), states.numpy())
    embedded = clip.get_text_features(ids(folder / "clip", END))
    embedded = embedded / embedded.norm(dim=-1, keepdim=True)
    same("vdjax.load, entities", model.embed_text(SENTENCES), embedded.numpy())


def test_the_door_sees_pictures_as_pytorch_does(saved, same):
    folder, *_, clip = saved
    model = vdjax.load(folder / "ours")
    picture = np.random.default_rng(5).integers(0, 256, (50, 71, 3)).astype(np.uint8)
    processor = peer.transformers.CLIPImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    )
    pixels = processor(picture, return_tensors="pt")["pixel_values"]
    embedded = clip.get_image_features(pixels)
    embedded = embedded / embedded.norm(dim=-1, keepdim=True)
    same("vdjax.load, pictures", model.embed_pictures([picture]), embedded.numpy())
