"""`vdjax train`: the storybook's stages, layouts from anybody's pictures, and what to see of it.

    vdjax train guided                    a stage of the storybook system, or all of them
    vdjax train layout --data coco:DIR --steps 5000 --out RUN
    vdjax train entity --images DIR --name dog --out RUN   how your dog looks, from 3 to 5 pictures
    vdjax train report RUN                a page that shows how it learnt
    vdjax train ablate tokens             one of the paper's ablations, in small

Started again on the same folder, each goes on where it stopped. Nothing heavy is imported before a
command needs it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from vdjax.commands.types import MAX_SEED, a_count, a_number, a_path, a_seed, a_share, a_whole
from vdjax.train import REMAT_POLICIES, STAGES

Run = Callable[[argparse.Namespace], int]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The subcommands of `vdjax train`."""
    kinds = parser.add_subparsers(title="what to train", metavar="WHAT", required=True)

    def kind(name: str, run: Run, about: str) -> argparse.ArgumentParser:
        sub = kinds.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        sub.set_defaults(run=run)
        return sub

    for name in (*STAGES, "all"):
        about = f"stage {name} of the storybook system" if name != "all" else "all of these stages"
        stage = kind(name, _stage, about)
        stage.set_defaults(stage=name)
        _stage_options(stage)
    _layout_options(kind("layout", _layout, "gated layers on pictures with boxes, all else frozen"))
    _entity_options(kind("entity", _entity, "how one thing looks, from a few pictures of it"))
    report = kind("report", _report, "one page that shows how a run learnt, and whether gates open")
    report.add_argument("run_folder", type=a_path, metavar="RUN", help="the run's folder")
    report.add_argument(
        "-o", "--output", type=a_path, metavar="PAGE.html", help="the page (RUN/report.html)"
    )
    _ablate_options(kind("ablate", _ablate, "one of the paper's ablations, in small"))


def _stage_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs",
        type=a_path,
        default=Path("runs"),
        metavar="DIR",
        help="where runs are kept (runs)",
    )
    parser.add_argument("--steps", type=a_count, help="optimiser steps in all")
    parser.add_argument("--batch-size", type=a_count, help="samples per step")
    parser.add_argument(
        "--warm-start", action="store_true", help="begin with the weights that ship, not at random"
    )
    parser.add_argument("--seed", type=a_seed, help="order of the data, and noise")
    parser.add_argument("--images", type=a_count, help="pictures that later stages learn from")
    parser.add_argument("--clips", type=a_count, help="clips that the motion stage learns from")
    _schedule_options(parser)


def _schedule_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--learning-rate", type=a_number, help="at its peak")
    parser.add_argument("--warmup", type=a_count, help="steps until that peak")
    parser.add_argument(
        "--ema", type=a_share, help="decay of the weights' moving average, which is what is kept"
    )
    parser.add_argument(
        "--remat",
        choices=REMAT_POLICIES,
        help="what a UNet's gradient keeps; the rest is computed twice, for less memory",
    )


def _stage(options: argparse.Namespace) -> int:
    from vdjax.runtime import enable_compilation_cache
    from vdjax.train import run

    enable_compilation_cache()
    samples = {"image": options.images, "clip": options.clips}
    made = run(
        options.stage,
        runs=options.runs,
        samples={kind: count for kind, count in samples.items() if count is not None},
        steps=options.steps,
        warm_start=options.warm_start,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        warmup_steps=options.warmup,
        ema_decay=options.ema,
        seed=options.seed,
        remat=options.remat,
    )
    print(f"wrote {made}")
    return 0


