"""Directors: whoever turns a prompt into a `VideoPlan`.

`rules` needs nothing: no network, no model, the same plan for the same prompt and seed. `chat` asks
a language model on any server that speaks OpenAI's chat completions, `local` one in this process,
`replay` answers from a record of either. Others can join behind the same Protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vdjax.plan.problems import PlanError, nearest, show
from vdjax.plan.schema import VideoPlan

if TYPE_CHECKING:
    from vdjax.plan.directors.model import LanguageModel


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


def _chat(
    *,
    model: str | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    record: str | Path | None = None,
    **options: Any,
) -> Director:
    from vdjax.plan.directors.chat import ChatModel

    return _asking(ChatModel(model, base_url=base_url, api_key=api_key), record, **options)


def _local(
    *,
    model: str | None = None,
    threads: int | None = None,
    record: str | Path | None = None,
    **options: Any,
) -> Director:
    from vdjax.plan.directors.local import LocalModel

    # Models that fit a laptop are small, and small ones place things better in words.
    options = {"form": "words", **options}
    return _asking(LocalModel(model, threads=threads), record, **options)


def _replay(*, replay: str | Path | None = None, **options: Any) -> Director:
    from vdjax.plan.directors.language import LanguageDirector
    from vdjax.plan.directors.replay import Replayed

    if replay is None:
        raise PlanError("replay from which record? Name it with --replay FILE")
    return LanguageDirector(Replayed(replay), **_of_storybook(options))


def _asking(model: LanguageModel, record: str | Path | None, **options: Any) -> Director:
    from vdjax.plan.directors.language import LanguageDirector
    from vdjax.plan.directors.replay import Recorded

    heard = model if record is None else Recorded(model, record)
    return LanguageDirector(heard, **_of_storybook(options))


def _of_storybook(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with the storybook's words as what can be drawn unless they say otherwise."""
    from vdjax.plan.vocabulary import Vocabulary

    return {"vocabulary": Vocabulary.storybook(), **options}


DIRECTORS: dict[str, Callable[..., Director]] = {
    "rules": _rules,
    "chat": _chat,
    "local": _local,
    "replay": _replay,
}


def get_director(director: str | Director, **options: Any) -> Director:
    """A director by name with its options, or the one given.

    Options of "chat": model, base_url, api_key (`ChatModel`); of "local": model, threads
    (`LocalModel`); of both: record, a file that keeps each exchange; of "replay": replay, such a
    file; of all three those of `LanguageDirector`, whose vocabulary is the storybook's unless said.

    Raises:
        PlanError: the name or an option is unknown.
        ModelError: a language model cannot be asked: no key, no such file.
    """
    if not isinstance(director, str):
        if not isinstance(director, Director):
            raise PlanError(
                f"director {show(director)} has no plan(prompt, seed); give a name or a director"
            )
        return director
    if director not in DIRECTORS:
        raise PlanError(
            f"director {director!r} is not known{nearest(director, DIRECTORS)};"
            f" choose one of {', '.join(DIRECTORS)}"
        )
    try:
        return DIRECTORS[director](**options)
    except TypeError as error:
        option = str(error).rpartition("argument ")[2].strip("'\"")
        if option in options:
            raise PlanError(f"director {director!r} takes no option {option!r}") from None
        raise
