"""`vdjax batch`: a list of prompts to a folder of films.

    vdjax batch prompts.jsonl -o films
    vdjax batch prompts.jsonl -o films --devices 4
    vdjax batch prompts.jsonl -o films --coordinator 127.0.0.1:9911 --processes 2 --process 0

Started again, it makes what is not there yet. 0 for done, 1 where a prompt gave no film.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from vdjax.commands.plan import add_director_options
from vdjax.commands.types import MAX_SEED, a_count, a_number, a_path, a_seed, a_share, a_whole
from vdjax.stopping import stop_between_steps

_COMMON = ("seed", "steps", "guidance", "alpha", "scheduler", "frames")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "prompts",
        type=a_path,
        metavar="PROMPTS.jsonl",
        help='a line each: {"prompt": "A cat walks", "id": "cat", "seed": 3} or only "A cat walks"',
    )
    parser.add_argument(
        "-o", "--output", type=a_path, metavar="DIR", required=True, help="gets a folder per film"
    )
    films = parser.add_argument_group("of all films, where a line says nothing else")
    films.add_argument("--seed", type=a_seed, help=f"0 to {MAX_SEED} (0)")
    films.add_argument("--steps", type=a_count, help="denoising steps; more is slower and finer")
    films.add_argument("--scheduler", help="how noise is taken away: dpm++, ddim or pndm (dpm++)")
    films.add_argument("--frames", type=a_count, help="frames per scene")
    films.add_argument("--guidance", type=a_number, help="how strictly the text is followed")
    films.add_argument(
        "--alpha", type=a_share, help="share of the steps that the boxes guide, 0 to 1"
    )
    parser.add_argument("--preset", default="storybook", help="which model and weights (storybook)")
    add_device_options(parser)
    group = parser.add_argument_group("several processes, which share the list")
    group.add_argument("--coordinator", metavar="HOST:PORT", help="of process 0, for all the same")
    group.add_argument("--processes", type=a_count, metavar="N", help="how many there are")
    group.add_argument("--process", type=a_whole, metavar="I", help="which this is, from 0")
    add_director_options(parser)


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """Over which devices the scenes go; `vdjax film` and `vdjax render` have them too."""
    parser.add_argument(
        "--devices", type=a_count, metavar="K", help="spread the scenes over so many devices (1)"
    )
    parser.add_argument(
        "--spread", choices=("mesh", "pmap"), default="mesh", help="by which means (mesh)"
    )


def run(options: argparse.Namespace) -> int:
    """Make the films; 0, 1 where a prompt gave none, 128 + its number where a signal ended it."""
    from vdjax.progress import Printed
    from vdjax.systems.batch.asks import read_asks
    from vdjax.systems.batch.processes import check_group, meet
    from vdjax.systems.batch.run import run_batch

    in_group = check_group(options.coordinator, options.processes, options.process)
    given = {name: getattr(options, name) for name in _COMMON}
    common = {
        "preset": str(options.preset),
        "director": options.director,
        **{name: value for name, value in given.items() if value is not None},
    }
    asks, director = read_asks(options.prompts, common), _director(options)
    if in_group:
        meet(options.coordinator, options.processes, options.process)
    with stop_between_steps(_warn) as asked:
        counts = run_batch(
            asks,
            options.output,
            preset=options.preset,
            director=director,
            devices=options.devices,
            spread=options.spread,
            process=options.process or 0,
            processes=options.processes or 1,
            stop=lambda: asked.signal is not None,
            report=_tell,
            progress=Printed(),
        )
    told = {
        "done": "done",
        "failed": "failed (started again, this command tries them again)",
        "started": "with another worker, or left by one that ended",
        "open": "not begun",
    }
    _tell(", ".join(f"{count} {told[state]}" for state, count in counts.items() if count))
    _tell(f"  {options.output / 'manifest.json'}")
    if asked.signal is not None:
        return 128 + asked.signal
    return 1 if counts["failed"] else 0


def _director(options: argparse.Namespace) -> Any:
    from vdjax.commands.plan import director_options
    from vdjax.plan.directors import get_director

    return get_director(options.director, **director_options(options))


def _tell(line: str) -> None:
    print(line, flush=True)


def _warn(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
