"""Memory, work and communication of a full-size layout step: `python -m benchmarks.scaling`.

The step is compiled for devices made of the CPU, from shapes alone: nothing of the network is
allocated and nothing runs. XLA then says what one device would hold, and the compiled program what
devices would send. From these follow the tables of scaling.md, whose speeds are assumptions and
named so. Compiling takes minutes and several gigabytes.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

LIMIT = 40e9
"""Bytes that a step of 8 rows may hold on one device."""

LINKS = {8: 300e9, 256: 50e9}
"""Assumed bytes per second that a device sends, among up to so many devices: two thirds of what
NVLink 4 names for one direction, within a host; a network of 400 Gb/s for each device beyond."""

SPEED = 4e14
"""Assumed operations per second of one device: two fifths of an H100's 989 TFLOP/s in bfloat16."""

WIDTHS = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8}
SENT = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute|collective-broadcast"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One step: what learns, over how many devices, with how many rows on each."""

    preset: str = "videodirectorgpt"
    rule: str = "paper"
    rows: int = 8
    devices: int = 1
    fsdp: int = 1
    accumulate: int = 1
    precision: str = "bfloat16"
    frozen_dtype: str = "bfloat16"
    remat: str | None = "nothing_saveable"
    text: bool = True

    @property
    def batch_size(self) -> int:
        return self.rows * self.devices


@dataclass(frozen=True)
class Compiled:
    """Of one device: bytes held, and sent by kind of collective as (how many, bytes)."""

    arguments: int
    temporary: int
    output: int
    alias: int
    operations: float
    collectives: dict[str, tuple[int, int]]
    seconds: float

    @property
    def peak(self) -> int:
        """Arguments and temporary arrays; results take the place of arguments but for metrics."""
        return self.arguments + self.temporary + self.output - self.alias


def loss_of(case: Case, preset: Any, params: Any, frozen: Any, batch: Any, key: Any):
    """The layout stage's loss on stills (`vdjax.train.guided`), each input in the case's dtype."""
    import jax.numpy as jnp

    from vdjax.ground.tokens import Grounding, GroundingNet
    from vdjax.model.hf import CLIP
    from vdjax.model.unet3d import UNet3D
    from vdjax.train.diffusion import add_noise, alphas_cumprod
    from vdjax.train.partition import joined
    from vdjax.train.state import in_dtype

    del key
    whole = joined(params, frozen["rest"])
    given = in_dtype({name: batch[name] for name in Grounding.__dataclass_fields__}, case.precision)
    tokens = GroundingNet(preset.grounding).apply({"params": whole["net"]}, Grounding(**given))
    if case.text:
        states, _ = CLIP(preset.scene_text).text(frozen["text"], batch["ids"])
    else:
        states = batch["states"]
    latents = batch["latents"].astype(jnp.float32)
    bars = jnp.asarray(alphas_cumprod(preset.noise))
    noisy, _ = add_noise(latents, batch["noise"], batch["timesteps"], bars)
    network = UNet3D(preset.unet, remat=case.remat)
    seen = in_dtype((noisy, batch["timesteps"], states, tokens), case.precision)
    guess = network.apply({"params": whole["unet"]}, *seen, video=False)
    return ((guess.astype(jnp.float32) - batch["noise"]) ** 2).mean(), {}


def draw(key: Any, shapes: Any) -> dict[str, Any]:
    """Timesteps and noise."""
    import jax

    shape = shapes["latents"].shape
    time_key, noise_key = jax.random.split(key)
    times = jax.random.randint(time_key, shape[:1], 0, 1000)
    return {"timesteps": times, "noise": jax.random.normal(noise_key, shape)}


