"""How many parameters a preset or a folder of weights has, part by part, without loading any."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

from vdjax.ground.tokens import GroundingConfig, init_net
from vdjax.model.params import GATED, TEMPORAL, init_unet, leaf_shapes
from vdjax.model.unet3d import UNet3DConfig
from vdjax.weights.parts import read_parts
from vdjax.weights.presets import Preset

SPATIAL_NAME, TEMPORAL_NAME = "spatial layers", "temporal layers"
GATED_NAME, NET_NAME = "gated layers", "grounding net"

Shapes = Mapping[str, tuple[int, ...]]


@lru_cache(maxsize=16)
def unet_shapes(config: UNet3DConfig) -> Shapes:
    """Shapes of every leaf of the UNet; seconds of tracing at full size, so kept."""
    return MappingProxyType(leaf_shapes(partial(init_unet, config)))


@lru_cache(maxsize=16)
def net_shapes(config: GroundingConfig) -> Shapes:
    """Shapes of every leaf of the grounding net."""
    return MappingProxyType(leaf_shapes(partial(init_net, config)))


def denoiser_size(preset: Preset) -> dict[str, int]:
    """Parameters of the network that denoises, by kind of layer; kinds it has not are left out."""
    sizes = _by_kind(unet_shapes(preset.unet).items())
    sizes[NET_NAME] = _count(net_shapes(preset.grounding).values()) if preset.unet.gated else 0
    return {name: count for name, count in sizes.items() if count}


def folder_size(folder: Path) -> dict[str, int]:
    """Parameters of each part of a folder, those of the UNet by kind of layer.

    Raises:
        WeightsError: the folder has no manifest, or a file of it cannot be read.
    """
    sizes: dict[str, int] = {}
    for name, part in read_parts(folder).items():
        shapes = part.shapes
        if name == "unet":
            sizes |= {kind: count for kind, count in _by_kind(shapes.items()).items() if count}
        elif name == "guided":
            net = {leaf for leaf in shapes if leaf.startswith("net/")}
            sizes[GATED_NAME] = _count(shape for leaf, shape in shapes.items() if leaf not in net)
            sizes[NET_NAME] = _count(shapes[leaf] for leaf in net)
        else:
            sizes[name] = _count(shapes.values())
    return sizes


def _by_kind(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, int]:
    sizes = dict.fromkeys((SPATIAL_NAME, TEMPORAL_NAME, GATED_NAME), 0)
    for leaf, shape in shapes:
        kind = SPATIAL_NAME
        if is_of_kind(GATED, leaf):
            kind = GATED_NAME
        elif is_of_kind(TEMPORAL, leaf):
            kind = TEMPORAL_NAME
        sizes[kind] += math.prod(shape)
    return sizes


def is_of_kind(markers: tuple[str, ...], leaf: str) -> bool:
    """Whether a leaf belongs to a module whose name starts with one of `markers`."""
    return any(part.startswith(markers) for part in leaf.split("/"))


def _count(shapes: Iterable[tuple[int, ...]]) -> int:
    return sum(math.prod(shape) for shape in shapes)
