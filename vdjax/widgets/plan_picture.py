"""A plan without a widget: its picture, who is the same over its scenes, and what was said of it.

A plan enters, with its frames and the director's report where there are any; HTML or words leave.
`show_plan` is the plain function with what `PlanViewer` shows.
"""

from __future__ import annotations

import html
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from vdjax.media.storyboard import storyboard
from vdjax.plan import VideoPlan
from vdjax.widgets.films import Clips, as_films
from vdjax.widgets.show import picture_html


def show_plan(plan: VideoPlan, frames: Any = None, report: Mapping[str, Any] | None = None) -> None:
    """Show a plan in a notebook; `frames` is the film made from it, as `as_films` takes it."""
    from IPython.display import HTML, display

    display(HTML(plan_html(plan, frames, report)))


def plan_html(plan: VideoPlan, frames: Any = None, report: Mapping[str, Any] | None = None) -> str:
    """The HTML that `show_plan` shows: a picture with words, groups as a table, notes folded."""
    clips = None if frames is None else as_films(frames, plan)[0].clips
    told = picture_html(plan_picture(plan, clips), plan_words(plan)) + _groups_html(plan)
    for number, scene in enumerate(plan.scenes, 1):
        words = [*scene.notes, *([scene.reasoning] if scene.reasoning else [])]
        if words:
            lines = "".join(f"<li>{html.escape(line)}</li>" for line in words)
            told += f"<details><summary>Notes on scene {number}</summary><ul>{lines}</ul></details>"
    return told + (f"<p>{html.escape(report_words(report))}</p>" if report else "")


def plan_picture(plan: VideoPlan, clips: Clips | None = None) -> Image.Image:
    """A storyboard where there are frames; boxes and the ways between them otherwise."""
    if clips is not None:
        return storyboard(plan, clips)
    from vdjax.inspect.pictures import plan_figure

    drawn = io.BytesIO()
    plan_figure(plan).savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")


def plan_words(plan: VideoPlan) -> str:
    """Scenes and groups in words, for those who cannot see them."""
    told = [f"Plan in {len(plan.scenes)} scene{'s' * (len(plan.scenes) > 1)}: {plan.prompt}"]
    for number, scene in enumerate(plan.scenes, 1):
        names = ", ".join(scene.entities)
        told.append(f"scene {number}, {scene.background}: {scene.description} (boxes: {names})")
    shared = [
        f"{name} in scenes {', '.join(map(str, numbers))}"
        for name, numbers in plan.groups.items()
        if len(numbers) > 1
    ]
    return "; ".join(told) + (f"; the same over scenes: {'; '.join(shared)}" if shared else "")


def report_words(report: Mapping[str, Any]) -> str:
    """What planning took, in a sentence."""

    def counted(key: str, one: str, many: str) -> str:
        return f"{report[key]:,} {one if report[key] == 1 else many}"

    words = [
        counted(key, one, many)
        for key, one, many in (
            ("calls", "call", "calls"),
            ("rounds", "answer sent back", "answers sent back"),
            ("prompt_tokens", "token asked", "tokens asked"),
            ("completion_tokens", "token answered", "tokens answered"),
            ("model_scenes", "scene by the model", "scenes by the model"),
            ("fallback_scenes", "scene by rules", "scenes by rules"),
        )
        if key in report
    ]
    who = f"Planned by {report['director']}" if report.get("director") else "Planned"
    if "seconds" in report:
        who += f" in {report['seconds']:.3g} s"
    return ": ".join([who, ", ".join(words)] if words else [who])


def _groups_html(plan: VideoPlan) -> str:
    """A row per name, a column per scene: ● the same look over the scenes, ○ a look of its own."""
    numbers = range(1, len(plan.scenes) + 1)
    head = "".join(f"<th>scene {number}</th>" for number in numbers)
    rows = ""
    for name in plan.groups:
        cells = ""
        for number, scene in enumerate(plan.scenes, 1):
            there = name in (*scene.entities, scene.background)
            mark = "●" if number in plan.groups[name] else "○" if there else ""
            cells += f"<td>{mark}</td>"
        rows += f"<tr><th>{html.escape(name)}</th>{cells}</tr>"
    legend = "● the same look in all scenes of its row, ○ a look of its own"
    return f"<table><caption>{legend}</caption><tr><th></th>{head}</tr>{rows}</table>"
