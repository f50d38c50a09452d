"""The questions put to a language model, with their in-context examples.

A prompt or a scene enters; messages for a chat leave, in the two steps of VideoDirectorGPT (section
3.1, figures 7 and 8): first the scenes, with one example, then a layout for each scene, with five.
The examples are played as a chat, question and answer by turns, and each is written in the form
that is asked for: JSON, the papers' brackets, or layouts in words for small models. Texts and
examples are our own. Nine keyframes follow the paper's text (its printed template has eight); in
JSON the reasoning comes first, so that the boxes can follow from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vdjax.plan.answers.words import MOTION_WORDS, SIZE_WORDS, X_WORDS, Y_WORDS
from vdjax.plan.boxes import Box
from vdjax.plan.schema import MAX_ENTITIES, MAX_SCENES, NUM_KEYFRAMES

Form = Literal["json", "brackets", "words"]
"""How a layout is answered. A story in words is JSON too."""
Messages = tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class _Told:
    """A thing of an example: its words, and its boxes at some keyframes, a straight way between."""

    name: str
    x: str
    y: str
    size: str
    motion: str
    anchors: Mapping[int, Box]

    def boxes(self) -> list[Box | None]:
        """A box for each keyframe, in hundredths; none before the first anchor or after the last.

        An anchor at the first and last keyframe says that it is there all the time.
        """
        known = sorted(self.anchors)
        made: list[Box | None] = []
        for k in range(NUM_KEYFRAMES):
            if not known[0] <= k <= known[-1]:
                made.append(None)
                continue
            before = max(a for a in known if a <= k)
            after = min(a for a in known if a >= k)
            share = (k - before) / (after - before) if after > before else 0.0
            first, last = self.anchors[before], self.anchors[after]
            x0, y0, x1, y1 = (
                round(a + share * (b - a), 2) for a, b in zip(first, last, strict=True)
            )
            made.append((x0, y0, x1, y1))
        return made


@dataclass(frozen=True)
class _Example:
    """A scene with its layout; captions are made of a beginning, a middle and an end."""

    description: str
    background: str
    things: tuple[_Told, ...]
    captions: tuple[str, str, str]
    reasoning: str


_STORY_PROMPT = "A bear bakes a cake and takes it to a rabbit who lives in the forest"
_STORY = (
    ("A bear stands beside a table with a cake in a kitchen", ["bear", "cake"], "kitchen"),
    ("The bear carries the cake along a road from left to right", ["bear", "cake"], "road"),
    ("The bear meets a rabbit in the forest", ["bear", "cake", "rabbit"], "forest"),
    ("The bear and the rabbit eat the cake in the forest", ["bear", "rabbit", "cake"], "forest"),
)  # fmt: skip

_EXAMPLES = (
    _Example(
        "A sailboat drifts from left to right on the sea",
        "beach",
        (
            _Told("sailboat", "left", "middle", "large", "right", {
                0: (0.03, 0.2, 0.43, 0.7), 8: (0.55, 0.2, 0.95, 0.7)}),
        ),
        ("a sailboat at the left of the bay", "the sailboat in the middle of the bay",
         "the sailboat at the right of the bay"),
        "It sails slowly, so its box moves by the same small step each time and keeps its size.",
    ),
    _Example(
        "A frog hops beside a mushroom that stands still",
        "forest",
        (
            _Told("frog", "left", "ground", "medium", "bounce", {
                0: (0.08, 0.6, 0.38, 0.9), 2: (0.12, 0.38, 0.42, 0.68), 4: (0.16, 0.6, 0.46, 0.9),
                6: (0.2, 0.38, 0.5, 0.68), 8: (0.24, 0.6, 0.54, 0.9)}),
            _Told("mushroom", "right", "ground", "large", "still", {
                0: (0.6, 0.45, 0.95, 0.92), 8: (0.6, 0.45, 0.95, 0.92)}),
        ),
        ("a frog sits beside a mushroom", "the frog lands between two hops",
         "the frog sits close to the mushroom"),
        "Each hop rises and falls; what stands still has the same box in every keyframe.",
    ),
    _Example(
        "A hot air balloon rises over a horse on a meadow",
        "park",
        (
            _Told("balloon", "center", "middle", "medium", "up", {
                0: (0.33, 0.4, 0.65, 0.78), 8: (0.33, 0.02, 0.65, 0.4)}),
            _Told("horse", "left", "ground", "large", "still", {
                0: (0.02, 0.55, 0.32, 0.95), 8: (0.02, 0.55, 0.32, 0.95)}),
        ),
        ("a balloon near the ground and a horse", "the balloon rises over the horse",
         "the balloon high in the sky"),
        "Going up makes y smaller. The horse only watches, so it stays.",
    ),
    _Example(
        "A bus comes in from the left and stops beside a house",
        "road",
        (
            _Told("house", "right", "middle", "large", "still", {
                0: (0.56, 0.2, 0.96, 0.75), 8: (0.56, 0.2, 0.96, 0.75)}),
            _Told("bus", "left", "ground", "large", "enter from left", {
                2: (0.0, 0.58, 0.2, 0.92), 6: (0.05, 0.58, 0.52, 0.92),
                8: (0.05, 0.58, 0.52, 0.92)}),
        ),
        ("a house beside an empty road", "a bus comes in from the left",
         "the bus stands at the house"),
        "The bus is not seen at first; then more and more of it is in the frame, until it stops.",
    ),
    _Example(
        "A flower grows while a bee circles over it",
        "park",
        (
            _Told("sunflower", "center", "ground", "large", "toward", {
                0: (0.4, 0.65, 0.6, 0.95), 8: (0.3, 0.35, 0.7, 0.95)}),
            _Told("bee", "center", "sky", "small", "circle", {
                0: (0.42, 0.05, 0.57, 0.2), 2: (0.6, 0.12, 0.75, 0.27), 4: (0.42, 0.2, 0.57, 0.35),
                6: (0.24, 0.12, 0.39, 0.27), 8: (0.42, 0.05, 0.57, 0.2)}),
        ),
        ("a small flower and a bee above it", "the flower is taller, the bee below its way",
         "a tall flower, the bee back where it began"),
        "Growing keeps the foot of the flower where it is. A circle ends where it began.",
    ),
)  # fmt: skip
NUM_EXAMPLES = len(_EXAMPLES)
"""In-context layouts (VideoDirectorGPT, appendix C.1: five)."""

_BRACKET_STORY = "Step k: [Prompt: ...; Entities: a, b; Background: c]"
_BRACKET_LAYOUT = "Frame_k: [[name, [left, top, right, bottom]], ...], caption: ..."


def story_messages(
    prompt: str | Sequence[str],
    *,
    form: Form = "json",
    names: Sequence[str] = (),
    backgrounds: Sequence[str] = (),
    ask_alpha: bool = False,
) -> Messages:
    """Step (a): what to ask so that a prompt becomes scenes with entities and backgrounds.

    Args:
        prompt: one text, which the model cuts into scenes, or a list of sentences, one per scene.
        form: how to answer.
        names: what can be drawn; anything where it is empty.
        backgrounds: the places that can be drawn; anything where it is empty.
        ask_alpha: ask how much the boxes should guide this film, too (appendix J.1).
    """
    rules = [
        "You plan short films. From what the user wants to see you make a film of "
        f"1 to {MAX_SCENES} scenes, each a clip of two seconds that shows one single motion.",
        "For each scene write: description, one plain sentence that names every thing to be seen "
        "and the place; entities, the names of these things; background, the name of the place.",
        "Call the same thing by the same name in every scene, and keep the same place where the "
        "story stays there. A second thing of a kind is called with a number: cat, cat 2.",
        f"At most {MAX_ENTITIES} entities in a scene. Leave out what cannot be seen.",
    ]
    if names:
        rules.append("Things that can be drawn, and no others: " + ", ".join(names) + ".")
    if backgrounds:
        rules.append("Places that can be drawn, and no others: " + ", ".join(backgrounds) + ".")
    if ask_alpha:
        rules.append(
            "Also give alpha, from 0 to 0.3: the share of the work that the layout guides. Small "
            "where words say it all (weather, mood), large where places, numbers or ways matter."
        )
    rules.append(
        f"Answer with one line for each scene: {_BRACKET_STORY}"
        if form == "brackets"
        else 'Answer with JSON alone: {"scenes": [{"description": ..., "entities": [...], '
        '"background": ...}]' + (', "alpha": ...}' if ask_alpha else "}")
    )
    return (
        _system(" ".join(rules)),
        _user(_asked(_STORY_PROMPT)),
        _assistant(_story_answer(form, ask_alpha)),
        _user(_asked(prompt)),
    )


def layout_messages(
    description: str, entities: Sequence[str], background: str, *, form: Form
) -> Messages:
    """Step (b): what to ask so that a scene gets its boxes, keyframe by keyframe or in words."""
    if form == "words":
        how = (
            f"For each entity say where it is at first: x ({', '.join(X_WORDS)}), "
            f"y ({', '.join(Y_WORDS)}), how large it is: size ({', '.join(SIZE_WORDS)}), and what "
            f"it does: motion ({', '.join(MOTION_WORDS)}). Things that are seen together stand "
            "apart. Answer with JSON alone."
        )
    else:
        how = (
            f"Give {NUM_KEYFRAMES} keyframes, spread evenly over the clip. A box is [left, top, "
            "right, bottom], each from 0 to 1, with 0, 0 at the top left corner. Show things large "
            "and close; let boxes change little from one keyframe to the next; leave a thing out "
            "of a keyframe in which it is not seen. Write a caption for each keyframe, and after "
            "the last one your reasoning. "
        ) + (
            f"Answer with one line for each keyframe, {_BRACKET_LAYOUT}, and then: Reasoning: ..."
            if form == "brackets"
            else "Answer with JSON alone."
        )
    system = "You place things in the frames of a short clip. " + how
    turns: list[Mapping[str, str]] = [_system(system)]
    for example in _EXAMPLES:
        names = [thing.name for thing in example.things]
        turns.append(_user(_scene(example.description, names, example.background)))
        turns.append(_assistant(_layout_answer(example, form)))
    turns.append(_user(_scene(description, entities, background)))
    return tuple(turns)


def repair_messages(answer: str, trouble: str) -> Messages:
    """What to add so that an answer that could not be used is given again, better."""
    return (
        _assistant(answer),
        _user(
            f"That cannot be used: {trouble}. Give the whole answer again in the same form, mended."
        ),
    )


def _asked(prompt: str | Sequence[str]) -> str:
    if isinstance(prompt, str):
        return f"Film this: {prompt}"
    listed = "\n".join(f"{number}. {text}" for number, text in enumerate(prompt, 1))
    return f"Film this in exactly {len(prompt)} scenes, one for each sentence:\n{listed}"


def _scene(description: str, entities: Sequence[str], background: str) -> str:
    return f"Scene: {description}\nEntities: {', '.join(entities)}\nBackground: {background}"


def _story_answer(form: Form, ask_alpha: bool) -> str:
    if form == "brackets":
        return "\n".join(
            f"Step {number}: [Prompt: {text}; Entities: {', '.join(names)}; Background: {place}]"
            for number, (text, names, place) in enumerate(_STORY, 1)
        )
    told = [
        {"description": text, "entities": names, "background": place}
        for text, names, place in _STORY
    ]
    return json.dumps({"scenes": told, **({"alpha": 0.1} if ask_alpha else {})})


def _layout_answer(example: _Example, form: Form) -> str:
    things = example.things
    if form == "words":
        words = {t.name: {"x": t.x, "y": t.y, "size": t.size, "motion": t.motion} for t in things}
        return json.dumps({"entities": words})
    tracks = {thing.name: thing.boxes() for thing in things}
    keyframes = [
        {name: box for name, track in tracks.items() if (box := track[k]) is not None}
        for k in range(NUM_KEYFRAMES)
    ]
    captions = [example.captions[k * 3 // NUM_KEYFRAMES] for k in range(NUM_KEYFRAMES)]
    if form == "brackets":
        lines = [
            f"Frame_{k}: [{', '.join(f'[{name}, {list(box)}]' for name, box in boxes.items())}], "
            f"caption: {caption}"
            for k, (boxes, caption) in enumerate(zip(keyframes, captions, strict=True), 1)
        ]
        return "\n".join([*lines, f"Reasoning: {example.reasoning}"])
    told = [
        {"boxes": {name: list(box) for name, box in boxes.items()}, "caption": caption}
        for boxes, caption in zip(keyframes, captions, strict=True)
    ]
    # The order of `layout_schema`, which a server may hold the answer to.
    return json.dumps({"reasoning": example.reasoning, "keyframes": told})


def _system(content: str) -> Mapping[str, str]:
    return {"role": "system", "content": content}


def _user(content: str) -> Mapping[str, str]:
    return {"role": "user", "content": content}


def _assistant(content: str) -> Mapping[str, str]:
    return {"role": "assistant", "content": content}
