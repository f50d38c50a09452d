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
# # 09 · Real weights: all that can be known before the download
#
# **Goal, in one sentence:** know the full-size network to the last parameter without holding one of
# them, write the converter from PyTorch's layout yourself, and be able to tell whether a checkpoint
# is whole.
#
# ![Left: a published checkpoint, whose names have dots and whose tensors are ordered output first.
# Middle: the converter, which renames each key, turns its axes and refuses whatever is left over.
# Right: the folder that vdjax loads, with a manifest of checksums. Below: what the weights do not
# say: betas, prediction, epsilons, licence.](pictures/09_real_weights.png)
#
# [![Open in Colab](pictures/colab.png)]({{COLAB}})
#
# **You will be able to**
#
# - count the parameters and the arithmetic of a network of any size on a laptop;
# - say which preset fits which memory, and what bfloat16 costs;
# - bring convolutions, linear layers and norms from PyTorch to Flax, and say which mistakes no
#   check of shapes can see;
# - name what a checkpoint does not hold and a sampler must know.
#
# **You need** NumPy, and a rough idea of the network ([05 · multi-scene
# sampling](05_multi_scene_sampling.ipynb) is enough). No network, no GPU, no PyTorch: nothing is
# downloaded unless you turn the switch in section 8. Symbols: [notation](notation.md); words:
# [glossary](glossary.md).
#
# {{TIMES}}

# %% [markdown] tags=["teacher"]
# The lesson looks like bookkeeping and is about trust: how do you know that a network of 1.6
# billion numbers is the one it claims to be? Section 4 is the heart; do the scatter plot of a
# forgotten transposition by all means. Learners expect that a wrong conversion crashes. Most do,
# and the ones that do not are the subject. Sections 2 and 3 are arithmetic that groups can do with
# a pencil first. Section 6 stands alone and can be moved behind 05. Nobody needs the download to
# follow.

# %% tags=["install"]
# Filled in from install.py.

# %%
import json
import math
import re
import tempfile
from pathlib import Path

import flax.linen as nn
import ipywidgets
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from IPython.display import display
from matplotlib.figure import Figure
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.numpy import save_file

import vdjax
from vdjax.cli import main
from vdjax.errors import UserError, WeightsError
from vdjax.ground.prior import init_prior
from vdjax.inspect.gates import scale_gates
from vdjax.model.hf import CLIP, Autoencoder, NoiseConfig, make_scheduler
from vdjax.model.params import leaf_shapes
from vdjax.model.unet3d import UNet3D
from vdjax.runtime import enable_compilation_cache, total_memory_bytes
from vdjax.systems.memory import check_memory
from vdjax.weights.convert import unet3d
from vdjax.weights.convert.rules import expected_shapes, plan_conversion
from vdjax.weights.convert.run import convert
from vdjax.weights.convert.unets import Denoiser, wanted
from vdjax.weights.parts import Part
from vdjax.weights.presets import get_preset
from vdjax.weights.size import denoiser_size, net_shapes, unet_shapes
from vdjax.weights.store import verify
from vdjax.widgets import Knobs, picture_html, show

SEED = 0
BLUE, ORANGE, GREEN, PINK, GREY = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#777777"
enable_compilation_cache()

# A config.json as diffusers writes it, of a network with LVD's parts and next to no width.
TINY = {
    "_class_name": "UNet3DConditionModel",
    "sample_size": 4,
    "block_out_channels": [8, 16],
    "down_block_types": ["CrossAttnDownBlock3D", "DownBlock3D"],
    "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D"],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 6,
    "attention_head_dim": 4,
    "attention_type": "gated",
}
tiny, lvd = unet3d.configure(TINY), get_preset("lvd")


def axes(columns=1, width=4.0, height=3.0):
    """An empty figure and its axes."""
    figure = Figure(figsize=(width * columns, height), dpi=80, layout="constrained")
    return figure, figure.subplots(1, columns)


# %% [markdown] minutes=15 tags=["slide"]
# ## 1 · A network that is only shapes
#
# The number of parameters is a sum over leaves of a product over sides:
#
# $$P = \sum_{\text{leaf}} \prod_i n_i .$$
#
# To know the shapes one would have to build the network, and the full one takes 6.5 GB in float32.
# JAX offers a way round: `jax.eval_shape` runs a function on arrays that are only a shape and a
# dtype. The code is the real code, the numbers are not there.


# %% tags=["scratch"]
def shapes_of(config):
    """Path -> shape of every parameter of a UNet; nothing is allocated."""
    only = jax.ShapeDtypeStruct
    side, frames = config.sample_size, 2
    grounding = only((1, frames, 1, config.grounding_width), jnp.float32) if config.gated else None
    tree = jax.eval_shape(
        UNet3D(config).init,
        jax.random.key(0),
        only((1, frames, side, side, config.in_channels), jnp.float32),
        only((1,), jnp.int32),
        only((1, 1, config.text_width), jnp.float32),
        grounding,
    )
    return {path: leaf.shape for path, leaf in flatten_dict(tree["params"], sep="/").items()}


def count(shapes):
    """The sum of the products."""
    return sum(math.prod(shape) for shape in shapes.values())


def kind_of(leaf):
    """Which of three kinds of layer a leaf belongs to, by the names on its path."""
    if "/fuser/" in leaf:
        return "gated layers"
    temporal = ("transformer_in", "temp_convs", "temp_attentions")
    if any(name.startswith(temporal) for name in leaf.split("/")):
        return "temporal layers"
    return "spatial layers"


# %%
assert shapes_of(tiny.unet) == dict(unet_shapes(tiny.unet))
print(f"tiny: {count(unet_shapes(tiny.unet)):,} parameters, all shapes as the package has them")

# %% [markdown]
# Now the real one. `lvd` is ModelScope's text-to-video network with LVD's gated layers in it; the
# preset is a handful of numbers, everything else follows. Tracing it takes seconds.

# %% tags=["slide"]
shapes = unet_shapes(lvd.unet)
by_kind = {"spatial layers": 0, "temporal layers": 0, "gated layers": 0}
for leaf, shape in shapes.items():
    by_kind[kind_of(leaf)] += math.prod(shape)
by_kind["grounding net"] = count(net_shapes(lvd.grounding))

assert by_kind == denoiser_size(lvd)
assert by_kind["spatial layers"] + by_kind["temporal layers"] == 1_411_233_860  # ModelScope's own
print(f"{len(shapes):,} leaves")
assert main(["weights", "info", "lvd"]) == 0

# %% [markdown]
# The last lines are what `vdjax weights info lvd` prints in a shell. Without gated layers it is
# ModelScope's 1,411,233,860 to the last number: the same count that PyTorch's class has. Where do
# they lie?

# %%
places = ["down_blocks_0", "down_blocks_1", "down_blocks_2", "down_blocks_3", "mid_block"]
places += ["up_blocks_0", "up_blocks_1", "up_blocks_2", "up_blocks_3"]


def place_of(leaf):
    """The block; samplers stand beside theirs, and what is in no block counts as "rest"."""
    return next((place for place in places if leaf.startswith(place)), "rest")


table = {place: dict.fromkeys(("spatial", "temporal", "gated"), 0) for place in [*places, "rest"]}
for leaf, shape in shapes.items():
    table[place_of(leaf)][kind_of(leaf).split()[0]] += math.prod(shape)

figure, axis = axes(width=8, height=3.4)
below = np.zeros(len(table))
for kind, colour, hatch in zip(
    ("spatial", "temporal", "gated"), (BLUE, ORANGE, GREEN), ("", "//", ".."), strict=True
):
    heights = np.array([row[kind] / 1e6 for row in table.values()])
    axis.bar(
        range(len(table)), heights, bottom=below, color=colour, hatch=hatch, label=kind, ec="white"
    )
    below += heights
