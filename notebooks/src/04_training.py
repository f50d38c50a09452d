# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] tags=["slide"]
# # 04 · Training: what makes the gates move
#
# **Goal, in one sentence:** train the gated layers on still pictures with boxes while all else is
# frozen, with a step that you wrote, and find out why gates so often stay shut.
#
# ![Left: a picture with two boxes becomes latents, and noise is added. Middle: the network in grey
# with a lock on it; only the thin gated layers and the grounding network are coloured. Right: a
# gate over the steps of training, one line that leaves zero and one that stays
# there.](pictures/04_training.png)
#
# [![Open in Colab](pictures/colab.png)]({{COLAB}})
#
# **You will be able to**
#
# - say what a sample for layout training is, and write the loss beside its equation;
# - part a network by rule into what learns and what does not, and count the share;
# - write a training step (gradient, clip, Adam, average) and prove that it is the package's;
# - stop a run in the middle, go on, and get the same numbers;
# - read a report, and say what to change when gates stay shut.
#
# **You need** [02 · grounding tokens](02_grounding_tokens.ipynb), and an idea of what a gradient
# is. No network, no GPU. Symbols: [notation](notation.md); words: [glossary](glossary.md).
#
# {{TIMES}}

# %% [markdown] tags=["teacher"]
# The lesson is about *restraint*: nearly all of the network stands still, and what learns begins by
# changing nothing. Learners mix up two things called "open": a gate that is open, and a layer that
# does something. Keep the two apart from the start. The toy network of sections 4 to 6 has random
# weights; it shows the machinery in seconds and cannot show a cat. Say so before they look for one.
# When time is short leave out the run on disk (section 6).

# %% tags=["install"]
# Filled in from install.py.

# %%
import contextlib
import json
from functools import partial
from math import cos, pi, prod
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict, unflatten_dict
from ipywidgets import FloatLogSlider, IntSlider
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import vdjax
from vdjax.cli import main
from vdjax.data import open_data
from vdjax.data.cache import build
from vdjax.data.storybook.reader import Storybook
from vdjax.ground.tokens import Grounding, GroundingNet, init_net
from vdjax.inspect.gates import read_gates, scale_gates
from vdjax.inspect.pictures import ENTITY_STYLES
from vdjax.model.hf import CLIP, Autoencoder
from vdjax.model.params import init_unet, leaf_shapes
from vdjax.model.unet3d import UNet3D
from vdjax.train import parallel
from vdjax.train.backbone import diffusion_loss
from vdjax.train.diffusion import add_noise, alphas_cumprod
from vdjax.train.encoder import SystemEncoder
from vdjax.train.guided import Recipe, emphasis_inside, opened
from vdjax.train.layout import layout_stage
from vdjax.train.loop import run_stage
from vdjax.train.partition import counted, partition
from vdjax.train.report import read_run
from vdjax.train.reporting.verdict import SHUT, judge
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, make_train_step
from vdjax.train.watching.held_out import HeldOut
from vdjax.train.watching.watchers import Attention
from vdjax.weights.presets import Preset
from vdjax.weights.store import load_tree
from vdjax.widgets import GateInspector, Knobs, picture_html, show

PRESET = "toy"  # random weights, tiny and quick: enough to see the machinery move
SEED, STEPS, BATCH, PICTURES = 0, 60, 8, 96
toy = vdjax.load(PRESET)
work = TemporaryDirectory()  # runs are kept here, and go when the notebook goes


def axes(columns=1, width=4.0, height=3.0):
    """An empty figure and its axes."""
    figure = Figure(figsize=(width * columns, height), dpi=80, layout="constrained")
    return figure, figure.subplots(1, columns)


# %% [markdown] minutes=10 tags=["slide"]
# ## 1 · What is learnt from: still pictures with boxes
#
# The film model never sees a film here. VideoDirectorGPT (section 3.2) trains its layout layers on
# **pictures alone**: a picture has a caption, and boxes with a phrase each. Such data exists in
# plenty (COCO, Flickr30k, Visual Genome); films with boxes for every frame hardly do. The temporal
# layers are bypassed while this goes on, and come back when a film is made.
#
# In the package such a picture is a `Sample`. Data sets of several kinds give them through one
# door, `open_data`; here it is the storybook's world.

# %% tags=["subslide"]
reader = open_data(f"storybook:{PICTURES}", size=128)
samples = [reader[index] for index in (0, 1, 2, 4)]
figure, panels = axes(len(samples), 2.6, 2.9)
for panel, sample in zip(panels, samples, strict=True):
    panel.imshow(sample.image)
    for (colour, line), phrase, box in zip(
        ENTITY_STYLES, sample.phrases, 128 * sample.boxes, strict=False
    ):
        sides = box[2:] - box[:2]
        panel.add_patch(Rectangle(box[:2], *sides, fill=False, ec=colour, ls=line, lw=2))
        x, y = box[0], max(box[1], 12)  # names stay inside the picture
        panel.text(x, y, phrase, fontsize=8, color="white", backgroundcolor=colour, va="bottom")
    panel.set_title(f"sample {sample.id}", fontsize=10)
    panel.axis("off")
show(
    figure,
    alt="Four pictures of the storybook's world; every thing has a box with its name on it.",
)
for sample in samples:
    print(f"{sample.id}: {sample.caption!r}")
    print(f"   background {sample.background.phrase!r}, things {', '.join(sample.phrases)}")

# %% [markdown]
# A network reads numbers. The frozen parts of the system turn each picture into latents, each
# caption into token ids, each phrase and each cut-out thing into an embedding. This is done
# **once** and kept; training then reads rows. The last place belongs to the background, whose box
# is the whole frame. Any object with `name`, `fingerprint`, `mirrors`, `len` and `[index]` that
# gives `Sample`s can be read in this way, your own pictures too.

# %%
encoder = SystemEncoder(toy)
places = toy.preset.grounding.max_entities
keep = {"most": places - 1, "least_area": 0.0}
small = open_data(f"storybook:{PICTURES}", size=encoder.image_size)
data = build(small, Path(work.name) / "cache", encoder, **keep, report=lambda line: None)
rows = data.rows(np.arange(4))
print(f"{len(data)} pictures; four of them as rows:")
for name, array in rows.items():
    print(f"   {name:8} {array.shape!s:18} {array.dtype}")

