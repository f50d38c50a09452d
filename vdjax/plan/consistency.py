"""Which entities and backgrounds are the same across scenes.

Enters: scenes. Leaves: groups, by exact match of the name as in the
paper (VideoDirectorGPT, section 3.1), and the identity each name has in each scene. The image
embedding of an identity is made once and used in all its scenes: that is what keeps one cat the
same cat. Who is meant by "it" or "the kitten" is found before, see `resolve` and `cast`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdjax.plan.schema import Scene, VideoPlan


def exact_groups(scenes: Sequence[Scene]) -> dict[str, tuple[int, ...]]:
    """The numbers (from 1) of the scenes in which each entity and background is."""
    groups: dict[str, list[int]] = {}
    for number, scene in enumerate(scenes, 1):
        for name in (*scene.entities, scene.background):
            groups.setdefault(name, []).append(number)
    return {name: tuple(numbers) for name, numbers in groups.items()}


def identities(plan: VideoPlan) -> dict[tuple[int, str], str]:
    """The identity of every name in every scene: {(scene number, name): identity}.

    Two places share an identity exactly when they must look the same. Within its group a name is
    its own identity; a scene left out of the group has an identity of its own, "cat in scene 3".
    """
    found = {}
    for number, scene in enumerate(plan.scenes, 1):
        for name in (*scene.entities, scene.background):
            shared = number in plan.groups.get(name, ())
            found[number, name] = name if shared else f"{name} in scene {number}"
    return found
