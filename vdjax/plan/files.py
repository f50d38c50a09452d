"""Plans as text: JSON that people can read and edit, and errors that say where it is broken.

One keyframe stands on one line, so that an edited box makes a one-line difference. Reading is
strict: a key given twice, which JSON libraries swallow, is an error here, because one of the two
boxes would silently vanish.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdjax.plan.problems import PlanError, place, show

if TYPE_CHECKING:
    from vdjax.plan.schema import VideoPlan

MAX_BYTES = 32 * 2**20
"""Longest plan that is read; the longest valid one is below it, whatever its letters."""


class _Twice(dict[str, Any]):
    """What an object with a repeated key is read as, until the check that reports it."""

    key = ""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) == len(pairs):
        return mapping
    seen: set[str] = set()
    repeated = _Twice(mapping)
    repeated.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return repeated


def _refuse_repeats(data: Any, where: tuple[int | str, ...], prefix: str) -> None:
    if isinstance(data, _Twice):
        spot = place(where)
        raise PlanError(
            f"{prefix}{spot + ': ' if spot else ''}{data.key!r} is given twice; keep one of them"
        )
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, item in items:
        _refuse_repeats(item, (*where, key), prefix)


def read_text(text: str | bytes, source: str = "") -> Any:
    """Plain data from a JSON text. Raises `PlanError` naming line and column."""
    prefix = f"{source}: " if source else ""
    if len(text) > MAX_BYTES:
        raise PlanError(
            f"{prefix}the plan is {len(text)} long; at most {MAX_BYTES} characters are read"
        )
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PlanError(
                f"{prefix}byte {error.start} is not UTF-8; save the plan as UTF-8 text"
            ) from None
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise PlanError(f'{prefix}the plan is empty; write one with `vdjax plan "…" -o plan.json`')
    try:
        data = json.loads(text, object_pairs_hook=_pairs)
        _refuse_repeats(data, (), prefix)
    except json.JSONDecodeError as error:
        cut = "; the text ends too early" if error.pos >= len(text.rstrip()) else ""
        raise PlanError(
            f"{prefix}not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}{cut}"
        ) from None
    except RecursionError:
        raise PlanError(f"{prefix}brackets are nested too deeply to be a plan") from None
    except PlanError:
        raise
    except ValueError:  # the one other thing json refuses
        raise PlanError(
            f"{prefix}it holds a whole number with thousands of digits; shorten it"
        ) from None
    return data


def read_file(path: str | Path) -> bytes:
    """The bytes of a plan file. Raises `PlanError`."""
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise PlanError(
            f'there is no plan at {path}; write one with `vdjax plan "…" -o {path}`'
        ) from None
    except IsADirectoryError:
        raise PlanError(
            f"{path} is a folder; give the plan file inside it, such as plan.json"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PlanError(f"cannot read the plan {show(str(path))}: {reason}") from None


def write_text(plan: VideoPlan) -> str:
    """The plan as JSON."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def block(items: list[str], indent: str) -> str:
        return (
            "[\n" + ",\n".join(indent + " " + item for item in items) + f"\n{indent}]"
            if items
            else "[]"
        )

    scenes = []
    for scene in plan.scenes:
        fields = [
            f'"description": {line(scene.description)}',
            f'"background": {line(scene.background)}',
            f'"entities": {line(scene.entities)}',
            f'"keyframes": {block([line(dict(k)) for k in scene.keyframes], "   ")}',
            f'"notes": {block([line(note) for note in scene.notes], "   ")}',
        ]
        if scene.camera is not None:
            fields.append(f'"camera": {line(scene.camera.model_dump())}')
        if scene.captions is not None:
            fields.append(f'"captions": {block([line(text) for text in scene.captions], "   ")}')
        if scene.reasoning is not None:
            fields.append(f'"reasoning": {line(scene.reasoning)}')
        if scene.frame_prompts is not None:
            prompts = block([line(text) for text in scene.frame_prompts], "   ")
            fields.append(f'"frame_prompts": {prompts}')
        scenes.append("{\n   " + ",\n   ".join(fields) + "\n  }")
    fields = [
        f'"version": {plan.version}',
        f'"prompt": {line(plan.prompt)}',
        f'"scenes": {block(scenes, " ")}',
        f'"groups": {line(dict(plan.groups))}',
        f'"alpha": {line(plan.alpha)}',
    ]
    if plan.seed is not None:
        fields.append(f'"seed": {plan.seed}')
    if plan.director is not None:
        fields.append(f'"director": {line(plan.director)}')
    if plan.entity_descriptions is not None:
        fields.append(f'"entity_descriptions": {line(dict(plan.entity_descriptions))}')
    return "{\n " + ",\n ".join(fields) + "\n}\n"


def write_file(path: str | Path, text: str) -> Path:
    """Write a file so that it appears whole or not at all. Raises `PlanError`."""
    target = Path(path)
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as file:
            temporary = file.name
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(
            0o666 & ~umask
        )  # temporary files are private; a plan is an ordinary file
        Path(temporary).replace(target)
    except (OSError, ValueError) as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PlanError(
            f"cannot write the plan to {show(str(target))}: {reason}; choose another place with -o"
        ) from None
    return target
