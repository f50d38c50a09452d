"""Prompts for VPEval's skills that a plan can show (object, count, spatial, scale; Cho et al.
2023, section 4) and for the direction of a movement (ActionBench-Direction as VideoDirectorGPT
uses it, section 4).

A seed enters; any number of prompts leave, 100 for each skill as in VideoDirectorGPT, each with
what it asks. VPEval's "in front of" and "behind" are left out, since a plan has no depth, and so
is its text skill. These sentences were at hand while `rules` was mended, like LVD's open ones.
"""

from __future__ import annotations

from vdjax.evaluate.planning.asks import Ask, Desk, a, goes, many, pronouns, written
from vdjax.evaluate.skills import DIRECTIONS, SCALE, SPATIAL

TASKS = ("object", "count", "spatial", "scale", "direction")

_OBJECT = (
    "{a_x}{at}",
    "here is {a_x}{at}",
    "a picture of {a_x}{at}",
    "there is {a_x}{at}",
    "{a_x} can be seen{at}",
    "look at the {x}{at}",
)
_COUNT = (
    "{n_things}{at}",
    "a picture of {n_things}{at}",
    "there {are} {n_things}{at}",
    "you can see {n_things}{at}",
    "{n_things} in one place",
    "here {are} {n_things}{at}",
)
_SPATIAL = {
    "left": (
        "{a_y} is to the left of {a_x}{at}",
        "{a_x} with {a_y} to {its} left",
        "left of {a_x} there is {a_y}",
        "{a_x} has {a_y} on {its} left side",
        "{a_y} stands on the left of {a_x}{at}",
    ),
    "right": (
        "{a_y} is to the right of {a_x}{at}",
        "{a_x} with {a_y} to {its} right",
        "right of {a_x} there is {a_y}",
        "{a_x} has {a_y} on {its} right side",
        "{a_y} stands on the right of {a_x}{at}",
    ),
    "above": (
        "{a_y} is above {a_x}{at}",
        "{a_x} with {a_y} above {him}",
        "above {a_x} there is {a_y}",
        "{a_y} hangs over {a_x}",
        "there is {a_x}, and above {him} {a_y}",
    ),
    "below": (
        "{a_y} is below {a_x}{at}",
        "{a_x} with {a_y} below {him}",
        "below {a_x} there is {a_y}",
        "{a_y} lies under {a_x}{at}",
        "there is {a_x}, and underneath {him} {a_y}",
    ),
}
_SCALE = {
    "bigger": (
        "{a_y} that is bigger than {a_x}{at}",
        "{a_x} and a bigger {y}{at}",
        "{a_y} is larger than {a_x}",
        "{a_x} next to a much larger {y}",
        "a small {x} and a big {y}{at}",
    ),
    "smaller": (
        "{a_y} that is smaller than {a_x}{at}",
        "{a_x} and a smaller {y}{at}",
        "{a_y} is tinier than {a_x}",
        "{a_x} next to a much smaller {y}",
        "a big {x} and a small {y}{at}",
    ),
    "same": (
        "{a_y} that is as big as {a_x}{at}",
        "{a_x} and {a_y} of the same size{at}",
        "{a_y} is the same size as {a_x}",
        "{a_x} next to an equally large {y}",
        "{a_x} and {a_y} are equally big",
    ),
}
_DIRECTION = (
    "{a_x} moves from {start} to {end}{at}",
    "{a_x} {goes} {toward}{at}",
    "{a_x} is moving {toward} through the frame",
    "watch {a_x} move {toward}",
    "{a_x} {goes} from the {start} of the picture to the {end}",
    "{a_x} heads for the {end} of the screen",
    "something pushes {a_x} from {start} to {end}",
    "{a_x} keeps moving {end_word}",
)
_ENDS = {
    "left": ("right", "left"),
    "right": ("left", "right"),
    "up": ("bottom", "top"),
    "down": ("top", "bottom"),
}
_TOWARD = {
    "left": ("to the left", "left", "leftwards"),
    "right": ("to the right", "right", "rightwards"),
    "up": ("up", "upwards", "to the top"),
    "down": ("down", "downwards", "to the bottom"),
}


def prompts(task: str, count: int = 100, seed: int = 0) -> tuple[Ask, ...]:
    """`count` (1 to 1000) different prompts of one of `TASKS`; the same ones for the same seed.

    Raises `UserError` for a count or seed that will not do, KeyError for another task.
    """
    return written(task, count, seed, _WRITERS[task])


def _object(desk: Desk) -> Ask:
    name = desk.name()
    prompt = desk.sentence(desk.turn("form", _OBJECT), x=name, a_x=a(name))
    return Ask(task="object", prompt=prompt, things=(name,))


def _count(desk: Desk) -> Ask:
    name, number = desk.name(), desk.turn("number", (1, 2, 3, 4))
    prompt = desk.sentence(
        desk.turn("form", _COUNT),
        n_things=many(name, number),
        are="are" if number > 1 else "is",
    )
    return Ask(task="count", prompt=prompt, things=(name,), number=number)


def _spatial(desk: Desk) -> Ask:
    (x, y), relation = desk.pair(), desk.turn("relation", SPATIAL)
    _, its, him = pronouns(x)
    form = desk.turn(relation, _SPATIAL[relation])
    prompt = desk.sentence(form, a_x=a(x), a_y=a(y), its=its, him=him)
    return Ask(task="spatial", prompt=prompt, things=(x, y), relation=relation)


def _scale(desk: Desk) -> Ask:
    (x, y), relation = desk.pair(), desk.turn("relation", SCALE)
    form = desk.turn(relation, _SCALE[relation])
    prompt = desk.sentence(form, x=x, y=y, a_x=a(x), a_y=a(y))
    return Ask(task="scale", prompt=prompt, things=(x, y), relation=relation)


def _direction(desk: Desk) -> Ask:
    name, direction = desk.name(), desk.turn("direction", DIRECTIONS)
    start, end = _ENDS[direction]
    prompt = desk.sentence(
        desk.turn("form", _DIRECTION),
        a_x=a(name),
        goes=goes(desk, name),
        start=start,
        end=end,
        toward=desk.rng.choice(_TOWARD[direction]),
        end_word=_TOWARD[direction][1],
    )
    return Ask(task="direction", prompt=prompt, things=(name,), relation=direction)


_WRITERS = {
    "object": _object,
    "count": _count,
    "spatial": _spatial,
    "scale": _scale,
    "direction": _direction,
}
