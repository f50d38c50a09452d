"""Prompts for the five tasks of LVD's benchmark: numeracy, attribution, visibility, dynamic
spatial and sequential (Lian et al. 2023, "LLM-grounded Video Diffusion Models", section 4).

A seed enters; any number of prompts leave, 100 for each task as in the paper, each with what it
asks. The sentences (`forms`) are our own, and more varied than LVD's, which follow one or two forms
for each task. Two things of one kind ("a red ball and a blue ball") are ours, too.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from vdjax.errors import UserError
from vdjax.evaluate.planning.asks import Ask, Desk, a, goes, many, plural, pronouns, written
from vdjax.evaluate.planning.forms import FORMS

TASKS = ("numeracy", "attribution", "visibility", "dynamic spatial", "sequential")
CORNERS = ("upper left", "upper right", "lower left", "lower right")
_WORDS = (
    *("red", "blue", "green", "yellow", "purple", "orange", "pink", "white", "black", "brown"),
    *("grey", "golden", "striped", "spotted", "shiny", "old", "wooden", "colourful", "tiny"),
    *("huge", "happy", "fluffy"),
)
_HIGH, _LOW = ("upper", "top"), ("lower", "bottom")

Forms = Mapping[str, tuple[str, ...]]


def prompts(task: str, count: int = 100, seed: int = 0, forms: str = "open") -> tuple[Ask, ...]:
    """`count` (1 to 1000) different prompts of one of `TASKS`, of "open" or "held back" forms.

    The same ones for the same seed; the first of them are the same for a larger count. Raises
    `UserError` for a count, seed or word for the forms that will not do, KeyError for another task.
    """
    if forms not in FORMS:
        raise UserError(f"forms {forms!r} are not known; choose one of {', '.join(FORMS)}")
    return written(task, count, seed, functools.partial(_WRITERS[task], forms=FORMS[forms]))


def _numeracy(desk: Desk, forms: Forms) -> Ask:
    (name, other), number = desk.pair(), desk.turn("number", (1, 2, 3, 4))
    prompt = desk.sentence(
        desk.turn("form", forms["numeracy"]),
        n_things=many(name, number),
        a_other=a(other),
        are="are" if number > 1 else "is",
        wait="wait" if number > 1 else "waits",
    )
    return Ask(task="numeracy", prompt=prompt, things=(name,), number=number)


def _attribution(desk: Desk, forms: Forms) -> Ask:
    p, q = desk.rng.sample(_WORDS, 2)
    (x, y), kind = desk.pair(), "attribution"
    if desk.turn("same kind", (True, False, False, False)):
        y, kind = x, "alike"
    prompt = desk.sentence(
        desk.turn(kind, forms[kind]),
        x=x,
        y=y,
        p=p,
        q=q,
        a_x=a(x),
        a_y=a(y),
        a_p=a(p),
        a_q=a(q),
        first=a(f"{p} {x}"),
        second=a(f"{q} {y}"),
        plural=plural(x),
        his_x=pronouns(x)[1],
        him_x=pronouns(x)[2],
    )
    return Ask(task="attribution", prompt=prompt, things=(x, y), words=(p, q))


def _visibility(desk: Desk, forms: Forms) -> Ask:
    name, relation = desk.name(), desk.turn("relation", ("appears", "disappears"))
    prompt = desk.sentence(desk.turn(relation, forms[relation]), a_x=a(name), it=pronouns(name)[0])
    return Ask(task="visibility", prompt=prompt, things=(name,), relation=relation)


def _dynamic_spatial(desk: Desk, forms: Forms) -> Ask:
    (x, y), end = desk.pair(), desk.turn("end", ("left", "right"))
    kind = desk.turn("kind", ("across", "past"))
    prompt = desk.sentence(
        desk.turn(kind, forms[kind]),
        y=y,
        a_x=a(x),
        a_y=a(y),
        goes=goes(desk, x),
        start="left" if end == "right" else "right",
        end=end,
        it=pronouns(x)[0],
        its_x=pronouns(x)[1],
        its_y=pronouns(y)[1],
        him_y=pronouns(y)[2],
    )
    things = (x,) if kind == "across" else (x, y)
    return Ask(task="dynamic spatial", prompt=prompt, things=things, relation=end)


def _sequential(desk: Desk, forms: Forms) -> Ask:
    name = desk.name()
    corners = tuple(desk.rng.sample(CORNERS, 3))
    high, low = desk.rng.choice(_HIGH), desk.rng.choice(_LOW)
    said = [corner.replace("upper", high).replace("lower", low) for corner in corners]
    prompt = desk.sentence(
        desk.turn("form", forms["sequential"]),
        a_x=a(name),
        goes=goes(desk, name),
        it=pronouns(name)[0],
        **{f"c{at}": corner for at, corner in enumerate(said, 1)},
    )
    return Ask(task="sequential", prompt=prompt, things=(name,), corners=corners)


_WRITERS = {
    "numeracy": _numeracy,
    "attribution": _attribution,
    "visibility": _visibility,
    "dynamic spatial": _dynamic_spatial,
    "sequential": _sequential,
}
