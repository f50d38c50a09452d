"""How many parameters a preset or a folder of weights has, part by part, without loading any."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

from vdjax.errors import WeightsError
from vdjax.ground.tokens import GroundingConfig, init_net
from vdjax.model.params import GATED, TEMPORAL, init_unet, leaf_shapes
from vdjax.model.unet3d import UNet3DConfig
from vdjax.weights.presets import Preset
from vdjax.weights.store import config_of, read_header, read_manifest

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
    for name, (shapes, _) in _parts(folder).items():
        if name == "unet":
            sizes |= {kind: count for kind, count in _by_kind(shapes.items()).items() if count}
        elif name == "guided":
            net = {leaf for leaf in shapes if leaf.startswith("net/")}
            sizes[GATED_NAME] = _count(shape for leaf, shape in shapes.items() if leaf not in net)
            sizes[NET_NAME] = _count(shapes[leaf] for leaf in net)
        else:
            sizes[name] = _count(shapes.values())
    return sizes


def misfits(folder: Path) -> list[str]:
    """Where leaves of the UNet and the grounding net are not those of the configuration that they
    travel with; a sentence each.

    Raises:
        WeightsError: the folder has no manifest, or a file of it cannot be read.
    """
    parts = _parts(folder)
    if "unet" not in parts:
        return []
    found, config = parts["unet"]
    guided, grounding = parts.get("guided", ({}, None))
    preset = Preset.from_json({**(config or {}), **({"grounding": grounding} if grounding else {})})
    leaves = dict(found)
    leaves |= {name.removeprefix("unet/"): shape for name, shape in guided.items()}
    wanted = dict(unet_shapes(preset.unet))
    if guided:
        wanted |= {f"net/{leaf}": shape for leaf, shape in net_shapes(preset.grounding).items()}
    elif preset.unet.gated:
        wanted = {leaf: s for leaf, s in wanted.items() if not _is(GATED, leaf)}
    faults = [f"{folder}: {leaf} is missing" for leaf in wanted if leaf not in leaves]
    faults += [f"{folder}: {leaf} is of no use here" for leaf in leaves if leaf not in wanted]
    faults += [
        f"{folder}: {leaf} is {leaves[leaf]}, its configuration says {shape}"
        for leaf, shape in wanted.items()
        if leaves.get(leaf, shape) != shape
    ]
    return faults


def _parts(folder: Path) -> dict[str, tuple[dict[str, tuple[int, ...]], dict | None]]:
    """Leaves' shapes and configuration of each file of weights."""
    parts = {}
    for file in read_manifest(folder):
        path = folder / file
        if path.suffix != ".safetensors":
            continue
        try:
            header, _ = read_header(path)
            config = config_of(header)
            shapes = {
                leaf: tuple(entry["shape"])
                for leaf, entry in header.items()
                if leaf != "__metadata__"
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{path} is not a whole safetensors file ({error})") from error
        parts[path.stem] = shapes, config
    return parts


def _by_kind(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, int]:
    sizes = dict.fromkeys((SPATIAL_NAME, TEMPORAL_NAME, GATED_NAME), 0)
    for leaf, shape in shapes:
        kind = SPATIAL_NAME
        if _is(GATED, leaf):
            kind = GATED_NAME
        elif _is(TEMPORAL, leaf):
            kind = TEMPORAL_NAME
        sizes[kind] += math.prod(shape)
    return sizes


def _is(markers: tuple[str, ...], leaf: str) -> bool:
    return any(part.startswith(markers) for part in leaf.split("/"))


def _count(shapes: Iterable[tuple[int, ...]]) -> int:
    return sum(math.prod(shape) for shape in shapes)
