"""The plan of a film: the one contract that everything after the planner reads.

A `VideoPlan` holds what VideoDirectorGPT's planner makes (section 3.1): scenes with a
description, a background, entities and their boxes, and the groups of scenes over which an entity
or a background must look the same; plus alpha, the share of the denoising steps that the layout
guides. It is plain data, read and written as JSON, and checked completely whenever one is made.

Departures. Nine keyframes per scene, exactly (the paper's template says 8, its text and its
validity rule 9). An entity without a box at a keyframe is not visible there; the paper leaves
that open. Names are free text: whether a model can draw them is for the director and the renderer
to say. Plans are frozen, dictionaries included, and unknown keys are refused.

Optional keys, absent where nobody gave them, let one plan serve the other two systems as well:
VideoStudio's cameras and descriptions of entities (arXiv 2401.01256, section 3.1), DirecT2V's
prompts for frames (arXiv 2305.14330); and keep what a language model said while it planned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    ValidationError,
    model_validator,
)

from vdjax.plan import consistency
from vdjax.plan import fields as checks
from vdjax.plan.boxes import Box
from vdjax.plan.fields import (
    MAX_ENTITIES,
    MAX_NAME,
    MAX_NOTES,
    MAX_PROMPT,
    MAX_SCENES,
    MAX_TEXT,
    NUM_KEYFRAMES,
    Fixed,
)
from vdjax.plan.problems import PlanError, fault, plan_error, problems_of, show

__all__ = [
    "DEFAULT_ALPHA",
    "MAX_ENTITIES",
    "MAX_NAME",
    "MAX_NOTES",
    "MAX_PROMPT",
    "MAX_SCENES",
    "MAX_TEXT",
    "NUM_KEYFRAMES",
    "Camera",
    "Direction",
    "Fixed",
    "Scene",
    "Speed",
    "VideoPlan",
    "base_name",
]

DEFAULT_ALPHA = 1.0
"""Share of the denoising steps with the gated layers on, when nobody says otherwise.

Chosen for the storybook weights on validation plans; the paper's full-size model needs 0.1 to 0.3.
"""

Direction = Literal["static", "left", "right", "up", "down", "forward", "backward"]
"""Where a camera moves (VideoStudio, section 3.1); forward zooms in, backward zooms out."""
Speed = Literal["slow", "medium", "fast"]

_NUMBERED = re.compile(r"^(?P<base>.+?) (?P<number>[2-9]|[1-9][0-9]+)$")


def base_name(name: str) -> str:
    """The kind of thing a name stands for: "cat" for "cat" and for "cat 2"."""
    match = _NUMBERED.match(name)
    return match["base"] if match else name


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


def _check_reasoning(value: Any) -> str:
    return checks.check_text(value, "'reasoning'", checks.MAX_REASONING)


def _check_director(value: Any) -> str:
    return checks.check_name(value, "'director'", checks.MAX_DIRECTOR)


_DIRECTION = checks.check_choice("the camera's direction", get_args(Direction))
_SPEED = checks.check_choice("the camera's speed", get_args(Speed))


class Camera(_Checked):
    """How the camera moves during a scene (VideoStudio, section 3.1)."""

    _called: ClassVar[str] = "camera"

    direction: Annotated[Direction, PlainValidator(_DIRECTION)]
    speed: Annotated[Speed, PlainValidator(_SPEED)] = "medium"


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
        camera: how the camera moves; optional, as is all that follows.
        captions: nine texts, what each keyframe shows (VideoDirectorGPT, section 3.1, step 2).
        reasoning: why the planner put the boxes where they are, up to 4000 characters.
        frame_prompts: one prompt for each frame, 1 to 64 of them (DirecT2V).
    """

    _called: ClassVar[str] = "scene"

    description: Annotated[str, PlainValidator(lambda v: checks.check_text(v, "'description'"))]
    background: Annotated[str, PlainValidator(lambda v: checks.check_name(v, "'background'"))]
    entities: Annotated[tuple[str, ...], PlainValidator(checks.check_entities)]
    keyframes: tuple[Annotated[Mapping[str, Box], PlainValidator(checks.check_keyframe)], ...]
    notes: Annotated[tuple[str, ...], PlainValidator(checks.check_notes)] = ()
    camera: Camera | None = None
    captions: Annotated[
        tuple[str, ...] | None, PlainValidator(checks.optional(checks.check_captions))
    ] = None
    reasoning: Annotated[str | None, PlainValidator(checks.optional(_check_reasoning))] = None
    frame_prompts: Annotated[
        tuple[str, ...] | None, PlainValidator(checks.optional(checks.check_frame_prompts))
    ] = None

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

    # Edits give a new scene; put it back with `VideoPlan.with_scene`. See `scene_edits` for each.

    def move(self, name: str, **how: Any) -> Scene:
        """The scene with something moved: right, left, up, down, or to=(x, y)."""
        from vdjax.plan import scene_edits

        return scene_edits.move(self, name, **how)

    def resize(self, name: str, factor: float, **how: Any) -> Scene:
        """The scene with something larger or smaller."""
        from vdjax.plan import scene_edits

        return scene_edits.resize(self, name, factor, **how)

    def rename(self, old: str, new: str) -> Scene:
        """The scene with another name for an entity or its background."""
        from vdjax.plan import scene_edits

        return scene_edits.rename(self, old, new)

    def add(self, name: str, box: Any = None, **how: Any) -> Scene:
        """The scene with one entity more."""
        from vdjax.plan import scene_edits

        return scene_edits.add(self, name, box, **how)

    def remove(self, name: str) -> Scene:
        """The scene without an entity."""
        from vdjax.plan import scene_edits

        return scene_edits.remove(self, name)

    def set_background(self, name: str) -> Scene:
        """The scene at another place."""
        from vdjax.plan import scene_edits

        return scene_edits.set_background(self, name)