def _layout_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset", default="storybook", help="storybook, toy, or a folder of weights (storybook)"
    )
    parser.add_argument(
        "--data",
        default="storybook",
        metavar="D",
        help="pictures with boxes: storybook[:COUNT], coco:DIR, flickr30k:DIR, vg:DIR, tsv:FILE, "
        "folder:DIR, or a path (storybook)",
    )
    parser.add_argument(
        "--out", type=a_path, required=True, metavar="RUN", help="the run's folder; again: resume"
    )
    parser.add_argument(
        "--resume", action="store_true", help="refuse to begin: there must be a run to go on with"
    )
    parser.add_argument("--steps", type=a_count, default=5_000, help="optimiser steps (5000)")
    parser.add_argument("--batch", type=a_count, default=16, help="samples per step (16)")
    parser.add_argument("--seed", type=a_seed, default=0, help=f"0 to {MAX_SEED} (0)")
    _schedule_options(parser)
    parser.add_argument("--decay", choices=("cosine", "constant"), help="after warm-up (cosine)")
    parser.add_argument("--accumulate", type=a_count, metavar="N", help="parts of a batch (1)")
    parser.add_argument("--precision", choices=_DTYPES, help="of what is computed (float32)")
    parser.add_argument("--frozen-dtype", choices=_DTYPES, help="of what is frozen (float32)")

    data = parser.add_argument_group("data")
    data.add_argument("--count", type=a_count, help="use so many of the pictures (all)")
    data.add_argument("--cache", type=a_path, metavar="DIR", help="of encoded pictures (RUN/cache)")
    data.add_argument(
        "--on-bad", choices=("skip", "stop"), default="skip", help="a picture is no use (skip)"
    )
    recipe = parser.add_argument_group("what is learnt")
    recipe.add_argument(
        "--trained",
        metavar="RULE",
        help="paper (the gated layers), guided, full, lora:RANK, or a share such as 0.05 (paper)",
    )
    recipe.add_argument("--told-by", choices=("both", "text", "image"), help="of entities (both)")
    recipe.add_argument("--place", choices=("box", "centre", "none"), help="of entities (box)")
    recipe.add_argument("--caption-kept", type=a_share, metavar="SHARE", help="GLIGEN's (0.5)")
    recipe.add_argument("--grounding-dropped", type=a_share, metavar="SHARE", help="GLIGEN's (0.1)")
    recipe.add_argument("--modality-dropped", type=a_share, metavar="SHARE", help="GLIGEN's (0.5)")
    recipe.add_argument(
        "--warm-start", action="store_true", help="go on from the system's own gated layers"
    )
    keep = parser.add_argument_group("what is kept and seen")
    keep.add_argument("--checkpoint-every", type=a_count, metavar="M", help="steps (3 minutes)")
    keep.add_argument("--keep-every", type=a_count, metavar="M", help="of checkpoints for good")
    keep.add_argument("--watch-every", type=a_count, metavar="M", help="steps between looks (none)")
    keep.add_argument(
        "--on-bad-step", choices=("stop", "skip"), default="stop", help="a loss is NaN (stop)"
    )
    spread = parser.add_argument_group("devices and processes")
    spread.add_argument("--devices", type=a_count, metavar="K", help="spread over so many (all)")
    spread.add_argument("--spread", choices=("mesh", "pmap"), default="mesh", help="how (mesh)")
    spread.add_argument("--fsdp", type=a_count, default=1, help="parts parameters are cut into (1)")
    spread.add_argument("--coordinator", metavar="HOST:PORT", help="of process 0, for all the same")
    spread.add_argument("--processes", type=a_count, metavar="N", help="how many there are")
    spread.add_argument("--process", type=a_whole, metavar="I", help="which this is, from 0")


def _entity_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images", type=a_path, required=True, metavar="DIR", help="3 to 5 pictures of it"
    )
    parser.add_argument("--name", required=True, help="what it is called in plans, such as dog")
    parser.add_argument(
        "--out", type=a_path, metavar="RUN", help="the run's folder; again: resume (runs/NAME)"
    )
    parser.add_argument(
        "--preset", default="storybook", help="storybook, toy, or a folder of weights (storybook)"
    )
    parser.add_argument("--steps", type=a_count, default=200, help="optimiser steps (200)")
    parser.add_argument("--batch", type=a_count, default=8, help="samples per step (8)")
    parser.add_argument("--learning-rate", type=a_number, default=1e-2, help="at its peak (0.01)")
    parser.add_argument("--seed", type=a_seed, default=0, help=f"0 to {MAX_SEED} (0)")


