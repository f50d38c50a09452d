"""What does not fit is said before it is read, with what would."""

from __future__ import annotations

from pathlib import Path

import pytest

from vdjax.errors import UserError
from vdjax.runtime import total_memory_bytes
from vdjax.systems.memory import check_memory
from vdjax.weights.parts import Part

DTYPES = {4: "F32", 2: "BF16"}


def part(bytes_each, share):
    """A part whose weights take a share of this machine's memory."""
    numbers = int(total_memory_bytes() * share) // bytes_each
    dtypes = {"kernel": DTYPES[bytes_each]}
    return Part(Path("unet.safetensors"), None, {"kernel": (numbers,)}, dtypes, mapped=True)


def test_what_fits_is_let_through(tmp_path):
    check_memory(tmp_path, [part(4, 0.4), part(2, 0.5)])


def test_float32_is_told_of_bfloat16(tmp_path):
    with pytest.raises(UserError) as caught:
        check_memory(tmp_path, [part(4, 1.2), part(2, 0.2)])
    whole, half = (total_memory_bytes() * share / 1e9 for share in (1.4, 0.8))
    assert f"take {whole:.1f} GB of memory" in str(caught.value)
    assert f"`--dtype bfloat16`, which takes {half:.1f} GB" in str(caught.value)


def test_what_is_small_already_is_told_of_the_small_preset(tmp_path):
    with pytest.raises(UserError, match="the preset 'storybook', whose films need 2 GB") as caught:
        check_memory(tmp_path, [part(2, 1.1)])
    assert "bfloat16" not in str(caught.value)
