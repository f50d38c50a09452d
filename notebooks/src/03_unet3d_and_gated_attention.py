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
# # 03 · The 3D UNet, and the gated layers in it
#
# **Goal, in one sentence:** walk once through the network that makes the film, rebuild its
# convolution along time and its gated layer, and see what opening the gates does to one step.
#
# ![Left: the UNet as a U. Latents of all frames go down over three grids, through a middle and up
# again, with bridges between equal grids. Right: one layer of it, four parts in a row: a residual
# block and a spatial transformer work inside a frame, a temporal convolution and a temporal
# transformer work along the frames; the gated layer sits inside the spatial
# transformer.](pictures/03_unet.png)
#
# [![Open in Colab](pictures/colab.png)]({{COLAB}})
#
# **You will be able to**
#
# - say what shape a film has at every level of the network;
# - write a convolution along time that changes nothing on its first day;
# - say how far a frame feels other frames, and which layer knows their order;
# - write the gated layer as a Flax module, equal to the package's with the same parameters;
# - count what the paper trains, at three sizes, without allocating anything;
# - scale the gates in one denoising step and measure where the frame changes.
#
# **You need** [02 · grounding tokens](02_grounding_tokens.ipynb), for what a token is, and a first
# look at `flax.linen`. No network, no GPU. Symbols: [notation](notation.md); words:
# [glossary](glossary.md).
#
# {{TIMES}}

# %% [markdown] tags=["teacher"]
# One sentence carries this lesson: *new layers start as the identity*. The temporal layers do (a
# last map of zeros), the gated layers do (a gate of zero). That is how a network for pictures
# becomes one for films, and one for films becomes one that heeds boxes, without forgetting. Section
# 2 has a surprise in it, that the group norm pools over the whole clip; let the class find the
# leak before you name it. Section 4 repeats 02 as Flax modules; go through it quickly with those
# who did 02. Sections 5 and 6 are for looking.

# %% tags=["install"]
# Filled in from install.py.

# %%
import math

import flax.linen as nn
import ipywidgets
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from IPython.display import display
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

import vdjax
from vdjax.inspect.gates import scale_gates
from vdjax.model.attention import GatedSelfAttention, TemporalTransformer
from vdjax.model.blocks import TemporalConv
from vdjax.model.boxes import cells_inside
from vdjax.model.params import GATED, TEMPORAL, fill_params, split_params
from vdjax.model.unet3d import UNet3D
from vdjax.plan import frame_boxes
from vdjax.runtime import enable_compilation_cache
from vdjax.systems.videodirectorgpt import prepare
from vdjax.train.diffusion import alphas_cumprod
from vdjax.weights.presets import get_preset
from vdjax.widgets import GateInspector, Knobs, picture_html, show

PRESET = "storybook"  # the weights that come with the package; "toy" is random, tiny and quick
FRAMES, STEPS, SEED = 8, 4, 0  # few frames and steps, so that a laptop keeps up
enable_compilation_cache()


def axes(columns=1, width=4.0, height=3.0):
    """An empty figure and its axes."""
    figure = Figure(figsize=(width * columns, height), dpi=80, layout="constrained")
    return figure, figure.subplots(1, columns)


# %% [markdown] minutes=15 tags=["slide"]
# ## 1 · Down to coarse grids and up again
#
# Noisy latents of a whole clip enter, (clip, frame, height, width, 4 numbers); a guess of what was
# mixed into them leaves, in the same shape. In between, the network halves the grid level by level
# and widens its channels (Ho et al. 2022, *Video Diffusion Models*; the plan here is that of
# ModelScope, Wang et al. 2023). On the way up each level also gets what the level of the same grid
# put out on the way down: the *bridges*, or skip connections. The number of frames never changes.
#
# To see the shapes, nothing has to be computed. `jax.eval_shape` runs a program on shapes alone,
# and Flax tells a watcher of every module it enters. This asks three networks: a toy, the one whose
# weights come with the package, and the paper's, with a billion and a half of parameters that
# nobody here allocates.


# %%
def blueprint(config, frames):
    """(name, output shape) of every part in running order, and the shapes of all parameters."""
    rows = []

    def watch(run, args, kwargs, context):
        out = run(*args, **kwargs)
        if context.method_name == "__call__" and len(context.module.path) == 1:
            shape = (out[0] if isinstance(out, tuple) else out).shape
            rows.append((context.module.path[0], shape))
        return out

    def init(key):
        side = config.sample_size
        return UNet3D(config).init(
            key,
            jnp.zeros((1, frames, side, side, config.in_channels)),
            jnp.zeros((1,), jnp.int32),
            jnp.zeros((1, 1, config.text_width)),
            jnp.zeros((1, frames, 1, config.grounding_width)),
        )["params"]

    with nn.intercept_methods(watch):
        shapes = jax.eval_shape(init, jax.random.key(0))
    return rows, shapes


presets = {name: get_preset(name) for name in ("toy", PRESET, "videodirectorgpt")}
rows, shapes = {}, {}
for name, preset in presets.items():
    rows[name], shapes[name] = blueprint(preset.unet, preset.num_frames)

for part, shape in rows[PRESET]:
    print(f"{part:30} {shape}")

# %% [markdown]
# Parts that treat frames as separate pictures (`conv_in`, the norm at the end) have frames and
# clips in one axis, 16 rows for a clip of 16 frames; the others keep (clip, frame, height, width,
# channel). Now the two trained sizes beside each other, along the way through the network:

# %% tags=["subslide"]
figure, (left, right) = axes(2, 4.4, 3.2)
for (name, mark), line in zip({PRESET: "o", "videodirectorgpt": "s"}.items(), "-:", strict=True):
    way = [shape for part, shape in rows[name] if part != "time_embedding"]
    along = np.linspace(0, 1, len(way))
    left.plot(along, [shape[-2] for shape in way], line, marker=mark, markersize=4, label=name)
    right.plot(along, [shape[-1] for shape in way], line, marker=mark, markersize=4, label=name)
