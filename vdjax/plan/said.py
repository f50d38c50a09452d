"""What words say of the way that things go, against the way that their boxes go.

Enters: a scene. Leaves: who is said to move and stands still, or is said to go one way and goes
another: by the description, over the whole scene; by the caption of a keyframe, around it. The
words are read as the `rules` director reads them, so only those are found that a picture or a near
word stands for. A language model often writes one thing and places another (VideoDirectorGPT
measures it on the finished film, section 4.1, as movement direction accuracy).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from vdjax.plan.boxes import Box, area, centre
from vdjax.plan.cast import Cast
from vdjax.plan.english.chunks import Reader
from vdjax.plan.english.lexicon import Lexicon
from vdjax.plan.english.reading import Event, Reading
from vdjax.plan.english.roles import RoleReader
from vdjax.plan.schema import Scene, base_name

MOVED = 0.04
"""A centre that goes less than this share of the frame stands still."""
GOES = 0.1
"""A centre that goes less than this, from first to last, goes no way in particular."""
BACK = 0.03
"""Least way against what a caption says, from the keyframe before it to the one after."""
_GROWN = 1.1
_MOVING = ("go", "fly", "rise", "fall", "bounce", "arc", "circle", "chase", "approach", "enter",
           "leave", "grow", "shrink")  # fmt: skip
_STAYING = ("play", "celebrate", "cheer")  # verbs that move nobody from the spot for certain


@dataclass(frozen=True)
class Contrary:
    """`name` does one thing ("moves to the left"), though the words say `should` ("walk to the
    right"); `keyframe` counts from 1, None is the whole scene; `still` says that it stands."""

    name: str
    does: str
    should: str
    keyframe: int | None = None
    still: bool = False


def contraries(scene: Scene) -> Iterator[Contrary]:
    """Whoever does another thing than the words say; by the captions, each thing once."""
    told = _told(scene.description, scene.entities)
    for name, event in told.items():
        boxes = [keyframe[name] for keyframe in scene.keyframes if name in keyframe]
        if event.verb.action in _MOVING and event.verb.lemma not in _STAYING and _stands(boxes):
            yield Contrary(name, "stands still", event.verb.lemma, still=True)
        elif way := _against(boxes[0], boxes[-1], event, least=MOVED, most=GOES):
            yield Contrary(name, f"moves {way}", f"{event.verb.lemma} {_way(event)}")
    found: set[str] = set()
    for at, caption in enumerate(scene.captions or ()):
        near = scene.keyframes[max(at - 1, 0) : at + 2]
        for name, event in _told(caption, scene.entities).items():
            boxes = [keyframe[name] for keyframe in near if name in keyframe]
            if not boxes or name in found:
                continue
            if way := _against(boxes[0], boxes[-1], event, least=-BACK, most=BACK):
                found.add(name)
                should = f"{event.verb.lemma} {_way(event)}"
                yield Contrary(name, f"moves {way}", should, at + 1)


@functools.lru_cache(maxsize=64)
def _read(text: str) -> Reading:
    lexicon = Lexicon.storybook()
    return RoleReader(lexicon, Cast(), []).read(Reader(text, lexicon, {}).read())


def _told(text: str, entities: tuple[str, ...]) -> dict[str, Event]:
    """For each of the entities that a text lets do one thing, its event."""
    told: dict[str, Event] = {}
    several = set()
    for event in _read(text).events:
        one = event.verb.form == "s"  # "a tree and a cat runs": the cat alone
        names = [_entity(subject, entities) for subject in event.subjects[-one:]]
        if not all(names):
            continue  # "two cats run", and only one is there: which is not said
        for name in names:
            if name in told and (event.goals or _direction(event) != _direction(told[name])):
                several.add(name)  # first there, then back: no one way
            told.setdefault(name, event)
    return {name: event for name, event in told.items() if name not in several}


def _entity(subject: str, entities: tuple[str, ...]) -> str:
    """What the scene calls a thing of the text; empty where that is not certain."""
    if subject in entities:
        return subject
    lexicon = Lexicon.storybook()
    kin = []
    for name in entities:
        noun = lexicon.noun((base_name(name).split()[-1].lower(),))
        if noun is not None and noun.name == subject:
            kin.append(name)
    return kin[0] if len(kin) == 1 else ""


def _direction(event: Event) -> tuple[float, float]:
    """The one way that an event goes; (0, 0) where it has several stops, or says none."""
    start, end = event.origin, event.goals[0] if len(event.goals) == 1 else None
    if event.across is not None and not event.goals:
        start, end = event.across
    elif not event.goals:
        there_and_back = {"left", "right"} <= {*event.headings}
        return (0.0, 0.0) if there_and_back else event.direction()
    if start is None or end is None:
        return 0.0, 0.0
    return _sign(start[0], end[0]), _sign(start[1], end[1])


def _against(first: Box, last: Box, event: Event, *, least: float, most: float) -> str:
    """Which way it goes, if that is not the one that was said; else nothing."""
    if event.verb.action not in (*_MOVING, "push", "mount", "follow", "meet"):
        return ""
    (ax, ay), (bx, by) = centre(first), centre(last)
    (dx, dy), (x, y) = _direction(event), (bx - ax, by - ay)
    if not (dx or dy) or max(abs(x), abs(y)) < most or x * dx + y * dy >= least:
        return ""
    return _words(x, y)


def _stands(boxes: list[Box]) -> bool:
    first = boxes[0]
    still = all(max(_gap(first, box)) < MOVED for box in boxes)
    return still and all(1 / _GROWN < area(box) / area(first) < _GROWN for box in boxes)


def _gap(a: Box, b: Box) -> tuple[float, float]:
    (ax, ay), (bx, by) = centre(a), centre(b)
    return abs(ax - bx), abs(ay - by)


def _sign(start: float | None, end: float | None) -> float:
    if start is None or end is None or start == end:
        return 0.0
    return 1.0 if end > start else -1.0


def _way(event: Event) -> str:
    return _words(*_direction(event))


def _words(x: float, y: float) -> str:
    """ "to the right", "down"; the greater part of a way between."""
    if abs(x) >= abs(y):
        return "to the right" if x > 0 else "to the left"
    return "down" if y > 0 else "up"
