"""Values of mappings whose keys a model may write in its own way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_SIGNS = re.compile(r"[^a-z0-9]")


def plain_key(key: Any) -> str:
    """A key without capitals, blanks and signs: "Scene_Description" as "scenedescription"."""
    return _SIGNS.sub("", str(key)[:60].lower())


def get(data: Any, keys: Sequence[str]) -> Any:
    """What stands under the first of these plain keys in a mapping; None if nothing does."""
    if not isinstance(data, Mapping):
        return None
    plain = {plain_key(key): item for key, item in data.items()}
    return next((plain[key] for key in keys if plain.get(key) is not None), None)