axis.set_xticks(range(len(table)), [name.replace("_blocks_", " ") for name in table], rotation=30)
axis.set(
    title="where the parameters of the full-size UNet are",
    xlabel="block, in the order in which they run (rest: what is in no block)",
    ylabel="millions of parameters",
)
axis.legend()
show(figure, alt="Stacked bars per block: spatial, temporal and gated parameters, printed below.")
for place, row in table.items():
    print(f"{place:>14}: " + ", ".join(f"{kind} {n / 1e6:6.1f} M" for kind, n in row.items()))

# %% [markdown] tags=["discuss"]
# Most parameters stand where the picture is smallest: a block of 4 × 4 or 8 × 8 cells. Is that
# where most of the work is done, too? (5 minutes, before section 3. A convolution's parameters do
# not depend on the picture's size; its work does.)

# %% [markdown] minutes=15 tags=["slide"]
# ## 2 · Bytes: what fits where
#
# Memory for weights is $P \cdot b$, with $b = 4$ bytes in float32 and $b = 2$ in bfloat16 or
# float16. A film needs more than the UNet: something that reads the sentence (ViT-H/14), the
# autoencoder, and for the paper's fused tokens CLIP ViT-L/14 and Karlo's prior.


# %% tags=["scratch"]
def weight_bytes(shapes, each):
    """Bytes of all leaves, `each` of them for one number."""
    return each * count(shapes)


# %%
paper = get_preset("videodirectorgpt")
gated_only = {leaf: shape for leaf, shape in shapes.items() if kind_of(leaf) == "gated layers"}
parts = {
    "unet": {leaf: shape for leaf, shape in shapes.items() if leaf not in gated_only},
    "gated": {**gated_only, **net_shapes(lvd.grounding)},
    "autoencoder": leaf_shapes(Autoencoder(lvd.autoencoder).init),
    "reads scenes": leaf_shapes(CLIP(lvd.clip).init),
    "tells entities": leaf_shapes(CLIP(paper.clip).init),
    "prior": leaf_shapes(lambda key: init_prior(paper.prior, key)),
}
systems = {
    "modelscope": ("unet", "autoencoder", "reads scenes"),
    "lvd": ("unet", "gated", "autoencoder", "reads scenes"),
    "the paper's": tuple(parts),
}
for name, held in parts.items():
    print(f"{name:>15}: {count(held):>13,} parameters")
print()
for system, names in systems.items():
    wide, half = (sum(weight_bytes(parts[n], each) for n in names) / 1e9 for each in (4, 2))
    print(f"{system:>15}: {wide:5.1f} GB in float32, {half:4.1f} GB in bfloat16")

# %% [markdown]
# (The gated layers of the paper's own preset are the same; its grounding net is a million
# parameters larger, which no digit here shows.)
#
# The package says beforehand when weights do not fit. `Part` is what it knows of a file: shapes and
# dtypes, read from the header. Ours have no file behind them, and the guard does not mind. On the
# machine that runs this cell:


# %% tags=["slide"]
def hollow_part(name, shapes, dtype):
    """A file of weights that is only its header; `mapped` files keep their dtype in memory."""
    return Part(Path(f"{name}.safetensors"), None, shapes, dict.fromkeys(shapes, dtype), True)


def said_of(folder, held):
    """What the package's guard says."""
    try:
        check_memory(Path(folder), held)
    except UserError as error:
        return str(error)
    return "fits"


print(f"this machine has {total_memory_bytes() / 1e9:.1f} GB")
for system, names in systems.items():
    for dtype, each in (("F32", 4), ("BF16", 2)):
        held = [hollow_part(name, parts[name], dtype) for name in names]
        assert sum(part.memory for part in held) == sum(weight_bytes(parts[n], each) for n in names)
        print(f"{system:>12} in {dtype:>4}: {said_of(system, held)}")
print()
print(said_of("a_trillion", [hollow_part("unet", {"kernel": (10**6, 10**6)}, "F32")]))

# %% [markdown]
# Know its limit: the guard counts weights only. What a step needs besides is section 3.
#
# ### What does bfloat16 cost?
#
# bfloat16 keeps float32's range and 8 significant bits, so rounding moves a number by at most
# $2^{-8}$ of itself, 0.4 %. Does the prediction mind? The full-size network is not here, so ask the
# trained small one: round its weights, compute in float32 as before, and compare with a change
# that is meant to matter, one word of the sentence.

# %%
storybook = vdjax.load("storybook")
u = storybook.preset.unet
times = jnp.array([100, 500, 950])
side = u.sample_size
noise = jax.random.normal(jax.random.key(SEED), (3, 1, side, side, u.in_channels))
on_cat, on_dog, on_nothing = storybook.encode_text(["a cat on the beach", "a dog on the beach", ""])


@jax.jit
def predict(params, latents, timesteps, text):
    """What the small network says of three single frames."""
    states = jnp.broadcast_to(text, (3, *text.shape))
    return UNet3D(u).apply({"params": params}, latents, timesteps, states, None, video=False)


def change(one, other):
    """How far apart, frame by frame, in % of the first."""
    gap = jnp.linalg.norm((one - other).reshape(3, -1), axis=1)
    return 100 * np.asarray(gap / jnp.linalg.norm(one.reshape(3, -1), axis=1))


weights = storybook.params["unet"]
rounded = jax.tree.map(lambda w: w.astype(jnp.bfloat16).astype(jnp.float32), weights)
exact = predict(weights, noise, times, on_cat)
by_rounding = change(exact, predict(rounded, noise, times, on_cat))
by_word = change(exact, predict(weights, noise, times, on_dog))

flat = np.concatenate([np.ravel(w) for w in jax.tree.leaves(weights)])
flat = flat[np.abs(flat) > 1e-30]
moved = (flat.astype(ml_dtypes.bfloat16).astype(np.float32) - flat) / flat
assert np.abs(moved).max() <= 2.0**-8

figure, (left, right) = axes(2, height=3.2)
left.hist(100 * moved, bins=80, color=BLUE)
left.set(
    title="rounding the trained weights to bfloat16",
    xlabel="change of a weight in % of it",
    ylabel="number of weights",
)
right.plot(times, by_rounding, "o-", color=BLUE, label="weights rounded to bfloat16")
right.plot(times, by_word, "s--", color=ORANGE, label='"cat" becomes "dog"')
right.set(
    title="change of the prediction (storybook)",
    xlabel="timestep t",
    ylabel="change in %",
    yscale="log",
)
right.legend(fontsize=8)
show(
    figure,
    alt="Left: a histogram of the rounding errors, a few tenths of a percent wide at most. Right: "
    "the change of the prediction by rounding and by a word, over the timestep; printed below.",
)
for t, one, other in zip(times, by_rounding, by_word, strict=True):
    print(f"t = {t:3d}: rounding {one:.2f} %, another word {other:.2f} %")
print(f"{(moved == 0).mean():.0%} of the weights are not moved at all")

# %% [markdown]
# The prediction moves by about as much as a weight does, a few thousandths; the word moves it by
# tens of times that. (The gap around zero in the histogram: these weights are stored in float16,
# which has three bits more, so the smallest errors are an eighth of the largest or none.) That is
# one step of a small network. Whether a full-size film of 50 steps minds is not measured here.