# %% [markdown] minutes=15 tags=["slide"]
# ## 2 · What is asked: which noise was added?
#
# Latents $x_0$ are mixed with noise $\epsilon$, the more the later the timestep $t$. The network
# sees the mixture, the words $c$ and the grounding tokens $h$, and says what the noise was
# (VideoDirectorGPT trains with this loss, as Stable Diffusion and GLIGEN do):
#
# $$z_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad
# \mathcal{L} = \mathbb{E}_{x_0, \epsilon, t}\ \lVert \epsilon - \hat\epsilon_\theta(z_t, t, c, h)
# \rVert^2.$$
#
# Nothing in it says "look into the box". The box helps only because, where noise hides everything,
# a box says more about the picture than a guess does. That is the whole signal.
#
# The package weighs errors in two ways that the papers above do not: by $\min(\mathrm{SNR}_t, 5) /
# \mathrm{SNR}_t$ with $\mathrm{SNR}_t = \bar\alpha_t / (1 - \bar\alpha_t)$ (min-SNR, Hang et al.
# 2023), and a latent cell inside a box counts three times one outside. From scratch:


# %% tags=["scratch"]
def noisy(x0, noise, t, bars):
    """(batch, …), (batch, …), (batch,), (1000,) -> (batch, …): the latents at timestep t."""
    bar = bars[t].reshape(-1, *(1,) * (x0.ndim - 1))
    return jnp.sqrt(bar) * x0 + jnp.sqrt(1 - bar) * noise


def denoising_loss(predict, x0, noise, t, bars, cells):
    """A number: the weighted squared error of the noise that `predict(z, t)` sees in z."""
    snr = bars[t] / (1 - bars[t])
    weight = jnp.minimum(snr, 5.0) / snr
    error = cells * (predict(noisy(x0, noise, t, bars), t) - noise) ** 2
    return (weight * error.mean(axis=tuple(range(1, x0.ndim)))).mean()


def cell_weights(boxes, present, side, emphasis=2.0):
    """(batch, frame, place, 4), (batch, frame, place) -> (batch, frame, side, side, 1), mean 1."""
    edges = jnp.arange(side) / side

    def covered(low, high):  # how much of each cell lies between the two
        shared = jnp.minimum(high[..., None], edges + 1 / side) - jnp.maximum(low[..., None], edges)
        return jnp.maximum(shared, 0) * side

    across, down = covered(boxes[..., 0], boxes[..., 2]), covered(boxes[..., 1], boxes[..., 3])
    inside = down[..., :, None] * across[..., None, :] * present[..., None, None]
    weights = 1 + emphasis * inside[:, :, :-1].max(axis=2)  # the last place is the background's
    return (weights / weights.mean(axis=(1, 2, 3), keepdims=True))[..., None]


# %%
bars = jnp.asarray(alphas_cumprod(toy.preset.noise))
side = toy.preset.unet.sample_size
x0 = jnp.asarray(rows["latents"], jnp.float32)
noise = jax.random.normal(jax.random.key(SEED), x0.shape)
t = jnp.array([100, 400, 700, 950])
boxes, present = jnp.asarray(rows["boxes"]), jnp.asarray(rows["present"])
cells = cell_weights(boxes, present, side)


def guess(z, t):  # any function will do for the comparison
    return 0.3 * jnp.tanh(z)


np.testing.assert_allclose(noisy(x0, noise, t, bars), add_noise(x0, noise, t, bars)[0], atol=1e-5)
np.testing.assert_allclose(cells, emphasis_inside(boxes, present, side, side, 2.0), atol=1e-5)
drawn = {"timesteps": t, "noise": noise}
theirs, _ = diffusion_loss(toy.preset, guess, x0, None, drawn=drawn, emphasis=cells)
ours = denoising_loss(guess, x0, noise, t, bars, cells)
np.testing.assert_allclose(ours, theirs, rtol=1e-5)
print(f"the loss of a guess: {ours:.4f}, equal to vdjax.train.backbone.diffusion_loss")

# %% [markdown]
# A picture under more and more noise, mixed as the equation says (on pixels here, to be seen; the
# network gets latents), and on the right the weights of the cells of that sample.

# %% tags=["subslide"]
levels = (0, 200, 400, 600, 800, 999)
pixels = jnp.asarray(samples[0].image / 127.5 - 1, jnp.float32)[None]
speckle = jax.random.normal(jax.random.key(SEED), pixels.shape)
figure, panels = axes(len(levels) + 1, 1.75, 2.2)
for panel, level in zip(panels, levels, strict=False):
    mixed = noisy(pixels, speckle, jnp.array([level]), bars)[0]
    panel.imshow(np.clip((np.asarray(mixed) + 1) / 2, 0, 1))
    panel.set_title(f"t = {level}\n{float(bars[level]):.1%} signal", fontsize=9)
    panel.axis("off")
image = panels[-1].imshow(cells[0, 0, ..., 0], cmap="cividis")
panels[-1].set_title("weight\nof each cell", fontsize=9)
panels[-1].axis("off")
figure.colorbar(image, ax=panels[-1], shrink=0.6)
show(
    figure,
    alt="A picture under six levels of noise, from clear to nothing but noise; beside it the "
    "weights of 8 by 8 cells, higher where the boxes are.",
)

# %% [markdown] tags=["discuss"]
# At which timesteps can a box help at all? Hold a sheet of paper over the pictures and guess where
# the things are. (5 minutes. On the left the picture itself says it, on the right only the box
# does. The package draws noisy timesteps more often for this reason: `Recipe.noisier`.)

# %% [markdown] minutes=10 tags=["slide"]
# ## 3 · What learns: a partition by rule
#
# Gradients go to the gated layers ("fusers") and to the grounding network; every other parameter is
# a constant. The rule reads the *names* of the parameters:
#
# $$\theta = \theta_\text{learns} \cup \theta_\text{frozen}, \qquad
# \theta_\text{learns} = \{\text{gated layers}\} \cup \{\text{grounding MLP}\}.$$


# %% tags=["scratch"]
def learns(path):
    """("unet", "down_blocks_0", …, "fuser", …) -> whether this parameter learns."""
    return path[0] == "net" or any(part.startswith("fuser") for part in path)


