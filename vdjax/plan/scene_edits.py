"""Changing one scene: move, resize, rename, add, remove, another place, another description.

Enters: a scene and what to change. Leaves: a new scene, checked like any other; the old one stays
as it was. An edit touches what it names and nothing else. VideoDirectorGPT lets people edit its
plans (appendix E); it has no tools for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from vdjax.plan.boxes import MIN_SIDE, Box, centre
from vdjax.plan.english.rewrite import place_phrase
from vdjax.plan.problems import PlanError, nearest, show
from vdjax.plan.schema import NUM_KEYFRAMES, Scene, base_name

Keyframes = int | Iterable[int] | None
"""Which keyframes an edit is for: one number from 1 to 9, several, or None for all."""


def move(
    scene: Scene,
    name: str,
    *,
    right: float = 0.0,
    down: float = 0.0,
    left: float = 0.0,
    up: float = 0.0,
    to: tuple[float | None, float | None] | None = None,
    keyframes: Keyframes = None,
) -> Scene:
    """The scene with something moved, its path and its sizes kept.

    Args:
        name: an entity of the scene.
        right, down, left, up: how far, as shares of the frame.
        to: where the middle of its path goes instead, (x, y) in 0..1; None leaves an axis.
        keyframes: a number or numbers from 1 to 9, such as range(5, 10); all where None. Only they
            move, and `to` is then the middle of theirs.

    The whole moves as far as all its boxes stay in the frame: a path keeps its shape. Raises
    `PlanError` for an unknown name, a keyframe in which it is not visible, or no number.
    """
    dx, dy = _number(right, "right") - _number(left, "left"), _number(down, "down")
    dy -= _number(up, "up")
    chosen = _visible(scene, name, keyframes)
    boxes = [scene.keyframes[k][name] for k in chosen]
    if to is not None:
        if dx or dy:
            raise PlanError("give either an offset (right, down, left, up) or a place (to)")
        goal = _place(to)
        for axis in range(2):
            mean = sum(centre(box)[axis] for box in boxes) / len(boxes)
            value = goal[axis]
            offset = 0.0 if value is None else value - mean
            dx, dy = (offset, dy) if axis == 0 else (dx, offset)
    dx = _within(dx, -min(b[0] for b in boxes), 1 - max(b[2] for b in boxes))
    dy = _within(dy, -min(b[1] for b in boxes), 1 - max(b[3] for b in boxes))

    def moved(box: Box) -> Box:
        x0, y0, x1, y1 = box
        return _in_frame(_tidy((x0 + dx, y0 + dy, x1 + dx, y1 + dy)))

    return _with_boxes(scene, name, chosen, moved)


def resize(scene: Scene, name: str, factor: float, keyframes: Keyframes = None) -> Scene:
    """The scene with something `factor` times as wide and high, about its own centres.

    What would reach over an edge of the frame is pushed back in; nothing is wider or higher than
    the frame, and its shape stays. Raises `PlanError` for a factor that is not above 0, an unknown
    name, or a keyframe in which it is not visible.
    """
    if not _number(factor, "factor") > 0:
        raise PlanError(f"factor is {show(factor)}; it must be above 0, such as 1.2 or 0.8")

    def resized(box: Box) -> Box:
        width, height = box[2] - box[0], box[3] - box[1]
        # MIN_SIDE with a little room for rounding, so that the box stays valid.
        least = 1.01 * MIN_SIDE / min(width, height)
        share = min(max(factor, min(least, 1.0)), 1 / max(width, height))
        width, height = width * share, height * share
        x, y = centre(box)
        x = _within(x, width / 2, 1 - width / 2)
        y = _within(y, height / 2, 1 - height / 2)
        return _in_frame((x - width / 2, y - height / 2, x + width / 2, y + height / 2))

    return _with_boxes(scene, name, _visible(scene, name, keyframes), resized)


def rename(scene: Scene, old: str, new: str) -> Scene:
    """The scene with an entity or the background under another name; in its texts, too, where the
    old name stands as a word. Raises `PlanError` if nobody is called so, or somebody is already."""
    _known(scene, old, (*scene.entities, scene.background))
    if new == old:
        return scene
    if new in (*scene.entities, scene.background):
        raise PlanError(f"{new!r} is in this scene already; choose another name or remove it")
    if scene.background == old:
        return set_background(scene, new)
    renamed = scene.replace(
        entities=[new if name == old else name for name in scene.entities],
        keyframes=[{new if n == old else n: b for n, b in k.items()} for k in scene.keyframes],
    )
    return renamed.replace(**_reworded(scene, old, new))


def add(
    scene: Scene,
    name: str,
    box: Sequence[float] | None = None,
    *,
    boxes: Sequence[Sequence[float] | None] | None = None,
    keyframes: Keyframes = None,
) -> Scene:
    """The scene with one more entity: in one box at all or some keyframes, or in nine boxes.

    Args:
        name: a name that nobody has in this scene.
        box: (x0, y0, x1, y1) in 0..1; a box in the lower middle where neither it nor `boxes` is
            given.
        boxes: nine boxes, None where it is not visible.
        keyframes: where `box` is to be seen; all where None.

    Raises `PlanError` for a name that is taken, too many entities, or boxes that are not valid.
    """
    if name in (*scene.entities, scene.background):
        raise PlanError(f"{name!r} is in this scene already; choose another name, or move it")
    if boxes is not None and (box is not None or keyframes is not None):
        raise PlanError("give either one box (and its keyframes) or nine boxes")
    if boxes is None:
        chosen = _numbers(keyframes)
        one = (0.35, 0.5, 0.65, 0.9) if box is None else box
        boxes = [one if k in chosen else None for k in range(NUM_KEYFRAMES)]
    if len(boxes) != NUM_KEYFRAMES:
        raise PlanError(f"{len(boxes)} boxes for {name!r}; there must be {NUM_KEYFRAMES}")
    path = zip(scene.keyframes, boxes, strict=True)
    return scene.replace(
        entities=[*scene.entities, name],
        keyframes=[{**k, **({} if one is None else {name: one})} for k, one in path],
    )


def remove(scene: Scene, name: str) -> Scene:
    """The scene without an entity. Its description still speaks of it, and the text encoder reads
    that: say something else with `describe`, for instance `vdjax.plan.caption` of the new scene.

    Raises `PlanError` for an unknown name, and for the last one: a scene needs somebody.
    """
    _known(scene, name, scene.entities)
    if len(scene.entities) == 1:
        raise PlanError(f"{name!r} is the only entity of this scene; add another one first")
    return scene.replace(
        entities=[other for other in scene.entities if other != name],
        keyframes=[{n: b for n, b in k.items() if n != name} for k in scene.keyframes],
    )


def set_background(scene: Scene, name: str) -> Scene:
    """The scene at another place; in its texts, too, where the old one stands as a word."""
    if name == scene.background:
        return scene
    return scene.replace(background=name).replace(**_reworded(scene, scene.background, name))


def describe(scene: Scene, description: str) -> Scene:
    """The scene with another description."""
    return scene.replace(description=description)


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise PlanError(f"{what} is {show(value)}; it must be a number, as a share of the frame")
    return float(value)


def _place(to: Any) -> tuple[float | None, float | None]:
    if not isinstance(to, list | tuple) or len(to) != 2:
        raise PlanError(f"to is {show(to)}; it must be a place (x, y), each from 0 to 1 or None")
    for value in to:
        if value is not None and not 0 <= _number(value, "to") <= 1:
            raise PlanError(f"to is {show(to)}; it must be a place (x, y), each from 0 to 1")
    return to[0], to[1]


def _known(scene: Scene, name: str, names: Sequence[str]) -> None:
    if name not in names:
        hint = nearest(name, names) if isinstance(name, str) else ""
        raise PlanError(f"{show(name)} is not in this scene{hint}; it has {', '.join(names)}")


def _numbers(keyframes: Keyframes) -> list[int]:
    """The chosen keyframes, from 0."""
    if keyframes is None:
        return list(range(NUM_KEYFRAMES))
    several = [keyframes] if isinstance(keyframes, int) else list(keyframes)
    for number in several:
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not whole or not 1 <= number <= NUM_KEYFRAMES:
            raise PlanError(f"there is no keyframe {show(number)}; they are 1 to {NUM_KEYFRAMES}")
    if not several:
        raise PlanError("no keyframes are chosen; leave 'keyframes' out for all of them")
    return sorted({number - 1 for number in several})


def _visible(scene: Scene, name: str, keyframes: Keyframes) -> list[int]:
    """The chosen keyframes, from 0, all of which must show `name` unless all are chosen."""
    _known(scene, name, scene.entities)
    seen = scene.visible(name)
    chosen = _numbers(keyframes)
    if keyframes is None:
        return [k for k in chosen if seen[k]]
    for k in chosen:
        if not seen[k]:
            shown = ", ".join(str(n) for n, here in enumerate(seen, 1) if here)
            raise PlanError(f"{name!r} is not visible in keyframe {k + 1}; it is in {shown}")
    return chosen


def _with_boxes(
    scene: Scene, name: str, chosen: Sequence[int], change: Callable[[Box], Box]
) -> Scene:
    keyframes: list[Mapping[str, Box]] = list(scene.keyframes)
    for k in chosen:
        keyframes[k] = {n: change(b) if n == name else b for n, b in keyframes[k].items()}
    return scene.replace(keyframes=keyframes)


def _within(value: float, low: float, high: float) -> float:
    """The value, as near as the limits let; their middle where rounding has crossed them."""
    return (low + high) / 2 if low > high else min(max(value, low), high)


def _tidy(box: Box) -> Box:
    """The box without the last digits, which a sum leaves: 0.17, not 0.16999999999999998."""
    x0, y0, x1, y1 = (round(value, 12) for value in box)
    return (x0, y0, x1, y1)


def _in_frame(box: Box) -> Box:
    """The box without what rounding has put over the edge of the frame or under the least side."""
    x0, y0, x1, y1 = (min(max(value, 0.0), 1.0) for value in box)
    (x0, x1), (y0, y1) = _wide(x0, x1), _wide(y0, y1)
    return (x0, y0, x1, y1)


def _wide(low: float, high: float) -> tuple[float, float]:
    if high - low >= MIN_SIDE:
        return low, high
    low = min(low, 1 - 1.001 * MIN_SIDE)
    return low, low + 1.001 * MIN_SIDE


def _reworded(scene: Scene, old: str, new: str) -> dict[str, Any]:
    """The texts of a scene with another name in them. A name that another entity shares ("cat",
    beside "cat 2") stays: the words may speak of either."""
    alike = [n for n in scene.entities if n != old and base_name(n) == base_name(old)]
    if alike and old in scene.entities:
        return {}

    def told(text: str) -> str:
        if old == scene.background:
            text = text.replace(place_phrase(old), place_phrase(new))
        return reword(text, old, new)

    texts: dict[str, Any] = {"description": told(scene.description)}
    for key in ("captions", "frame_prompts"):
        if getattr(scene, key) is not None:
            texts[key] = [told(text) for text in getattr(scene, key)]
    return texts


def reword(text: str, old: str, new: str) -> str:
    """The text with one name for another, where the old one stands as a word; "a" and "an" follow.

    Numbers are left out: nobody says "cat 2".
    """
    old, new = base_name(old), base_name(new)
    article = "an" if new[:1].lower() in "aeiou" else "a"

    def replaced(match: re.Match[str]) -> str:
        before = match["article"]
        if not before:
            return new
        return (article.capitalize() if before[0] == "A" else article) + " " + new

    return re.sub(
        rf"(?:\b(?P<article>[Aa]n?) )?(?<![\w-]){re.escape(old)}(?![\w-])", replaced, text
    )
