"""`vdjax plan`: a sentence to a plan, by whichever director; and plans checked and compared.

    vdjax plan "A cat drives to the beach, then meets a dog" -o plan.json --storyboard plan.png
    vdjax plan "…" --director chat --base-url http://127.0.0.1:8080/v1 --model qwen
    vdjax plan --check plan.json
    vdjax plan --diff before.json after.json

What plans is imported when it is needed, so that the rules director answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdjax.commands.types import a_count, a_number, a_path, a_whole
from vdjax.errors import UserError

if TYPE_CHECKING:
    from vdjax.plan.answers import SceneIdea
    from vdjax.plan.schema import VideoPlan

DIRECTORS = ("rules", "chat", "local", "replay")
_LANGUAGE = DIRECTORS[1:]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options, but for the seed."""
    add_prompt_options(parser, count="*")
    parser.add_argument("-o", "--output", type=a_path, metavar="FILE", help="the plan; else stdout")
    parser.add_argument(
        "--storyboard", type=a_path, metavar="PNG", help="the plan as a picture, with its boxes"
    )
    parser.add_argument(
        "--check",
        type=a_path,
        metavar="PLAN",
        help="say what is odd about a plan, and plan nothing",
    )
    parser.add_argument(
        "--diff", nargs=2, type=a_path, metavar="PLAN", help="say how a second plan differs"
    )


def add_prompt_options(parser: argparse.ArgumentParser, count: str = "+") -> None:
    """What is to be filmed, and who plans it."""
    parser.add_argument(
        "prompt", nargs=count, help='a sentence in quotes, or several: "one per scene" "..."'
    )
    add_director_options(parser)


def add_director_options(parser: argparse.ArgumentParser) -> None:
    """Who plans."""
    who = parser.add_argument_group("who plans")
    who.add_argument(
        "--director",
        default="rules",
        help="rules (needs nothing), chat (a server), local (a GGUF model here), replay (a record)",
    )
    who.add_argument("--model", help="the model's name on the server, or a GGUF file or hub id")
    who.add_argument(
        "--base-url",
        metavar="URL",
        help="the server, such as http://127.0.0.1:8080/v1; its key is read from OPENAI_API_KEY",
    )
    who.add_argument("--form", help="how layouts are asked for: json, brackets or words")
    who.add_argument("--threads", type=a_count, help="of a local model; one less than processors")
    who.add_argument("--rounds", type=a_whole, help="times an answer may be sent back (2)")
    who.add_argument("--max-tokens", type=a_count, help="of all questions and answers (100000)")
    who.add_argument("--seconds", type=a_number, help="until rules finish the plan (600)")
    who.add_argument(
        "--ask",
        action="append",
        default=[],
        metavar="PART",
        help="also ask for alpha, cameras, descriptions or frame_prompts; once per part",
    )
    who.add_argument(
        "--any-name",
        action="store_true",
        help="leave names as the model says them, for video models that draw anything",
    )
    who.add_argument("--record", type=a_path, metavar="FILE", help="keep every exchange in a file")
    who.add_argument("--replay", type=a_path, metavar="FILE", help="a record to answer from")


def add_evaluate_options(parser: argparse.ArgumentParser) -> None:
    """The options of `vdjax evaluate plans`, but for the seed."""
    add_director_options(parser)
    parser.add_argument("--prompts", type=a_count, default=100, help="of each task (100)")
    parser.add_argument(
        "--forms",
        choices=("open", "held back"),
        default="open",
        help="sentences as rules was mended on, or forms it has never seen (open)",
    )
    parser.add_argument("-o", "--output", type=a_path, metavar="FILE", help="the figures as JSON")


def run(options: argparse.Namespace) -> int:
    """Plan, check or compare; 0, or 1 where a checked plan has findings or two plans differ."""
    from vdjax.plan import VideoPlan

    if options.check is not None:
        return _check(VideoPlan.load(options.check), options.check, options.any_name)
    if options.diff is not None:
        return _diff(*(VideoPlan.load(path) for path in options.diff))
    if not options.prompt:
        raise UserError('what is to be planned? vdjax plan "A cat walks to the beach"')
    made, report = make_plan(options, options.seed)
    if options.storyboard is not None:
        _sketch(made, options.storyboard)
    if options.output is None:
        print(made.to_json(), end="")
        report_warnings(made)
        return 0
    kept = _save(made, options.output)
    print(made.summary())
    report_warnings(made)
    if report:
        print(_cost(report))
    if kept:
        print(f"kept the former {options.output} as {kept}")
    print(f"wrote {options.output}; next: vdjax render {options.output}")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Measure directors on seeded prompts, without a video model."""
    import json

    from vdjax.evaluate.planning.measure import format_table
    from vdjax.evaluate.planning.measure import run as measure
    from vdjax.evaluate.stories import format_stories, run_stories
    from vdjax.files import replace_file
    from vdjax.plan.directors import get_director

    given = director_options(options)
    given.pop("on_scenes", None)
    director = get_director(options.director, **given)
    result = measure(
        director,
        name=options.director,
        prompts=options.prompts,
        seed=options.seed,
        forms=options.forms,
    )
    print(format_table([result]))
    if options.director == "rules":
        print(f"\n{format_stories(run_stories(director))}")
    if options.output is not None:
        told = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
        replace_file(options.output, told.encode())
        print(f"\nwrote {options.output}")
    return 0


def make_plan(options: argparse.Namespace, seed: int) -> tuple[VideoPlan, dict[str, Any]]:
    """The plan that the options ask for, and what a language model's work on it cost."""
    from vdjax.plan import plan
    from vdjax.plan.directors import get_director

    director = get_director(options.director, **director_options(options))
    made = plan(_prompt(options.prompt), director=director, seed=seed)
    return made, dict(getattr(director, "last_report", {}))


