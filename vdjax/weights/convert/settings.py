"""What a PyTorch model's config.json says, held against what our networks can be.

A configuration enters as plain values; the fields that size a network leave. A field that nobody
knows, or a value that would make another network than ours, is refused: weights that load and mean
something else are worse than none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from vdjax.errors import WeightsError


def read_settings(
    data: Mapping[str, Any],
    *,
    kinds: Collection[str],
    sizes: Mapping[str, Any],
    fixed: Mapping[str, Any],
    ignored: Collection[str] = (),
) -> dict[str, Any]:
    """The fields named in `sizes`, which holds what is meant where the file is silent.

    `fixed` fields must have that value, or be one of those in a tuple; `ignored` ones may have any.
    Fields that begin with "_" say who wrote the file; of them only the class's name is read, which
    must be one of `kinds`.

    Raises:
        WeightsError: the class is another, a field is unknown, or a fixed field has another value.
    """
    kind = kind_of(data)
    if kind not in kinds:
        raise WeightsError(f"config.json is of {kind or 'no class'}: expected {' or '.join(kinds)}")
    fields = {name for name in data if not name.startswith("_")}
    if unknown := sorted(fields - {*sizes, *fixed, *ignored}):
        shown = ", ".join(f"{name} = {data[name]!r}" for name in unknown)
        raise WeightsError(f"{kind}: unknown configuration field {shown}")
    for name, allowed in fixed.items():
        value = _plain(data.get(name, allowed))
        options = allowed if isinstance(allowed, tuple) else (allowed,)
        if name in data and value not in [_plain(option) for option in options]:
            meant = " or ".join(map(repr, options))
            raise WeightsError(f"{kind}: {name} is {value!r}; vdjax's network has {meant}")
    return {name: data.get(name, default) for name, default in sizes.items()}


def kind_of(data: Mapping[str, Any]) -> str:
    """The class that a configuration is of, as diffusers or as transformers writes it; or ""."""
    return data.get("_class_name") or next(iter(data.get("architectures") or ()), "")


def _plain(value: Any) -> Any:
    """Lists and tuples alike."""
    return list(value) if isinstance(value, tuple) else value
