"""The director that asks a language model, in VideoDirectorGPT's two steps (section 3.1).

First the story: scenes with entities and backgrounds, one call. Then a layout for each scene, one
call each. Then groups. The paper takes what comes; here every answer is read tolerantly and
checked, what cannot be used goes back to the model with the checker's own words, and where rounds,
tokens or seconds run out, or the model fails, the `rules` director finishes the scene and the plan
says so. Whatever a model answers, the plan that leaves is valid.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast, get_args

from vdjax.plan.answers import (
    AnswerError,
    SceneIdea,
    StoryAnswer,
    layout_schema,
    partial_scenes,
    read_layout,
    read_story,
    story_schema,
    words_schema,
)
from vdjax.plan.consistency import exact_groups
from vdjax.plan.directors.extras import EXTRAS
from vdjax.plan.directors.model import (
    LanguageModel,
    ModelError,
    OnText,
    Request,
    SchemaRefused,
)
from vdjax.plan.directors.rules import RulesDirector, read_prompt
from vdjax.plan.directors.world import Casting
from vdjax.plan.fields import MAX_DIRECTOR
from vdjax.plan.problems import PlanError
from vdjax.plan.prompts import Form, Messages, layout_messages, repair_messages, story_messages
from vdjax.plan.schema import DEFAULT_ALPHA, MAX_NOTES, MAX_TEXT, Scene, VideoPlan
from vdjax.plan.vocabulary import Vocabulary

STORY_TOKENS = 1500
LAYOUT_TOKENS = 2000
"""Answers at most; the paper's took 1,000 tokens each (appendix C.2)."""

Read = TypeVar("Read")
OnScenes = Callable[[Sequence[SceneIdea], bool], None]
"""Told the scenes that can be read so far, and whether the story is complete."""
OnPlaced = Callable[[int, Scene], None]
"""Told each scene with its boxes as soon as it has them; scenes count from 1."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a plan may cost before `rules` finishes it.

    Attributes:
        rounds: times that one answer may be sent back to be mended.
        tokens: of questions and answers together, over the whole plan.
        seconds: for the whole plan.
    """

    rounds: int = 2
    tokens: int = 100_000
    seconds: float = 600.0


class _Spent(ModelError):
    """The budget is used up."""


@dataclass
class _Talk:
    """One plan's conversation: asks, counts, and keeps to the budget."""

    model: LanguageModel
    budget: Budget
    seed: int
    temperature: float
    began: float = field(default_factory=time.monotonic)
    calls: int = 0
    repairs: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def ask(
        self,
        messages: Messages,
        read: Callable[[str], Read],
        *,
        schema: Mapping[str, Any] | None,
        max_tokens: int,
        on_text: OnText | None = None,
    ) -> Read:
        """The answer as `read` reads it; an answer that it refuses is given back to be mended.

        Raises:
            AnswerError: the last round's answer is refused too.
            ModelError: there is no answer, or nothing left to pay it with.
        """
        turn = messages
        for left in range(self.budget.rounds, -1, -1):
            answer = self.model.answer(
                Request(
                    messages=turn,
                    schema=schema,
                    max_tokens=max_tokens,
                    temperature=self.temperature,
                    # Another seed each round: a model must not make the same mistake again.
                    seed=(self.seed + self.calls) % 2**31,
                ),
                seconds=self._seconds_left(),
                on_text=on_text,
            )
            self.calls += 1
            self.prompt_tokens += answer.prompt_tokens
            self.completion_tokens += answer.completion_tokens
            try:
                return read(answer.text)
            except AnswerError as error:
                if not left:
                    raise
                self.repairs += 1
                # Only the newest answer is shown again: a conversation of mistakes teaches them.
                trouble = str(error) + ("" if answer.complete else "; the answer was cut: be brief")
                turn = (*messages, *repair_messages(answer.text[:MAX_REPEATED], trouble))
        raise AssertionError("the last round returns or raises")

    def _seconds_left(self) -> float:
        left = self.budget.seconds - (time.monotonic() - self.began)
        spent = self.prompt_tokens + self.completion_tokens
        if left <= 0:
            raise _Spent(f"the {self.budget.seconds:g} seconds for this plan are used up")
        if spent >= self.budget.tokens:
            raise _Spent(f"the {self.budget.tokens:,} tokens for this plan are used up")
        return left


MAX_REPEATED = 4000
"""Characters of a refused answer that are shown to the model again."""