left.set(title="the grid", xlabel="way through the network (0 in, 1 out)", ylabel="cells per side")
right.set(title="what a cell holds", xlabel="way through the network", ylabel="channels")
left.set_yscale("log", base=2)
right.set_yscale("log", base=2)
left.legend()
show(
    figure,
    alt="Left: cells per side along the network, a valley: 16 to 4 and back, and 32 to 4 and back. "
    "Right: channels, a hill over the same way: 64 to 192 and back, and 320 to 1280 and back.",
)

# %% [markdown] minutes=10
# **One layer of a level** is four parts in a row, and two kinds of them:
#
# | part | looks along | in the package |
# |---|---|---|
# | residual block, with the timestep | height and width | `ResnetBlock` |
# | convolution along time | frames | `TemporalConv` |
# | spatial transformer: self, **gated**, words | cells of a frame | `SpatialTransformer` |
# | temporal transformer: self, self | frames of a cell | `TemporalTransformer` |
#
# (A feed-forward ends each transformer.) The two spatial kinds are those of a network for pictures
# (Stable Diffusion); the two temporal kinds make a film of them. The gated layer sits in every
# spatial transformer and in no temporal one (VideoDirectorGPT, section 3.2 and figure 3c): boxes
# say where things are in *each* frame, and how frames hang together, the network knows already.

# %%
for name, tree in shapes.items():
    paths = ["/".join(path) for path in flatten_dict(tree)]
    layers = {path.split("/fuser")[0] for path in paths if "/fuser" in path}
    convs = {path.split("/conv")[0] for path in paths if "/temp_convs" in path}
    print(f"{name:16} {len(convs):2} convolutions along time, {len(layers):2} gated layers")

# %% [markdown] tags=["discuss"]
# The number of frames is never halved, height and width are. Why? What would be lost, and what
# gained? (5 minutes. Sixteen frames are few already; a motion that is pooled away cannot be brought
# back by a bridge of single frames. Longer films do pool time, in their autoencoders.)

# %% [markdown] minutes=20 tags=["slide"]
# ## 2 · A convolution along time that begins as nothing
#
# Take a network that knows pictures, and teach it films. New parts with random weights would spoil
# what it knows. So each temporal part adds to what passes, and its *last* map begins at zero:
#
# $$\mathrm{T}(x) = x + C_4\big(C_3(C_2(C_1(x)))\big), \qquad
# C_i(h) = K_i * \mathrm{SiLU}(\mathrm{GN}_i(h)), \qquad K_4 = 0 \text{ at the start},$$
#
# where $K_i$ is a kernel of three frames by one cell by one cell, and GN a group norm. From
# scratch, with a convolution in three dimensions:


# %% tags=["scratch"]
class TemporalConvByHand(nn.Module):
    """(clip, frame, height, width, channel) in and out."""

    groups: int

    @nn.compact
    def __call__(self, x):
        h = x
        for i in range(1, 5):
            start = nn.initializers.zeros if i == 4 else nn.initializers.lecun_normal()
            h = nn.GroupNorm(self.groups, epsilon=1e-5, name=f"conv{i}_norm")(h)
            h = nn.Conv(
                x.shape[-1],
                (3, 1, 1),  # frames, height, width
                padding=((1, 1), (0, 0), (0, 0)),  # a frame of zeros before and after
                kernel_init=start,
                name=f"conv{i}_conv",
            )(nn.silu(h))
        return x + h


def for_three_dimensions(params):
    """The package convolves over (frame, height·width), which is quicker: its kernels lack an
    axis."""
    return jax.tree.map(lambda p: p[:, :, None] if p.ndim == 4 else p, params)


# %%
clip = jax.random.normal(jax.random.key(SEED), (1, 21, 4, 4, 16))
theirs, ours = TemporalConv(groups=8), TemporalConvByHand(groups=8)

fresh = theirs.init(jax.random.key(SEED), clip)["params"]
assert (theirs.apply({"params": fresh}, clip) == clip).all()
print("fresh: frames pass unchanged, bit by bit")

learned = fill_params(fresh)  # random everywhere, as if it had learned something
expected = theirs.apply({"params": learned}, clip)
made = ours.apply({"params": for_three_dimensions(learned)}, clip)
np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)
print(
    f"with the same random parameters: equal, largest difference {abs(made - expected).max():.1e}"
)

# %% [markdown] minutes=10
# **How far does it see?** One convolution of three frames sees one frame to each side, four in a
# row see four. Test it: change one frame in the middle and look which frames of the output change.
# Then do it again with the group norms taken out (a watcher can also replace what a module does).


# %% tags=["scratch"]
def without_norms(run, args, kwargs, context):
    """For `nn.intercept_methods`: group norms hand on what they get."""
    return args[0] if isinstance(context.module, nn.GroupNorm) else run(*args, **kwargs)


# %% tags=["subslide"]
middle = 10
touched = clip.at[:, middle].add(1.0 * jax.random.normal(jax.random.key(1), clip[:, middle].shape))


def echo(layer, params):
    """How much each frame of the output changes, as a norm."""
    apart = layer.apply({"params": params}, touched) - layer.apply({"params": params}, clip)
    return np.asarray(jnp.linalg.norm(apart[0].reshape(21, -1), axis=1))


as_it_is = echo(theirs, learned)
with nn.intercept_methods(without_norms):
    bare = echo(theirs, learned)
far = np.abs(np.arange(21) - middle) > 4
assert (bare[far] == 0).all()
assert (bare[~far] > 0).all()

figure, axis = axes(width=6)
offsets = np.arange(21) - middle
axis.semilogy(offsets, np.maximum(as_it_is, 1e-5), "o-", label="as it is")
axis.semilogy(offsets, np.maximum(bare, 1e-5), "s--", label="without group norms")
axis.axvspan(-4.5, 4.5, color="#0072b2", alpha=0.12, label="four frames to each side")
axis.set(
    title="one frame is changed: which frames feel it?",
    xlabel="frames from the changed one",
    ylabel="change of the output (norm)",
)
axis.legend(fontsize=8)
show(
    figure,
    alt="Change over the distance in frames, on a logarithmic scale. Without norms it ends at four "
    "frames to each side; as it is, it falls until there and stays on one level beyond.",
)
print(f"beyond four frames: {as_it_is[far].max():.4f}, at the changed frame {as_it_is[middle]:.4f}")

