"""Gates without a widget: bars, a map of what they add, and both in words.

Gates enter, and a record of what they added if there is one; a matplotlib figure, a sentence or
HTML leaves. `show_gates` is the plain function with what `GateInspector` shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vdjax.widgets.show import picture_html, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vdjax.inspect.gates import Gate, GateRecord

KINDS = {"attention": "attention gate", "dense": "feed-forward gate"}


def show_gates(gates: Sequence[Gate] | Mapping[str, Any], record: GateRecord | None = None) -> None:
    """Show gates in a notebook: tanh(gate) by layer, and what each added by layer and step.

    `gates` are what `read_gates` gives, or a UNet's parameters.
    """
    read = as_gates(gates)
    show(gates_figure(read, record), gates_words(read, record))


def gates_html(gates: Sequence[Gate] | Mapping[str, Any], record: GateRecord | None = None) -> str:
    """The HTML that `show_gates` shows."""
    read = as_gates(gates)
    return picture_html(gates_figure(read, record), gates_words(read, record))


def as_gates(gates: Sequence[Gate] | Mapping[str, Any]) -> list[Gate]:
    """Gates, read from parameters where these are given. Raises `UserError` if they have none."""
    if isinstance(gates, Mapping):
        from vdjax.inspect.gates import read_gates

        return read_gates(gates)
    return list(gates)


def gates_figure(gates: Sequence[Gate], record: GateRecord | None = None) -> Figure:
    """Bars of tanh(gate) per layer; below them, where there is a record, a map of layers and steps
    per kind of gate, on one logarithmic scale of colours."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    rows = 1 if record is None else 3
    tall = 3.0 if record is None else 3.0 + 2 * (1.1 + 0.22 * len(record.timesteps))
    figure = Figure(figsize=(7.5, tall), dpi=80, layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, 1)))
    places, layers = np.arange(len(gates)), [gate.layer for gate in gates]
    looks = (("attention", -0.2, "//", "#0072b2"), ("dense", 0.2, "", "#e69f00"))
    for kind, shift, hatch, colour in looks:
        heights = [getattr(gate, kind) for gate in gates]
        axes[0].bar(
            places + shift, heights, 0.38, label=KINDS[kind], hatch=hatch, color=colour, ec="white"
        )
    axes[0].axhline(0, color="black", linewidth=0.8)
    axes[0].set_xticks(places, layers, fontsize=8)
    axes[0].set(ylabel="tanh(gate), no unit", title="Gates by layer, in running order")
    axes[0].legend(fontsize=9)
    if record is not None:
        low, top = scale_of(record)
        for axis, kind in zip(axes[1:], KINDS, strict=True):
            shares = getattr(record, kind).T
            drawn = axis.imshow(
                np.maximum(shares, low), cmap="cividis", norm=LogNorm(low, top), aspect="auto"
            )
            for (step, layer), share in np.ndenumerate(shares):
                ink = "black" if share > (low * top) ** 0.5 else "white"
                axis.text(
                    layer, step, times(float(share)), ha="center", va="center", color=ink, size=8
                )
            axis.set_xticks(places, layers, fontsize=8)
            axis.set_yticks(range(len(record.timesteps)), [f"{t}" for t in record.timesteps])
            axis.set(ylabel="noise level of the step", title=f"What the {KINDS[kind]} adds")
        figure.colorbar(drawn, ax=axes[1:], shrink=0.8, label="times the features' norm")
    return figure


def gates_words(gates: Sequence[Gate], record: GateRecord | None = None) -> str:
    """The gates in words, for those who cannot see them."""
    each = "; ".join(
        f"{gate.layer}: attention {gate.attention:.2f}, feed-forward {gate.dense:.2f}"
        for gate in gates
    )
    told = [f"tanh(gate) of {len(gates)} guided layers, in running order: {each}"]
    if record is None:
        return told[0]
    for kind, name in KINDS.items():
        shares = getattr(record, kind)
        layer, step = np.unravel_index(shares.argmax(), shares.shape)
        told.append(
            f"the {name} adds most in {record.layers[int(layer)]} at step {step + 1} of "
            f"{len(record.timesteps)}: {times(float(shares.max()))} times the features' norm"
        )
    return "; ".join(told)


def times(ratio: float) -> str:
    """A ratio in two digits, as short as it can be read: "48", "1.5", "0.06"."""
    if ratio >= 9.95 or ratio == 0:
        return f"{ratio:.0f}"
    return f"{ratio:.1f}" if ratio >= 0.995 else f"{ratio:.2f}"


def scale_of(record: GateRecord) -> tuple[float, float]:
    """The least and the most that is told apart on the map's logarithmic scale: layers differ by
    factors of hundreds, and nothing below a thousandth of the most matters."""
    added = np.concatenate([record.attention.ravel(), record.dense.ravel()])
    top = float(added.max())
    if top <= 0:
        return 1e-3, 1.0
    low = float(added[added > 0].min())
    return max(min(low, top / 10), top / 1000), top
