"""The plan of a film: the one contract that everything after the planner reads.

A `VideoPlan` holds what VideoDirectorGPT's planner makes (section 3.1): scenes with a
description, a background, entities and their boxes, and the groups of scenes over which an entity
or a background must look the same; plus alpha, the share of the denoising steps that the layout
guides. It is plain data, read and written as JSON, and checked completely whenever one is made.

Departures. Nine keyframes per scene, exactly (the paper's template says 8, its text and its
validity rule 9). An entity without a box at a keyframe is not visible there; the paper leaves
that open. Names are free text: whether a model can draw them is for the director and the renderer
to say. Plans are frozen, dictionaries included, and unknown keys are refused; later parts of a
plan will be optional keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    ValidationError,
    model_validator,
)

from vdjax.plan import consistency
from vdjax.plan.boxes import Box, check_box
from vdjax.plan.problems import PlanError, fault, plan_error, problems_of, show

NUM_KEYFRAMES = 9
"""Keyframes of a scene (VideoDirectorGPT, section 3.1 and appendix H.1)."""
MAX_ENTITIES = 7
"""Entities in one scene: the model has eight grounding tokens, and the background takes one."""
MAX_SCENES = 16
MAX_PROMPT = 2000
"""Characters in a prompt."""
MAX_NAME = 60
"""Characters in the name of an entity or a background."""
MAX_TEXT = 1000
"""Characters in a description or a note."""
MAX_NOTES = 100
DEFAULT_ALPHA = 1.0
"""Share of the denoising steps with the gated layers on, when nobody says otherwise.

Chosen for the storybook weights on validation plans; the paper's full-size model needs 0.1 to 0.3.
"""

_NUMBERED = re.compile(r"^(?P<base>.+?) (?P<number>[2-9]|[1-9][0-9]+)$")


def base_name(name: str) -> str:
    """The kind of thing a name stands for: "cat" for "cat" and for "cat 2"."""
    match = _NUMBERED.match(name)
    return match["base"] if match else name


class Fixed(dict[str, Any]):
    """A dictionary that stays as it is, so that a plan that was checked stays valid."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a plan cannot be changed in place; make a new one with .replace(...)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> Any:
        return type(self), (dict(self),)


def _name(value: Any, what: str) -> str:
    """A name people can read: some text, one line, no blanks around it."""
    if not isinstance(value, str):
        raise fault("name", f"{what} is {show(value)}; it must be a text in quotes")
    if not value.strip():
        raise fault("name", f"{what} is empty; give it a name")
    if value != value.strip() or not value.isprintable():
        raise fault(
            "name", f"{what} {show(value)} has blanks around it or signs that cannot be shown"
        )
    if len(value) > MAX_NAME:
        raise fault("name", f"{what} {show(value)} has {len(value)} characters; at most {MAX_NAME}")
    return value


def _text(value: Any, what: str, limit: int) -> str:
    if not isinstance(value, str):
        raise fault("text", f"{what} is {show(value)}; it must be a text in quotes")
    if len(value) > limit:
        raise fault("text", f"{what} has {len(value)} characters; at most {limit}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise fault(
            "text", f"{what} holds half a character (a lone surrogate); remove it"
        ) from None
    return value


def _check_keyframe(value: Any) -> Fixed:
    if not isinstance(value, Mapping):
        raise fault("type", f"it is {show(value)}; it must be a mapping {{name: [x0, y0, x1, y1]}}")
    return Fixed({_name(name, "a name"): check_box(box, name) for name, box in value.items()})


