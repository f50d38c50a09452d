"""What else a language model decides about a film, each with a question of its own.

A finished plan enters; the same plan leaves with a camera for each scene and a description of each
entity (VideoStudio, section 3.1), or with a prompt for each frame (DirecT2V). An answer that
cannot be used leaves its part out, and a note says so: the film can be made without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from vdjax.plan.answers import AnswerError
from vdjax.plan.answers.loose import clean, values
from vdjax.plan.answers.schemas import closed, list_of
from vdjax.plan.consistency import exact_groups
from vdjax.plan.problems import PlanError
from vdjax.plan.prompts import Messages
from vdjax.plan.schema import Camera, Direction, Speed, VideoPlan, base_name

NUM_FRAME_PROMPTS = 8
"""DirecT2V: direct2v_zeroshot.py films eight frames."""

Ask = Callable[..., Any]
"""(messages, read, *, schema, max_tokens) -> what `read` makes of the answer."""

_CAMERAS, _SPEEDS = list(get_args(Direction)), list(get_args(Speed))


def with_cameras(plan: VideoPlan, ask: Ask) -> VideoPlan:
    """The plan with a camera for each scene; one question over all of them, as in VideoStudio."""
    count = len(plan.scenes)
    listed = "\n".join(f"{n}. {scene.description}" for n, scene in enumerate(plan.scenes, 1))
    system = (
        "You choose how the camera moves in each scene of a film. direction: one of "
        f"{', '.join(_CAMERAS)} (forward comes closer); speed: one of {', '.join(_SPEEDS)}. Vary "
        "them as the story asks. Answer with JSON alone."
    )
    item = closed(direction={"enum": _CAMERAS}, speed={"enum": _SPEEDS})
    schema = closed(cameras=list_of(item, count, count))

    def read(text: str) -> list[Camera]:
        found = _items(text, "cameras", count)
        try:
            return [Camera.model_validate(dict(camera)) for camera in found]
        except (PlanError, TypeError, ValueError) as error:
            raise AnswerError(f"a camera cannot be used: {error}") from None

    cameras = ask(_chat(system, listed), read, schema=schema, max_tokens=60 * count)
    scenes = [s.replace(camera=c) for s, c in zip(plan.scenes, cameras, strict=True)]
    return plan.replace(scenes=tuple(scenes))


def with_descriptions(plan: VideoPlan, ask: Ask) -> VideoPlan:
    """The plan with a paragraph for each entity and background: what a photograph would fix.

    VideoStudio asks in three turns; here one question holds their three demands: which aspects, as
    a photographer sees them, in one concrete paragraph.
    """
    system = (
        "You describe for a painter how something looks, so that every picture of it shows the "
        "same thing: kind, colours, material, size, light, composition. One paragraph of at most "
        "50 words, concrete, without feelings, and nothing of what it does. Answer with JSON alone."
    )
    schema = closed(description={"type": "string"})

    def read(text: str) -> str:
        for value in _mappings(text):
            if isinstance(said := value.get("description"), str) and said.strip():
                return " ".join(said.split())[:1000]
        raise AnswerError('the answer has no "description"')

    made = {}
    for name in exact_groups(plan.scenes):
        question = f"The film: {plan.prompt}\nDescribe: {base_name(name)}"
        made[name] = ask(_chat(system, question), read, schema=schema, max_tokens=200)
    return plan.replace(entity_descriptions=made)


def with_frame_prompts(plan: VideoPlan, ask: Ask) -> VideoPlan:
    """The plan with one prompt for each of eight frames of every scene (DirecT2V)."""
    system = (
        f"You tell a scene as {NUM_FRAME_PROMPTS} pictures that follow each other closely. Each is "
        "one full sentence that names everything to be seen again; only what moves changes. Answer "
        "with JSON alone."
    )
    schema = closed(frames=list_of({"type": "string"}, NUM_FRAME_PROMPTS, NUM_FRAME_PROMPTS))

    def read(text: str) -> tuple[str, ...]:
        found = _items(text, "frames", NUM_FRAME_PROMPTS)
        if not all(isinstance(item, str) and item.strip() for item in found):
            raise AnswerError("a frame's prompt is no sentence")
        return tuple(" ".join(item.split())[:1000] for item in found)

    scenes = []
    for scene in plan.scenes:
        prompts = ask(_chat(system, scene.description), read, schema=schema, max_tokens=600)
        scenes.append(scene.replace(frame_prompts=prompts))
    return plan.replace(scenes=tuple(scenes))


EXTRAS: Mapping[str, Callable[[VideoPlan, Ask], VideoPlan]] = {
    "cameras": with_cameras,
    "descriptions": with_descriptions,
    "frame_prompts": with_frame_prompts,
}


def _chat(system: str, user: str) -> Messages:
    return {"role": "system", "content": system}, {"role": "user", "content": user}


def _mappings(text: str) -> Sequence[Mapping[str, Any]]:
    return [v.data for v in values(clean(text)) if isinstance(v.data, Mapping)]


def _items(text: str, key: str, count: int) -> list[Any]:
    """The list under a key, of the wanted length. Raises `AnswerError`."""
    for mapping in _mappings(text):
        if isinstance(found := mapping.get(key), list):
            if len(found) != count:
                raise AnswerError(f"{key!r} has {len(found)} items; it must have {count}")
            return found
    raise AnswerError(f"the answer has no list {key!r}")
