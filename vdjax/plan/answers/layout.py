"""Step (b) of planning, read: the boxes of one scene.

Enters: an answer in JSON, in the brackets of VideoDirectorGPT (section 3.1, figure 8), or in words
(see `words`), and the scene's entities. Leaves: nine keyframes that make a valid `Scene`. The
paper's template says 8 frames and its text 9, so other numbers are interpolated to 9.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

from vdjax.plan.answers.brackets import Frame, told_frames
from vdjax.plan.answers.coordinates import Raw, Unreadable, boxes, raw_box
from vdjax.plan.answers.forms import AnswerError, LayoutAnswer, Notes, refuse
from vdjax.plan.answers.get import get, plain_key
from vdjax.plan.answers.loose import Value, clean, values
from vdjax.plan.answers.names import Names
from vdjax.plan.answers.words import Read, words_in_lines, words_in_values
from vdjax.plan.boxes import Box, between
from vdjax.plan.fields import MAX_ENTITIES, MAX_REASONING, MAX_TEXT, NUM_KEYFRAMES, check_name
from vdjax.plan.problems import PlanError, show

Form = Literal["json", "brackets", "words"]

_MOST_KEYFRAMES = 120
_HALF = Fraction(1, 2)
_MOST_BOXES = 50
"""Boxes of one keyframe that are looked at; a scene has at most 7 entities."""
_LEAST_OF_A_CUT_ANSWER = 5
"""Keyframes that an answer which was cut off must have; fewer say too little about a motion."""
_KEYFRAMES = ("keyframes", "frames", "layout", "layouts", "boxes", "boundingboxes", "entities")
_BOXES = ("boxes", "objects", "entities", "layout", "bboxes", "boundingboxes", "frame")
_CAPTION = ("caption", "description", "text")
_REASONING = ("reasoning", "reason", "explanation", "thoughts")
_NAME = ("name", "entity", "object", "label", "obj")
_BOX = ("box", "bbox", "boundingbox", "coordinates", "position")
_FRAME_KEY = re.compile(r"(?:key)?(?:frame)?(\d{1,3})")


def read_layout(text: str, entities: Sequence[str], *, form: Form | None = None) -> LayoutAnswer:
    """The layout in an answer.

    Args:
        text: what the model answered.
        entities: the names of the scene's entities, 1 to 7, each once.
        form: the format that was asked for. An answer in another one is read as well; the error
            for an answer in none of them asks for this one.

    Raises:
        AnswerError: when there is no layout in it, or an entity has no box.
        PlanError: when `entities` are not the entities of a scene.
    """
    _check(entities)
    text = clean(text)
    notes = Notes()
    names = Names(entities)
    found = list(values(text))
    read = (
        words_in_values(found, names, notes)
        or _read_boxes(text, found, names, notes)
        or words_in_lines(text, names, notes)
    )
    if read is None:
        raise AnswerError(f"no layout is found in the answer; answer with {_ASKED[form]}")
    keyframes, captions, reasoning = read
    absent = [name for name in entities if not any(name in keyframe for keyframe in keyframes)]
    refuse([f"{name!r} has no box in any keyframe; give it one" for name in absent])
    return LayoutAnswer(tuple(keyframes), captions, _said(reasoning, MAX_REASONING), notes.all())


_ASKED: dict[Form | None, str] = {
    "json": '{"keyframes": [{"boxes": {name: [x0, y0, x1, y1]}, "caption": …}, …]}, nine of them',
    "brackets": "Frame_1: [[name, [x0, y0, x1, y1]], …], caption: … for each of nine frames",
    "words": '{"entities": {name: {"x": …, "y": …, "size": …, "motion": …}}}',
}
_ASKED[None] = _ASKED["json"]


def _check(entities: Sequence[str]) -> None:
    if isinstance(entities, str) or not 1 <= len(entities) <= MAX_ENTITIES:
        raise PlanError(f"entities are {show(entities)}; they must be 1 to {MAX_ENTITIES} names")
    for name in entities:
        try:
            check_name(name, "an entity")
        except ValueError as error:  # a fault, which a plan would turn into its own error
            raise PlanError(str(error)) from None
    if len(set(entities)) != len(entities):
        raise PlanError(f"entities are {show(list(entities))}; each must be there once")


def _read_boxes(text: str, found: Sequence[Value], names: Names, notes: Notes) -> Read | None:
    """A layout in numbers, in JSON or in brackets; None if there is none."""
    frames, reasoning, value = _json_frames(found, names)
    told, said = told_frames(text)
    if sum(len(frame.boxes) for frame in told) > sum(len(frame.boxes) for frame in frames):
        frames, reasoning, value = told, said, None
    if not frames:
        return None
    for repair in value.repairs if value else ():
        notes.add(repair)
    if not 2 <= len(frames) <= _MOST_KEYFRAMES:
        raise AnswerError(f"the answer has {len(frames)} keyframe(s); give {NUM_KEYFRAMES}")
    layout = _layout(frames, names, notes)
    captions = [_said(frame.caption, MAX_TEXT) for frame in frames]
    if value is not None and value.cut:
        notes.add("the answer was cut off; it was read as far as it goes")
        if len(layout) > 1 and _seen(layout[-2]) - _seen(layout[-1]):
            del layout[-1], captions[-1]
        if len(layout) < _LEAST_OF_A_CUT_ANSWER:
            raise AnswerError(
                f"the answer was cut off after {len(layout)} keyframes; give {NUM_KEYFRAMES},"
                " with shorter captions and less reasoning"
            )
    try:
        keyframes = boxes(layout, text, notes)
    except Unreadable as error:
        raise AnswerError(str(error)) from None
    if len(keyframes) != NUM_KEYFRAMES:
        notes.add(f"{len(keyframes)} keyframes read as {NUM_KEYFRAMES} by interpolation")
    return _nine(keyframes), _nine_captions(captions), reasoning


def _seen(keyframe: Mapping[str, Raw | None]) -> set[str]:
    return {name for name, raw in keyframe.items() if raw is not None}


def _said(text: str, limit: int) -> str:
    """A text as a plan can hold it."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


