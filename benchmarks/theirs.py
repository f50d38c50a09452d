"""diffusers' side, in PyTorch: the UNet, one guided step, a clip. Imports no JAX.

The arithmetic of a step is `TextToVideoSDPipeline`'s: one batch with the unconditional half first,
guidance, frames as rows for the scheduler. Called as users call it: layouts and modes are defaults.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it says as it loads is not about the measurement
    import diffusers
    import torch

from benchmarks.job import GUIDANCE, TIMESTEP, Inputs, Job
from benchmarks.options import Options
from benchmarks.sizes import Size

diffusers.utils.logging.set_verbosity_error()


class Theirs:
    """Jobs on a UNet3DConditionModel with random weights."""

    def __init__(self, size: Size, options: Options, module: torch.nn.Module | None = None):
        self.place = "cuda" if options.device == "gpu" else "cpu"
        dtype = getattr(torch, options.dtype)
        module = random_network(size) if module is None else module
        self.module = module.to(self.place, dtype)
        self.network: Any = self.module
        self.options = options
        inputs = Inputs.of(size)
        self.latents = _first(inputs.latents).to(self.place, dtype)
        self.text = torch.from_numpy(inputs.text).to(self.place, dtype)
        self.time = torch.tensor([TIMESTEP], device=self.place)
        self.scheduler = make_scheduler(options.scheduler)

    def compiled(self) -> Theirs:
        """The same weights through `torch.compile`, one program per shape, as XLA makes them."""
        twin = object.__new__(Theirs)
        network = torch.compile(self.module, dynamic=False)
        twin.__dict__ = {**self.__dict__, "network": network}
        twin.scheduler = make_scheduler(self.options.scheduler)
        return twin

    def forward(self) -> Job:
        return Job(
            lambda: self._finished(self._predict(self.latents, self.time, self.text[1:])), _host
        )

    def step(self) -> Job:
        def run() -> torch.Tensor:
            return self._finished(self._stepped(self.latents, self.scheduler.timesteps[0]))

        return Job(run, _host, prepare=self._begin)

    def clip(self) -> Job:
        def run() -> torch.Tensor:
            self._begin()
            latents = self.latents
            for timestep in self.scheduler.timesteps:
                latents = self._stepped(latents, timestep)
            return self._finished(latents)

        return Job(run, _host)

    def _begin(self) -> None:
        self.scheduler.set_timesteps(self.options.steps, device=self.place)

    def _predict(self, latents, times, text) -> torch.Tensor:
        with torch.no_grad():
            given = {"encoder_hidden_states": text, "return_dict": False}
            return self.network(latents, times, **given)[0]

    def _stepped(self, latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        both = self._predict(torch.cat([latents, latents]), timestep, self.text)
        without, conditional = both.chunk(2)
        guided = without + GUIDANCE * (conditional - without)
        batch, channels, frames, height, width = latents.shape
        prediction, rows = (
            x.permute(0, 2, 1, 3, 4).reshape(-1, channels, height, width) for x in (guided, latents)
        )
        rows = self.scheduler.step(prediction, timestep, rows, return_dict=False)[0]
        return rows.reshape(batch, frames, channels, height, width).permute(0, 2, 1, 3, 4)

    def _finished(self, x: torch.Tensor) -> torch.Tensor:
        if self.place == "cuda":
            torch.cuda.synchronize()
        return x


def random_network(size: Size) -> torch.nn.Module:
    """ModelScope's network of a size, with random weights."""
    return randomised(diffusers.UNet3DConditionModel(sample_size=size.side, **size.network))


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    """Every parameter random, those that start at zero too; kernels keep the scale of what enters.

    A network whose zero layers stay would let its temporal parts be wrong unseen.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.ndim > 1:
                value.normal_(0.0, value[0].numel() ** -0.5, generator=generator)
            else:
                is_scale = name.endswith("weight")
                value.normal_(1.0 if is_scale else 0.0, 0.1, generator=generator)
    return network.eval().requires_grad_(False)


def make_scheduler(name: str):
    """ModelScope's noise, and the ends that vdjax's schedulers have."""
    noise = {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
    }
    offset = {"set_alpha_to_one": False, "steps_offset": 1}
    if name == "ddim":
        return diffusers.DDIMScheduler(**noise, **offset, clip_sample=False)
    if name == "pndm":
        return diffusers.PNDMScheduler(**noise, **offset, skip_prk_steps=True)
    return diffusers.DPMSolverMultistepScheduler(**noise, final_sigmas_type="sigma_min")


def weights_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    """The state dict, as numpy sees it; nothing is copied."""
    return {name: value.numpy() for name, value in module.state_dict().items()}


def _first(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


def _host(x: torch.Tensor) -> np.ndarray:
    return np.moveaxis(x.float().cpu().numpy(), 1, -1)
