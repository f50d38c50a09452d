"""How an entity looks, as it was learnt from pictures of it.

`vdjax train entity` writes one; `film` takes it in the place of a picture. A picture only tells
grounding tokens what CLIP makes of it; a look also holds by how much the entity's tokens move.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vdjax.errors import UserError
from vdjax.ground.tokens import shift_width
from vdjax.plan.english.words import DETERMINERS
from vdjax.systems.loaded import LoadedModel
from vdjax.weights.store import load_tree, save_tree

SUFFIX = ".safetensors"
"""What tells a trained look from a picture among files."""


@dataclass(frozen=True)
class Look:
    """A unit-length embedding of an entity, by how much its tokens move (all but their box), and
    the system that it was trained for."""

    embedding: Float[np.ndarray, " width"]
    shift: Float[np.ndarray, " learnt"]
    name: str
    preset: str

    def check(self, model: LoadedModel) -> None:
        """See whether it fits a system.

        Raises:
            UserError: it was trained for another.
        """
        grounding = model.preset.grounding
        width = grounding.image_width
        fits = (len(self.embedding), len(self.shift)) == (width, shift_width(grounding))
        if self.preset != model.preset.name or not fits:
            raise UserError(
                f"the look of {self.name!r} was trained for {self.preset!r} ({self.embedding.size} "
                f"numbers), not for {model.preset.name!r} ({width}): train it again with "
                "`vdjax train entity --preset`, or give a picture"
            )

    def save(self, path: str | Path) -> None:
        """Write it to a file, whole or not at all."""
        tree = {name: np.asarray(x, np.float32) for name, x in self._tree().items()}
        save_tree(path, tree, {"name": self.name, "preset": self.preset})

    def _tree(self) -> dict[str, np.ndarray]:
        return {"image": self.embedding, "shift": self.shift}


def plain_name(name: str) -> str:
    """What plans call a thing that its owner calls "my dog": "dog"."""
    words = name.split()
    while len(words) > 1 and words[0].lower() in DETERMINERS:
        words = words[1:]
    return " ".join(words)


def load_look(path: str | Path) -> Look:
    """Read what `vdjax train entity` wrote.

    Raises:
        WeightsError: there is no such file, or it is damaged.
        UserError: it holds something else.
    """
    tree, config = load_tree(path)
    if set(tree) != {"image", "shift"} or set(config or {}) != {"name", "preset"}:
        raise UserError(
            f"{path} holds no look of an entity: give a picture, or the entity.safetensors that "
            "`vdjax train entity` writes"
        )
    return Look(tree["image"], tree["shift"], **(config or {}))
