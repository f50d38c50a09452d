"""A plan as it comes: scenes appear as the story is written, then their boxes, then the groups.

What directors tell while they plan enters (VideoDirectorGPT, section 3.1: first the story, then a
layout per scene), or a finished plan; nothing leaves but what is looked at. `watch` asks a director
and shows all of it; `tell` and `add` fit its `on_scenes` and `on_placed`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets
from PIL import Image

from vdjax.plan import Director, Scene, VideoPlan, get_director
from vdjax.widgets.base import sheet
from vdjax.widgets.films import Clips, FilmWidget, as_films
from vdjax.widgets.layout_picture import Clip, frame_at
from vdjax.widgets.plan_picture import plan_html, plan_picture, plan_words, report_words

SHOWN = (0, 2, 4, 6, 8)
"""The keyframes, from 0, that have a thumbnail."""


class PlanViewer(FilmWidget):
    """Look at a plan, finished or in the making.

        viewer = PlanViewer()
        display(viewer)
        plan = viewer.watch("A cat finds a rocket", "chat")

    does what `plan("A cat finds a rocket", "chat", on_scenes=viewer.tell, on_placed=viewer.add)`
    and then `viewer.finish(plan)` do, and counts the tokens of each call.

    Args:
        plan: a finished plan; None waits for one.
        frames: the film made from it, as `FilmPlayer` takes it, to lie under the boxes.
        report: a director's `last_report`.

    Traits to read, set or link:
        state: "waiting", "story" (scenes arrive), "layouts" (boxes arrive) or "done".
        selected: the entity or background that is looked at over the scenes, or "".

    Raises:
        UserError: `frames` are no film, or not a clip for each scene.
    """

    prompt = traitlets.Unicode("").tag(sync=True)
    scenes: Any = traitlets.List().tag(sync=True)
    groups: Any = traitlets.Dict().tag(sync=True)
    state = traitlets.Enum(("waiting", "story", "layouts", "done"), "waiting").tag(sync=True)
    report: Any = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    shown = traitlets.List([k + 1 for k in SHOWN]).tag(sync=True)

    def __init__(
        self,
        plan: VideoPlan | None = None,
        frames: Any = None,
        report: Mapping[str, Any] | None = None,
        **traits: Any,
    ) -> None:
        self._plan: VideoPlan | None = None
        self._clips: Clips | None = None
        super().__init__(**traits)
        if plan is not None:
            self.finish(plan, report, frames)

    @property
    def plan(self) -> VideoPlan | None:
        """The finished plan, or None while there is none."""
        return self._plan

    # While it is made.

    def begin(self, prompt: str | Sequence[str] = "") -> None:
        """Forget what was shown and wait for a plan of `prompt`."""
        self._plan = self._clips = None
        self.prompt = prompt if isinstance(prompt, str) else " · ".join(prompt)
        self.scenes, self.groups, self.report, self.selected = [], {}, {}, ""
        self.state = "waiting"

    def tell(self, ideas: Sequence[Any], complete: bool) -> None:
        """Show the scenes of a story as far as it is written: a director's `on_scenes`."""
        told = [
            _card(description=idea.description, background=idea.background, entities=idea.entities)
            for idea in ideas
        ]
        if told != self.scenes:
            self._show(told)
        self.state = "layouts" if complete else "story"

    def add(self, number: int, scene: Scene) -> None:
        """Show scene `number` (from 1) with its boxes: a director's `on_placed`."""
        scenes = [*self.scenes, *[_card()] * (number - len(self.scenes))]
        scenes[number - 1] = _placed(scene)
        self._show(scenes)
        self.state = "layouts"

    def finish(
        self, plan: VideoPlan, report: Mapping[str, Any] | None = None, frames: Any = None
    ) -> None:
        """Show a finished plan with the director's report, over the frames made from it."""
        clips = None if frames is None else as_films(frames, plan)[0].clips
        self._plan, self._clips = plan, clips
        self.prompt = plan.prompt
        self.scenes = [
            _placed(scene, None if clips is None else clips[index])
            for index, scene in enumerate(plan.scenes)
        ]
        self.groups = {name: list(numbers) for name, numbers in plan.groups.items()}
        told = dict(report or ({"director": plan.director} if plan.director else {}))
        self.report = {**told, "words": report_words(told)} if told else {}
        self.state = "done"

    def watch(
        self,
        prompt: str | Sequence[str],
        director: str | Director = "rules",
        seed: int = 0,
        **options: Any,
    ) -> VideoPlan:
        """Let a director plan, show it meanwhile, and return the plan; as `vdjax.plan.plan`.

        The report also holds the tokens and seconds of each call of a language model. Callbacks of
        your own in `options` are called as well.

        Raises:
            PlanError: as `vdjax.plan.plan` does; what was shown till then stays.
        """
        asked: Any = get_director(director, **options)
        self.begin(prompt)
        calls: list[dict[str, Any]] = []
        hooks: dict[str, Any] = {}
        for name, own in (("on_scenes", self.tell), ("on_placed", self.add)):
            if hasattr(asked, name):
                hooks[name] = getattr(asked, name)
                setattr(asked, name, _both(own, hooks[name]))
        if hooks and hasattr(asked, "model"):
            hooks["model"] = asked.model
            asked.model = _Counted(asked.model, calls, self._what)
        try:
            made: VideoPlan = asked.plan(prompt, seed)
        finally:
            for name, before in hooks.items():
                setattr(asked, name, before)
        report = dict(getattr(asked, "last_report", {}))
        self.finish(made, {**report, **({"of_calls": calls} if calls else {})})
        return made

    def _what(self) -> str:
        """What a question asked now is about."""
        if self.state in ("waiting", "story"):
            return "story"
        open_scenes = [n for n, scene in enumerate(self.scenes, 1) if not scene["keyframes"]]
        return f"boxes of scene {open_scenes[0]}" if open_scenes else "extras"

    def _show(self, scenes: list[dict[str, Any]]) -> None:
        """Scenes of a plan in the making, and groups by name, as they will be unless edited."""
        self.scenes = scenes
        self.groups = _groups(scenes)

    # Where nothing runs.

    @property
    def alt(self) -> str:
        """The plan in words."""
        if self._plan is not None:
            return plan_words(self._plan)
        scenes = [scene["description"] for scene in self.scenes]
        return f"No finished plan yet; scenes so far: {'; '.join(scenes) or 'none'}"

    def picture(self) -> Image.Image:
        """The plan's picture, see `plan_picture`; an empty one while there is no plan."""
        if self._plan is None:
            return Image.new("RGB", (240, 60), "white")
        return plan_picture(self._plan, self._clips)

    def fallback(self) -> str:
        """What `show_plan` shows."""
        if self._plan is None:
            return super().fallback()
        note = "<p>PlanViewer (run the notebook to use it)</p>"
        return plan_html(self._plan, self._clips, self.report) + note