def parted(params):
    """{"unet": …, "net": …} -> two trees without a common leaf: what learns, what does not."""
    flat = flatten_dict(params)
    trained = {path: leaf for path, leaf in flat.items() if learns(path)}
    frozen = {path: leaf for path, leaf in flat.items() if not learns(path)}
    return unflatten_dict(trained), unflatten_dict(frozen)


# %%
params = {"unet": toy.params["unet"], "net": toy.params["net"]}
for ours, theirs in zip(parted(params), partition(params, "paper"), strict=True):
    assert flatten_dict(ours).keys() == flatten_dict(theirs).keys()
print("the same partition as vdjax.train.partition.partition(params, 'paper')")
example = next(path for path in flatten_dict(params) if learns(path))
print("one that learns:", " / ".join(example))


# %% [markdown]
# How much is that? Shapes are enough to count (`jax.eval_shape`: nothing is computed and nothing
# allocated), so the full size can be counted on a laptop. The paper says 13 % for what it trains
# and 27 % if all of guided attention is trained; it does not say of what. Counted with the
# autoencoder, both come out (12.5 and 27.1 %).

# %% tags=["subslide"]
RULES = {
    "paper": "gated layers, MLP",
    "guided": "+ attention around them",
    "full": "all but the autoencoder",
}


def shapes_of(preset):
    """The shapes of a preset's UNet and grounding network, and the autoencoder's number count."""
    key = jax.random.key(0)
    unet = jax.eval_shape(partial(init_unet, preset.unet), key)
    net = jax.eval_shape(partial(init_net, preset.grounding), key)
    besides = sum(map(prod, leaf_shapes(Autoencoder(preset.autoencoder).init).values()))
    return {"unet": unet, "net": net}, besides


sizes = {"full size": Preset.videodirectorgpt(), "storybook": Preset.storybook(), "toy": toy.preset}
figure, axis = axes(width=6.5, height=2.6)
for row, (name, preset) in enumerate(sizes.items()):
    shapes, besides = shapes_of(preset)
    shares = {rule: counted(shapes, rule, besides=besides) for rule in RULES}
    whole = shares["paper"].trained + shares["paper"].frozen + besides
    print(
        f"{name}: {whole:,} parameters with the autoencoder; "
        + ", ".join(f"{rule} {100 * one.share:.1f} %" for rule, one in shares.items())
    )
    for one, colour, hatch in zip(
        reversed(shares.values()), ("#cccccc", "#56b4e9", "#d55e00"), ("", "..", "//"), strict=True
    ):
        label = RULES[one.rule] if row == 0 else None
        axis.barh(row, 100 * one.share, color=colour, hatch=hatch, ec="white", label=label)
axis.set_yticks(range(len(sizes)), sizes)
axis.set(
    title="what learns under three rules",
    xlabel="share of UNet, grounding network and autoencoder (%)",
    ylabel="preset",
    xlim=(0, 100),
)
axis.invert_yaxis()
figure.legend(loc="outside lower center", ncols=3, fontsize=8)
show(figure, alt="Bars per preset: the share that learns under the rules paper, guided and full.")

# %% [markdown] minutes=20 tags=["slide"]
# ## 4 · One step, from scratch
#
# A step takes the gradient for what learns, cuts it to length 1 at most, lets Adam make a move of
# it, and pulls a moving average behind the parameters; the average is what is kept in the end:
#
# $$g = \nabla_{\theta_\text{learns}} \mathcal{L}, \qquad g \leftarrow g \cdot
# \min(1, 1 / \lVert g \rVert), \qquad \theta \leftarrow \theta - \eta_k\,
# \mathrm{Adam}(g), \qquad \bar\theta \leftarrow \bar\theta + (1 - d_k)(\theta - \bar\theta).$$
#
# The rate $\eta_k$ rises for some steps and falls along a cosine; $d_k = \min(d, (1 + k) / (10 +
# k))$ lets the average forget the first parameters.


# %% tags=["scratch"]
def rate_at(step, peak, warmup, steps, floor=0.05):
    """The learning rate of step 0, 1, …: up in a line, down along a cosine to `floor` of it."""
    if step < warmup:
        return peak * step / warmup
    along = min((step - warmup) / (steps - warmup), 1)
    return peak * (floor + (1 - floor) * (1 + cos(pi * along)) / 2)


clip_then_adam = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b1=0.9, b2=0.99))


def begin(params):
    """What is carried from step to step."""
    return {"params": params, "average": params, "moments": clip_then_adam.init(params), "step": 0}


def one_step(loss, state, frozen, batch, rate, decay):
    """(state, loss) after one step; `loss(params, frozen, batch)` is a number."""
    value, gradient = jax.value_and_grad(loss)(state["params"], frozen, batch)
    move, moments = clip_then_adam.update(gradient, state["moments"])
    params = jax.tree.map(lambda p, m: p - rate * m, state["params"], move)
    k = state["step"] + 1
    d = jnp.minimum(decay, (1 + k) / (10 + k))
    average = jax.tree.map(lambda a, p: a + (1 - d) * (p - a), state["average"], params)
    return {"params": params, "average": average, "moments": moments, "step": k}, value


# %% [markdown]
# The loss of the whole network is the loss of section 2 with the network in the place of `guess`:
# words by CLIP's text tower, tokens by the grounding network, and the UNet in image mode, without
# its temporal layers. The two trees are put together again inside, so that the gradient knows only
# one of them.


# %% tags=["scratch"]
def guided_loss(preset, bars, params, frozen, batch):
    """The denoising loss of the network on a batch that holds its own noise and timesteps."""
    flat = {**flatten_dict(frozen["unet"]), **flatten_dict(params["unet"])}
    words, _ = CLIP(preset.scene_text).text(frozen["text"], batch["ids"])
    told = Grounding(**{name: batch[name] for name in Grounding.__dataclass_fields__})
    tokens = GroundingNet(preset.grounding).apply({"params": params["net"]}, told)

    def predict(z, t):
        unet = {"params": unflatten_dict(flat)}
        return UNet3D(preset.unet).apply(unet, z, t, words, tokens, video=False)

    cells = cell_weights(batch["inside"], batch["present"], preset.unet.sample_size)
    x0 = batch["latents"].astype(jnp.float32)
    return denoising_loss(predict, x0, batch["noise"], batch["timesteps"], bars, cells)


# %% [markdown]
# The package calls what is trained a *stage*: where it begins, its batches, its loss. Its batches
# take away a part of what is known, as GLIGEN's do: half of the captions, one grounding in ten, and
# of half the things either the word or the picture. Take four steps by hand, four with the package,
# and compare all parameters, trained and averaged.

