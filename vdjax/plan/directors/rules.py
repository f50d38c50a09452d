"""The director that needs nothing: a plan from plain English, by rules.

Enters: a prompt, or a list of sentences, one for each scene. Leaves: a `VideoPlan` with notes
that say how every word was understood. It does in code what VideoDirectorGPT asks of a language
model in two calls (section 3.1): scenes with entities and backgrounds first, then boxes for nine
keyframes, then groups by name. Words that the pictures do not know map to the nearest they do
know; what cannot be drawn is named in a warning.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from vdjax.plan.cast import Cast
from vdjax.plan.choreography import choreograph
from vdjax.plan.consistency import exact_groups
from vdjax.plan.english import kinds, words
from vdjax.plan.english.chunks import Reader
from vdjax.plan.english.joining import joined
from vdjax.plan.english.lexicon import Lexicon
from vdjax.plan.english.reading import Reading
from vdjax.plan.english.rewrite import describe, things
from vdjax.plan.english.roles import RoleReader
from vdjax.plan.english.sentences import clean, scene_texts, tidy
from vdjax.plan.fields import MAX_SEED
from vdjax.plan.placing import place
from vdjax.plan.problems import PlanError, show
from vdjax.plan.schema import (
    DEFAULT_ALPHA,
    MAX_NOTES,
    MAX_PROMPT,
    MAX_SCENES,
    MAX_TEXT,
    Scene,
    VideoPlan,
    base_name,
)
from vdjax.plan.vocabulary import Vocabulary

#: Where a thing is at home, for scenes that do not say where they play; tried in this order.
_HOMES = {
    "underwater": ("fish", "whale", "shark", "octopus"),
    "snowy mountains": ("penguin", "snowman"),
    "beach": ("palm tree", "crab", "sailboat"),
    "space": ("rocket",),
    "desert": ("camel",),
    "forest": ("tiger", "monkey", "mushroom", "owl", "snail", "frog"),
    "city": ("police car", "fire truck", "bus", "police officer"),
    "road": ("car", "motorcycle", "bicycle", "train"),
    "kitchen": (
        "apple", "banana", "strawberry", "watermelon", "pizza", "hamburger", "doughnut", "cake",
    ),
    "bedroom": ("guitar",),
}  # fmt: skip
_ELSEWHERE = "park"
_WATER = ("sea", "ocean", "water", "lake", "river", "bay", "lagoon", "pool")
_SWIMMERS = ("fish", "whale", "shark", "octopus")


def read_prompt(prompt: str | Sequence[str]) -> tuple[str, str | list[str]]:
    """The prompt as a plan keeps it, and what is to be filmed: a text, or sentences, one per scene.

    Raises `PlanError` for a prompt that is empty, too long, or neither text nor texts.
    """
    parts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise PlanError(f"the prompt is {show(prompt)}; it must be a text or a list of texts")
    tidied = [tidy(part).encode("utf-8", "ignore").decode() for part in parts]
    whole = "\n".join(tidied)
    if len(whole) > MAX_PROMPT:
        raise PlanError(
            f"the prompt has {len(whole)} characters; at most {MAX_PROMPT}:"
            " shorten it or make two films"
        )
    if not re.search(r"[^\W_]", whole):
        raise PlanError(
            'the prompt is empty; say what happens, for instance "A cat walks to the beach"'
        )
    if isinstance(prompt, str):
        return whole, whole
    if len(tidied) > MAX_SCENES:
        raise PlanError(
            f"the prompt makes {len(tidied)} scenes; at most {MAX_SCENES}: leave some sentences out"
        )
    for number, text in enumerate(tidied, 1):
        if not re.search(r"[^\W_]", clean(text)):
            raise PlanError(f"sentence {number} of the list is empty; each makes one scene")
    return whole, tidied


class RulesDirector:
    """Plans by rules, for one vocabulary of pictures."""

    def __init__(self, vocabulary: Vocabulary | None = None, alpha: float = DEFAULT_ALPHA) -> None:
        self.lexicon = Lexicon.storybook() if vocabulary is None else Lexicon(vocabulary)
        self.alpha = alpha

    def plan(self, prompt: str | Sequence[str], seed: int = 0) -> VideoPlan:
        """The plan for a prompt; the same for the same prompt and seed.

        Raises `PlanError` for a prompt that is empty, too long, makes too many scenes, or names
        nothing that can be drawn.
        """
        whole, texts, fixed = self._texts(prompt)
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise PlanError(f"seed is {show(seed)}; it must be a whole number")
        readings = self._read(texts, fixed)
        scenes = []
        background = ""
        for number, (text, reading) in enumerate(readings, 1):
            rng = random.Random(f"{seed}/{number}/{text}")
            background = self._background(reading, background)
            stage = choreograph(reading, background, self.lexicon, rng)
            keyframes = place(stage, rng)
            reading.entities = list(stage.parts)
            scenes.append(
                Scene(
                    description=describe(reading, background, self._plural),
                    background=background,
                    entities=tuple(stage.parts),
                    keyframes=tuple(keyframes),
                    notes=_short(reading.notes),
                )
            )
        looks = {n: told for _, reading in readings for n, told in reading.looks.items() if told}
        shown = {name for scene in scenes for name in (*scene.entities, scene.background)}
        return VideoPlan(
            prompt=whole,
            scenes=tuple(scenes),
            groups=exact_groups(scenes),
            alpha=self.alpha,
            seed=seed if 0 <= seed <= MAX_SEED else None,
            entity_descriptions={
                name: things([name], self._plural, looks=looks) for name in looks if name in shown
            }
            or None,
        )

    def _plural(self, name: str) -> str:
        return self.lexicon.entities[name].plural

    # The prompt

    def _texts(self, prompt: str | Sequence[str]) -> tuple[str, list[str], bool]:
        """The whole prompt, the texts of its scenes, and whether their number is fixed."""
        whole, parts = read_prompt(prompt)
        if isinstance(parts, str):
            return whole, scene_texts(whole), False
        return whole, [clean(part) for part in parts], True

    # The scenes

    def _read(self, texts: list[str], fixed: bool) -> list[tuple[str, Reading]]:
        """Read every scene; those in which nothing can be seen join the one before."""
        texts = texts if fixed else joined(texts, self.lexicon)
        if len(texts) > MAX_SCENES:
            raise PlanError(
                f"the prompt makes {len(texts)} scenes; at most {MAX_SCENES}:"
                " leave some sentences out"
            )
        cast = Cast()
        aliases: dict[str, object] = {}
        leading: list[str] = []
        found: list[tuple[str, Reading]] = []
        early: list[Reading] = []  # scenes at the beginning that name nobody
        for text in texts:
            reader = Reader(text, self.lexicon, aliases)  # type: ignore[arg-type]
            chunks = reader.read()
            aliases = dict(reader.aliases)
            roles = RoleReader(self.lexicon, cast, leading)
            reading = roles.read(chunks)
            if not reading.entities:
                if found and (fixed or reading.places):
                    reading.entities = list(found[-1][1].entities)
                    kept = ", ".join(reading.entities)
                    reading.add_note(f"nobody named: kept from the scene before: {kept}")
                elif found:
                    before = found[-1][1]
                    for note in reading.notes:
                        before.add_note(note)
                    before.add_note(
                        f"warning: nothing to draw in: {text!r}; it has no scene of its own"
                    )
                    continue
                else:
                    early.append(reading)
                    if not fixed:
                        continue
            if roles.subjects and roles.subjects[0] in reading.entities:
                leading = list(roles.subjects)
            elif reading.entities:
                leading = reading.entities[:1]
            found.append((text, reading))
            cast.next_scene()
        self._settle(found, early, fixed, texts)
        _keep_looks([reading for _, reading in found])
        return found

    def _settle(
        self, found: list[tuple[str, Reading]], early: list[Reading], fixed: bool, texts: list[str]
    ) -> None:
        """Give the first scenes somebody, or refuse a prompt in which nothing can be drawn."""
        first = next((reading for _, reading in found if reading.entities), None)
        if first is None:
            shown = ", ".join(list(self.lexicon.entities)[:12])
            raise PlanError(
                f"nothing in {show(' '.join(texts), 80)} can be drawn; name one of the"
                f" {len(self.lexicon.entities)} things this world has pictures of, such as {shown}"
            )
        for reading in early:
            if fixed:
                reading.entities = list(first.entities)
                reading.add_note(
                    f"nobody named: taken from a later scene: {', '.join(first.entities)}"
                )
            else:
                first.places = [*first.places, *reading.places]
                for note in reading.notes:
                    first.add_note(note)

    # Backgrounds

    def _background(self, reading: Reading, before: str) -> str:
        """The background that was said, or the one before, or where the things are at home."""
        candidates = [self._resolved(said, reading) for said in reading.places]
        if candidates:
            # A place beats a time of day, and where one goes beats where one comes from.
            best = max(
                range(len(candidates)),
                key=lambda i: (
                    candidates[i][0] != "night",
                    candidates[i][2] != "from",
                    candidates[i][1] == candidates[i][0],
                    -i,
                ),
            )
            name, said, _ = candidates[best]
            if said not in name:
                reading.add_note(f"{said} → {name} (background)")
            others = [word for other, word, _ in candidates if name != other and said != word]
            if others:
                reading.add_note(
                    f"warning: one background for each scene: {name};"
                    f" not shown: {', '.join(others)}"
                )
            return name
        if before:
            reading.add_note(f"background not said: kept from the scene before ({before})")
            return before
        home = self._home([base_name(name) for name in reading.entities])
        if home not in self.lexicon.backgrounds:
            home = next(iter(self.lexicon.backgrounds))
        reading.add_note(f"background not said: {home}")
        return home

    def _home(self, bases: Sequence[str]) -> str:
        """Where these things are at home; in the open if any of them cannot be in a room."""
        words = self.lexicon.entities
        outdoors = any(
            words[base].category == "vehicle" or base in ("house", "castle", "tree", "palm tree")
            for base in bases
        )
        for home, names in _HOMES.items():
            if set(bases) & set(names) and not (outdoors and home in ("kitchen", "bedroom")):
                return home
        return _ELSEWHERE

    def _resolved(self, told: tuple[str, str, str], reading: Reading) -> tuple[str, str, str]:
        """The sea from above is a beach, and from within it is underwater."""
        _, said, preposition = told
        if said in _WATER and "underwater" in self.lexicon.backgrounds:
            swimming = any(base_name(entity) in _SWIMMERS for entity in reading.entities)
            if preposition == "below" or (
                swimming and preposition in ("in", "into", "through", "")
            ):
                return "underwater", said, preposition
        if said == "moon" and preposition == "on" and "space" in self.lexicon.backgrounds:
            return "space", said, preposition
        return told


def _keep_looks(readings: Sequence[Reading]) -> None:
    """Let what has a colour in one scene have it in the next, unless that says another."""
    before: dict[str, tuple[str, ...]] = {}
    for reading in readings:
        for name, known in before.items():
            told = reading.looks.get(name, ())
            lasting = [w for w in known if w not in words.PASSING and w not in words.SIZES]
            if name in reading.entities and not kinds.clash(lasting, told):
                reading.looks[name] = tuple(dict.fromkeys((*lasting, *told)))
        before.update(reading.looks)


def _short(notes: list[str]) -> tuple[str, ...]:
    """The notes, within the limits of a plan."""
    cut = [note if len(note) <= MAX_TEXT else note[: MAX_TEXT - 1] + "…" for note in notes]
    return tuple(cut[:MAX_NOTES])
