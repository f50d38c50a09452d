"""The system that a folder's parts make together: its preset, its trees, and what does not fit.

Headers of the parts enter; one `Preset` leaves, and the parameters as `vdjax.load` has them. What
cannot work together (a tree that is not its configuration's, a text encoder of another width than
the UNet reads) is told before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vdjax.errors import UserError, WeightsError
from vdjax.ground.prior import PriorConfig, init_prior
from vdjax.ground.tokens import GroundingConfig
from vdjax.model.boxes import picture_width
from vdjax.model.hf import CLIP, Autoencoder, AutoencoderConfig, CLIPConfig
from vdjax.model.params import GATED, leaf_shapes, merge_params
from vdjax.weights.parts import CLIP_HALVES, KNOWN, Part, clip_parts, read_parts
from vdjax.weights.presets import Preset, build_config
from vdjax.weights.size import Shapes, is_of_kind, net_shapes, unet_shapes

FLOATS = ("F64", "F32", "F16", "BF16")
"""Dtypes that weights may have, by the file format's names."""


def preset_of(parts: Mapping[str, Part]) -> Preset:
    """The preset that the parts' configurations say together; what has no part keeps its default.

    Raises:
        UserError: a configuration has a field that this version does not know.
        WeightsError: one is not a configuration at all, or the halves of a CLIP do not match.
    """
    configs = {name: dict(parts[name].config or {}) for name in KNOWN if name in parts}
    data = {"name": "parts", **configs.get("unet", {})}
    data |= {name: configs[name] for name in ("autoencoder", "prior") if name in configs}
    told = clip_parts(parts)
    if told:
        halves = [_built(parts[name], CLIPConfig) for name in told]
        data["clip"] = asdict(halves[0] if len(halves) == 1 else _whole_clip(parts, *halves))
    if "text_encoder" in parts and told != ("text_encoder",):
        data["text_encoder"] = configs["text_encoder"]
    if "guided" in configs:
        data["grounding"] = configs["guided"]
    try:
        preset = Preset.from_json(data)
    except UserError:
        raise
    except (TypeError, AttributeError, ValueError) as error:
        raise WeightsError(f"{_place(parts)}: its configuration is not whole ({error})") from error
    if "guided" in parts and not preset.unet.gated:
        # Gated layers that were trained beside a public network are a part of their own.
        unet = replace(preset.unet, gated=True, grounding_width=token_width(preset.grounding))
        preset = replace(preset, unet=unet)
    return preset


def trees_of(trees: Mapping[str, Any]) -> dict[str, Any]:
    """Parts' trees as `LoadedModel.params` names them: autoencoder, clip, text_encoder, unet, net
    and prior, as far as they are there."""
    told = clip_parts(trees)
    params = {name: trees[name] for name in ("autoencoder", "prior") if name in trees}
    if told:
        params["clip"] = merge_params(*(trees[name] for name in told))
    if "text_encoder" in trees and told != ("text_encoder",):
        params["text_encoder"] = trees["text_encoder"]
    guided = trees.get("guided", {})
    if "unet" in trees:
        params["unet"] = merge_params(trees["unet"], guided.get("unet", {}))
    if "net" in guided:
        params["net"] = guided["net"]
    return params


def misfits(folder: Path) -> list[str]:
    """Where parts are not of the configurations that they travel with, or not of one system; a
    sentence each.

    Raises:
        WeightsError: the folder has no manifest, or a file of it cannot be read.
        UserError: a configuration has a field that this version does not know.
    """
    parts = read_parts(folder)
    return faults(parts, preset_of(parts))


def faults(parts: Mapping[str, Part], preset: Preset) -> list[str]:
    """The same of parts whose headers have been read."""
    found: list[str] = []
    for name, wanted in _wanted(parts, preset).items():
        part = parts[name]
        found += [f"{part.path}: {leaf} is missing" for leaf in wanted if leaf not in part.shapes]
        found += [
            f"{part.path}: {leaf} is of no use here" for leaf in part.shapes if leaf not in wanted
        ]
        found += [
            f"{part.path}: {leaf} is {part.shapes[leaf]}, its configuration says {shape}"
            for leaf, shape in wanted.items()
            if part.shapes.get(leaf, shape) != shape
        ]
        found += [
            f"{part.path}: {leaf} is of dtype {dtype}; weights are of {', '.join(FLOATS)}"
            for leaf, dtype in part.dtypes.items()
            if dtype not in FLOATS
        ]
    return found + [f"{_place(parts)}: {fault}" for fault in _strangers(parts, preset)]