# %% [markdown] minutes=20 tags=["slide"]
# ## 3 · What runs beside the weights
#
# `jax.make_jaxpr` gives the whole program, again without numbers: every operation with the shapes
# of what enters and leaves. Two things can be read off it.
#
# **Work.** A matrix product of $(m, k)$ and $(k, n)$ takes $m\,k\,n$ multiply-adds; a convolution
# takes, for each number that leaves, its window times its input channels.
#
# **Memory.** A result lives from the operation that makes it to the last that reads it. Walk
# through the program, add what is born, take away what is read for the last time, and remember the
# largest sum. A compiler changes this both ways: it fuses operations and never writes some results
# down, and it copies others into an order of axes that it likes better. So this says about how
# much, and is no bound.


# %% tags=["scratch"]
def inner_programs(operation):
    """The programs inside an operation (a jitted function, a loop's body)."""
    for value in operation.params.values():
        if hasattr(value, "jaxpr"):
            yield value.jaxpr
        elif hasattr(value, "eqns"):
            yield value


def multiply_adds(program):
    """Multiply-adds of all products and convolutions in a program."""
    total = 0
    for operation in program.eqns:
        made = math.prod(operation.outvars[0].aval.shape)
        if operation.primitive.name == "dot_general":
            (summed, _), _ = operation.params["dimension_numbers"]
            total += made * math.prod(operation.invars[0].aval.shape[i] for i in summed)
        elif operation.primitive.name == "conv_general_dilated":
            kernel = operation.invars[1].aval.shape
            outputs = operation.params["dimension_numbers"].rhs_spec[0]
            total += made * math.prod(kernel) // kernel[outputs]
        else:
            times = operation.params["length"] if operation.primitive.name == "scan" else 1
            total += times * sum(map(multiply_adds, inner_programs(operation)))
    return total


def live_bytes(program):
    """Bytes of intermediate results alive at each operation; what enters is not counted."""

    def size(variable):
        return math.prod(variable.aval.shape) * variable.aval.dtype.itemsize

    def is_literal(variable):
        return hasattr(variable, "val")

    last = {}
    for at, operation in enumerate(program.eqns):
        last |= {variable: at for variable in operation.invars if not is_literal(variable)}
    last |= {
        variable: len(program.eqns) for variable in program.outvars if not is_literal(variable)
    }
    now, track, born = 0, [], set()
    for at, operation in enumerate(program.eqns):
        born |= set(operation.outvars)
        now += sum(map(size, operation.outvars))
        track.append(now)
        read = {variable for variable in operation.invars if not is_literal(variable)}
        done = {variable for variable in read & born if last[variable] == at}
        now -= sum(map(size, done | {v for v in operation.outvars if v not in last}))
    return track


# %% [markdown]
# First on the tiny network, where XLA can be asked: it counts two operations for each multiply-add,
# and more for what is no product, of which a thin network has a large share.


# %%
def step_of(config, leaves, *, batch, frames, entities, dtype):
    """One denoising step, and the shapes of what enters it."""
    only = jax.ShapeDtypeStruct
    side = config.sample_size

    def step(params, latents, timesteps, text, grounding):
        return UNet3D(config).apply({"params": params}, latents, timesteps, text, grounding)

    return step, (
        unflatten_dict({path: only(shape, dtype) for path, shape in leaves.items()}, sep="/"),
        only((batch, frames, side, side, config.in_channels), dtype),
        only((batch,), jnp.int32),
        only((batch, 77, config.text_width), dtype),
        only((batch, frames, entities, config.grounding_width), dtype),
    )


step, enters = step_of(
    tiny.unet, unet_shapes(tiny.unet), batch=2, frames=4, entities=3, dtype=jnp.float32
)
program = jax.make_jaxpr(step)(*enters).jaxpr
tiny_step = jax.jit(step).lower(*enters).compile()
costs = tiny_step.cost_analysis()
costs = costs[0] if isinstance(costs, list) else costs
temporary = tiny_step.memory_analysis().temp_size_in_bytes
print(f"ours: 2 x {multiply_adds(program):,} = {2 * multiply_adds(program):,}; ", end="")
print(f"XLA counts {int(costs['flops']):,} operations")
print(f"ours: {max(live_bytes(program)):,} bytes at most; XLA sets aside {temporary:,}")

# %% [markdown]
# Now the full one: 16 frames of 256 × 256 pixels (32 × 32 latents), twice, since guidance asks with
# and without the sentence; 30 places for entities; bfloat16.

# %% tags=["slide"]
step, enters = step_of(lvd.unet, shapes, batch=2, frames=16, entities=30, dtype=jnp.bfloat16)
program = jax.make_jaxpr(step)(*enters).jaxpr
alive = np.array(live_bytes(program)) / 1e9
work = multiply_adds(program)
highest = int(alive.argmax())

figure, axis = axes(width=8)
axis.plot(alive, color=BLUE, lw=0.8)
axis.plot(highest, alive[highest], "o", color=ORANGE, label=f"highest: {alive[highest]:.2f} GB")
axis.set(
    title="intermediate results alive during one step, full size, bfloat16",
    xlabel="operation, in the order of the program",
    ylabel="GB (weights not counted)",
    ylim=(0, None),
)
axis.legend()
show(
    figure,
    alt="Bytes alive over the operations of one denoising step, with the highest point marked.",
)
print(f"{len(program.eqns):,} operations, {work:.2e} multiply-adds a step")
print(f"most alive at operation {highest:,}: {program.eqns[highest].outvars[0].aval.str_short()}")

# %% [markdown]
# The curve is high at both ends and low in the middle: the finest level has the most cells. That
# answers the question above: most parameters are in the coarse blocks, most bytes are not. The
# single highest point is no spatial layer at all: it is the temporal transformer at the entrance,
# whose feed-forward layer is 2 · 2048 wide, one half to gate the other, for each of 2 × 1024 × 16
# cells. And all of it is less than a fifth of what the weights take, if attention is done as below.
#
# One thing depends on the machine. Attention compares every token with every token, and whole
# matrices of scores are large: in float32, at the finest level, for both halves of the guidance,
#
# $$\text{bytes} = 2 F \cdot \text{heads} \cdot n \cdot (n + E) \cdot 4.$$
#
# So the package never holds them whole where a row is long: on a CPU it takes 512 queries at a time
# (the program that you just walked through), on a GPU in half precision it leaves them to a
# kernel that keeps them on the chip. In float32 on a GPU they are whole.


# %% tags=["scratch"]
def score_bytes(frames, heads, cells, entities, batch=2):
    """Bytes of a gated layer's scores, if they are held whole and in float32."""
    return 4 * batch * frames * heads * cells * (cells + entities)


def least_seconds(multiply_adds_a_step, steps, teraflops):
    """No film can be quicker: all products at the full rate of the machine, nothing else."""
    return 2 * multiply_adds_a_step * steps / (teraflops * 1e12)


# %%
heads, _ = lvd.unet.heads_at(0)
cells = lvd.unet.sample_size**2
print(f"scores held whole: {score_bytes(16, heads, cells, 30) / 1e9:.2f} GB in one layer")
for rate in (0.1, 10, 100, 500):
    seconds = least_seconds(work, lvd.num_inference_steps, rate)
    print(f"{lvd.num_inference_steps} steps at {rate:>5} TFLOP/s take at least {seconds:,.1f} s")

# %% [markdown]
# These are lower bounds by arithmetic, not times: the rates are round numbers to think with, and
# no program reaches the rate on a data sheet. How long a full-size film takes is **not measured**.
#
# Turn the knobs. Activations are scaled in proportion to the frames, which is nearly right:
# only the attention along time grows faster, and it is small.


