"""Warming up: the film that follows finds its large programs compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from vdjax.errors import UserError
from vdjax.systems.warmup import warm_up

LARGE = ("_compiled_step", "decode", "prepare")


def large(cache: Path) -> set[str]:
    """The cache's entries for programs of the network and the decoder."""
    names = {entry.name for entry in cache.rglob("*-cache")}
    return {name for name in names if any(part in name for part in LARGE)}


def test_a_film_after_it_compiles_no_large_program(tmp_path, vdjax_command):
    home = {"XDG_CACHE_HOME": str(tmp_path), "JAX_COMPILATION_CACHE_DIR": ""}
    options = ("--preset", "toy", "--steps", "2", "--frames", "3")
    done = vdjax_command("warmup", *options, env=home)
    assert done.returncode == 0, done.stderr
    assert "step with gates" in done.stdout
    assert str(tmp_path) in done.stdout
    compiled = large(tmp_path)
    assert len(compiled) == 4
    film = "film", "A cat walks on the beach", "-o", str(tmp_path / "film"), "--alpha", "0.5"
    done = vdjax_command(*film, *options, env=home)
    assert done.returncode == 0, done.stderr
    assert large(tmp_path) == compiled


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"frames": 65}, "frames is 65"),
        ({"scheduler": "euler"}, "scheduler 'euler' is unknown"),
    ],
)
def test_what_no_film_takes_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        warm_up("toy", **options)