# %% [markdown]
# Without norms the reach is four frames to each side, to the bit (zeros are drawn at the lower
# edge). As it is, *every* frame feels the change, and beyond four frames all by about as much: a
# group norm in here takes mean and variance over the whole clip, so one louder frame makes all
# others a little quieter. With these random weights that is a thirtieth of what the changed frame
# itself shows. It is no mistake: ModelScope was trained like this, and its weights need it so. The
# residual block's norms, in contrast, see one frame at a time.
#
# Many such blocks stand in a row, so the whole network reaches far beyond its 16 frames. And the
# other temporal part, attention along the frames of a cell, sees all of them at once.
#
# **Who knows the order of the frames?** Shuffle them, and shuffle the answer back:

# %%
shuffled = np.random.default_rng(SEED).permutation(21)
attention = TemporalTransformer(heads=2, head_dim=8, groups=8)
looks = fill_params(jax.eval_shape(attention.init, jax.random.key(0), clip)["params"])
for name, layer, params in (
    ("temporal transformer", attention, looks),
    ("temporal convolution", theirs, learned),
):
    straight = layer.apply({"params": params}, clip)
    back = layer.apply({"params": params}, clip[:, shuffled])[:, np.argsort(shuffled)]
    change = float(jnp.linalg.norm(back - straight) / jnp.linalg.norm(straight - clip))
    print(f"{name}: shuffling changes what it adds by {change:.6f} of its size")

# %% [markdown]
# The transformer has no idea of order: it gets no code of the frame's number (ModelScope has none),
# so a film played backwards is to it the same set of frames. Only the convolution tells before from
# after. Both are needed: one says what belongs together, the other what comes next.

# %% [markdown] tags=["discuss"]
# Group norm over the whole clip: name a film for which the leak would hurt, and one for which it
# helps. (5 minutes. A flash of light in one frame dims all others; an even exposure over a scene is
# what it helps with.)

# %% [markdown] minutes=10 tags=["slide"]
# ## 3 · The trained network: which frames ask which
#
# Now the weights that come with the package. Change the noise of one frame by a little, and see by
# how much the answer changes in each frame. A row per changed frame; the diagonal is the frame
# itself.

# %%
model = vdjax.load(PRESET)
unet, config = model.params["unet"], model.preset.unet
plan = vdjax.plan.plan("A cat walks from left to right on the beach", seed=SEED)
ready = prepare(plan, seed=SEED, steps=STEPS, frames=FRAMES, preset=model)
noise, conditions = ready.scene(1)
text, grounding = conditions.text[1:], conditions.grounding[1:]  # the conditional half
print(plan.summary())


@jax.jit
def predict(params, latents, time, text, grounding=None):
    return UNet3D(config).apply({"params": params}, latents, time, text, grounding)


EARLY = jnp.array([999])  # the timestep of the first step: all noise
ungated = predict(unet, noise, EARLY, text)
felt = np.zeros((FRAMES, FRAMES))
nudge = 0.1 * jax.random.normal(jax.random.key(1), noise[:, 0].shape)
for i in range(FRAMES):
    apart = predict(unet, noise.at[:, i].add(nudge), EARLY, text) - ungated
    felt[i] = jnp.linalg.norm(apart[0].reshape(FRAMES, -1), axis=1) / jnp.linalg.norm(nudge)

figure, axis = axes(width=4.6, height=3.6)
image = axis.imshow(felt, cmap="cividis", norm=LogNorm())
axis.set(title="who feels whom", xlabel="frame of the answer", ylabel="frame that is changed")
figure.colorbar(image, ax=axis, label="change of the answer / change of the noise")
show(
    figure,
    alt="A square of frames by frames on a logarithmic scale: how much the answer in one frame "
    "changes with another. The diagonal stands out.",
)
own = np.diag(felt).mean()
near = (np.diag(felt, 1).mean() + np.diag(felt, -1).mean()) / 2
ends = (felt[0, -1] + felt[-1, 0]) / 2
print(f"the frame itself {own:.3f}, its neighbours {near:.3f}, first and last {ends:.3f}")

# %% [markdown]
# Mind the logarithmic scale: the diagonal is about eleven times as large as its neighbours. Every
# frame can feel every other, and none feels another much; neighbours do so about twice as much as
# the first and the last frame. That is less talk between frames than the reach of the network would
# allow. A likely reason is the noise these weights were trained with: frames of a clip share 95 %
# of its variance, so they begin alike, and little has to be passed on to keep them alike. Here one
# frame is changed alone, which the network seldom met.

# %% [markdown] minutes=10
# **Image mode.** With `video=False` all temporal parts are left out: every frame is then a picture
# of its own. The paper trains the gated layers in this mode, on pictures with boxes, of which there
# are many more than films with boxes. Ask the toy network, with random weights everywhere:

# %%
toy = presets["toy"].unet
weights = fill_params(shapes["toy"])
four = jax.random.normal(jax.random.key(SEED), (1, 4, toy.sample_size, toy.sample_size, 4))
words = jnp.zeros((1, 1, toy.text_width))
for video in (False, True):
    ask = jax.jit(
        lambda z, v=video: UNet3D(toy).apply({"params": weights}, z, EARLY, words, video=v)
    )
    apart = np.abs(ask(four.at[:, 0].add(1.0)) - ask(four)).max((0, 2, 3, 4))
    print(f"video={video!s:5}: frame 0 is changed, frames change by {apart.round(4)}")
    assert video or not apart[1:].any()

