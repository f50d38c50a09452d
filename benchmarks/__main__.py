"""All tables, one after another: `python -m benchmarks`, or `make bench`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks import (
    clip,
    compile_time,
    forward,
    machine,
    memory,
    options,
    results,
    step,
    train,
)

# Processes that measure one side come first: later this one holds the weights of both.
TABLES = {
    "memory": memory,
    "compile": compile_time,
    "forward": forward,
    "step": step,
    "clip": clip,
    "train": train,
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--tables", default=",".join(TABLES), help=f"of {', '.join(TABLES)}")
    parser.add_argument(
        "--save", action="store_true", help="put the tables into benchmarks/RESULTS.md"
    )
    arguments = parser.parse_args(argv)
    names = arguments.tables.split(",")
    if strangers := [name for name in names if name not in TABLES]:
        parser.error(f"table {strangers[0]!r} is unknown: use {', '.join(TABLES)}")
    if arguments.save and arguments.quick:
        parser.error("--quick measures nothing worth saving: leave out --save or --quick")
    asked = options.read(arguments)
    before = machine.load()
    heading = f"{machine.describe(asked.device)}: {', '.join(size.name for size in asked.sizes)}"
    print(f"## {heading}\n\n{machine.versions()}\n", flush=True)
    tables = []
    for name in names:
        tables.append(str(TABLES[name].measure(asked)))
        print(tables[-1], flush=True)
    facts = _facts(asked, before)
    print(facts)
    if arguments.save:
        results.save(heading, "\n".join([facts, *tables]))
        print(f"saved to {results.RESULTS}")


def _facts(asked: options.Options, before: float) -> str:
    """What the numbers depend on."""
    rates = machine.product_rates(asked.device, asked.dtype)
    products = ", ".join(f"{name} {rate / 1e9:.4g} GFLOP/s" for name, rate in rates.items())
    return "\n".join(
        [
            f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {machine.versions()}",
            f"- {asked.threads} threads for each side",
            f"- a matrix product in {asked.dtype}: {products}",
            f"- processes running or waiting: {before:.1f} when it began, {machine.load():.1f} at "
            "its end (its own count too)",
            *(f"- {size}" for size in asked.sizes),
            "",
        ]
    )


if __name__ == "__main__":
    main()