# %%
schedule = Schedule(
    steps=STEPS, batch_size=BATCH, learning_rate=0.01, warmup_steps=10, ema_decay=0.9, seed=SEED
)
stage = layout_stage(toy, schedule, data, Recipe())
start, frozen = stage.init()
draw = jax.jit(lambda key: stage.draw(key, {"latents": np.zeros((BATCH, *x0.shape[1:]))}))
step_by_hand = jax.jit(partial(one_step, partial(guided_loss, toy.preset, bars)))


def batch_of(step):
    """The batch of a step with its noise: what the package draws, from the same key."""
    key = jax.random.fold_in(jax.random.key(schedule.seed), step)
    return {**stage.batch(step), **draw(key)}


def rate_of(step):
    return rate_at(step, schedule.learning_rate, schedule.warmup_steps, schedule.steps)


mine = begin(start)
for step in range(4):
    mine, _ = step_by_hand(mine, frozen, batch_of(step), rate_of(step), schedule.ema_decay)

spread = parallel.spread(batch_size=BATCH, devices=1)
package_step = make_train_step(stage.loss, schedule, spread, draw=stage.draw)
package, placed = spread.place(create_state(start, schedule), frozen)
for step in range(4):
    package, _ = package_step(package, placed, spread.feed(stage.batch(step)))

far = 0.0
for ours, theirs in ((mine["params"], package.params), (mine["average"], package.ema)):
    for path, leaf in flatten_dict(ours).items():
        other = flatten_dict(theirs)[path]
        np.testing.assert_allclose(leaf, other, rtol=1e-2, atol=2e-4, err_msg="/".join(path))
        far = max(far, float(jnp.abs(leaf - other).max()))
count = sum(leaf.size for leaf in jax.tree.leaves(start))
print(f"4 steps, {count:,} numbers that learn: equal to make_train_step, at most {far:.0e} apart")

# %% [markdown] minutes=15 tags=["slide"]
# ## 5 · Watch the gates move
#
# A gate at zero is GLIGEN's start: the network is exactly what it was. But then
#
# $$\frac{\partial \mathcal{L}}{\partial W} \propto \tanh(\alpha) = 0 \qquad \text{for everything }
# W \text{ inside the layer,}$$
#
# so at first only the gate itself can move, and in a direction that random layers give it. The
# package starts the other way round: the gate stands half open, and the last linear map of what it
# lets through is zero. Either way nothing is added at first; but now the layer learns from the
# first step. And a third start, the second at a hundredth of the rate. All with the step above,
# already compiled.


# %%
def train(params, peak=schedule.learning_rate):
    """STEPS steps by hand: the state at the end, and what was seen on the way."""
    state, seen = begin(params), {"loss": [], "gates": []}
    for step in range(STEPS):
        rate = rate_at(step, peak, schedule.warmup_steps, STEPS)
        seen["gates"].append([gate.attention for gate in read_gates(state["params"]["unet"])])
        state, loss = step_by_hand(state, frozen, batch_of(step), rate, schedule.ema_decay)
        seen["loss"].append(float(loss))
    seen["gates"].append([gate.attention for gate in read_gates(state["params"]["unet"])])
    return state, {name: np.array(values) for name, values in seen.items()}


zero_start, _ = layout_stage(toy, schedule, data, Recipe(open_gate=None)).init()
print(f"three trainings of {STEPS} steps of {BATCH} pictures ...", flush=True)
arms = {
    "gates at zero": train(zero_start),
    "gates open, output zero": train(start),
    "the same, rate / 100": train(start, schedule.learning_rate / 100),
}

# %% tags=["slide"]
layers = [gate.layer for gate in read_gates(start["unet"])]
figure, panels = axes(3, 3.5, 3.2)
for panel, (title, (_, seen)) in zip(panels, arms.items(), strict=True):
    for number, layer in enumerate(layers):
        colour, line = ENTITY_STYLES[number % len(ENTITY_STYLES)]
        label = layer if panel is panels[0] else None
        panel.plot(seen["gates"][:, number], color=colour, ls=line, label=label)
    panel.set(title=title, xlabel="step", ylabel="tanh(attention gate)", ylim=(-0.3, 0.75))
    panel.axhline(0, color="black", linewidth=0.6)
figure.legend(loc="outside lower center", ncols=len(layers), fontsize=8)
show(
    figure,
    alt="tanh of each layer's attention gate over the steps, for three starts: from zero, from "
    "half open, and from half open at a hundredth of the learning rate.",
)
for title, (_, seen) in arms.items():
    moved = np.abs(seen["gates"][-1] - seen["gates"][0])
    size = np.abs(seen["gates"][-1]).mean()
    print(f"{title}: mean size {size:.3f} at the end; moved by {moved.mean():.4f} on average")

# %% [markdown]
# Gates that move are not yet gates that help. Three questions, on pictures that nobody trained on:
#
# - Is the error smaller than with all gates shut, on the same noise?
# - Is it smaller **because of the boxes**? Turn all boxes round, left to right and top to bottom,
#   and tell the network these: if it heeds them, it must get worse.
# - How much of what an entity's token gets of attention comes from inside its box? Chance is the
#   box's area, which is what a network without an idea would give.

# %%
unseen = Storybook(BATCH, split="validation", seed=1931, size=encoder.image_size)
held = build(unseen, Path(work.name) / "held", encoder, **keep, report=lambda line: None)
held_out = HeldOut.of(held, BATCH, stage.empty_ids)
exam = [{**held_out.rows, **draw(jax.random.key(seed))} for seed in range(1000, 1008)]


def turned(batch):
    """The same batch with every box told as if the picture were turned upside down."""
    return {**batch, "boxes": 1 - batch["boxes"][..., [2, 3, 0, 1]]}


def error_of(params, batches):
    """The loss on pictures that were not trained on, mean over eight draws of noise."""
    state = begin(params)
    return np.mean([float(step_by_hand(state, frozen, batch, 0.0, 0.9)[1]) for batch in batches])


