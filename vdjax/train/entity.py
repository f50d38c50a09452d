"""`vdjax train entity`: one new identity from a few pictures; every network stays as it is.

Pictures of a thing enter; a `Look` leaves: what grounding tokens are told of how it looks. As in
textual inversion (Gal et al. 2022) that is all that learns, from the diffusion loss: an image
embedding, begun at the mean of what CLIP sees in the pictures, and by how much the thing's tokens
move, begun at nothing; the second is ours, for things that the grounding net never saw. The
pictures are put into boxes over the storybook's places, so that where a thing stands and what is
behind it is told by other tokens and does not get into its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from vdjax.data.prepare import WHOLE, close_up
from vdjax.data.reading import fingerprint, listed
from vdjax.data.storybook import BACKGROUNDS, background
from vdjax.errors import UserError
from vdjax.ground.tokens import shift_width
from vdjax.media.pictures import load_cutout
from vdjax.plan import base_name
from vdjax.systems.loaded import LoadedModel, load
from vdjax.systems.looks import Look, plain_name
from vdjax.systems.scenes import uses_images
from vdjax.train.encoder import SystemEncoder
from vdjax.train.guided import GuidedStage, Recipe
from vdjax.train.layout import layout_stage
from vdjax.train.loop import run_stage
from vdjax.train.stage import Schedule
from vdjax.weights.store import load_tree

KINDS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
MOST_PICTURES = 20
FEW_PICTURES = 3
LEAST_SIDE = 16
"""Pixels of a thing's shorter side: fewer show nothing."""

COMPOSITES = 96
"""Pictures in boxes that are made and encoded once; steps draw from them."""

AT_ONCE = 8
"""Pictures that are encoded together."""

BOX_SIDES = 0.25, 0.7
"""The longer side of a box, in shares of the frame."""

LOOK = "entity.safetensors"
"""The file of a run that `film` takes."""

KNOWN_WHOLE = Recipe(caption_kept=1.0, grounding_dropped=0.0, modality_dropped=0.0)
"""Nothing is hidden from tokens that are to be explained by one embedding."""


