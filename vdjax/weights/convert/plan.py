"""Which architecture a source is, and what of it goes where: decided before anything is written.

A `Source` enters; the parts of a preset's folder leave, each a file with its configuration and the
moves that fill it. A UNet's gated layers and the grounding MLP make a file of their own ("guided"),
as in the folders that training ships.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vdjax.errors import WeightsError
from vdjax.model.params import GATED
from vdjax.weights.convert import autoencoder, clip, modelscope, prior, unet2d, unet3d
from vdjax.weights.convert.rules import Move, Rule, plan_conversion
from vdjax.weights.convert.settings import kind_of
from vdjax.weights.convert.source import HALF, Source, Tensor, read_json
from vdjax.weights.convert.tokenizer import convert_tokenizer, find_tokenizer
from vdjax.weights.convert.unets import POSITION_NET, Denoiser, wanted
from vdjax.weights.presets import PRESETS, Preset, get_preset

PREDICTIONS = ("epsilon", "v_prediction")
FLOATS = ("F64", "F32", "F16", "BF16")
SCHEDULER = Path("scheduler", "scheduler_config.json")

# The name of the file by the kind of CLIP in it: what shares no space with pictures reads scenes.
_TOWERS = {
    "CLIPTextModel": "text_encoder",
    "CLIPTextModelWithProjection": "clip_text",
    **dict.fromkeys(clip.VISION, "image_encoder"),
    **dict.fromkeys(clip.BOTH, "clip"),
}
_READERS = ("text_encoder", "clip_text", "clip")
DENOISERS = (*unet3d.KINDS, *unet2d.KINDS, *modelscope.KINDS)
KINDS = (
    *DENOISERS,
    *autoencoder.KINDS,
    *prior.KINDS,
    *clip.KINDS,
)


@dataclass(frozen=True)
class Part:
    """One file to be: its name, its configuration, and by leaf what fills it; and, of a text tower,
    the tokenizer that goes with it, where it was saved with one."""

    name: str
    config: Mapping[str, Any]
    moves: Mapping[str, tuple[Move, Tensor]]
    tokenizer: bytes | None = None

    @property
    def parameters(self) -> int:
        return sum(math.prod(move.shape) for move, _ in self.moves.values())

    @property
    def notes(self) -> list[str]:
        """What somebody who converts it may want to know, a line each."""
        found = []
        files = sorted({tensor.file for _, tensor in self.moves.values()})
        if half := [file for file in files if HALF in file.name]:
            found.append(
                f"{self.name} is taken in half precision, from {half[0].name}: "
                f"{half[0].parent} has no other"
            )
        if self.name in _READERS and self.tokenizer is None:
            found.append(
                f"{self.name} has no tokenizer beside it (vocab.json and merges.txt, or "
                "tokenizer.json): it cannot be told a text"
            )
        return found


def kind_of_source(source: Source) -> str:
    """The class whose weights these are, as far as keys and configuration tell; or ""."""
    if modelscope.is_named_so(source.tensors):
        return modelscope.KINDS[0]
    return kind_of(source.config or {})


def plan_source(source: Source, preset: str | None = None) -> list[Part]:
    """The parts that one source gives. `preset` stands in for a configuration that is not there.

    Raises:
        WeightsError: the architecture is unknown, its configuration is not one of ours or is not
            the preset's, or the weights are not of that configuration.
        UserError: there is no such preset.
    """
    kind = kind_of_source(source)
    if kind in _TOWERS or kind in (*autoencoder.KINDS, *prior.KINDS):
        if preset is not None:
            raise WeightsError(f"{source.path} is of {kind}: a preset says what a UNet is")
        return [_simple(source, kind)]
    if kind and kind not in KINDS:
        raise WeightsError(f"{source.path} is of {kind}; vdjax converts {', '.join(KINDS)}")
    return _denoiser(source, kind, None if preset is None else get_preset(preset))


def _simple(source: Source, kind: str) -> Part:
    """A network that is one file and has one configuration."""
    module: Any
    if kind in autoencoder.KINDS:
        module, name = autoencoder, "autoencoder"
        rules = autoencoder.rules_for(source.tensors)
    elif kind in prior.KINDS:
        module, name, rules = prior, "prior", prior.RULES
    else:
        module, name, rules = clip, _TOWERS[kind], clip.RULES
    config = module.configure(source.config or {})
    moves = _moves(source, rules, module.wanted(config))
    tokenizer = None
    if kind in (*clip.TEXT, *clip.BOTH):
        folder = find_tokenizer(source.path)
        tokenizer = None if folder is None else convert_tokenizer(folder, config)
    return Part(name, asdict(config), moves, tokenizer)


def _denoiser(source: Source, kind: str, preset: Preset | None) -> list[Part]:
    given = _configured(source, kind)
    if preset is None:
        if given is None:
            raise WeightsError(
                f"{source.path} has no config.json beside it: put it there, or say which of "
                f"{', '.join(_full_sizes())} it is"
            )
        denoiser = given
    else:
        denoiser = _of_preset(preset)
        if given is not None and given != denoiser:
            raise WeightsError(f"{source.path} is configured as another network than {preset.name}")
    moves = _moves(source, _rules(source, denoiser), wanted(denoiser))
    matching = preset or next(
        (p for p in map(get_preset, _full_sizes()) if _of_preset(p) == denoiser), None
    )
    usual = get_preset("modelscope" if denoiser.unet.temporal else "sd15")
    base = matching or replace(usual, name=kind or "unet")
    noise = asdict(base.noise) | _noise(source)
    config = {
        "name": base.name,
        "num_frames": base.num_frames,
        "shared_noise": base.shared_noise,
        "num_inference_steps": base.num_inference_steps,
        "guidance_scale": base.guidance_scale,
        "unet": asdict(denoiser.unet),
        "noise": noise,
    }
    parts = [Part("unet", config, {leaf: m for leaf, m in moves.items() if not _guided(leaf)})]
    if denoiser.grounding is not None:
        guided = {_guided(leaf): m for leaf, m in moves.items() if _guided(leaf)}
        parts.append(Part("guided", asdict(denoiser.grounding), guided))
    return parts


def _configured(source: Source, kind: str) -> Denoiser | None:
    if kind in modelscope.KINDS:
        return modelscope.configure(source.config or {})
    if source.config is None:
        return None
    if not kind:
        raise WeightsError(f"{source.path}: its config.json names no class, so of what is it?")
    module: Any = unet3d if kind in unet3d.KINDS else unet2d
    denoiser: Denoiser = module.configure(source.config)
    return denoiser


def _rules(source: Source, denoiser: Denoiser) -> Sequence[Rule]:
    if modelscope.is_named_so(source.tensors):
        return modelscope.rules_for(denoiser)
    if denoiser.unet.temporal:
        return unet3d.rules_for(denoiser)
    if source.config is not None:
        return unet2d.rules_for(denoiser, source.config)
    # Nobody says how projections are kept; the first of them does.
    ranks = [len(t.shape) for key, t in source.tensors.items() if key.endswith(".proj_in.weight")]
    return unet2d.rules_for(denoiser, {"use_linear_projection": ranks[:1] == [2]})


def _moves(
    source: Source, rules: Sequence[Rule], leaves: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[Move, Tensor]]:
    try:
        moves = plan_conversion(source.shapes, rules, leaves)
    except WeightsError as error:
        raise WeightsError(f"{source.path}: {error}") from error
    found = {move.leaf: (move, source.tensors[move.key]) for move in moves}
    if odd := [move.key for move, tensor in found.values() if tensor.dtype not in FLOATS]:
        seen = found[next(m.leaf for m, t in found.values() if t.dtype not in FLOATS)][1].dtype
        raise WeightsError(
            f"{source.path}: {len(odd)} tensors are of dtype {seen} ({', '.join(odd[:4])}); "
            f"vdjax converts {', '.join(FLOATS)}: get weights that are not quantised"
        )
    return found


def _guided(leaf: str) -> str:
    """Where a leaf is in the file of gated layers; "" where it is not in it."""
    first, _, rest = leaf.partition("/")
    if first == POSITION_NET:
        return f"net/{rest}"
    return f"unet/{leaf}" if any(f"/{name}/" in leaf for name in GATED) else ""


def _of_preset(preset: Preset) -> Denoiser:
    return Denoiser(preset.unet, preset.grounding if preset.unet.gated else None)


def _full_sizes() -> list[str]:
    """The presets that public weights are of: the fused tokens of the paper have none."""
    return [
        name
        for name, make in PRESETS.items()
        if not make().unet.gated or (not make().grounding.fused and not make().unet.box_geometry)
    ]


def _noise(source: Source) -> dict[str, Any]:
    """What a scheduler's configuration beside the model says of the noise it was trained with."""
    folder = source.path if source.path.is_dir() else source.path.parent
    path = folder.parent / SCHEDULER
    if not path.exists():
        return {}
    scheduler = read_json(path)
    if scheduler.get("beta_schedule", "scaled_linear") != "scaled_linear":
        raise WeightsError(
            f"{path}: beta_schedule is {scheduler['beta_schedule']!r}; vdjax has 'scaled_linear'"
        )
    if scheduler.get("prediction_type", "epsilon") not in PREDICTIONS:
        raise WeightsError(
            f"{path}: prediction_type is {scheduler['prediction_type']!r}; vdjax has "
            f"{' and '.join(map(repr, PREDICTIONS))}"
        )
    names = ("num_train_timesteps", "beta_start", "beta_end", "prediction_type")
    return {name: scheduler[name] for name in names if name in scheduler}