class LanguageDirector:
    """Plans with a language model.

    Args:
        model: who answers.
        form: how layouts are asked for: "json" (boxes in numbers, by schema), "brackets" (the
            papers' grammar, for servers that take no schema) or "words" (left, ground, large: for
            small models, which place things far better in words than in numbers).
        vocabulary: what can be drawn; names outside of it map to the nearest, and the plan says so.
            None leaves names as they are, for models that draw anything.
        budget: rounds, tokens and seconds.
        ask_alpha: let the model say how much the layout guides.
        extras: what else it decides, of `EXTRAS`: cameras, descriptions, frame_prompts.
        temperature: 0 to 2.
        on_scenes: told the scenes while they arrive.
        on_placed: told each scene once it has boxes.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        form: str = "json",
        vocabulary: Vocabulary | None = None,
        budget: Budget | None = None,
        ask_alpha: bool = False,
        extras: Sequence[str] = (),
        temperature: float = 0.6,
        on_scenes: OnScenes | None = None,
        on_placed: OnPlaced | None = None,
    ) -> None:
        if strangers := [extra for extra in extras if extra not in EXTRAS]:
            raise PlanError(f"extra {strangers[0]!r} is unknown: use {', '.join(EXTRAS)}")
        if form not in get_args(Form):
            raise PlanError(f"layouts in {form!r} are unknown: use {', '.join(get_args(Form))}")
        self.model, self.extras = model, tuple(extras)
        self.form: Form = cast(Form, form)
        self.casting = Casting(vocabulary)
        self.budget = budget or Budget()
        self.ask_alpha, self.temperature = ask_alpha, temperature
        self.on_scenes, self.on_placed = on_scenes, on_placed
        self.last_report: dict[str, Any] = {}
        self._rules = RulesDirector(vocabulary)

    def plan(self, prompt: str | Sequence[str], seed: int = 0) -> VideoPlan:
        """The plan for a prompt: always valid, and by rules where the model fails.

        Raises `PlanError` for a prompt that is empty or too long, and where the rules that have to
        finish a plan find nothing to draw.
        """
        whole, parts = read_prompt(prompt)
        talk = _Talk(self.model, self.budget, seed, self.temperature)
        by_model = 0
        alpha = DEFAULT_ALPHA
        try:
            ideas, said, alpha = self._story(talk, parts)
        except (ModelError, AnswerError) as error:
            made = self._by_rules(prompt, seed, error)
        else:
            scenes = []
            for number, idea in enumerate(ideas, 1):
                scene, own = self._scene(talk, idea, number, said if number == 1 else (), seed)
                scenes.append(scene)
                by_model += own
                if self.on_placed is not None:
                    self.on_placed(number, scene)
            made = VideoPlan(
                prompt=whole,
                scenes=tuple(scenes),
                groups=exact_groups(scenes),
                alpha=alpha,
                seed=seed,
                director=self._signature(),
            )
            made = self._with_extras(talk, made)
        self.last_report = {
            "director": self._signature(),
            "calls": talk.calls,
            "rounds": talk.repairs,
            "prompt_tokens": talk.prompt_tokens,
            "completion_tokens": talk.completion_tokens,
            "seconds": round(time.monotonic() - talk.began, 3),
            "model_scenes": by_model,
            "fallback_scenes": len(made.scenes) - by_model,
        }
        return made

    # Step (a)

    def _story(
        self, talk: _Talk, parts: str | Sequence[str]
    ) -> tuple[Sequence[SceneIdea], tuple[str, ...], float]:
        """The scenes, what was mended in them, and alpha."""
        wanted = None if isinstance(parts, str) else len(parts)
        names, places = self.casting.names, self.casting.places

        def watch(text: str) -> None:
            if self.on_scenes is not None:
                self.on_scenes(partial_scenes(text), False)

        def ask(form: Form) -> Any:
            return talk.ask(
                story_messages(
                    parts, form=form, names=names, backgrounds=places, ask_alpha=self.ask_alpha
                ),
                lambda text: self._read_story(text, wanted),
                schema=None
                if form == "brackets"
                else story_schema(
                    wanted, names=names, backgrounds=places, ask_alpha=self.ask_alpha
                ),
                max_tokens=STORY_TOKENS,
                on_text=watch,
            )

        answer = self._with_schema_or_without(ask)
        if self.on_scenes is not None:
            self.on_scenes(answer.scenes, True)
        alpha = answer.alpha if self.ask_alpha and answer.alpha is not None else DEFAULT_ALPHA
        return answer.scenes, answer.notes, alpha

    def _read_story(self, text: str, wanted: int | None) -> StoryAnswer:
        """A story of things that can be drawn, each called by one name."""
        answer = read_story(text, scenes=wanted)
        notes = list(answer.notes)
        scenes = tuple(self.casting.cast(answer.scenes, notes))
        return replace(answer, scenes=scenes, notes=tuple(notes))

    # Step (b)

    def _scene(
        self, talk: _Talk, idea: SceneIdea, number: int, notes: tuple[str, ...], seed: int
    ) -> tuple[Scene, bool]:
        """One scene, and whether its layout is the model's own."""

        def ask(form: Form) -> Any:
            schema = {"json": layout_schema, "words": words_schema}.get(form)
            return talk.ask(
                layout_messages(idea.description, idea.entities, idea.background, form=form),
                lambda text: read_layout(text, idea.entities, form=form),
                schema=schema and schema(idea.entities),
                max_tokens=LAYOUT_TOKENS,
            )

        try:
            layout = self._with_schema_or_without(ask)
        except (ModelError, AnswerError) as error:
            return self._scene_by_rules(idea, number, notes, seed, error), False
        scene = Scene(
            description=idea.description,
            background=idea.background,
            entities=idea.entities,
            keyframes=layout.keyframes,
            captions=layout.captions or None,
            reasoning=layout.reasoning or None,
            notes=_within((*notes, *layout.notes)),
        )
        return scene, True

    def _with_schema_or_without(self, ask: Callable[[Form], Any]) -> Any:
        """Ask in this director's form; in the papers' brackets where a server takes no schema."""
        try:
            return ask(self.form)
        except SchemaRefused:
            self.form = "brackets"
            return ask(self.form)

    def _with_extras(self, talk: _Talk, made: VideoPlan) -> VideoPlan:
        """The plan with the parts that were asked for besides; without those that failed."""

        def ask(messages: Messages, read: Callable[[str], Read], **options: Any) -> Read:
            schema = None if self.form == "brackets" else options["schema"]
            return talk.ask(messages, read, **{**options, "schema": schema})

        for extra in self.extras:
            try:
                made = EXTRAS[extra](made, ask)
            except (ModelError, AnswerError) as error:
                first, *others = made.scenes
                note = f"warning: no {extra.replace('_', ' ')}, for the language model: {error}"
                first = first.replace(notes=_within((note, *first.notes)))
                made = made.replace(scenes=(first, *others))
        return made

    # What rules finish

    def _by_rules(self, prompt: str | Sequence[str], seed: int, error: Exception) -> VideoPlan:
        """The whole film by rules, each scene saying why."""
        made = self._rules.plan(prompt, seed)
        note = _fallback_note(error)
        scenes = [s.replace(notes=_within((note, *s.notes))) for s in made.scenes]
        return made.replace(scenes=tuple(scenes))

    def _scene_by_rules(
        self, idea: SceneIdea, number: int, notes: tuple[str, ...], seed: int, error: Exception
    ) -> Scene:
        """The model's scene with a layout by rules; what it names is said again, if need be."""
        things = " and ".join(("an " if n[0] in "aeiou" else "a ") + n for n in idea.entities)
        for text in (idea.description, f"{things} at the {idea.background}"):
            try:
                (scene,) = self._rules.plan([text], seed + number).scenes
            except PlanError:
                continue
            if set(idea.entities) <= set(scene.entities):
                break
        else:
            (scene,) = self._rules.plan([things], seed + number).scenes
        said = _within((_fallback_note(error), *notes, *scene.notes))
        # The rules, told the description alone, may have put it elsewhere.
        return scene.replace(background=idea.background, notes=said)

    def _signature(self) -> str:
        """Who planned, as the plan keeps it: the model's name, never an address."""
        name = re.split(r"[/\\]", self.model.name)[-1]
        shown = "".join(sign if sign.isprintable() else " " for sign in name).strip()
        return shown[:MAX_DIRECTOR] or "a language model"


def _fallback_note(error: Exception) -> str:
    return f"warning: planned by rules, for the language model did not: {error}"


def _within(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes within a plan's limits."""
    return tuple(note[:MAX_TEXT] for note in dict.fromkeys(notes))[:MAX_NOTES]
