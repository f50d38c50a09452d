"""Captions: from what is in a scene to one line of regular English.

Enters: a background, the things in it with what they do, and a random generator. Leaves: a
caption. The grammar is regular on purpose (a small text encoder learns from it) but no two
clauses need sound alike: verbs depend on the kind of thing, forms change the order, and looks,
sides and relations are named now and then. `STILL_FORMS` and `CLIP_FORMS` are trained on,
`HELD_OUT_STILL_FORMS` and `HELD_OUT_CLIP_FORMS` never.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vdjax.plan.vocabulary import LOOK_WORDS, Vocabulary

ENTITIES = Vocabulary.storybook().entities
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven")

#: How often a thing's look is named ("a glossy cat").
LOOK_SHARE = 0.25

STILL_FORMS = (
    "list, place",
    "place, list",
    "picture",
    "there is",
    "place with list",
    "relation",
    "place, relation",
)
CLIP_FORMS = (
    "clauses, place",
    "place, clauses",
    "list; clauses",
    "while",
    "list, place",
    "relation, clause",
)
HELD_OUT_STILL_FORMS = ("here is", "you can see")
HELD_OUT_CLIP_FORMS = ("see how", "place, while")

PLACES = {
    "beach": ("at the beach", "on the beach", "by the sea"),
    "forest": ("in the forest", "in a forest", "in the woods"),
    "city": ("in the city", "in a city", "on a city street"),
    "desert": ("in the desert", "in a desert", "in the hot desert"),
    "snowy mountains": ("in the snowy mountains", "in the mountains", "in the snow"),
    "night": ("at night", "in the night", "under the night sky"),
    "underwater": ("underwater", "under the sea", "under water"),
    "kitchen": ("in the kitchen", "in a kitchen", "in the kitchen"),
    "bedroom": ("in the bedroom", "in a bedroom", "in the bedroom"),
    "park": ("in the park", "in a park", "on a meadow"),
    "road": ("on the road", "on a road", "on a country road"),
    "space": ("in space", "in outer space", "in space"),
}
#: The background as a thing that can hold others: "a forest with a cat".
NOUNS = {
    "beach": "a beach",
    "forest": "a forest",
    "city": "a city",
    "desert": "a desert",
    "snowy mountains": "snowy mountains",
    "night": "a night sky",
    "underwater": "the sea floor",
    "kitchen": "a kitchen",
    "bedroom": "a bedroom",
    "park": "a park",
    "road": "a road",
    "space": "outer space",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a caption may know of one thing. `boxes` is over the frames in which it is visible."""

    name: str
    look: str
    kind: str
    direction: str
    boxes: Float[np.ndarray, "frame 4"]


def _pick(rng: np.random.Generator, choices: Sequence):
    return choices[int(rng.random() * len(choices))]


def _article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


@dataclass(frozen=True)
class _Group:
    """All the things of one name, and the words for them."""

    things: tuple[Told, ...]
    phrase: str

    @property
    def many(self) -> bool:
        return len(self.things) > 1

    @property
    def definite(self) -> str:
        """The same with the definite article: "the cat", "the two dogs"."""
        words = self.phrase.split(" ", 1)
        return "the " + (self.phrase if self.many else words[1])


def _groups(rng: np.random.Generator, things: Sequence[Told]) -> list[_Group]:
    by_name: dict[str, list[Told]] = {}
    for thing in things:
        by_name.setdefault(thing.name, []).append(thing)
    groups = []
    for name, members in by_name.items():
        looks = {member.look for member in members}
        look = (
            LOOK_WORDS[members[0].look] + " "
            if rng.random() < LOOK_SHARE and len(looks) == 1
            else ""
        )
        if len(members) == 1:
            phrase = _article(look + name)
        else:
            phrase = f"{COUNTS[len(members)]} {look}{ENTITIES[name].plural}"
        groups.append(_Group(tuple(members), phrase))
    return groups


def _verbs(name: str) -> tuple[str, ...]:
    """How a thing of this name moves along, in the singular."""
    word = ENTITIES[name]
    if name == "balloon":
        return ("floats", "flies", "moves")
    if word.place == "sky":
        return ("flies", "flies", "moves")
    if name == "sailboat":
        return ("sails", "moves")
    if word.place == "water":
        return ("swims", "moves")
    if word.category == "vehicle":
        return (
            ("rides", "moves")
            if name in ("bicycle", "motorcycle")
            else ("drives", "drives", "moves")
        )
    if word.category == "person" or (word.category == "animal" and word.place == "ground"):
        return ("walks", "runs", "moves")
    if name == "ball":
        return ("rolls", "moves", "slides")
    return ("moves", "slides")