# From JSON to frames


def _json_frames(found: Sequence[Value], names: Names) -> tuple[list[Frame], str, Value | None]:
    """The keyframes in the first value that has any, and the reasoning; or one keyframe from each
    of several values."""
    alone: list[Frame] = []
    last = None
    for value in found:
        frames = _frames(value.data, names)
        if len(frames) > 1 and any(frame.boxes for frame in frames):
            reasoning = get(value.data, _REASONING)
            return frames, reasoning if isinstance(reasoning, str) else "", value
        if frames and frames[0].boxes:
            alone, last = [*alone, frames[0]] if len(alone) <= _MOST_KEYFRAMES else alone, value
    return alone, "", last


def _frames(data: Any, names: Names, depth: int = 0) -> list[Frame]:
    if isinstance(data, list):
        return [_frame(item, names) for item in data] if not _is_item(data) else []
    if not isinstance(data, Mapping) or depth > 2:
        return []
    numbered = {}
    for key, item in data.items():
        found = _FRAME_KEY.fullmatch(plain_key(key))
        if found:
            numbered[int(found[1])] = item
    if numbered:
        return [_frame(numbered[number], names) for number in sorted(numbered)]
    paths = {
        key: item
        for key, item in data.items()
        if isinstance(item, list) and names.find(str(key)) and _is_path(item)
    }
    if paths:  # a list of boxes for each entity
        length = max(map(len, paths.values()))
        return [
            Frame(tuple((key, path[k]) for key, path in paths.items() if k < len(path)), "")
            for k in range(min(length, _MOST_KEYFRAMES + 1))
        ]
    for key in _KEYFRAMES:
        inside = get(data, (key,))
        frames = _frames(inside, names, depth + 1) if inside is not None else []
        if any(frame.boxes for frame in frames):
            return frames
    single = _frame(data, names)
    return [single] if single.boxes else []


def _is_path(items: list[Any]) -> bool:
    boxed = [item for item in items if isinstance(item, list | Mapping)]
    return bool(boxed) and all(isinstance(item, list | Mapping | None) for item in items)