class _Counted:
    """A language model whose calls are counted one by one."""

    def __init__(self, model: Any, calls: list[dict[str, Any]], what: Callable[[], str]) -> None:
        self._model, self._calls, self._what = model, calls, what

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def answer(self, request: Any, **options: Any) -> Any:
        """The model's answer; what it took goes to `calls`, also where there is none."""
        about: dict[str, Any] = {"what": self._what(), "prompt_tokens": 0, "completion_tokens": 0}
        self._calls.append(about)
        began = time.monotonic()
        try:
            answer = self._model.answer(request, **options)
            about["prompt_tokens"] = answer.prompt_tokens
            about["completion_tokens"] = answer.completion_tokens
            return answer
        finally:
            about["seconds"] = round(time.monotonic() - began, 3)


def _both(own: Callable[..., None], other: Callable[..., None] | None) -> Callable[..., None]:
    def call(*told: Any) -> None:
        own(*told)
        if other is not None:
            other(*told)

    return call


def _card(
    *, description: str = "", background: str = "", entities: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """A scene as the page shows it; without keyframes it waits for its boxes."""
    empty: dict[str, Any] = {
        "keyframes": [],
        "notes": [],
        "reasoning": "",
        "captions": [],
        "camera": "",
        "sheet": {},
    }
    about = {"description": description, "background": background, "entities": list(entities)}
    return {**about, **empty, **more}


def _placed(scene: Scene, clip: Clip | None = None) -> dict[str, Any]:
    camera = ""
    if scene.camera is not None:
        moves = scene.camera.direction != "static"
        camera = scene.camera.direction + (f", {scene.camera.speed}" if moves else "")
    frames = None if clip is None else clip[[frame_at(k, len(clip)) for k in SHOWN]]
    return _card(
        description=scene.description,
        background=scene.background,
        entities=scene.entities,
        keyframes=[
            {name: list(box) for name, box in keyframe.items()} for keyframe in scene.keyframes
        ],
        notes=list(scene.notes),
        reasoning=scene.reasoning or "",
        captions=list(scene.captions or ()),
        camera=camera,
        sheet={} if frames is None else sheet(frames),
    )


def _groups(cards: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for number, card in enumerate(cards, 1):
        for name in dict.fromkeys((*card["entities"], card["background"])):
            if name:
                groups.setdefault(name, []).append(number)
    return groups
