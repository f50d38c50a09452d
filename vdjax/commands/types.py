"""Types of arguments: text in, a value out, or one sentence on what is allowed."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_SEED = 2**32 - 1


def _number(text: str, kind: Callable[[str], Any], allowed: Callable[[Any], bool], say: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not allowed(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {say}")
    return value


def a_seed(text: str) -> int:
    """A seed."""
    return _number(text, int, lambda n: 0 <= n <= MAX_SEED, f"a whole number from 0 to {MAX_SEED}")


def a_count(text: str) -> int:
    """A whole number above nothing."""
    return _number(text, int, lambda n: n >= 1, "a whole number from 1")


def a_whole(text: str) -> int:
    """A whole number, nothing included."""
    return _number(text, int, lambda n: n >= 0, "a whole number from 0")


def a_share(text: str) -> float:
    """A share, 0 to 1."""
    return _number(text, float, lambda x: 0 <= x <= 1, "a number from 0 to 1")


def a_number(text: str) -> float:
    """A number that is not negative."""
    return _number(text, float, lambda x: x >= 0 and math.isfinite(x), "a number from 0")


def a_path(text: str) -> Path:
    """A path, with ~ for the user's own folder."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a path")
    return Path(text).expanduser()