watch = Attention(preset=toy.preset, held_out=held_out.first(4))
silent = {**start, "unet": scale_gates(start["unet"], 0.0)}
ends = {title: state["average"] for title, (state, _) in arms.items()}
print(f"{'':24} loss    boxes turned  attention inside boxes")
for title, end in {"all gates shut": silent, **ends}.items():
    errors = error_of(end, exam), error_of(end, map(turned, exam))
    looks = watch(0, end, frozen)
    print(f"{title:24} {errors[0]:.4f}  {errors[1]:.4f}        {looks['attention/inside']:.3f}")
print(f"chance, the mean area of the boxes: {looks['attention/chance']:.3f}")

# %% tags=["subslide"]
figure, axis = axes(width=6, height=3)
for number, (title, (_, seen)) in enumerate(arms.items()):
    colour, line = ENTITY_STYLES[number]
    smooth = np.convolve(seen["loss"], np.ones(10) / 10, "valid")
    axis.plot(np.arange(10, STEPS + 1), smooth, color=colour, ls=line, label=title)
axis.set(title="training loss, mean of ten steps", xlabel="step", ylabel="loss (no unit)")
axis.legend(fontsize=8)
show(figure, alt="The training loss of the three starts over the steps, smoothed over ten steps.")

# %% [markdown]
# Read the table line by line.
#
# - **The loss falls to less than half** of what it is with shut gates, on unseen pictures too (0.52
#   against 1.24). And yet turning all the boxes round changes it by 0.0001 at most, and attention
#   inside the boxes stays near chance (0.110 against 0.099). What was learnt has next to
#   nothing to do with boxes: the backbone here is random, and the new layers do some of its work.
# - **The start at zero is not dead here**: its gates reach 0.1, and its loss runs some steps behind
#   the other's. Of the storybook's network, with few samples, the package tells another story (see
#   `opened` in `vdjax/train/guided.py`); this toy does not show it.
# - **At a hundredth of the rate** the gates stand at 0.46, "open" by any rule, because they began
#   there; hardly anything was learnt (1.20).
#
# So neither an open gate, nor a moving one, nor a falling loss says that boxes are heeded. That has
# to be asked on its own.

# %% [markdown] tags=["discuss"]
# "The loss has halved, so the boxes work." What would you have to see before you believe it? And
# the other way round, with a backbone that is trained: "the loss barely falls, so training is
# broken"? (5 minutes. Turned boxes must hurt. And of a trained network's loss most is noise that
# nobody can foresee; a box explains a small part.)

# %% [markdown] minutes=15 tags=["slide"]
# ## 6 · A run on disk: killed, and gone on with
#
# A loop in a notebook forgets all when the kernel dies. A run of the package keeps checkpoints, and
# the batch and the noise of step $k$ depend on the seed and on $k$ alone, so that a run that goes
# on sees what an unbroken one would have seen. Pull the plug in step 26 of a run that keeps a
# checkpoint every 20 (a *watcher* may look on while a stage is trained; this one does harm):


# %%
class PowerCut:
    every = 26

    def __call__(self, step, params, frozen):
        raise KeyboardInterrupt(f"the plug was pulled after step {step}")


run = Path(work.name) / "runs" / "toy"
try:
    run_stage(stage, run, checkpoint_every=20, watchers=[PowerCut()])
except KeyboardInterrupt as end:
    print(f"KeyboardInterrupt: {end}")

# %% [markdown]
# Now the command line goes on, in the same folder. In a terminal this is
#
# ```sh
# vdjax train layout --preset toy --steps 60 --batch 8 --learning-rate 0.01 --warmup 10 --ema 0.9 \
#     --data storybook --count 96 --cache cache --checkpoint-every 20 --out runs/toy --resume
# ```
#
# and here the same function that the command calls. Other options than those that the run began
# with would be refused.

# %%
options = f"--steps {STEPS} --batch {BATCH} --learning-rate 0.01 --warmup 10 --ema 0.9"
kept = f"--data storybook --count {PICTURES} --cache cache --checkpoint-every 20"
with contextlib.chdir(work.name):
    code = main(f"train layout --preset toy {options} {kept} --out runs/toy --resume".split())
assert code == 0

# %% tags=["subslide"]
log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
logged = {entry["step"]: entry["loss"] for entry in log}
by_hand = arms["gates open, output zero"][1]["loss"]
figure, axis = axes(width=6, height=3)
axis.plot(range(1, STEPS + 1), by_hand, color="#0072b2", label="by hand, unbroken")
axis.plot(logged.keys(), logged.values(), "o", ms=4, mfc="none", color="#d55e00", label="the run")
axis.axvline(20.5, color="black", ls=":", label="gone on with after step 20")
axis.set(title="one training, twice", xlabel="step", ylabel="loss (no unit)")
axis.legend(fontsize=8)
show(figure, alt="The loss of the loop by hand as a line, that of the interrupted run as circles.")
apart = max(abs(logged[step] - by_hand[step - 1]) for step in logged)
learnt = load_tree(run / "weights.safetensors")[0]
mean = np.mean([abs(gate.attention) for gate in read_gates(learnt["unet"])])
print(f"{len(logged)} steps in the log, none twice; losses at most {apart:.1e} apart")
print(f"mean size of tanh(attention gate) in the weights that were kept: {mean:.3f}")

# %% [markdown]
# **The report.** `vdjax train report runs/toy` writes one page with curves and a verdict: do the
# gates open, and do the boxes do anything? It has no script and loads nothing, so it can be mailed.
# Its verdict in words:

# %%
with contextlib.chdir(work.name):
    main(["train", "report", "runs/toy"])
verdict = judge(read_run(run))
print(verdict.headline)
for line in verdict.evidence:
    print(" -", line)

# %% [markdown]
# The steps after the checkpoint, 21 to 26, were lost and made again; the log has each once, and the
# losses agree with the unbroken loop by hand to the last digits that float32 holds.
#
# Look at what the verdict says, and at what it does not. "Open" is true, and it was true before the
# first step. Whether boxes are heeded was *not watched*: with `--watch-every 500` a run is looked
# at while it learns (attention in boxes, samples with gates and without, boxes found by a
# detector), and open gates whose boxes do nothing are then called that.

# %% [markdown] minutes=10 tags=["slide"]
# ## 7 · Train or load: the gates that ship
#
# Seconds move gates, layout takes more pictures. The storybook's weights come from trainings of
# their own, first on two CPU cores and then on an accelerator, in which the gated layers saw some
# three million pictures; the toy's saw 480. Load them in place of training, and compare them with
# the start (dotted) and with the toy's end. The widget below the figure has the shipped gates once
# more, layer by layer; what they *add*, step by step, is the subject of 06.

