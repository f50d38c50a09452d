"""The fixed set of held-out plans that layouts are measured on.

Nothing enters; 150 plans leave, the same ones always: 24 each for object, count, spatial, scale
and movement, and 30 films of two or three scenes for identity. Boxes are given in numbers, as a
careful director would lay them out, in sizes the world's pictures have; every description says in
words what the boxes say in numbers, so that a model without gates can be asked the same. Half of
the plans with two things combine names that training never shows together, and half of the other
descriptions take a form that no training caption has. The order is stratified: any first part of a
skill holds its relations about equally.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vdjax.data.storybook.backgrounds import BACKGROUNDS
from vdjax.data.storybook.captions import COUNTS, PLACES, Told, clause
from vdjax.data.storybook.splits import held_out_combinations
from vdjax.data.storybook.sprites import NAMES
from vdjax.errors import UserError
from vdjax.evaluate.skills import DIRECTIONS, SCALE, SKILLS, SPATIAL, Box, Question
from vdjax.plan.schema import NUM_KEYFRAMES, Scene, VideoPlan
from vdjax.plan.vocabulary import Vocabulary

_WORDS = Vocabulary.storybook().entities
_PER_SKILL = 24
_FILMS = 30
_EDGE = 0.03
#: How a relation of the second thing to the first is said of the second.
_SAID = {
    "left": "to the left of",
    "right": "to the right of",
    "above": "above",
    "below": "below",
}
_OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


@dataclass(frozen=True, kw_only=True)
class HeldOutPlan:
    """One plan, its number (from 0) and what is asked of its film."""

    number: int
    plan: VideoPlan
    question: Question

    def __hash__(self) -> int:
        return self.number  # plans hold dictionaries, which have no hash

    @property
    def label(self) -> str:
        """A file name: its number, its skill and its names."""
        words = (self.question.skill, self.question.name, self.question.other)
        return "-".join([f"{self.number:03d}", *(word.replace(" ", "_") for word in words if word)])


@functools.cache
def held_out_plans() -> tuple[HeldOutPlan, ...]:
    """All of them, skill by skill."""
    writers: dict[str, tuple[Callable[[_Desk, int], tuple[VideoPlan, Question]], int]] = {
        "object": (_object, _PER_SKILL),
        "count": (_count, _PER_SKILL),
        "spatial": (_spatial, _PER_SKILL),
        "scale": (_scale, _PER_SKILL),
        "movement": (_movement, _PER_SKILL),
        "identity": (_identity, _FILMS),
    }
    plans: list[HeldOutPlan] = []
    for skill in SKILLS:
        write, count = writers[skill]
        desk = _Desk(SKILLS.index(skill))
        for at in range(count):
            plan, question = write(desk, at)
            plans.append(HeldOutPlan(number=len(plans), plan=plan, question=question))
    return tuple(plans)


def choose(count: int | None) -> tuple[HeldOutPlan, ...]:
    """The first `count` plans taken from the skills in turn, or all; in the order of their numbers.

    Raises UserError unless `count` is between 1 and the number of plans there are.
    """
    plans = held_out_plans()
    if count is None:
        return plans
    if not 1 <= count <= len(plans):
        raise UserError(
            f"{count} plans asked for; there are 1 to {len(plans)} held-out plans to take"
        )
    by_skill = [[one for one in plans if one.question.skill == skill] for skill in SKILLS]
    turns = (one for row in itertools.zip_longest(*by_skill) for one in row if one)
    return tuple(sorted(itertools.islice(turns, count), key=lambda one: one.number))


class _Desk:
    """What one skill's plans are made from: a random stream, and names and places in turn."""

    def __init__(self, number: int) -> None:
        self.rng = np.random.default_rng([2309, 15091, number])
        names = [NAMES[at] for at in self.rng.permutation(len(NAMES))]
        places = [BACKGROUNDS[at] for at in self.rng.permutation(len(BACKGROUNDS))]
        self._names, self._places = itertools.cycle(names), itertools.cycle(places)
        pairs = sorted(tuple(sorted(pair)) for pair in held_out_combinations())
        self._pairs = itertools.cycle([pairs[at] for at in self.rng.permutation(len(pairs))])

    def name(self) -> str:
        return next(self._names)

    def pair(self, held_out: bool) -> tuple[str, str]:
        """Two names: a combination that training never shows, or one that it may show."""
        if held_out:
            first, second = next(self._pairs)
            return (first, second) if self.rng.random() < 0.5 else (second, first)
        while True:
            first, second = self.name(), self.name()
            if first != second and frozenset((first, second)) not in held_out_combinations():
                return first, second

    def place(self) -> str:
        return next(self._places)

    def where(self, place: str) -> str:
        """A place in words."""
        return PLACES[place][int(self.rng.integers(len(PLACES[place])))]

    def between(self, low: float, high: float) -> float:
        """A number between the two, or their middle where there is nothing between them."""
        return float(self.rng.uniform(low, high)) if high > low else (low + high) / 2