def report_warnings(made: VideoPlan) -> None:
    """What will be missing or other than asked for, on stderr."""
    for warning in made.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def director_options(options: argparse.Namespace) -> dict[str, Any]:
    """What was given for this director; an option that is another's is refused there."""
    given = {
        name: value
        for name in ("model", "base_url", "threads", "record", "replay", "form")
        if (value := getattr(options, name)) is not None
    }
    if options.director not in _LANGUAGE:
        return given
    from vdjax.plan.directors.language import Budget

    limits = {"rounds": options.rounds, "tokens": options.max_tokens, "seconds": options.seconds}
    limits = {name: value for name, value in limits.items() if value is not None}
    asked = set(options.ask)
    extras = tuple(part for part in dict.fromkeys(options.ask) if part != "alpha")
    if options.any_name:
        given["vocabulary"] = None
    return {
        **given,
        "budget": Budget(**limits),
        "ask_alpha": "alpha" in asked,
        "extras": extras,
        "on_scenes": _Live(),
    }


class _Live:
    """Shows scenes as they arrive: each once, when the next begins or the story is complete."""

    def __init__(self) -> None:
        self.shown = 0

    def __call__(self, scenes: Sequence[SceneIdea], complete: bool) -> None:
        ready = len(scenes) if complete else len(scenes) - 1
        for number in range(self.shown, ready):
            scene = scenes[number]
            things = ", ".join(scene.entities)
            print(
                f"scene {number + 1}: {scene.description} ({things}; {scene.background})",
                file=sys.stderr,
                flush=True,
            )
        self.shown = max(self.shown, ready)


def _cost(report: dict[str, Any]) -> str:
    tokens = f"{report['prompt_tokens']:,} + {report['completion_tokens']:,} tokens"
    calls, rounds = report["calls"], report["rounds"]
    mended = f", {rounds} of them sent back" if rounds else ""
    return (
        f"{report['director']}: {calls} answers{mended}, {tokens}, {report['seconds']:.0f} s; "
        f"{report['model_scenes']} scenes by the model, {report['fallback_scenes']} by rules"
    )


def _check(made: VideoPlan, path: Path, any_name: bool) -> int:
    from vdjax.plan.check import check
    from vdjax.plan.vocabulary import Vocabulary

    findings = check(made, None if any_name else Vocabulary.storybook())
    for finding in findings:
        print(finding)
    count = len(findings)
    print(f"{path}: valid, {count or 'no'} finding{'s' * (count != 1)}")
    return 1 if findings else 0


def _diff(before: VideoPlan, after: VideoPlan) -> int:
    from vdjax.plan.compare import compare

    differences = compare(before, after)
    print("\n".join(differences) if differences else "no difference")
    return 1 if differences else 0


def _sketch(made: VideoPlan, path: Path) -> None:
    import io

    from vdjax.evaluate.sketch import sketch
    from vdjax.files import replace_file

    held = io.BytesIO()
    sketch(made).save(held, "PNG")
    replace_file(path, held.getvalue())


def _save(made: VideoPlan, path: Path) -> Path | None:
    """Write the plan; another one that was there is kept under a new name, which is returned."""
    kept = None
    if path.is_file() and path.read_bytes() != made.to_json().encode():
        kept = path.with_name(path.name + "~")
        try:
            path.replace(kept)
        except OSError as error:
            from vdjax.files import output_error

            raise output_error(error, kept) from error
    made.save(path)
    return kept


def _prompt(given: list[str]) -> str | list[str]:
    """One sentence as it is, several as one per scene."""
    if len(given) == 1:
        return given[0]
    if not any(len(text.split()) > 1 for text in given):
        raise UserError(
            f'got {len(given)} single words; put the sentence in quotes: "{" ".join(given)}"'
        )
    return given
