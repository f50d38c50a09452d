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
# # 08 · Many devices: the same step, cut into pieces
#
# **Goal, in one sentence:** write one training step for four devices in three ways, show that each
# learns what one device learns, and read off what the devices had to send.
#
# ![Left: a batch of eight rows is cut into four pairs, one pair per device. Middle: each device
# holds the whole network and computes its own gradient. Right: the four gradients are averaged by
# one all-reduce, and every device makes the same update.](pictures/08_devices.png)
#
# [![Open in Colab](pictures/colab.png)]({{COLAB}})
#
# **You will be able to**
#
# - average gradients over devices by `pmap`, by `shard_map` and by `jit` over a mesh;
# - say which part of an array lies on which device, from its sharding;
# - count what a compiled program sends, and build the ring that sends it;
# - work out memory and sending for the full-size model on 8, 64 and 256 devices;
# - say what four simulated devices can show, and what they cannot.
#
# **You need** to know what a gradient is; [02 · grounding tokens](02_grounding_tokens.ipynb) is a
# help. No network, no GPU: the four devices are made of your processor. Words:
# [glossary](glossary.md).
#
# {{TIMES}}

# %% [markdown] tags=["teacher"]
# One idea carries everything: a mean over rows is a mean of means. All three ways follow from it;
# they differ in who does the cutting. Learners who used `pmap` before ask where the axis in front
# has gone; answer with the pictures of section 2. Do the ring (section 7) with four people and four
# paper slips each before you show the code. The kernel must be fresh: the number of devices is
# fixed once JAX has started. Sections 8 and 9 stand alone when time is short.

# %% tags=["install"]
# Filled in from install.py.

# %% [markdown] minutes=5 tags=["slide"]
# ## 1 · Four devices out of one processor
#
# JAX can cut a processor into as many devices as you like. They behave like GPUs in all that
# matters here: each has its own arrays, and nothing gets from one to the other unless a program
# sends it. The number has to be said *before* JAX starts. Outside a notebook the same is said by
# `JAX_NUM_CPU_DEVICES=4` or, in the older way, by
# `XLA_FLAGS=--xla_force_host_platform_device_count=4`.

# %%
import jax

try:
    jax.config.update("jax_platforms", "cpu")  # also where there is a GPU: one would not do
    jax.config.update("jax_num_cpu_devices", 4)
except RuntimeError:  # it runs already
    pass
if len(jax.devices()) != 4:
    raise SystemExit("JAX runs already, with other devices: restart the kernel, then run this cell")

import os
import re
import sys
import time
from collections import Counter
from functools import partial
from math import prod

import ipywidgets
import jax.numpy as jnp
import numpy as np
import optax
from IPython.display import display
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from matplotlib.figure import Figure

import vdjax
from vdjax.ground.tokens import Grounding, GroundingNet
from vdjax.model.attention import GatedSelfAttention
from vdjax.model.params import fill_params
from vdjax.progress import Printed
from vdjax.runtime import FAST_CPU, enable_compilation_cache
from vdjax.train.backbone import diffusion_draws, diffusion_loss, drawn_in
from vdjax.train.parallel import spread
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, make_optimizer, make_train_step
from vdjax.weights.presets import get_preset
from vdjax.widgets import Knobs, picture_html, play, show

BATCH, STEPS, SEED = 8, 6, 0
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")  # one per device
enable_compilation_cache()
devices = jax.devices()
print(f"{len(devices)} devices: {', '.join(map(str, devices))}")
print(f"made of {os.cpu_count()} processor cores")


def axes(columns=1, width=4.0, height=3.0, rows=1):
    """An empty figure and its axes."""
    figure = Figure(figsize=(width * columns, height * rows), dpi=80, layout="constrained")
    return figure, figure.subplots(rows, columns)


# %% [markdown] minutes=15 tags=["slide"]
# ## 2 · Which part lies where
#
# A *mesh* gives the devices a place in a grid, and names to the grid's axes. The package's has two:
# along **data** only rows of a batch are divided; along **fsdp** (fully sharded data parallel)
# parameters are divided, too. A `PartitionSpec` then says, for each axis of an *array*, along which
# axes of the *mesh* it is cut. `None`, or nothing, means: not cut, a copy everywhere.

# %%
grid = Mesh(np.array(devices).reshape(2, 2), ("data", "fsdp"))
numbers = np.zeros((8, 8), np.float32)
SPECS = {
    "P('data')": P("data"),
    "P(('data', 'fsdp'))": P(("data", "fsdp")),
    "P(None, 'fsdp')": P(None, "fsdp"),
    "P()": P(),
}


def held(array):
    """Per device, in order: an array of True where it holds the number."""
    masks = {device: np.zeros(array.shape, bool) for device in devices}
    for shard in array.addressable_shards:
        masks[shard.device][shard.index] = True
    return [masks[device] for device in devices]


def draw_held(panels, array, name):
    """A row of panels, one per device: what it holds is coloured."""
    for panel, mask, colour, device in zip(panels, held(array), COLOURS, devices, strict=True):
        table = np.atleast_2d(mask)
        tall, wide = table.shape
        lines = 0.4 if wide <= 16 else 0.0
        panel.pcolormesh(table, cmap=colours_of(colour), vmin=0, vmax=1, ec="white", lw=lines)
        panel.set(title=f"{name}\ndevice {device.id}", xlabel="column", ylabel="row")
        panel.title.set_fontsize(8)
        panel.set(xlim=(0, wide), ylim=(tall, 0), xticks=[0, wide], yticks=[0, tall])