def _object(desk: _Desk, at: int) -> tuple[VideoPlan, Question]:
    name, place = desk.name(), desk.place()
    width, height = _shape(name, desk.between(0.34, 0.6))
    x = desk.between(_EDGE + width / 2, 1 - _EDGE - width / 2)
    y = _natural_y(desk, name, height)
    what = f"{_a(name)} {desk.where(place)}"
    text = (what, f"here is {what}")[at % 2]
    plan = _still(text, place, {name: _around(x, y, width, height)})
    return plan, Question(skill="object", name=name)


def _count(desk: _Desk, at: int) -> tuple[VideoPlan, Question]:
    name, place, number = desk.name(), desk.place(), at % 4 + 1
    slots = {
        1: [(0.5, 0.5, 0.8, 0.8)],
        2: [(0.27, 0.55, 0.42, 0.7), (0.73, 0.55, 0.42, 0.7)],
        3: [(0.25, 0.7, 0.42, 0.42), (0.75, 0.7, 0.42, 0.42), (0.5, 0.27, 0.42, 0.42)],
        4: [(x, y, 0.42, 0.42) for y in (0.26, 0.74) for x in (0.26, 0.74)],
    }[number]
    long_side = desk.between(*{1: (0.42, 0.58), 2: (0.32, 0.42)}.get(number, (0.28, 0.38)))
    boxes = {}
    for copy, (x, y, room_x, room_y) in enumerate(slots, 1):
        width, height = _shape(name, long_side * desk.between(0.94, 1.06), room_x, room_y)
        x += desk.between(-(room_x - width) / 2, (room_x - width) / 2)
        y += desk.between(-(room_y - height) / 2, (room_y - height) / 2)
        boxes[name if copy == 1 else f"{name} {copy}"] = _around(x, y, width, height)
    many = f"{COUNTS[number]} {_WORDS[name].plural}" if number > 1 else _a(name)
    what = f"{many} {desk.where(place)}"
    text = (what, f"you can see {what}")[at // 4 % 2]
    return _still(text, place, boxes), Question(skill="count", name=name, number=number)


def _spatial(desk: _Desk, at: int) -> tuple[VideoPlan, Question]:
    relation = SPATIAL[at % 4]
    (first, second), place = desk.pair(at // 4 % 2 == 0), desk.place()
    sides = relation in ("left", "right")
    room = (0.44, 0.8) if sides else (0.8, 0.44)
    shapes = [_shape(name, desk.between(0.34, 0.46), *room) for name in (first, second)]
    centres = []
    for turn, (name, (width, height)) in enumerate(zip((first, second), shapes, strict=True)):
        low_half = (turn == 1) == (relation in ("left", "above"))
        along = 0.26 if low_half else 0.74
        if sides:
            centres.append((along, _natural_y(desk, name, height)))
        else:
            centres.append((desk.between(0.3 + width / 4, 0.7 - width / 4), along))
    boxes = {
        name: _around(*centre, *shape)
        for name, centre, shape in zip((first, second), centres, shapes, strict=True)
    }
    # Said of the first thing or of the second, in turn: the same fact.
    if at // 8 % 2:
        what = f"{_a(first)} {_SAID[_OPPOSITE[relation]]} {_a(second)}"
    else:
        what = f"{_a(second)} {_SAID[relation]} {_a(first)}"
    plan = _still(f"{what} {desk.where(place)}", place, boxes)
    return plan, Question(skill="spatial", name=first, other=second, relation=relation)


def _scale(desk: _Desk, at: int) -> tuple[VideoPlan, Question]:
    relation = SCALE[at % 3]
    (first, second), place = desk.pair(at // 3 % 2 == 0), desk.place()
    small, large = desk.between(0.065, 0.085), desk.between(0.17, 0.21)
    areas = {"bigger": (small, large), "smaller": (large, small), "same": (0.11, 0.11)}[relation]
    boxes = {}
    for x, name, size in zip((0.26, 0.74), (first, second), areas, strict=True):
        # Of exactly this area and, if there is room, of the name's aspect.
        width = min(max((size * _WORDS[name].aspect) ** 0.5, size / 0.8), 0.46)
        boxes[name] = _around(x, _natural_y(desk, name, size / width), width, size / width)
    said = {"bigger": "a bigger {}", "smaller": "a smaller {}", "same": "{} of the same size"}
    other = said[relation].format(second if relation != "same" else _a(second))
    text = f"{_a(first)} and {other} {desk.where(place)}"
    return _still(text, place, boxes), Question(
        skill="scale", name=first, other=second, relation=relation
    )


def _movement(desk: _Desk, at: int) -> tuple[VideoPlan, Question]:
    direction = DIRECTIONS[at % 4]
    name, place = desk.name(), desk.place()
    width, height = _shape(name, desk.between(0.3, 0.42))
    travel = desk.between(0.4, 0.5)
    sideways = direction in ("left", "right")
    side = (width if sideways else height) / 2
    start = desk.between(_EDGE + side, 1 - _EDGE - side - travel)
    ends = (start, start + travel) if direction in ("right", "down") else (start + travel, start)
    if sideways:
        y = _natural_y(desk, name, height)
        path = [(x, y) for x in np.linspace(*ends, NUM_KEYFRAMES)]
    else:
        x = desk.between(_EDGE + width / 2, 1 - _EDGE - width / 2)
        path = [(x, y) for y in np.linspace(*ends, NUM_KEYFRAMES)]
    told = Told(name=name, look="", kind="slide", direction=direction, boxes=np.zeros((0, 4)))
    what = f"{_a(name)} {clause(desk.rng, told)} {desk.where(place)}"
    text = (what, f"see how {what}")[at // 4 % 2]
    keyframes = [{name: _around(x, y, width, height)} for x, y in path]
    plan = _plan([_scene(text, place, keyframes)])
    return plan, Question(skill="movement", name=name, relation=direction)


def _identity(desk: _Desk, at: int) -> tuple[VideoPlan, Question]:
    """One thing in two or three scenes at different places, twice out of three times in company."""
    name = desk.name()
    scenes = []
    for number in range(3 if at % 5 in (1, 3) else 2):
        place = desk.place()
        width, height = _shape(name, desk.between(0.34, 0.46), 0.46)
        left = bool(desk.rng.random() < 0.5)
        boxes = {
            name: _around(0.27 if left else 0.73, _natural_y(desk, name, height), width, height)
        }
        words = _a(name)
        if (at + number) % 3:
            other = desk.name()
            while other == name:
                other = desk.name()
            width, height = _shape(other, desk.between(0.28, 0.4), 0.44)
            y = _natural_y(desk, other, height)
            boxes[other] = _around(0.73 if left else 0.27, y, width, height)
            words += f" and {_a(other)}"
        scenes.append(_scene(f"{words} {desk.where(place)}", place, [boxes] * NUM_KEYFRAMES))
    return _plan(scenes), Question(skill="identity", name=name)


def _still(text: str, place: str, boxes: dict[str, Box]) -> VideoPlan:
    """A plan of one scene in which nothing moves."""
    return _plan([_scene(text, place, [boxes] * NUM_KEYFRAMES)])


def _scene(text: str, place: str, keyframes: Sequence[dict[str, Box]]) -> Scene:
    return Scene(
        description=text, background=place, entities=list(keyframes[0]), keyframes=list(keyframes)
    )


def _plan(scenes: Sequence[Scene]) -> VideoPlan:
    return VideoPlan(
        prompt="; then ".join(scene.description for scene in scenes), scenes=list(scenes)
    )


def _shape(
    name: str, long_side: float, room_x: float = 0.9, room_y: float = 0.9
) -> tuple[float, float]:
    """Width and height of a box of the name's aspect, made smaller where there is less room."""
    aspect = _WORDS[name].aspect
    width, height = (
        (long_side, long_side / aspect) if aspect > 1 else (long_side * aspect, long_side)
    )
    fit = min(1.0, room_x / width, room_y / height)
    return width * fit, height * fit


def _natural_y(desk: _Desk, name: str, height: float) -> float:
    """The y of the centre of a thing that is where it belongs."""
    low, high = {
        "ground": (0.8 - height / 2, 0.96 - height / 2),
        "sky": (0.06 + height / 2, 0.26 + height / 2),
    }.get(_WORDS[name].place, (0.35, 0.7))
    least, most = _EDGE + height / 2, 1 - _EDGE - height / 2
    return min(max(desk.between(low, high), least), most)


def _around(x: float, y: float, width: float, height: float) -> Box:
    """The box around a centre, inside the frame, in thousandths."""
    sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    x0, y0, x1, y1 = (round(min(max(float(side), 0.0), 1.0), 3) for side in sides)
    return (x0, y0, x1, y1)


def _a(name: str) -> str:
    return ("an " if name[0] in "aeiou" else "a ") + name
