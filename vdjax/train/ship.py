"""From runs to the weights that ship: every part in float16, with checksums, in one folder.

A runs folder enters, a folder that `vdjax.load` reads leaves. A part whose run is missing keeps the
weights that shipped before, so that one stage can be trained further on its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np

from vdjax.errors import UserError
from vdjax.model.params import TEMPORAL, init_unet, merge_params, split_params
from vdjax.train.stage import listed
from vdjax.weights.presets import Preset, get_preset
from vdjax.weights.store import load_tree, save_tree, write_manifest

LIMIT_BYTES = 64 * 2**20
"""What a preset inside the package may weigh in all."""


def ship(runs: str | Path, folder: str | Path, preset: str = "storybook") -> dict[str, int]:
    """Write the trained parts of `runs` into `folder` and return each file's size in bytes.

    Raises:
        UserError: a part has neither a run nor earlier weights, or the whole is too heavy.
    """
    runs, folder = Path(runs), Path(folder)
    shipped: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for part in ("autoencoder", "clip", "prior", "guided", "detector"):
        shipped[part] = _part(runs / part / "weights.safetensors", folder / f"{part}.safetensors")
    shipped["unet"] = _unet(runs, folder, get_preset(preset))
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = runs / "clip" / "tokenizer.json"
    if tokenizer.exists():
        shutil.copyfile(tokenizer, folder / "tokenizer.json")
    for part, (tree, config) in shipped.items():
        half = jax.tree_util.tree_map(lambda x: np.asarray(x, np.float16), tree)
        save_tree(folder / f"{part}.safetensors", half, config)
    write_manifest(folder)
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.safetensors"))}
    if sum(sizes.values()) > LIMIT_BYTES:
        raise UserError(
            f"the weights in {folder} weigh {sum(sizes.values()):,} bytes: "
            f"at most {LIMIT_BYTES:,} ship; make the preset smaller"
        )
    return sizes


def _part(run: Path, before: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    path = run if run.exists() else before
    if not path.exists():
        raise UserError(
            f"{run} is missing and nothing shipped before: run `vdjax train {run.parent.name}`"
        )
    tree, config = load_tree(path)
    return tree, config or {}


def _unet(runs: Path, folder: Path, preset: Preset) -> tuple[dict[str, Any], dict[str, Any]]:
    """Spatial layers of the backbone's run, temporal ones of the motion run.

    Untrained temporal layers, which let frames pass unchanged, stand in where there are none.
    """
    tree, config = _part(runs / "backbone" / "weights.safetensors", folder / "unet.safetensors")
    # What shipped before holds both; a run of the backbone, spatial layers only.
    temporal, spatial = split_params(tree, TEMPORAL)
    motion = runs / "motion" / "weights.safetensors"
    if motion.exists():
        temporal = split_params(load_tree(motion)[0], TEMPORAL)[0]
    elif not temporal:
        temporal = split_params(init_unet(preset.unet, jax.random.key(0)), TEMPORAL)[0]
    # How much noise frames share is the sampler's choice, and how gated layers are told of place is
    # the guided stage's: the preset's of today, not the run's.
    today = {"shared_noise": preset.shared_noise, "unet": listed(preset.unet)}
    return merge_params(temporal, spatial), {**config, **today}