# %%
def budget_html(gigabytes, bytes_each, frames):
    """Weights of the three systems and one step's results, against a memory."""
    figure, axis = axes(width=7, height=2.6)
    beside = alive[highest] * frames / 16 * bytes_each / 2
    for row, names in enumerate(systems.values()):
        held = sum(weight_bytes(parts[name], bytes_each) for name in names) / 1e9
        axis.barh(row, held, color=BLUE, label="weights" if row == 0 else None)
        axis.barh(
            row, beside, left=held, color=ORANGE, hatch="//", label=None if row else "one step"
        )
        verdict = "fits" if held + beside <= gigabytes else "does not fit"
        axis.text(22, row, f"{held + beside:.1f} GB: {verdict}", va="center")
    axis.axvline(gigabytes, color="black", ls="--", label="memory")
    axis.set_yticks(range(len(systems)), systems)
    axis.set(
        title=f"{frames} frames, {bytes_each} bytes a number, {gigabytes} GB of memory",
        xlabel="GB",
        ylabel="system",
        xlim=(0, 44),
    )
    axis.legend(loc="center right", fontsize=8)
    return picture_html(figure, alt="Bars: weights and one step's results of three systems.")


knobs = Knobs(
    budget_html,
    gigabytes=ipywidgets.IntSlider(
        value=8, min=2, max=32, description="gigabytes", continuous_update=False
    ),
    bytes_each=ipywidgets.IntSlider(
        value=2, min=2, max=4, step=2, description="bytes_each", continuous_update=False
    ),
    frames=ipywidgets.IntSlider(
        value=16, min=8, max=64, step=8, description="frames", continuous_update=False
    ),
)
display(knobs)

# %% [markdown]
# No widgets where you read this? `IPython.display.HTML(budget_html(24, 4, 16))` is the same
# picture for other values.

# %% [markdown] minutes=25 tags=["slide"]
# ## 4 · From PyTorch's layout to Flax's
#
# Both libraries compute the same sums and store their factors in another order. PyTorch keeps
# outputs first and channels before space; Flax keeps outputs last and channels behind space:
#
# | layer | PyTorch | Flax | change |
# |---|---|---|---|
# | linear | $(o, i)$ | $(i, o)$ | transpose |
# | convolution, two dimensions | $(o, i, h, w)$ | $(h, w, i, o)$ | axes 2, 3, 1, 0 |
# | convolution over time | $(o, i, f, 1, 1)$ | $(f, 1, i, o)$ | drop the last side, then the same |
# | norm | `weight`, $(c)$ | `scale`, $(c)$ | none |
#
# The third row is this package's choice: a window of $(3, 1, 1)$ over (frame, height, width) is one
# of $(3, 1)$ over (frame, pixel), with the same numbers. So the rank of a tensor says how it is
# turned:


# %% tags=["scratch"]
def turn(tensor):
    """A tensor of PyTorch's UNet in Flax's order of axes (a view, nothing is copied)."""
    if tensor.ndim == 2:
        return tensor.T
    if tensor.ndim == 4:
        return tensor.transpose(2, 3, 1, 0)
    if tensor.ndim == 5:
        return tensor[..., 0].transpose(2, 3, 1, 0)
    return tensor


# %% [markdown]
# Is that right? PyTorch is not installed here, so write its four layers down, in its own order of
# axes, as its documentation defines them:


# %% tags=["scratch"]
def torch_linear(x, weight, bias):
    """y_o = sum_i W_oi x_i + b_o, on the last axis."""
    return np.einsum("...i,oi->...o", x, weight) + bias


def torch_conv2d(x, weight, bias):
    """(i, h, w) -> (o, h, w) with a window of 3 × 3 and zeros around."""
    windows = sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1))), (3, 3), axis=(1, 2))
    return np.einsum("ihwab,oiab->ohw", windows, weight) + bias[:, None, None]


def torch_conv3d(x, weight, bias):
    """(i, f, h, w) -> (o, f, h, w) with a window of three frames and one pixel."""
    windows = sliding_window_view(np.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0))), 3, axis=1)
    return np.einsum("ifhwa,oia->ofhw", windows, weight[..., 0, 0]) + bias[:, None, None, None]


def torch_group_norm(x, weight, bias, groups, epsilon=1e-5):
    """(c, h, w): each group of channels to mean 0 and variance 1, then scaled and moved."""
    grouped = x.reshape(groups, -1)
    centred = grouped - grouped.mean(1, keepdims=True)
    normal = centred / np.sqrt(grouped.var(1, keepdims=True) + epsilon)
    return normal.reshape(x.shape) * weight[:, None, None] + bias[:, None, None]


# %% tags=["slide"]
rng = np.random.default_rng(SEED)


def normal(*shape):
    return rng.normal(size=shape).astype(np.float32)


def flax_of(layer, weight, bias, x, name="kernel"):
    """Flax's layer with PyTorch's tensors, turned."""
    return np.asarray(layer.apply({"params": {name: turn(weight), "bias": bias}}, x[None])[0])


image, clip, bias = normal(8, 6, 6), normal(8, 5, 4, 4), normal(12)
for what, theirs, ours in (
    (
        "linear",
        torch_linear(rows := normal(7, 8), w := normal(12, 8), bias),
        flax_of(nn.Dense(12), w, bias, rows),
    ),
    (
        "2D convolution",
        torch_conv2d(image, w := normal(12, 8, 3, 3), bias).transpose(1, 2, 0),
        flax_of(nn.Conv(12, (3, 3), padding=1), w, bias, image.transpose(1, 2, 0)),
    ),
    (
        "convolution over time",
        torch_conv3d(clip, w := normal(12, 8, 3, 1, 1), bias).transpose(1, 2, 3, 0),
        flax_of(
            nn.Conv(12, (3, 1), padding=((1, 1), (0, 0))),
            w,
            bias,
            clip.transpose(1, 2, 3, 0).reshape(5, 16, 8),
        ).reshape(5, 4, 4, 12),
    ),
    (
        "group norm",
        torch_group_norm(image, w := normal(8), bias[:8], 4).transpose(1, 2, 0),
        flax_of(nn.GroupNorm(4, epsilon=1e-5), w, bias[:8], image.transpose(1, 2, 0), "scale"),
    ),
):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    print(f"{what:>22}: equal, largest difference {np.abs(ours - theirs).max():.1e}")

# %% [markdown]
# ### Names
#
# PyTorch numbers the members of a list with a dot, `resnets.1`; Flax's names here join the number,
# `resnets_1`, and a slash leads one level down. Nine substitutions, in this order, cover LVD's UNet
# and its grounding net (`position_net` in diffusers):

# %% tags=["scratch"]
RENAMED = (
    (r"\.to_out\.0\b", ".to_out"),
    (r"\.net\.0\.proj\b", ".net_0_proj"),
    (r"\b(down|up)_blocks\.(\d)\.(\w+samplers)\.0\b", r"\1_blocks_\2_\3_0"),
    (r"\b(temp_convs\.\d+\.conv\d)\.0\b", r"\1_norm"),
    (r"\b(temp_convs\.\d+\.conv\d)\.[23]\b", r"\1_conv"),
    (r"^position_net\.linears\b", "position_net.linears_text"),
    (r"\bnull_positive_feature\b", "null_text_feature"),
    (r"\.(\d+)\b", r"_\1"),
    (r"\.", "/"),
)


def rename(key, rank):
    """A key of diffusers' UNet3DConditionModel -> the path of our leaf."""
    for pattern, new in RENAMED:
        key = re.sub(pattern, new, key)
    if key.endswith("/weight"):
        key = key.removesuffix("weight") + ("scale" if rank == 1 else "kernel")
    return key


# %% [markdown]
# The package does this with rules, one per kind of layer, and insists that each key is claimed by
# exactly one rule and each leaf filled exactly once. Hold ours against it on **every** key of the
# full-size network: names and shapes, no numbers.


