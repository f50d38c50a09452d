"""The result of an evaluation as a table for a terminal. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]

_ARMS = (("gates", "gates on"), ("no gates", "gates off"), ("real", "real composites"))
_IDENTITY = (
    ("gates", "text + image"),
    ("text only", "text only"),
    ("no gates", "gates off"),
    ("real", "real"),
)
_MAIN = (
    "object",
    "count",
    "spatial",
    "scale",
    "movement",
)
_PARTS = {
    "scale": ("scale: bigger", "scale: smaller", "scale: same"),
    "movement": ("movement: found", "movement: sign where found"),
}


def format_table(result: Result) -> str:
    """The figures of a result of `vdjax.evaluate.layout.run`, in lines of at most 90 characters."""
    parts = [_layout(result), _identity(result)]
    if result["detector"]["accuracy"]:
        parts.insert(0, _detector(result))
    return "\n\n".join("\n".join(part) for part in parts)


def _detector(result: Result) -> list[str]:
    accuracy = result["detector"]["accuracy"]
    clean = accuracy["clean"]
    rows = [["", "found", "look right", "IoU", "false per picture"]]
    for name, one in accuracy.items():
        rows.append(
            [
                name,
                _percent(one["found"]),
                _percent(one["look"]),
                _value(one["iou"]["value"]),
                f"{one['false_per_picture']:.2f}",
            ]
        )
    return [
        f"The detector itself, on {clean['pictures']} held-out real pictures "
        f"of {clean['things']} things",
        *_aligned(rows),
    ]


def _layout(result: Result) -> list[str]:
    columns = _there(result, _ARMS)
    arms = [result["arms"][arm] for arm, _ in columns]
    rows = [["", *(title for _, title in columns)]]
    for name in _MAIN:
        rows.append([name, *(_percent(arm[name]) for arm in arms)])
        middle = f"{name} (middle frame)"
        if all(middle in arm for arm in arms):
            rows.append(["  middle frame", *(_percent(arm[middle]) for arm in arms)])
        for part in _PARTS.get(name, ()):
            rows.append(["  " + part.split(": ")[1], *(_percent(arm[part]) for arm in arms)])
    rows.append(["boxes filled, IoU ≥ 0.5", *(_percent(arm["boxes filled"]) for arm in arms)])
    rows.append(["mean IoU", *(_interval(arm["iou"]) for arm in arms)])
    return [
        f"Layout, on {result['plans']} held-out plans of {result['scenes']} scenes, seed "
        f"{result['seed']}; in brackets the 95 % interval",
        *_aligned(rows),
    ]


def _identity(result: Result) -> list[str]:
    columns = _there(result, _IDENTITY)
    arms = [result["arms"][arm] for arm, _ in columns]
    rows = [["", *(title for _, title in columns)]]
    for name, label in (
        ("identity", "same look in every scene"),
        ("identity: found", "  found in every scene"),
        ("identity where found", "  same look where found"),
    ):
        rows.append([label, *(_percent(arm[name]) for arm in arms)])
    for name, label in (
        ("identity: chance, looks equally likely", "chance, looks equally likely"),
        ("identity: chance, looks as often as seen", "chance, looks as often as seen"),
    ):
        rows.append([label, *(_chance(arm[name]) for arm in arms)])
    count = arms[0]["identity"]["plans"]
    return [f"Identity over scenes, on {count} films of two or three scenes", *_aligned(rows)]


def _there(result: Result, arms: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arms, with their titles, that were measured."""
    return [(arm, title) for arm, title in arms if arm in result["arms"]]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]


def _percent(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    value, low, high = (round(100 * figure[key]) for key in ("value", "low", "high"))
    return f"{value} % [{low}, {high}]"


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _chance(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
