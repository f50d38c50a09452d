"""Whether a system's weights fit into memory: said before the first of them is read."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from vdjax.errors import UserError
from vdjax.runtime import total_memory_bytes
from vdjax.weights.parts import Part

GB = 1e9
SMALL = 2
"""GB that hold all of a storybook film's making; its process was seen to take 1.5 at most."""


def check_memory(folder: Path, parts: Collection[Part]) -> None:
    """Compare what the parts take once they are loaded with what the machine has.

    Raises:
        UserError: they take more. The sentence says how much, what there is, and what would do.
    """
    needed, there, of = sum(part.memory for part in parts), *_memory()
    if needed <= there:
        return
    half = sum(min(part.memory, 2 * part.parameters) for part in parts)
    way_out = f"take a machine with more, or the preset 'storybook', whose films need {SMALL} GB"
    if half < needed:
        way_out = (
            f"convert them again with `--dtype bfloat16`, which takes {half / GB:.1f} GB, or "
            + way_out
        )
    raise UserError(
        f"the weights in {folder} take {needed / GB:.1f} GB of memory and this machine's {of} has "
        f"{there / GB:.1f} GB: {way_out}"
    )


def _memory() -> tuple[int, str]:
    """What holds the weights: the accelerator's memory in bytes, or the machine's."""
    import jax

    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return total_memory_bytes(), "processor"
    limit = (device.memory_stats() or {}).get("bytes_limit")
    return (limit, "accelerator") if limit else (total_memory_bytes(), "processor")
