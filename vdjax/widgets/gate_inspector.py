"""The gates of guided layers under a slider: how open they are, what they add, what they change.

Gates enter, with a record of what each added by layer and step, and a function that makes frames
with gates scaled from some step on; sliders scale or close them, and the film before stands beside
the film after (VideoDirectorGPT, section 3.2, has the gates; its alpha closes all of them at once).
Rendering runs in a thread, so that the kernel stays free meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from PIL import Image

from vdjax.errors import UserError
from vdjax.widgets.base import sheet
from vdjax.widgets.film_player import films_html
from vdjax.widgets.films import FilmWidget, Titled
from vdjax.widgets.gate_picture import (
    as_gates,
    gates_figure,
    gates_html,
    gates_words,
    scale_of,
)
from vdjax.widgets.layout_picture import Clip, as_clip
from vdjax.widgets.rendering import Renders

if TYPE_CHECKING:
    from vdjax.inspect.gates import Gate, GateRecord

Render = Callable[[dict[str, float], int], Any]


class GateInspector(Renders, FilmWidget):
    """See the gates, scale them from a step on, and compare the films.

    `GateInspector.of_scene(prepare(plan))` makes one of a prepared film, record and all.

    Args:
        gates: what `read_gates` gives, or a UNet's parameters.
        record: what `record_gates` gives: what each gate added, by layer and step.
        render: takes {layer: factor, 0 closed to 1 as it is} and the step (from 1) from which on
            gates are scaled, and returns frames; or yields frames, or (frames or None, words),
            after each step, the last ones counting. Without it there are no sliders.
        steps: how many steps there are; the record's where None.
        before: the film as it was made; where None it is rendered when it is first needed.

    Traits to read, set or link:
        factors: a factor per layer, 0 to 1.
        from_step: the first step, from 1, with scaled gates.
        layer: the layer that the slider scales; "" means all.
        kind: of which gate the map shows what it adds: "attention" or "dense".
        change: mean absolute difference of the two films, of 255; None while there are not two.

    Raises:
        UserError: there are no gates, or `render` has no steps to choose from.
    """

    parts = (*FilmWidget.parts, "gate_table")

    gates: Any = traitlets.List().tag(sync=True)
    record: Any = traitlets.Dict().tag(sync=True)
    factors: Any = traitlets.Dict().tag(sync=True)
    from_step = traitlets.Int(1, min=1).tag(sync=True)
    steps = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Enum(("attention", "dense"), "attention").tag(sync=True)
    before: Any = traitlets.Dict().tag(sync=True)
    after: Any = traitlets.Dict().tag(sync=True)
    change = traitlets.Float(None, allow_none=True).tag(sync=True)

    def __init__(
        self,
        gates: Sequence[Gate] | Mapping[str, Any],
        record: GateRecord | None = None,
        render: Render | None = None,
        *,
        steps: int | None = None,
        before: Clip | None = None,
        **traits: Any,
    ) -> None:
        self._gates, self._record = as_gates(gates), record
        if not self._gates:
            raise UserError("there are no gates to inspect: give those of guided layers")
        steps = steps or (len(record.timesteps) if record is not None else 0)
        if render is not None and not steps:
            raise UserError("say in `steps` how many steps `render` makes: the slider needs it")
        self.clips: dict[str, Clip] = {} if before is None else {"before": as_clip(before)}
        """The films: "before" as it was made, "after" with scaled gates."""
        self._made = ""
        super().__init__(
            render,
            gates=[
                {"layer": gate.layer, "attention": gate.attention, "dense": gate.dense}
                for gate in self._gates
            ],
            record={} if record is None else _plain(record),
            factors={gate.layer: 1.0 for gate in self._gates} | traits.pop("factors", {}),
            steps=steps,
            before={} if before is None else sheet(self.clips["before"]),
            **traits,
        )
        self.on_msg(self._asked)

    @classmethod
    def of_scene(cls, made: Any, scene: int = 1, **traits: Any) -> GateInspector:
        """The gates while a scene is made: it is rendered once here, and recorded.

        `made` is what `vdjax.systems.videodirectorgpt.prepare` gives, of a model with guided layers
        and an alpha above 0; `scene` counts from 1.

        Raises:
            UserError: no step of it runs with gates.
            PlanError: there is no such scene.
        """
        import jax.numpy as jnp

        from vdjax.inspect.gates import record_gates, stream_with_gates

        if not made.switch:
            raise UserError("alpha is 0: no step runs with gates; prepare the film with more")
        latents, conditions = made.scene(scene)
        sampler, params = made.sampler, made.model.part("unet")

        def run(factors: dict[str, float], from_step: int) -> Any:
            guidance = jnp.float32(made.guidance)
            rest = (latents, conditions, guidance, made.switch, factors, from_step)
            return stream_with_gates(sampler, params, *rest)

        def render(factors: dict[str, float], from_step: int) -> Any:
            last = sampler.num_evaluations
            for number, latest in enumerate(run(factors, from_step), 1):
                frames = made.model.decode(latest[0]) if number == last else None
                yield frames, f"step {number} of {last}"

        trajectory = [latents, *run({}, 1)]
        timesteps = sampler.begin(latents)[1]
        # The last evaluation of each step: PNDM's first step has two.
        extra = len(timesteps) - sampler.num_inference_steps
        shown = range(extra, extra + made.switch)
        half = len(conditions.text) // 2
        record = record_gates(
            sampler.unet,
            params,
            [trajectory[i] for i in shown],
            [int(timesteps[i]) for i in shown],
            conditions.text[half:],
            conditions.grounding[half:],
        )
        before = made.model.decode(trajectory[-1][0])
        steps = sampler.num_inference_steps
        return cls(params, record, render, steps=steps, before=before, **traits)

    # Rendering.

    def render(self) -> None:
        """Begin to make the film with `factors` from `from_step` on, and before it the film as it
        is if there is none.

        Returns at once; `wait` waits. Nothing happens while another is made.

        Raises:
            UserError: there is nothing to render with.
        """
        self._begin(self._work, dict(self.factors), self.from_step, words="")

    def _work(self, render: Render, factors: dict[str, float], from_step: int) -> None:
        """The thread: what is asked for, and what nobody else would hear of an error."""
        try:
            if "before" not in self.clips:
                self._make("before", render, dict.fromkeys(factors, 1.0), 1)
            self._make("after", render, factors, from_step)
            self._made = _settings(factors, from_step)
            end = {"state": "done", "words": self._made}
        except InterruptedError:
            end = {"state": "cancelled", "words": ""}
        except Exception as error:
            end = {"state": "failed", "words": f"{type(error).__name__}: {error}"}
        self._show(rendering=end)

    def _make(self, which: str, render: Render, factors: dict[str, float], from_step: int) -> None:
        clip: Clip | None = None
        title = "as it is: " * (which == "before")
        made = render(factors, from_step)
        with contextlib.ExitStack() as at_end:
            if hasattr(made, "close"):  # a generator's own end, even where it is left early
                at_end.callback(made.close)
            for step, shown in enumerate(made if hasattr(made, "__next__") else [made], 1):
                frames, words = shown if isinstance(shown, tuple) else (shown, "")
                if self._stop.is_set():
                    raise InterruptedError
                about = {"state": "running", "step": step, "words": title + str(words)}
                if frames is not None:
                    clip = as_clip(frames)
                self._show(rendering=about)
        if clip is None:
            raise UserError("`render` gave no frames")
        self.clips[which] = clip
        change = None
        if which == "after" and clip.shape == self.clips["before"].shape:
            difference = clip.astype(np.int16) - self.clips["before"].astype(np.int16)
            change = float(np.abs(difference).mean())
        self._show(**{which: sheet(clip)}, change=change)

    def _asked(self, _: Any, content: Any, __: Any) -> None:
        """What the page's buttons ask for."""
        actions = {"render": self.render, "cancel": self.cancel}
        action = actions.get(content.get("do", "") if isinstance(content, dict) else "")
        if action is not None:
            action()

    # Where nothing runs.

    @property
    def alt(self) -> str:
        """The gates in words, and what scaling them changed."""
        words = gates_words(self._gates, self._record)
        if self.change is not None:
            words += f"; {self._made}: the film changed by {self.change:.1f} of 255 on average"
        return words

    def picture(self) -> Image.Image:
        """Bars of the gates, and maps of what they added."""
        import io

        drawn = io.BytesIO()
        gates_figure(self._gates, self._record).savefig(drawn, format="png")
        return Image.open(drawn).convert("RGB")

    def fallback(self) -> str:
        """The picture with its words, and the two films if there are any."""
        films = [Titled(title, [clip], None) for title, clip in self.clips.items()]
        note = "<p>GateInspector (run the notebook to use it)</p>"
        return gates_html(self._gates, self._record) + (films_html(films) if films else "") + note


def _plain(record: GateRecord) -> dict[str, Any]:
    return {
        "timesteps": list(record.timesteps),
        "attention": record.attention.astype(float).round(5).tolist(),
        "dense": record.dense.astype(float).round(5).tolist(),
        "scale": list(scale_of(record)),
    }


def _settings(factors: Mapping[str, float], from_step: int) -> str:
    """What was scaled, in words."""
    changed = {layer: factor for layer, factor in factors.items() if factor != 1}
    if not changed:
        return "all gates as they are"
    if len(changed) == len(factors) and len(set(changed.values())) == 1:
        what = f"all gates at {next(iter(changed.values())):.0%}"
    else:
        what = ", ".join(f"{layer} at {factor:.0%}" for layer, factor in changed.items())
    return f"{what} from step {from_step} on"