def _frame(data: Any, names: Names) -> Frame:
    """One keyframe: {"boxes": …, "caption": …}, {name: box}, or a list of names with boxes."""
    caption = get(data, _CAPTION)
    inside = get(data, _BOXES)
    if isinstance(data, list) and len(data) == 2 and isinstance(data[1], str):
        inside, caption = data  # [[[name, box], …], caption]
    held = inside if isinstance(inside, Mapping | list) else data
    found: list[tuple[str, Any]] = []
    if isinstance(held, Mapping):
        found = [(str(key), item) for key, item in held.items() if _may_be_box(key, item, names)]
    elif isinstance(held, list):
        found = [pair for item in held if (pair := _item(item)) is not None]
    return Frame(tuple(found), caption if isinstance(caption, str) else "")


def _may_be_box(key: Any, item: Any, names: Names) -> bool:
    if names.find(str(key)) is not None:
        return True
    return isinstance(item, list) and len(item) == 4 and plain_key(key) not in _CAPTION


def _is_item(data: list[Any]) -> bool:
    return len(data) == 2 and isinstance(data[0], str)


def _item(data: Any) -> tuple[str, Any] | None:
    """A name and what stands for its box: [name, box], {"name": …, "box": …} or {name: box}."""
    if isinstance(data, list) and data and isinstance(data[0], str):
        return data[0], data[1] if len(data) == 2 else data[1:]
    if isinstance(data, Mapping) and data:
        name = get(data, _NAME)
        if isinstance(name, str):
            box = get(data, _BOX)
            return name, box if box is not None else {k: v for k, v in data.items() if v != name}
        key, item = next(iter(data.items()))
        return str(key), item
    return None


# From frames to keyframes


def _layout(frames: Sequence[Frame], names: Names, notes: Notes) -> list[dict[str, Raw | None]]:
    """The boxes by the entities' own names, and a refusal that names what cannot be read."""
    layout: list[dict[str, Raw | None]] = []
    problems = []
    for index, frame in enumerate(frames, 1):
        keyframe: dict[str, Raw | None] = {}
        for said, value in frame.boxes[:_MOST_BOXES]:
            name = names.find(said)
            if name is None:
                notes.add(f"{show(said)} is not among the entities; its boxes were left out")
                continue
            if name in keyframe:
                name = names.next_of_kind(name, keyframe)
                if name is None:
                    notes.add(f"{show(said)} has two boxes in one keyframe; the first one counts")
                    continue
            if name != said:
                notes.add(f"{show(said)} read as {name!r}")
            try:
                keyframe[name] = raw_box(value)
            except Unreadable as error:
                problems.append(f"box {show(value)} of {name!r} in keyframe {index}: {error}")
        layout.append(keyframe)
    refuse(problems)
    return layout


def _nine(keyframes: list[dict[str, Box]]) -> list[dict[str, Box]]:
    """Nine keyframes from any number, each coordinate interpolated, the ends aligned.

    Where only one of two neighbours shows a thing, the nearer one decides, and half-way counts as
    not visible, as between the frames of a film (see `plan.layout`).
    """
    last = len(keyframes) - 1
    if last == NUM_KEYFRAMES - 1:
        return keyframes
    found = []
    for k in range(NUM_KEYFRAMES):
        time = Fraction(k * last, NUM_KEYFRAMES - 1)
        before = keyframes[int(time)]
        after = keyframes[min(int(time) + 1, last)]
        share = time - int(time)
        keyframe = {}
        for name in {**before, **after}:
            if name in before and name in after:
                x0, y0, x1, y1 = between(before[name], after[name], float(share))
                keyframe[name] = (round(x0, 4), round(y0, 4), round(x1, 4), round(y1, 4))
            elif name in before and share < _HALF:
                keyframe[name] = before[name]
            elif name in after and share > _HALF:
                keyframe[name] = after[name]
        found.append(keyframe)
    return found


def _nine_captions(captions: list[str]) -> tuple[str, ...]:
    """The caption of the nearest frame for each keyframe; none if no frame has one."""
    if not any(captions):
        return ()
    filled: list[str] = []
    for text in captions:
        filled.append(text or (filled[-1] if filled else next(filter(None, captions))))
    last = len(filled) - 1
    return tuple(filled[round(k * last / (NUM_KEYFRAMES - 1))] for k in range(NUM_KEYFRAMES))