def colours_of(colour):
    """Light grey for False, the colour for True."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(["#e8e8e8", colour])


figure, panels = axes(4, width=1.9, height=1.8, rows=len(SPECS))
for row, (name, spec) in zip(panels, SPECS.items(), strict=True):
    draw_held(row, jax.device_put(numbers, NamedSharding(grid, spec)), name)
show(
    figure,
    alt="Four rows of four panels. P('data'): devices 0 and 1 hold the upper half, 2 and 3 the "
    "lower. P(('data', 'fsdp')): each holds another quarter of the rows. P(None, 'fsdp'): 0 and 2 "
    "hold the left columns, 1 and 3 the right. P(): all hold all.",
)

# %% [markdown]
# The devices stand in the mesh as $\begin{pmatrix}0&1\\2&3\end{pmatrix}$: *data* counts its rows,
# *fsdp* its columns. Cut along both, an array of 64 numbers leaves 16 on each device; cut along
# one, 32, and every number is there twice; not cut, all 64, four times.

# %% [markdown] tags=["discuss"]
# Which of the four suits the rows of a batch, which the weights of a layer, which a bias of eight
# numbers? (5 minutes. Rows: cut by all devices. Weights: either a copy everywhere or cut along
# fsdp. A bias is not worth cutting: it would have to be gathered before each use.)

# %% [markdown] minutes=10 tags=["slide"]
# ## 3 · One step on one device
#
# The step to be cut: the package's loss of layout training, on a network small enough for a
# notebook. It has the two parts that learn in the paper (VideoDirectorGPT, section 3.2): the
# grounding net, which makes tokens, and a gated layer, which reads them. Two fixed matrices stand
# for the frozen rest. The rows are random numbers: it is arithmetic that we look at, not pictures.

# %%
preset = get_preset("toy")
config, shape = preset.grounding, (1, 8, 8, 4)  # (frame, height, width, channel) of the latents
layer = GatedSelfAttention(heads=4, head_dim=16, channels=64)


def rows_of(step):
    """The whole batch of a step."""
    rng = np.random.default_rng([SEED, step])
    entities, width = config.max_entities, config.text_width
    corners = np.sort(rng.random((BATCH, 1, entities, 2, 2)), axis=3)
    here = rng.random((BATCH, entities)) < 0.7
    return {
        "latents": rng.normal(size=(BATCH, *shape)).astype(np.float32),
        "boxes": corners.reshape(BATCH, 1, entities, 4).astype(np.float32),
        "present": here[:, None],
        "text": rng.normal(size=(BATCH, entities, width)).astype(np.float32),
        "image": rng.normal(size=(BATCH, entities, width)).astype(np.float32),
        "has_text": here,
        "has_image": here,
    }


def tokens_of(net, batch):
    """Grounding tokens (row, place, width)."""
    grounding = Grounding(**{name: batch[name] for name in Grounding.__dataclass_fields__})
    return GroundingNet(config).apply({"params": net}, grounding)[:, 0]


def package_loss(params, frozen, batch, key):
    """(loss, metrics): a mean over rows. Draws noise from the key unless the batch holds some."""
    tokens = tokens_of(params["net"], batch)

    def predict(noisy, timesteps):
        visual = noisy.reshape(len(noisy), 64, 4) @ frozen["into"]
        visual = layer.apply({"params": params["gated"]}, visual, tokens)
        return (visual @ frozen["out_of"]).reshape(noisy.shape)

    return diffusion_loss(preset, predict, batch["latents"], key, drawn=drawn_in(batch))


def draw(key, shapes):
    """Timesteps and noise for a whole batch."""
    return diffusion_draws(preset, shapes["latents"].shape, key)


def first_params():
    """Parameters to begin with; gates half open."""
    batch = rows_of(0)
    grounding = Grounding(**{name: batch[name] for name in Grounding.__dataclass_fields__})
    net = jax.eval_shape(GroundingNet(config).init, jax.random.key(0), grounding)["params"]
    visual = jax.ShapeDtypeStruct((1, 64, 64), jnp.float32)
    seen = jax.ShapeDtypeStruct((1, config.max_entities, config.width), jnp.float32)
    gated = jax.eval_shape(layer.init, jax.random.key(0), visual, seen)["params"]
    params = fill_params({"net": net, "gated": gated}, SEED)
    return jax.tree.map(np.asarray, params)


frozen = jax.tree.map(
    np.asarray,
    fill_params(
        {
            "into": {"kernel": jax.ShapeDtypeStruct((4, 64), jnp.float32)},
            "out_of": {"kernel": jax.ShapeDtypeStruct((64, 4), jnp.float32)},
        },
        SEED + 1,
    ),
)
frozen = {name: leaf["kernel"] for name, leaf in frozen.items()}
params = first_params()
learning = sum(leaf.size for leaf in jax.tree.leaves(params))
print(f"{learning:,} numbers learn, in {len(jax.tree.leaves(params))} arrays")

# %% [markdown]
# The package's step on one device, `make_train_step` without a `spread`, is what all others are
# compared with. It computes the gradient, clips it, moves the parameters by AdamW. A few steps of
# it:

# %%
schedule = Schedule(steps=50, batch_size=BATCH, learning_rate=1e-2, warmup_steps=2, seed=SEED)


texts = {}  # of compiled programs, for section 6


def learn_by_package(name, over=None):
    """Parameters after each of STEPS steps of the package, and the losses."""
    step = make_train_step(package_loss, schedule, over, draw=draw)
    state, rest = create_state(jax.tree.map(jnp.asarray, params), schedule), frozen
    if over is not None:
        state, rest = over.place(state, rest)
        step = step.lower(state, rest, over.feed(rows_of(0))).compile()
        texts[name] = step.as_text()
    after, losses = [], []
    for number in range(STEPS):
        batch = rows_of(number) if over is None else over.feed(rows_of(number))
        state, metrics = step(state, rest, batch)
        kept = state.params if over is None else over.fetch(state.params)
        after.append(jax.tree.map(np.array, kept))
        losses.append(float(metrics["loss"]))
    return after, losses


alone, losses = learn_by_package("one device")
print("losses:", ", ".join(f"{loss:.4f}" for loss in losses))

# %% [markdown] minutes=10 tags=["slide"]
# ## 4 · A mean of means
#
# The loss is a mean over the $B$ rows of a batch, $L = \frac1B \sum_i \ell_i$. A gradient is a sum
# like any other, so it may be cut: with $D$ devices and the rows $R_d$ of device $d$, all equally
# many,
#
# $$\nabla L = \frac1B \sum_{i=1}^{B} \nabla \ell_i = \frac1D \sum_{d=1}^{D} g_d, \qquad
# g_d = \frac{D}{B} \sum_{i \in R_d} \nabla \ell_i.$$
#
# Each device needs its own rows only, and all parameters. What must be sent is one gradient.
#
# Chance is the trap. A loss that draws its noise from a key would draw other noise once it is cut.
# So the noise is drawn first, for the whole batch, and becomes a row like the rest; this is what
# the package's `draw` is for.


# %%
def with_noise(step):
    """The rows of a step with the noise that the package draws for them."""
    root = jax.random.wrap_key_data(jax.random.key_data(jax.random.key(schedule.seed)))
    batch = rows_of(step)
    drawn = draw(jax.random.fold_in(root, step), batch)
    return {**batch, **jax.tree.map(np.asarray, drawn)}


def loss(params, frozen, batch):
    """A mean over rows, and nothing from chance."""
    return package_loss(params, frozen, batch, None)[0]


one_device = jax.jit(jax.grad(loss))
batches = [with_noise(step) for step in range(STEPS)]
batch = batches[0]
whole = jax.tree.map(np.asarray, one_device(params, frozen, batch))
pieces = [jax.tree.map(lambda rows, d=d: rows[2 * d : 2 * d + 2], batch) for d in range(4)]
own = [jax.tree.map(np.asarray, one_device(params, frozen, piece)) for piece in pieces]
mean = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *own)


def apart(tree, other):
    """The largest difference of two trees."""
    differences = jax.tree.map(
        lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), tree, other
    )
    return float(max(jax.tree.leaves(differences)))


def gates(tree):
    """The gradient of the two gates."""
    return float(tree["gated"]["alpha_attn"]), float(tree["gated"]["alpha_dense"])


figure, axis = axes(width=5.4, height=3.6)
for number, (piece, colour) in enumerate(zip(own, COLOURS, strict=True)):
    axis.plot(*gates(piece), "o", color=colour, label=f"rows of device {number}")
axis.plot(*gates(mean), "x", color="black", markersize=10, label="mean of the four")
axis.plot(*gates(whole), "o", color="black", fillstyle="none", markersize=14, label="whole batch")
axis.set(
    title="gradient of the two gates",
    xlabel="by the attention gate",
    ylabel="by the feed-forward gate",
)
axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
show(
    figure,
    alt="Four points apart from each other, one per device; the cross of their mean lies in the "
    "circle of the whole batch's gradient.",
)
print(f"mean of the four against the whole, all {learning:,} numbers: {apart(mean, whole):.1e}")
print(f"one device's against the whole: {apart(own[0], whole):.1e}")

# %% [markdown] minutes=10 tags=["slide"]
# ## 5 · Three ways to cut
#
# **By `pmap`.** The oldest. You cut: every array of the batch gets an axis in front, one entry per
# device. One program runs on each device, and `pmean` is where they meet.


# %% tags=["scratch"]
def cut(batch, parts):
    """(B, …) -> (parts, B / parts, …)"""
    return jax.tree.map(lambda rows: rows.reshape(parts, -1, *rows.shape[1:]), batch)


def pmap_gradient(loss, devices):
    """(params, frozen, cut batch) -> gradient of the whole batch."""

    def on_one_device(params, frozen, rows):
        return jax.lax.pmean(jax.grad(loss)(params, frozen, rows), "data")

    return jax.pmap(
        on_one_device,
        axis_name="data",
        in_axes=(None, None, 0),  # all get the same parameters, each its own rows
        out_axes=None,  # what leaves is equal on all
        devices=devices,
    )


# %% [markdown] tags=["subslide"]
# **By `shard_map`.** The same function per device, but arrays keep their shape, and
# `PartitionSpec`s say how they are cut. It can stand inside `jit`, beside code that sees the whole.


# %% tags=["scratch"]
def shard_map_gradient(loss, mesh):
    """(params, frozen, batch) -> gradient of the whole batch."""
    every = mesh.axis_names

    def on_one_device(params, frozen, rows):
        return jax.lax.pmean(jax.grad(loss)(params, frozen, rows), every)

    return jax.jit(
        jax.shard_map(
            on_one_device,
            mesh=mesh,
            in_specs=(P(), P(), P(every)),
            out_specs=P(),
            check_vma=False,  # that it is equal on all is our word: pmean made it so
        )
    )


# %% [markdown] tags=["subslide"]
# **By `jit` over a mesh.** You say only where arrays lie. The function is the one for one device,
# without a word about others; the compiler cuts it and puts in what must be sent.


# %% tags=["scratch"]
def placed(tree, kept):
    """Each array laid where `kept(shape)` says."""
    return jax.tree.map(lambda leaf: jax.device_put(leaf, kept(leaf.shape)), tree)


def jit_gradient(loss, kept):
    """(params, frozen, batch) -> gradient of the whole batch, laid like the parameters."""

    def gradient(params, frozen, batch):
        grads = jax.grad(loss)(params, frozen, batch)
        keep = jax.lax.with_sharding_constraint
        return jax.tree.map(lambda leaf: keep(leaf, kept(leaf.shape)), grads)

    return jax.jit(gradient)


# %% [markdown]
# All of them, against one device. For `jit` twice: all four devices along *data*, and a mesh of
# 2 × 2 in which the parameters are cut along *fsdp* by the package's rule (exercise 2).

# %%
row_mesh = Mesh(np.array(devices).reshape(4, 1), ("data", "fsdp"))
by_fsdp = spread("mesh", batch_size=BATCH, fsdp=2)


def everywhere(shape):
    return NamedSharding(row_mesh, P())


def by_rows(shape):
    return NamedSharding(row_mesh, P(("data", "fsdp")))


def by_rows_2x2(shape):
    return by_fsdp.by_rows


WAYS = {
    # name: the program; where parameters lie; how a batch is fed
    "pmap": (pmap_gradient(loss, devices), lambda tree: tree, partial(cut, parts=4)),
    "shard_map": (
        shard_map_gradient(loss, row_mesh),
        partial(placed, kept=everywhere),
        partial(placed, kept=by_rows),
    ),
    "jit, data 4": (
        jit_gradient(loss, everywhere),
        partial(placed, kept=everywhere),
        partial(placed, kept=by_rows),
    ),
    "jit, data 2 × fsdp 2": (
        jit_gradient(loss, by_fsdp.sharding),
        partial(placed, kept=by_fsdp.sharding),
        partial(placed, kept=by_rows_2x2),
    ),
}
compiled = {}
for name, (program, place, feed) in WAYS.items():
    given = place(params), place(frozen), feed(batch)
    compiled[name] = program.lower(*given).compile()
    texts[name] = compiled[name].as_text()
    found = compiled[name](*given)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), found, whole)
    print(f"{name:>20}: largest difference to one device {apart(found, whole):.1e}")

# %% [markdown] tags=["subslide"]
# A gradient is not yet a step. With the same optimiser behind it, each way has to learn what the
# package's step learned on one device in section 3, step after step. (To keep it short, the
# optimiser runs once here, not on every device.) The package's own steps over four devices,
# `spread("mesh")` and `spread("pmap")`, stand beside them.

# %%
optimizer = make_optimizer(schedule)


@jax.jit
def advance(grads, opt_state, params):
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


def learn(name):
    """Parameters after each step."""
    _, place, feed = WAYS[name]
    mine, rest = params, place(frozen)
    opt_state, after = optimizer.init(mine), []
    for batch in batches:
        grads = jax.tree.map(np.asarray, compiled[name](place(mine), rest, feed(batch)))
        mine, opt_state = advance(grads, opt_state, mine)
        mine = jax.tree.map(np.asarray, mine)
        after.append(mine)
    return after


SPREADS = {
    "vdjax, pmap": spread("pmap", batch_size=BATCH),
    "vdjax, mesh 4 × 1": spread("mesh", batch_size=BATCH),
    "vdjax, mesh 2 × 2": by_fsdp,
    "vdjax, mesh 1 × 4": spread("mesh", batch_size=BATCH, fsdp=4),
}
learned = {name: learn(name) for name in WAYS}
learned |= {name: learn_by_package(name, over)[0] for name, over in SPREADS.items()}
drift = {
    name: [apart(mine, theirs) for mine, theirs in zip(after, alone, strict=True)]
    for name, after in learned.items()
}
moved = apart(alone[-1], params)
for after in learned.values():
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-2, atol=1e-3 * moved), after[-1], alone[-1]
    )
print(f"in {STEPS} steps the parameters moved by up to {moved:.1e}")

# %% tags=["slide"]
figure, axis = axes(width=7.5, height=3.6)
for mark, (name, values) in zip("os^Dvx+*", drift.items(), strict=True):
    axis.semilogy(range(2, STEPS + 1), values[1:], marker=mark, label=name)
axis.axhline(moved, color="black", linestyle="--", label="how far one device moved")
axis.set(
    title="parameters of four devices against one device's",
    xlabel="after step",
    ylabel="largest difference",
    xticks=range(2, STEPS + 1),
)
axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
show(
    figure,
    alt="Largest difference to one device after each step, a line per way, on a logarithmic scale; "
    "all lie far below the dashed line of how far the parameters moved.",
)
for name, values in drift.items():
    print(f"{name:>20}: {values[-1]:.1e} after {STEPS} steps")

# %% [markdown]
# All eight lines lie on each other, tens of thousands of times below the dashed one. (Step 1 is
# left out: the rate is warmed up from zero, nothing moves.) Equal up to rounding in float32, not
# bit for bit: four partial means are added in another order than eight rows. And a parameter's
# difference is larger than its gradient's, because AdamW divides by the gradient's size: rounding
# of a tiny gradient counts as much as that of a large one.

# %% [markdown] tags=["discuss"]
# "Then the runs are not reproducible." Are they? What stays the same when the same four devices run
# again, and what changes when there are eight? (5 minutes. The same devices give the same order of
# adding; another number of devices gives another rounding, and in time another network of the same
# quality.)

# %% [markdown] minutes=10 tags=["slide"]
# ## 6 · What was sent?
#
# No need to guess: the compiled program is text, and everything that devices say to each other
# stands in it as a *collective*. An **all-reduce** adds up on all, an **all-gather** puts pieces
# together on all, a **reduce-scatter** adds up and leaves each device a piece.

# %% tags=["scratch"]
COLLECTIVES = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"


def collectives(text):
    """Of a compiled program: {kind: (how many, bytes of their results)}."""
    counts, sizes = Counter(), Counter()
    for results, kind in re.findall(rf"= (.*?) ({COLLECTIVES})(?:-start)?\(", text):
        counts[kind] += 1
        for dtype, dims in re.findall(r"(f32|s32|u32|pred)\[([\d,]*)\]", results):
            width = 1 if dtype == "pred" else 4
            sizes[kind] += width * prod(int(size) for size in dims.split(",") if size)
    return {kind: (counts[kind], sizes[kind]) for kind in counts}


# %%
spoken = {name: collectives(texts[name]) for name in WAYS}
for name, found in spoken.items():
    said = [f"{count} {kind} ({size:,} bytes)" for kind, (count, size) in found.items()]
    print(f"{name:>20}: {', '.join(said) or 'nothing'}")
print(f"{'the gradient once':>20}: {4 * learning:,} bytes")

# %% tags=["slide"]
kinds = sorted({kind for found in spoken.values() for kind in found})
figure, (left, right) = axes(2, width=4.6)
names, base = list(spoken), np.zeros((2, len(spoken)))
for kind, colour in zip(kinds, COLOURS, strict=False):
    counts, sizes = np.transpose([spoken[name].get(kind, (0, 0)) for name in names])
    left.barh(names, counts, left=base[0], color=colour, label=kind)
    right.barh(names, sizes / 1e3, left=base[1], color=colour, label=kind)
    base += [counts, sizes / 1e3]
left.set(title="collectives in the program", xlabel="how many", ylabel="way")
left.xaxis.get_major_locator().set_params(integer=True)
right.axvline(4 * learning / 1e3, color="black", linestyle="--", label="the gradient once")
right.set(title="what they result in", xlabel="kilobytes", ylabel="", yticks=[])
right.legend(fontsize=8, loc="lower right")
show(
    figure,
    alt="Bars per way: how many collectives, and their bytes against the gradient's; the numbers "
    "are printed above.",
)

# %% [markdown]
# By `pmap` and by `shard_map` there is one all-reduce, and it is the gradient to the byte: what
# section 4 promised. (The compiler joined the 28 arrays of the gradient into one.) `jit` over
# *data* alone comes to one as well, a tenth larger: two arrays of 64 × 64 and two vectors stand in
# it beside the gradient. Nobody wrote where to add up, so the compiler chose. With parameters
# divided come all-gathers, of pieces of parameters that a device lacks, and more all-reduces than
# one would write by hand. That is the bargain of `jit` over a mesh: nothing to write, so read what
# you got.
#
# The text holds sizes of *results*. What a device sends for a result is the next section.

# %% [markdown] minutes=15 tags=["slide"]
# ## 7 · The ring
#
# How do four devices add up a vector without one of them doing all the work? Each cuts its vector
# into $D$ parts. In $D - 1$ hops, partial sums travel to the right around a ring; then each device
# holds one part complete. In $D - 1$ more hops the complete parts travel. Every hop sends $1/D$ of
# the vector, so each device sends
#
# $$\text{bytes} = 2\,(D - 1) \cdot \frac{S}{D} = \frac{2\,(D - 1)}{D}\, S,$$
#
# which is never more than twice the vector, for however many devices.


# %% tags=["scratch"]
def ring_sum(vector, axis, devices):
    """The sum over devices of (n,) vectors, by sending to the right only; inside `shard_map`.

    Also the vector as this device held it, before and after each hop: (hops + 1, n)."""
    me = jax.lax.axis_index(axis)
    right = [(device, (device + 1) % devices) for device in range(devices)]
    parts = vector.reshape(devices, -1)
    history = [parts]
    for hop in range(devices - 1):  # reduce-scatter: add what arrives
        arrived = jax.lax.ppermute(parts[(me - hop) % devices], axis, right)
        parts = parts.at[(me - hop - 1) % devices].add(arrived)
        history.append(parts)
    for hop in range(devices - 1):  # all-gather: take what arrives
        arrived = jax.lax.ppermute(parts[(me + 1 - hop) % devices], axis, right)
        parts = parts.at[(me - hop) % devices].set(arrived)
        history.append(parts)
    return parts.reshape(-1), jnp.stack(history).reshape(len(history), -1)


# %%
line = Mesh(np.array(devices), ("ring",))


def on_ring(rows):
    total, history = ring_sum(rows[0], "ring", 4)
    return total[None], history[None]


ring = jax.jit(jax.shard_map(on_ring, mesh=line, in_specs=P("ring"), out_specs=P("ring")))
vectors = np.random.default_rng(SEED).normal(size=(4, 12)).astype(np.float32)
totals, _ = ring(vectors)
for total in totals:
    np.testing.assert_allclose(total, vectors.sum(axis=0), rtol=1e-5, atol=1e-5)
print("every device has the sum;", collectives(ring.lower(vectors).compile().as_text()))

# %% [markdown]
# With ones in place of numbers, each entry says from how many devices it was added up. Watch the
# fours appear, one per device, and then spread:

# %% tags=["subslide"]
_, history = ring(np.ones((4, 4), np.float32))  # (device, hop, part)
history = np.asarray(history)
figure, panels = axes(history.shape[1], width=1.45, height=2.0)
for hop, panel in enumerate(panels):
    table = history[:, hop]
    panel.imshow(table, cmap="cividis", vmin=0, vmax=4)
    title = "start" if hop == 0 else f"hop {hop}\n({'add' if hop < 4 else 'take'})"
    panel.set(title=title, xlabel="part", ylabel="device" if hop == 0 else "")
    panel.set(xticks=range(4), yticks=range(4))
    for device, part in np.ndindex(4, 4):
        value = int(table[device, part])
        colour = "white" if value < 3 else "black"
        panel.text(part, device, value, ha="center", va="center", color=colour)
show(
    figure,
    alt="Seven panels of device by part. At the start all ones; after three hops each device has "
    "one part with a four; after three more, all are fours.",
)

# %% [markdown] minutes=10 tags=["slide"]
# ## 8 · Dividing the parameters, too
#
# In data parallelism every device holds all parameters and all that goes with them: AdamW's two
# moments, the moving average. Along *fsdp* they are divided. It saves memory and costs sending:
# before a layer runs, its pieces are gathered. Move the slider: four devices stay four, the mesh
# changes its shape.


# %%
def state_on(over):
    """What one device holds of the state, in bytes by kind, and an example of each sharding."""
    state, rest = over.place(create_state(jax.tree.map(jnp.asarray, params), schedule), frozen)

    def on_first(tree):
        leaves = [leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "addressable_shards")]
        shards = [shard for leaf in leaves for shard in leaf.addressable_shards]
        return sum(shard.data.nbytes for shard in shards if shard.device == devices[0])

    held_bytes = {
        "parameters": on_first(state.params),
        "moving average": on_first(state.ema),
        "moments": on_first(state.opt_state),
        "frozen": on_first(rest),
    }
    return held_bytes, state


def mesh_html(fsdp):
    over = SPREADS[f"vdjax, mesh {4 // fsdp} × {fsdp}"]
    held_bytes, state = state_on(over)
    weight = state.params["gated"]["linear"]["kernel"]
    bias = state.params["gated"]["linear"]["bias"]
    rows = over.feed({"rows": np.zeros((BATCH, 16), np.float32)})["rows"]
    figure, panels = axes(4, width=1.9, height=1.8, rows=3)
    for row, (name, array) in zip(
        panels, {"batch": rows, "a weight": weight, "a bias": bias}.items(), strict=True
    ):
        draw_held(row, array, f"{name}, {'×'.join(map(str, array.shape))}")
    total = sum(held_bytes.values())
    words = (
        f"mesh of data {4 // fsdp} × fsdp {fsdp}: a device holds {total / 1e3:.0f} kB of the state"
    )
    figure.suptitle(words, fontsize=9)
    return picture_html(figure, alt=f"What each device holds is coloured; {words}.")


knobs = Knobs(
    mesh_html,
    fsdp=ipywidgets.SelectionSlider(
        options=[1, 2, 4], value=2, description="fsdp", continuous_update=False
    ),
)
display(knobs)

# %% [markdown]
# No widgets where you read this? `IPython.display.HTML(mesh_html(fsdp=4))`. And what does dividing
# cost? The package's whole steps, compiled for each shape of the mesh:

# %% tags=["subslide"]
costs = {}
for fsdp in (1, 2, 4):
    name = f"vdjax, mesh {4 // fsdp} × {fsdp}"
    held_bytes, _ = state_on(SPREADS[name])
    sent = collectives(texts[name])
    costs[fsdp] = held_bytes, sent
    said = [f"{count} {kind} ({size / 1e3:.0f} kB)" for kind, (count, size) in sent.items()]
    print(f"fsdp {fsdp}: holds {sum(held_bytes.values()) / 1e3:.0f} kB, sends {', '.join(said)}")

figure, (left, right) = axes(2, width=4.4)
labels = [f"{4 // fsdp} × {fsdp}" for fsdp in costs]
base = np.zeros(3)
for kind, colour in zip(costs[1][0], COLOURS, strict=True):
    sizes = np.array([held_bytes[kind] / 1e3 for held_bytes, _ in costs.values()])
    left.bar(labels, sizes, bottom=base, color=colour, label=kind)
    base += sizes
left.set(title="state on one device", xlabel="mesh (data × fsdp)", ylabel="kilobytes")
left.legend(fontsize=8)
base = np.zeros(3)
for kind, colour in zip(sorted({k for _, s in costs.values() for k in s}), COLOURS, strict=False):
    sizes = np.array([sent.get(kind, (0, 0))[1] / 1e3 for _, sent in costs.values()])
    right.bar(labels, sizes, bottom=base, color=colour, label=kind)
    base += sizes
right.set(title="results of a step's collectives", xlabel="mesh (data × fsdp)", ylabel="kilobytes")
right.legend(fontsize=8)
show(
    figure,
    alt="Left: what a device holds of the state for meshes 4 × 1, 2 × 2 and 1 × 4. Right: bytes of "
    "the collectives by kind. The numbers are printed above.",
)

# %% [markdown]
# What a device holds of the state is halved, and halved again; the small rest is vectors, which
# are copied. What is paid: with `fsdp` 1 the gradient once; divided, parameters are gathered as
# well, and the reductions grow rather than shrink. A perfect *fsdp* would scatter the gradient
# while adding it up (reduce-scatter), so that each device gets its piece only; none stands in these
# programs, which add up on all. The frozen part is in the left bars, too, but too small to be seen:
# two matrices of 4 × 64.

# %% [markdown] minutes=15 tags=["slide"]
# ## 9 · The full-size model on 8, 64 and 256 devices
#
# Nobody needs 256 GPUs to work out what they would do. The package's `benchmarks/scaling.py`
# compiled the full-size layout step from shapes alone, nothing was run, and asked the compiler
# what one device would hold and do. What it found, quoted from `benchmarks/scaling.md`:
#
# | | found |
# |---|---|
# | numbers that learn | 213,740,960 of 1,420,039,524 |
# | work of one device and step (8 stills) | 6.47 TFLOP |
# | peak of memory on one device | 18.4 GB: arguments 5.83, temporary 12.61 |
#
# The arguments follow from what is kept: what learns, four times in float32 (weights, average, two
# moments), and what is frozen, once in bfloat16:
#
# $$M = 4 \cdot 4\,n_\text{learn} + 2\,n_\text{frozen} = 16 \cdot 213.7\cdot 10^6 + 2 \cdot 1206
# \cdot 10^6 = 5.83\ \text{GB}.$$
#
# A step sends one gradient, $S = 4\,n_\text{learn} = 0.855$ GB, around the ring of section 7. Its
# time, at $v$ bytes per second, and the time of the work, at $f$ operations per second, are
#
# $$t_\text{sent} = \frac{2\,(D-1)}{D} \cdot \frac{S}{v}, \qquad t_\text{work} = \frac{W}{f}.$$
#
# The speeds are **assumptions**, and the table's worth is theirs: $v$ = 300 GB/s among up to 8
# devices of one host, 50 GB/s beyond; $f$ = 400 TFLOP/s.

# %%
LEARN, FROZEN, WORK = 213_740_960, 1_420_039_524 - 213_740_960, 6.47e12
SPEED, NEAR, FAR = 4e14, 300e9, 50e9  # assumed


def sent_seconds(devices, size=4 * LEARN):
    """One all-reduce around a ring."""
    return 2 * (devices - 1) / devices * size / (NEAR if devices <= 8 else FAR)


QUOTED = {1: (0.0, 0), 8: (5.0, 24), 64: (33.7, 68), 256: (34.1, 68)}  # ms, per cent
work = WORK / SPEED
print(f"arguments: {(16 * LEARN + 2 * FROZEN) / 1e9:.2f} GB; work: {1e3 * work:.1f} ms")
for count, (milliseconds, share) in QUOTED.items():
    sent = sent_seconds(count)
    assert round(1e3 * sent, 1) == milliseconds
    assert round(100 * sent / (sent + work)) == share
    print(
        f"{count:>4} devices, batch {8 * count:>5,}: sent {1e3 * sent:4.1f} ms, {share} % of both"
    )

# %% [markdown]
# The formulas give the table of `benchmarks/scaling.md`. Now turn them: how many stills each device
# gets before one reduction (in parts, `--accumulate`, memory stays as it is), and how fast the
# network between hosts is.


# %%
def scaling_html(stills, network):
    counts = 2 ** np.arange(9)
    near = np.where(counts <= 8, NEAR, network * 1e9)
    sent = 1e3 * 2 * (counts - 1) / counts * 4 * LEARN / near
    worked = np.full(len(counts), 1e3 * work * stills / 8)
    share = 100 * sent / (sent + worked)
    figure, (left, right) = axes(2, width=4.6, height=3.2)
    labels = [str(count) for count in counts]
    left.bar(labels, worked, color=COLOURS[0], label="work")
    left.bar(labels, sent, bottom=worked, color=COLOURS[1], label="sent, if nothing overlaps")
    left.set(title="one step of one device", xlabel="devices", ylabel="milliseconds")
    left.set_ylim(0, 1.35 * (worked + sent).max())
    left.legend(fontsize=8, loc="upper left")
    right.plot(labels, share, "o-", color=COLOURS[1])
    right.set(title="share of sending", xlabel="devices", ylabel="% of the step", ylim=(0, 100))
    words = ", ".join(f"{share[k]:.0f} % of {counts[k]}" for k in (3, 6, 8))
    figure.suptitle(f"{stills} stills a device, network {network} GB/s", fontsize=9)
    return picture_html(figure, alt=f"Work and sending over 1 to 256 devices; sending: {words}.")


display(
    Knobs(
        scaling_html,
        stills=ipywidgets.SelectionSlider(
            options=[8, 16, 32, 64], value=8, description="stills", continuous_update=False
        ),
        network=ipywidgets.SelectionSlider(
            options=[3, 12, 50, 100], value=50, description="GB/s", continuous_update=False
        ),
    )
)

# %% [markdown]
# Within one host, sending is a quarter of the step at 8 stills a device. Beyond it, two thirds: the
# cliff is between 8 and 16 devices, where the assumed network is six times slower, and after that
# the curve is flat, because $2(D-1)/D$ hardly grows. With 32 stills for each reduction the share at
# 64 devices falls to a third. The model's 18.4 GB fit one device of 24 GB, so nothing has to be
# divided: for this model data parallelism is the way, and `--fsdp` stays at 1.

# %% [markdown] minutes=10 tags=["slide"]
# ## 10 · A film over devices
#
# Sampling is easier to spread than training: scenes know nothing of each other, so each device
# makes a scene of its own and *nothing* is sent. `film(…, devices=4)` does that; in a shell
#
# ```sh
# JAX_NUM_CPU_DEVICES=4 vdjax film "…" --devices 4
# JAX_NUM_CPU_DEVICES=4 vdjax batch prompts.jsonl -o films --devices 4
# ```
#
# The network is random and tiny here (`toy`), so the frames show nothing; the question is only
# whether they are the same.

# %%
STORY = ["A cat walks on the beach", "A dog sleeps in the kitchen", "A rocket rises over the sea"]
model = vdjax.load("toy")
options = {"seed": SEED, "steps": 4, "frames": 4, "preset": model}
alone_film = vdjax.film(STORY, **options)
spread_film = vdjax.film(STORY, devices=4, progress=Printed(sys.stdout), **options)
pairs = list(zip(alone_film.frames, spread_film.frames, strict=True))
worst = [int(np.abs(one.astype(int) - four).max()) for one, four in pairs]
other = int(np.abs(pairs[0][0].astype(int) - pairs[1][1]).max())
assert max(worst) <= 1 < other
print(f"largest difference per scene, of 255: {worst}; between two scenes: {other}")

# %% tags=["subslide"]
play(
    {
        "one device": np.concatenate(alone_film.frames),
        "four devices": np.concatenate(spread_film.frames),
    },
    alt="Three scenes of coloured noise, the same on one device and on four",
)

# %% [markdown]
# "The same but for rounding" again: one device runs another program. The package compiles for one
# device of a processor with options that give matrix products to a faster library
# (`vdjax.runtime.FAST_CPU`). **They are not for programs that run side by side**: over several
# devices of one processor, or from several threads, the products spoil one another, by a race, so
# not every time (seen with jaxlib 0.10.2). So over devices the package uses plain `jax.jit`, and so
# does everything in this notebook that is yours.

# %%
for name, value in FAST_CPU.items():
    print(f"{name} = {value}")

# %% [markdown]
# A *round* is one scene per device. Three scenes on four devices fill one round, with a place left
# over, which computes the last scene once more, to be dropped. Five scenes need two rounds, the
# second almost empty. `vdjax batch` fills rounds with scenes of several films.


# %% tags=["scratch"]
def rounds(scenes, devices):
    """(round, device): the number of the scene it makes; one that is dropped is negative."""
    count = -(-scenes // devices)
    table = np.arange(1, count * devices + 1).reshape(count, devices)
    return np.where(table <= scenes, table, -scenes)


# %%
figure, panels = axes(3, width=3.0, height=2.3)
for panel, scenes in zip(panels, (3, 5, 12), strict=True):
    table = rounds(scenes, 4)
    used = (table > 0).mean()
    panel.imshow(table > 0, cmap="cividis", vmin=-0.6, vmax=1.2, aspect="auto")
    for place_ in np.ndindex(table.shape):
        word = f"scene {table[place_]}" if table[place_] > 0 else "dropped"
        colour = "black" if table[place_] > 0 else "white"
        panel.text(*place_[::-1], word, ha="center", va="center", fontsize=7, color=colour)
    panel.set(title=f"{scenes} scenes: {used:.0%} used", xlabel="device", ylabel="round")
    panel.set(xticks=range(4), yticks=range(len(table)), yticklabels=range(1, len(table) + 1))
show(figure, alt="Rounds by devices: 3 scenes use 3 of 4 places, 5 use 5 of 8, 12 use all 12.")

# %% [markdown] minutes=10 tags=["slide"]
# ## 11 · Is it faster? A fair comparison
#
# Four devices out of one processor are four queues for the same cores, and one device already
# spreads a large product over them. So four should not be quicker than one. Measure it: the
# gradient of the same 128 rows on one, two and four devices. And one more, to be fair: four devices
# also work on *smaller pieces*, 32 rows at a time. So let one device do four pieces of 32 rows, one
# after another (this is what `--accumulate 4` does in training). Plain `jax.jit` for all.


# %% tags=["scratch"]
def gradient_in_parts(loss, parts):
    """(params, frozen, batch) -> gradient of the whole batch, part after part on one device."""

    def gradient(params, frozen, batch):
        def add(total, rows):
            return jax.tree.map(jnp.add, total, jax.grad(loss)(params, frozen, rows)), None

        nothing = jax.tree.map(jnp.zeros_like, params)
        total, _ = jax.lax.scan(add, nothing, cut(batch, parts))
        return jax.tree.map(lambda leaf: leaf / parts, total)

    return jax.jit(gradient)


# %%
many = jax.tree.map(lambda rows: np.concatenate([rows] * 16), batch)
cases = {"1 device, in 4 parts": (gradient_in_parts(loss, 4), (params, frozen, many))}
for count in (1, 2, 4):
    few = Mesh(np.array(devices[:count]).reshape(count, 1), ("data", "fsdp"))
    given = [
        placed(tree, lambda shape, spec=spec, few=few: NamedSharding(few, spec))
        for tree, spec in ((params, P()), (frozen, P()), (many, P(("data", "fsdp"))))
    ]
    cases[f"{count} device{'s' * (count > 1)}"] = (shard_map_gradient(loss, few), given)
for program, given in cases.values():
    gradient_of_many = program(*given)  # compiles
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), gradient_of_many, whole)
clocks = {"on the clock": time.perf_counter, "at work, all cores together": time.process_time}
taken = {clock: dict.fromkeys(cases, np.inf) for clock in clocks}
for _ in range(8):  # in turn, so that other work on the machine meets them all
    for name, (program, given) in cases.items():
        began = {clock: read() for clock, read in clocks.items()}
        jax.block_until_ready(program(*given))
        for clock, read in clocks.items():
            milliseconds = 1e3 * (read() - began[clock])
            taken[clock][name] = min(taken[clock][name], milliseconds)

figure, axis = axes(width=7.0, height=3.0)
for offset, (clock, values) in zip((-0.2, 0.2), taken.items(), strict=True):
    heights = np.arange(len(cases)) + offset
    axis.barh(heights, list(values.values()), height=0.36, color=COLOURS[offset > 0], label=clock)
axis.set(
    title=f"gradient of {16 * BATCH} rows, {os.cpu_count()} cores in all",
    xlabel="milliseconds (least of 8)",
    ylabel="",
    yticks=range(len(cases)),
    yticklabels=list(cases),
)
axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
show(figure, alt="Time on the clock and time at work for each case; the numbers are printed below.")
for name in cases:
    clock, work_time = (taken[kind][name] for kind in clocks)
    print(f"{name:>20}: {clock:4.0f} ms on the clock, {work_time:4.0f} ms at work")

# %% [markdown]
# At first sight four devices beat one. But so does one device with four pieces, by as much: it is
# the smaller piece that is quicker (it fits the processor's caches better), and the time at work
# falls with it. Like with like, 32 rows at a time on either side, four devices gain next to
# nothing on two cores, and two devices hardly differ from one. The two columns of a comparison
# must differ in one thing only.
#
# On another machine, or beside other work, the bars stand otherwise. Nothing here says how fast
# four GPUs would be: section 9 works that out from assumptions, only a measurement would tell, and
# this course has none.

# %% [markdown] tags=["exercise"]
# ## 12 · Exercises
#
# Write in the first cell, run the second: it says whether you are there, or what to look at.

# %% [markdown] tags=["exercise"]
# ### Exercise 1 · Unequal shares
#
# *Difficulty 2/5 · importance 4/5 · 5 to 10 minutes*
#
# The formula of section 4 needs equally many rows on every device. Write
# `whole_mean(means, counts)` for when they are not: `means` are the devices' mean gradients (one
# number each will do), `counts` their numbers of rows; the answer is the mean over all rows.


# %% tags=["stub"]
def whole_mean(means, counts):
    return 0.0  # your code here


# %% tags=["check"]
def check_whole_mean(answer):
    rows = [np.array([1.0, 3.0]), np.array([10.0]), np.array([2.0, 4.0, 4.0])]
    means, counts = [piece.mean() for piece in rows], [len(piece) for piece in rows]
    truth, value = float(np.concatenate(rows).mean()), float(answer(means, counts))
    if abs(value - np.mean(means)) < 1e-6:
        return f"{value:.2f} is the mean of the means; one row of 10.0 counts as much as three."
    if abs(value - np.dot(means, counts)) < 1e-6:
        return f"{value:.2f} is the sum over all rows; divide it by how many there are."
    if abs(value - truth) > 1e-6:
        return f"{value:.2f}; for means {np.round(means, 2)} of {counts} rows it is {truth:.2f}."
    return "Right: every row counts the same, wherever it lies. The package asks for equal shares."


print(check_whole_mean(whole_mean))

# %% [markdown] tags=["hint"]
# A mean times its count is a sum. Add the sums, then divide once.


# %% tags=["solution"]
def whole_mean(means, counts):
    return np.dot(means, counts) / np.sum(counts)


# %% tags=["wrong"]
# says: is the mean of the means
def whole_mean(means, counts):
    return np.mean(means)


# %% tags=["wrong"]
# says: is the sum over all rows
def whole_mean(means, counts):
    return np.dot(means, counts)


# %% [markdown] tags=["exercise"]
# ### Exercise 2 · Where to cut a weight
#
# *Difficulty 3/5 · importance 4/5 · 10 to 15 minutes*
#
# Write the package's rule, `spec_of(shape, parts)`: the `PartitionSpec` of an array of the state in
# a mesh whose *fsdp* axis has `parts` devices. It is cut along its longest axis that `parts`
# divides; of two equally long, the first. Vectors and numbers are not cut, nor is what no axis of
# which can be divided: `P()`.


# %% tags=["stub"]
def spec_of(shape, parts):
    return P()  # your code here


# %% tags=["check"]
def check_spec_of(answer):
    shapes = [(), (8,), (6, 4), (4, 6), (3, 3, 8, 4), (5, 7), (3, 12), (8, 8), (10, 4)]
    for parts in (1, 2, 4):
        rule = spread("mesh", batch_size=BATCH, fsdp=parts).sharding
        for shape in shapes:
            truth, value = tuple(rule(shape).spec), answer(shape, parts)
            if not isinstance(value, P):
                return f"for {shape} it gives {value!r}; give a PartitionSpec, P(…)."
            value = tuple(value)
            while value and value[-1] is None:
                value = value[:-1]
            if value == truth:
                continue
            where = f"{shape} in {parts} parts is {P(*truth)}, not {P(*value)}"
            if len(shape) < 2:
                return f"{where}: vectors and numbers are not cut."
            if "fsdp" in value and shape[value.index("fsdp")] % parts:
                return f"{where}: {parts} does not divide that axis."
            if parts == 1:
                return f"{where}: one part is the whole."
            return f"{where}: the longest axis that can be divided."
    return "Right: large things are cut, small ones copied."


print(check_spec_of(spec_of))

# %% [markdown] tags=["hint"]
# First the axes that `parts` divides; then `max(…, key=lambda axis: shape[axis])`, which gives the
# first of equals. The spec has a `None` for every axis before.


# %% tags=["solution"]
def spec_of(shape, parts):
    good = [axis for axis, size in enumerate(shape) if size % parts == 0]
    if parts == 1 or len(shape) < 2 or not good:
        return P()
    longest = max(good, key=lambda axis: shape[axis])
    return P(*[None] * longest, "fsdp")


# %% tags=["wrong"]
# says: does not divide that axis
def spec_of(shape, parts):
    if parts == 1 or len(shape) < 2:
        return P()
    longest = max(range(len(shape)), key=lambda axis: shape[axis])
    return P(*[None] * longest, "fsdp")


# %% tags=["wrong"]
# says: vectors and numbers are not cut
def spec_of(shape, parts):
    good = [axis for axis, size in enumerate(shape) if size % parts == 0]
    if parts == 1 or not good:
        return P()
    return P(*[None] * max(good, key=lambda axis: shape[axis]), "fsdp")


# %% [markdown] tags=["exercise"]
# ### Exercise 3 · The same noise, cut or whole
#
# *Difficulty 3/5 · importance 5/5 · 15 minutes*
#
# Write `own_noise(key, rows)`, which runs on each of four devices inside `shard_map` over the axis
# `"data"`: the noise of *its* `rows` rows of 3 numbers. Put together, the devices' rows must be
# exactly `jax.random.normal(key, (4 * rows, 3))`, what one device would draw. Nothing may be sent.


# %% tags=["stub"]
def own_noise(key, rows):
    return jnp.zeros((rows, 3))  # your code here


# %% tags=["check"]
def check_own_noise(answer):
    mesh, key = Mesh(np.array(devices), ("data",)), jax.random.key(7)
    program = jax.jit(
        jax.shard_map(
            lambda key: answer(key, 2),
            mesh=mesh,
            in_specs=P(),
            out_specs=P("data"),
            check_vma=False,
        )
    )
    made, truth = np.asarray(program(key)), np.asarray(jax.random.normal(key, (8, 3)))
    if made.shape != truth.shape:
        return f"together the rows have shape {made.shape}; they should have {truth.shape}."
    if not made.any():
        return "it is all zeros; noise is normal, with a variance of one."
    if np.allclose(made[:2], made[2:4]):
        return "all devices drew the same noise: four times the same rows are one quarter as good."
    if not np.allclose(made, truth, atol=1e-6):
        return "noise of its own for each device, but not that of one device: draw whole, then cut."
    if sent := collectives(program.lower(key).compile().as_text()):
        return f"the right noise, but something is sent: {', '.join(sent)}."
    return "Right: all draw the whole and keep their part. It costs work, and sends nothing."


print(check_own_noise(own_noise))

# %% [markdown] tags=["hint"]
# `jax.lax.axis_index("data")` is the number of the device.

# %% [markdown] tags=["hint"]
# `jax.lax.dynamic_slice_in_dim(whole, start, rows)` cuts out rows from a `start` that is known only
# when the program runs.


# %% tags=["solution"]
def own_noise(key, rows):
    whole = jax.random.normal(key, (4 * rows, 3))
    return jax.lax.dynamic_slice_in_dim(whole, jax.lax.axis_index("data") * rows, rows)


# %% tags=["wrong"]
# says: all devices drew the same noise
def own_noise(key, rows):
    return jax.random.normal(key, (rows, 3))


# %% tags=["wrong"]
# says: but not that of one device
def own_noise(key, rows):
    own_key = jax.random.fold_in(key, jax.lax.axis_index("data"))
    return jax.random.normal(own_key, (rows, 3))


# %% [markdown] tags=["exercise"]
# ### Exercise 4 · How many parts?
#
# *Difficulty 3/5 · importance 3/5 · 10 minutes*
#
# Write `parts_needed(devices, most)`: the smallest number of parts (`--accumulate`, 8 stills each,
# one reduction for all) with which sending is at most the share `most` of a step of the full-size
# model, if nothing overlaps. Use `sent_seconds(devices)` and `work`, the seconds of 8 stills.


# %% tags=["stub"]
def parts_needed(devices, most):
    return 1  # your code here


# %% tags=["check"]
def check_parts_needed(answer):
    def share(count, parts):
        return sent_seconds(count) / (sent_seconds(count) + parts * work)

    for count, most in ((64, 0.35), (256, 0.1), (8, 0.25), (8, 0.1), (1, 0.1)):
        truth = next(parts for parts in range(1, 1000) if share(count, parts) <= most)
        value = answer(count, most)
        if value != int(value) or value < 1:
            return f"for {count} devices it gives {value}; give a whole number from 1."
        if value < truth:
            got = share(count, value)
            return f"{count} devices, {value} parts: sending is {got:.1%}, more than {most:.0%}."
        if value > truth:
            return f"{count} devices: {value} parts do, but {truth} are enough for {most:.0%}."
    return "Right: more work for each reduction; the batch grows with it, mind the learning rate."


print(check_parts_needed(parts_needed))

# %% [markdown] tags=["hint"]
# With $n$ parts the share is $t / (t + n w)$. Try $n = 1, 2, 3, \dots$


# %% tags=["solution"]
def parts_needed(devices, most):
    sent, parts = sent_seconds(devices), 1
    while sent / (sent + parts * work) > most:
        parts += 1
    return parts


# %% tags=["wrong"]
# says: parts do, but
def parts_needed(devices, most):
    sent, parts = sent_seconds(devices), 1
    while sent / (parts * work) > most:
        parts += 1
    return parts


# %% tags=["wrong"]
# says: more than
def parts_needed(devices, most):
    return max(1, int(sent_seconds(devices) * (1 - most) / (most * work)))


# %% [markdown] tags=["questions"]
# ## 13 · Questions
#
# 1. Which property of the loss makes it allowed to cut a batch?
# 2. `pmap`, `shard_map`, `jit` over a mesh: who cuts, and who decides what is sent?
# 3. A ring of 8 devices and one of 256: how much more does each device send?
# 4. What does *fsdp* save, and what does it cost?
# 5. Why is a film over devices the same film, and why not to the last bit?
# 6. Four simulated devices on two cores: what are they good for?

# %% [markdown] tags=["answers"]
# 1. It is a mean over rows, and takes nothing from chance that is not itself a row.
# 2. `pmap`: you cut and you write `pmean`. `shard_map`: specs cut, you write `pmean`. `jit`: you
#    place arrays, and the compiler does both.
# 3. $2 \cdot 7/8 = 1.75$ against $2 \cdot 255/256 = 1.99$ gradients: 14 % more.
# 4. Memory for parameters, moments and average; it costs gathering parameters in every step.
# 5. Each scene is one row of work that knows of no other; another program rounds in another way.
# 6. For finding out whether a program is right, what it sends and what a device holds. Not for
#    speed.

# %% [markdown] tags=["references"]
# ## References, and what to read next
#
# - Lin, Zala, Cho, Bansal: *VideoDirectorGPT*, COLM 2024,
#   [arXiv:2309.15091](https://arxiv.org/abs/2309.15091), appendix D.3: eight GPUs.
# - Rajbhandari, Rasley, Ruwase, He: *ZeRO: Memory Optimizations Toward Training Trillion Parameter
#   Models*, 2020, [arXiv:1910.02054](https://arxiv.org/abs/1910.02054): dividing the state.
# - Zhao et al.: *PyTorch FSDP*, 2023, [arXiv:2304.11277](https://arxiv.org/abs/2304.11277).
# - Xu et al.: *GSPMD: General and Scalable Parallelization for ML Computation Graphs*, 2021,
#   [arXiv:2105.04663](https://arxiv.org/abs/2105.04663): how a compiler cuts a program.
# - In the package: `vdjax/train/parallel.py` (meshes and pmap), `vdjax/train/state.py` (the step),
#   `vdjax/sample/spread.py` (scenes), `benchmarks/scaling.py` and `scaling.md` (the full size).
# - Next: [09 · real weights](09_real_weights.ipynb), the network at its full size.
