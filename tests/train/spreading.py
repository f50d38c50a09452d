"""Small denoisers trained for twenty steps over devices, as a program that the tests run.

`python spreading.py FOLDER CASE...` writes what each case learnt to FOLDER/CASE.npz, and the
collectives in its compiled step to FOLDER/CASE.json. `--join PORT COUNT INDEX` makes it one process
of several. The number of devices is set outside, before JAX starts.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from vdjax.model.hf import NoiseConfig
from vdjax.model.params import fill_params, init_unet
from vdjax.model.unet3d import UNet3D, UNet3DConfig
from vdjax.train.diffusion import add_noise, alphas_cumprod
from vdjax.train.parallel import spread
from vdjax.train.partition import joined, partition
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, make_train_step

STEPS, BATCH = 20, 8
SCHEDULE = Schedule(
    steps=STEPS, batch_size=BATCH, learning_rate=1e-2, warmup_steps=3, clip_norm=0.5, ema_decay=0.9
)
BARS = alphas_cumprod(NoiseConfig())
UNET = UNet3DConfig(
    sample_size=4,
    block_out_channels=(8,),
    attention=(False,),  # but at the bottom, where it always is
    text_width=8,
    grounding_width=8,
    head_dim=8,
    norm_num_groups=4,
    temporal=False,
)


class Dense:
    """Two layers over the latents of a picture; the first is frozen."""

    def init(self):
        rng = np.random.default_rng(0)
        kernels = rng.normal(size=(2, 64, 64)).astype(np.float32) / 8
        second = {"kernel": kernels[1], "bias": np.zeros(64, np.float32)}
        return {"second": second}, {"first": {"kernel": kernels[0]}}

    def __call__(self, params, frozen, noisy, batch):
        hidden = noisy.reshape(len(noisy), -1) @ frozen["first"]["kernel"]
        guess = jnp.tanh(hidden) @ params["second"]["kernel"] + params["second"]["bias"][None]
        return guess.reshape(noisy.shape)


class Pictures:
    """A UNet with gated layers, which learn; all else is frozen."""

    def init(self):
        params = fill_params(jax.eval_shape(partial(init_unet, UNET), jax.random.key(0)))
        return partition({"unet": params}, "paper")

    def __call__(self, params, frozen, noisy, batch):
        unet = joined(params, frozen)["unet"]
        given = noisy, batch["timesteps"], batch["text"], batch["tokens"]
        return UNet3D(UNET).apply({"params": unet}, *given, video=False)


def rows_of(step):
    """The batch of a step, whole."""
    rng = np.random.default_rng([1, step])
    sizes = {"latents": (1, 4, 4, 4), "text": (3, 8), "tokens": (1, 2, 8)}
    return {name: rng.normal(size=(BATCH, *s)).astype(np.float32) for name, s in sizes.items()}


def draw(key, shapes):
    """A timestep from each of as many slices as there are rows, and noise."""
    time_key, noise_key = jax.random.split(key)
    shape = shapes["latents"].shape
    slices = (jnp.arange(shape[0]) + jax.random.uniform(time_key, shape[:1])) / shape[0]
    return {
        "timesteps": (slices * len(BARS)).astype(jnp.int32),
        "noise": jax.random.normal(noise_key, shape),
    }


def loss(network, params, frozen, batch, key):
    """Mean squared error of the noise; for a batch that lacks it, drawn here."""
    if "noise" not in batch:
        batch = {**batch, **draw(key, batch)}
    noise = batch["noise"]
    noisy, _ = add_noise(batch["latents"], noise, batch["timesteps"], jnp.asarray(BARS))
    error = (network(params, frozen, noisy, batch) - noise) ** 2
    return error.mean(), {"worst": error.max(axis=(1, 2, 3, 4)).mean()}


CASES = {
    # name: network, how it is spread, its schedule, whether we cut its loss
    "one": (Dense, None, {}, True),
    "one_in_parts": (Dense, None, {"accumulate": 4}, True),
    "mesh": (Dense, {}, {}, True),
    "mesh_in_parts": (Dense, {}, {"accumulate": 2}, True),
    "mesh_left_whole": (Dense, {}, {}, False),
    "fsdp": (Dense, {"fsdp": 2}, {}, True),
    "pmap": (Dense, {"kind": "pmap"}, {}, True),
    "pictures_one": (Pictures, None, {}, True),
    "pictures_mesh": (Pictures, {}, {}, True),
    "pictures_fsdp": (Pictures, {"fsdp": 2}, {}, True),
    "pictures_pmap": (Pictures, {"kind": "pmap"}, {}, True),
}


def learn(name, folder, own_rows):
    """Train one case, and write what it came to."""
    network, options, changes, cut = CASES[name]
    network = network()
    schedule = Schedule(**{**vars(SCHEDULE), **changes})
    over = spread(batch_size=BATCH, **options) if options is not None else None
    step = make_train_step(partial(loss, network), schedule, over, draw=draw if cut else None)
    params, frozen = network.init()
    state = create_state(params, schedule)
    if over is not None:
        state, frozen = over.place(state, frozen)
    told = []
    for number in range(STEPS):
        batch = rows_of(number)
        if over is not None:
            rows = over.rows if own_rows else slice(None)
            batch = over.feed({name: array[rows] for name, array in batch.items()})
        if number == 0:
            counts = collectives(step, state, frozen, batch)
        state, metrics = step(state, frozen, batch)
        told.append({name: float(value) for name, value in metrics.items()})
    fetched = over.fetch((state, frozen)) if over is not None else (state, frozen)
    state, frozen = jax.tree_util.tree_map(np.asarray, fetched)
    adam = state.opt_state[1][0]
    trees = {"params": state.params, "ema": state.ema, "mu": adam.mu, "nu": adam.nu, "kept": frozen}
    arrays = flatten_dict(trees, sep="/")
    np.savez(folder / f"{name}.npz", step=state.step, **arrays)
    described = over.describe() if over is not None else {}
    result = {"collectives": counts, "told": told, "described": described}
    (folder / f"{name}.json").write_text(json.dumps(result))


def collectives(step, *given):
    """How often devices speak to each other in the compiled program of a step."""
    program = step.program() if hasattr(step, "program") else step
    text = program.lower(*given).compile().as_text()
    kinds = (
        "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute|collective-broadcast"
    )
    return Counter(re.findall(rf" ({kinds})(?:-start)?\(", text))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--join", nargs=3, type=int)
    parser.add_argument("--own-rows", action="store_true")
    asked = parser.parse_args()
    jax.config.update("jax_disable_most_optimizations", True)  # to compile quickly
    if asked.join:
        port, count, index = asked.join
        jax.distributed.initialize(f"localhost:{port}", count, index)
    for name in asked.cases:
        learn(name, asked.folder, asked.own_rows)
        print(name, "done", flush=True)


if __name__ == "__main__":
    main()