# %% tags=["slide"]
full = Denoiser(lvd.unet, lvd.grounding)
rules, leaves = unet3d.rules_for(full), wanted(full)
published = expected_shapes(rules, leaves)  # PyTorch's keys and shapes
moves = plan_conversion(published, rules, leaves)
for move in moves:
    hollow = np.broadcast_to(np.int8(0), move.shape)  # of any size in one byte
    assert rename(move.key, hollow.ndim) == move.leaf, (move.key, move.leaf)
    assert turn(hollow).shape == move.leaf_shape, move.key
print(f"{len(moves):,} keys, {count(published):,} parameters: names and shapes are the package's\n")
for move in [*moves[:2], *(m for m in moves if "temp_convs_0/conv2" in m.leaf)][:4]:
    print(f"{move.key}  {move.shape}\n    {move.leaf}  {move.leaf_shape}  ({move.change})")

# %% [markdown]
# ### What shapes cannot see
#
# Forget to transpose a linear layer of 320 inputs and 2560 outputs, and the shapes do not fit: an
# error, good. Forget it where inputs and outputs are equally many, and everything fits. How often
# is that?

# %%
linears = [move for move in moves if move.change == "linear"]
square = [move for move in linears if move.shape[0] == move.shape[1]]
share = sum(math.prod(m.shape) for m in square) / sum(math.prod(m.shape) for m in linears)
print(
    f"{len(linears)} linear layers, {len(square)} of them square: {share:.0%} of their parameters"
)

size = 64
weight, inputs = normal(size, size) / size**0.5, normal(200, size)
right_way = torch_linear(inputs, weight, 0)
forgotten = inputs @ weight  # Flax multiplies x by its kernel; this kernel was not turned
correlation = np.corrcoef(right_way.ravel(), forgotten.ravel())[0, 1]

figure, (left, right) = axes(2, height=3.4)
kinds = ("as is", "linear", "conv", "temporal conv")
left.bar(
    kinds,
    [sum(math.prod(m.shape) for m in moves if m.change == kind) / 1e6 for kind in kinds],
    color=[GREY, BLUE, ORANGE, GREEN],
)
left.bar(
    ["linear"],
    [sum(math.prod(m.shape) for m in square) / 1e6],
    color="none",
    hatch="//",
    ec="white",
    label="of these, square",
)
left.set(
    title="parameters by how they are turned",
    xlabel="change of layout",
    ylabel="millions of parameters",
)
left.legend(facecolor=BLUE, labelcolor="white")
right.plot(right_way.ravel()[::5], forgotten.ravel()[::5], ".", ms=2, color=PINK)
right.set(
    title=f"square and not turned: correlation {correlation:+.2f}",
    xlabel="what the layer should give",
    ylabel="what it gives",
)
show(
    figure,
    alt="Left: parameters per change of layout, with the square linear layers hatched. Right: a "
    "cloud without direction: outputs of a layer that was not transposed against the right ones.",
)

# %% [markdown]
# The outputs have the right shape and spread, and nothing to do with what they should be. Only
# numbers find that: the same random weights in PyTorch's class and in ours, the same input, and the
# outputs compared. Those tests are in `tests/parity` and run where PyTorch is installed
# (`make parity` makes an environment for them): every module by itself, whole networks, the
# schedulers step by step, and at full size every key and shape of PyTorch's own classes. They do
# not run in this notebook, and they use random weights: that the published files make good films
# is a claim they do not test.

# %% [markdown] tags=["discuss"]
# Parity tests fill biases and norms' scales at random too. Why not take a freshly initialised
# network, whose biases are zero and whose scales are one? (5 minutes. A bias that is dropped, or
# two scales that are swapped, would change nothing.)

# %% [markdown] minutes=20 tags=["slide"]
# ## 5 · A checkpoint of the real format, very small
#
# Now with numbers. A published model is a folder: `model_index.json`, `unet/config.json`,
# `unet/diffusion_pytorch_model.safetensors`, `scheduler/scheduler_config.json`. Write one, with
# LVD's keys and a few thousand random parameters in float16.

# %%
tiny_rules, tiny_leaves = unet3d.rules_for(tiny), wanted(tiny)
state = {
    key: (normal(*shape) / max(1, math.prod(shape[1:])) ** 0.5).astype(np.float16)
    for key, shape in expected_shapes(tiny_rules, tiny_leaves).items()
}
work_folder = Path(tempfile.mkdtemp())


def publish(name, tensors):
    """A pipeline's folder, as diffusers saves it."""
    folder = work_folder / name
    (folder / "unet").mkdir(parents=True)
    (folder / "scheduler").mkdir()
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "TextToVideoSDPipeline"}))
    (folder / "unet" / "config.json").write_text(json.dumps(TINY))
    scheduler = {"beta_schedule": "scaled_linear", "prediction_type": "epsilon"}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    contiguous = {key: np.array(tensor, order="C") for key, tensor in tensors.items()}
    save_file(contiguous, folder / "unet" / "diffusion_pytorch_model.safetensors")
    return folder


source = publish("published", state)
for path in sorted(source.rglob("*.*")):
    print(f"{path.relative_to(source)}: {path.stat().st_size:,} bytes")

# %% [markdown]
# A safetensors file is the simplest thing that could work: eight bytes that say how long the header
# is, the header as JSON, then the numbers. Nothing in it can run. (A `.bin` or `.ckpt` is a pickle,
# and opening one runs whatever it says; the package refuses them.)


