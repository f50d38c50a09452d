"""The system under measure, as the one function that the measures ask for.

A preset with its weights enters; a `Render` leaves, with a name made of the weights' own bytes and
the settings, so that what was seen of other weights is never mistaken for what these would show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import UInt8

from vdjax.errors import UserError
from vdjax.plan import VideoPlan
from vdjax.systems.loaded import LoadedModel, load
from vdjax.systems.videodirectorgpt import film

FRAME = 128
"""Height and width of the frames that the detector was made for, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Generator:
    """Films plans with one model and one set of options; callable as `evaluate.layout.Render`.

    Steps and guidance are the preset's own where they are None, alpha the plan's own. `told_by` is
    what tells an entity: "both", "text" or "image".
    """

    model: LoadedModel
    steps: int | None = None
    guidance: float | None = None
    scheduler: str = "dpm++"
    alpha: float | None = None
    told_by: str = "both"

    @property
    def name(self) -> str:
        """Preset, fingerprint of the weights, and settings."""
        preset, digest = self.model.preset, hashlib.sha256()
        steps = preset.num_inference_steps if self.steps is None else self.steps
        guidance = preset.guidance_scale if self.guidance is None else self.guidance
        for path, leaf in jax.tree_util.tree_leaves_with_path(self.model.params):
            digest.update(jax.tree_util.keystr(path).encode())
            digest.update(np.asarray(leaf).tobytes())
        varied = "" if self.alpha is None else f", alpha {self.alpha:g}"
        varied += "" if self.told_by == "both" else f", told by {self.told_by}"
        return (
            f"{preset.name} {digest.hexdigest()[:12]}, {self.scheduler}, "
            f"{steps} steps, guidance {guidance:g}{varied}"
        )

    def __call__(
        self, plan: VideoPlan, seed: int, *, gates: bool, image_grounding: bool
    ) -> Sequence[UInt8[np.ndarray, "frame height width 3"]]:
        made = film(
            plan,
            seed=seed,
            steps=self.steps,
            guidance=self.guidance,
            scheduler=self.scheduler,
            # No guided steps: the whole film by the program that has no gated layers.
            alpha=self.alpha if gates else 0.0,
            preset=self.model,
            image_grounding=image_grounding and self.told_by != "text",
            text_grounding=self.told_by != "image",
        )
        return made.frames


def generator(preset: str | Path = "storybook", **settings: object) -> Generator:
    """A preset (or a folder of weights) ready to be measured; `settings` as in `Generator`.

    Raises:
        UserError: there is no such preset, or its frames are not of the detector's size.
    """
    model = load(preset)
    size = model.preset.autoencoder.sample_size
    if size != FRAME:
        raise UserError(
            f"preset {model.preset.name!r} makes frames of {size} × {size} pixels; the measure's "
            f"detector sees frames of {FRAME} × {FRAME}"
        )
    return Generator(model=model, **settings)  # type: ignore[arg-type]
