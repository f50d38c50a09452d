"""The stages of the storybook system in their order, and how each finds what it stands on.

A stage reads the weights of the ones before it from the runs folder, or, where a run is missing,
from the weights that ship. The schedules are those of the shipped weights' model card.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vdjax.data.storybook import BACKGROUNDS, NAMES, StorybookWorld
from vdjax.errors import UserError
from vdjax.ground.tokenizer import Tokenizer
from vdjax.ground.tokens import init_net
from vdjax.model.hf import CLIP, Autoencoder, AutoencoderConfig, CLIPConfig
from vdjax.model.params import TEMPORAL, init_unet, merge_params, split_params
from vdjax.train import STAGES
from vdjax.train.autoencoder import AutoencoderStage
from vdjax.train.backbone import BackboneStage
from vdjax.train.cache import Samples, cached_samples, fingerprint
from vdjax.train.clip import CLIPStage
from vdjax.train.detector import DetectorStage
from vdjax.train.guided import GuidedStage
from vdjax.train.loop import begun_with, run_stage
from vdjax.train.pictures import PicturesStage
from vdjax.train.prior import PriorStage
from vdjax.train.rows import StorybookRows
from vdjax.train.stage import Schedule, Stage
from vdjax.weights.presets import Preset, get_preset
from vdjax.weights.store import load_tree, shipped_folder

SCHEDULES = {
    "autoencoder": Schedule(
        steps=20_000, batch_size=32, learning_rate=1e-3, warmup_steps=200, ema_decay=0.999
    ),
    "clip": Schedule(steps=4_000, batch_size=256, learning_rate=1e-3, weight_decay=0.05),
    "backbone": Schedule(steps=40_000, batch_size=128, learning_rate=6e-4, warmup_steps=500),
    "motion": Schedule(steps=8_000, batch_size=8, learning_rate=4e-4, warmup_steps=200),
    "prior": Schedule(steps=4_000, batch_size=256, learning_rate=1e-3),
    "pictures": Schedule(steps=10_000, batch_size=128, learning_rate=1e-3),
    "guided": Schedule(steps=40_000, batch_size=128, learning_rate=8e-4, warmup_steps=500),
    "detector": Schedule(
        steps=6_000, batch_size=16, learning_rate=2e-3, weight_decay=0.02, ema_decay=0.995
    ),
}
SUFFIX = ".safetensors"
SHIPPED_IN = {
    "backbone": "unet.safetensors",
    "motion": "unet.safetensors",
    "pictures": "guided.safetensors",
}
SAMPLES = {"image": 200_000, "clip": 10_000}
"""How many samples the later stages are trained on, encoded once."""


def run(
    stage: str,
    *,
    runs: str | Path = "runs",
    preset: str = "storybook",
    samples: dict[str, int] | None = None,
    warm_start: bool = False,
    report: Callable[[str], None] = print,
    checkpoint_seconds: float = 180.0,
    **schedule: Any,
) -> Path:
    """Train one stage, or "all" of them in order; started again, it goes on where it stopped.

    Args:
        stage: one of `STAGES`, or "all".
        runs: folder that keeps every stage's checkpoints, logs and weights.
        preset: which sizes to train.
        samples: how many pictures ("image") and clips ("clip") the later stages read.
        warm_start: begin with the weights that ship, with a fresh optimiser, not at random.
        report: takes each line of progress.
        checkpoint_seconds: seconds between checkpoints.
        schedule: fields of `Schedule` to change, such as steps or batch_size.

    Returns:
        The weights file of the (last) stage.

    Raises:
        UserError: there is no such stage, or one it stands on has not been trained.
    """
    if stage not in (*STAGES, "all"):
        raise UserError(f"stage {stage!r} is unknown: use one of {', '.join(STAGES)}, or all")
    path, sizes = Path(runs), get_preset(preset)
    if stage == "pictures" and not sizes.grounding.picture_waves:
        raise UserError(f"preset {preset!r} has no pictures in its tokens: go on with `guided`")
    every = [name for name in STAGES if name != "pictures" or sizes.grounding.picture_waves]
    for name in every if stage == "all" else (stage,):
        chosen = replace(SCHEDULES[name], **{k: v for k, v in schedule.items() if v is not None})
        counts = {**SAMPLES, **(samples or {})}
        workshop = Workshop(Path(runs), sizes, counts, report, warm_start)
        made = workshop.stage(name, chosen)
        path = run_stage(
            made,
            Path(runs) / name,
            start=workshop.start(name, made) if warm_start else None,
            checkpoint_seconds=checkpoint_seconds,
            report=report,
        )
    return path


class Workshop:
    """Builds stages from the weights at hand."""

    def __init__(
        self,
        runs: Path,
        preset: Preset,
        samples: dict[str, int],
        report: Callable[[str], None],
        warm_start: bool = False,
    ):
        self.runs, self.preset, self.counts, self.report = runs, preset, samples, report
        self.warm_start = warm_start

    def stage(self, name: str, schedule: Schedule) -> Stage:
        """The stage of that name, ready to run."""
        if name == "autoencoder":
            return AutoencoderStage(config=self.preset.autoencoder, schedule=schedule)
        if name == "clip":
            return CLIPStage(
                config=self.preset.clip,
                schedule=schedule,
                tokenizer_path=self.runs / "clip" / "tokenizer.json",
            )
        if name == "detector":
            return DetectorStage(schedule=schedule)
        clip, clip_params, tokenizer = self._clip()
        empty = tokenizer([""])[0]
        if name in ("backbone", "motion"):
            start = init_unet(self.preset.unet, jax.random.key(schedule.seed))
            if name == "motion":
                start = merge_params(start, self._weights("backbone")[0])
            return BackboneStage(
                preset=self.preset,
                schedule=schedule,
                part="spatial" if name == "backbone" else "temporal",
                samples=self._samples("image" if name == "backbone" else "clip"),
                clip_params=clip_params,
                start=start,
                empty_ids=empty,
            )
        if name == "prior":
            ids = jnp.asarray(tokenizer([*NAMES, *BACKGROUNDS, ""]))
            embeddings = np.asarray(jax.jit(clip.embed_text)(clip_params, ids))
            states = np.asarray(jax.jit(clip.text)(clip_params, ids)[0])
            return PriorStage(
                preset=self.preset,
                schedule=schedule,
                samples=self._samples("image"),
                text_embeddings=embeddings,
                text_states=states,
            )
        kind = PicturesStage if name == "pictures" else GuidedStage
        return kind(
            preset=self.preset,
            schedule=schedule,
            data=self.rows("image"),
            text_params=clip_params,
            start=merge_params(
                init_unet(self.preset.unet, jax.random.key(schedule.seed)),
                self._weights("backbone")[0],
            ),
            grounding_start=self._grounding(name, schedule.seed),
            empty_ids=empty,
        )

    def rows(self, kind: str) -> StorybookRows:
        """The samples as layout training reads them: "image" or "clip"."""
        clip, params, tokenizer = self._clip()
        ids = jnp.asarray(tokenizer([*NAMES, *BACKGROUNDS]))
        embeddings = np.asarray(jax.jit(clip.embed_text)(params, ids))
        return StorybookRows(
            self._samples(kind), embeddings[: len(NAMES)], embeddings[len(NAMES) :]
        )

    def _grounding(self, stage: str, seed: int) -> Any:
        """The grounding net as a stage begins it; the guided one goes on from its pictures."""
        if stage == "guided" and self.preset.grounding.picture_waves:
            here = self.runs / "pictures" / "weights.safetensors"
            if here.exists() or not self.warm_start:
                return self._weights("pictures", shipped=False)[0]
        fresh = init_net(self.preset.grounding, jax.random.key(seed))
        return begun_with(fresh, self.shipped("guided")["net"])[0] if self.warm_start else fresh

    def start(self, name: str, stage: Stage) -> Any:
        """What a warm start begins with."""
        shipped = self.shipped(name)
        if isinstance(stage, GuidedStage):
            net = stage.grounding_start
            return {**shipped, "net": net} if name == "guided" else net
        return shipped

    def shipped(self, name: str) -> Any:
        """The trained parameters of a stage, as they ship."""
        tree, _ = load_tree(shipped_folder(self.preset.name) / SHIPPED_IN.get(name, name + SUFFIX))
        tree = jax.tree_util.tree_map(lambda x: np.asarray(x, np.float32), tree)
        if name in ("backbone", "motion"):
            temporal, spatial = split_params(tree, TEMPORAL)
            return spatial if name == "backbone" else temporal
        return tree["network"] if name == "prior" else tree

    def _path(self, part: str, file: str = "weights.safetensors", shipped: bool = True) -> Path:
        here = self.runs / part / file
        if here.exists():
            return here
        known_as = SHIPPED_IN.get(part, part + SUFFIX) if file.startswith("weights") else file
        try:
            path = shipped_folder(self.preset.name) / known_as if shipped else None
        except UserError:
            path = None
        if path is None or not path.exists():
            raise UserError(
                f"{here} is missing: this stage stands on {part!r}; "
                f"train it first with `vdjax train {part} --runs {self.runs}`"
            )
        return path

    def _weights(self, part: str, shipped: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
        tree, config = load_tree(self._path(part, shipped=shipped))
        tree = jax.tree_util.tree_map(lambda x: np.asarray(x, np.float32), tree)
        return tree, config or {}

    def _clip(self) -> tuple[CLIP, Any, Tokenizer]:
        params, config = self._weights("clip")
        clip = CLIP(CLIPConfig(**_tuples(config)))
        return (
            clip,
            params,
            Tokenizer(self._path("clip", "tokenizer.json"), clip.config.text_positions),
        )

    def _samples(self, kind: str) -> Samples:
        params, config = self._weights("autoencoder")
        autoencoder = Autoencoder(AutoencoderConfig(**_tuples(config)))
        clip, clip_params, tokenizer = self._clip()
        return cached_samples(
            self.runs / "cache",
            StorybookWorld(
                split="train",
                size=autoencoder.config.sample_size,
                num_frames=self.preset.num_frames,
            ),
            kind,
            self.counts[kind],
            autoencoder,
            params,
            clip,
            clip_params,
            tokenizer,
            fingerprint(self._path("autoencoder"), self._path("clip")),
            report=self.report,
        )


def _tuples(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration as it was before JSON made lists of its tuples."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in config.items()}