# %% [markdown] minutes=20 tags=["slide"]
# ## 4 · The gated layer, as a Flax module
#
# In [02](02_grounding_tokens.ipynb) it was a function of one frame. Here it is as a module, for all
# frames at once, with the names that weights are stored under. GLIGEN's equations 8 and 9, which
# VideoDirectorGPT calls Guided 2D Attention:
#
# $$v \leftarrow v + \tanh(\alpha_\text{attn}) \cdot
# \mathrm{SelfAttention}\big(\mathrm{LN}([v;\, W h])\big)_{\text{visual}}
# \qquad v \leftarrow v + \tanh(\alpha_\text{dense}) \cdot \mathrm{FF}\big(\mathrm{LN}(v)\big)$$


# %% tags=["scratch"]
class HeadsByHand(nn.Module):
    """Self-attention: (row, token, channel) in and out."""

    heads: int

    @nn.compact
    def __call__(self, x):
        channels = x.shape[-1]

        def projected(name):  # (row, token, head, number)
            y = nn.Dense(channels, use_bias=False, name=name)(x)
            return y.reshape(*x.shape[:-1], self.heads, -1)

        query, key, value = projected("to_q"), projected("to_k"), projected("to_v")
        scores = jnp.einsum("rqhd,rkhd->rhqk", query, key) / np.sqrt(query.shape[-1])
        weights = nn.softmax(scores, axis=-1)  # over all keys: visual and grounding
        mixed = jnp.einsum("rhqk,rkhd->rqhd", weights, value)
        return nn.Dense(channels, name="to_out")(mixed.reshape(x.shape))


class FeedForwardByHand(nn.Module):
    """GEGLU: one half of the wide layer is a switch for the other half."""

    @nn.compact
    def __call__(self, x):
        wide = nn.Dense(8 * x.shape[-1], name="net_0_proj")(x)
        value, switch = jnp.split(wide, 2, axis=-1)
        return nn.Dense(x.shape[-1], name="net_2")(value * nn.gelu(switch, approximate=False))


class GatedByHand(nn.Module):
    """(row, cell, channel), (row, token, width) -> (row, cell, channel); a row is a frame."""

    heads: int

    @nn.compact
    def __call__(self, visual, grounding):
        alpha_attn = self.param("alpha_attn", nn.initializers.zeros, ())
        alpha_dense = self.param("alpha_dense", nn.initializers.zeros, ())
        cells, channels = visual.shape[1:]

        tokens = nn.Dense(channels, name="linear")(grounding)  # W h
        both = jnp.concatenate([visual, tokens], axis=1)  # [v; W h]
        both = nn.LayerNorm(epsilon=1e-5, name="norm1")(both)
        seen = HeadsByHand(self.heads, name="attn")(both)[:, :cells]  # the visual rows
        visual = visual + jnp.tanh(alpha_attn) * seen

        h = nn.LayerNorm(epsilon=1e-5, name="norm2")(visual)
        return visual + jnp.tanh(alpha_dense) * FeedForwardByHand(name="ff")(h)


# %%
cells = jax.random.normal(jax.random.key(1), (FRAMES, 16, 64))
tokens = jax.random.normal(jax.random.key(2), (FRAMES, 3, 32))
layer, by_hand = GatedSelfAttention(heads=4, head_dim=16, channels=64), GatedByHand(heads=4)
fresh_gated = by_hand.init(jax.random.key(SEED), cells, tokens)["params"]
random_gated = fill_params(fresh_gated)  # gates at 0.5

expected = layer.apply({"params": random_gated}, cells, tokens)
made = by_hand.apply({"params": random_gated}, cells, tokens)
np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)
print(f"same parameters, same names: largest difference {abs(made - expected).max():.1e}")
assert (layer.apply({"params": fresh_gated}, cells, tokens) == cells).all()
print("fresh, with both gates at zero: cells pass unchanged, bit by bit")

# %% [markdown] minutes=10
# **Two ways to begin.** The paper, like GLIGEN, begins with closed gates. The weights that come
# with this package began with open gates and zeros in the last map behind each of them (`opened` in
# `vdjax/train/guided.py`). On the first day both layers are the identity. But what can *learn* on
# that day differs. Take the gradient of some loss, and count which parameters get one:

# %%
zero_last = {**fresh_gated, "alpha_attn": jnp.array(0.5), "alpha_dense": jnp.array(0.5)}
zero_last["attn"] = {
    **zero_last["attn"],
    "to_out": jax.tree.map(jnp.zeros_like, zero_last["attn"]["to_out"]),
}
zero_last["ff"] = {
    **zero_last["ff"],
    "net_2": jax.tree.map(jnp.zeros_like, zero_last["ff"]["net_2"]),
}
assert (layer.apply({"params": zero_last}, cells, tokens) == cells).all()
wish = jax.random.normal(jax.random.key(3), cells.shape)


def loss(params):
    return jnp.mean((layer.apply({"params": params}, cells, tokens) - wish) ** 2)


for name, start in (("closed gates", fresh_gated), ("open gates, last map zero", zero_last)):
    slopes = flatten_dict(jax.grad(loss)(start), sep="/")
    moved = {path: slope.size for path, slope in slopes.items() if np.abs(slope).max() > 0}
    print(f"{name}: {sum(moved.values())} of {sum(s.size for s in slopes.values())} numbers move:")
    print("   ", ", ".join(moved))

# %% [markdown]
# With closed gates two numbers per layer move at first, and everything behind them waits until they
# have. With open gates and zeros behind them, the whole last maps move, near a third of the layer,
# and the rest one step later. Closed gates are safe and cost time, which 50,000 steps have and a
# small training has not.
#
# **What the small network adds.** The storybook's gated layers get one thing more, a `BoxGeometry`:
# each of their heads adds a learned gain times "how much of this cell lies in that box" to its
# scores. So these heads are *biased towards the boxes by design*, before they have learned anything
# (the paper's and GLIGEN's are not: they must learn it from the codes of boxes, and the presets of
# the full size leave this out). Keep it in mind below: that change gathers in the boxes is here
# partly built in. [02](02_grounding_tokens.ipynb), end of section 4, has it in detail.