# %%
storybook = vdjax.load("storybook")
shipped = read_gates(storybook.params["unet"])
trained = read_gates(learnt["unet"])
begun = float(np.tanh(Recipe().open_gate))
figure, (left, right) = axes(2, 4.2, 3.2)
for panel, gates, title in ((left, trained, f"toy, {STEPS} steps"), (right, shipped, "shipped")):
    spots = np.arange(len(gates))
    panel.bar(spots - 0.2, [g.attention for g in gates], 0.38, color="#0072b2", hatch="//", ec="w")
    panel.bar(spots + 0.2, [g.dense for g in gates], 0.38, color="#e69f00", ec="white")
    panel.axhline(begun, color="black", ls=":", lw=1)
    panel.set_xticks(spots, [g.layer for g in gates], fontsize=7, rotation=45)
    panel.set(title=title, xlabel="guided layer", ylabel="tanh(gate), no unit", ylim=(-0.2, 1.02))
show(
    figure,
    alt="Two bars per guided layer, attention (hatched) and feed-forward; left the toy's after 60 "
    "steps, right the shipped ones. A dotted line marks where gates began.",
)
for name, gates in (("toy", trained), ("shipped", shipped)):
    for kind in ("attention", "dense"):
        values = np.array([getattr(gate, kind) for gate in gates])
        print(
            f"{name:8} {kind:9} mean size {np.abs(values).mean():.2f}, "
            f"from {values.min():.2f} to {values.max():.2f}"
        )
GateInspector(shipped)

# %% [markdown]
# The toy's gates stand in a row near where they began. The shipped ones have taken sides: wide open
# at the finest level (`down 0.0`, `up 2.0`, `up 2.1`), half as open one level coarser on the way
# up, and low in the middle of the network, where a cell is a large part of the picture: there the
# attention gates are all but shut (0.02 to 0.04). Nobody told them so. A layer that is nearly shut
# is no fault, then; a mean over layers hides it.
#
# The same exam as for the toy: pictures of the validation split, which neither the layers nor the
# backbone learnt from.

# %% tags=["subslide"]
eyes = SystemEncoder(storybook)
world = Storybook(BATCH, split="validation", seed=1931, size=eyes.image_size)
keep["most"] = storybook.preset.grounding.max_entities - 1
story = build(world, Path(work.name) / "story", eyes, **keep, report=lambda line: None)
loaded = layout_stage(storybook, schedule, story, Recipe(), warm_start=True)
gates_there, frozen_there = loaded.init()
pages = HeldOut.of(story, BATCH, loaded.empty_ids).rows
draw_there = jax.jit(lambda key: loaded.draw(key, {"latents": pages["latents"]}))
loss_there = jax.jit(loaded.loss)
shut_there = {**gates_there, "unet": scale_gates(gates_there["unet"], 0.0)}
found = {"gates as shipped": [], "boxes turned": [], "gates shut": []}
for seed in range(1000, 1008):
    key = jax.random.key(seed)
    batch = {**pages, **draw_there(key)}
    for name, tree, told in (
        ("gates as shipped", gates_there, batch),
        ("boxes turned", gates_there, turned(batch)),
        ("gates shut", shut_there, batch),
    ):
        found[name].append(float(loss_there(tree, frozen_there, told, key)[0]))
figure, axis = axes(width=6, height=2.8)
for number, (name, losses) in enumerate(found.items()):
    colour, line = ENTITY_STYLES[number]
    axis.plot(range(1, len(losses) + 1), losses, marker="o", color=colour, ls=line, label=name)
    print(f"{name:18} mean loss {np.mean(losses):.3f}")
axis.set(title="the shipped gates, on the same noise", xlabel="draw of noise", ylabel="loss")
axis.set(ylim=(0, None))
axis.legend(fontsize=8, ncols=3, loc="lower center")
show(
    figure,
    alt="The loss of the shipped system for eight draws of noise: with its gates, with its gates "
    "and boxes turned round, and with all gates shut.",
)

# %% [markdown]
# Here the boxes do it. With its gates the network's error is less than half of what it is without
# (0.17 against 0.39), in each of the eight draws; and with the boxes turned round it is worse than
# with no boxes at all (0.60): a network that heeds boxes is misled by wrong ones. Compare with the
# toy's table, where the same two columns are equal. Films say more than a loss does: 05 shows them,
# and 07 measures where things stand in them.

# %% [markdown] minutes=15 tags=["slide"]
# ## 8 · What fails, and what was measured
#
# People who train GLIGEN on pictures of their own report most often that boxes do nothing. The
# report's usual causes, with what to change:
#
# | cause | what to change |
# |---|---|
# | too few steps at too small a rate | more steps, a higher rate, a shorter warm-up |
# | gates start at zero: no gradient behind them | open gates, zero output (`open_gate`) |
# | captions are always there, and explain the picture | leave out half (`--caption-kept 0.5`) |
# | few pictures in a step: the gate's gradient is mostly noise | `--batch`, `--accumulate` |
# | the average that is kept lags behind | a smaller `--ema` for a short run |
# | boxes tiny, mirrored, or not where the things are | look at them, as in section 1 |
#
# The first can be reckoned without training anything. Adam moves a number by about the learning
# rate at most (Kingma and Ba 2015, section 2.1), so the **sum of the rates** bounds how far a gate
# can go:
#
# $$|\alpha_K - \alpha_0| \lesssim \sum_{k=0}^{K-1} \eta_k.$$
#
# Turn the knobs: with 0.00005, as in both papers, when can a gate leave the shut zone at all?


# %%
def reach_picture(peak, warmup, steps):
    """The bound over the steps, and the line below which the report calls gates shut."""
    rates = [rate_at(step, peak, warmup, steps) for step in range(steps)]
    figure, (left, right) = axes(2, 3.8, 2.8)
    left.plot(rates, color="#0072b2")
    left.set(title="learning rate", xlabel="step", ylabel="rate")
    right.plot(np.tanh(np.cumsum(rates)), color="#d55e00")
    right.axhline(SHUT, color="black", ls=":")
    right.set(title="how far a gate can have come", xlabel="step", ylabel="tanh of the sum")
    right.set(ylim=(0, 1.02))
    words = f"The bound ends at {np.tanh(sum(rates)):.3f}; below {SHUT} (dotted) gates are shut."
    return picture_html(figure, alt=words) + f"<p>{words}</p>"


