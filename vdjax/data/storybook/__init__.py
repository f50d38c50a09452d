"""The storybook world: real artwork on painted backgrounds, with captions and boxes.

README.md in this folder is its data card.
"""

from vdjax.data.storybook.backgrounds import BACKGROUNDS, background
from vdjax.data.storybook.compose import render_plan_frames
from vdjax.data.storybook.splits import held_out_combinations, held_out_pairs
from vdjax.data.storybook.sprites import NAMES, sprite
from vdjax.data.storybook.world import Clip, StorybookWorld
from vdjax.plan.vocabulary import LOOK_WORDS, LOOKS

__all__ = [
    "BACKGROUNDS",
    "LOOKS",
    "LOOK_WORDS",
    "NAMES",
    "Clip",
    "StorybookWorld",
    "background",
    "held_out_combinations",
    "held_out_pairs",
    "render_plan_frames",
    "sprite",
]