# %% [markdown] minutes=10 tags=["slide"]
# ## 5 · What is how large, and what is trained
#
# The shapes from section 1 are enough to count parameters. Leaves under `fuser` are gated, leaves
# under `temp_convs`, `temp_attentions` and `transformer_in` are temporal, the rest is what a
# network for pictures has.


# %% tags=["scratch"]
def count(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def count_by_kind(tree):
    """{kind: number of parameters} of a UNet's parameters or their shapes."""
    gated, rest = split_params(tree, GATED)
    temporal, spatial = split_params(rest, TEMPORAL)
    return {"spatial": count(spatial), "temporal": count(temporal), "gated": count(gated)}


# %% tags=["subslide"]
sizes = {name: count_by_kind(tree) for name, tree in shapes.items()}
figure, axis = axes(width=7, height=2.6)
colours = {"spatial": "#0072b2", "temporal": "#009e73", "gated": "#e69f00"}
for place, kinds in enumerate(sizes.values()):
    left_edge, whole = 0.0, sum(kinds.values())
    for kind, number in kinds.items():
        share = 100 * number / whole
        axis.barh(place, share, left=left_edge, color=colours[kind], label=None if place else kind)
        axis.text(
            left_edge + share / 2,
            place,
            f"{number / 1e6:,.1f} M",
            ha="center",
            va="center",
            color="white" if kind != "gated" else "black",
            fontsize=8,
        )
        left_edge += share
axis.set_yticks(
    range(len(sizes)), [f"{n}\n{sum(k.values()) / 1e6:,.1f} M" for n, k in sizes.items()]
)
axis.invert_yaxis()
axis.set(title="parameters of the UNet by kind", xlabel="share in %", ylabel="preset")
figure.legend(loc="outside lower center", ncols=3, fontsize=8)
show(figure, alt="A bar per preset, split into spatial, temporal and gated parameters in millions.")
for name, kinds in sizes.items():
    before = kinds["spatial"] + kinds["temporal"]
    print(
        f"{name:16} without gated layers {before:>13,}, with them {before + kinds['gated']:>13,}, "
        f"gated {kinds['gated'] / (before + kinds['gated']):.1%}"
    )

# %% [markdown]
# The last line is the paper's size: ModelScope's network of 1.41 billion parameters, and the gated
# layers on top. Only these (and the small grounding net of [02](02_grounding_tokens.ipynb)) are
# trained in the paper; all else stays frozen. What a step must hold in memory for the trained part
# alone (weights, gradients and two moments of Adam, in float32) is sixteen bytes per number:

# %%
for kind in ("gated", "all"):
    number = sizes["videodirectorgpt"].get(kind, sum(sizes["videodirectorgpt"].values()))
    print(f"{kind:5}: {number / 1e6:7,.0f} M numbers, 16 bytes each: {16 * number / 1e9:5.1f} GB")

# %% [markdown] minutes=20 tags=["slide"]
# ## 6 · One denoising step, gates closed and open
#
# `scale_gates(params, factor)` multiplies every $\tanh(\alpha)$ by a factor, 0 closed to 1 as
# trained. At 0 the network must answer as the network without gated layers does, though it runs
# through all of them:

# %%
closed = predict(scale_gates(unet, 0.0), noise, EARLY, text, grounding)
np.testing.assert_allclose(closed, ungated, atol=1e-5)
same = int((np.asarray(closed) == np.asarray(ungated)).sum())
print(f"{same} of {closed.size} numbers are equal bit by bit")

# %% [markdown]
# Now open them. This network predicts a velocity $v_t$; from it and the noisy latents $z_t$ comes
# its guess of the clean latents, which the autoencoder turns into frames:
#
# $$\hat x_0 = \sqrt{\bar\alpha_t}\, z_t - \sqrt{1 - \bar\alpha_t}\; \hat v_t.$$
#
# Everything below is *one* pass of the network, at the first step, where the input is noise. Words
# and noise are the same in all rows.

# %%
signal = alphas_cumprod(model.preset.noise)
boxes = np.asarray(frame_boxes(plan.scene(1), FRAMES)["cat"])
SIDE = config.sample_size
inside = np.asarray(cells_inside(jnp.asarray(boxes, jnp.float32)[:, None], SIDE, SIDE))
inside = inside.reshape(FRAMES, SIDE, SIDE)  # the share of each latent cell in the cat's box


def clean_guess(latents, time, factor, told=grounding):
    """The clean latents that one pass takes the noisy ones for, (frame, height, width, 4)."""
    params = unet if factor == 1 else scale_gates(unet, factor)
    velocity = predict(params, latents, jnp.array([time]), text, told)
    kept = signal[time]
    return (np.sqrt(kept) * latents - np.sqrt(1 - kept) * velocity)[0]


SHOWN = (0, FRAMES // 2, FRAMES - 1)
FACTORS = (0.0, 0.25, 0.5, 1.0)
guesses = {factor: clean_guess(noise, 999, factor) for factor in FACTORS}
figure = Figure(figsize=(1.9 * len(FACTORS) + 0.6, 2 * len(SHOWN)), dpi=80, layout="constrained")
grid = figure.subplots(len(SHOWN), len(FACTORS))
for column, (factor, guess) in enumerate(guesses.items()):
    frames = model.decode(guess)
    for row, f in enumerate(SHOWN):
        x0, y0, x1, y1 = boxes[f] * frames.shape[1]
        grid[row, column].imshow(frames[f])
        grid[row, column].plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], "w--", linewidth=1)
        grid[row, column].axis("off")
        grid[row, column].set_title(f"frame {f + 1}, gates × {factor:g}", fontsize=9)
show(
    figure,
    alt="Three frames by four factors on the gates: what one pass takes pure noise for, with the "
    "cat's box dashed.",
)

