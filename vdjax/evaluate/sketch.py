"""A plan as a picture, before any film is made of it.

A plan enters; its storyboard leaves, drawn with the storybook's own artwork where all of its names
have some, on empty paper otherwise. It shows what the plan asks for, not what a model would make.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from vdjax.evaluate.composites import real_film
from vdjax.media.storyboard import storyboard
from vdjax.plan import VideoPlan, base_name
from vdjax.plan.vocabulary import Vocabulary

_SIDE = 256
_PAPER = 236


def sketch(plan: VideoPlan, seed: int = 0) -> Image.Image:
    """The storyboard of a plan; the seed draws looks and views."""
    words = Vocabulary.storybook()
    known = all(
        scene.background in words.backgrounds
        and all(base_name(name) in words.entities for name in scene.entities)
        for scene in plan.scenes
    )
    if known:
        return storyboard(plan, real_film(plan, seed, size=_SIDE))
    paper = np.full((16, _SIDE, _SIDE, 3), _PAPER, np.uint8)
    return storyboard(plan, [paper] * len(plan.scenes))
