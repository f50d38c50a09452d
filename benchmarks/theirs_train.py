"""PyTorch's side of a layout training step: diffusers' modules in the usual loop. Imports no JAX.

As in diffusers' training scripts: AdamW on what learns, gradients clipped, a moving average by
`EMAModel`; frozen parameters ask for no gradient. In bfloat16 the network runs under autocast.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from benchmarks.job import Job
from benchmarks.layouts import B2, CLIP_NORM, EMA_DECAY, LEARNING_RATE, Stills, still_network
from benchmarks.options import Options
from benchmarks.sizes import Size
from benchmarks.theirs import diffusers, randomised, torch

LEARNS = ("fuser", "position_net")


class TheirTraining:
    """A step of PyTorch on a UNet2DConditionModel with gated layers."""

    def __init__(self, size: Size, options: Options, module: torch.nn.Module):
        self.place = "cuda" if options.device == "gpu" else "cpu"
        self.module, self.options = module.to(self.place), options
        self.network: Any = self.module
        stills = Stills.of(size)

        def put(x: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(x)).to(self.place)

        self.latents = put(np.moveaxis(stills.latents[:, 0], -1, 1))
        self.noise = put(np.moveaxis(stills.noise[:, 0], -1, 1))
        self.timesteps, self.text = put(stills.timesteps).long(), put(stills.text)
        grounding = {
            "boxes": put(stills.boxes[:, 0]),
            "masks": put(stills.present[:, 0].astype(np.float32)),
            "positive_embeddings": put(stills.names),
        }
        self.attention = {"gligen": grounding}
        bars = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2  # ModelScope's noise
        self.bars = put(np.cumprod(1.0 - bars).astype(np.float32))
        self._begin()

    def compiled(self) -> TheirTraining:
        """The same network, as it is by now, through `torch.compile`."""
        twin = object.__new__(TheirTraining)
        network = torch.compile(self.module, dynamic=False)
        twin.__dict__ = {**self.__dict__, "network": network}
        return twin

    def train(self) -> Job:
        def run() -> torch.Tensor:
            loss = self._stepped()
            if self.place == "cuda":
                torch.cuda.synchronize()
            return loss

        return Job(run, lambda loss: loss.detach().float().cpu().numpy()[None])

    def gates(self) -> np.ndarray:
        """Every gate as training left it, by the order of their names in our tree."""
        named = dict(self.module.named_parameters())
        gates = {_ours(name): x.item() for name, x in named.items() if "alpha_" in name}
        return np.array([gates[name] for name in sorted(gates)], np.float32)

    def _begin(self) -> None:
        for name, value in self.module.named_parameters():
            value.requires_grad_(any(part in name for part in LEARNS))
        self.learning = [x for x in self.module.parameters() if x.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.learning, lr=LEARNING_RATE, betas=(0.9, B2), weight_decay=0.0
        )
        self.rate = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: min(step, 1))
        self.average = diffusers.training_utils.EMAModel(self.learning, decay=EMA_DECAY)

    def _precision(self) -> AbstractContextManager[Any]:
        if self.options.dtype == "float32":
            return nullcontext()
        return torch.autocast(self.place, getattr(torch, self.options.dtype))

    def _stepped(self) -> torch.Tensor:
        bar = self.bars[self.timesteps].reshape(-1, 1, 1, 1)
        noisy = bar.sqrt() * self.latents + (1 - bar).sqrt() * self.noise
        with torch.enable_grad(), self._precision():  # whoever else turned gradients off
            guess = self.network(
                noisy,
                self.timesteps,
                encoder_hidden_states=self.text,
                cross_attention_kwargs=self.attention,
                return_dict=False,
            )[0]
            loss = ((guess.float() - self.noise) ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learning, CLIP_NORM)
        self.optimizer.step()
        self.rate.step()
        self.optimizer.zero_grad()
        self.average.step(self.learning)
        return loss


def random_stills(size: Size) -> torch.nn.Module:
    """GLIGEN's network of a size with every parameter random, gates among them."""
    network = diffusers.UNet2DConditionModel(sample_size=size.side, **still_network(size))
    return randomised(network)


def _ours(name: str) -> str:
    """Our path, as JAX prints it, of a gate's name: blocks go by underscores."""
    parts = name.split(".")
    joined: list[str] = []
    for part in parts:
        joined = [*joined[:-1], f"{joined[-1]}_{part}"] if part.isdecimal() else [*joined, part]
    return "".join(f"[{part!r}]" for part in joined)
