"""The storybook's pictures as a data set like any other.

An endless world enters, a sequence of so many of its pictures leaves. Its background is told of by
name and shown alone, which no photograph can offer.
"""

from __future__ import annotations

from vdjax.data.sample import Background, Sample, framed
from vdjax.data.storybook.world import StorybookWorld
from vdjax.errors import UserError

PICTURES = 200_000
"""As many as the shipped weights have seen."""


class Storybook:
    """Pictures 0 to count - 1 of a storybook world as a `Reader`.

    They are not mirrored: the world has new ones, whose captions say left where left is.
    """

    name = "storybook"
    mirrors = False

    def __init__(
        self, count: int = PICTURES, *, split: str = "train", seed: int = 0, size: int = 128
    ) -> None:
        """`split`, `seed` and `size` as of `StorybookWorld`.

        Raises:
            UserError: there would be no picture, or the world knows no such split.
        """
        if count < 1:
            raise UserError(f"storybook:{count} is no data set: ask for 1 picture or more")
        self._count = count
        self._world = StorybookWorld(split=split, seed=seed, size=size)
        self.fingerprint = f"{split}-{seed}-{size}"

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._count:
            raise IndexError(index)
        clip = self._world.image(index)
        there = clip.visible[:, 0]
        names = [name for name, seen in zip(clip.names, there, strict=True) if seen]
        phrases, boxes, _ = framed(zip(names, clip.boxes[there, 0].tolist(), strict=True))
        return Sample(
            id=str(index),
            image=clip.frames[0],
            caption=clip.caption,
            phrases=phrases,
            boxes=boxes,
            background=Background(phrase=clip.background, image=clip.backdrop),
        )
