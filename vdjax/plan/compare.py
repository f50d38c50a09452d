"""What is different between two plans, in words.

Enters: two plans. Leaves: one line for each difference, in the order of the scenes; none for equal
plans, and at least one for any two that are not. For `vdjax plan --diff`, and to see what an edit
or another director has done.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from vdjax.plan.boxes import Box, centre
from vdjax.plan.problems import show
from vdjax.plan.schema import Scene, VideoPlan

_SAME = 1e-6
"""Offsets and sizes that differ by less than this are one edit, made in floating point."""


def compare(a: VideoPlan, b: VideoPlan) -> list[str]:
    """The differences from plan `a` to plan `b`: "scene 2: cat moved right by 0.20"."""
    lines = []
    for number, (old, new) in enumerate(itertools.zip_longest(a.scenes, b.scenes), 1):
        if old is None:
            lines.append(f"scene {number} added: {show(new.description)}")
        elif new is None:
            lines.append(f"scene {number} removed: {show(old.description)}")
        else:
            lines += [f"scene {number}: {words}" for words in _scene(old, new)]
    for field in type(a).model_fields:
        one, other = getattr(a, field), getattr(b, field)
        if field != "scenes" and one != other:
            lines += _groups(one, other) if field == "groups" else [_field(field, one, other)]
    return lines


def _groups(one: Any, other: Any) -> Iterator[str]:
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            before, after = (_numbers("scene", g.get(name, ())) for g in (one, other))
            yield f"group {name}: {before} → {after}"


def _scene(old: Scene, new: Scene) -> Iterator[str]:
    renamed = _renamed(old, new)
    for field in type(old).model_fields:
        one, other = getattr(old, field), getattr(new, field)
        if one == other:
            continue
        if field == "background":
            yield f"background {one} → {other}"
        elif field == "entities":
            yield from _entities(one, other, renamed)
        elif field == "keyframes":
            for name in old.entities:
                now = renamed.get(name, name)
                if now in new.entities:
                    yield from _path(now, _boxes(old, name), _boxes(new, now))
        else:
            yield _field(field, one, other)


def _entities(old: Sequence[str], new: Sequence[str], renamed: dict[str, str]) -> Iterator[str]:
    for name, now in renamed.items():
        yield f"{name} renamed to {now}"
    for name in new:
        if name not in old and name not in renamed.values():
            yield f"added {name}"
    for name in old:
        if name not in new and name not in renamed:
            yield f"removed {name}"
    kept = [renamed.get(name, name) for name in old]
    kept = [name for name in kept if name in new]
    if kept != [name for name in new if name in kept]:
        yield f"entities in the order {', '.join(new)}"


def _renamed(old: Scene, new: Scene) -> dict[str, str]:
    """What is gone, and what has come with the same boxes."""
    gone = [name for name in old.entities if name not in new.entities]
    come = [name for name in new.entities if name not in old.entities]
    found = {}
    for name in gone:
        same = next((other for other in come if _boxes(old, name) == _boxes(new, other)), None)
        if same is not None:
            found[name] = same
            come.remove(same)
    return found


def _path(name: str, old: Sequence[Box | None], new: Sequence[Box | None]) -> Iterator[str]:
    """How the boxes of one thing have changed."""
    pairs = list(enumerate(zip(old, new, strict=True), 1))
    shown = [k for k, (a, b) in pairs if a is None and b is not None]
    hidden = [k for k, (a, b) in pairs if a is not None and b is None]
    both = [(k, a, b) for k, (a, b) in pairs if a is not None and b is not None]
    changed = [(k, a, b) for k, a, b in both if a != b]
    if shown:
        yield f"{name} now visible in {_numbers('keyframe', shown)}"
    if hidden:
        yield f"{name} no longer visible in {_numbers('keyframe', hidden)}"
    if not changed:
        return
    where = ""
    if len(changed) < len(both):
        where = f" in {_numbers('keyframe', [k for k, _, _ in changed])}"
    ways = [_way(a, b) for _, a, b in changed]
    sizes = [_size(a, b) for _, a, b in changed]
    resized = any(abs(side - 1) > _SAME for size in sizes for side in size)
    if not resized and _alike(ways):
        yield f"{name} moved {_offset(*ways[0])}{where}"
    elif not resized:
        yield f"{name} moved along another path{where}"
    elif _alike(sizes) and abs(sizes[0][0] - sizes[0][1]) < _SAME:
        stays = all(abs(value) < _SAME for way in ways for value in way)
        moved = "" if stays else f", moved {_offset(*ways[0])}" if _alike(ways) else ", and moved"
        yield f"{name} made {sizes[0][0]:.2f} times as large{moved}{where}"
    else:
        yield f"{name} in boxes of another shape{where}"


def _way(a: Box, b: Box) -> tuple[float, float]:
    return centre(b)[0] - centre(a)[0], centre(b)[1] - centre(a)[1]


def _size(a: Box, b: Box) -> tuple[float, float]:
    return (b[2] - b[0]) / (a[2] - a[0]), (b[3] - b[1]) / (a[3] - a[1])


def _alike(pairs: Sequence[tuple[float, float]]) -> bool:
    return all(max(p) - min(p) < _SAME for p in zip(*pairs, strict=True))


def _offset(dx: float, dy: float) -> str:
    """ "right by 0.20 and up by 0.05"; a way too short to print is called a little."""
    parts = []
    for value, positive, negative in ((dx, "right", "left"), (dy, "down", "up")):
        if abs(value) >= 0.005:
            parts.append(f"{positive if value > 0 else negative} by {abs(value):.2f}")
    return " and ".join(parts) or "a little"


def _boxes(scene: Scene, name: str) -> list[Box | None]:
    return [keyframe.get(name) for keyframe in scene.keyframes]


def _field(field: str, one: Any, other: Any) -> str:
    """Any other field: both values where they are short, else that it has changed."""
    label = field.replace("_", " ")
    if one is None or other is None:
        return f"{label} {'added' if one is None else 'removed'}"
    before, after = show(one), show(other)
    if before == after or isinstance(one, tuple | dict):
        return f"{label} changed"
    return f"{label} {before} → {after}"


def _numbers(what: str, numbers: Sequence[int]) -> str:
    """ "keyframes 5 to 9", "scene 2", "scenes 1, 3"."""
    if not numbers:
        return f"no {what}"
    if len(numbers) == 1:
        return f"{what} {numbers[0]}"
    run = list(numbers) == list(range(numbers[0], numbers[-1] + 1))
    if run and len(numbers) > 2:
        return f"{what}s {numbers[0]} to {numbers[-1]}"
    return f"{what}s {', '.join(map(str, numbers))}"
