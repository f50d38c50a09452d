"""`vdjax train report`: one page that shows how a run learnt, and says whether its gates open.

A run folder enters (`config.json`, `log.jsonl`, `sheets/`); one HTML file leaves that holds all of
it: charts as inline SVG, contact sheets as inline PNG, no script, and nothing to load from
anywhere. What comes from the run is text to the page, never HTML. What a run did not record is said
to be missing.
"""

from __future__ import annotations

import base64
import html
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from vdjax.files import replace_file
from vdjax.train.reporting.charts import (
    COLOURS,
    DASHES,
    Line,
    bar_chart,
    line_chart,
    running_median,
    short,
)
from vdjax.train.reporting.records import CONFIG, Run, read_run
from vdjax.train.reporting.verdict import SHUT, Verdict, judge

SHEETS = 4
"""Contact sheets on the page: the first, the last, and some between."""

MEDIANS = 30
"""A running median is over a so-manieth part of the steps."""

BAD_STEPS = 20
"""Skipped steps that are listed one by one."""

SHOWN_VALUE = 300
"""Letters of a setting's value that are shown."""

FACTS = {
    "stage": "Stage",
    "preset": "Preset",
    "data": "Data",
    "trained": "What learns",
    "batch_size": "Samples per step",
    "learning_rate": "Learning rate",
    "warmup_steps": "Warm-up steps",
    "decay": "Rate after it",
    "precision": "Precision",
    "seed": "Seed",
    "began": "Began",
}


def report(run: Path, out: Path | None = None) -> Path:
    """Write the report of a run, finished, running or killed.

    Args:
        run: the run's folder.
        out: the page to write; `report.html` in the run's folder where None.

    Returns:
        the page.

    Raises:
        UserError: `run` is no folder, or no run's.
        OutputError: the page cannot be written.
    """
    found = read_run(Path(run))
    path = Path(out) if out is not None else found.folder / "report.html"
    frame = Template(Path(__file__).with_name("reporting").joinpath("page.html").read_text("utf-8"))
    title = f"{found.folder.resolve().name}: how it learnt"
    page = frame.substitute(title=html.escape(title), body=_body(found, title))
    replace_file(path, page.encode())
    return path


def _body(run: Run, title: str) -> str:
    planned = f" of {run.steps:,}" if run.steps else ""
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="sub">Step {run.step:,}{planned}.</p>',
        _verdict(judge(run)),
        _facts(run),
        *(f"<p>{html.escape(note)}</p>" for note in run.notes),
        "<h2>Training</h2>",
        _grid(_training(run)),
        "<h2>Gates</h2>",
        f"<p>Each gated layer adds tanh(gate) times what it computes; below {SHUT} on average the "
        "gates count as shut.</p>",
        _grid(_gates(run)),
        "<h2>Do the boxes do anything?</h2>",
        "<p>This network is told how its cells lie in the boxes and leans towards them from the "
        "first step: what counts is how attention changes.</p>"
        if run.setting("box_geometry") is True
        else "",
        _grid(_heeded(run)),
        "<h2>Contact sheets</h2>",
        _sheets(run),
        "<h2>Skipped steps</h2>",
        _skipped(run),
        "<h2>What made it</h2>",
        _settings(run.config),
    ]
    return "\n".join(parts)


def _verdict(verdict: Verdict) -> str:
    evidence = "".join(f"<li>{html.escape(one)}</li>" for one in verdict.evidence)
    causes = ""
    if verdict.causes:
        items = "".join(
            f'<li><span class="tag {kind}">{kind}</span> {html.escape(cause.why)} '
            f"<br><strong>Change:</strong> {html.escape(cause.change)}</li>"
            for cause in verdict.causes
            for kind in ["likely" if cause.likely else "possible"]
        )
        causes = f'<h2>Usual causes, and what to change</h2><ul class="causes">{items}</ul>'
    return (
        f'<section class="verdict {verdict.answer}"><h2>Do the gates open?</h2>'
        f'<p class="headline">{html.escape(verdict.headline)}</p><ul>{evidence}</ul>{causes}'
        "</section>"
    )


def _facts(run: Run) -> str:
    facts = {said: run.setting(name) for name, said in FACTS.items()}
    facts["Device"] = run.setting("device_kind") or run.setting("kind")
    items = (
        f"<div><dt>{said}</dt><dd>{_value(value)}</dd></div>"
        for said, value in facts.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    )
    return f'<dl class="facts">{"".join(items)}</dl>'


