"""Charts as inline SVG: lines over steps with bands and legends, and bars; nothing to load.

Columns of numbers enter, HTML leaves. Colours come from the page's style sheet, so that a chart
follows it into the dark; lines differ by dashes too. An SVG of our own, not matplotlib: it needs
nothing beside what training needs, stays sharp, and is a tenth of the size.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

WIDTH, HEIGHT = 420, 236
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 10, 36
COLOURS, DASHES = 7, 5
"""How many the style sheet has."""

POINTS = 300
"""Of a line that has more, the least and the most of each of half so many parts are drawn."""

DOTS = 40
"""Lines of no more points than this show them."""

SAID = 3
"""Lines that are also put into words below the chart; of more, only those who hear it are told."""

Values = Float[np.ndarray, " _"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """One line; `band` is what lies between two others, such as an interval.

    `faint` is drawn thin, and its peaks are cut at the frame, which is as large as the other lines
    and nearly all of it need.
    """

    name: str
    x: Values
    y: Values
    colour: int = 0
    dash: int = 0
    faint: bool = False
    band: tuple[Values, Values] | None = None


@dataclass(frozen=True)
class _Axis:
    """Values to places between two edges of the drawing."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, values: Values) -> Values:
        low, high = (math.log10(end) if self.log else end for end in (self.low, self.high))
        with np.errstate(divide="ignore", invalid="ignore"):
            along = np.log10(values) if self.log else values
        return self.start + (along - low) / (high - low) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        if self.log:
            exponents = range(
                math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1
            )
            steps = (1, 2, 5) if len(exponents) < 4 else (1,)
            every = [step * 10.0**exponent for exponent in exponents for step in steps]
            inside = [tick for tick in every if self.low <= tick <= self.high * 1.0001]
            if len(inside) > 1:
                return inside[:: max(1, len(inside) // 6)]
        rough = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [at * step for at in range(first, last + 1)]


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    unit: str = "",
    log: bool = False,
    zero: bool = False,
) -> str:
    """A figure of lines over steps, with a legend and a sentence that says what they do.

    Args:
        title: what is shown; becomes the caption, and the text for those who do not see it.
        lines: at least one with a finite value.
        unit: of the values, for the caption.
        log: a logarithmic scale, where all that is drawn is above zero.
        zero: the frame begins at zero.
    """
    drawn = [_finite(line) for line in lines]
    drawn = [line for line in drawn if len(line.x)]
    across = _Axis(*_ends([line.x for line in drawn]), LEFT, WIDTH - RIGHT)
    log = log and all((line.y > 0).all() for line in drawn)
    low, high = _frame(drawn, log=log, zero=zero)
    up = _Axis(low, high, HEIGHT - BOTTOM, TOP, log)
    summary = "; ".join(_said(line) for line in drawn if not line.faint or len(drawn) == 1)
    parts = [_grid(across, up), *(_drawn(line, across, up) for line in drawn)]
    svg = _svg(f"{title}. {summary}.", "".join(parts))
    legend = _legend(drawn) if len(drawn) > 1 else ""
    said = f'<p class="said">{html.escape(summary)}.</p>' if len(drawn) <= SAID else ""
    caption = html.escape(title + (f" ({unit})" if unit else ""))
    return f"<figure><figcaption>{caption}</figcaption>{svg}{legend}{said}</figure>"


def bar_chart(
    title: str,
    names: Sequence[str],
    pairs: Sequence[tuple[float, ...]],
    kinds: Sequence[str],
) -> str:
    """A figure of horizontal bars around zero: of each name one bar for each of `kinds`."""
    row, bar = 12 * len(kinds) + 8, 11
    height = row * len(names) + 26
    left, widest = 76, max(abs(value) for pair in pairs for value in pair) or 1.0
    low = min(0.0, *(value for pair in pairs for value in pair))
    across = _Axis(low and -widest, widest, left, WIDTH - 48)
    zero = float(across(np.zeros(1))[0])
    parts = [f'<path class="axis" d="M{zero:.1f} 4V{height - 22}"/>']
    for at, (name, pair) in enumerate(zip(names, pairs, strict=True)):
        y = 6 + at * row
        middle = f'x="{left - 8}" y="{y + row / 2 + 1:.1f}"'
        parts.append(f'<text class="tick end" {middle}>{html.escape(name)}</text>')
        for kind, value in enumerate(pair):
            end = float(across(np.array([value]))[0])
            x, wide = min(zero, end), abs(end - zero)
            top = y + 12 * kind
            parts.append(
                f'<rect class="bar c{kind}" x="{x:.1f}" y="{top}" width="{max(wide, 0.8):.1f}" '
                f'height="{bar}"/>'
                f'<text class="tick" x="{max(zero, end) + 4:.1f}" y="{top + 9}">{value:.3f}</text>'
            )
    said = ", ".join(
        f"{name} {' and '.join(f'{value:.3f}' for value in pair)}"
        for name, pair in zip(names, pairs, strict=True)
    )
    svg = _svg(f"{title}: {said}.", "".join(parts), height)
    items = (
        f'<li><i class="swatch c{at}"></i>{html.escape(kind)}</li>' for at, kind in enumerate(kinds)
    )
    return (
        f"<figure><figcaption>{html.escape(title)}</figcaption>{svg}"
        f'<ul class="legend">{"".join(items)}</ul></figure>'
    )


def running_median(line: Line, name: str, window: int) -> Line:
    """The median of the `window` values around each place, at `POINTS` places at most."""
    half = window // 2
    places = np.unique(np.linspace(0, len(line.y) - 1, min(POINTS, len(line.y))).astype(int))
    parts = [line.y[max(0, at - half) : at + half + 1] for at in places]
    known = [part[np.isfinite(part)] for part in parts]
    medians = np.array([np.median(part) if len(part) else math.nan for part in known])
    return Line(name=name, x=line.x[places], y=medians, colour=line.colour)


def _finite(line: Line) -> Line:
    good = np.isfinite(line.y)
    band = line.band
    return Line(
        name=line.name,
        x=line.x[good],
        y=line.y[good],
        colour=line.colour,
        dash=line.dash,
        faint=line.faint,
        band=None if band is None else (band[0][good], band[1][good]),
    )


def _ends(columns: Sequence[Values]) -> tuple[float, float]:
    low, high = min(float(c.min()) for c in columns), max(float(c.max()) for c in columns)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _frame(lines: Sequence[Line], *, log: bool, zero: bool) -> tuple[float, float]:
    columns = [np.percentile(line.y, (1, 99)) if line.faint else line.y for line in lines]
    columns += [edge[np.isfinite(edge)] for line in lines for edge in line.band or ()]
    columns = [column for column in columns if len(column)]
    low, high = min(float(c.min()) for c in columns), max(float(c.max()) for c in columns)
    if log:
        return low / 1.15, high * 1.15
    room = 0.06 * (high - low) or 0.06 * abs(high) or 0.06
    if zero:
        return min(0.0, low), max(high, 0.0) + room
    return low - room, high + room


def _grid(across: _Axis, up: _Axis) -> str:
    parts = []
    for tick in up.ticks():
        y = float(up(np.array([tick]))[0])
        kind = "axis" if tick == 0 else "rule"
        parts.append(f'<path class="{kind}" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 6}" y="{y + 4:.1f}">{short(tick)}</text>')
    for tick in across.ticks():
        if tick == round(tick):
            x = float(across(np.array([tick]))[0])
            anchor = " end" if x > WIDTH - 30 else " mid"
            parts.append(
                f'<text class="tick{anchor}" x="{x:.1f}" y="{HEIGHT - 20}">{short(tick)}</text>'
            )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    parts.append(f'<text class="tick mid" x="{middle}" y="{HEIGHT - 5}">step</text>')
    return "".join(parts)


def _drawn(line: Line, across: _Axis, up: _Axis) -> str:
    parts = []
    if line.band is not None and len(line.x) > 1:
        low, high = (_points(across(line.x), up(edge)) for edge in line.band)
        edge = " ".join([*low, *reversed(high)])
        parts.append(f'<polygon class="band c{line.colour}" points="{edge}"/>')
    kind = f"c{line.colour} d{line.dash}" + (" faint" if line.faint else "")
    x, y = _thinned(across(line.x), np.clip(up(line.y), TOP, HEIGHT - BOTTOM))
    if len(x) > 1:
        points = " ".join(_points(x, y))
        parts.append(f'<polyline class="line {kind}" points="{points}"/>')
    if len(x) <= DOTS and not line.faint:
        parts += [
            f'<circle class="dot c{line.colour}" cx="{a:.1f}" cy="{b:.1f}" r="2.4"/>'
            for a, b in zip(x, y, strict=True)
        ]
    return "".join(parts)


def _points(x: Values, y: Values) -> list[str]:
    return [f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if math.isfinite(b)]


def _thinned(x: Values, y: Values) -> tuple[Values, Values]:
    """No more than `POINTS` places that keep the peaks."""
    if len(x) <= POINTS:
        return x, y
    parts = np.array_split(np.arange(len(x)), POINTS // 2)
    kept = sorted({int(part[choose(y[part])]) for part in parts for choose in _EXTREMES})
    return x[kept], y[kept]


_EXTREMES: tuple[Callable[[Values], np.intp], ...] = (np.argmin, np.argmax)


def _legend(lines: Sequence[Line]) -> str:
    items = []
    for line in lines:
        kind = f"c{line.colour} d{line.dash}" + (" faint" if line.faint else "")
        key = f'<path class="line {kind}" d="M0 4H24"/>'
        key = f'<svg class="key" viewBox="0 0 24 8" aria-hidden="true">{key}</svg>'
        items.append(f"<li>{key}{html.escape(line.name)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _said(line: Line) -> str:
    where = f"step {line.x[0]:,.0f}"
    if len(line.x) == 1:
        return f"{line.name} {short(line.y[0])} at {where}"
    return (
        f"{line.name} {short(line.y[0])} at {where}, {short(line.y[-1])} at step {line.x[-1]:,.0f}"
    )


def _svg(text: str, inside: str, height: int = HEIGHT) -> str:
    """A drawing that says what it shows."""
    label = html.escape(text, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{inside}</svg>'


def short(value: float) -> str:
    """A number in few letters: 40k, 0.125, 3e-5."""
    size = abs(value)
    if size >= 10_000:
        return f"{value / 1000:.4g}k" if size < 1e6 else f"{value / 1e6:.4g}M"
    if size and size < 1e-3:
        return f"{value:.2g}".replace("e-0", "e-")
    return f"{value:.4g}"
