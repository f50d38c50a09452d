"""How an entity looks, as grounding tokens know it: an embedding that was trained from pictures.

`vdjax train entity` writes one; `film` takes it in the place of a picture, which it would make an
embedding of by CLIP.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdjax.errors import UserError
from vdjax.systems.loaded import LoadedModel
from vdjax.weights.store import load_tree, save_tree

SUFFIX = ".safetensors"
"""What tells a trained look from a picture among files."""


@dataclass(frozen=True)
class Look:
    """A unit-length embedding of an entity, and the system whose tokens it was trained for."""

    embedding: Float[np.ndarray, " width"]
    name: str
    preset: str

    def for_model(self, model: LoadedModel) -> Float[Array, " width"]:
        """The embedding, for tokens of this system.

        Raises:
            UserError: it was trained for another.
        """
        width = model.preset.grounding.image_width
        if self.preset != model.preset.name or self.embedding.shape != (width,):
            raise UserError(
                f"the look of {self.name!r} was trained for {self.preset!r} ({self.embedding.size} "
                f"numbers), not for {model.preset.name!r} ({width}): train it again with "
                "`vdjax train entity --preset`, or give a picture"
            )
        return jnp.asarray(self.embedding)

    def save(self, path: str | Path) -> None:
        """Write it to a file, whole or not at all."""
        tree = {"image": np.asarray(self.embedding, np.float32)}
        save_tree(path, tree, {"name": self.name, "preset": self.preset})


def load_look(path: str | Path) -> Look:
    """Read what `vdjax train entity` wrote.

    Raises:
        WeightsError: there is no such file, or it is damaged.
        UserError: it holds something else.
    """
    tree, config = load_tree(path)
    if set(tree) != {"image"} or set(config or {}) != {"name", "preset"}:
        raise UserError(
            f"{path} holds no look of an entity: give a picture, or the entity.safetensors that "
            "`vdjax train entity` writes"
        )
    return Look(np.asarray(tree["image"], np.float32), **(config or {}))
