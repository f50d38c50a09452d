"""An attention record as pictures: over the frames, by layer and step, by token and frame.

A record, the frames of its scene and a choice of token, step, layer and head enter; matplotlib
figures or plain frames leave. These are the AttentionInspector's pictures for people without
widgets, from the same numbers (`vdjax.inspect.views`). A second record stands beside the first, on
one scale of colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from vdjax.errors import UserError
from vdjax.inspect.colours import colour_table, overlay
from vdjax.inspect.records import AttentionRecord, Spot
from vdjax.inspect.views import (
    Look,
    Track,
    check_comparable,
    inside_and_even,
    token_boxes,
)
from vdjax.plan import VideoPlan

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

Clip = UInt8[np.ndarray, "frame tall wide 3"]
Compared = tuple[AttentionRecord, Clip] | tuple[AttentionRecord, Clip, VideoPlan]
"""A second record, its frames, and its plan where that is another one."""


def attention_clip(
    record: AttentionRecord,
    frames: Clip,
    token: str,
    *,
    step: int | None = None,
    layer: str | None = None,
    head: int | None = None,
    norm: str = "step",
    colours: str = "viridis",
    opacity: float = 0.65,
    plan: VideoPlan | None = None,
    scene: int = 1,
    compare: Compared | None = None,
) -> UInt8[np.ndarray, "frame tall width 3"]:
    """The frames with one token's maps upon them, and its box where `plan` says it has one.

    Args:
        record: the record.
        frames: its scene's frames.
        token: a label of the record's, such as "cat" or "word cat".
        step: a recorded step, from 1; their mean where None.
        layer: a layer's name; the mean over layers where None.
        head: a head of that layer, from 1; the mean over heads where None.
        norm: whose least and most are the darkest and brightest colour: each "map"'s own, those of
            all frames at the "step" (and layer and head), or "absolute", from 0 to the most in the
            record.
        colours: a name of `vdjax.inspect.colours`.
        opacity: of the maps, 0..1.
        plan: the film's plan, for the boxes.
        scene: the scene's number in the plan, from 1.
        compare: a second record with its frames, shown to the right on the same scale.

    Raises:
        UserError: there is no such token, step, layer, head, norm or colour map, not a frame for
            each of the record's, or a second record of other steps or layers.
    """
    look = Look(token, step, layer, head, norm)
    sides = _sides(record, frames, plan, scene, compare)
    painted = [_painted(side, look, sides, colours, opacity)[0] for side in sides]
    parts = painted[:1]
    for clip in painted[1:]:
        count, tall, wide, _ = clip.shape
        parts += [np.full((count, tall, max(2, wide // 32), 3), 255, np.uint8), clip]
    return np.concatenate(parts, axis=2)


def attention_view(
    record: AttentionRecord,
    frames: Clip,
    token: str,
    *,
    frame: int = 1,
    step: int | None = None,
    layer: str | None = None,
    head: int | None = None,
    norm: str = "step",
    colours: str = "viridis",
    opacity: float = 0.65,
    plan: VideoPlan | None = None,
    scene: int = 1,
    compare: Compared | None = None,
    titles: tuple[str, str] = ("A", "B"),
) -> Figure:
    """One frame (from 1) of `attention_clip`, with its scale of colours in numbers.

    Above it stands the share of the map inside the token's box and, in brackets, what an even map
    would have. With a second record both stand side by side.

    Raises:
        UserError: as `attention_clip` does, or there is no such frame.
    """
    from matplotlib.figure import Figure

    if not 1 <= frame <= len(frames):
        raise UserError(f"frame is {frame}: the scene has frames 1 to {len(frames)}")
    look = Look(token, step, layer, head, norm)
    sides = _sides(record, frames, plan, scene, compare)
    figure = Figure(figsize=(4.2 * len(sides) + 0.9, 4.5), dpi=80, layout="constrained")
    axes = list(figure.subplots(1, len(sides), squeeze=False).flat)
    for axis, title, side in zip(axes, titles, sides, strict=False):
        words = [title] if compare is not None else []
        clip, limits = _painted(side, look, sides, colours, opacity)
        axis.imshow(clip[frame - 1])
        axis.set(xticks=[], yticks=[])
        if limits is None:
            words.append(f"{token!r} is not looked at")
        else:
            _bar(figure, axis, limits[frame - 1].tolist(), colours)
            inside, even = inside_and_even(look.heat(side.record), side.boxes.get(token))
            if np.isfinite(inside[frame - 1]):
                words.append(f"{inside[frame - 1]:.0%} inside (even: {even[frame - 1]:.0%})")
        axis.set_title("\n".join(words), fontsize=10)
    title = f"attention on {token!r}, frame {frame} of {len(frames)}\n{look.in_words(record)}"
    figure.suptitle(title, fontsize=11)
    return figure


def attention_grid(
    record: AttentionRecord,
    frames: Clip,
    token: str,
    *,
    frame: int = 1,
    norm: str = "map",
    colours: str = "viridis",
    plan: VideoPlan | None = None,
    scene: int = 1,
) -> Figure:
    """One token's maps in one frame (from 1): a row per layer, their mean first, a column per step.

    In each map stands the share of it inside the box, in percent.

    Raises:
        UserError: there is no such token, frame, norm or colour map.
    """
    if not 1 <= frame <= len(frames):
        raise UserError(f"frame is {frame}: the scene has frames 1 to {len(frames)}")
    track = token_boxes(record, len(frames), plan, scene).get(token)
    rows = []
    for layer in (None, *record.layers):
        looks = [Look(token, i + 1, layer, norm=norm) for i in range(len(record.timesteps))]
        cells = [_cells(look, record, [frame - 1], track)[0] for look in looks]
        rows.append((layer or "mean", cells))
    columns = [f"step {i}\nt={time}" for i, time in enumerate(record.timesteps, 1)]
    title = f"attention on {token!r}, frame {frame}, by layer and step"
    return _maps_figure(rows, columns, title, colours)


def attention_strip(
    record: AttentionRecord,
    frames: Clip,
    *,
    tokens: Sequence[str] | None = None,
    step: int | None = None,
    layer: str | None = None,
    head: int | None = None,
    norm: str = "step",
    colours: str = "viridis",
    plan: VideoPlan | None = None,
    scene: int = 1,
    columns: int = 8,
) -> Figure:
    """A row per token (all entities where None), a column per frame, at most `columns` of them.

    In each map stands the share of it inside the token's box, in percent.

    Raises:
        UserError: there is no such token, step, layer, head, norm or colour map.
    """
    tracks = token_boxes(record, len(frames), plan, scene)
    named = [token.label for token in record.tokens if token.kind == "box"]
    chosen = list(tokens or named or [token.label for token in record.tokens])
    shown = [round(i) for i in np.linspace(0, len(frames) - 1, min(columns, len(frames)))]
    rows = []
    for token in chosen:
        look = Look(token, step, layer, head, norm)
        rows.append((token, _cells(look, record, shown, tracks.get(token))))
    names = [f"frame {at + 1}" for at in shown]
    where = Look("", step, layer, head).in_words(record)
    return _maps_figure(rows, names, f"attention by token and frame, {where}", colours)


class _Cell(NamedTuple):
    """A small map, the values of its colours, the box in it, and the share inside that."""

    heat: Float[np.ndarray, "height width"]
    limits: tuple[float, float]
    box: Spot | None
    inside: float


def _cells(
    look: Look, record: AttentionRecord, shown: Sequence[int], track: Track | None
) -> list[_Cell]:
    """The maps of some frames, which count from 0."""
    heat, limits = look.heat(record), look.limits(record).tolist()
    inside, _ = inside_and_even(heat, track)
    boxes = track or [None] * len(heat)
    return [_Cell(heat[at], tuple(limits[at]), boxes[at], float(inside[at])) for at in shown]


def _maps_figure(
    rows: Sequence[tuple[str, Sequence[_Cell]]], columns: Sequence[str], title: str, colours: str
) -> Figure:
    from matplotlib.figure import Figure

    size = (1.05 * len(columns) + 1.3, 1.08 * len(rows) + 0.9)
    figure = Figure(figsize=size, dpi=80, layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for row, (name, cells) in enumerate(rows):
        for axis, cell in zip(axes[row], cells, strict=True):
            low, high = cell.limits
            axis.imshow(
                cell.heat, _shades(colours), vmin=low, vmax=high or 1.0, extent=(0, 1, 1, 0)
            )
            axis.set(xticks=[], yticks=[])
            if cell.box is not None:
                _rectangle(axis, cell.box)
            if np.isfinite(cell.inside):
                box = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 1}
                text = f"{100 * cell.inside:.0f}"
                axis.text(0.03, 0.97, text, color="white", fontsize=7, va="bottom", bbox=box)
        axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(name, fontsize=8)
    figure.suptitle(f"{title}\nnumbers: percent inside the box", fontsize=9)
    return figure


def _rectangle(axis, box: Spot) -> None:
    from matplotlib.patches import Rectangle

    spread = (box[2] - box[0], box[3] - box[1])
    for colour, width in (("black", 1.8), ("white", 0.8)):
        axis.add_patch(Rectangle(box[:2], *spread, fill=False, ec=colour, lw=width))


def _shades(colours: str) -> ListedColormap:
    from matplotlib.colors import ListedColormap

    return ListedColormap(colour_table(colours) / 255.0)


def _bar(figure: Figure, axis, limits: Sequence[float], colours: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    low, high = limits
    scale = ScalarMappable(Normalize(low, high), _shades(colours))
    bar = figure.colorbar(scale, ax=axis, shrink=0.75, pad=0.02)
    bar.set_label("attention weight", fontsize=9)


@dataclass(frozen=True)
class _Side:
    """One of the records that are compared, with its frames and the boxes of its tokens."""

    record: AttentionRecord
    frames: Clip
    boxes: Mapping[str, Track]


def _sides(
    record: AttentionRecord,
    frames: Clip,
    plan: VideoPlan | None,
    scene: int,
    compare: Compared | None,
) -> list[_Side]:
    given: list[tuple[AttentionRecord, Clip, VideoPlan | None]] = [(record, frames, plan)]
    if compare is not None:
        other, clip, *own = compare
        check_comparable(record, other)
        given.append((other, clip, own[0] if own else plan))
    sides = []
    for one, clip, own_plan in given:
        if len(clip) != one.frames:
            raise UserError(
                f"there are {len(clip)} frames and maps of {one.frames}: give the frames that the "
                "record was made with"
            )
        sides.append(_Side(one, clip, token_boxes(one, len(clip), own_plan, scene)))
    return sides


def _painted(
    side: _Side, look: Look, sides: Sequence[_Side], colours: str, opacity: float
) -> tuple[Clip, Float[np.ndarray, "frame 2"] | None]:
    """A side's frames with maps and boxes upon them, and the values of the colours; the bare frames
    where its record has no such maps, as with the gates shut. The first side must have them."""
    if side is not sides[0] and not look.possible(side.record):
        return side.frames, None
    others = [one.record for one in sides if one is not side and look.possible(one.record)]
    heat, limits = look.heat(side.record), look.limits(side.record, *others)
    track = side.boxes.get(look.token, [None] * len(heat))
    frames = [
        _boxed(overlay(frame, one, (low, high), opacity, colours), box)
        for frame, one, (low, high), box in zip(side.frames, heat, limits, track, strict=True)
    ]
    return np.stack(frames), limits


def _boxed(
    frame: UInt8[np.ndarray, "tall wide 3"], box: Spot | None
) -> UInt8[np.ndarray, "tall wide 3"]:
    """The box in white on black, visible on any colour."""
    if box is None:
        return frame
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    tall, wide = frame.shape[:2]
    x0, y0, x1, y1 = (round(v * side) for v, side in zip(box, (wide, tall) * 2, strict=True))
    edge = (x0, y0, max(x0, x1 - 1), max(y0, y1 - 1))
    draw.rectangle(edge, outline="white")
    draw.rectangle(tuple(v + d for v, d in zip(edge, (-1, -1, 1, 1), strict=True)), outline="black")
    return np.asarray(image)
