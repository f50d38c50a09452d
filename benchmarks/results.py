"""RESULTS.md: one section per machine and sizes; a new run takes the place of the last such one."""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")

INTRODUCTION = """# Benchmarks

Made by `make bench`: vdjax beside diffusers' PyTorch, on the same weights and inputs, by turns in
one run with as many threads each. A ratio is the median, over rounds, of vdjax's time over the
other's in the same round: below 1, vdjax is faster. Operations are those of matrix products and
convolutions in vdjax's network, for all sides; the limit is the rate of a large matrix product,
measured in the same run with both libraries, the better of the two. The difference is the greatest
one from PyTorch's numbers over their greatest value. Weights are random: no time depends on them.
"""


def put_section(text: str, heading: str, body: str) -> str:
    """The file's text with the section in it: in the place of one with that heading, else last."""
    section = f"## {heading}\n\n{body.strip()}\n"
    start, *parts = ("\n" + text).split("\n## ")
    sections = [f"## {part.strip()}\n" for part in parts]
    for i, old in enumerate(sections):
        if old.splitlines()[0] == f"## {heading}":
            sections[i] = section
            break
    else:
        sections.append(section)
    return "\n".join([start.strip() + "\n" if start.strip() else INTRODUCTION, *sections])


def save(heading: str, body: str, path: Path = RESULTS) -> None:
    """Write the section; the file is whole or as it was."""
    old = path.read_text() if path.exists() else ""
    fresh = path.with_suffix(".new")
    fresh.write_text(put_section(old, heading, body))
    fresh.replace(path)