Knobs(
    reach_picture,
    peak=FloatLogSlider(value=5e-5, min=-5, max=-2, step=0.1, continuous_update=False),
    warmup=IntSlider(value=100, min=0, max=1000, step=50, continuous_update=False),
    steps=IntSlider(value=2000, min=1100, max=10000, step=100, continuous_update=False),
)

# %% [markdown]
# This is a bound: noise drives a gate back and forth, and real ones come less far.
#
# **The paper's ablations, asked in small**, with the weights that shipped before. Their gates went
# on learning in one way or another, 100 steps of 16 pictures, three seeds each, and films of 12
# held-out plans were measured. The numbers are the package's own, means over the seeds with 95 %
# intervals (the file `benchmarks/ABLATIONS.md` has all of them and the commands):
#
# | what an entity is told by | mean IoU | boxes filled |
# |---|---|---|
# | text | 0.62 [0.48, 0.75] | 0.73 [0.60, 0.86] |
# | image | 0.65 [0.57, 0.74] | 0.75 [0.67, 0.82] |
# | both (the paper's way) | 0.70 [0.62, 0.78] | 0.80 [0.74, 0.87] |
#
# | where it is said to be | mean IoU | boxes filled |
# |---|---|---|
# | box (the paper's way) | 0.70 [0.62, 0.78] | 0.80 [0.74, 0.87] |
# | centre point | 0.53 [0.36, 0.70] | 0.70 [0.48, 0.91] |
# | no place | 0.04 [0.02, 0.05] | 0.01 [0.00, 0.02] |
#
# Read them with care. Before these trainings IoU was 0.71 [0.65, 0.76]: training the paper's way a
# little longer improved nothing, the rows show what is lost by other ways. "Both" is best, but the
# intervals overlap. Without a place nothing is left, which no interval puts in doubt. And from shut
# gates, 200 steps of 16 left IoU at 0.04 to 0.09, whatever was tried: layout is not learnt from
# 3,200 pictures. The *share* that is trained hardly shows in 100 steps: from 5 % to all, IoU is
# 0.70 to 0.73, inside one another's intervals; nor do clips in place of pictures (0.72).

# %% [markdown] tags=["exercise"]
# ## 9 · Exercises
#
# Write in the first cell, run the second: it says whether you are there, or what to look at.

# %% [markdown] tags=["exercise"]
# ### Exercise 1 · Only the gates
#
# *Difficulty 2/5 · importance 4/5 · 5 to 10 minutes*
#
# What if only the gates themselves learnt, two numbers per layer? Write `gates_only(params)`: two
# trees, what learns and what is frozen, in which `alpha_attn` and `alpha_dense` learn and nothing
# else. No parameter may be lost, and none may be in both.


# %% tags=["stub"]
def gates_only(params):
    return parted(params)  # your code here


# %% tags=["check"]
def check_gates_only(answer):
    whole = set(flatten_dict(params))
    one, two = (set(flatten_dict(tree)) for tree in answer(params))
    gates = {path for path in whole if path[-1] in ("alpha_attn", "alpha_dense")}
    if one != gates:
        extra, missing = len(one - gates), len(gates - one)
        return f"what learns has {extra} leaves too many and lacks {missing} of {len(gates)} gates."
    if one & two:
        return f"{len(one & two)} leaves are in both trees: Adam would move them, and who else?"
    if one | two != whole:
        return f"{len(whole - one - two)} leaves are in neither tree; a network needs all of them."
    return f"Right: {len(gates)} numbers learn. Can they, if what they open is random?"


print(check_gates_only(gates_only))

# %% [markdown] tags=["hint"]
# The name of a leaf is the last part of its path: `path[-1]`. `parted` shows the rest.


# %% tags=["solution"]
def gates_only(params):
    flat = flatten_dict(params)
    gates = {path for path in flat if path[-1] in ("alpha_attn", "alpha_dense")}
    trained = {path: leaf for path, leaf in flat.items() if path in gates}
    frozen = {path: leaf for path, leaf in flat.items() if path not in gates}
    return unflatten_dict(trained), unflatten_dict(frozen)


# %% tags=["wrong"]
# says: leaves are in both trees
def gates_only(params):
    flat = flatten_dict(params)
    trained = {path: leaf for path, leaf in flat.items() if path[-1].startswith("alpha_")}
    return unflatten_dict(trained), params


# %% tags=["wrong"]
# says: and lacks
def gates_only(params):
    flat = flatten_dict(params)
    trained = {path: leaf for path, leaf in flat.items() if path[-1] == "alpha_attn"}
    frozen = {path: leaf for path, leaf in flat.items() if path[-1] != "alpha_attn"}
    return unflatten_dict(trained), unflatten_dict(frozen)


# %% [markdown] tags=["exercise"]
# ### Exercise 2 · How many steps, at least?
#
# *Difficulty 2/5 · importance 4/5 · 10 minutes*
#
# A rate rises in a line for `warmup` steps and is constant after that (GLIGEN's schedule); a gate
# starts at $\alpha = 0$. Write `fewest_steps(peak, warmup, gate)`: after how many steps can
# $\tanh(\alpha)$ have come to `gate` at the earliest, by the bound above? Step 0 has rate 0.


# %% tags=["stub"]
def fewest_steps(peak, warmup, gate):
    return 1  # your code here


# %% tags=["check"]
def check_fewest_steps(answer):
    for peak, warmup, gate in ((1e-3, 0, 0.5), (1e-3, 100, 0.5), (5e-5, 10_000, 0.02)):
        rates = [peak * min(step / max(warmup, 1), 1) if warmup else peak for step in range(30_000)]
        truth = int(np.argmax(np.cumsum(rates) >= np.arctanh(gate))) + 1
        value = answer(peak, warmup, gate)
        told = f"peak {peak:g}, warm-up {warmup}, gate {gate:g}"
        if abs(value - truth) <= 1:
            continue
        if warmup and abs(value - np.ceil(np.arctanh(gate) / peak)) <= 1:
            return f"{told}: {value} leaves out the warm-up, in which a gate goes less far."
        if abs(value - np.ceil(gate / peak)) <= 1:
            return f"{told}: {value} is for alpha = gate, but tanh(alpha) = gate is asked."
        return f"{told}: {value}; by the bound it is {truth}."
    return "Right: at GLIGEN's rate and warm-up even 0.02 takes some three thousand steps."


