"""`vdjax weights`: list what there is, convert what others made, check it, say how large it is.

    vdjax weights list
    vdjax weights convert SOURCE OUT      a folder, a safetensors file or a hub id
    vdjax weights check FOLDER
    vdjax weights info lvd

Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Tidy = Callable[[], contextlib.AbstractContextManager[Any]]

GIB = 2**30


def add_options(parser: argparse.ArgumentParser, tidy: Tidy) -> None:
    """The subcommands; `tidy` is entered while files are written."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, run: Callable[[argparse.Namespace], int], about: str):
        sub = actions.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        sub.set_defaults(run=run)
        return sub

    action("list", _list, "the presets, their sizes, and whose weights come with vdjax")

    convert = action("convert", _convert, "bring PyTorch weights into vdjax's layout")
    convert.add_argument(
        "source", metavar="SOURCE", help="a model's folder, a safetensors file, or owner/name"
    )
    convert.add_argument("out", type=Path, metavar="OUT", help="the folder to be made or added to")
    convert.add_argument("--dtype", help="float32, bfloat16 or float16 (as each weight is)")
    convert.add_argument("--preset", help="what a file without config.json is, such as modelscope")
    convert.set_defaults(tidy=tidy)

    check = action("check", _check, "compare a folder of weights with its manifest and its presets")
    check.add_argument("folder", type=Path, metavar="FOLDER")

    info = action("info", _info, "how many parameters, where, and how much memory they take")
    info.add_argument("what", metavar="PRESET_OR_FOLDER")


def _list(options: argparse.Namespace) -> int:
    from vdjax.weights.presets import PRESETS, get_preset
    from vdjax.weights.size import denoiser_size
    from vdjax.weights.store import shipped_presets

    shipped = shipped_presets()
    for name in PRESETS:
        size = denoiser_size(get_preset(name))
        where = (
            "with vdjax" if name in shipped else "random" if name == "toy" else "to be converted"
        )
        print(f"{name:<18}{sum(size.values()):>15,}  {where}")
    return 0


def _convert(options: argparse.Namespace) -> int:
    from vdjax.weights.convert.run import convert

    def report(line: str) -> None:
        print(line, flush=True)

    made = convert(
        options.source,
        options.out,
        dtype=options.dtype,
        preset=options.preset,
        report=report,
        while_writing=options.tidy,
    )
    for name, kind in made.left_out.items():
        print(f"left out {name} ({kind})")
    for name, count in made.parameters.items():
        print(f"{count:>15,}  {name} ({made.bytes[name] / 1e9:.2f} GB)")
    print(f"{sum(made.parameters.values()):>15,}  parameters in {made.folder}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from vdjax.weights.store import read_manifest, verify
    from vdjax.weights.system import misfits

    faults = verify(options.folder) or misfits(options.folder)
    for fault in faults:
        print(fault)
    if not faults:
        count = len(read_manifest(options.folder))
        print(f"{options.folder}: {count} files, all as they were written")
    return 1 if faults else 0


def _info(options: argparse.Namespace) -> int:
    from vdjax.weights.presets import PRESETS, get_preset
    from vdjax.weights.size import denoiser_size, folder_size

    path = Path(options.what).expanduser()
    if options.what in PRESETS or not path.is_dir():
        title, sizes = options.what, denoiser_size(get_preset(options.what))
    else:
        title, sizes = str(path), folder_size(path)
    total = sum(sizes.values())
    width = max(map(len, sizes))
    print(title)
    for name, count in sizes.items():
        print(f"  {name:<{width}}  {count:>15,}  {count / max(total, 1):6.1%}")
    print(f"  {'in all':<{width}}  {total:>15,}")
    print(
        f"weights alone take {4 * total / GIB:.1f} GiB in float32, {2 * total / GIB:.1f} GiB in "
        "bfloat16"
    )
    return 0
