"""Public models, tiny and random, as their authors save them: what a film at full size is made of.

Made without PyTorch by our rules walked backwards, as in conftest.py; `make parity` saves the same
kinds by PyTorch's own libraries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import unflatten_dict
from safetensors.numpy import save_file
from tokenizers import pre_tokenizers
from weights.convert.conftest import UNET3D, backwards, random_leaves

from vdjax.ground.tokens import GroundingConfig
from vdjax.model.params import GATED, fill_params
from vdjax.weights.convert import autoencoder, clip, prior, unet3d
from vdjax.weights.convert.run import convert
from vdjax.weights.convert.unets import wanted as unet_wanted
from vdjax.weights.parts import read_parts
from vdjax.weights.size import is_of_kind, net_shapes, unet_shapes
from vdjax.weights.store import save_tree, write_manifest
from vdjax.weights.system import preset_of

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
MERGES = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>"), ("t", "h"), ("th", "e</w>")]
SCENES, ENTITIES = 12, 8
"""Widths of the two text towers: what reads scenes and what tells entities."""

AUTOENCODER = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [8, 8, 8, 8],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "sample_size": 32,
    "act_fn": "silu",
}
PRIOR = {
    "_class_name": "PriorTransformer",
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "num_layers": 1,
    "embedding_dim": ENTITIES,
}
SCHEDULER = {"beta_schedule": "scaled_linear", "prediction_type": "epsilon"}


def vocabulary() -> dict[str, int]:
    """Every byte, every byte at a word's end, the merges, begin and end: in CLIP's order."""
    letters = sorted(
        pre_tokenizers.ByteLevel.alphabet(), key=lambda letter: (letter != "!", letter)
    )
    ends = [f"{letter}</w>" for letter in letters]
    merged = ["".join(pair) for pair in MERGES]
    return {p: i for i, p in enumerate([*letters, *ends, *merged, BEGIN, END])}


def text_tower(width: int, kind: str, **changed: Any) -> dict[str, Any]:
    vocab = vocabulary()
    return {
        "architectures": [kind],
        "vocab_size": len(vocab),
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "projection_dim": ENTITIES,
        "bos_token_id": vocab[BEGIN],
        "eos_token_id": vocab[END],
        **changed,
    }


def image_tower(kind: str) -> dict[str, Any]:
    return {
        "architectures": [kind],
        "hidden_size": 8,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "image_size": 28,
        "patch_size": 14,
        "projection_dim": ENTITIES,
    }


VIT_H = text_tower(SCENES, "CLIPTextModel", hidden_act="gelu", bos_token_id=0, eos_token_id=2)
VIT_L = {
    "architectures": ["CLIPModel"],
    "projection_dim": ENTITIES,
    "text_config": text_tower(ENTITIES, "CLIPTextModel"),
    "vision_config": image_tower("CLIPVisionModel"),
}


def write_tokenizer(folder: Path, padding: str) -> Path:
    """The files that CLIP's tokenizers are published as."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary()), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in MERGES)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": {"content": BEGIN}, "eos_token": END, "pad_token": padding}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    return folder


def write_model(folder: Path, source: Any, config: Mapping[str, Any], file: str) -> Path:
    """A model that is one network: its configuration and random weights."""
    leaves = random_leaves(source.wanted(source.configure(config)))
    leaves = {leaf: 0.3 * value for leaf, value in leaves.items()}
    leaves |= {leaf: np.ones_like(value) for leaf, value in leaves.items() if "clip_std" in leaf}
    rules = autoencoder.rules_for(()) if source is autoencoder else source.RULES
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(backwards(rules, leaves), folder / file)
    return folder


def write_video_pipeline(folder: Path, **changed: Any) -> Path:
    """Text to video as ModelScope's: UNet, autoencoder, text encoder, tokenizer, scheduler."""
    config = {**UNET3D, "cross_attention_dim": SCENES, **changed}
    denoiser = unet3d.configure(config)
    leaves = random_leaves(unet_wanted(denoiser))
    leaves = {leaf: 0.3 * value for leaf, value in leaves.items()}
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text('{"_class_name": "TextToVideoSDPipeline"}')
    (folder / "unet" / "config.json").write_text(json.dumps(config))
    state = backwards(unet3d.rules_for(denoiser), leaves)
    save_file(state, folder / "unet" / "diffusion_pytorch_model.safetensors")
    write_model(folder / "vae", autoencoder, AUTOENCODER, "diffusion_pytorch_model.safetensors")
    write_model(folder / "text_encoder", clip, VIT_H, "model.safetensors")
    write_tokenizer(folder / "tokenizer", padding="!")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    return folder


def write_clip(folder: Path) -> Path:
    """Texts and pictures in one space, as OpenAI's ViT-L/14."""
    write_tokenizer(folder, padding=END)
    return write_model(folder, clip, VIT_L, "model.safetensors")


def write_prior(folder: Path) -> Path:
    """Karlo's prior."""
    return write_model(folder, prior, PRIOR, "diffusion_pytorch_model.safetensors")


def fused_guidance(preset) -> tuple[dict[str, Any], GroundingConfig]:
    """Gated layers and a fused grounding net for a converted network, as training here ships them:
    the paper's were not published in anybody's layout."""
    grounding = GroundingConfig(
        text_width=ENTITIES,
        image_width=ENTITIES,
        projection_width=ENTITIES,
        hidden_width=16,
        width=SCENES,
        max_entities=30,
    )
    unet = unet_shapes(replace(preset.unet, gated=True, grounding_width=SCENES))
    shapes = {f"unet/{leaf}": s for leaf, s in unet.items() if is_of_kind(GATED, leaf)}
    shapes |= {f"net/{leaf}": s for leaf, s in net_shapes(grounding).items()}
    tree = unflatten_dict({k: jax.ShapeDtypeStruct(s, np.float32) for k, s in shapes.items()}, "/")
    # Strong enough that a token is seen in the frames.
    return jax.tree_util.tree_map(lambda leaf: 3 * leaf, fill_params(tree)), grounding


def make_system(folder: Path, **options: Any) -> Path:
    """Everything that the paper's film needs, converted into one folder: a VideoDirectorGPT."""
    source = folder.with_name(folder.name + "-from")
    convert(write_video_pipeline(source / "video"), folder, **options)
    convert(write_clip(source / "clip"), folder, **options)
    convert(write_prior(source / "karlo" / "prior"), folder, **options)
    tree, grounding = fused_guidance(preset_of(read_parts(folder)))
    half = jax.tree_util.tree_map(lambda x: np.asarray(x, np.float16), tree)
    save_tree(folder / "guided.safetensors", half, asdict(grounding))
    write_manifest(folder)
    return folder