print(check_fewest_steps(fewest_steps))

# %% [markdown] tags=["hint"]
# The gate's parameter has to come to `np.arctanh(gate)`. Add up rates until the sum is there.


# %% tags=["solution"]
def fewest_steps(peak, warmup, gate):
    come, step = 0.0, 0
    while come < np.arctanh(gate):
        come += peak * step / warmup if step < warmup else peak
        step += 1
    return step


# %% tags=["wrong"]
# says: leaves out the warm-up
def fewest_steps(peak, warmup, gate):
    return int(np.ceil(np.arctanh(gate) / peak))


# %% tags=["wrong"]
# says: but tanh(alpha) = gate is asked
def fewest_steps(peak, warmup, gate):
    return int(np.ceil(gate / peak))


# %% [markdown] tags=["exercise"]
# ### Exercise 3 · Open, and still silent
#
# *Difficulty 3/5 · importance 5/5 · 10 to 15 minutes*
#
# Write `half_open(gated, gate)`: the gated layers as the package starts them. Every `alpha_attn`
# and `alpha_dense` is `gate`; the last linear map of the attention (modules named `to_out…`) and of
# the feed-forward (modules named `net_2…`) is zero, kernel and bias; all else stays. `gated` itself
# must stay as it is.


# %% tags=["stub"]
def half_open(gated, gate):
    return gated  # your code here


# %% tags=["check"]
def check_half_open(answer):
    given = parted(params)[0]["unet"]
    before = {path: np.array(leaf) for path, leaf in flatten_dict(given).items()}
    made = flatten_dict(answer(given, 0.5))
    if any(not np.array_equal(leaf, before[path]) for path, leaf in flatten_dict(given).items()):
        return "the layers that came in were changed: make a new tree."
    for path, truth in flatten_dict(opened(given, 0.5)).items():
        if path not in made:
            return f"{'/'.join(path[-3:])} is lost: the tree must keep all of its leaves."
        if np.allclose(made[path], truth):
            continue
        name = "/".join(path[-3:])
        if path[-1].startswith("alpha_"):
            return f"the gate {name} is {float(made[path]):.2f}; it should be 0.50."
        if not np.any(truth):
            return f"{name} is not zero: with an open gate the layer would speak from the start."
        return f"{name} was changed: only the last maps are zero, or nothing could be learnt."
    return "Right: nothing is added yet, and every output map gets a gradient at once."


print(check_half_open(half_open))

# %% [markdown] tags=["hint"]
# `flatten_dict(gated)` has paths such as `(…, "fuser", "attn", "to_out_0", "kernel")`. Ask whether
# any part of a path starts with `to_out` or `net_2`.

# %% [markdown] tags=["hint"]
# `jnp.full_like(leaf, gate)` and `jnp.zeros_like(leaf)` make new leaves of the same shape.


# %% tags=["solution"]
def half_open(gated, gate):
    made = {}
    for path, leaf in flatten_dict(gated).items():
        if path[-1].startswith("alpha_"):
            leaf = jnp.full_like(leaf, gate)
        elif any(part.startswith(("to_out", "net_2")) for part in path):
            leaf = jnp.zeros_like(leaf)
        made[path] = leaf
    return unflatten_dict(made)


# %% tags=["wrong"]
# says: is not zero: with an open gate
def half_open(gated, gate):
    flat = flatten_dict(gated)
    gates = {path: gate for path in flat if path[-1].startswith("alpha_")}
    return unflatten_dict({**flat, **gates})


# %% tags=["wrong"]
# says: only the last maps are zero
def half_open(gated, gate):
    flat = flatten_dict(gated)
    return unflatten_dict(
        {
            path: jnp.full_like(leaf, gate) if path[-1].startswith("alpha_") else 0 * leaf
            for path, leaf in flat.items()
        }
    )


# %% [markdown] tags=["questions"]
# ## 10 · Questions
#
# 1. The model makes films. Why are its layout layers trained on pictures?
# 2. Which of the two trees does Adam hold moments for, and what does that save?
# 3. A gate is half open. Does its layer do anything?
# 4. Why does a run that was killed and gone on with give the numbers of an unbroken one?
# 5. The loss falls, the gates are open. What else do you look at before you say that boxes work?

# %% [markdown] tags=["answers"]
# 1. Pictures with boxes exist in plenty; the temporal layers are bypassed, stay as they are, and
#    are there again when a film is made.
# 2. For what learns alone; at 13 % that is 13 % of the memory for gradients and moments.
# 3. Not if the map behind it is zero, as at the start. Open says how much is let through, not that
#    there is something.
# 4. Batch and noise of a step depend on the seed and the step alone, and a checkpoint holds
#    parameters, average and moments.
# 5. Pictures that were not trained on: the error with gates and with gates shut, attention inside
#    boxes against chance, and what a detector finds in them.

# %% [markdown] tags=["references"]
# ## References, and what to read next
#
# - Lin, Zala, Cho, Bansal: *VideoDirectorGPT*, COLM 2024,
#   [arXiv:2309.15091](https://arxiv.org/abs/2309.15091), section 3.2 and appendix D.3: image-only
#   training, 13 % of the parameters.
# - Li et al.: *GLIGEN*, CVPR 2023, [arXiv:2301.07093](https://arxiv.org/abs/2301.07093): gates at
#   zero, a frozen network, what is dropped in training.
# - Hang et al.: *Efficient Diffusion Training via Min-SNR Weighting Strategy*, ICCV 2023,
#   [arXiv:2303.09556](https://arxiv.org/abs/2303.09556).
# - Kingma, Ba: *Adam*, ICLR 2015, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
# - Zhang, Rao, Agrawala: *ControlNet*, ICCV 2023,
#   [arXiv:2302.05543](https://arxiv.org/abs/2302.05543): zero output maps.
# - The package: `vdjax/train/partition.py` (the rules), `vdjax/train/state.py` (the step),
#   `vdjax/train/guided.py` (the stage), `vdjax/train/loop.py` (the loop),
#   `vdjax/train/reporting/verdict.py` (the causes).
# - Next: [05 · multi-scene sampling](05_multi_scene_sampling.ipynb), where trained gates make
#   films.