def _plural_verb(clause: str) -> str:
    """The clause of one thing, for several: its first word loses the ending of the third person."""
    verb, _, rest = clause.partition(" ")
    special = {"does": "do", "goes": "go", "is": "are", "flies": "fly", "gets": "get"}
    plural = special.get(verb) or (verb[:-2] if verb.endswith(("shes", "ches")) else verb[:-1])
    return f"{plural} {rest}".strip()


def clause(rng: np.random.Generator, thing: Told) -> str:
    """What one thing does, in the third person singular: "walks to the right", "grows"."""
    kind, direction = thing.kind, thing.direction
    other = {"left": "right", "right": "left", "up": "down", "down": "up"}.get(direction, "")
    if kind == "still":
        return _pick(rng, ("stays still", "does not move", "stays in place"))
    if kind == "slide" and direction in ("left", "right"):
        verb = _pick(rng, _verbs(thing.name))
        return f"{verb} {_pick(rng, (f'to the {direction}', f'from {other} to {direction}'))}"
    if kind == "slide":
        flies = ENTITIES[thing.name].place == "sky"
        if direction == "up":
            return _pick(
                rng,
                ("flies up", "flies up", "rises") if flies else ("moves up", "goes up", "rises"),
            )
        return _pick(
            rng, ("flies down", "comes down") if flies else ("moves down", "goes down", "sinks")
        )
    if kind == "grow":
        return _pick(rng, ("grows", "gets bigger", "comes closer"))
    if kind == "shrink":
        return _pick(rng, ("shrinks", "gets smaller", "goes far away"))
    if kind == "bounce":
        return (
            f"bounces to the {direction}"
            if direction
            else _pick(rng, ("bounces up and down", "bounces"))
        )
    if kind == "arc":
        flies = ENTITIES[thing.name].place == "sky"
        verb = _pick(rng, ("flies in an arc",) if flies else ("jumps", "leaps"))
        return f"{verb} to the {direction}"
    if kind == "circle":
        return _pick(rng, ("moves in a circle", "goes round in a circle", "circles around"))
    if kind == "enter":
        return f"{_pick(rng, ('comes in', 'enters'))} from the {other}"
    if kind == "leave":
        return f"{_pick(rng, ('leaves', 'goes out'))} to the {direction}"
    return {"appear": "appears", "disappear": "disappears"}[kind]


def _group_clauses(rng: np.random.Generator, group: _Group, subject: str) -> list[str]:
    """`subject` and what its members do: one clause if they do the same, else one for each."""
    if not group.many:
        return [f"{subject} {clause(rng, group.things[0])}"]
    if len({(thing.kind, thing.direction) for thing in group.things}) == 1:
        return [f"{subject} {_plural_verb(clause(rng, group.things[0]))}"]
    words = group.phrase.split(" ", 1)[1].removesuffix(ENTITIES[group.things[0].name].plural)
    single = f"{words}{group.things[0].name}"
    which = ("one", "another", "a third", "a fourth")
    return [f"{which[at]} {single} {clause(rng, thing)}" for at, thing in enumerate(group.things)]


def relation(first: Told, second: Told, overlap_behind: bool = True) -> str | None:
    """How `first`, drawn before `second`, lies to it in every frame; None if that changes."""
    frames = min(len(first.boxes), len(second.boxes))
    if not frames or len(first.boxes) != len(second.boxes):
        return None
    a, b = first.boxes, second.boxes
    width = np.minimum(a[:, 2], b[:, 2]) - np.maximum(a[:, 0], b[:, 0])
    height = np.minimum(a[:, 3], b[:, 3]) - np.maximum(a[:, 1], b[:, 1])
    if overlap_behind and (width > 0.05).all() and (height > 0.05).all():
        least = np.minimum(
            (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1]), (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
        )
        return "behind" if (width * height > 0.2 * least).all() else None
    if (a[:, 2] <= b[:, 0] + 0.04).all():
        return "to the left of"
    if (b[:, 2] <= a[:, 0] + 0.04).all():
        return "to the right of"
    if (a[:, 3] <= b[:, 1] + 0.04).all():
        return _ABOVE
    if (b[:, 3] <= a[:, 1] + 0.04).all():
        return _BELOW
    return None


_ABOVE, _BELOW = "above", "below"
_TURNED = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
    "behind": "in front of",
    "in front of": "behind",
}


def _side(thing: Told) -> str | None:
    """Where a thing stands in the frame, if it clearly stands somewhere."""
    x = (thing.boxes[:, 0] + thing.boxes[:, 2]) / 2
    y = (thing.boxes[:, 1] + thing.boxes[:, 3]) / 2
    for holds, words in (
        (x < 0.34, "on the left"),
        (x > 0.66, "on the right"),
        (y < 0.3, "at the top"),
        ((abs(x - 0.5) < 0.1) & (abs(y - 0.5) < 0.12), "in the middle"),
    ):
        if holds.all():
            return words
    return None


