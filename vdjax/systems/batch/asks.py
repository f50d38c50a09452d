"""A list of prompts: a file of JSON lines enters, what is to be filmed under which name leaves.

    {"prompt": "A cat walks on the beach", "id": "cat", "seed": 3, "alpha": 0.5}
    {"prompt": ["A dog sleeps in the kitchen", "The dog runs in the park"]}
    "A rocket rises"

The whole file is checked before anything is made of it, and a fault is told with its line.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from vdjax.errors import UserError
from vdjax.files import folder_name
from vdjax.systems.videodirectorgpt import check_options

OPTIONS: dict[str, tuple[type, ...]] = {
    "seed": (int,),
    "steps": (int,),
    "guidance": (int, float),
    "alpha": (int, float),
    "scheduler": (str,),
    "frames": (int,),
}
"""What a line may set of its film's options, and the types it may have."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RESERVED = {"manifest.json"}
_EXAMPLE = '{"prompt": "A cat walks on the beach", "id": "cat"}'


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One film of a batch: `id` is its folder's name, `request` everything that decides its frames
    (`prompt`, `preset`, `director` and options of `film`), `line` where it was asked for."""

    id: str
    request: Mapping[str, Any]
    line: int

    @property
    def options(self) -> dict[str, Any]:
        """Of `film`, as far as they are given."""
        return {name: self.request[name] for name in OPTIONS if name in self.request}


def read_asks(path: str | Path, common: Mapping[str, Any] | None = None) -> list[Ask]:
    """The films that a file asks for, in its order.

    Args:
        path: a file of JSON lines: each an object with "prompt", and maybe "id" and `OPTIONS`, or
            a prompt alone. Empty lines are skipped. A line without an id is named after its words
            and a checksum of what it says, so that moving it changes nothing.
        common: part of every request; a line's own options go before it.

    Raises:
        UserError: the file cannot be read, asks for nothing, or a line of it is not what it must
            be: no JSON, an empty prompt, an unknown key, a bad option, an id that is no plain file
            name or is used twice.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8 (byte {error.start})") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot read {path}: {reason}") from error
    asks: list[Ask] = []
    taken: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            ask = _read(line, number, common or {})
            # Some file systems hold Cat and cat to be one name.
            if (former := taken.setdefault(ask.id.casefold(), number)) != number:
                raise UserError(f"id {ask.id!r} is that of line {former} too; give each its own")
        except UserError as error:
            raise UserError(f"{path}, line {number}: {error}") from error
        asks.append(ask)
    if not asks:
        raise UserError(f"{path} asks for nothing: write one prompt a line, such as {_EXAMPLE}")
    return asks


def _read(line: str, number: int, common: Mapping[str, Any]) -> Ask:
    try:
        told = json.loads(line, object_pairs_hook=_object, parse_constant=_no_number)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"it is not JSON ({error}); write {_EXAMPLE}") from error
    if isinstance(told, str | list):
        told = {"prompt": told}
    if not isinstance(told, dict):
        raise UserError(f"{told!r} is neither an object nor a prompt; write {_EXAMPLE}")
    name = told.pop("id", None)
    if strangers := sorted(set(told) - {"prompt", *OPTIONS}):
        raise UserError(
            f"{strangers[0]!r} is unknown: a line has prompt, id, {', '.join(OPTIONS)}; what holds "
            "for all lines is an option of the command"
        )
    _check_prompt(told.get("prompt"))
    options = {key: value for key, value in told.items() if value is not None and key in OPTIONS}
    for key, value in options.items():
        if isinstance(value, bool) or not isinstance(value, OPTIONS[key]):
            raise UserError(f"{key} is {value!r}: it must be {_said(OPTIONS[key])}")
    request = {**common, **options, "prompt": told["prompt"]}
    check_options(**{key: request[key] for key in OPTIONS if key in request})
    return Ask(id=_named(told, name), request=request, line=number)


def _check_prompt(prompt: Any) -> None:
    texts = prompt if isinstance(prompt, list) else [prompt]
    if prompt is None or not texts:
        raise UserError(f"there is no prompt; write {_EXAMPLE}")
    for text in texts:
        if not isinstance(text, str):
            raise UserError(f"prompt is {text!r}: it must be a text, or a list of one per scene")
        if not text.strip():
            raise UserError("the prompt is empty; say what is to be filmed")


def _named(told: Mapping[str, Any], name: Any) -> str:
    """The id that was given, or one made of what the line says."""
    if name is None:
        words = told["prompt"] if isinstance(told["prompt"], str) else told["prompt"][0]
        said = json.dumps(told, sort_keys=True).encode()
        return f"{folder_name(words, 40)}-{hashlib.sha256(said).hexdigest()[:8]}"
    if not isinstance(name, str) or not _ID.fullmatch(name) or name in _RESERVED:
        raise UserError(
            f"id {name!r} cannot name a folder: it must be 1 to 100 letters, digits, dots, dashes "
            "and underscores, a letter or digit first, and not manifest.json"
        )
    return name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{twice!r} is said twice")
    return told


def _no_number(text: str) -> NoReturn:
    raise UserError(f"{text} is no number that can be used")


def _said(types: tuple[type, ...]) -> str:
    return {int: "a whole number", str: "a text"}.get(types[-1], "a number")