def _check_entities(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise fault("type", f"'entities' is {show(value)}; it must be a list of names")
    return tuple(_name(item, "an entity") for item in value)


def _check_groups(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise fault(
            "type", f"'groups' is {show(value)}; it must be a mapping {{name: [scene numbers]}}"
        )
    groups = {}
    for name, scenes in value.items():
        _name(name, "a group")
        if not isinstance(scenes, list | tuple) or not scenes:
            raise fault(
                "group", f"group {name!r} is {show(scenes)}; it must be a list of scene numbers"
            )
        for number in scenes:
            if isinstance(number, bool) or not isinstance(number, int):
                raise fault(
                    "group",
                    f"group {name!r} names scene {show(number)}; scenes are numbered 1, 2, …",
                )
        if len(set(scenes)) != len(scenes):
            raise fault("group", f"group {name!r} names a scene twice: {show(scenes)}")
        groups[name] = tuple(sorted(scenes))
    return Fixed(groups)


def _check_alpha(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise fault("alpha", f"alpha is {show(value)}; it must be a number from 0 to 1")
    return float(value)


def _check_notes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise fault("type", f"'notes' is {show(value)}; it must be a list of texts")
    if len(value) > MAX_NOTES:
        raise fault("notes", f"{len(value)} notes; at most {MAX_NOTES}")
    return tuple(_text(item, "a note", MAX_TEXT) for item in value)


class _Checked(BaseModel):
    """A frozen model whose errors are `PlanError`s, in words, however it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _called: ClassVar[str]

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            keys = list(type(self).model_fields)
            raise plan_error(problems_of(error, self._called, keys)) from None

    def replace(self, **changes: Any) -> Self:
        """A new one with these fields changed, checked like any other."""
        known = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**known, **changes})


class Scene(_Checked):
    """One clip of the film: its caption, its background, and who is where at nine moments.

    Attributes:
        description: the sentence the text encoder reads.
        background: the name of the place.
        entities: names, each once; several of a kind are "cat", "cat 2", "cat 3".
        keyframes: nine mappings from name to (x0, y0, x1, y1) in 0..1; a name that is absent from a
            mapping is not visible at that moment.
        notes: what the planner has to say; those that start with "warning:" say what will be
        missing.
    """

    _called: ClassVar[str] = "scene"

    description: Annotated[str, PlainValidator(lambda v: _text(v, "'description'", MAX_TEXT))]
    background: Annotated[str, PlainValidator(lambda v: _name(v, "'background'"))]
    entities: Annotated[tuple[str, ...], PlainValidator(_check_entities)]
    keyframes: tuple[Annotated[Mapping[str, Box], PlainValidator(_check_keyframe)], ...]
    notes: Annotated[tuple[str, ...], PlainValidator(_check_notes)] = ()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        entities = self.entities
        if not entities:
            raise fault("entities", "it has no entities; name at least one thing to draw")
        if len(entities) > MAX_ENTITIES:
            raise fault(
                "entities",
                f"it has {len(entities)} entities; the model takes at most {MAX_ENTITIES}",
            )
        for name in entities:
            if entities.count(name) > 1:
                raise fault(
                    "entities",
                    f"{name!r} is listed twice in 'entities'; call the second one {name + ' 2'!r}",
                )
        if self.background in entities:
            raise fault(
                "entities", f"{self.background!r} is both the background and an entity; rename one"
            )
        if len(self.keyframes) != NUM_KEYFRAMES:
            raise fault(
                "keyframes", f"it has {len(self.keyframes)} keyframes; it must have {NUM_KEYFRAMES}"
            )
        for index, keyframe in enumerate(self.keyframes):
            for name in keyframe:
                if name not in entities:
                    raise fault(
                        "entities",
                        f"keyframe {index + 1} has a box of {name!r}, which is not in 'entities'"
                        f" ({', '.join(entities)}); add it there or take the box away",
                    )
        for name in entities:
            if not any(name in keyframe for keyframe in self.keyframes):
                raise fault(
                    "entities",
                    f"{name!r} is in 'entities' but has no box in any keyframe;"
                    " give it one or remove it",
                )
        return self

    def visible(self, name: str) -> tuple[bool, ...]:
        """At which of the nine keyframes `name` is visible. Raises `PlanError`."""
        if name not in self.entities:
            raise PlanError(f"{name!r} is not in this scene; it has {', '.join(self.entities)}")
        return tuple(name in keyframe for keyframe in self.keyframes)


class VideoPlan(_Checked):
    """The plan of a whole film.

    Attributes:
        prompt: what was asked for.
        scenes: one to `MAX_SCENES` scenes, in order.
        groups: for a name, the numbers of the scenes (from 1) in which it looks the same. Left
            out, every name is grouped over all its scenes; a scene left out of a group gets a
            look of its own.
        alpha: share of the denoising steps, 0 to 1, during which the layout guides.
        version: 1.
    """

    _called: ClassVar[str] = "plan"

    version: Literal[1] = 1
    prompt: Annotated[str, PlainValidator(lambda v: _text(v, "'prompt'", MAX_PROMPT))]
    scenes: tuple[Scene, ...]
    groups: Annotated[Mapping[str, tuple[int, ...]], PlainValidator(_check_groups)] = None  # type: ignore[assignment]
    alpha: Annotated[float, PlainValidator(_check_alpha)] = DEFAULT_ALPHA

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: Any) -> Any:
        version = data.get("version", 1) if isinstance(data, Mapping) else 1
        if isinstance(version, bool) or version != 1:
            raise fault(
                "version", f"plan version {show(version)} is not known; this vdjax reads version 1"
            )
        return data

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not self.scenes:
            raise fault("scenes", "the plan has no scenes; it needs at least one")
        if len(self.scenes) > MAX_SCENES:
            raise fault("scenes", f"the plan has {len(self.scenes)} scenes; at most {MAX_SCENES}")
        if self.groups is None:
            # Frozen for everyone else; this is how a field is filled after the checks.
            groups = Fixed(consistency.exact_groups(self.scenes))  # type: ignore[unreachable]
            object.__setattr__(self, "groups", groups)
        known = consistency.exact_groups(self.scenes)
        for name, numbers in self.groups.items():
            if name not in known:
                raise fault(
                    "group",
                    f"group {name!r} is neither an entity nor a background of any scene;"
                    f" the plan has {', '.join(known)}",
                )
            for number in numbers:
                if not 1 <= number <= len(self.scenes):
                    raise fault(
                        "group",
                        f"group {name!r} names scene {number}; {self._numbers()}",
                    )
                if number not in known[name]:
                    raise fault(
                        "group",
                        f"group {name!r} names scene {number}, where it does not appear;"
                        f" it is in {_scenes(known[name])}",
                    )
        return self

    def _numbers(self) -> str:
        return f"the plan has {_scenes(range(1, len(self.scenes) + 1))}"

    def scene(self, number: int) -> Scene:
        """Scene `number`, counted from 1. Raises `PlanError` when there is none."""
        if (
            isinstance(number, bool)
            or not isinstance(number, int)
            or not 1 <= number <= len(self.scenes)
        ):
            raise PlanError(f"there is no scene {show(number)}; {self._numbers()}")
        return self.scenes[number - 1]

    def summary(self) -> str:
        """The plan as a table to read in a terminal."""
        from vdjax.plan.summary import table

        return table(self)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What will not be seen in the film, each as "scene 2: ..."."""
        return tuple(
            f"scene {number}: {note.removeprefix('warning:').strip()}"
            for number, scene in enumerate(self.scenes, 1)
            for note in scene.notes
            if note.startswith("warning:")
        )

    def to_json(self) -> str:
        """The plan as JSON, one keyframe to a line, ending in a newline."""
        from vdjax.plan.files import write_text

        return write_text(self)

    @classmethod
    def parse(cls, text: str | bytes, source: str = "") -> Self:
        """The plan in a JSON text; `source` is named in errors. Raises `PlanError`."""
        from vdjax.plan.files import read_text

        return cls.from_data(read_text(text, source), source)

    @classmethod
    def from_data(cls, data: Any, source: str = "") -> Self:
        """The plan in plain dictionaries and lists, as JSON gives them. Raises `PlanError`."""
        if not isinstance(data, Mapping):
            error = f'it holds {show(data)}; a plan is a mapping {{"prompt": …, "scenes": […]}}'
            raise PlanError(f"{source}: {error}" if source else error)
        try:
            return cls(**data)
        except PlanError as error:
            raise plan_error(error.problems, source) from None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The plan in a file. Raises `PlanError`."""
        from vdjax.plan.files import read_file

        return cls.parse(read_file(path), str(path))

    def save(self, path: str | Path) -> Path:
        """Write the plan; the file appears whole or not at all. Raises `PlanError`."""
        from vdjax.plan.files import write_file

        return write_file(path, self.to_json())


def _scenes(numbers: Sequence[int]) -> str:
    return ("scene " if len(numbers) == 1 else "scenes ") + ", ".join(map(str, numbers))
