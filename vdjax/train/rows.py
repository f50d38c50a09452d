"""Pictures or clips with boxes, as layout training reads them, wherever they came from.

The storybook's encoded samples enter beside the embeddings of its words; rows of a batch leave, in
the arrays that `LayoutData` promises. Other people's pictures come as rows from
`vdjax.data.cache`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from vdjax.data.prepare import WHOLE
from vdjax.train.cache import NOBODY, Samples


class LayoutData(Protocol):
    """Encoded samples with boxes.

    `rows` gives, for a batch of indices, `latents` (batch, frame, height, width, channel) at unit
    variance; `ids` (batch, length), the caption's tokens; `boxes` (batch, frame, entity, 4), x0 y0
    x1 y1 in 0..1; `present` (batch, frame, entity); `text` and `image` (batch, entity, width), what
    the grounding net knows each entity by. The last entity is the background, or nobody.
    """

    def __len__(self) -> int: ...

    def rows(self, indices: Int[np.ndarray, " batch"]) -> dict[str, np.ndarray]: ...

    def names(self, indices: Int[np.ndarray, " batch"]) -> list[str]:
        """What people know the samples by."""
        ...


@dataclass(frozen=True)
class StorybookRows:
    """The storybook's samples as `LayoutData`; embeddings are CLIP's, of the world's words."""

    samples: Samples
    name_embeddings: Float[np.ndarray, "name width"]
    background_embeddings: Float[np.ndarray, "background width"]

    def __len__(self) -> int:
        return len(self.samples)

    def rows(self, indices: Int[np.ndarray, " batch"]) -> dict[str, np.ndarray]:
        s, at = self.samples, indices
        names, frames = s.names[at], s.boxes.shape[2]
        places = self.background_embeddings[s.backgrounds[at]]
        # The background is one more entity, the last; attention knows no order of tokens.
        boxes = np.concatenate([s.boxes[at], np.tile(WHOLE, (len(at), 1, frames, 1))], axis=1)
        seen = s.visible[at] & (names != NOBODY)[..., None]
        present = np.concatenate([seen, np.ones((len(at), 1, frames), bool)], axis=1)
        text = np.concatenate([self.name_embeddings[names], places[:, None]], axis=1)
        image = np.concatenate([s.images[at], s.backdrops[at][:, None]], axis=1)
        return {
            "latents": s.latents[at],
            "ids": s.ids[at].astype(np.int32),
            "boxes": boxes.astype(np.float32).swapaxes(1, 2),
            "present": present.swapaxes(1, 2),
            "text": text.astype(np.float32),
            "image": image.astype(np.float32),
        }

    def names(self, indices: Int[np.ndarray, " batch"]) -> list[str]:
        return [f"storybook {index}" for index in indices]


@dataclass(frozen=True)
class Later:
    """`data` from its sample `first` on."""

    data: LayoutData
    first: int

    @property
    def name(self) -> str:
        return getattr(self.data, "name", "")

    def __len__(self) -> int:
        return len(self.data) - self.first

    def rows(self, indices: Int[np.ndarray, " batch"]) -> dict[str, np.ndarray]:
        return self.data.rows(indices + self.first)

    def names(self, indices: Int[np.ndarray, " batch"]) -> list[str]:
        return self.data.names(indices + self.first)
