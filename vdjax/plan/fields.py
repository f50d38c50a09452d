"""The fields of a plan, one check each: what a name, a text, a seed or a group may be.

Enters: a value as JSON gives it. Leaves: the value as the plan keeps it, frozen; or a fault in
words, to which the plan adds the place. `schema` puts the fields together and checks what they
must agree on. The limits are ours; VideoDirectorGPT states none but the nine keyframes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn, Self, TypeVar

from vdjax.plan.boxes import check_box
from vdjax.plan.problems import fault, nearest, show

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
"""Characters in a description, a caption or a note."""
MAX_REASONING = 4000
"""Characters in a planner's reasoning about one scene."""
MAX_DIRECTOR = 120
"""Characters in the words that say who planned."""
MAX_NOTES = 100
MAX_FRAME_PROMPTS = 64
"""Prompts of one scene, one per frame; DirecT2V's script has 8, the longest clips here 64."""
MAX_SEED = 2**32 - 1

T = TypeVar("T")


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


def optional(check: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """The same check for a field that may be absent; null in JSON is absent."""
    return lambda value: None if value is None else check(value)


def check_name(value: Any, what: str, limit: int = MAX_NAME) -> str:
    """A name people can read: some text, one line, no blanks around it."""
    if not isinstance(value, str):
        raise fault("name", f"{what} is {show(value)}; it must be a text in quotes")
    if not value.strip():
        raise fault("name", f"{what} is empty; give it a name")
    if value != value.strip() or not value.isprintable():
        raise fault(
            "name", f"{what} {show(value)} has blanks around it or signs that cannot be shown"
        )
    if len(value) > limit:
        raise fault("name", f"{what} {show(value)} has {len(value)} characters; at most {limit}")
    return value


def check_text(value: Any, what: str, limit: int = MAX_TEXT) -> str:
    """Any text up to a length that can be written as UTF-8."""
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


def check_keyframe(value: Any) -> Fixed:
    """A mapping from names to boxes."""
    if not isinstance(value, Mapping):
        raise fault("type", f"it is {show(value)}; it must be a mapping {{name: [x0, y0, x1, y1]}}")
    return Fixed({check_name(name, "a name"): check_box(box, name) for name, box in value.items()})


def check_entities(value: Any) -> tuple[str, ...]:
    """A list of names."""
    if not isinstance(value, list | tuple):
        raise fault("type", f"'entities' is {show(value)}; it must be a list of names")
    return tuple(check_name(item, "an entity") for item in value)


def check_groups(value: Any) -> Any:
    """A mapping from names to numbers of scenes."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise fault(
            "type", f"'groups' is {show(value)}; it must be a mapping {{name: [scene numbers]}}"
        )
    groups = {}
    for name, scenes in value.items():
        check_name(name, "a group")
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


def check_alpha(value: Any) -> float:
    """A share of the denoising steps."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise fault("alpha", f"alpha is {show(value)}; it must be a number from 0 to 1")
    return float(value)


def check_notes(value: Any) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list | tuple):
        raise fault("type", f"'notes' is {show(value)}; it must be a list of texts")
    if len(value) > MAX_NOTES:
        raise fault("notes", f"{len(value)} notes; at most {MAX_NOTES}")
    return tuple(check_text(item, "a note") for item in value)


def check_seed(value: Any) -> int:
    """A seed that every random generator here takes."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SEED:
        raise fault(
            "seed", f"'seed' is {show(value)}; it must be a whole number from 0 to {MAX_SEED}"
        )
    return value


def check_descriptions(value: Any) -> Fixed:
    """A mapping from names to one paragraph each."""
    if not isinstance(value, Mapping):
        raise fault(
            "type", f"'entity_descriptions' is {show(value)}; it must be a mapping {{name: text}}"
        )
    checked = {}
    for name, said in value.items():
        what = f"the description of {show(name)}"
        checked[name] = _said(said, what)
        if len(said.splitlines()) > 1:
            raise fault("text", f"{what} has several lines; it must be one paragraph")
    return Fixed(checked)


def check_choice(what: str, allowed: Collection[str]) -> Callable[[Any], str]:
    """The check of a word that must be one of these."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            hint = nearest(value, allowed) if isinstance(value, str) and len(value) < 40 else ""
            raise fault("choice", f"{what} is {show(value)}{hint}; it must be {', '.join(allowed)}")
        return value

    return check


def check_captions(value: Any) -> tuple[str, ...]:
    """Nine captions, one for each keyframe."""
    texts = _texts(value, "captions", "a caption")
    if len(texts) != NUM_KEYFRAMES:
        raise fault(
            "captions", f"{len(texts)} captions; there must be {NUM_KEYFRAMES}, one per keyframe"
        )
    return texts


def check_frame_prompts(value: Any) -> tuple[str, ...]:
    """One prompt for each frame, 1 to `MAX_FRAME_PROMPTS`."""
    texts = _texts(value, "frame_prompts", "a frame's prompt")
    if not 1 <= len(texts) <= MAX_FRAME_PROMPTS:
        raise fault(
            "frame_prompts",
            f"{len(texts)} prompts of frames; there must be 1 to {MAX_FRAME_PROMPTS},"
            " or no 'frame_prompts' at all",
        )
    return texts


def _texts(value: Any, key: str, item: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise fault("type", f"'{key}' is {show(value)}; it must be a list of texts")
    return tuple(_said(text, f"{item} (number {n})") for n, text in enumerate(value, 1))


def _said(value: Any, what: str) -> str:
    """A text that says something."""
    if not check_text(value, what).strip():
        raise fault("text", f"{what} is empty; say something or leave it out")
    return value  # type: ignore[no-any-return]
