"""The UNet's parameters as trees: made, taken apart by kind, and put together again.

Which leaves are temporal and which are gated is read from the module names, so that freezing,
shipping and image mode all mean the same parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from vdjax.model.unet3d import UNet3D, UNet3DConfig

TEMPORAL = ("transformer_in", "temp_convs", "temp_attentions")
GATED = ("fuser",)
PICTURES = ("pictures", "project_", "null_text", "null_image")
"""What the pictures of the grounding net are made with: their MLP, and what feeds it."""


def split_params(params, markers: tuple[str, ...]) -> tuple[dict, dict]:
    """Two trees: what is below a module whose name starts with one of `markers`, and the rest."""
    flat = flatten_dict(params)
    inside = {
        path: leaf
        for path, leaf in flat.items()
        if any(part.startswith(marker) for part in path for marker in markers)
    }
    outside = {path: leaf for path, leaf in flat.items() if path not in inside}
    return unflatten_dict(inside), unflatten_dict(outside)


def merge_params(*trees) -> dict:
    """One tree of several; of a leaf that is in more than one, the last counts."""
    flat: dict = {}
    for tree in trees:
        flat.update(flatten_dict(tree))
    return unflatten_dict(flat)


def fill_params(shapes, seed: int = 0):
    """Random parameters in the shapes of a tree (see `jax.eval_shape`); compiles nothing.

    Kernels and embeddings are normal with a variance of 1 / inputs, norms' scales one, biases zero.
    Scalars are one half, the gates among them: the layout acts on a network that never learnt.
    """
    rng = np.random.default_rng(seed)

    def fill(path, leaf) -> jax.Array:
        name = path[-1].key
        if leaf.shape == () or name in ("scale", "bias"):
            value = np.full(leaf.shape, {"scale": 1.0, "bias": 0.0}.get(name, 0.5))
        else:
            value = rng.normal(size=leaf.shape) / np.prod(leaf.shape[:-1]) ** 0.5
        return jnp.asarray(value, leaf.dtype)

    return jax.tree_util.tree_map_with_path(fill, shapes)


def leaf_shapes(init: Callable[[jax.Array], Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters that `init(key)` makes, by their path with "/" between names.

    Nothing is allocated: a network of any size is asked in a moment.
    """
    tree = jax.eval_shape(init, jax.random.key(0))
    return {path: leaf.shape for path, leaf in flatten_dict(tree, sep="/").items()}


def init_unet(config: UNet3DConfig, key: jax.Array) -> dict:
    """All parameters of the UNet: temporal and gated ones included, where it has them."""
    u = config
    shape = (1, 2, u.sample_size, u.sample_size, u.in_channels)
    args = (
        jnp.zeros(shape),
        jnp.zeros((1,), jnp.int32),
        jnp.zeros((1, 1, u.text_width)),
        jnp.zeros((1, 2, 1, u.grounding_width)) if u.gated else None,
    )
    return UNet3D(u).init(key, *args)["params"]