# %% tags=["scratch"]
def read_header(path):
    """The header of a safetensors file, and where the numbers begin."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(length)), 8 + length


def read_tensor(path, key):
    """One tensor out of a file of any size; the rest is not read."""
    header, start = read_header(path)
    entry = header[key]
    begin, end = entry["data_offsets"]
    dtypes = {"F16": np.float16, "F32": np.float32, "I64": np.int64}
    with open(path, "rb") as file:
        file.seek(start + begin)
        return np.frombuffer(file.read(end - begin), dtypes[entry["dtype"]]).reshape(entry["shape"])


# %%
file = source / "unet" / "diffusion_pytorch_model.safetensors"
header, start = read_header(file)
for key in list(header)[:3]:
    print(key, header[key])
for key, tensor in state.items():
    np.testing.assert_array_equal(read_tensor(file, key), tensor)
print(f"{len(state)} tensors read back, number by number")

# %% [markdown]
# Convert it twice: with the two functions from section 4, and with the package. Compare all leaves.

# %% tags=["slide"]
mine = {rename(key, tensor.ndim): turn(tensor) for key, tensor in state.items()}

folder = work_folder / "converted"
convert(source, folder, dtype="float32", report=print)
model = vdjax.load(folder)

theirs = flatten_dict(model.params["unet"], sep="/")
theirs |= {
    f"position_net/{leaf}": x for leaf, x in flatten_dict(model.params["net"], sep="/").items()
}
assert mine.keys() == theirs.keys()
for leaf, tensor in mine.items():
    np.testing.assert_array_equal(np.asarray(theirs[leaf]), tensor.astype(np.float32))
print(f"{len(mine)} leaves, equal number by number")
print("beside the weights:", sorted(path.name for path in folder.iterdir()))
print("noise, from the scheduler's file:", model.preset.noise)

# %% [markdown]
# Does it run? With all gates closed the layout must not matter, bit by bit; with the random gates
# of this checkpoint it must.

# %%
latents, text = normal(2, 4, 4, 4, 4), normal(2, 77, 6)
one, other = normal(2, 4, 3, 6), normal(2, 4, 3, 6)
times_of_two = jnp.array([500, 500])


def answer_with(params, grounding):
    return np.asarray(tiny_step(params, latents, times_of_two, text, grounding))


loaded = model.params["unet"]
closed = scale_gates(loaded, 0.0)
assert np.isfinite(answer_with(loaded, one)).all()
assert (answer_with(closed, one) == answer_with(closed, other)).all()
gap = np.abs(answer_with(loaded, one) - answer_with(loaded, other)).max()
assert gap > 0
print(f"gates closed: the same, bit by bit; gates as they are: up to {gap:.3f} apart")

# %% [markdown]
# ### Is it whole?
#
# Break it, in five ways. Which are seen?


# %% tags=["slide"]
def without_place(words):
    return str(words).replace(f"{work_folder}/", "")


def attempt(name, tensors):
    """What the converter says of a damaged checkpoint."""
    try:
        convert(publish(name, tensors), work_folder / f"{name}_converted")
    except WeightsError as error:
        return without_place(error)
    return "accepted"


projection = "time_embedding.linear_1.weight"  # 8 inputs, 32 outputs
square_one = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"  # 8 and 8
broken = {
    "missing": {key: value for key, value in state.items() if key != projection},
    "turned": {**state, projection: state[projection].T},
    "infinite": {**state, projection: state[projection] * np.float16(np.inf)},
    "square_turned": {**state, square_one: state[square_one].T},
}
for name, tensors in broken.items():
    print(f"{name}: {attempt(name, tensors)}\n")

weights_file = folder / "unet.safetensors"
data = bytearray(weights_file.read_bytes())
data[-1] ^= 1  # one bit of three million
copy = work_folder / "copy"  # what was loaded is mapped: put another file there, leave that one
copy.write_bytes(data)
copy.replace(weights_file)
print("one bit flipped:", without_place("; ".join(verify(folder))) or "accepted")

# %% [markdown]
# Four are seen. The square one is not, as section 4 said: a converter can check that everything is
# there and fits, not that it means what it should. (`vdjax weights check FOLDER` runs the last
# check, and the fit of every shape, on a folder of yours.)

# %% [markdown] minutes=20 tags=["slide"]
# ## 6 · What the weights do not say
#
# A checkpoint holds no word of what the network was taught to answer. ModelScope's learnt noise
# that was mixed in by Stable Diffusion's betas, evenly spaced in their square roots (Rombach et
# al.; the original code calls it `linear_sd`, diffusers `scaled_linear`):
#
# $$\beta_t = \Big(\sqrt{0.00085} + \tfrac{t}{999}\big(\sqrt{0.012} - \sqrt{0.00085}\big)\Big)^2,
# \qquad \bar\alpha_t = \prod_{s \le t} (1 - \beta_s), \qquad
# z_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon .$$


# %% tags=["scratch"]
def signal_left(steps=1000, start=0.00085, end=0.012, power=2):
    """The share of the signal's variance left at each timestep; power 1 is evenly spaced betas."""
    betas = np.linspace(start ** (1 / power), end ** (1 / power), steps) ** power
    return np.cumprod(1 - betas)


# %%
alphas, evenly = signal_left(), signal_left(power=1)
scheduler = make_scheduler("ddim", lvd.noise)
plan = scheduler.set_timesteps(scheduler.create_state(), lvd.num_inference_steps, (1,))
np.testing.assert_allclose(alphas, plan.common.alphas_cumprod, rtol=1e-3)
steps = [int(t) for t in plan.timesteps]
print(
    f"{lvd.name}: predicts {lvd.noise.prediction_type}, {len(steps)} steps:",
    steps[:3],
    "…",
    steps[-2:],
)
print(f"storybook predicts {storybook.preset.noise.prediction_type}")
print(
    f"signal left at t = 999: {alphas[-1]:.4f} of the variance, {alphas[-1] ** 0.5:.3f} of the size"
)

# %% [markdown]
# Two things to note. At the last timestep 7 % of the picture's size is still there: in training the
# network never saw pure noise, but sampling starts from it (Lin et al. 2023 on this flaw). And the
# 50 steps start at 981, not at 999.
#
# What is predicted is a choice as well. Velocity (Salimans and Ho 2022), which the small weights
# here and Stable Diffusion 2.1 learnt, and noise, which ModelScope learnt, are the same knowledge:
#
# $$v = \sqrt{\bar\alpha}\, \epsilon - \sqrt{1 - \bar\alpha}\, x_0, \qquad
# x_0 = \sqrt{\bar\alpha}\, z - \sqrt{1 - \bar\alpha}\, v .$$
#
# But the file does not say which. What does a wrong guess do? Ask the small network, which learnt
# velocity, for one frame from words alone, and read its answers in three ways: as they are meant;
# with evenly spaced betas; and taken for noise. First DDIM, written out:


# %% tags=["scratch"]
def ddim_step(answer, z, now, then, prediction="epsilon"):
    """One deterministic DDIM step from signal `now` to `then` (both are alpha-bar)."""
    if prediction == "epsilon":
        clean, noise = (z - (1 - now) ** 0.5 * answer) / now**0.5, answer
    else:
        clean = now**0.5 * z - (1 - now) ** 0.5 * answer
        noise = now**0.5 * answer + (1 - now) ** 0.5 * z
    return then**0.5 * clean + (1 - then) ** 0.5 * noise


# %%
z, said_noise = normal(1, 8, 8, 4), normal(1, 8, 8, 4)
for prediction in ("epsilon", "v_prediction"):
    package = make_scheduler("ddim", NoiseConfig(prediction_type=prediction))
    planned = package.set_timesteps(package.create_state(), 50, z.shape)
    theirs = package.step(planned, jnp.asarray(said_noise), 501, jnp.asarray(z)).prev_sample
    ours = ddim_step(said_noise, z, alphas[501], alphas[481], prediction)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
print("one step of DDIM, for noise and for velocity: equal to the package's scheduler")

# %% tags=["slide"]
ways = {
    "as it is meant": (alphas, "v_prediction"),
    "betas evenly spaced": (evenly, "v_prediction"),
    "velocity taken for noise": (alphas, "epsilon"),
}
planned = scheduler.set_timesteps(scheduler.create_state(), 10, (1,))
few = [int(t) for t in planned.timesteps]
z = np.repeat(np.asarray(noise[:1]), 3, axis=0)  # one noise, three readings side by side
for now, then in zip(few, [*few[1:], 0], strict=True):
    at = jnp.full(3, now)
    with_words = predict(weights, z, at, on_cat)
    without = predict(weights, z, at, on_nothing)
    answers = np.asarray(without + storybook.preset.guidance_scale * (with_words - without))
    z = np.stack(
        [
            ddim_step(answer, latents, signal[now], signal[then], prediction)
            for answer, latents, (signal, prediction) in zip(answers, z, ways.values(), strict=True)
        ]
    ).astype(np.float32)
pictures = storybook.decode(jnp.asarray(z[:, 0]))

figure, (chart, *views) = axes(4, width=2.9, height=3.0)
chart.plot(alphas, color=BLUE, label="ModelScope's")
chart.plot(evenly, "--", color=ORANGE, label="evenly spaced")
chart.set(title="signal left", xlabel="timestep t", ylabel="share of the variance")
chart.legend(fontsize=8)
for axis, title, picture in zip(views, ways, pictures, strict=True):
    axis.imshow(picture)
    axis.set_title(title, fontsize=10)
    axis.axis("off")
show(
    figure,
    alt="Left: the share of signal over the timestep for two kinds of betas. Then one frame from "
    "one noise, read in three ways: a blurred meadow, nearly the same, and bright spots.",
)
meant = np.linalg.norm(z[0])
for title, latents in zip(ways, z, strict=True):
    far, spread = np.linalg.norm(latents - z[0]) / meant, latents.std()
    print(f"{title:>24}: {100 * far:7.1f} % away, latents spread by {spread:.2f}")