class VideoPlan(_Checked):
    """The plan of a whole film.

    Attributes:
        prompt: what was asked for.
        scenes: one to `MAX_SCENES` scenes, in order.
        groups: for a name, the numbers of the scenes (from 1) in which it looks the same. Left
            out, every name is grouped over all its scenes; a scene left out of a group gets a
            look of its own.
        alpha: share of the denoising steps, 0 to 1, during which the layout guides.
        seed: 0 to 2**32 - 1; what the film is made with unless somebody says otherwise, so that an
            edited plan keeps what was not touched. Optional, as is all that follows.
        director: who planned, in a few words: the director's name and its model. Never a key or
            an address.
        entity_descriptions: for a name, or an identity such as "cat in scene 3", one paragraph on
            how it looks (VideoStudio).
        version: 1.
    """

    _called: ClassVar[str] = "plan"

    version: Literal[1] = 1
    prompt: Annotated[str, PlainValidator(lambda v: checks.check_text(v, "'prompt'", MAX_PROMPT))]
    scenes: tuple[Scene, ...]
    groups: Annotated[Mapping[str, tuple[int, ...]], PlainValidator(checks.check_groups)] = None  # type: ignore[assignment]
    alpha: Annotated[float, PlainValidator(checks.check_alpha)] = DEFAULT_ALPHA
    seed: Annotated[int | None, PlainValidator(checks.optional(checks.check_seed))] = None
    director: Annotated[str | None, PlainValidator(checks.optional(_check_director))] = None
    entity_descriptions: Annotated[
        Mapping[str, str] | None, PlainValidator(checks.optional(checks.check_descriptions))
    ] = None

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
        for name in self.entity_descriptions or ():
            # Identities of every possible grouping: to regroup a plan must not make it invalid.
            base, _, scene = name.rpartition(" in scene ")
            alone = base in known and scene in map(str, known[base])
            if name not in known and not alone:
                raise fault(
                    "entity_descriptions",
                    f"{show(name)} is described but neither an entity nor a background of any"
                    f" scene; the plan has {', '.join(known)}",
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

    def with_scene(self, number: int, scene: Scene) -> VideoPlan:
        """The plan with another scene in the place of that number; groups stay right."""
        from vdjax.plan import editing

        return editing.with_scene(self, number, scene)

    def edit(self) -> Any:
        """A `Draft` of the plan: edits in a row, with undo."""
        from vdjax.plan import editing

        return editing.Draft(self)

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
