"""`vdjax train layout`: gated layers on anybody's pictures with boxes, all else frozen.

A system (a preset or a folder of weights) and a data set enter; a run folder leaves, and in it a
system with the layers that were trained, which `vdjax film --preset RUN/model` takes. The order is
the paper's (VideoDirectorGPT, section 3.2 and appendix D.3): frozen backbone, still pictures, the
gated layers and the grounding MLP alone; `Recipe` says what else may be tried.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from vdjax.data import open_data
from vdjax.data.cache import build
from vdjax.data.encoded import EncodedData
from vdjax.data.storybook.reader import Storybook
from vdjax.ground.tokens import init_net
from vdjax.model.params import GATED, PICTURES, fill_params, init_unet, merge_params, split_params
from vdjax.systems.loaded import LoadedModel, load
from vdjax.train.encoder import SystemEncoder
from vdjax.train.guided import GuidedStage, Recipe
from vdjax.train.loop import run_stage
from vdjax.train.parallel import Spread
from vdjax.train.rows import Later
from vdjax.train.stage import Schedule
from vdjax.train.watching.held_out import SEED
from vdjax.weights.presets import Preset
from vdjax.weights.store import load_tree, save_tree, write_manifest
from vdjax.weights.system import token_width

WATCHED = 8
"""Pictures that are looked at while the run learns, and never learnt from."""

MODEL = "model"
"""The folder of a run that holds the whole system, for `load` and `vdjax film --preset`."""


def train_layout(
    schedule: Schedule,
    out: str | Path,
    *,
    preset: str | Path = "storybook",
    data: str | Path = "storybook",
    recipe: Recipe | None = None,
    count: int | None = None,
    cache: str | Path | None = None,
    on_bad: str = "skip",
    warm_start: bool = False,
    spread: Spread | None = None,
    watch_every: int | None = None,
    report: Callable[[str], None] = print,
    **loop: Any,
) -> Path:
    """Train the gated layers of a system; on the same folder again, go on where it stopped.

    Args:
        schedule: how long and how fast.
        out: the run's folder.
        preset: the system: "storybook", "toy" or a folder of weights; fresh gates are added to one
            that has none.
        data: pictures with boxes, as `vdjax.data.open_data` takes them.
        recipe: what is varied; None is `Recipe()`.
        count: use so many of the pictures; None: all.
        cache: where encoded pictures are kept; None: in the run's folder.
        on_bad: what a picture that cannot be used does: "skip" or "stop".
        warm_start: begin with the gated layers that the system has, not with fresh ones.
        spread: over which devices; None: over as many as divide the batch.
        watch_every: steps between contact sheets and looks at attention; None: no watching.
        report: takes lines of progress.
        loop: further options of `vdjax.train.loop.run_stage`.

    Returns:
        The run's folder.

    Raises:
        UserError: the system, the data or an option cannot be used; see `run_stage`.
    """
    out, recipe = Path(out), recipe or Recipe()
    model = with_gates(load(preset))
    encoder = SystemEncoder(model)
    reader = open_data(data, size=encoder.image_size)
    if count is None and reader.name == Storybook.name:
        count = schedule.steps * schedule.batch_size  # of an endless world, as many as are drawn
    most = model.preset.grounding.max_entities - 1
    folder = Path(cache or out / "cache")
    keep: dict[str, Any] = {"most": most, "on_bad": on_bad, "wait": True, "report": report}
    if reader.name == Storybook.name:
        keep["least_area"] = 0.0  # small things were drawn on purpose
    samples: Any = build(reader, folder, encoder, count=count, **keep)
    watched: Any = None
    if watch_every is not None and reader.name == Storybook.name:
        world = Storybook(WATCHED, split="validation", seed=SEED, size=encoder.image_size)
        watched = build(world, out / "watched", encoder, **keep)
    elif watch_every is not None and len(samples) > 4 * WATCHED:
        samples, watched = _watched(samples)
    elif watch_every is not None:
        report(f"layout: {len(samples)} pictures are too few to hold some out: none are watched")
    stage = layout_stage(model, schedule, samples, recipe, warm_start=warm_start)
    watchers = ()
    if watch_every is not None and watched is not None:
        watchers = _watchers(model, stage, watched, out, watch_every)
    weights = run_stage(stage, out, spread=spread, watchers=watchers, report=report, **loop)
    leads = spread is None or spread.leader
    if leads and (made := assemble(model, weights, out / MODEL)) is not None:
        report(f"layout: film with it: vdjax film --preset {made} ...")
    return out


def with_gates(model: LoadedModel) -> LoadedModel:
    """The system with gated layers: its own, or fresh ones where it was made without.

    Fresh ones are told of entities by text and image where the system has both towers of a CLIP
    (the paper's), by text alone where it has none for pictures (LVD's).
    """
    preset = model.preset
    if "net" in model.params:
        return model
    paper = bool(preset.clip.vision_layers and preset.clip.projection_dim)
    known = (Preset.videodirectorgpt if paper else Preset.lvd)().grounding
    if paper:
        width = preset.clip.projection_dim
        grounding = replace(known, text_width=width, image_width=width, projection_width=width)
    else:
        grounding = replace(known, text_width=preset.clip.text_width)
    unet = replace(preset.unet, gated=True, grounding_width=token_width(grounding))
    whole = replace(preset, unet=unet, grounding=grounding)
    params = {**model.params, "net": init_net(grounding, jax.random.key(0))}
    params["unet"] = merge_params(params["unet"], fresh_gates(whole, 0))
    return LoadedModel(whole, params, model.tokenizer, model.scene_tokenizer, model.folder)


def fresh_gates(preset: Preset, seed: int) -> Any:
    """Untrained gated layers in their shapes; nothing is compiled."""
    shapes = jax.eval_shape(lambda key: init_unet(preset.unet, key), jax.random.key(0))
    gated, _ = split_params(shapes, GATED)
    filled = fill_params(gated, seed)

    def shut(path: Any, leaf: Any) -> Any:
        return 0.0 * leaf if "alpha_" in jax.tree_util.keystr(path) else leaf

    return jax.tree_util.tree_map_with_path(shut, filled)


def layout_stage(
    model: LoadedModel,
    schedule: Schedule,
    samples: Any,
    recipe: Recipe,
    *,
    warm_start: bool = False,
) -> GuidedStage:
    """The stage that trains a system's gated layers on encoded samples.

    Fresh grounding nets keep what makes their pictures, which another stage has taught.
    """
    preset = model.preset
    unet, net = model.part("unet"), model.part("net")
    if not warm_start:
        _, rest = split_params(unet, GATED)
        unet = merge_params(rest, fresh_gates(preset, schedule.seed))
        carried = PICTURES if preset.grounding.picture_waves else ()
        pictures, _ = split_params(net, carried)
        _, fresh = split_params(init_net(preset.grounding, jax.random.key(schedule.seed)), carried)
        net = merge_params(fresh, pictures)
    elif recipe.open_gate is not None:
        recipe = replace(recipe, open_gate=None)  # they go on from where they are
    reads = "clip" if preset.text_encoder is None else "text_encoder"
    return GuidedStage(
        preset=preset,
        schedule=schedule,
        data=samples,
        text_params=model.part(reads),
        start=unet,
        grounding_start=net,
        empty_ids=np.asarray(SystemEncoder(model).tokens([""])[0]),
        recipe=recipe,
        name="layout",
    )


def assemble(model: LoadedModel, weights: Path, folder: Path) -> Path | None:
    """The system with the layers that a run trained, as a folder; None of a system without one.

    What was not trained is linked to, not copied, where the file system allows.
    """
    if model.folder is None:
        return None
    tree, config = load_tree(weights)
    unet = merge_params(model.params["unet"], tree["unet"])
    gated, rest = split_params(unet, GATED)
    _, learnt = split_params(tree["unet"], GATED)
    temporary = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for path in model.folder.iterdir():
        if path.suffix in (".safetensors", ".json") and path.name not in ("manifest.json",):
            _link(path, temporary / path.name)
    replaced = {"guided": ({"unet": gated, "net": tree["net"]}, config or {})}
    if learnt:
        replaced["unet"] = (rest, load_tree(model.folder / "unet.safetensors")[1] or {})
    for part, (leaves, told) in replaced.items():
        (temporary / f"{part}.safetensors").unlink(missing_ok=True)
        save_tree(temporary / f"{part}.safetensors", jax.device_get(leaves), told)
    write_manifest(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    return folder


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _watched(samples: Any) -> tuple[Any, Any]:
    """(what is trained on, what is watched): the first pictures of a data set are held out."""
    first = WATCHED
    while first < len(samples) and samples.names(np.array([first]))[0].endswith("(mirrored)"):
        first += 1  # the twin of one that is watched
    return Later(samples, first), samples


def _watchers(model: LoadedModel, stage: GuidedStage, watched: Any, out: Path, every: int) -> Any:
    from vdjax.evaluate.detector import StorybookDetector
    from vdjax.evaluate.generator import FRAME
    from vdjax.train.watching.held_out import HeldOut
    from vdjax.train.watching.watchers import layout_watchers

    held_out = HeldOut.of(watched, WATCHED, stage.empty_ids, stage.recipe)
    known = model.preset.autoencoder.sample_size == FRAME and isinstance(watched, EncodedData)
    storybook = known and watched.name == Storybook.name
    detector = StorybookDetector.shipped() if storybook else None
    return layout_watchers(
        model.preset, held_out, model.decode, out, every=every, detector=detector
    )
