"""vdjax's side of a layout training step: the package's own step, on GLIGEN's network."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.flops import count_flops
from benchmarks.job import Job
from benchmarks.layouts import B2, CLIP_NORM, EMA_DECAY, LEARNING_RATE, Stills, still_network
from benchmarks.options import Options
from benchmarks.sizes import Size
from vdjax.ground.tokens import Grounding, GroundingNet
from vdjax.model.hf import NoiseConfig
from vdjax.model.unet3d import UNet3D
from vdjax.train.diffusion import add_noise, alphas_cumprod
from vdjax.train.parallel import spread
from vdjax.train.partition import joined, partition
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, in_dtype, make_train_step
from vdjax.weights.convert import unet2d
from vdjax.weights.convert.unets import POSITION_NET


class OurTraining:
    """A step of `vdjax.train`, on parameters of ours that were converted from PyTorch's."""

    def __init__(self, size: Size, options: Options, params: dict[str, Any]):
        denoiser = denoiser_of(size)
        self.unet, self.net = denoiser.unet, denoiser.grounding
        self.schedule = Schedule(
            steps=1000,
            batch_size=size.stills,
            learning_rate=LEARNING_RATE,
            warmup_steps=1,
            decay="constant",
            clip_norm=CLIP_NORM,
            b2=B2,
            ema_decay=EMA_DECAY,
            precision=options.dtype,
            frozen_dtype=options.dtype,
        )
        net = params.pop(POSITION_NET)
        trained, frozen = partition({"unet": params, "net": net}, "paper")
        frozen = in_dtype(frozen, options.dtype)
        laid = spread(batch_size=size.stills, devices=1)
        self.state, self.frozen = laid.place(create_state(trained, self.schedule), frozen)
        self._step = make_train_step(self._loss, self.schedule, laid)
        stills = Stills.of(size)
        batch = {name: getattr(stills, name) for name in Stills.__dataclass_fields__}
        self.batch = laid.feed(batch)

    def train(self) -> Job:
        def run() -> jax.Array:
            self.state, metrics = self._step(self.state, self.frozen, self.batch)
            jax.block_until_ready(self.state)
            return metrics["loss"]

        return Job(run, lambda loss: np.asarray(loss)[None])

    def gates(self) -> np.ndarray:
        """Every gate as training left it, by the order of their names."""
        leaves = jax.tree_util.tree_leaves_with_path(self.state.params["unet"])
        named = {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
        return np.array([np.asarray(named[key]) for key in sorted(named) if "alpha_" in key])

    def flops(self) -> float:
        program = jax.make_jaxpr(self._step)(self.state, self.frozen, self.batch)
        return count_flops(program.jaxpr)

    def _loss(self, params, frozen, batch, key):
        del key
        whole = joined(params, frozen)
        tokens = GroundingNet(self.net).apply({"params": whole["net"]}, self._grounding(batch))
        noise = NoiseConfig()
        bars = jnp.asarray(alphas_cumprod(noise))
        noisy, _ = add_noise(batch["latents"], batch["noise"], batch["timesteps"], bars)
        given = in_dtype(
            (noisy, batch["timesteps"], batch["text"], tokens), self.schedule.precision
        )
        guess = UNet3D(self.unet).apply({"params": whole["unet"]}, *given)
        return ((guess.astype(jnp.float32) - batch["noise"]) ** 2).mean(), {}

    def _grounding(self, batch) -> Grounding:
        here = jnp.ones(batch["names"].shape[:2], bool)
        known = in_dtype((batch["boxes"], batch["names"]), self.schedule.precision)
        boxes, names = known
        return Grounding(
            boxes=boxes,
            present=batch["present"],
            text=names,
            image=names,
            has_text=here,
            has_image=~here,
        )


def denoiser_of(size: Size):
    """Our configuration of GLIGEN's network of a size, by the converter."""
    return unet2d.configure({"_class_name": unet2d.KINDS[0], **still_network(size)})