# %% [markdown]
# The first picture is no beauty: without boxes, from words alone and in ten steps, this small
# network makes a meadow where a cat on the beach was asked for. What counts is how the others
# differ from it. Wrong betas move the latents, as printed, and the picture hardly shows it: a
# mistake that nobody would notice by looking. A wrong reading of the answer destroys everything:
# the latents grow far beyond what the decoder knows.

# %% [markdown]
# So `convert` reads `scheduler_config.json` beside the weights and keeps what it says in the
# preset; a kind of schedule that the package has not is refused. The other things that no weight
# says, and where they are settled:
#
# | what | value | the trap |
# |---|---|---|
# | epsilon of norms | 1e-5, in transformers' group norms 1e-6 | Flax's default is 1e-6 everywhere |
# | width of a head | 64 | the weights fit any number of heads |
# | GELU | exact | Flax's default is the approximation by tanh |
# | text | the state before ViT-H's last layer | 23 layers are saved, of 24 that were trained |
# | size of latents | times 0.18215 | latents of another size than the decoder learnt |
# | guidance, steps | 9 and 50 | other networks of the family want other values |
#
# All are fields of a preset or constants of the model code, and parity tests hold them.

# %% [markdown] minutes=5
# ## 7 · Whose weights are they?
#
# What their pages said when this was written. Read them again on the day you use them: they decide,
# not this table.
#
# | weights | terms |
# |---|---|
# | `storybook`, with this package | Apache-2.0; the artwork: Apache-2.0, MIT, CC BY 4.0 |
# | `ali-vilab/text-to-video-ms-1.7b` (ModelScope) | CC BY-NC 4.0: no commercial use |
# | `longlian/text-to-video-lvd-ms` (LVD) | none seen; it holds ModelScope's, so no commercial use |
# | `kakaobrain/karlo-v1-alpha` | CreativeML Open RAIL-M: use is restricted as it lists |
# | `openai/clip-vit-large-patch14` | the code is MIT; the model card is about research |
# | VideoDirectorGPT's own | never published |
#
# The last line is why the preset `videodirectorgpt` is a network without weights of its own: it
# begins with ModelScope's, and its gated layers have to be trained (`vdjax train layout`).
# Whatever is trained on top of ModelScope's weights contains them, with their terms.

# %% [markdown] minutes=10
# ## 8 · On a machine that can
#
# Everything until here ran without a download. What follows does not run unless you turn the
# switch: it fetches several gigabytes into the hub's cache, writes a folder beside this notebook,
# and wants a GPU or TPU with the memory of section 2. On a CPU the arithmetic of section 3 says
# what to expect.

# %%
DOWNLOAD = False  # True: fetch, convert, check, and make one film

COMMANDS = (
    ["weights", "convert", "longlian/text-to-video-lvd-ms", "lvd", "--dtype", "bfloat16"],
    ["weights", "check", "lvd"],
    ["film", "A cat walks on the beach", "--preset", "lvd", "--out", "lvd_film"],
)
if DOWNLOAD:
    for command in COMMANDS:
        assert main(command) == 0, command
else:
    print('needed once: python -m pip install "vdjax[hub]", and jax for your accelerator\n')
    for command in COMMANDS:
        print("vdjax", " ".join(f'"{word}"' if " " in word else word for word in command))
    fetched = 2 * (count(parts["unet"]) + count(parts["gated"])) / 1e9
    kept = sum(weight_bytes(parts[name], 2) for name in systems["lvd"]) / 1e9
    print(f"\nby arithmetic: {fetched:.2f} GB for UNet and gated layers in half precision,")
    print(f"{kept:.1f} GB for the converted folder with text encoder and autoencoder")
    print("time on a GPU: not measured. Time on a TPU: not measured. Quality: not measured.")

# %% [markdown]
# "Not measured" is meant. The package's tests hold these layouts against PyTorch's classes with
# random weights; the published files themselves have not been through them. If you run this, look
# at the first film beside one made by diffusers from the same seed before you believe any number.

# %% [markdown] tags=["exercise"]
# ## 9 · Exercises
#
# Write in the first cell, run the second: it says whether you are there, or what to look at.

# %% [markdown] tags=["exercise"]
# ### Exercise 1 · A convolution of one pixel
#
# *Difficulty 2/5 · importance 3/5 · 5 to 10 minutes*
#
# Stable Diffusion 1 keeps the projections of its transformers as convolutions with a window of one
# pixel, (out, in, 1, 1); our network has a linear layer there. Write `as_dense(weight)`, which
# gives the kernel of that linear layer, (in, out).


# %% tags=["stub"]
def as_dense(weight):
    return weight  # your code here


# %% tags=["check"]
def check_as_dense(answer):
    weight = np.random.default_rng(1).normal(size=(6, 4, 1, 1)).astype(np.float32)
    value = np.asarray(answer(weight))
    if value.shape == (6, 4):
        return "the shape is (6, 4): outputs still come first, and Flax wants inputs first."
    if value.shape != (4, 6):
        return f"the shape is {value.shape}; for 4 inputs and 6 outputs it should be (4, 6)."
    if np.array_equal(value, weight.reshape(4, 6)):
        return "right shape, shuffled numbers: reshape keeps the order in memory, it turns nothing."
    if not np.array_equal(value, weight[:, :, 0, 0].T):
        return "not yet: kernel[i, o] should be weight[o, i, 0, 0]."
    return "Right: drop the window, then transpose."


print(check_as_dense(as_dense))

# %% [markdown] tags=["hint"]
# Which two sides are always 1? `squeeze` takes them away, if you tell it which.


# %% tags=["solution"]
def as_dense(weight):
    return weight[:, :, 0, 0].T


# %% tags=["wrong"]
# says: outputs still come first
def as_dense(weight):
    return weight.squeeze((2, 3))


# %% tags=["wrong"]
# says: right shape, shuffled numbers
def as_dense(weight):
    return weight.reshape(weight.shape[1], weight.shape[0])


# %% [markdown] tags=["exercise"]
# ### Exercise 2 · The widest that fits
#
# *Difficulty 2/5 · importance 4/5 · 10 minutes*
#
# Write `widest(parameters, beside, gigabytes)`: "float32" if the weights fit into a memory of so
# many GB (10⁹ bytes) together with `beside` GB of results, else "bfloat16" if those do, else
# `None`. The results are given for bfloat16; in float32 they take twice as much.


# %% tags=["stub"]
def widest(parameters, beside, gigabytes):
    return "float32"  # your code here


# %% tags=["check"]
def check_widest(answer):
    cases = (
        (1_000_000_000, 0.5, 6.0, "float32"),
        (1_000_000_000, 0.5, 4.9, "bfloat16"),
        (1_000_000_000, 0.5, 4.2, "bfloat16"),
        (1_000_000_000, 0.5, 2.5, "bfloat16"),
        (1_000_000_000, 0.5, 2.2, None),
    )
    for parameters, beside, gigabytes, truth in cases:
        value = answer(parameters, beside, gigabytes)
        if value == truth:
            continue
        said = f"10^9 parameters, {beside} GB beside, {gigabytes} GB: {value}, should be {truth}; "
        if gigabytes == 4.9:
            return said + "in float32 the results take 1.0 GB, not 0.5."
        if gigabytes in (4.2, 2.2):
            return said + "weights and results share the memory."
        return said + "4 bytes a number in float32, 2 in bfloat16."
    return "Right: weights and results count, both at the width of the numbers."


print(check_widest(widest))

# %% [markdown] tags=["hint"]
# Two sums: `4 * parameters / 1e9 + 2 * beside` for float32. And for bfloat16?


