"""Weights as others save them, made without their libraries: our rules, walked backwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from vdjax.weights.convert import modelscope, unet2d, unet3d
from vdjax.weights.convert.rules import CHANGES, Rule
from vdjax.weights.convert.unets import wanted

UNET3D = {
    "_class_name": "UNet3DConditionModel",
    "_diffusers_version": "0.20.2",
    "sample_size": 4,
    "block_out_channels": [8, 16],
    "down_block_types": ["CrossAttnDownBlock3D", "DownBlock3D"],
    "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D"],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 6,
    "attention_head_dim": 4,
}
UNET2D = {
    **UNET3D,
    "_class_name": "UNet2DConditionModel",
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "attention_head_dim": 2,
}
UNETSD = {
    "framework": "pytorch",
    "model": {
        "model_cfg": {
            "unet_in_dim": 4,
            "unet_dim": 32,
            "unet_y_dim": 6,
            "unet_context_dim": 6,
            "unet_out_dim": 4,
            "unet_dim_mult": [1, 2],
            "unet_num_heads": 8,
            "unet_head_dim": 4,
            "unet_res_blocks": 1,
            "unet_attn_scales": [1.0],
            "temporal_attention": "True",
        }
    },
}


@dataclass(frozen=True)
class Foreign:
    """A model of somebody else's: its configuration, its weights, and our leaves of them."""

    config: Mapping[str, Any]
    state: dict[str, np.ndarray]
    leaves: dict[str, np.ndarray]

    def save(self, folder: Path, name: str = "diffusion_pytorch_model.safetensors") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        is_modelscope = "model" in self.config
        file = "configuration.json" if is_modelscope else "config.json"
        (folder / file).write_text(json.dumps(self.config))
        save_file(self.state, folder / name)
        return folder


def backwards(rules: tuple[Rule, ...], leaves: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state dict that these leaves come from."""
    state = {}
    for leaf, value in leaves.items():
        ((key, change),) = [
            (key, rule.change) for rule in rules if (key := rule.key_of(leaf)) is not None
        ]
        state[key] = np.ascontiguousarray(CHANGES[change].back(value)).reshape(
            CHANGES[change].back(value).shape
        )
    return state


def random_leaves(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {leaf: np.asarray(rng.normal(size=shape), np.float32) for leaf, shape in shapes.items()}


@pytest.fixture(scope="session")
def foreign() -> Callable[..., Foreign]:
    """One tiny model: foreign("unet3d"), with fields of its configuration changed by name."""

    def make(kind: str, **changed: Any) -> Foreign:
        if kind == "modelscope":
            denoiser = modelscope.configure(UNETSD)
            config, rules = UNETSD, modelscope.rules_for(denoiser)
        elif kind == "unet3d":
            config = {**UNET3D, **changed}
            denoiser = unet3d.configure(config)
            rules = unet3d.rules_for(denoiser)
        else:
            config = {**UNET2D, **changed}
            denoiser = unet2d.configure(config)
            rules = unet2d.rules_for(denoiser, config)
        leaves = random_leaves(wanted(denoiser))
        return Foreign(config, backwards(rules, leaves), leaves)

    return make


@pytest.fixture(scope="session")
def unet3d_model(foreign) -> Foreign:
    return foreign("unet3d")


@pytest.fixture(scope="session")
def gated_model(foreign) -> Foreign:
    return foreign("unet3d", attention_type="gated")