def _wanted(parts: Mapping[str, Part], preset: Preset) -> dict[str, Shapes]:
    """The leaves that each part's configuration asks for."""
    wanted: dict[str, Shapes] = {}
    if "autoencoder" in parts:
        config = _built(parts["autoencoder"], AutoencoderConfig)
        wanted["autoencoder"] = leaf_shapes(Autoencoder(config).init)
    for name in ("clip", *CLIP_HALVES, "text_encoder"):
        if name in parts:
            wanted[name] = leaf_shapes(CLIP(_built(parts[name], CLIPConfig)).init)
    if "prior" in parts:
        prior: PriorConfig = preset.prior
        wanted["prior"] = leaf_shapes(lambda key: init_prior(prior, key))
    if "unet" in parts or "guided" in parts:
        wanted |= _wanted_of_unet(parts, preset)
    return wanted


def _wanted_of_unet(parts: Mapping[str, Part], preset: Preset) -> dict[str, Shapes]:
    """The same of the UNet and its gated layers; to ask for their shapes takes seconds."""
    wanted: dict[str, Shapes] = {}
    unet = unet_shapes(preset.unet)
    gated = {leaf: shape for leaf, shape in unet.items() if is_of_kind(GATED, leaf)}
    if "unet" in parts:
        wanted["unet"] = {leaf: shape for leaf, shape in unet.items() if leaf not in gated}
    if "guided" in parts:
        net = net_shapes(preset.grounding)
        wanted["guided"] = {
            **{f"unet/{leaf}": shape for leaf, shape in gated.items()},
            **{f"net/{leaf}": shape for leaf, shape in net.items()},
        }
    return wanted


def _strangers(parts: Mapping[str, Part], preset: Preset) -> list[str]:
    """Parts that are whole and do not belong together."""
    p, clip = preset, preset.clip
    told = clip_parts(parts)
    pairs = []
    if "unet" in parts and ("text_encoder" in parts or told):
        pairs.append(("the UNet reads texts", p.unet.text_width, p.scene_text.text_width))
    if "unet" in parts and "autoencoder" in parts:
        latent = p.autoencoder.latent_channels
        pairs.append(("the UNet makes latents", p.unet.in_channels, latent))
    if "prior" in parts and told and told != ("text_encoder",):
        pairs.append(("the prior draws embeddings", p.prior.embedding_width, clip.projection_dim))
        if clip.text_layers:
            pairs.append(("the prior reads texts", p.prior.text_width, clip.text_width))
    if "guided" in parts:
        width = token_width(p.grounding)
        pairs.append(("gated layers read tokens", p.unet.grounding_width, width))
        if told:
            text = clip.text_width if p.grounding.raw_features else clip.projection_dim
            pairs.append(("the grounding net reads names", p.grounding.text_width, text))
    return [
        f"{who} of width {wanted}, and the part beside it gives {given}: these parts are not of "
        "one system"
        for who, wanted, given in pairs
        if wanted != given
    ]


def token_width(grounding: GroundingConfig) -> int:
    """The width of what the grounding net makes."""
    width = grounding.width + (4 if grounding.carry_boxes else 0)
    return width + (picture_width(grounding.picture_waves) if grounding.picture_waves else 0)


def _whole_clip(parts: Mapping[str, Part], text: CLIPConfig, vision: CLIPConfig) -> CLIPConfig:
    for name in ("projection_dim", "activation"):
        one, other = getattr(text, name), getattr(vision, name)
        if one != other:
            raise WeightsError(
                f"{_place(parts)}: {name} is {one!r} in {CLIP_HALVES[0]} and {other!r} in "
                f"{CLIP_HALVES[1]}: they are not of one CLIP"
            )
    names = (
        *("image_size", "patch_size", "image_mean", "image_std"),
        *("vision_width", "vision_layers", "vision_heads"),
    )
    return replace(text, **{name: getattr(vision, name) for name in names})


def _built(part: Part, kind: type) -> Any:
    try:
        return build_config(kind, part.config or {}, part.path.stem)
    except UserError:
        raise
    except (TypeError, AttributeError, ValueError) as error:
        raise WeightsError(f"{part.path}: its configuration is not whole ({error})") from error


def _place(parts: Mapping[str, Part]) -> Path:
    return next(iter(parts.values())).path.parent