# %% tags=["solution"]
def widest(parameters, beside, gigabytes):
    for name, each in (("float32", 4), ("bfloat16", 2)):
        if each * parameters / 1e9 + each / 2 * beside <= gigabytes:
            return name
    return None


# %% tags=["wrong"]
# says: in float32 the results take 1.0 GB
def widest(parameters, beside, gigabytes):
    for name, each in (("float32", 4), ("bfloat16", 2)):
        if each * parameters / 1e9 + beside <= gigabytes:
            return name
    return None


# %% tags=["wrong"]
# says: 4 bytes a number in float32
def widest(parameters, beside, gigabytes):
    return None


# %% [markdown] tags=["exercise"]
# ### Exercise 3 · Which mistakes would pass?
#
# *Difficulty 3/5 · importance 5/5 · 10 to 15 minutes*
#
# Somebody forgot to transpose all linear layers. Write `unseen(shapes)`: of a dictionary from key
# to PyTorch's shape, the list of the keys for which a check of shapes would notice nothing though
# the numbers are wrong. Leave out what needs no change, and what is no linear layer.


# %% tags=["stub"]
def unseen(shapes):
    return list(shapes)  # your code here


# %% tags=["check"]
def check_unseen(answer):
    given = {
        "to_q.weight": (8, 8),
        "to_k.weight": (8, 6),
        "norm.weight": (8,),
        "conv.weight": (8, 8, 3, 3),
        "alpha_attn": (),
    }
    value = set(answer(given))
    if "norm.weight" in value or "alpha_attn" in value:
        return "vectors and single numbers are not turned, so nothing was forgotten there."
    if "to_k.weight" in value:
        return "to_k.weight has 6 inputs and 8 outputs: its shape gives the mistake away."
    if "conv.weight" in value:
        return "conv.weight is a convolution: four sides, and only linear layers were forgotten."
    if value != {"to_q.weight"}:
        return f"found {sorted(value)}; of the five, one would pass."
    found, truth = set(answer(published)), {move.key for move in square}
    if found != truth:
        return f"at full size it finds {len(found)} keys; there are {len(truth)}."
    return f"Right: {len(truth)} keys of the full-size network would pass."


print(check_unseen(unseen))

# %% [markdown] tags=["hint"]
# A linear layer's weight has two sides.

# %% [markdown] tags=["hint"]
# A matrix keeps its shape under transposition if its sides are equal.


# %% tags=["solution"]
def unseen(shapes):
    return [key for key, shape in shapes.items() if len(shape) == 2 and shape[0] == shape[1]]


# %% tags=["wrong"]
# says: its shape gives the mistake away
def unseen(shapes):
    return [key for key, shape in shapes.items() if len(shape) == 2]


# %% tags=["wrong"]
# says: vectors and single numbers are not turned
def unseen(shapes):
    return [key for key, shape in shapes.items() if shape[::-1] == shape]


# %% [markdown] tags=["exercise"]
# ### Exercise 4 · Velocity to noise
#
# *Difficulty 3/5 · importance 4/5 · 10 to 15 minutes*
#
# A network gives velocity $v$; your sampler wants noise. Write `noise_of(v, z, signal)`, with
# `signal` for $\bar\alpha_t$. Both formulas you need are in section 6.


# %% tags=["stub"]
def noise_of(v, z, signal):
    return v  # your code here


# %% tags=["check"]
def check_noise_of(answer):
    rng = np.random.default_rng(2)
    clean, noise = rng.normal(size=(2, 50))
    for signal in (0.9, 0.5, 0.1):
        a, b = signal**0.5, (1 - signal) ** 0.5
        z, v = a * clean + b * noise, a * noise - b * clean
        value = np.asarray(answer(v, z, signal))
        if np.allclose(value, noise, atol=1e-6):
            continue
        if np.allclose(value, clean, atol=1e-6):
            return "that is the clean picture; the noise is asked for."
        if np.allclose(value, v):
            return "that is still velocity: it holds the picture too, with a minus."
        if np.allclose(value, signal * v + (1 - signal) * z):
            return "almost: the factors are square roots; the signal is a share of the variance."
        gap = np.abs(value - noise).max()
        return f"for signal {signal} it is up to {gap:.2f} off; multiply v by √ᾱ and add some of z."
    return "Right: √ᾱ v + √(1 − ᾱ) z."


print(check_noise_of(noise_of))

# %% [markdown] tags=["hint"]
# Put the second formula, that of $x_0$, into the one of $z_t$ and solve for $\epsilon$; or look
# into `ddim_step`.


# %% tags=["solution"]
def noise_of(v, z, signal):
    return signal**0.5 * v + (1 - signal) ** 0.5 * z


# %% tags=["wrong"]
# says: that is the clean picture
def noise_of(v, z, signal):
    return signal**0.5 * z - (1 - signal) ** 0.5 * v


# %% tags=["wrong"]
# says: the factors are square roots
def noise_of(v, z, signal):
    return signal * v + (1 - signal) * z


# %% [markdown] tags=["questions"]
# ## 10 · Questions
#
# 1. How can a network of 6.5 GB be counted on a machine with 2 GB?
# 2. Why does a wrong transposition sometimes pass every check of names and shapes?
# 3. What does the memory guard count, and what does it leave out?
# 4. A checkpoint's films are bright spots from the first to the last frame. Name three things to
#    check that are not in the weights.
# 5. Why does the package read safetensors and refuse pickles?
# 6. Why has the preset `videodirectorgpt` no weights to download?

# %% [markdown] tags=["answers"]
# 1. `jax.eval_shape` runs the code on shapes; no number is ever made.
# 2. A square matrix has the same shape when it is turned.
# 3. The weights, at the dtype they are loaded in; not the results that a step makes.
# 4. What is predicted (noise or velocity), the betas, the scale of the latents; also epsilons, the
#    width of heads, the text encoder's layer.
# 5. Opening a pickle can run any code that is in it; a safetensors file is JSON and numbers.
# 6. The paper's gated layers were never published; they have to be trained.

# %% [markdown] tags=["references"]
# ## References, and what to read next
#
# - Wang et al.: *ModelScope Text-to-Video Technical Report*, 2023,
#   [arXiv:2308.06571](https://arxiv.org/abs/2308.06571).
# - Lian et al.: *LLM-grounded Video Diffusion Models* (LVD), ICLR 2024,
#   [arXiv:2309.17444](https://arxiv.org/abs/2309.17444).
# - Lin, Zala, Cho, Bansal: *VideoDirectorGPT*, COLM 2024,
#   [arXiv:2309.15091](https://arxiv.org/abs/2309.15091).
# - Li et al.: *GLIGEN*, CVPR 2023, [arXiv:2301.07093](https://arxiv.org/abs/2301.07093).
# - Rombach et al.: *High-Resolution Image Synthesis with Latent Diffusion Models*, CVPR 2022,
#   [arXiv:2112.10752](https://arxiv.org/abs/2112.10752): the betas and the autoencoder.
# - Salimans, Ho: *Progressive Distillation for Fast Sampling of Diffusion Models*, ICLR 2022,
#   [arXiv:2202.00512](https://arxiv.org/abs/2202.00512): velocity.
# - Lin et al.: *Common Diffusion Noise Schedules and Sample Steps are Flawed*, 2023,
#   [arXiv:2305.08891](https://arxiv.org/abs/2305.08891): the signal that is left at the end.
# - In the package: `vdjax/weights/presets.py` (sizes), `vdjax/weights/convert/rules.py` (one rule
#   per key), `vdjax/weights/store.py` (files and checksums), `vdjax/systems/memory.py` (the guard),
#   `tests/parity` (PyTorch beside ours).
# - Next: [10 · your own pictures](10_your_own_pictures.ipynb), your picture as a thing in a
#   film.
