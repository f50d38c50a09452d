"""The papers' bracket grammars, and lists with labels, read tolerantly.

Stories: `step_1: [prompt, [entities], background]`, `Step 1: [Prompt: …; Entities: a, b;
Background: …]` (VideoDirectorGPT, figure 7) and `[step_1: [prompt; entities: a, b; background:
c]]` (VideoStudio's code). Layouts: `Frame_1: [[cat, [0.1, 0.2, 0.5, 0.8]], …], caption: …`, then
`Reasoning: …` (VideoDirectorGPT, figure 8). Marks of markdown and other words for the labels do
no harm. Every pattern takes linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"(?i)\b(?:step|scene|shot)[ _#]?(\d{1,3})\"?\s?[:.)\]–-]")
_LISTED = re.compile(r"(?m)^\s?(\d{1,3})[.)]\s")
_LABEL = re.compile(
    r"(?i)(?:^|(?<=[\[({;\n,.\"' -]))(?P<label>(?:scene )?(?:prompt|description)|caption"
    r"|entities|objects|characters|foregrounds?|background|setting|location)\"?\s?[:=]"
)
_FRAME = re.compile(r"(?i)\b(?:key)?[ _]?frame[ _#]{0,2}(\d{1,3})\"?\s?[:=.)]")
_CAPTION = re.compile(r"(?i)\bcaption\"?\s?[:=]")
_REASONING = re.compile(r"(?i)\breason(?:ing)?\"?\s?[:=]")
_N = r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)%?(?:px)?"
_QUAD = re.compile(
    rf"[\[(]\s?({_N})[\s,;]{{1,6}}({_N})[\s,;]{{1,6}}({_N})[\s,;]{{1,6}}({_N})\s?[\])]"
)
_SEPARATORS = re.compile(r"[\[\](){},;:=\n]")
_BLANKS = re.compile(r"[^\S\n]+")
_AROUND = " \n\t[](){}\"'“”;,"


@dataclass(frozen=True)
class Told:
    """A scene as it was told, not yet checked."""

    description: str
    entities: tuple[str, ...]
    background: str


@dataclass(frozen=True)
class Frame:
    """One keyframe as it was written: (name, four numbers) in order, and its caption."""

    boxes: tuple[tuple[str, Any], ...]
    caption: str


def _plain(text: str) -> str:
    """Without marks of markdown and with single blanks, which keeps the patterns linear."""
    return _BLANKS.sub(" ", text.replace("*", "").replace("`", "").replace("\r", ""))


def _parts(heading: re.Pattern[str], text: str) -> tuple[str, list[str]]:
    """What stands before the first heading, and what follows each; headings count up by one."""
    starts: list[tuple[int, int]] = []
    last = -1
    for found in heading.finditer(text):
        if not starts or int(found[1]) == last + 1:
            starts.append((found.start(), found.end()))
            last = int(found[1])
    ends = [start for start, _ in starts[1:]] + [len(text)]
    parts = [text[begin:end] for (_, begin), end in zip(starts, ends, strict=bool(starts))]
    return text[: starts[0][0]] if starts else text, parts


# Stories


def told_scenes(text: str) -> list[Told]:
    """The scenes of a story in brackets, or in a numbered list with labels."""
    text = _plain(text)
    parts = _parts(_STEP, text)[1] or _parts(_LISTED, text)[1]
    scenes = [_labelled(part) or _unlabelled(part) for part in parts]
    return [scene for scene in scenes if scene is not None]


def _labelled(part: str) -> Told | None:
    labels = list(_LABEL.finditer(part))
    if not labels:
        return None
    fields = {"description": part[: labels[0].start()]}
    ends = [label.start() for label in labels[1:]] + [len(part)]
    for label, end in zip(labels, ends, strict=True):
        word = label["label"].lower().removeprefix("scene ")
        key = {"background": "background", "setting": "background", "location": "background"}.get(
            word, "description" if word in ("prompt", "description", "caption") else "entities"
        )
        said = part[label.end() : end]
        if key == "description" or key not in fields:
            fields[key] = said
    if "entities" not in fields and "background" not in fields:
        return None
    return Told(
        fields["description"].strip(_AROUND),
        _listed(fields.get("entities", "")),
        _first_line(fields.get("background", "")).strip(_AROUND + "."),
    )


def _unlabelled(part: str) -> Told | None:
    """`[prompt, [entities], background]`, or three parts between semicolons or commas."""
    part = part.strip().removeprefix("[")
    head, opened, rest = part.partition("[")
    inside, closed, tail = rest.partition("]")
    if opened and closed:
        return Told(head.strip(_AROUND), _listed(inside), _first_line(tail).strip(_AROUND + "."))
    part = part.partition("]")[0]
    pieces = part.split(";") if part.count(";") == 2 else part.split(",")
    if len(pieces) != 3:
        return None
    head, inside, tail = (piece.strip(_AROUND) for piece in pieces)
    return Told(head, _listed(inside), tail)


def _first_line(text: str) -> str:
    return re.split(r"[\]\n]", text.strip(_AROUND), maxsplit=1)[0]


def _listed(text: str) -> tuple[str, ...]:
    """Names between commas, up to the bracket or the empty line that ends them."""
    text = re.split(r"\]|\n\n", text.strip().removeprefix("["), maxsplit=1)[0]
    names = [name.strip(_AROUND + ".") for name in re.split(r"[,;\n]|\band\b", text)]
    return tuple(name for name in names if name)


# Layouts


def told_frames(text: str) -> tuple[list[Frame], str]:
    """The keyframes of a layout in brackets, and its reasoning."""
    text = _plain(text)
    before, parts = _parts(_FRAME, text)
    if not parts:
        return [], ""
    last, reasoning = _split(_REASONING, parts[-1])
    if not reasoning:
        reasoning = _split(_REASONING, before)[1]
    frames = [_frame(part) for part in [*parts[:-1], last]]
    return frames, reasoning.strip()


def _split(pattern: re.Pattern[str], text: str) -> tuple[str, str]:
    found = pattern.search(text)
    return (text[: found.start()], text[found.end() :]) if found else (text, "")


def _frame(part: str) -> Frame:
    body, caption = _split(_CAPTION, part)
    boxes = []
    at = 0
    for quad in _QUAD.finditer(body):
        before = body[max(at, quad.start() - 120) : quad.start()].rstrip(" ,:=([\"'\n")
        name = _SEPARATORS.split(before)[-1].strip(_AROUND)
        boxes.append((name, list(quad.groups())))
        at = quad.end()
    return Frame(tuple(boxes), caption.strip(_AROUND))