def _relation_phrase(rng: np.random.Generator, groups: list[_Group]) -> tuple[str, str, str] | None:
    """(first, how, second) for the first two groups, in either order.

    None if one of them is several things or no relation holds.
    """
    if len(groups) < 2 or groups[0].many or groups[1].many:
        return None
    how = relation(groups[0].things[0], groups[1].things[0])
    if how is None:
        return None
    if rng.random() < 0.5:
        return groups[0].phrase, how, groups[1].phrase
    return groups[1].phrase, _TURNED[how], groups[0].phrase


def still_caption(
    rng: np.random.Generator, background: str, things: Sequence[Told], form: str | None = None
) -> str:
    """A caption for one still picture. `form` forces one of the forms (where it fits)."""
    groups = _groups(rng, things)
    place = _pick(rng, PLACES[background])
    phrases = [group.phrase for group in groups]
    if len(things) == 1 and rng.random() < 0.3:
        side = _side(things[0])
        phrases = [f"{phrases[0]} {side}"] if side else phrases
    related = _relation_phrase(rng, groups)
    rest = f", with {_join(phrases[2:])}" if len(phrases) > 2 else ""
    if form is None:
        # A relation is told in about half of the pictures that have one.
        form = (
            STILL_FORMS[5 + int(rng.random() * 2)]
            if related and rng.random() < 0.5
            else _pick(rng, STILL_FORMS[:5])
        )
    listed = _join(phrases)
    be = "are" if groups[0].many else "is"
    if form == "list, place":
        return f"{listed} {place}"
    if form == "place, list":
        return f"{place}, {listed}"
    if form == "picture":
        return f"a picture of {listed} {place}"
    if form == "there is":
        return f"there {be} {listed} {place}"
    if form == "place with list":
        return f"{NOUNS[background]} with {listed}"
    if form == "here is":
        return f"here {be} {listed} {place}"
    if form == "you can see":
        return f"you can see {listed} {place}"
    first, how, second = related if related else (listed, "", "")
    sentence = f"{first} {how} {second}".strip()
    if form == "place, relation":
        return f"{place}, {sentence}{rest if related else ''}"
    return f"{sentence}{rest if related else ''} {place}"


def clip_caption(
    rng: np.random.Generator, background: str, things: Sequence[Told], form: str | None = None
) -> str:
    """A caption for a clip. `form` forces one of the forms (where it fits)."""
    groups = _groups(rng, things)
    place = _pick(rng, PLACES[background])
    if form is None:
        form = CLIP_FORMS[min(int(rng.random() * 6.4), 5)]
    phrases = [group.phrase for group in groups]
    active = [group for group in groups if any(thing.kind != "still" for thing in group.things)]
    if not active and form not in HELD_OUT_CLIP_FORMS and rng.random() < 0.6:
        form = "list, place"
    if form == "list, place":
        return f"{_join(phrases)} {place}"
    if form == "list; clauses":
        told = [
            told
            for group in (active or groups)
            for told in _group_clauses(rng, group, group.definite)
        ]
        return f"{_join(phrases)} {place}; {_join(told)}"
    if form == "relation, clause":
        related = _relation_phrase(rng, groups[:2]) if len(groups) == 2 else None
        if related and len(active) == 1:
            mover = active[0]
            still = groups[1] if mover is groups[0] else groups[0]
            how = related[1] if related[0] == mover.phrase else _TURNED[related[1]]
            return f"{_join(_group_clauses(rng, mover, mover.phrase))} {how} {still.phrase} {place}"
        form = "clauses, place"
    told = [told for group in groups for told in _group_clauses(rng, group, group.phrase)]
    if form == "place, clauses":
        return f"{place}, {_join(told)}"
    if form == "while":
        return (
            f"{told[0]} {place}" if len(told) == 1 else f"{told[0]} while {_join(told[1:])} {place}"
        )
    if form == "place, while" and len(told) > 1:
        return f"{place}, while {_join(told[1:])}, {told[0]}"
    if form in HELD_OUT_CLIP_FORMS:  # one clause alone leaves nothing for "while" to join
        return f"see how {_join(told)} {place}"
    return f"{_join(told)} {place}"


def crop_caption(rng: np.random.Generator, name: str, look: str, background: str | None) -> str:
    """A caption for one thing that fills its picture."""
    words = f"{LOOK_WORDS[look]} {name}" if rng.random() < LOOK_SHARE else name
    form = rng.random()
    if form < 0.25:
        return words
    phrase = f"a picture of {_article(words)}" if form > 0.85 else _article(words)
    return (
        f"{phrase} {_pick(rng, PLACES[background])}"
        if background and rng.random() < 0.5
        else phrase
    )
