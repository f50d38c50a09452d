"""Attention over the frames of a scene: by step, layer, head and token, beside the boxes.

A record of `vdjax.inspect.attention` and the frames made with it enter; two of them are compared
side by side, in step. All maps travel once, as 8-bit numbers, so that no slider asks Python for
anything; only single heads are fetched when they are looked at. DAAM (Tang et al. 2023) sums over
time steps; here the step is a slider. People without widgets have the same pictures from
`vdjax.inspect.attention_pictures`.
"""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import traitlets
from PIL import Image

from vdjax.errors import UserError
from vdjax.files import folder_name, replace_file
from vdjax.inspect.attention_pictures import (
    Clip,
    Compared,
    attention_clip,
    attention_strip,
    attention_view,
)
from vdjax.inspect.colours import COLOUR_MAPS, colour_table
from vdjax.inspect.records import AttentionRecord
from vdjax.inspect.views import NORMS, Look, check_comparable, inside_and_even, token_boxes
from vdjax.media.video import FPS, write_gif, write_mp4
from vdjax.plan import VideoPlan
from vdjax.widgets.attention_wire import (
    LIMIT,
    heads_bytes,
    packed,
    packed_heads,
    shared_most,
    travelling_side,
)
from vdjax.widgets.base import sheet
from vdjax.widgets.films import FilmWidget
from vdjax.widgets.layout_picture import as_clip

SAVED = ("png", "gif", "mp4")