# %% [markdown]
# Row by row the dashed box moves to the right, and with open gates a cat in the making moves with
# it. With closed gates there is a brownish haze in the middle of every frame: the words say "cat",
# and nothing says where. A quarter open there is a reddish haze in the box, half open it is a body,
# and only fully open it has ears. And more than the box changes: the sea becomes blue, and the
# shore gets an edge. That is the gates' work too, for the *background* has a token of its own,
# "beach", whose box is the whole frame (`scene_conditions`).

# %% [markdown] minutes=10
# **Where, and how much?** Square the change of the guess, and ask what share of it lies in the
# cat's box. By chance that share would be the area of the box. And ask at other noise levels too:
# noise is mixed again into the guess with open gates, $z_t = \sqrt{\bar\alpha_t}\, \hat x_0 +
# \sqrt{1 - \bar\alpha_t}\, \epsilon$, and one pass is done from there. Since the gates also let in
# the background, ask a second question: gates open both times, the cat's token there, or a token of
# nobody in its place.


# %% tags=["scratch"]
def share_inside(change, inside):
    """(frame, y, x, channel), (frame, y, x) -> the share of the squared change in the box."""
    power = (np.asarray(change) ** 2).sum(-1)
    return float((power * inside).sum() / power.sum())


# %% tags=["subslide"]
LEVELS = (999, 800, 600, 400, 200)
nobody = grounding.at[:, :, 0].set(grounding[:, :, 1])  # place 0 holds the cat, place 1 nobody
change_of, by_gates, by_cat = [], [], []
for time in LEVELS:
    kept = signal[time]
    noisy = np.sqrt(kept) * guesses[1.0][None] + np.sqrt(1 - kept) * noise
    noisy = noise if time == 999 else jnp.asarray(noisy, jnp.float32)
    off, on = (clean_guess(noisy, time, factor) for factor in (0.0, 1.0))
    change_of.append(float(jnp.linalg.norm(on - off) / jnp.linalg.norm(off)))
    by_gates.append(share_inside(on - off, inside))
    by_cat.append(share_inside(on - clean_guess(noisy, time, 1.0, nobody), inside))

chance = float(inside.mean())
figure, (left, right) = axes(2, 4.2)
left.plot(LEVELS, [100 * value for value in change_of], "o-")
left.set(
    title="how much the gates change the guess",
    xlabel="timestep (999: all noise)",
    ylabel="change in %",
    ylim=(0, None),
)
right.plot(LEVELS, [100 * value for value in by_cat], "o-", label="with and without the cat")
right.plot(LEVELS, [100 * value for value in by_gates], "s-.", label="gates open and closed")
right.axhline(100 * chance, color="black", linestyle="--", label="chance: the box's area")
right.set(
    title="how much of a change lies in the box",
    xlabel="timestep (999: all noise)",
    ylabel="share in %",
    ylim=(0, 100),
)
right.legend(fontsize=8)
left.invert_xaxis()
right.invert_xaxis()
show(
    figure,
    alt="Left: change of the guess by the gates over the timestep, falling. Right: share of the "
    "change inside the box for the gates and for the cat's token, and chance; all printed below.",
)
for time, value, *shares in zip(LEVELS, change_of, by_gates, by_cat, strict=True):
    print(
        f"t = {time}: gates change {value:.1%}; in the box: {shares[0]:.1%} of what the gates "
        f"change, {shares[1]:.1%} of what the cat's token changes; chance {chance:.1%}"
    )

# %% [markdown]
# The gates change most where all is noise, 43 % at the first step, and less and less after it. Of
# all they change, only 27 to 39 % lies in the cat's box, because they bring in the beach as well;
# chance would be 14 %. What the cat's *token* changes is another matter: 67 to 85 % of it lies in
# its box. So the token acts where its box is. Remember what is built in, though: these heads attend
# to the boxes by design (section 4), so this curve is no proof that a network learns that alone.
#
# Turn it yourself: how far open must the gates be before the box is filled, and does opening them
# late still help?


# %%
def one_step(gates, timestep):
    """HTML: the middle frame of the guess, closed, at this opening, and the difference."""
    time, kept = int(timestep), signal[int(timestep)]
    noisy = np.sqrt(kept) * guesses[0.0][None] + np.sqrt(1 - kept) * noise
    noisy = noise if time == 999 else jnp.asarray(noisy, jnp.float32)
    off, on = (clean_guess(noisy, time, factor) for factor in (0.0, float(gates)))
    f = FRAMES // 2
    change = np.linalg.norm(np.asarray(on - off)[f], axis=-1)
    figure, parts = axes(3, 2.6, 2.7)
    for axis, picture, title in zip(
        parts,
        (model.decode(off)[f], model.decode(on)[f], change),
        ("closed", f"gates × {gates:g}", "change of the latents"),
        strict=True,
    ):
        drawn = axis.imshow(picture, cmap="cividis")
        axis.axis("off")
        axis.set_title(title, fontsize=9)
    figure.colorbar(drawn, ax=parts[2], label="norm over 4 numbers")
    words = (
        f"gates × {gates:g} at timestep {time}, frame {f + 1}: change {change.max():.2f} at most"
    )
    return picture_html(figure, alt=words)


knobs = Knobs(
    one_step,
    gates=ipywidgets.FloatSlider(
        value=1.0, min=0, max=1, step=0.05, description="gates ×", continuous_update=False
    ),
    timestep=ipywidgets.IntSlider(
        value=600, min=99, max=999, step=50, description="timestep", continuous_update=False
    ),
)
display(knobs)

# %% [markdown]
# No widgets where you read this? `IPython.display.HTML(one_step(gates=0.3, timestep=999))`. Here
# the noise is mixed into the guess with *closed* gates: a scene that was begun without boxes.

# %% [markdown] minutes=15 tags=["slide"]
# ## 7 · The gates of the shipped weights
#
# Last, a whole (short) film. `GateInspector` shows the gates, what each adds layer by layer and
# step by step, and makes the film again with gates scaled from some step on. Here it is asked to
# close all gates from each of the four steps on:

# %%
inspector = GateInspector.of_scene(ready)
changes = []
for first in range(STEPS, 0, -1):
    inspector.factors = dict.fromkeys(inspector.factors, 0.0)
    inspector.from_step = first
    inspector.render()
    assert inspector.wait(240)
    changes.append(inspector.change)
    print(f"all gates closed from step {first} on: pixels change by {inspector.change:.1f} of 255")
display(inspector)

# %% [markdown]
# The bars: gates are wide open on the finest grid (down 0, up 2), and those of attention nearly
# shut on the coarsest, 4 × 4 cells, where this box is 1.5 cells wide. But do not read a bar as
# importance. The feed-forward gate of the middle is at 0.07, and what comes through it is still 1.5
# times as large as what it is added to, because the layer behind it is loud. The maps show that:
# each number is the norm of what a gate adds, divided by the norm of the features it is added to.
#
# The films: every step counts. Closed from the last step on, pixels change by a quarter of what
# they change by when gates are closed all the way; with gates in the first step alone, still by
# nearly three quarters of it. Without any gate there is no cat that walks: an orange patch stays in
# the middle of the beach, and something like a house hangs in the sky. The film with gates is four
# steps of a small network, and looks like it: something with two ears walks to the right.
#
# Gates of these weights began open (section 4), and their heads are biased towards the boxes by
# design. So these bars say where training left them, not where a layout "wants" to come in. In a
# live kernel, scale one layer alone: which one can be closed without any harm?

# %% [markdown] tags=["exercise"]
# ## 8 · Exercises
#
# Write in the first cell, run the second: it says whether you are there, or what to look at.

# %% [markdown] tags=["exercise"]
# ### Exercise 1 · How many blocks until the ends meet?
#
# *Difficulty 2/5 · importance 3/5 · 5 minutes*
#
# Write `blocks_needed(frames)`: how many temporal convolution blocks must stand in a row so that
# the first frame of a clip feels the last one? Leave norms and attention aside. For one frame it is
# 0.


# %% tags=["stub"]
def blocks_needed(frames):
    return 1  # your code here


# %% tags=["check"]
def check_blocks(answer):
    for frames in (16, 5, 1, 6, 9, 10, 64):
        truth, value = next(b for b in range(99) if 4 * b >= frames - 1), answer(frames)
        if value != truth and value == math.ceil((frames - 1) / 8):
            return f"{frames} frames, {value} blocks: a block sees 4 frames to each side, not 8."
        if value != truth:
            return (
                f"{frames} frames: {value} is not it; the ends are {frames - 1} frames apart, and "
                f"{truth} blocks reach {4 * truth}."
            )
    return "Right: four frames per block. The network here has enough of them many times over."


print(check_blocks(blocks_needed))

# %% [markdown] tags=["hint"]
# The first and the last frame are `frames - 1` apart. `math.ceil`.


# %% tags=["solution"]
def blocks_needed(frames):
    return math.ceil((frames - 1) / 4)


# %% tags=["wrong"]
# says: a block sees 4 frames to each side, not 8
def blocks_needed(frames):
    return math.ceil((frames - 1) / 8)


# %% tags=["wrong"]
# says: the ends are 4 frames apart
def blocks_needed(frames):
    return math.ceil(frames / 4)


# %% [markdown] tags=["exercise"]
# ### Exercise 2 · Weigh a gated layer
#
# *Difficulty 3/5 · importance 4/5 · 10 to 15 minutes*
#
# Write `gated_size(channels, width)`: how many numbers a gated layer like `GatedByHand` holds, for
# cells of `channels` numbers and grounding tokens of `width`. No counting of arrays: a formula.


# %% tags=["stub"]
def gated_size(channels, width):
    return 0  # your code here


# %% tags=["check"]
def check_size(answer):
    for channels, width in ((64, 32), (320, 1024), (640, 1024), (1280, 1024)):
        rows = jnp.zeros((1, 1, channels)), jnp.zeros((1, 1, width))
        truth = count(jax.eval_shape(GatedByHand(4).init, jax.random.key(0), *rows)["params"])
        value = answer(channels, width)
        if value == truth - 4 * channels**2 - 4 * channels:
            return (
                f"{value:,} for {channels} channels, {truth - value:,} short: the first map of the "
                "feed-forward is 8 times as wide, not 4; one half switches the other."
            )
        if 0 < truth - value < 32 * channels:
            short = truth - value
            return f"{value:,} for {channels} channels, {short:,} short: biases, norms, gates?"
        if value != truth:
            return (
                f"{value:,} for {channels} channels and tokens of {width}; it should be {truth:,}."
            )
    whole = 5 * answer(320, 1024) + 5 * answer(640, 1024) + 6 * answer(1280, 1024)
    return f"Right: and five layers of 320, five of 640 and six of 1280 are the paper's {whole:,}."


print(check_size(gated_size))

# %% [markdown] tags=["hint"]
# Per part: `linear` width·c + c; each of the two norms 2c; attention 3c² and c² + c; feed-forward
# c·8c + 8c and 4c·c + c; two gates.


# %% tags=["solution"]
def gated_size(channels, width):
    c = channels
    linear, norms, gates = width * c + c, 2 * 2 * c, 2
    attention = 3 * c * c + (c * c + c)
    feed_forward = (c * 8 * c + 8 * c) + (4 * c * c + c)
    return linear + norms + attention + feed_forward + gates


# %% tags=["wrong"]
# says: is 8 times as wide, not 4
def gated_size(channels, width):
    c = channels
    linear, norms, gates = width * c + c, 2 * 2 * c, 2
    attention = 3 * c * c + (c * c + c)
    feed_forward = (c * 4 * c + 4 * c) + (4 * c * c + c)
    return linear + norms + attention + feed_forward + gates


# %% tags=["wrong"]
# says: biases, norms, gates?
def gated_size(channels, width):
    return width * channels + 4 * channels**2 + 12 * channels**2


