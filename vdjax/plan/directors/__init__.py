"""Directors: whoever turns a prompt into a `VideoPlan`.

`rules` needs nothing: no network, no model, the same plan for the same prompt and seed. Others
can join behind the same Protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from vdjax.plan.problems import PlanError, nearest, show
from vdjax.plan.schema import VideoPlan


@runtime_checkable
class Director(Protocol):
    """Plans films."""

    def plan(self, prompt: str | Sequence[str], seed: int = 0) -> VideoPlan:
        """The plan for a prompt: one text, or one sentence for each scene.

        Raises `PlanError` when the prompt cannot be planned.
        """
        ...


def _rules() -> Director:
    from vdjax.plan.directors.rules import RulesDirector

    return RulesDirector()


DIRECTORS: dict[str, Callable[[], Director]] = {"rules": _rules}


def get_director(director: str | Director) -> Director:
    """A director by name, or the one given. Raises `PlanError` for an unknown name."""
    if isinstance(director, str):
        if director not in DIRECTORS:
            raise PlanError(
                f"director {director!r} is not known{nearest(director, DIRECTORS)};"
                f" choose one of {', '.join(DIRECTORS)}"
            )
        return DIRECTORS[director]()
    if not isinstance(director, Director):
        raise PlanError(
            f"director {show(director)} has no plan(prompt, seed); give a name or a director"
        )
    return director
