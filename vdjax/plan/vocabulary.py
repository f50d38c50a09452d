"""The words of the storybook world: what can be drawn, what it is also called, and where it
belongs.

Enters: `vocabulary.json`, built beside the artwork. Leaves: a frozen `Vocabulary`. Standard
library only, for the planner reads it and must start fast.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

#: The four ways each thing is drawn, and the word that captions use for it.
LOOKS = ("noto", "fluent", "twemoji", "emojione")
LOOK_WORDS: Mapping[str, str] = MappingProxyType(
    {"noto": "rounded", "fluent": "glossy", "twemoji": "flat", "emojione": "outlined"}
)


@dataclass(frozen=True, kw_only=True)
class EntityWord:
    """One nameable thing.

    `place` is "ground", "sky", "water" or "any"; `category` is "animal", "vehicle", "food",
    "person" or "object"; `height` is a comfortable height as a share of the frame; `aspect` is
    width over height, the mean over the looks; `keywords` are other words for it, lower case.
    """

    name: str
    plural: str
    category: str
    place: str
    height: float
    aspect: float
    keywords: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Entities by name, and backgrounds with their keywords, both in the order of the artwork."""

    entities: Mapping[str, EntityWord]
    backgrounds: Mapping[str, tuple[str, ...]]

    @classmethod
    @functools.cache
    def storybook(cls) -> Vocabulary:
        """The vocabulary that ships with the package."""
        data = json.loads(Path(__file__).with_name("vocabulary.json").read_text(encoding="utf-8"))
        entities = {
            name: EntityWord(name=name, **{**word, "keywords": tuple(word["keywords"])})
            for name, word in data["entities"].items()
        }
        backgrounds = {name: tuple(words) for name, words in data["backgrounds"].items()}
        return cls(entities=MappingProxyType(entities), backgrounds=MappingProxyType(backgrounds))
