"""Step (a) of planning, read: the scenes of a story.

Enters: an answer in JSON or in the brackets of VideoDirectorGPT (section 3.1: its grammar and its
example differ) and of VideoStudio. Leaves: scenes whose names a plan can take. What differs only in
an article or in capitals from a name said before becomes that name, because scenes are grouped by
exact match; who else is the same is for `consistency` to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vdjax.plan.answers.brackets import Told, told_scenes
from vdjax.plan.answers.coordinates import number
from vdjax.plan.answers.forms import AnswerError, Notes, SceneIdea, StoryAnswer, refuse
from vdjax.plan.answers.get import get, plain_key
from vdjax.plan.answers.loose import Value, clean, values
from vdjax.plan.answers.names import tidy
from vdjax.plan.fields import MAX_ENTITIES, MAX_SCENES, MAX_TEXT
from vdjax.plan.problems import show

_SCENES = ("scenes", "steps", "story", "plan", "script", "shots")
_DESCRIPTION = ("description", "prompt", "caption", "scenedescription", "sentence", "text", "scene")
_ENTITIES = ("entities", "entity", "objects", "characters", "foreground", "foregrounds", "things")
_BACKGROUND = ("background", "setting", "location", "place", "environment")
_ALPHA = ("alpha", "guidance", "layoutguidance")
_ALPHA_SAID = re.compile(r"(?i)\balpha[\"']?\s?[:=]\s?([\d.]{1,8}%?)")
_NAME = ("name", "entity", "object", "label")
_MOST_NAMES = 50
"""Names of one scene that are looked at; all but the first seven are left out anyway."""
_SCENE_KEY = re.compile(r"(?:scene|step|shot)?\d{1,3}")
_AND = re.compile(r"[,;\n]|\band\b|&")


def read_story(text: str, *, scenes: int | None = None) -> StoryAnswer:
    """The story in an answer.

    Args:
        text: what the model answered.
        scenes: how many scenes are wanted, when their number is fixed.

    Raises:
        AnswerError: when there is no story in it, when a scene lacks what cannot be guessed, or
            when there are too many scenes, or another number than was wanted.
    """
    text = clean(text)
    notes = Notes()
    found, whole, value = _found(text)
    if not found:
        raise AnswerError(
            'no scenes are found in the answer; answer with {"scenes": [{"description": …,'
            ' "entities": […], "background": …}, …]}'
        )
    for repair in value.repairs if value else ():
        notes.add(repair)
    if value is not None and value.cut:
        notes.add("the answer was cut off; it was read as far as it goes")
        found = found if whole else found[:-1]
    if scenes is not None and len(found) != scenes:
        raise AnswerError(f"the answer has {len(found)} scenes; exactly {scenes} are wanted")
    if len(found) > MAX_SCENES:
        raise AnswerError(f"the answer has {len(found)} scenes; at most {MAX_SCENES}")
    if not found:
        raise AnswerError("the answer was cut off in its first scene; answer more briefly")
    ideas = _Scenes(notes).read(found)
    said = get(value.data, _ALPHA) if value else None
    outside = _ALPHA_SAID.search(text) if said is None else None
    alpha = _alpha(outside[1] if outside else said, notes)
    return StoryAnswer(ideas, alpha, notes.all())


def partial_scenes(text: str) -> tuple[SceneIdea, ...]:
    """The scenes that can be read so far in an answer that is still being written.

    The last one may still grow: its description may stop in the middle, and its entities and its
    background may be missing. Never raises for a text; what cannot be read gives no scenes.
    """
    try:
        found = _found(clean(text))[0]
    except AnswerError:
        return ()
    ideas = []
    for told in found[:MAX_SCENES]:
        description = _sentence(told.description)
        if description:
            entities = tuple(dict.fromkeys(filter(None, map(tidy, told.entities[:_MOST_NAMES]))))
            ideas.append(SceneIdea(description, entities[:MAX_ENTITIES], tidy(told.background)))
    return tuple(ideas)


def _found(text: str) -> tuple[list[Told], bool, Value | None]:
    """The scenes as they were told, whether the last is whole, and the JSON they stood in."""
    for value in values(text):
        items = _items(value.data)
        if items:
            return [_told(item) for item in items], value.whole(items[-1]), value
    return told_scenes(text), True, None


def _items(data: Any, depth: int = 0) -> list[Any]:
    """The scenes in a value, as far as it holds any."""
    if isinstance(data, Mapping):
        numbered = [item for key, item in data.items() if _SCENE_KEY.fullmatch(plain_key(key))]
        if numbered and all(isinstance(item, Mapping) for item in numbered):
            return numbered
        inside = get(data, _SCENES)
        if isinstance(inside, list):
            return [item for item in inside if isinstance(item, Mapping | list)]
        if isinstance(inside, Mapping) and depth < 2:
            return _items(inside, depth + 1)
        return [data] if _is_scene(data) else []
    if isinstance(data, list) and data:
        if all(isinstance(item, Mapping) for item in data):
            if any(_is_scene(item) for item in data):
                return data
            # [{"step_1": {...}}, {"step_2": {...}}]
            opened = [_items(item, depth + 1) if depth < 2 else [] for item in data]
            return [item for items in opened for item in items]
        if all(_is_triple(item) for item in data):  # [["prompt", ["cat"], "park"], …]
            return data
    return []


def _is_scene(data: Mapping[str, Any]) -> bool:
    described = isinstance(get(data, _DESCRIPTION), str)
    return described and (get(data, _ENTITIES) or get(data, _BACKGROUND)) is not None


def _is_triple(item: Any) -> bool:
    return (
        isinstance(item, list)
        and len(item) == 3
        and isinstance(item[0], str)
        and isinstance(item[1], list)
        and isinstance(item[2], str)
    )


def _told(item: Any) -> Told:
    if isinstance(item, list):
        item = dict(zip(("description", "entities", "background"), item, strict=False))
    description, background = get(item, _DESCRIPTION), get(item, _BACKGROUND)
    if isinstance(background, Mapping):
        background = get(background, _NAME)
    return Told(
        description if isinstance(description, str) else "",
        tuple(_names(get(item, _ENTITIES))),
        background if isinstance(background, str) else "",
    )


def _names(entities: Any) -> list[str]:
    """The names in whatever a model puts under "entities"."""
    if isinstance(entities, str):
        return _AND.split(entities)
    if isinstance(entities, Mapping):
        return [str(key) for key in entities]
    names = []
    for item in entities if isinstance(entities, list) else ():
        if isinstance(item, Mapping):
            said = get(item, _NAME)
            item = said if said is not None else next(iter(item), None)
        if isinstance(item, str | int | float) and not isinstance(item, bool):
            names.append(str(item))
    return names


def _sentence(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


class _Scenes:
    """Makes scenes that a plan can take out of what was told, one spelling for each name."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.problems: list[str] = []
        self.spelling: dict[str, str] = {}

    def read(self, found: list[Told]) -> tuple[SceneIdea, ...]:
        ideas: list[SceneIdea] = []
        for number_, told in enumerate(found, 1):
            before = ideas[-1].background if ideas else ""
            ideas.append(self._scene(f"scene {number_}", told, before))
        refuse(self.problems)
        return tuple(ideas)

    def _scene(self, here: str, told: Told, before: str) -> SceneIdea:
        description = _sentence(told.description)
        if not description:
            self.problems.append(f"{here} has no description; say in one sentence what happens")
        if len(description) > MAX_TEXT:
            self.notes.add(f"{here}: its description was cut to {MAX_TEXT} characters")
            description = description[: MAX_TEXT - 1] + "…"
        background = self._name(told.background)
        if not background and before:
            self.notes.add(f"{here}: no background; kept from the scene before")
        background = background or before
        if not background:
            self.problems.append(f"{here} has no background; name the place")
        entities = self._entities(here, told, background)
        if not entities:
            self.problems.append(f"{here} has no entities; name at least one thing to draw")
        return SceneIdea(description, entities, background)

    def _entities(self, here: str, told: Told, background: str) -> tuple[str, ...]:
        names: list[str] = []
        for said in told.entities[:_MOST_NAMES]:
            name = self._name(said)
            if not name:
                continue
            if name == background:
                self.notes.add(f"{here}: {name!r} is the background, and no entity")
                continue
            if name in names:
                self.notes.add(f"{here}: {name!r} was given twice; it is there once")
                continue
            names.append(name)
        if len(names) > MAX_ENTITIES:
            left = ", ".join(names[MAX_ENTITIES:])
            self.notes.add(f"{here}: at most {MAX_ENTITIES} entities; left out: {left}")
        return tuple(names[:MAX_ENTITIES])

    def _name(self, said: str) -> str:
        name = tidy(said).removesuffix(" 1")  # in a plan the first of the cats is "cat"
        known = self.spelling.setdefault(name.casefold(), name)
        if known != " ".join(said.split()) and name:
            self.notes.add(f"{show(' '.join(said[:80].split()))} read as {known!r}")
        return known


def _alpha(said: Any, notes: Notes) -> float | None:
    """The share of the steps that the layout should guide, if the answer says one from 0 to 1."""
    if said is None:
        return None
    alpha = number(said)
    if alpha is None or not 0 <= alpha <= 1:
        notes.add(f"alpha {show(said)} is no number from 0 to 1; it was left out")
        return None
    return alpha
