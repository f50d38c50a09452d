"""Ten steps of each scheduler beside diffusers' PyTorch schedulers, in its pipeline's order.

The arithmetic is `TextToVideoSDPipeline`'s with GLIGEN's switch: one batch with the unconditional
half first, guidance, then the scheduler's step; gates on for the first int(alpha · N) steps.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity import networks as nets
from parity import peer
from parity.limits import STEP_LIMIT
from parity.peer import torch

from vdjax.model.hf import SCHEDULERS, NoiseConfig, make_scheduler
from vdjax.sample.guidance import gated_steps
from vdjax.sample.loop import Conditions, Sampler
from vdjax.weights.convert.unets import POSITION_NET

STEPS, ALPHA, SCALE = 10, 0.4, 9.0

# torch's arrays, as numpy sees those that its DPM-Solver++ makes
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def torch_scheduler(name, prediction_type="epsilon"):
    """The scheduler of ModelScope's pipeline, or one made of its configuration."""
    common = {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": prediction_type,
    }
    offset = {"set_alpha_to_one": False, "steps_offset": 1}
    if name == "ddim":
        return peer.diffusers.DDIMScheduler(**common, **offset, clip_sample=False)
    if name == "pndm":
        return peer.diffusers.PNDMScheduler(**common, **offset, skip_prk_steps=True)
    # Its last step goes to the least noise that was trained on, as the Flax one's does, and not on
    # to none at all, which is a later addition of PyTorch's.
    return peer.diffusers.DPMSolverMultistepScheduler(**common, final_sigmas_type="sigma_min")


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_alone(name, prediction_type, same):
    """The same predictions given to both: what differs is the scheduler's arithmetic alone."""
    ours = make_scheduler(name, NoiseConfig(prediction_type=prediction_type))
    theirs = torch_scheduler(name, prediction_type)
    theirs.set_timesteps(STEPS)
    x = peer.normal(41, 2, 3, 4, 4, 4)
    state = ours.set_timesteps(ours.create_state(), STEPS, x.shape)
    np.testing.assert_array_equal(np.asarray(state.timesteps), theirs.timesteps.numpy())
    step = jax.jit(lambda *args: ours.step(*args, return_dict=False))
    mine, other = jnp.asarray(x), torch.from_numpy(x)
    for i, t in enumerate(theirs.timesteps):
        predicted = peer.normal(50 + i, *x.shape)
        mine, state = step(state, predicted, jnp.int32(int(t)), mine)
        other = theirs.step(torch.from_numpy(predicted), t, other, return_dict=False)[0]
        same(f"{name}, scheduler alone", mine, other.numpy(), STEP_LIMIT)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return nets.unet3d_pair(tmp_path_factory.mktemp("unet3d"))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_ten_steps_with_guidance_and_gates(pair, name, same):
    noise = peer.normal(42, 1, nets.FRAMES, nets.SIDE, nets.SIDE, 4)
    words, tokens = nets.WORDS, nets.TOKENS  # the first clip's stand for the unconditional half
    switch = gated_steps(ALPHA, STEPS)
    sampler = Sampler(
        unet=pair.denoiser.unet,
        noise=NoiseConfig(),
        scheduler=name,
        num_inference_steps=STEPS,
    )
    params = {part: tree for part, tree in pair.params.items() if part != POSITION_NET}
    conditions = Conditions(text=jnp.asarray(words), grounding=jnp.asarray(tokens))
    mine = sampler.stream(params, jnp.asarray(noise), conditions, jnp.float32(SCALE), switch)

    scheduler = torch_scheduler(name)
    scheduler.set_timesteps(STEPS)
    evaluations = len(scheduler.timesteps)
    extra = evaluations - STEPS  # PLMS asks twice at its first step
    x = peer.first(noise)
    for i, (t, latents) in enumerate(zip(scheduler.timesteps, mine, strict=True)):
        told = nets.grounded(tokens) if max(i - extra, 0) < switch else {}
        twice = torch.cat([x, x])
        both = pair.theirs(twice, t, encoder_hidden_states=torch.from_numpy(words), **told).sample
        without, with_text = both.chunk(2)
        guided = without + SCALE * (with_text - without)
        rows, prediction = (
            y.permute(0, 2, 1, 3, 4).reshape(-1, *y.shape[1:2], *y.shape[3:]) for y in (x, guided)
        )
        stepped = scheduler.step(prediction, t, rows, return_dict=False)[0]
        x = stepped[None].reshape(1, nets.FRAMES, *stepped.shape[1:]).permute(0, 2, 1, 3, 4)
        same(f"{name}, ten guided steps", latents, peer.last(x), STEP_LIMIT)