def train_entity(
    name: str,
    pictures: str | Path,
    out: str | Path,
    *,
    schedule: Schedule | None = None,
    preset: str | Path = "storybook",
    report: Callable[[str], None] = print,
    **loop: Any,
) -> Path:
    """Learn how a thing looks from a folder of pictures; on the same run again, go on.

    Args:
        name: what the thing is called; "my dog" is what plans call "dog".
        pictures: a folder of 1 to 20 of them; transparent ones are cut out, others placed whole.
        out: the run's folder.
        schedule: how long and how fast; None: 200 steps of 8.
        preset: the system, whose tokens know entities by image.
        report: takes lines of progress.
        loop: further options of `vdjax.train.loop.run_stage`.

    Returns:
        RUN/entity.safetensors, for `film(images={name: load_look(path)})`.

    Raises:
        UserError: the name, the pictures or the system cannot be used; see `run_stage`.
    """
    name = plain_name(name)
    if not name:
        raise UserError("name is empty: say what the thing is called, as in --name dog")
    out, paths = Path(out), pictures_in(Path(pictures))
    cutouts = [read_cutout(path) for path in paths]
    if len(paths) < FEW_PICTURES:
        report(f"entity: pictures: {len(paths)}; {FEW_PICTURES} to 5 would show more of it")
    model = load(preset)
    if not uses_images(model):
        raise UserError(
            f"{model.preset.name!r} knows entities by their names alone: take a system whose "
            "tokens are of text and image, such as storybook"
        )
    chosen = schedule or Schedule(
        steps=200, batch_size=8, learning_rate=1e-2, warmup_steps=20, ema_decay=0.98
    )
    stage = entity_stage(model, name, cutouts, chosen, source=fingerprint(*paths))
    weights = run_stage(stage, out, report=report, **loop)
    learnt, _ = load_tree(weights)
    Look(learnt["image"], learnt["shift"], name, model.preset.name).save(out / LOOK)
    report(f'entity: film with it: vdjax film ... --image "{name}={out / LOOK}"')
    return out / LOOK


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, by name.

    Raises:
        UserError: there are none, or too many, or the folder cannot be read.
    """
    found = [folder / name for name in listed(folder) if Path(name).suffix.lower() in KINDS]
    if not 1 <= len(found) <= MOST_PICTURES:
        raise UserError(
            f"{folder} holds {len(found)} pictures: give a folder of 1 to {MOST_PICTURES} "
            f"({', '.join(KINDS)}); 3 to 5 are enough"
        )
    return found


def read_cutout(path: Path) -> UInt8[np.ndarray, "_ _ 4"]:
    """A thing as its picture shows it, without what is clear around it.

    Raises:
        ImageError: it is no picture that can be read.
        UserError: it shows nothing, or too little.
    """
    cutout = load_cutout(path)
    around = Image.fromarray(cutout[..., 3]).getbbox()
    if around is None:
        raise UserError(
            f"picture {path} is transparent all over: there is nothing to learn from it"
        )
    left, top, right, bottom = around
    width, height = right - left, bottom - top
    if min(width, height) < LEAST_SIDE:
        raise UserError(
            f"picture {path} shows {width} × {height} pixels: give one of at least {LEAST_SIDE} "
            "each way"
        )
    return cutout[top:bottom, left:right]


def entity_stage(
    model: LoadedModel,
    name: str,
    cutouts: Sequence[UInt8[np.ndarray, "_ _ 4"]],
    schedule: Schedule,
    *,
    source: str = "",
) -> EntityStage:
    """The stage that learns an entity's embedding; `source` tells its pictures from others."""
    rows = Composites.of(model, name, cutouts, schedule.seed)
    whole = layout_stage(model, schedule, rows, KNOWN_WHOLE, warm_start=True)
    return EntityStage(layout=whole, first=rows.seen.mean(0), called=name, source=source)


@dataclass(frozen=True, eq=False)
class Composites:
    """A thing's pictures in boxes over the storybook's places, as `LayoutData`.

    The thing is the first entity, the place the last.
    """

    name: ClassVar[str] = "composites"

    columns: dict[str, np.ndarray]
    seen: Float[np.ndarray, "composite width"]
    """CLIP's embeddings of the thing in them, as it saw things that the grounding net learnt of."""

    @classmethod
    def of(
        cls,
        model: LoadedModel,
        called: str,
        cutouts: Sequence[UInt8[np.ndarray, "_ _ 4"]],
        seed: int,
        count: int = COMPOSITES,
    ) -> Composites:
        """So many of them, made and encoded here and now: the loop asks for rows from a thread."""
        encoder, grounding = SystemEncoder(model), model.preset.grounding
        made = [
            composed(cutouts[n % len(cutouts)], np.random.default_rng([seed, 41, n]), encoder)
            for n in range(count)
        ]
        places = [one.place for one in made]
        boxes = np.zeros((count, 1, grounding.max_entities, 4), np.float32)
        boxes[:, 0, 0], boxes[:, 0, -1] = [one.box for one in made], WHOLE
        present = np.zeros(boxes.shape[:-1], bool)
        present[..., [0, -1]] = True
        text = np.zeros((count, grounding.max_entities, grounding.text_width), np.float32)
        words = dict(zip(BACKGROUNDS, encoder.words(BACKGROUNDS), strict=True))
        text[:, 0] = encoder.words([base_name(called)])[0]
        text[:, -1] = [words[place] for place in places]
        image = np.zeros((count, grounding.max_entities, grounding.image_width), np.float32)
        image[:, -1] = encoder.looks(np.stack([one.behind for one in made]))
        frames = np.stack([one.frame for one in made])
        parts = [encoder.latents(frames[at : at + AT_ONCE]) for at in range(0, count, AT_ONCE)]
        return cls(
            {
                "latents": np.concatenate(parts)[:, None],
                "ids": encoder.tokens([f"{called}, {place}" for place in places]).astype(np.int32),
                "boxes": boxes,
                "present": present,
                "text": text,
                "image": image,
            },
            seen=encoder.looks(np.stack([one.close for one in made])),
        )

    def __len__(self) -> int:
        return len(self.columns["latents"])

    def names(self, indices: Int[np.ndarray, " batch"]) -> list[str]:
        return [f"composite {index}" for index in indices]

    def rows(self, indices: Int[np.ndarray, " batch"]) -> dict[str, np.ndarray]:
        return {name: column[indices] for name, column in self.columns.items()}


