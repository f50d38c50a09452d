"""JSON schemas of the answers, for servers that hold a model to one.

Only what both llama.cpp's grammars and OpenAI's strict mode take: every object is closed and all of
its properties are required, what may be absent may be null, and the only limits are enumerations
and lengths of lists. The order of the properties is the order in which a model writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vdjax.plan.answers.words import MOTION_WORDS, SIZE_WORDS, X_WORDS, Y_WORDS
from vdjax.plan.fields import MAX_ENTITIES, MAX_SCENES, NUM_KEYFRAMES

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}


def closed(**properties: Schema) -> Schema:
    """An object with these properties, all of them, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def list_of(item: Schema, least: int, most: int) -> Schema:
    """A list of so many items of a kind."""
    return {"type": "array", "items": item, "minItems": least, "maxItems": most}


def _one_of(words: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(words)} if words else _TEXT


def story_schema(
    scenes: int | None = None,
    *,
    max_entities: int = MAX_ENTITIES,
    names: Sequence[str] = (),
    backgrounds: Sequence[str] = (),
    ask_alpha: bool = False,
) -> Schema:
    """The schema of step (a).

    Args:
        scenes: how many scenes, when their number is fixed; else 1 to 16.
        max_entities: entities in one scene, 1 to 7.
        names: the names that entities may have; any when empty.
        backgrounds: the names that backgrounds may have; any when empty.
        ask_alpha: let the answer end with alpha. Its range is for the prompt to say: limits of
            numbers are not held by all servers.
    """
    scene = closed(
        description=_TEXT,
        entities=list_of(_one_of(names), 1, max_entities),
        background=_one_of(backgrounds),
    )
    story = {"scenes": list_of(scene, scenes or 1, scenes or MAX_SCENES)}
    return closed(**story, alpha={"type": "number"}) if ask_alpha else closed(**story)


def layout_schema(entities: Sequence[str]) -> Schema:
    """The schema of step (b) in numbers: the reasoning, then nine keyframes.

    Every entity has a box or null in every keyframe.
    """
    box = {"anyOf": [list_of({"type": "number"}, 4, 4), {"type": "null"}]}
    keyframe = closed(boxes=closed(**dict.fromkeys(entities, box)), caption=_TEXT)
    return closed(reasoning=_TEXT, keyframes=list_of(keyframe, NUM_KEYFRAMES, NUM_KEYFRAMES))


def words_schema(entities: Sequence[str]) -> Schema:
    """The schema of step (b) in words: under each entity's name its x, y, size and motion."""
    thing = closed(
        x=_one_of(X_WORDS), y=_one_of(Y_WORDS), size=_one_of(SIZE_WORDS),
        motion=_one_of(MOTION_WORDS),
    )  # fmt: skip
    return closed(entities=closed(**dict.fromkeys(entities, thing)))
