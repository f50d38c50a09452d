"""What notebook 04 builds from scratch is the package's, step by step and on the toy preset."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict

import vdjax
from vdjax.train.backbone import diffusion_loss
from vdjax.train.diffusion import add_noise, alphas_cumprod
from vdjax.train.guided import Recipe, emphasis_inside
from vdjax.train.layout import layout_stage
from vdjax.train.partition import partition
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, make_train_step
from vdjax.weights.presets import Preset

# The notebook mixes dtypes and ranks as NumPy does, as a reader's code would.
pytestmark = pytest.mark.loose_dtypes


@pytest.fixture(autouse=True)
def _loose_ranks():
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def notebook(scratch):
    return scratch("04_training")


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def layouts(seed, rows, places):
    """Boxes with an area above zero, and who is there."""
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.random((rows, 1, places, 2, 2)), axis=-2)
    boxes = corners.reshape(rows, 1, places, 4).astype(np.float32)
    return jnp.asarray(boxes), jnp.asarray(rng.random((rows, 1, places)) < 0.7)


def test_it_builds_what_it_says(notebook):
    built = {"noisy", "denoising_loss", "cell_weights", "learns", "parted", "rate_at", "begin"}
    assert built | {"clip_then_adam", "one_step", "guided_loss"} <= set(notebook)


@pytest.mark.parametrize("seed", range(3))
def test_the_loss(notebook, seed):
    preset = Preset.toy()
    bars = jnp.asarray(alphas_cumprod(preset.noise))
    x0, noise = normal(seed, 3, 1, 6, 6, 4), normal(seed + 10, 3, 1, 6, 6, 4)
    t = jnp.asarray(np.random.default_rng(seed).integers(0, 1000, 3), jnp.int32)
    boxes, present = layouts(seed, 3, 5)
    np.testing.assert_allclose(
        notebook["noisy"](x0, noise, t, bars), add_noise(x0, noise, t, bars)[0], atol=1e-5
    )
    cells = notebook["cell_weights"](boxes, present, 6)
    np.testing.assert_allclose(cells, emphasis_inside(boxes, present, 6, 6, 2.0), atol=1e-5)

    def guess(z, t):
        return 0.5 * jnp.tanh(z) + t.reshape(-1, 1, 1, 1, 1) / 1000

    drawn = {"timesteps": t, "noise": noise}
    theirs, _ = diffusion_loss(preset, guess, x0, None, drawn=drawn, emphasis=cells)
    ours = notebook["denoising_loss"](guess, x0, noise, t, bars, cells)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_the_partition(notebook):
    toy = vdjax.load("toy")
    params = {"unet": toy.params["unet"], "net": toy.params["net"]}
    for ours, theirs in zip(notebook["parted"](params), partition(params, "paper"), strict=True):
        assert flatten_dict(ours).keys() == flatten_dict(theirs).keys()


@pytest.mark.parametrize(("warmup", "steps"), [(0, 7), (5, 30)])
def test_the_rate(notebook, warmup, steps):
    theirs = optax.warmup_cosine_decay_schedule(0.0, 0.02, warmup, steps, end_value=0.001)
    ours = [notebook["rate_at"](step, 0.02, warmup, steps) for step in range(steps + 5)]
    np.testing.assert_allclose(ours, [theirs(step) for step in range(steps + 5)], atol=1e-7)


def test_a_step_of_any_loss(notebook):
    """Gradients longer than 1 among them, which are clipped."""
    schedule = Schedule(steps=8, batch_size=2, learning_rate=0.1, warmup_steps=2, ema_decay=0.5)

    def loss(params, frozen, batch):
        return (batch["scale"].mean() * (params["a"] - frozen["b"]) ** 2).sum()

    start, frozen = {"a": normal(0, 4)}, {"b": normal(1, 4)}
    batches = [{"scale": jnp.full(2, 10.0 ** (1 - step))} for step in range(5)]
    step = make_train_step(lambda p, f, b, key: (loss(p, f, b), {}), schedule)
    theirs = create_state(jax.tree.map(jnp.copy, start), schedule)
    ours = notebook["begin"](start)
    for number, batch in enumerate(batches):
        theirs, _ = step(theirs, frozen, batch)
        rate = notebook["rate_at"](number, 0.1, 2, 8)
        ours, _ = notebook["one_step"](loss, ours, frozen, batch, rate, 0.5)
    np.testing.assert_allclose(ours["params"]["a"], theirs.params["a"], rtol=1e-5)
    np.testing.assert_allclose(ours["average"]["a"], theirs.ema["a"], rtol=1e-5)
    assert np.abs(ours["params"]["a"] - start["a"]).max() > 0.1


def test_steps_of_the_toy(notebook):
    """The whole of it: the network's loss, its gradient, what learns and what does not."""
    toy = vdjax.load("toy")
    g, side = toy.preset.grounding, toy.preset.unet.sample_size

    class Rows:
        def __len__(self):
            return 4

        def rows(self, indices):
            boxes, present = layouts(0, 4, g.max_entities)
            rng = np.random.default_rng(1)
            whole = {
                "latents": rng.normal(size=(4, 1, side, side, 4)).astype(np.float32),
                "ids": rng.integers(0, 100, (4, 16)).astype(np.int32),
                "boxes": np.asarray(boxes),
                "present": np.asarray(present),
                "text": rng.normal(size=(4, g.max_entities, g.text_width)).astype(np.float32),
                "image": rng.normal(size=(4, g.max_entities, g.image_width)).astype(np.float32),
            }
            return {name: array[indices] for name, array in whole.items()}

        def names(self, indices):
            return [str(index) for index in indices]

    schedule = Schedule(steps=9, batch_size=2, learning_rate=0.01, warmup_steps=1, ema_decay=0.9)
    stage = layout_stage(toy, schedule, Rows(), Recipe())
    start, frozen = stage.init()
    bars = jnp.asarray(alphas_cumprod(toy.preset.noise))
    loss = partial(notebook["guided_loss"], toy.preset, bars)
    by_hand = jax.jit(partial(notebook["one_step"], loss))
    step = make_train_step(stage.loss, schedule, draw=stage.draw)
    ours = notebook["begin"](start)
    theirs = create_state(jax.tree.map(jnp.copy, start), schedule)
    for number in range(3):
        batch = stage.batch(number)
        drawn = stage.draw(jax.random.fold_in(jax.random.key(schedule.seed), number), batch)
        rate = notebook["rate_at"](number, 0.01, 1, 9)
        ours, value = by_hand(ours, frozen, {**batch, **drawn}, rate, schedule.ema_decay)
        theirs, told = step(theirs, frozen, batch)
        np.testing.assert_allclose(value, told["loss"], rtol=1e-4)
    for path, leaf in flatten_dict(ours["params"]).items():
        # Adam makes a whole step of a gradient that is all rounding.
        far = np.abs(leaf - flatten_dict(theirs.params)[path])
        assert np.quantile(far, 0.99) < 1e-4, path