def _entity(options: argparse.Namespace) -> int:
    from vdjax.files import folder_name
    from vdjax.runtime import enable_compilation_cache
    from vdjax.train.entity import train_entity
    from vdjax.train.stage import Schedule

    enable_compilation_cache()
    schedule = Schedule(
        steps=options.steps,
        batch_size=options.batch,
        learning_rate=options.learning_rate,
        warmup_steps=options.steps // 10,
        ema_decay=0.98,
        seed=options.seed,
    )
    out = options.out or Path("runs") / folder_name(options.name)
    made = train_entity(options.name, options.images, out, schedule=schedule, preset=options.preset)
    print(f"wrote {made}")
    return 0


def _ablate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", help="share, tokens, place, video or alpha: what is varied"
    )
    parser.add_argument(
        "--out", type=a_path, default=Path("runs/ablate"), metavar="DIR", help="(runs/ablate)"
    )
    parser.add_argument("--steps", type=a_count, default=300, help="of each training (300)")
    parser.add_argument("--batch", type=a_count, default=16, help="samples per step (16)")
    parser.add_argument(
        "--afresh", action="store_true", help="begin with shut gates: then take thousands of steps"
    )
    parser.add_argument("--seeds", type=a_count, default=3, help="trainings of each arm (3)")
    parser.add_argument("--plans", type=a_count, default=12, help="held-out plans for each (12)")
    parser.add_argument("--images", type=a_count, default=12_000, help="learnt from (12000)")
    parser.add_argument("--clips", type=a_count, default=800, help="learnt from (800)")


def _ablate(options: argparse.Namespace) -> int:
    from vdjax.runtime import enable_compilation_cache
    from vdjax.train.ablate import ablate, format_table

    enable_compilation_cache()
    result = ablate(
        options.name,
        options.out,
        steps=options.steps,
        batch_size=options.batch,
        afresh=options.afresh,
        seeds=options.seeds,
        plans=options.plans,
        samples={"image": options.images, "clip": options.clips},
    )
    print(format_table(result))
    return 0


def _report(options: argparse.Namespace) -> int:
    from vdjax.train.report import report

    print(f"wrote {report(options.run_folder, options.output)}")
    return 0


_DTYPES = ("float32", "bfloat16")
_RECIPE = (
    *("trained", "told_by", "place"),
    *("caption_kept", "grounding_dropped", "modality_dropped"),
)


def _layout(options: argparse.Namespace) -> int:
    from vdjax.errors import UserError

    if options.resume and not (options.out / "config.json").exists():
        raise UserError(
            f"there is no run in {options.out} to go on with: leave out --resume to begin one"
        )
    from vdjax.runtime import enable_compilation_cache
    from vdjax.systems.batch.processes import check_group
    from vdjax.train.processes import join

    enable_compilation_cache()
    if check_group(options.coordinator, options.processes, options.process):
        join(options.coordinator, options.processes, options.process)
    from vdjax.train.guided import Recipe
    from vdjax.train.layout import train_layout
    from vdjax.train.parallel import spread
    from vdjax.train.stage import Schedule

    given = {
        "learning_rate": options.learning_rate or 1.2e-3,
        "warmup_steps": options.warmup,
        "ema_decay": options.ema,
        "remat": options.remat,
        "decay": options.decay,
        "accumulate": options.accumulate,
        "precision": options.precision,
        "frozen_dtype": options.frozen_dtype,
    }
    schedule = Schedule(
        steps=options.steps,
        batch_size=options.batch,
        seed=options.seed,
        **{name: value for name, value in given.items() if value is not None},
    )
    recipe = {name: getattr(options, name) for name in _RECIPE}
    over = None
    if options.devices or options.spread != "mesh" or options.fsdp > 1 or options.processes:
        over = spread(
            options.spread, batch_size=options.batch, fsdp=options.fsdp, devices=options.devices
        )
    train_layout(
        schedule,
        options.out,
        preset=options.preset,
        data=options.data,
        recipe=Recipe(**{name: value for name, value in recipe.items() if value is not None}),
        count=options.count,
        cache=options.cache,
        on_bad=options.on_bad,
        warm_start=options.warm_start,
        spread=over,
        watch_every=options.watch_every,
        checkpoint_every=options.checkpoint_every,
        keep_every=options.keep_every,
        on_bad_step=options.on_bad_step,
    )
    print(f"wrote {options.out}")
    return 0