def parameters(preset: Any, text: bool = True) -> dict[str, Any]:
    """Shapes of the UNet as pictures see it, of the grounding net, and of the text encoder."""
    import jax

    from vdjax.ground.tokens import init_net
    from vdjax.model.hf import CLIP
    from vdjax.model.params import TEMPORAL, init_unet, split_params

    key = jax.random.key(0)
    _, unet = split_params(jax.eval_shape(partial(init_unet, preset.unet), key), TEMPORAL)
    found = {"unet": unet, "net": jax.eval_shape(partial(init_net, preset.grounding), key)}
    if text:
        encoder = jax.eval_shape(CLIP(preset.scene_text).init, key)
        found["text"] = {"text_model": encoder["text_model"]}
    return found


def rows_of(case: Case, preset: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape of one row, and dtype, of all that a batch holds."""
    side, entities = preset.unet.sample_size, preset.grounding.max_entities
    length, width = preset.scene_text.text_positions, preset.unet.text_width
    captions = {"ids": ((length,), "int32")}
    return {
        "latents": ((1, side, side, preset.unet.in_channels), "float16"),
        **(captions if case.text else {"states": ((length, width), "float32")}),
        "boxes": ((1, entities, 4), "float32"),
        "present": ((1, entities), "bool"),
        "text": ((entities, preset.grounding.text_width), "float32"),
        "image": ((entities, preset.grounding.image_width), "float32"),
        "has_text": ((entities,), "bool"),
        "has_image": ((entities,), "bool"),
    }


def compile_step(case: Case) -> tuple[Compiled, dict[str, int]]:
    """Compile a case; also how many numbers learn and how many are frozen."""
    import jax
    import jax.numpy as jnp

    from benchmarks.flops import count_flops
    from vdjax.train.parallel import MeshSpread, spread
    from vdjax.train.partition import partition
    from vdjax.train.stage import Schedule
    from vdjax.train.state import create_state, in_dtype, make_train_step
    from vdjax.weights.presets import get_preset

    preset = get_preset(case.preset)
    schedule = Schedule(
        steps=50_000,
        batch_size=case.batch_size,
        learning_rate=5e-5,
        decay="constant",
        remat=case.remat,
        accumulate=case.accumulate,
        precision=case.precision,
        frozen_dtype=case.frozen_dtype,
    )
    over = spread(batch_size=case.batch_size, devices=case.devices, fsdp=case.fsdp)
    assert isinstance(over, MeshSpread)
    shapes = parameters(preset, case.text)
    text = {"text": shapes.pop("text")} if case.text else {}
    trained, rest = partition(shapes, case.rule)
    frozen = jax.eval_shape(partial(in_dtype, dtype=case.frozen_dtype), {"rest": rest, **text})
    state = jax.eval_shape(partial(create_state, schedule=schedule), trained)
    numbers = {"trained": size_of(trained), "frozen": size_of(frozen)}

    def placed(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=over.sharding(leaf.shape))

    state, frozen = jax.tree_util.tree_map(placed, (state, frozen))
    batch = {
        name: jax.ShapeDtypeStruct(
            (case.batch_size, *shape), jnp.dtype(dtype), sharding=over.by_rows
        )
        for name, (shape, dtype) in rows_of(case, preset).items()
    }
    step = make_train_step(partial(loss_of, case, preset), schedule, over, draw=draw)
    began = time.monotonic()
    program = step.program() if hasattr(step, "program") else step  # one device has options of ours
    traced = program.trace(state, frozen, batch)
    # A step that we cut is traced for one device, another one for all of them.
    share = 1 if case.fsdp == 1 else case.devices
    operations = count_flops(traced.jaxpr.jaxpr) / share
    program = traced.lower().compile()
    memory = program.memory_analysis()
    found = Compiled(
        arguments=memory.argument_size_in_bytes,
        temporary=memory.temp_size_in_bytes,
        output=memory.output_size_in_bytes,
        alias=memory.alias_size_in_bytes,
        operations=operations,
        collectives=sent_by(program.as_text()),
        seconds=time.monotonic() - began,
    )
    return found, numbers


def size_of(tree: Any) -> int:
    import jax

    return sum(prod(leaf.shape) for leaf in jax.tree_util.tree_leaves(tree))


def sent_by(text: str) -> dict[str, tuple[int, int]]:
    """Collectives of a compiled program, by kind: how many, and the bytes of their results."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for shapes, kind in re.findall(rf"= (.*?) ({SENT})(?:-start)?\(", text):
        counts[kind] += 1
        for dtype, dims in re.findall(r"([a-z]+\d*)\[([\d,]*)\]", shapes):
            sizes[kind] += WIDTHS[dtype] * prod(map(int, filter(None, dims.split(","))))
    return {kind: (counts[kind], sizes[kind]) for kind in counts}


def reduction_seconds(devices: int, size: float) -> float:
    """A ring's time for one all-reduce: each device sends 2 (D - 1) / D of the bytes."""
    if devices == 1:
        return 0.0
    link = next(speed for most, speed in LINKS.items() if devices <= most)
    return 2 * (devices - 1) / devices * size / link


def report(case: Case, found: Compiled, numbers: dict[str, int]) -> str:
    """What was found, in Markdown."""
    gb = 1e9
    verdict = "under" if found.peak < LIMIT else "NOT under"
    lines = [
        f"### {case.preset}, rule {case.rule}: {case.rows} rows on each of {case.devices} "
        f"device(s), fsdp {case.fsdp}",
        "",
        f"precision {case.precision}, frozen part in {case.frozen_dtype}, remat {case.remat}, "
        f"{case.accumulate} part(s), text encoder {'in' if case.text else 'not in'} the step; "
        f"compiled for a CPU in {found.seconds:.0f} s",
        "",
        f"- {numbers['trained']:,} numbers learn, {numbers['frozen']:,} are frozen",
        f"- arguments {found.arguments / gb:.2f} GB, temporary {found.temporary / gb:.2f} GB, "
        f"results not in their place {(found.output - found.alias) / gb:.3f} GB",
        f"- **peak of one device {found.peak / gb:.2f} GB**: {verdict} {LIMIT / gb:.0f} GB",
        f"- {found.operations / 1e12:.2f} TFLOP on one device (products and convolutions)",
    ]
    for kind, (count, size) in found.collectives.items():
        lines.append(f"- {count} {kind}, {size / gb:.3f} GB")
    if not found.collectives:
        lines.append("- no collectives")
    if case.fsdp == 1:
        lines += ["", *data_parallel(case, found, numbers)]
    return "\n".join([*lines, ""])


def data_parallel(case: Case, found: Compiled, numbers: dict[str, int]) -> list[str]:
    """The table of 1 to 256 devices that hold all parameters each."""
    work = found.operations / SPEED
    size = 4 * numbers["trained"]
    lines = ["| devices | batch | memory of each | one reduction | work | sent / (sent + work) |"]
    lines.append("|---:|---:|---:|---:|---:|---:|")
    for devices in (1, 8, 64, 256):
        sent = reduction_seconds(devices, size)
        lines.append(
            f"| {devices} | {devices * case.rows:,} | {found.peak / 1e9:.1f} GB | "
            f"{1e3 * sent:.1f} ms | {1e3 * work:.1f} ms | {100 * sent / (sent + work):.0f} % |"
        )
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("preset", Case.preset), ("rule", Case.rule), ("remat", Case.remat)):
        parser.add_argument(f"--{name}", default=default)
    for name in ("rows", "devices", "fsdp", "accumulate"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Case, name))
    for name in ("precision", "frozen-dtype"):
        parser.add_argument(f"--{name}", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--no-text", dest="text", action="store_false", help="states are given")
    asked = vars(parser.parse_args(argv))
    if asked["remat"] == "none":
        asked["remat"] = None
    case = Case(**asked)
    os.environ["JAX_NUM_CPU_DEVICES"] = str(case.devices)
    os.environ["JAX_PLATFORMS"] = "cpu"
    print(report(case, *compile_step(case)))


if __name__ == "__main__":
    main()
