"""A plan under the mouse: boxes drawn, moved and resized over frames, and the scene rendered again.

A `VideoPlan` enters, and the frames it made if there are any; the edited plan leaves, checked by
the same validator that the planners go through (VideoDirectorGPT lets people edit its plans,
appendix E; it has no tool for it). What a person drew is kept even where it makes no valid plan:
`plan` is then the last valid one, and `findings` say what to mend. Rendering runs in a thread, so
that the kernel stays free while each step is shown.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import traitlets
from PIL import Image

from vdjax.errors import UserError
from vdjax.plan import DEFAULT_FRAMES, NUM_KEYFRAMES, PlanError, Scene, VideoPlan
from vdjax.plan.check import check
from vdjax.plan.editing import with_scene
from vdjax.plan.problems import plan_error
from vdjax.plan.vocabulary import Vocabulary
from vdjax.widgets.base import sheet
from vdjax.widgets.layout_picture import Clip, as_clip, draw_layout, layout_words
from vdjax.widgets.rendering import Renders

Shown = Clip | tuple[Clip, str]
"""What a step of rendering yields: the frames so far, and perhaps a word about them."""
Render = Callable[[int, VideoPlan], Iterable[Shown]]

EXTENTS = ("path", "one", "after", "bend")
MAX_UNDO = 200


class LayoutEditor(Renders):
    """Draw, move, resize and delete the boxes of a plan; take the edited plan from `plan`.

    `LayoutEditor.of_scenes(prepare(plan))` makes one that renders.

    Args:
        plan: what to edit; it stays as it is.
        frames: a clip per scene to lie under the boxes, None for a scene without one.
        render: takes the number of a scene (from 1) and a plan, and yields frames, or (frames,
            words), after each step; the last ones stay under the boxes.
        steps: how often `render` yields, for the progress bar, where that is known before.
        vocabulary: names beyond it are found as "unknown" and it is offered for new names.

    Traits to read, set or link:
        scene: the scene that is shown, from 1.
        keyframe: the moment that is shown, 1 to 9; fractions lie between two keyframes.
        selected: the name of the selected box, or "".
        extent: which keyframes an edit changes: "path" (all of them), "one" (the shown), "after"
            (from the shown on), "bend" (all, falling to nothing at the scene's ends).
        snap, grid: whether boxes snap to a grid, and how wide it is as a share of the frame.
        findings: what is wrong (level "error") or hard to believe ("warning"), each with scene,
            keyframe, name and words.

    Raises:
        UserError: `frames` is not a clip per scene.
    """

    parts = ("layout_paths", "layout_drawing", "layout_controls", "layout_view")

    scenes: Any = traitlets.List().tag(sync=True)
    scene = traitlets.Int(1).tag(sync=True)
    keyframe = traitlets.Float(1.0, min=1.0, max=float(NUM_KEYFRAMES)).tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    extent = traitlets.Enum(EXTENTS, "path").tag(sync=True)
    snap = traitlets.Bool(False).tag(sync=True)
    grid = traitlets.Float(0.05, min=0.005, max=0.5).tag(sync=True)
    findings: Any = traitlets.List().tag(sync=True)
    undoable = traitlets.List([0, 0]).tag(sync=True)
    names: Any = traitlets.List().tag(sync=True)
    num_frames = traitlets.Int(DEFAULT_FRAMES).tag(sync=True)
    films: Any = traitlets.List().tag(sync=True)
    preview: Any = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        plan: VideoPlan,
        frames: Sequence[Clip | None] | None = None,
        render: Render | None = None,
        *,
        steps: int | None = None,
        vocabulary: Vocabulary | None = None,
        **traits: Any,
    ) -> None:
        clips = list(frames) if frames is not None else [None] * len(plan.scenes)
        if len(clips) != len(plan.scenes):
            raise UserError(
                f"frames has {len(clips)} clips: it must have one for each of the plan's"
                f" {len(plan.scenes)} scenes, or None in its place"
            )
        self.clips = [None if clip is None else as_clip(clip) for clip in clips]
        """The clip of each scene, None where there is none; rendered ones replace the given."""
        self._plan = plan
        self._past: list[tuple[list[Any], VideoPlan]] = []
        self._future: list[tuple[list[Any], VideoPlan]] = []
        self._now = (_drawn(plan), plan)
        self._vocabulary = vocabulary
        self._steps = steps
        super().__init__(
            render,
            scenes=_drawn(plan),
            findings=self._found(plan),
            names=list(vocabulary.entities) if vocabulary else [],
            films=[{} if clip is None else sheet(clip) for clip in self.clips],
            **traits,
        )
        self.observe(self._edited, "scenes")
        self.on_msg(self._asked)

    @classmethod
    def of_scenes(
        cls, made: Any, frames: Sequence[Clip | None] | None = None, **traits: Any
    ) -> LayoutEditor:
        """The editor of a prepared film: its button makes the shown scene again, with the same seed
        and settings, and shows it after every step.

        `made` is what `vdjax.systems.videodirectorgpt.prepare` gives; `frames` are the film's, if
        it was made already.
        """

        def render(number: int, plan: VideoPlan) -> Iterator[Clip]:
            for latents in made.with_plan(plan).stream(number):
                yield made.model.decode(latents[0])

        return cls(made.plan, frames, render, steps=made.sampler.num_evaluations, **traits)

    # The plan and its history.

    @property
    def plan(self) -> VideoPlan:
        """The plan as edited: what is drawn, or the last of it that was valid."""
        return self._plan

    @plan.setter
    def plan(self, plan: VideoPlan) -> None:
        """Another plan, as one more edit."""
        count = len(plan.scenes)
        self.clips = [*self.clips, *[None] * count][:count]
        self.films = [*self.films, *[{}] * count][:count]
        self._remember(_drawn(plan), plan)
        self._go((_drawn(plan), plan))

    def undo(self) -> None:
        """Take the last edit back, if there is one."""
        if self._past:
            self._future.append(self._now)
            self._go(self._past.pop())

    def redo(self) -> None:
        """Make the last edit that was taken back again, if there is one."""
        if self._future:
            self._past.append(self._now)
            self._go(self._future.pop())

    def _remember(self, scenes: list[Any], plan: VideoPlan) -> None:
        """Keep what was, for `undo`, as (scenes, plan) becomes what is."""
        self._past = [*self._past, self._now][-MAX_UNDO:]
        self._future = []
        self._now = (scenes, plan)

    def _go(self, state: tuple[list[Any], VideoPlan]) -> None:
        self._now = state
        scenes, self._plan = state
        if self.scene > len(scenes):
            self.scene = len(scenes)
        self.scenes = scenes
        self._tell()

    def _edited(self, change: Any) -> None:
        if change["new"] == self._now[0]:
            return
        with contextlib.suppress(PlanError):
            self._plan = self._planned(change["new"])
        self._remember(change["new"], self._plan)
        self._tell()

    def _tell(self) -> None:
        """What the page shows of the history and of what is wrong."""
        self.undoable = [len(self._past), len(self._future)]
        try:
            self.findings = self._found(self._planned(self.scenes))
        except PlanError as error:
            self.findings = _faults(error)

    def _planned(self, scenes: Sequence[Any]) -> VideoPlan:
        """What is drawn, as a plan. All that cannot be drawn is the last valid plan's."""
        plan = self._plan
        if len(scenes) != len(plan.scenes):
            raise PlanError(f"{len(scenes)} scenes are drawn; the plan has {len(plan.scenes)}")
        problems: list[Any] = []
        for number, drawn in enumerate(scenes, 1):
            old = plan.scene(number)
            if drawn != _drawn_scene(old):
                boxes = {key: drawn.get(key) for key in ("entities", "keyframes")}
                try:
                    plan = with_scene(plan, number, old.replace(**boxes))
                except PlanError as error:
                    problems += [
                        (("scenes", number - 1, *where), kind, text)
                        for where, kind, text in error.problems
                    ]
        if problems:
            raise plan_error(problems)
        return plan

    def _found(self, plan: VideoPlan) -> list[dict[str, Any]]:
        return [
            {
                "level": "warning",
                "scene": found.scene,
                "keyframe": found.keyframe,
                "name": found.name,
                "words": found.words,
            }
            for found in check(plan, self._vocabulary)
        ]

    # Rendering.

    def render_scene(self, scene: int | None = None) -> None:
        """Begin to render a scene (from 1; the shown one where None) as `plan` has it.

        Returns at once; `wait` waits. Nothing happens while another scene is rendered.

        Raises:
            UserError: there is no such scene, or nothing to render with.
        """
        number = self.scene if scene is None else scene
        self.plan.scene(number)
        self._begin(self._work, number, self.plan, scene=number, steps=self._steps)

    def _work(self, render: Render, number: int, plan: VideoPlan) -> None:
        """The thread: show each step, then keep the last one's frames."""
        clip: Clip | None = None
        about: dict[str, Any] = {"scene": number, "step": 0, "steps": self._steps}
        state = "done"
        try:
            with contextlib.ExitStack() as at_end:
                made = render(number, plan)
                if hasattr(made, "close"):  # a generator's own end, even where it is left early
                    at_end.callback(made.close)
                for step, shown in enumerate(made, 1):
                    frames, words = shown if isinstance(shown, tuple) else (shown, "")
                    clip = as_clip(frames)
                    about = {**about, "step": step, "words": str(words)}
                    if self._stop.is_set():
                        break
                    preview = sheet(clip, quality=80)
                    self._show(preview=preview, rendering={"state": "running", **about})
            if self._stop.is_set():
                state = "cancelled"
            elif clip is None:
                raise UserError(f"`render` yielded no frames for scene {number}")
        except Exception as error:  # nobody would hear it in a thread
            state, about = "failed", {**about, "words": f"{type(error).__name__}: {error}"}
        if state == "done" and clip is not None and number <= len(self.films):
            self.clips[number - 1] = clip
            self._steps = about["step"]
            films = [*self.films]
            films[number - 1] = sheet(clip)
            self._show(films=films)
        self._show(preview={}, rendering={"state": state, **about})

    def _asked(self, _: Any, content: Any, __: Any) -> None:
        """What the page's buttons ask for."""
        actions = {
            "undo": self.undo,
            "redo": self.redo,
            "render": self.render_scene,
            "cancel": self.cancel,
        }
        action = actions.get(content.get("do", "") if isinstance(content, dict) else "")
        if action is not None:
            action()

    # Where nothing runs.

    @property
    def alt(self) -> str:
        """The shown scene's layout in words, and what was found in it."""
        found = [
            f"{f['name']} {f['words']}".strip() for f in self.findings if f["scene"] == self.scene
        ]
        return layout_words(self.plan, self.scene) + (
            f". Findings: {'; '.join(found)}" if found else ""
        )

    def picture(self) -> Image.Image:
        """The shown scene at three keyframes; see `draw_layout`."""
        return draw_layout(self.plan, self.scene, self.clips[self.scene - 1])


def _drawn(plan: VideoPlan) -> list[Any]:
    return [_drawn_scene(scene) for scene in plan.scenes]


def _drawn_scene(scene: Scene) -> dict[str, Any]:
    """What the page shows and edits of a scene, as JSON gives it back."""
    return {
        "description": scene.description,
        "background": scene.background,
        "entities": list(scene.entities),
        "keyframes": [{name: list(box) for name, box in k.items()} for k in scene.keyframes],
    }


def _faults(error: PlanError) -> list[dict[str, Any]]:
    """Why something is no plan, one finding each."""
    found = []
    for where, kind, words in error.problems or [((), "plan", str(error))]:
        numbers = [part + 1 for part in where if isinstance(part, int)]
        scene, keyframe = (*numbers, None, None)[:2]
        spot = {"scene": scene, "keyframe": keyframe, "name": ""}
        found.append({"level": "error", "kind": kind, **spot, "words": words})
    return found