def _grid(cards: Iterator[str]) -> str:
    return f'<div class="grid">{"".join(cards)}</div>'


def _training(run: Run) -> Iterator[str]:
    yield _smoothed(run, "loss", "Loss", log=False)
    yield _smoothed(run, "grad_norm", "Length of the gradient, before it is clipped", log=True)
    yield _smoothed(run, "samples_per_second", "Samples per second", zero=True)
    yield _smoothed(run, "wait_share", "Share of the time spent waiting for data", zero=True)
    if "tflops_per_second" in run.names():
        yield _smoothed(run, "tflops_per_second", "TFLOP per second", zero=True)


def _smoothed(run: Run, name: str, title: str, **how: Any) -> str:
    """A number step by step, and its running median."""
    x, y = run.column(name)
    if not np.isfinite(y).any():
        return _none(f"{title}: no {name} in the log.")
    each = Line(name="each step", x=x, y=y, faint=True)
    window = max(5, len(y) // MEDIANS) | 1
    if len(y) < 2 * window:
        return line_chart(title, [Line(name=name, x=x, y=y)], **how)
    median = running_median(each, f"median of {window} steps", window)
    return line_chart(title, [each, median], **how)


def _gates(run: Run) -> Iterator[str]:
    means = [
        line
        for at, (name, said) in enumerate(
            {"gate": "the weights themselves", "gate/mean": "their average, which is kept"}.items()
        )
        for line in [_line(run, name, said, colour=at, dash=at)]
        if line is not None
    ]
    title = "Mean size of tanh(gate), attention gates"
    yield line_chart(title, means, zero=True) if means else _none(f"{title}: not in the log.")
    layers = list(
        dict.fromkeys(
            match[1]
            for name in run.names()
            if (match := re.fullmatch(r"gate/(.+)/(?:attention|dense)", name))
        )
    )
    if not layers:
        yield _none("tanh(gate) by layer: not in the log; the run had no watcher of gates.")
        return
    kinds = {"attention": "attention gate", "dense": "feed-forward gate"}
    for kind, said in kinds.items():
        lines = [_layer(run, layers, layer, kind) for layer in layers]
        yield line_chart(
            f"tanh({said}) by layer", [line for line in lines if line is not None], zero=True
        )
    last = [tuple(_last(run, f"gate/{layer}/{kind}") for kind in kinds) for layer in layers]
    yield bar_chart("tanh(gate) at the last look", layers, last, list(kinds.values()))


def _layer(run: Run, layers: Sequence[str], layer: str, kind: str) -> Line | None:
    """A colour for each part of the network (down, mid, up), a dash for each layer in it."""
    parts = list(dict.fromkeys(each.split()[0] for each in layers))
    part = layer.split()[0]
    among = [each for each in layers if each.split()[0] == part]
    return _line(
        run,
        f"gate/{layer}/{kind}",
        layer,
        colour=parts.index(part) % COLOURS,
        dash=among.index(layer) % DASHES,
    )


def _heeded(run: Run) -> Iterator[str]:
    inside = _line(run, "attention/inside", "inside the boxes", colour=0)
    even = _line(run, "attention/chance", "chance: their area", colour=1, dash=1)
    title = "Attention to a token that comes from inside its box"
    drawn = [line for line in (inside, even) if line is not None]
    yield (
        line_chart(title, drawn, unit="share; band: 95 %", zero=True)
        if drawn
        else _none(f"{title}: not watched.")
    )
    levels = [name for name in run.names() if name.startswith("attention/inside/t")]
    if levels:
        lines = [
            _line(run, name, f"timestep {name.rpartition('/t')[2]}", colour=at, dash=at % DASHES)
            for at, name in enumerate(levels)
        ]
        last = len(levels)
        lines.append(
            _line(run, "attention/chance", "chance: their area", colour=last, dash=last % DASHES)
        )
        yield line_chart(
            "The same by noise level", [one for one in lines if one is not None], zero=True
        )
    title = "Overlap (IoU) of held-out boxes with what is found in the samples"
    lines = [
        _line(run, "layout/iou", "with gates", colour=0),
        _line(run, "layout/iou_without", "without gates", colour=1, dash=1),
    ]
    drawn = [line for line in lines if line is not None]
    yield (
        line_chart(title, drawn, unit="band: 95 %", zero=True)
        if drawn
        else _none(f"{title}: not watched (it needs a detector that knows the things' names).")
    )
    found = _line(run, "layout/found", "boxes filled", colour=2)
    if found is not None:
        title = "Share of held-out boxes filled, IoU of at least 0.5"
        yield line_chart(title, [found], unit="band: 95 %", zero=True)
    apart = _line(run, "sheet/difference", "difference", colour=3)
    title = "How far samples with and without gates are apart"
    yield (
        line_chart(title, [apart], unit="mean over pixels, 0 to 1", zero=True)
        if apart is not None
        else _none(f"{title}: not watched.")
    )


def _line(run: Run, name: str, said: str, *, colour: int = 0, dash: int = 0) -> Line | None:
    """A number of the log as a line, with its interval where it has one; None where it is not."""
    x, y = run.column(name)
    if not np.isfinite(y).any():
        return None
    (low_x, low), (_, high) = (run.column(f"{name}_{end}") for end in ("low", "high"))
    band = (low, high) if len(low) == len(high) == len(y) and (low_x == x).all() else None
    return Line(name=said, x=x, y=y, colour=colour, dash=dash, band=band)


def _last(run: Run, name: str) -> float:
    values = run.column(name)[1]
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else 0.0


def _sheets(run: Run) -> str:
    if not run.sheets:
        return _none("There are none: the run had no watcher of samples, or has not come to one.")
    count = len(run.sheets)
    chosen = sorted({round(at) for at in np.linspace(0, count - 1, min(SHEETS, count))})
    figures = []
    for step, path in (run.sheets[at] for at in chosen):
        data = path.read_bytes()
        wide, tall = struct.unpack(">II", data[16:24])
        said = (
            f"Step {step:,}: held-out pictures with their boxes, samples with gates, and the same "
            "noise without gates"
        )
        figures.append(
            f"<figure><figcaption>{said}</figcaption>"
            f'<img width="{wide}" height="{tall}" alt="{said}" '
            f'src="data:image/png;base64,{base64.b64encode(data).decode()}"></figure>'
        )
    left = f"<p>{len(chosen)} of {count} sheets; all are in the run's folder.</p>"
    return (left if count > len(chosen) else "") + f'<div class="sheets">{"".join(figures)}</div>'


def _skipped(run: Run) -> str:
    """The steps whose loss or gradient was not finite, with the samples they read."""
    bad = [entry for entry in run.entries if _is_bad(entry)]
    if not bad:
        return _none("None." if run.entries else "Not known: no step was logged.")
    known = {"step", "loss", "grad_norm", "finite"}
    others = list(
        dict.fromkeys(n for e in bad for n in e if isinstance(e[n], list) and n not in known)
    )
    heads = ["step", "loss", "grad_norm", *others]
    rows = "".join(
        "<tr>" + "".join(f"<td>{_value(_listed(entry.get(name)))}</td>" for name in heads) + "</tr>"
        for entry in bad[:BAD_STEPS]
    )
    more = f" The first {BAD_STEPS}:" if len(bad) > BAD_STEPS else ""
    return (
        f"<p>{len(bad):,} of {len(run.entries):,} logged steps changed nothing, because their loss "
        f"or gradient was not finite.{more}</p>" + _table(heads, rows)
    )


def _is_bad(entry: Mapping[str, Any]) -> bool:
    if entry.get("finite") in (0, False) and "finite" in entry:
        return True
    loss = entry.get("loss", 0.0)
    return not isinstance(loss, int | float) or not np.isfinite(loss)


def _listed(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _settings(config: Mapping[str, Any]) -> str:
    if not config:
        return _none(f"Not known: there is no {CONFIG} that can be read.")
    rows = "".join(
        f"<tr><td><code>{html.escape(name)}</code></td><td>{_value(value)}</td></tr>"
        for name, value in _leaves(config)
    )
    return f"<details><summary>All settings</summary>{_table(['setting', 'value'], rows)}</details>"


def _leaves(config: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(config, dict) and config:
        for key, value in config.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, _listed(config)


def _table(heads: Sequence[str], rows: str) -> str:
    head = "".join(f"<th>{html.escape(one)}</th>" for one in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _value(value: Any) -> str:
    """A value from the run as text of the page."""
    text = short(value) if isinstance(value, float) else "–" if value is None else str(value)
    return html.escape(text if len(text) <= SHOWN_VALUE else text[: SHOWN_VALUE - 1] + "…")


def _none(text: str) -> str:
    return f'<p class="none">{html.escape(text)}</p>'
