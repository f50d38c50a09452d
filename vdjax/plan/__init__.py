"""Planning: from a sentence to a `VideoPlan`, the description of a film that everything after
reads.

    from vdjax.plan import plan
    film_plan = plan("A cat drives a car to the beach, then meets a dog")
    print(film_plan.summary())
    film_plan.save("plan.json")

Never imports JAX or numpy: a plan is made in well under a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vdjax.plan.boxes import Box
from vdjax.plan.captions import caption
from vdjax.plan.consistency import exact_groups, identities
from vdjax.plan.directors import Director, get_director
from vdjax.plan.layout import DEFAULT_FRAMES, frame_boxes, painting_order
from vdjax.plan.problems import PlanError
from vdjax.plan.schema import (
    DEFAULT_ALPHA,
    MAX_ENTITIES,
    MAX_PROMPT,
    MAX_SCENES,
    NUM_KEYFRAMES,
    Camera,
    Scene,
    VideoPlan,
    base_name,
)

__all__ = [
    "DEFAULT_ALPHA",
    "DEFAULT_FRAMES",
    "MAX_ENTITIES",
    "MAX_PROMPT",
    "MAX_SCENES",
    "NUM_KEYFRAMES",
    "Box",
    "Camera",
    "Director",
    "PlanError",
    "Scene",
    "VideoPlan",
    "base_name",
    "caption",
    "exact_groups",
    "frame_boxes",
    "get_director",
    "identities",
    "painting_order",
    "plan",
]


def plan(
    prompt: str | Sequence[str],
    director: str | Director = "rules",
    seed: int = 0,
    **options: Any,
) -> VideoPlan:
    """The plan of a film.

    Args:
        prompt: one text, cut into scenes where the story moves on, or a list of sentences, each
            of which makes one scene.
        director: the name of a director, or one of your own.
        options: of a director called by its name; see `get_director`. A language model's story can
            be watched as it is written (`on_scenes`), and its scenes as they get their boxes:
            `plan("…", "chat", on_placed=lambda number, scene: print(number, scene.entities))`.
        seed: chooses among the layouts that fit; the same prompt and seed give the same plan.

    Raises:
        PlanError: for a prompt that is empty, too long, makes too many scenes, or names nothing
            that can be drawn, and for an unknown director.
    """
    return get_director(director, **options).plan(prompt, seed)