class AttentionInspector(FilmWidget):
    """Look at what each token and word is looked at by, frame by frame and step by step.

    Args:
        record: where tokens were looked at.
        frames: the frames of that scene, uint8[frame, height, width, 3].
        plan: the film's plan, for the boxes and what lies inside them.
        compare: a second record with its frames, shown beside the first on the same scales; a third
            part is its plan, where that is another one (as after an edit).
        scene: the scene's number in the plan, from 1.
        titles: what the two records are called.

    Traits to read, set or link:
        token: a label of the record's, such as "cat" or "word cat".
        step, layer, head: from 1 and by name; 0, "" and 0 are the means.
        frame: from 1.
        norm: what the scale of colours is of: each "map", all frames at the "step", or "absolute".
        colours: "viridis", "cividis" or "magma".
        opacity: of the maps, 0..1.
        boxes: whether boxes are shown.

    Raises:
        UserError: there is not a frame for each of the record's, the two records are not of the
            same steps, frames and layers, or they are too large for a page.
    """

    parts: ClassVar[Any] = (
        "film_stage",
        "attention_maps",
        "attention_panels",
        "attention_looking",
    )

    sides: Any = traitlets.List().tag(sync=True)
    most: Any = traitlets.Dict().tag(sync=True)
    tables: Any = traitlets.Dict().tag(sync=True)
    heads: Any = traitlets.List().tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    saved: Any = traitlets.Dict().tag(sync=True)
    scene = traitlets.Int(1).tag(sync=True)
    own_plan = traitlets.Bool(False).tag(sync=True)

    token = traitlets.Unicode("").tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    layer = traitlets.Unicode("").tag(sync=True)
    head = traitlets.Int(0, min=0).tag(sync=True)
    frame = traitlets.Int(1, min=1).tag(sync=True)
    norm = traitlets.Enum(NORMS, "step").tag(sync=True)
    colours = traitlets.Enum(COLOUR_MAPS, "viridis").tag(sync=True)
    opacity = traitlets.Float(0.65, min=0.0, max=1.0).tag(sync=True)
    boxes = traitlets.Bool(True).tag(sync=True)
    fps = traitlets.Float(FPS, min=0.1, max=60.0).tag(sync=True)

    def __init__(
        self,
        record: AttentionRecord,
        frames: Clip,
        plan: VideoPlan | None = None,
        compare: Compared | None = None,
        *,
        scene: int = 1,
        titles: tuple[str, str] = ("A", "B"),
        **traits: Any,
    ) -> None:
        self.record, self.plan, self.compare = record, plan, compare
        self.titles = titles
        given: list[Any] = [(record, frames, plan)]
        if compare is not None:
            other, clip, *own = compare
            check_comparable(record, other)
            given.append((other, clip, own[0] if own else plan))
        self._sides = []
        self.clips = [as_clip(clip) for _, clip, _ in given]
        for (one, _, own_plan), clip in zip(given, self.clips, strict=True):
            if len(clip) != one.frames:
                raise UserError(
                    f"there are {len(clip)} frames and maps of {one.frames}: give the frames that "
                    "the record was made with"
                )
            self._sides.append((one, token_boxes(one, len(clip), own_plan, scene)))
        records = [one for one, _ in self._sides]
        self._side = travelling_side(records)
        largest = max(max(maps.shape[3:5]) for one in records for maps in one.maps.values())
        pages = [
            {"title": title, "sheet": sheet(clip), **packed(one, boxes, self._side)}
            for title, clip, (one, boxes) in zip(titles, self.clips, self._sides, strict=False)
        ]
        state = {
            "token": record.tokens[0].label,
            "step": len(record.timesteps),
            "note": ""
            if largest <= self._side
            else f"maps are shown at {self._side} × {self._side} at most; the record is untouched",
            **traits,
        }
        super().__init__(
            sides=pages,
            most=shared_most(records),
            tables={name: colour_table(name).tobytes() for name in COLOUR_MAPS},
            scene=scene,
            own_plan=compare is not None and len(compare) == 3,
            **state,
        )
        self.on_msg(self._asked)

    @property
    def look(self) -> Look:
        """What is looked at now."""
        layer = self.layer or None
        head = self.head if layer else 0
        return Look(self.token, self.step or None, layer, head or None, self.norm)

    def save(self, path: str | Path) -> Path:
        """Write what is shown to `path`: one frame with its scale as .png, all frames as .gif or
        .mp4.

        Raises:
            UserError: the path ends otherwise.
            OutputError: it cannot be written there; for .mp4 also where there is no ffmpeg.
        """
        path = Path(path)
        kind = path.suffix.lstrip(".").lower()
        if kind not in SAVED:
            raise UserError(f"{path} ends in {path.suffix!r}: use .{', .'.join(SAVED)}")
        if kind == "png":
            buffer = io.BytesIO()
            self._view().save(buffer, "PNG")
            replace_file(path, buffer.getvalue())
            return path
        clip = attention_clip(self.record, self.clips[0], **self._drawn())
        write = write_gif if kind == "gif" else write_mp4
        with TemporaryDirectory() as folder:
            made = Path(folder) / f"film.{kind}"
            write(made, [clip], self.fps)
            replace_file(path, made.read_bytes())
        return path

    def _drawn(self) -> dict[str, Any]:
        """The present view, as the plain functions take it."""
        look = self.look
        return {
            "token": look.token,
            "step": look.step,
            "layer": look.layer,
            "head": look.head,
            "norm": look.norm,
            "colours": self.colours,
            "opacity": self.opacity,
            "plan": self.plan if self.boxes else None,
            "scene": self.scene,
            "compare": self._compared(),
        }

    def _compared(self) -> Any:
        if self.compare is None:
            return None
        record, _, *own = self.compare
        return (record, self.clips[1], *(own if self.boxes else ()))

    def _view(self) -> Image.Image:
        figure = attention_view(
            self.record, self.clips[0], frame=self.frame, titles=self.titles, **self._drawn()
        )
        return _as_image(figure)

    def _asked(self, _: Any, content: Any, __: Any) -> None:
        """What the page asks for: the heads of a token at a layer, or a file."""
        content = content if isinstance(content, dict) else {}
        if content.get("do") == "heads":
            token, layer = str(content.get("token")), str(content.get("layer"))
            known = any(one.label == token for one in self.record.tokens)
            if known and layer in self.record.maps:
                self.heads = [self._heads_of(token, layer)]
        elif content.get("do") == "save" and content.get("kind") in SAVED:
            try:
                path = self.save(_free(f"{self._file_name()}.{content['kind']}"))
                self.saved = {"words": f"Saved as {path}", "failed": False}
            except UserError as error:
                self.saved = {"words": str(error), "failed": True}

    def _heads_of(self, token: str, layer: str) -> dict[str, Any]:
        """All heads of a token at a layer, in each record."""
        packs = [packed_heads(*side, token, layer, self._side) for side in self._sides]
        return {"token": token, "layer": layer, "sides": packs}

    def _file_name(self) -> str:
        look = self.look
        parts = [
            "attention",
            look.token,
            f"step {look.step}" if look.step else "",
            look.layer or "",
            f"head {look.head}" if look.head else "",
        ]
        return folder_name(" ".join(filter(None, parts)))

    def _own_state(self) -> dict[str, Any]:
        """For a page without a kernel: with the heads of the grounding tokens, where they fit."""
        state = super()._own_state()
        if max(heads_bytes(one, self._side) for one, _ in self._sides) <= LIMIT:
            state["heads"] = [
                self._heads_of(token.label, layer)
                for token in self.record.tokens
                for layer in self.record.layers
                if token.kind == "box"
            ]
        return state

    @property
    def alt(self) -> str:
        """What is shown now, in words and numbers."""
        look, words = self.look, []
        for title, (record, boxes) in zip(self.titles, self._sides, strict=False):
            of = f"{title}: " if self.compare is not None else ""
            if not look.possible(record):
                words.append(f"{of}{look.token!r} is not looked at")
                continue
            inside, even = inside_and_even(look.heat(record), boxes.get(look.token))
            if np.isfinite(inside).any():
                words.append(
                    f"{of}{np.nanmean(inside):.0%} inside its box over the scene, where an even"
                    f" map has {np.nanmean(even):.0%}"
                )
        about = f"Attention on {look.token!r}, {look.in_words(self.record)}"
        return "; ".join([about, *words])

    def picture(self) -> Image.Image:
        """The present view, and below it the entities frame by frame at the same step and layer."""
        look = self.look
        strip = attention_strip(
            self.record,
            self.clips[0],
            step=look.step,
            layer=look.layer,
            norm=self.norm,
            colours=self.colours,
            plan=self.plan if self.boxes else None,
            scene=self.scene,
        )
        parts = [self._view(), _as_image(strip)]
        whole = Image.new(
            "RGB", (max(p.width for p in parts), sum(p.height for p in parts)), "white"
        )
        top = 0
        for part in parts:
            whole.paste(part, ((whole.width - part.width) // 2, top))
            top += part.height
        return whole


def _as_image(figure: Any) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB")


def _free(name: str) -> Path:
    """A file of that name that is not there yet: `x.png`, then `x-2.png`."""
    path, number = Path(name), 2
    while path.exists():
        path = Path(name).with_stem(f"{Path(name).stem}-{number}")
        number += 1
    return path
