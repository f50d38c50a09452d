"""Layouts in words, read: where each thing is, how large it is, and what it does.

Enters: an answer such as `{"entities": {"cat": {"x": "left", "y": "ground", "size": "large",
"motion": "right"}}}`, a list of the same, or a line for each thing. Leaves: keyframes, made by
`arrange`. Small models place things far better in such words than in numbers; the paper asks for
numbers only (VideoDirectorGPT, section 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vdjax.plan.answers.arrange import Told, arrange
from vdjax.plan.answers.forms import Notes, refuse
from vdjax.plan.answers.get import get, plain_key
from vdjax.plan.answers.loose import Value
from vdjax.plan.answers.names import Names
from vdjax.plan.boxes import Box
from vdjax.plan.problems import show

X_WORDS = ("far left", "left", "center", "right", "far right")
Y_WORDS = ("sky", "middle", "ground")
SIZE_WORDS = ("tiny", "small", "medium", "large", "huge")
MOTION_WORDS = (
    "still", "left", "right", "up", "down", "toward", "away", "bounce", "circle",
    "enter from left", "enter from right", "leave to left", "leave to right",
    "appear", "disappear",
)  # fmt: skip

_FIELDS = ("x", "y", "size", "motion")
_SAME = {
    "centre": "center", "middle": "center", "mid": "center", "leftmost": "far left",
    "rightmost": "far right",
}  # fmt: skip
_HEIGHTS = {
    "sky": "sky", "top": "sky", "air": "sky", "above": "sky", "upper": "sky", "high": "sky",
    "middle": "middle", "center": "middle", "centre": "middle", "mid": "middle",
    "ground": "ground", "bottom": "ground", "floor": "ground", "lower": "ground", "low": "ground",
    "below": "ground", "water": "ground",
}  # fmt: skip
_SIZES = {
    **{word: word for word in SIZE_WORDS}, "big": "large", "normal": "medium", "average": "medium",
    "giant": "huge", "enormous": "huge", "little": "small", "mini": "tiny",
}  # fmt: skip
_MOTIONS = {
    "enter": "enter", "enters": "enter", "entering": "enter", "arrive": "enter", "arrives": "enter",
    "leave": "leave", "leaves": "leave", "leaving": "leave", "exit": "leave", "exits": "leave",
    "appear": "appear", "appears": "appear", "disappear": "disappear", "disappears": "disappear",
    "vanish": "disappear", "vanishes": "disappear",
    "bounce": "bounce", "bounces": "bounce", "bouncing": "bounce", "jump": "bounce",
    "jumps": "bounce", "jumping": "bounce", "hop": "bounce", "hops": "bounce", "hopping": "bounce",
    "circle": "circle", "circles": "circle", "circling": "circle", "orbit": "circle",
    "orbits": "circle", "spin": "circle", "spins": "circle", "around": "circle",
    "toward": "grow", "towards": "grow", "closer": "grow", "grow": "grow", "grows": "grow",
    "away": "shrink", "farther": "shrink", "shrink": "shrink", "shrinks": "shrink",
}  # fmt: skip
_WAYS = {
    "left": (-1, 0), "leftward": (-1, 0), "leftwards": (-1, 0), "right": (1, 0),
    "rightward": (1, 0), "rightwards": (1, 0), "up": (0, -1), "upward": (0, -1),
    "upwards": (0, -1), "rise": (0, -1), "rises": (0, -1), "top": (0, -1), "above": (0, -1),
    "down": (0, 1), "downward": (0, 1), "downwards": (0, 1), "fall": (0, 1), "falls": (0, 1),
    "bottom": (0, 1), "below": (0, 1),
}  # fmt: skip
_STILL = (
    "still", "none", "static", "stationary", "stay", "stays", "stand", "stands", "sit", "sits",
    "no", "rest", "rests", "idle",
)  # fmt: skip
_LONGEST_LINE = 400
_WORD = re.compile(r"[a-z]+")
_HEAD = re.compile(r"^[\s\-*•|]*+(?:\d{1,2}[.)] ?)?+([^:|=—–]{1,80}?)(?:[:|=—–]| - )")
_LABEL = re.compile(r"(?i)(?<![a-z])(x|y|size|motion)[\"'*]*\s?[:=]\s?[\"'*]*([^,;|\n\"']{0,60})")

Read = tuple[list[dict[str, Box]], tuple[str, ...], str]


def words_in_values(found: Sequence[Value], names: Names, notes: Notes) -> Read | None:
    """The layout in the first value that tells one in words; None if none does."""
    for value in found:
        told = _entities(value.data, names)
        if told:
            for repair in value.repairs:
                notes.add(repair)
            reasoning = get(value.data, ("reasoning", "reason", "explanation"))
            reasoning = reasoning if isinstance(reasoning, str) else ""
            return _keyframes(told, names, notes), (), reasoning
    return None


def words_in_lines(text: str, names: Names, notes: Notes) -> Read | None:
    """The layout in lines such as "cat: left, ground, large, moves right"; None if none is."""
    told: dict[str, dict[str, str]] = {}
    current = ""
    for line in text.splitlines():
        line = line[:_LONGEST_LINE]
        head = _HEAD.match(line)
        name = names.find(head[1].strip(" \"'*`")) if head else None
        if head and name and name not in told:
            current, line = name, line[head.end() :]
            told[name] = {}
        if current:
            told[current] = {**_by_label(line), **told[current]} or _by_place(line)
    told = {name: fields for name, fields in told.items() if fields}
    return (_keyframes(told, names, notes), (), "") if told else None


def _entities(data: Any, names: Names, depth: int = 0) -> dict[str, dict[str, str]]:
    """The words for each entity: under its name, or in a list that names it."""
    told: dict[str, dict[str, str]] = {}
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(data, Mapping):
        pairs = data.items()
    elif isinstance(data, list):
        pairs = [(get(item, ("name", "entity", "object")), item) for item in data]
    for said, item in pairs:
        name = names.find(said) if isinstance(said, str) else None
        if name is not None and name in told:
            name = names.next_of_kind(name, told)
        fields = _fields(item)
        if name is not None and fields:
            told[name] = fields
    if not told and isinstance(data, Mapping) and depth < 2:
        for key in ("layout", "entities", "objects", "scene", "words"):
            told = told or _entities(get(data, (key,)), names, depth + 1)
    return told


def _fields(item: Any) -> dict[str, str]:
    """The four words of one entity; nothing when numbers stand there, or none of the four."""
    if isinstance(item, list) and len(item) == 4 and all(isinstance(word, str) for word in item):
        item = dict(zip(_FIELDS, item, strict=True))
    if not isinstance(item, Mapping):
        return {}
    plain = {plain_key(key): word for key, word in item.items()}
    position = plain.get("position")
    if isinstance(position, Mapping):
        plain = {**{plain_key(key): word for key, word in position.items()}, **plain}
    plain["motion"] = plain.get("motion", plain.get("movement", plain.get("action")))
    fields = {key: str(plain[key]) for key in _FIELDS if isinstance(plain.get(key), str)}
    numbers = any(sign.isdigit() for key in ("x", "y") for sign in fields.get(key, ""))
    return fields if fields.keys() & {"x", "y", "motion"} and not numbers else {}


def _by_label(line: str) -> dict[str, str]:
    return {label.lower(): said.strip() for label, said in _LABEL.findall(line) if said.strip()}


def _by_place(line: str) -> dict[str, str]:
    """Words without labels: in the order x, y, size, motion, or told apart by what they are."""
    parts = [part.strip(" \"'*`.[](){}").lower() for part in re.split(r"[,;|]", line)]
    parts = [part for part in parts if part]
    if len(parts) == len(_FIELDS) and parts[0] in (*X_WORDS, *_SAME):
        return dict(zip(_FIELDS, parts, strict=True))
    fields: dict[str, str] = {}
    for part in parts:
        said = _WORD.findall(part)
        kinds = [
            ("size", any(word in _SIZES for word in said)),
            ("x", _across(part) is not None and len(said) <= 3),
            ("y", any(word in _HEIGHTS for word in said) and len(said) <= 4),
            ("motion", True),
        ]
        key = next(key for key, fits in kinds if fits and (key not in fields or key == "motion"))
        if key != "motion" or _move(part) is not None:
            fields.setdefault(key, part)
    return fields


def _keyframes(
    told: Mapping[str, Mapping[str, str]], names: Names, notes: Notes
) -> list[dict[str, Box]]:
    missing = [name for name in names.all if name not in told]
    refuse([f"{name!r} is missing; say its x, y, size and motion" for name in missing])
    return arrange({name: _told(name, told[name], notes) for name in names.all}, notes)


def _told(name: str, fields: Mapping[str, str], notes: Notes) -> Told:
    """The words of one entity as `arrange` takes them; those that are not known are noted."""

    def unknown(key: str, instead: str) -> None:
        if key in fields:
            notes.add(f"{key} {show(fields[key])} of {name!r} is not known; read as {instead}")
        else:
            notes.add(f"no {key} for {name!r}; read as {instead}")

    x = _across(fields.get("x", ""))
    if x is None:
        unknown("x", "center")
    said_y, said_size = (_WORD.findall(fields.get(key, "").lower()) for key in ("y", "size"))
    y = next((_HEIGHTS[word] for word in said_y if word in _HEIGHTS), None)
    if y is None:
        unknown("y", "ground")
    size = next((_SIZES[word] for word in said_size if word in _SIZES), "")
    if not size:
        unknown("size", "its usual size")
    move = _move(fields.get("motion", ""))
    if move is None:
        unknown("motion", "still")
    return replace(move or Told(), x=x or "center", y=y or "ground", size=size)


def _across(text: str) -> str | None:
    """The word for a place from left to right; None if it is not known."""
    said = _WORD.findall(text.lower()[:80])
    for word in said:
        word = _SAME.get(word, word)
        if word in ("left", "right") and ("far" in said or "edge" in said):
            return f"far {word}"
        if word in X_WORDS:
            return word
    return None


def _move(text: str) -> Told | None:
    """What a thing does, as a `Told` without place and size; None if it is not known."""
    said = _WORD.findall(text.lower()[:80])
    ways = [_WAYS[word] for word in said if word in _WAYS]
    kind = next((_MOTIONS[word] for word in said if word in _MOTIONS), "")
    if "from" in said and "to" in said and kind != "enter":  # "from left to right" goes right
        ways = ways[-1:]
    dx = next((way[0] for way in ways if way[0]), 0)
    dy = next((way[1] for way in ways if way[1]), 0)
    if kind in ("shrink", "grow") and ways:
        kind = ""  # "away to the left", "towards the right" go left and right
    if kind:
        return Told(motion=kind, dx=dx, dy=dy)
    if ways:
        return Told(motion="slide", dx=dx, dy=dy)
    if any(word in _STILL for word in said):
        return Told()
    return None
