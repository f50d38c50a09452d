"""PyTorch's side: its classes made small and random, saved as their authors save them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import jax
import numpy as np
import safetensors.numpy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what these say as they load is not about us
    import diffusers
    import torch
    import transformers

from flax.traverse_util import unflatten_dict

from vdjax.weights.convert.rules import Rule, plan_conversion

torch.manual_seed(0)
torch.set_grad_enabled(False)
for _library in (diffusers, transformers):
    _library.utils.logging.set_verbosity_error()


def randomised(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The module with every parameter random: kernels keep the scale of what enters them."""
    random = torch.Generator().manual_seed(seed)

    def normal(like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=random)

    for name, value in module.named_parameters():
        last = name.rpartition(".")[2]
        if value.ndim == 0:
            new = 0.7 + 0.2 * normal(value)  # gates, well open
        elif last == "clip_std":
            new = 1.0 + 0.3 * torch.rand(value.shape, generator=random)
        elif "embedding" in name and last != "bias" and "linear" not in name:
            new = 0.5 * normal(value)
        elif value.ndim == 1:
            new = 0.3 * normal(value) + (1.0 if last == "weight" else 0.0)
        else:
            new = normal(value) / value[0].numel() ** 0.5
        value.copy_(new)
    return module.eval()


def saved(module, folder: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The configuration and the weights that `save_pretrained` leaves in a folder."""
    module.save_pretrained(folder, safe_serialization=True)
    (file,) = folder.glob("*.safetensors")
    return json.loads((folder / "config.json").read_text()), safetensors.numpy.load_file(file)


def state(module: torch.nn.Module) -> dict[str, np.ndarray]:
    """The weights of a module that has no `save_pretrained`."""
    return {name: value.numpy() for name, value in module.state_dict().items()}


def converted(weights: dict[str, np.ndarray], rules: tuple[Rule, ...], wanted) -> dict:
    """Our tree of these weights, by our rules."""
    shapes = {key: value.shape for key, value in weights.items()}
    moves = plan_conversion(shapes, rules, wanted)
    return unflatten_dict({move.leaf: move(weights[move.key]) for move in moves}, sep="/")


def ours(function, *args, **kwargs) -> np.ndarray:
    """What our function gives, compiled as it is in use."""
    return jax.tree_util.tree_map(np.asarray, jax.jit(function)(*args, **kwargs))


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def first(x: np.ndarray) -> torch.Tensor:
    """Channels last to PyTorch's channels after the batch: (b, …, c) to (b, c, …)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


def last(x: torch.Tensor) -> np.ndarray:
    """PyTorch's (b, c, …) to our (b, …, c)."""
    return np.moveaxis(x.numpy(), 1, -1)