# %% [markdown] tags=["exercise"]
# ### Exercise 3 · No peeking into the future
#
# *Difficulty 4/5 · importance 3/5 · 15 to 20 minutes*
#
# A film that is made while it is watched cannot look at frames that are not there yet. Write
# `CausalTemporalConv`: like `TemporalConvByHand`, with the same parameters, but no frame of its
# output depends on a later frame of its input. Mind section 2's surprise.


# %% tags=["stub"]
class CausalTemporalConv(TemporalConvByHand):
    pass  # your code here: a __call__ of its own


# %% tags=["check"]
def check_causal(answer):
    layer, params = answer(groups=8), for_three_dimensions(learned)
    later = clip.at[:, middle].add(1.0)

    def moved():
        apart = layer.apply({"params": params}, later) - layer.apply({"params": params}, clip)
        return np.abs(apart).max((0, 2, 3, 4))

    with nn.intercept_methods(without_norms):
        bare = moved()
    if bare[:middle].any():
        early = middle - int(np.flatnonzero(bare)[0])
        return f"a frame {early} frames before the changed one feels it: pad the past only."
    if not bare[middle + 1 :].any():
        return "no later frame feels the changed one: it must still see the past."
    if moved()[:middle].any():
        return "the convolutions are causal, but the norms still pool over the whole clip."
    if not np.array_equal(layer.init_with_output(jax.random.key(0), clip)[0], clip):
        return "causal, but no longer the identity at the start: the last kernel begins at zero."
    return "Right: only the past, through convolutions and norms alike."


print(check_causal(CausalTemporalConv))

# %% [markdown] tags=["hint"]
# A kernel of three frames over two frames of padding before and none after sees this frame and two
# before.

# %% [markdown] tags=["hint"]
# For a norm of each frame alone, let frames be rows:
# `norm(h.reshape(-1, *h.shape[2:])).reshape(h.shape)`.


# %% tags=["solution"]
class CausalTemporalConv(nn.Module):
    groups: int

    @nn.compact
    def __call__(self, x):
        h = x
        for i in range(1, 5):
            start = nn.initializers.zeros if i == 4 else nn.initializers.lecun_normal()
            norm = nn.GroupNorm(self.groups, epsilon=1e-5, name=f"conv{i}_norm")
            h = norm(h.reshape(-1, *h.shape[2:])).reshape(h.shape)
            h = nn.Conv(
                x.shape[-1],
                (3, 1, 1),
                padding=((2, 0), (0, 0), (0, 0)),
                kernel_init=start,
                name=f"conv{i}_conv",
            )(nn.silu(h))
        return x + h


# %% tags=["wrong"]
# says: the norms still pool over the whole clip
class CausalTemporalConv(nn.Module):
    groups: int

    @nn.compact
    def __call__(self, x):
        h = x
        for i in range(1, 5):
            h = nn.GroupNorm(self.groups, epsilon=1e-5, name=f"conv{i}_norm")(h)
            padding = ((2, 0), (0, 0), (0, 0))
            conv = nn.Conv(x.shape[-1], (3, 1, 1), padding=padding, name=f"conv{i}_conv")
            h = conv(nn.silu(h))
        return x + h


# %% tags=["wrong"]
# says: before the changed one feels it
class CausalTemporalConv(nn.Module):
    groups: int

    @nn.compact
    def __call__(self, x):
        h = x
        for i in range(1, 5):
            h = nn.GroupNorm(self.groups, epsilon=1e-5, name=f"conv{i}_norm")(h)
            padding = ((0, 2), (0, 0), (0, 0))
            conv = nn.Conv(x.shape[-1], (3, 1, 1), padding=padding, name=f"conv{i}_conv")
            h = conv(nn.silu(h))
        return x + h


# %% [markdown] tags=["questions"]
# ## 9 · Questions
#
# 1. Which axis of the film does the network never make shorter?
# 2. Two kinds of layer begin as the identity, each by a zero in another place. Where?
# 3. How can a frame feel another that is beyond the reach of all convolutions before it?
# 4. Which temporal part could play the film backwards without noticing?
# 5. Why may one train the gated layers on still pictures?
# 6. A layer's gate is at $\tanh(\alpha) = 0.4$. What does that tell about how much the layer
#    matters?

# %% [markdown] tags=["answers"]
# 1. The frames.
# 2. Temporal parts in their last kernel or map, gated layers in their gates.
# 3. By attention along the frames, and by group norms that pool over the clip.
# 4. The temporal transformer: it knows no order.
# 5. They sit in the spatial transformers, which see one frame at a time; without the temporal parts
#    every frame is a picture.
# 6. Not much: what stands behind the gate may be loud or silent. Measure what it adds, or close it
#    and see what is missed.

# %% [markdown] tags=["references"]
# ## References, and what to read next
#
# - Wang et al.: *ModelScope Text-to-Video Technical Report*, 2023,
#   [arXiv:2308.06571](https://arxiv.org/abs/2308.06571): this network.
# - Ho et al.: *Video Diffusion Models*, 2022,
#   [arXiv:2204.03458](https://arxiv.org/abs/2204.03458): the 3D UNet.
# - Li et al.: *GLIGEN: Open-Set Grounded Text-to-Image Generation*, CVPR 2023,
#   [arXiv:2301.07093](https://arxiv.org/abs/2301.07093): gated self-attention.
# - Lin, Zala, Cho, Bansal: *VideoDirectorGPT*, COLM 2024,
#   [arXiv:2309.15091](https://arxiv.org/abs/2309.15091), section 3.2 and figure 3c: Guided 2D
#   Attention.
# - Zhang, Rao, Agrawala: *Adding Conditional Control to Text-to-Image Diffusion Models*
#   (ControlNet), 2023, [arXiv:2302.05543](https://arxiv.org/abs/2302.05543): zero last maps.
# - In the package: `vdjax/model/unet3d.py`, `vdjax/model/blocks.py`, `vdjax/model/attention.py`,
#   `vdjax/inspect/gates.py`.
# - Next: [04 · training](04_training.ipynb), how the gates come to be open.
