"""What a language model calls things, in the names that can be drawn.

Scenes enter as a model tells them; the same scenes leave with names of the vocabulary, and notes
say what became of the others: "kitten → cat", or that something has no picture. A model that draws
anything has no vocabulary, and its names stay.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from vdjax.plan.answers import AnswerError, SceneIdea
from vdjax.plan.english.lexicon import Lexicon
from vdjax.plan.resolve import meant
from vdjax.plan.schema import MAX_ENTITIES, base_name
from vdjax.plan.vocabulary import Vocabulary


class Casting:
    """Gives a story's things names that can be drawn."""

    def __init__(self, vocabulary: Vocabulary | None) -> None:
        self._lexicon = None if vocabulary is None else Lexicon(vocabulary)
        self.names = () if vocabulary is None else tuple(vocabulary.entities)
        self.places = () if vocabulary is None else tuple(vocabulary.backgrounds)

    def cast(self, scenes: Sequence[SceneIdea], notes: list[str]) -> list[SceneIdea]:
        """The scenes in names that can be drawn; adds to `notes` what was changed.

        Raises:
            AnswerError: a scene would be left with nothing, or in no place that can be drawn.
        """
        scenes = self._resolved(scenes, notes)
        if self._lexicon is None:
            return scenes
        return [self._scene(scene, n, notes) for n, scene in enumerate(scenes, 1)]

    def _resolved(self, scenes: Sequence[SceneIdea], notes: list[str]) -> list[SceneIdea]:
        """The scenes, with pronouns and variants of a name under one name."""
        rows = meant([s.entities for s in scenes], [s.description for s in scenes])
        made = []
        for scene, row in zip(scenes, rows, strict=True):
            names = tuple(
                name for name in dict.fromkeys(itertools.chain(*row)) if name != scene.background
            )
            for said, meaning in zip(scene.entities, row, strict=True):
                if " and ".join(meaning) != said:
                    notes.append(f"{said} = {' and '.join(meaning)}")
            made.append(replace(scene, entities=names[:MAX_ENTITIES] or scene.entities))
        return made

    def _scene(self, scene: SceneIdea, number: int, notes: list[str]) -> SceneIdea:
        description = scene.description
        names: list[str] = []
        for said in scene.entities:
            name = self._named(said, place=False)
            if name is None:
                notes.append(f"warning: {said!r} in scene {number} cannot be drawn")
                continue
            # The second of a kind keeps a number; so do two different words for one picture.
            copy = 2
            numbered = name + said[len(base_name(said)) :]
            while numbered in names:
                numbered, copy = f"{name} {copy}", copy + 1
            names.append(numbered)
            if name not in said.lower():
                notes.append(f"{said} → {numbered}")
                description = _said_again(description, base_name(said), name)
        if not names:
            raise AnswerError(
                f"scene {number}: none of its entities ({', '.join(scene.entities)}) can be drawn; "
                f"use names of the list, such as {', '.join(self.names[:6])}"
            )
        place = self._named(scene.background, place=True)
        if place is None:
            raise AnswerError(
                f"scene {number}: the background {scene.background!r} cannot be drawn; it must be "
                f"one of {', '.join(self.places)}"
            )
        if place not in scene.background.lower():
            notes.append(f"{scene.background} → {place} (background)")
            description = _said_again(description, scene.background, place)
        return replace(scene, description=description, entities=tuple(names), background=place)

    def _named(self, said: str, *, place: bool) -> str | None:
        """The name for a phrase: of its last noun that can be drawn, its head ("a big red car")."""
        assert self._lexicon is not None
        words = tuple(re.findall(r"[\w'-]+", base_name(said).lower()))
        found: str | None = None
        at = 0
        while at < len(words):
            noun = self._lexicon.noun(words[at:])
            if noun is not None and noun.place == place:
                found = noun.name
            at += noun.length if noun is not None else 1
        if found is None:
            for word in reversed(words):
                noun = self._lexicon.misspelled(word)
                if noun is not None and noun.place == place:
                    return noun.name
        return found


def _said_again(text: str, said: str, name: str) -> str:
    """A sentence with another name for a thing, which the text encoder knows."""
    return re.sub(rf"\b{re.escape(said)}\b", lambda _: name, text, flags=re.IGNORECASE)
