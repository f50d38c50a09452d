"""Rows to Markdown: measured ones with their ratio to ours, others with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.timing import Times

NAMES = {
    "vdjax": "vdjax",
    "eager": "PyTorch, eager",
    "compile": "PyTorch, torch.compile",
}


@dataclass
class Table:
    """A title, what it says, a header and rows of text."""

    title: str
    about: str
    header: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        if len(cells) != len(self.header):
            raise ValueError(f"{len(cells)} cells for {len(self.header)} columns: {cells}")
        self.rows.append(list(cells))

    def not_measured(self, case: str, side: str, reason: str) -> None:
        """A row that says why it has no number."""
        self.add(case, side, f"not measured: {reason}", *[""] * (len(self.header) - 3))

    def __str__(self) -> str:
        cells = [list(self.header), *self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.header))]
        lines = [
            "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
            for row in cells
        ]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return "\n".join([f"### {self.title}", "", self.about, "", lines[0], rule, *lines[1:], ""])


TIMED = (
    "network",
    "side",
    "median",
    "fastest to slowest",
    "vdjax / side",
    "GFLOP/s",
    "of the limit",
    "difference",
)


def add_timed(
    table: Table,
    case: str,
    times: Mapping[str, Times],
    *,
    flops: float,
    limit: float,
    differences: Mapping[str, float],
    failures: Mapping[str, str],
) -> None:
    """The rows of one network; `limit` is the machine's matrix-product rate, `flops` of one run."""
    for side, took in times.items():
        rate = flops / took.median
        least, most = took.spread
        ours = side == "vdjax" or "vdjax" not in times
        table.add(
            case,
            NAMES[side],
            seconds(took.median),
            f"{seconds(least)} to {seconds(most)}",
            "" if ours else f"{times['vdjax'].ratio(took):.2f}",
            f"{rate / 1e9:.4g}",
            f"{rate / limit:.0%}",
            f"{differences[side]:.1e}" if side in differences else "",
        )
    for side, reason in failures.items():
        table.not_measured(case, NAMES[side], reason)


def seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.1 else f"{value * 1e3:.3g} ms"


def gibibytes(value: float) -> str:
    return f"{value / 2**30:.2f} GiB"