class Composite(NamedTuple):
    """A thing in its box at a place; as CLIP sees it, the thing (`close`) and the place without."""

    frame: UInt8[np.ndarray, "size size 3"]
    box: Float[np.ndarray, " 4"]
    place: str
    close: UInt8[np.ndarray, "crop crop 3"]
    behind: UInt8[np.ndarray, "crop crop 3"]


def composed(
    cutout: UInt8[np.ndarray, "_ _ 4"], rng: np.random.Generator, encoder: SystemEncoder
) -> Composite:
    """A thing put somewhere, in some size, mirrored or not, at one of the storybook's places."""
    size = encoder.image_size
    place = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    behind = background(place, int(rng.integers(2**31)), size)
    art = Image.fromarray(cutout)
    scale = rng.uniform(*BOX_SIDES) * size / max(art.size)
    width, height = (max(2, round(side * scale)) for side in art.size)
    left, top = (int(rng.integers(size - side + 1)) for side in (width, height))
    art = art.resize((width, height), Image.Resampling.LANCZOS)
    if rng.random() < 0.5:
        art = art.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    frame = Image.fromarray(behind)
    frame.paste(art, (left, top), art)
    box = np.array([left, top, left + width, top + height], np.float32) / size
    pixels, crop = np.asarray(frame), encoder.crop_size
    return Composite(pixels, box, place, close_up(pixels, box, crop), close_up(behind, WHOLE, crop))


@dataclass(frozen=True, kw_only=True)
class EntityStage:
    """A layout stage in which all is frozen; what is told of the first entity's looks learns."""

    layout: GuidedStage
    first: Float[np.ndarray, " width"]
    called: str
    source: str
    name: str = "entity"

    @property
    def schedule(self) -> Schedule:
        return self.layout.schedule

    def describe(self) -> dict[str, Any]:
        return {**self.layout.describe(), "entity": self.called, "pictures": self.source}

    def init(self):
        whole = self.layout
        frozen = {"unet": whole.start, "net": whole.grounding_start, "text": whole.text_params}
        shift = jnp.zeros(shift_width(whole.preset.grounding))
        return {"image": jnp.asarray(self.first, jnp.float32), "shift": shift}, frozen

    def batch(self, step: int) -> dict[str, np.ndarray]:
        return self.layout.batch(step)

    def sample_ids(self, step: int) -> list[str]:
        return self.layout.sample_ids(step)

    def draw(self, key, shapes):
        return self.layout.draw(key, shapes)

    def loss(self, params, frozen, batch, key):
        image = jnp.asarray(batch["image"]).at[:, 0].set(_unit(params["image"]))
        shift = jnp.zeros((*image.shape[:2], len(params["shift"]))).at[:, 0].set(params["shift"])
        return self.layout.loss({}, frozen, {**batch, "image": image, "shift": shift}, key)

    def export(self, params, frozen):
        learnt = {"image": _unit(params["image"]), "shift": params["shift"]}
        return {name: np.asarray(x) for name, x in learnt.items()}, {"name": self.called}


def _unit(embedding):
    return embedding / jnp.linalg.norm(embedding)
