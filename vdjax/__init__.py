"""vdjax: from one sentence to a film of several scenes, in JAX and Flax.

    import vdjax
    film = vdjax.film("A cat drives a red car to the beach, then meets a dog")
    film.save("films/cat")

The names below are loaded when they are first used, so `import vdjax` imports neither JAX nor
anything else that is slow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["UserError", "VideoPlan", "film", "load", "plan"]

if TYPE_CHECKING:
    from vdjax import plan
    from vdjax.errors import UserError
    from vdjax.plan import VideoPlan
    from vdjax.systems.loaded import load
    from vdjax.systems.videodirectorgpt import film

_HOME = {
    "UserError": "vdjax.errors",
    "VideoPlan": "vdjax.plan",
    "film": "vdjax.systems.videodirectorgpt",
    "load": "vdjax.systems.loaded",
}


def __getattr__(name: str) -> Any:
    """Import a public name, or a sub-package, the first time it is asked for."""
    if name == "plan":  # the sub-package; `vdjax.plan.plan` is the function
        return importlib.import_module("vdjax.plan")
    if name not in _HOME:
        raise AttributeError(f"module 'vdjax' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
