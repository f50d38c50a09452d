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
# # 06 · Looking inside: attention and gates
#
# **Goal, in one sentence:** record where the trained network looks at its layout, measure it
# against chance, and find out by closing gates and moving boxes what that looking does.
#
# ![Left: a film is made; beside it, maps of attention with a box, step by step: watching. Right:
# the same film is made twice, once with a gate closed or a box moved, and the two films are
# compared: intervening. Watching says where; only intervening says whether it
# matters.](pictures/06_looking_inside.png)
#
# [![Open in Colab](pictures/colab.png)]({{COLAB}})
#
# **You will be able to**
#
# - say what a record of attention holds, and how large it will be, before you make it;
# - compute the attention weights of a trained layer by hand, equal to the package's;
# - measure attention inside a box against chance, and against a network whose help was taken away;
# - close gates from a step on, or in one layer, and read off the film what they were for;
# - say what an attention map proves, and what it does not.
#
# **You need** [02 · grounding tokens](02_grounding_tokens.ipynb) and
# [05 · multi-scene sampling](05_multi_scene_sampling.ipynb), or to believe them. No network, no
# GPU. Symbols: [notation](notation.md); words: [glossary](glossary.md).
#
# {{TIMES}}

# %% [markdown] tags=["teacher"]
# One sentence to leave the room with: *a map shows where a token is read, not what the reading
# does.* Sections 2 to 5 build the map and make it look convincing; section 6 takes the conviction
# apart, with controls; sections 7 to 9 replace it by interventions. Let the class bet before
# section 6: "I close every gate. Where will the attention be?" Most expect the maps to fall apart.
# When time is short, skip section 4 and the figure by layers in section 5.

# %% tags=["install"]
# Filled in from install.py.

# %%
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from IPython.display import display
from matplotlib.figure import Figure

import vdjax
from vdjax.inspect.attention import attention_bytes, chance, mass_in_box, record_attention
from vdjax.inspect.attention_pictures import attention_grid, attention_strip
from vdjax.inspect.gates import layer_of, read_gates, scale_gates, stream_with_gates
from vdjax.inspect.pictures import attention_figure
from vdjax.inspect.scenes import record_scene
from vdjax.model.attention import GatedSelfAttention
from vdjax.model.boxes import cell_codes
from vdjax.model.unet3d import UNet3D
from vdjax.plan import frame_boxes
from vdjax.runtime import enable_compilation_cache
from vdjax.systems.videodirectorgpt import prepare
from vdjax.widgets import AttentionInspector, FilmPlayer, GateInspector, show

PRESET = "storybook"  # the weights that come with the package; "toy" is random, tiny and quick
STEPS, FRAMES, SEED = 8, 8, 0
enable_compilation_cache()
model = vdjax.load(PRESET)

# %% [markdown] minutes=10 tags=["slide"]
# ## 1 · What is recorded, and what it costs
#
# One scene is enough to look into: a cat that walks, a rocket that stays. `prepare` does all that
# comes before the first denoising step; `record_scene` then makes the scene and writes down the
# attention weights. First the price. A record holds one number of four bytes for each step, frame
# and token, and, in each layer $l$, for each head and each cell of the layer's grid:
#
# $$\text{bytes} = 4 \cdot \text{steps} \cdot \text{frames} \cdot \text{tokens} \cdot
# \sum_l \text{heads}_l \cdot \text{height}_l \cdot \text{width}_l.$$
#
# `record_scene` says so before it runs, and refuses what is over its limit. Tokens are of two
# kinds: the grounding tokens (`cat`, `rocket`, and `park`, the background, whose box is the whole
# frame) and the words of the sentence (`word cat`).

# %%
plan = vdjax.plan.plan("A cat walks from left to right in the park under a rocket", seed=SEED)
print(plan.summary())
prepared = prepare(plan, steps=STEPS, frames=FRAMES, preset=model)
frames, record = record_scene(prepared)

cells = sum(maps.shape[2] * maps.shape[3] * maps.shape[4] for maps in record.maps.values())
config, params = model.preset.unet, model.part("unet")
assert record.nbytes == 4 * STEPS * FRAMES * len(record.tokens) * cells
assert record.nbytes == attention_bytes(config, params, FRAMES, len(record.tokens), STEPS)
print(f"held: {record.nbytes / 1e6:.1f} MB, as announced")
for layer, maps in record.maps.items():
    print(f"{layer:>8}: {maps.shape[2]} heads, {maps.shape[3]} × {maps.shape[4]} cells")

# %% [markdown]
# Recording leaves the film alone: the network is run once more on each of the latents that the
# sampler has visited. Who does not record pays nothing, and gets the same film bit by bit:

# %%
noise, conditions = prepared.scene(1)
guidance = jnp.float32(prepared.guidance)
sampler, switch = prepared.sampler, prepared.switch
visited = [noise, *sampler.stream(params, noise, conditions, guidance, switch)]
timesteps = [int(t) for t in sampler.begin(noise)[1]]
assert np.array_equal(model.decode(visited[-1][0]), frames)
assert record.timesteps == tuple(timesteps)

boxes = frame_boxes(plan.scene(1), FRAMES)
names = list(boxes)
FRAME = FRAMES // 2  # the frame to look at, counted from 1
print(f"the same film without a record; {switch} of {STEPS} steps have gates")

# %% [markdown]
# The film is a rough one (few steps, a small network): the rocket is blue with red fins and a
# flame, the cat a reddish patch with two ears at most, and beside it lie pale patches that nobody
# planned. But both are where the plan wants them, and below them lies the attention, mean over
# steps, layers and heads:

# %%
heat = record.mean()
show(
    attention_figure(
        frames,
        {name: heat[..., record.place(name)] for name in names},
        boxes,
        plan.scenes[0].description,
    ),
    alt="First row: four frames of the film, a reddish patch with ears in a meadow and a blue "
    "rocket with red fins above. Below, for the cat and for the rocket, the same frames in grey "
    "with the mean attention upon them and the plan's box outlined.",
)

# %% [markdown] minutes=20 tags=["slide"]
# ## 2 · Attention weights, by hand
#
# What was recorded? In a gated layer each visual token is a query $q_i$; the keys $k_j$ are all
# visual tokens of the frame and all grounding tokens. Every head of width $d$ makes of them
#
# $$A_{ij} = \frac{\exp s_{ij}}{\sum_{j'} \exp s_{ij'}}, \qquad
# s_{ij} = \frac{q_i \cdot k_j}{\sqrt d} + g \cdot \text{inside}_{ij},$$
#
# and the map of the cat is the column $A_{\cdot j}$ of the cat's token, laid out as a picture. The
# second term is this network's own (`box_geometry`, see notebook 02): $\text{inside}_{ij}$ is the
# share of cell $i$ that lies in the box of token $j$, 0 for all visual keys, and $g$ a gain, one
# per head, learnt. GLIGEN and the paper have only the first term. Keep it in mind: it will matter
# in section 6.


# %% tags=["scratch"]
def covered(low, high, cells):
    """How much of each of `cells` equal parts of 0..1 lies between `low` and `high`."""
    edges = np.arange(cells + 1) / cells
    return np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None) * cells


def inside(box, size):
    """(4,) -> (height, width): the share of each cell that lies in the box."""
    x0, y0, x1, y1 = box
    return np.outer(covered(y0, y1, size[0]), covered(x0, x1, size[1]))


def dense(layer, x):
    return x @ np.asarray(layer["kernel"]) + np.asarray(layer.get("bias", 0.0))


def layer_norm(layer, x):
    spread = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    scale, bias = np.asarray(layer["scale"]), np.asarray(layer["bias"])
    return (x - x.mean(-1, keepdims=True)) / spread * scale + bias


def attention_weights(layer, visual, tokens, boxes, size):
    """(cell, c), (token, width), (token, 4) -> (head, cell, cell + token): one frame."""
    gains = np.asarray(layer["box_gain"])

    def split(rows):  # (n, heads * d) -> (heads, n, d)
        return rows.reshape(len(rows), len(gains), -1).swapaxes(0, 1)

    placed = visual + dense(layer["place"], np.asarray(cell_codes(*size)))
    rows = layer_norm(layer["norm1"], np.concatenate([placed, dense(layer["linear"], tokens)]))
    query = split(dense(layer["attn"]["to_q"], rows[: len(visual)]))
    key = split(dense(layer["attn"]["to_k"], rows))
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
    within = np.stack([inside(box, size).ravel() for box in boxes], axis=1)  # (cell, token)
    scores[..., len(visual) :] += gains[:, None, None] * within
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


# %% [markdown] tags=["subslide"]
# Now catch what enters one trained layer at one step, and compute its weights from that. Flax lets
# us stand at the door of every layer (`intercept_methods`) and note who comes in:

# %%
LAYER, STEP = "up 1.0", 3  # a layer in the middle of the way up; the step counts from 1


@jax.jit
def entering(params, latents, timestep, text, grounding):
    """The visual and grounding tokens that enter the gated layer LAYER."""
    kept = {}

    def watch(run, args, kwargs, context):
        gated = isinstance(context.module, GatedSelfAttention) and context.method_name == "__call__"
        if gated and layer_of(context.module.path) == LAYER:
            kept["visual"], kept["tokens"] = args[:2]
        return run(*args, **kwargs)

    with nn.intercept_methods(watch):
        UNet3D(config).apply({"params": params}, latents, timestep, text, grounding)
    return kept


now = jnp.array([timesteps[STEP - 1]])
text, grounding = conditions.text[1:], conditions.grounding[1:]  # the half with conditions
entered = jax.tree.map(np.asarray, entering(params, visited[STEP - 1], now, text, grounding))
path = next(
    path for path in flatten_dict(params) if path[-1] == "box_gain" and layer_of(path) == LAYER
)
trained = params
for key in path[:-1]:
    trained = trained[key]

size = record.maps[LAYER].shape[3:5]
token_boxes = np.asarray(grounding[0, ..., -4:])  # a token's last four numbers are its box
by_hand = np.stack(
    [
        attention_weights(trained, visual, tokens, around, size)
        for visual, tokens, around in zip(
            entered["visual"], entered["tokens"], token_boxes, strict=True
        )
    ]
)  # (frame, head, cell, cell + token)
np.testing.assert_allclose(by_hand.sum(-1), 1, atol=1e-5)
onto = by_hand[..., size[0] * size[1] :]  # drop the visual keys
for place, name in enumerate(names):
    ours = onto[..., place].reshape(FRAMES, -1, *size)
    theirs = record.maps[LAYER][STEP - 1, ..., record.place(name)]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    print(f"{name}: equal to the record, largest difference {np.abs(ours - theirs).max():.1e}")

# %% [markdown] minutes=10 tags=["slide"]
# ## 3 · How much is inside the box?
#
# A picture convinces too easily; a number can be compared. Of all the attention on the cat's token,
# which share comes from cells inside the cat's box $b$?
#
# $$m = \frac{\sum_i A_{ij} \cdot \text{inside}_{ij}}{\sum_i A_{ij}}, \qquad
# m_\text{chance} = (x_1 - x_0)(y_1 - y_0).$$
#
# A map that is the same everywhere has $m$ equal to the area of the box. So $m$ alone says nothing:
# the ratio $m / m_\text{chance}$, the *lift*, does.


# %% tags=["scratch"]
def share_inside(heat, box):
    """(height, width), (4,) -> the share of the map that lies in the box."""
    return (heat * inside(box, heat.shape)).sum() / heat.sum()


# %%
for name in names:
    maps = record.maps[LAYER][STEP - 1, :, :, :, :, record.place(name)].mean(axis=1)  # over heads
    ours = [share_inside(one, box) for one, box in zip(maps, boxes[name], strict=True)]
    np.testing.assert_allclose(ours, mass_in_box(maps, boxes[name]), atol=1e-6)
    even = chance(boxes[name]).mean()
    print(
        f"{name}: {np.mean(ours):.1%} inside, by chance {even:.1%}: lift {np.mean(ours) / even:.2f}"
    )

# %% [markdown] tags=["subslide"]
# Heads differ. Here is the cat's token in that layer and step, head by head, with each head's gain:

# %%
gains = np.asarray(trained["box_gain"])
figure = Figure(figsize=(2.3 * len(gains) + 0.6, 2.9), dpi=80, layout="constrained")
panels = figure.subplots(1, len(gains), squeeze=False)[0]
maps = record.maps[LAYER][STEP - 1, FRAME - 1, ..., record.place("cat")]
x0, y0, x1, y1 = boxes["cat"][FRAME - 1]
for head, panel in enumerate(panels):
    drawn = panel.imshow(maps[head], cmap="viridis", vmin=0, vmax=maps.max(), extent=(0, 1, 1, 0))
    panel.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="white")
    share = share_inside(maps[head], boxes["cat"][FRAME - 1])
    panel.set(
        title=f"head {head + 1}, gain {gains[head]:.2f}\n{share:.0%} inside",
        xlabel="x (1 = right edge)",
        ylabel="y (1 = lower edge)" if head == 0 else "",
    )
figure.colorbar(drawn, ax=list(panels), label="attention weight", shrink=0.8)
show(
    figure,
    alt=f"Attention on the cat's token in layer {LAYER}, step {STEP}, one map per head, the cat's "
    "box in white; the share inside stands above each.",
)

# %% [markdown]
# Only the head with the largest gain can be seen: in the cells within the box it gives the cat's
# token nearly all of its attention. Head 3 has 59 % inside too, more than five times chance, but
# its weights are so small that its map is black on this scale. A share says where, not how much;
# look at both.

# %% [markdown] tags=["discuss"]
# The box of the park is the whole frame. What is its mass inside the box, and what is that worth?
# (3 minutes. Always 100 %, and chance is 100 % too: a measure that cannot fail says nothing.)

# %% [markdown] minutes=10 tags=["slide"]
# ## 4 · Token by token, frame by frame
#
# The cat walks, so its box moves. Does the attention go along? A row per grounding token, a column
# per frame; mean over heads, layers and steps:

# %% tags=["subslide"]
show(
    attention_strip(record, frames, plan=plan),
    alt="Maps of attention, a row each for cat, rocket and park, a column per frame. Boxes are "
    "outlined and the percent inside is printed in each map.",
)

# %% [markdown]
# A control that costs nothing: measure every token inside *every* box, as lift over that box's own
# chance. If tokens are read where they belong, the matching pairs stand out. The last rows are the
# words of the sentence, which reach the picture by cross-attention and are never told of a box.

# %%
rows = [*names, *(f"word {name}" for name in names)]
lift = np.array(
    [
        [
            np.nanmean(mass_in_box(heat[..., record.place(row)], boxes[name]))
            / np.nanmean(chance(boxes[name]))
            for name in names
        ]
        for row in rows
    ]
)
figure = Figure(figsize=(4.6, 3.2), dpi=80, layout="constrained")
axis = figure.subplots()
image = axis.imshow(lift, cmap="cividis", vmin=0, vmax=lift.max(), aspect="auto")
for (row, column), value in np.ndenumerate(lift):
    ink = "black" if value > 0.6 * lift.max() else "white"
    axis.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink)
axis.set_xticks(range(len(names)), [f"box of {name}" for name in names])
axis.set_yticks(range(len(rows)), rows)
axis.set(title="attention inside a box, times chance", xlabel="where", ylabel="on which token")
figure.colorbar(image, ax=axis, label="lift (1 = chance)")
show(
    figure,
    alt="A table of lifts: tokens and words as rows, boxes as columns, each value printed in it.",
)

# %% [markdown]
# Both grounding tokens stand out in their own boxes, and are looked at *less* than by chance in the
# other's. The words know no place: "rocket" is spread evenly, about 1 in both boxes, and "cat" is
# read more in the rocket's box than in the cat's. Nobody tells the words where things are, and the
# network has not found out by itself. And the park's token (the strip's last row) is read where
# nobody else's box lies.

# %% [markdown] minutes=15 tags=["slide"]
# ## 5 · Step by step: where does it gather?
#
# DAAM (Tang et al. 2023) sums attention over all steps; here the time is kept. Drag the slider
# *step*: it goes from noise (step 1) to film. Try also *layer*, *head*, and the words. Everything
# is in the page already, so it moves at once. (In a saved page without a kernel, a picture of one
# step stands here.)

# %%
inspector = AttentionInspector(record, frames, plan, token="rocket", step=1, frame=FRAME)
display(inspector)

# %% [markdown]
# The same without a widget: one frame, a row per layer, a column per step. Each map has its own
# scale of colours; compare the numbers.

# %% tags=["subslide"]
show(
    attention_grid(record, frames, "rocket", frame=FRAME, plan=plan),
    alt="Attention on the rocket's token in one frame: a row per layer, a column per denoising "
    "step, the percent inside the box printed in each map.",
    width=760,
)


# %%
def inside_by_step(record, name, layers=None):
    """The share inside the token's box, step by step; mean over frames."""
    means = (record.mean(layers, steps=[i])[..., record.place(name)] for i in range(STEPS))
    track = boxes[name.removeprefix("word ")]
    return np.array([np.nanmean(mass_in_box(mean, track)) for mean in means])


figure = Figure(figsize=(9.6, 3.8), dpi=80, layout="constrained")
left, right = figure.subplots(1, 2, sharey=True)
steps = np.arange(1, STEPS + 1)
for mark, name in zip("os", names, strict=True):
    even = np.nanmean(chance(boxes[name]))
    left.plot(steps, inside_by_step(record, name) / even, f"{mark}-", label=name)
    left.plot(
        steps, inside_by_step(record, f"word {name}") / even, f"{mark}:", label=f"word {name}"
    )
for mark, layer in zip("os^Dvx+*<>", record.layers, strict=False):
    even = np.nanmean(chance(boxes["rocket"]))
    right.plot(steps, inside_by_step(record, "rocket", [layer]) / even, marker=mark, label=layer)
left.set(title="mean over layers", xlabel="denoising step", ylabel="lift (inside / chance)")
right.set(title="the rocket's token, layer by layer", xlabel="denoising step", ylabel="lift")
for axis in (left, right):
    axis.axhline(1, color="black", linestyle="--", label="chance")
    axis.set_ylim(0, 6.2)
    axis.legend(fontsize=7, ncols=4, loc="upper center")
show(
    figure,
    alt="Two plots of lift over the denoising steps. Left: cat, rocket and their words, mean over "
    "layers. Right: the rocket's token, a line per layer.",
)
for name in names:
    first, *_, last = inside_by_step(record, name)
    print(f"{name}: {first:.1%} inside its box at step 1, {last:.1%} at step {STEPS}")

# %% [markdown]
# One might expect the attention to gather slowly, out of the noise. It does not: drag the slider,
# and it is in the box **from the first step on**, and stays. Over the layers there is more to see.
# On the grids of 16 × 16 and 8 × 8 cells the lift is about 3 or 4 throughout (more than 4.4 is not
# possible: chance is 22.6 %). In the middle of the network, on 4 × 4 cells, it is 1 to 2, in
# `up 0.0` less than 1. One layer does change: `down 0.0` gathers upon the rocket after step 5. Why
# is the attention there so early, when all is noise? The next section asks.

# %% [markdown] minutes=15 tags=["slide"]
# ## 6 · How much of that did it learn?
#
# Time for doubt. Section 2 showed that this network's heads get a push towards the boxes, before
# any key was compared with any query. Two more records, of the same latents:
#
# - **without the push**: all gains at 0, only $q_i \cdot k_j$ is left;
# - **the push alone**: all queries at 0, only $g \cdot \text{inside}_{ij}$ is left.
#
# And a third: **gates closed**, $\tanh(\alpha_\text{attn}) = 0$ everywhere. Nothing of what is
# attended to reaches the film any more. Where will the attention be? Bet first.

# %%


def with_zeros(params, *ending):
    """The same parameters, those whose path ends so at zero."""
    flat = flatten_dict(params)
    return unflatten_dict(
        {path: leaf * 0 if path[-len(ending) :] == ending else leaf for path, leaf in flat.items()}
    )


def record_with(params):
    """The record that a network with other parameters makes of the same latents."""
    entities = {name: (place,) for place, name in enumerate(names)}
    return record_attention(
        config, params, visited[:-1], timesteps, text, grounding, entities=entities
    )


records = {
    "as trained": record,
    "without the push": record_with(with_zeros(params, "box_gain")),
    "the push alone": record_with(with_zeros(params, "fuser", "attn", "to_q", "kernel")),
    "gates closed": record_with(scale_gates(params, 0.0)),
}
bars = {
    title: [inside_by_step(one, name).mean() for name in names] for title, one in records.items()
}
even = [np.nanmean(chance(boxes[name])) for name in names]

figure = Figure(figsize=(7.6, 3.2), dpi=80, layout="constrained")
axis = figure.subplots()
for at, (name, hatch, colour) in enumerate(
    zip(names, ("", "//"), ("#0072b2", "#e69f00"), strict=True)
):
    places = np.arange(len(bars)) + 0.38 * (at - 0.5)
    heights = [100 * values[at] for values in bars.values()]
    axis.bar(places, heights, 0.36, color=colour, hatch=hatch, ec="white", label=name)
    axis.axhline(100 * even[at], color=colour, linestyle="--", label=f"{name}, chance")
axis.set_xticks(range(len(bars)), list(bars))
axis.set(title="attention inside the box", xlabel="network", ylabel="share in %")
axis.legend(fontsize=8, ncols=2)
show(
    figure,
    alt="Bars of the share inside the box for cat and rocket: as trained, without the push, the "
    "push alone, and with closed gates; chance as dashed lines. The values are printed below.",
)
for title, values in bars.items():
    words = ", ".join(f"{name} {value:.1%}" for name, value in zip(names, values, strict=True))
    print(f"{title:>17}: {words}")

# %% [markdown] tags=["subslide"]
# Without the push, attention is near chance: about 10 % for the cat (chance 10.7 %), 26 % for the
# rocket (chance 22.6 %). The push alone puts even *more* into the boxes than the trained network
# does. So what the maps show is, nearly all of it, what was built in: the heads were told where the
# boxes are, and obey. (The gains are learnt, but from a start at 0 to 6. And a network whose gains
# are taken away is not one that was trained without: this says what the network uses, not what it
# could have learnt.)
#
# With all gates closed the maps hardly change, 26 % and 48 %. Yet nothing of that attention gets
# anywhere: the film of such a network has neither cat nor rocket, as section 8 shows. Here is a map
# that looks like understanding and has no effect whatever.

# %% [markdown] tags=["discuss"]
# A paper shows three attention maps that fall neatly into three boxes and writes: "the model has
# understood the layout." Which two controls would you ask for? (5 minutes. The map of the same
# network where that token cannot have an effect, or with random weights; and the film with the box
# moved.)

# %% [markdown] minutes=15 tags=["slide"]
# ## 7 · Gates: how much gets through
#
# What a gated layer has gathered is multiplied by its gates before it is added (GLIGEN, equations 8
# and 9):
#
# $$v \leftarrow v + \tanh(\alpha_\text{attn}) \cdot a, \qquad
# v \leftarrow v + \tanh(\alpha_\text{dense}) \cdot \mathrm{FF}(\mathrm{LN}(v)).$$
#
# So attention that is gathered, and a gate that lets it pass, are two things. The size of a gate is
# not the whole story either, for $a$ may be large or small. What counts is the **contribution**,
# $|\tanh(\alpha)\, a| \,/\, |v|$, measured in each layer and at each step. The inspector shows the
# gates, the contributions as two maps, and, with its sliders, the film with gates scaled from a
# step on. Below, all gates were closed from step 1 on.

# %%
gates = GateInspector.of_scene(prepared)
gates.factors = dict.fromkeys(gates.factors, 0.0)
gates.from_step = 1
gates.render()
assert gates.wait(600)
display(gates)

# %% [markdown] tags=["subslide"]
# The gates are widest open on the finest grids, at both ends of the network, and those of attention
# nearly shut on the coarsest in between. The contributions say something else as well: the
# feed-forward gate of `mid 0` is at 0.07, and still what it adds is one and a half times as large
# as the features themselves, because what it lets through is loud. And the feed-forward parts of
# `up 2.0` and `up 2.1` add 3.4 and 6.4 times the features at the first step, about as much as the
# features at the last: in the noise, what leaves these layers is mostly what they wrote. Their
# attention parts go the other way, and add more from step to step. In the film *after*, with all
# gates closed, there is nothing of the plan.

# %% [markdown] minutes=15 tags=["slide"]
# ## 8 · Intervening: close, and compare
#
# To learn what something is for, take it away and see what is missing. Same noise, same sentence,
# same boxes. First everything: $\alpha = 0$, a program without gated layers.

# %% tags=["subslide"]
ungated = vdjax.film(plan, seed=SEED, steps=STEPS, alpha=0, frames=FRAMES, preset=model).frames[0]
display(FilmPlayer({"all gates": [frames], "alpha 0": [ungated]}, plan=plan))

# %% [markdown]
# Next, *when*: close all gates from a step on, and leave those before as they are. And *where*:
# only the two layers of the finest grid on the way up, from step 2 on.


# %%
layers = [gate.layer for gate in read_gates(params)]


def closed(layers, from_step=1):
    """The film with the gates of some layers closed from a step on."""
    factors = dict.fromkeys(layers, 0.0)
    latents = stream_with_gates(
        sampler, params, noise, conditions, guidance, switch, factors, from_step
    )
    return model.decode(list(latents)[-1][0])


finest = [layer for layer in layers if layer.startswith("up 2")]
films = {
    "as it is": frames,
    **{f"all closed\nfrom step {step}": closed(layers, step) for step in (5, 3, 2)},
    "all closed\nfrom step 1": gates.clips["after"],
    "alpha 0": ungated,
    f"{', '.join(finest)}\nfrom step 2": closed(finest, 2),
}
figure = Figure(figsize=(2.0 * len(films), 3.0), dpi=80, layout="constrained")
for panel, (title, film) in zip(figure.subplots(1, len(films)), films.items(), strict=True):
    panel.imshow(film[FRAME - 1])
    change = np.abs(film.astype(int) - frames).mean()
    panel.set_title(f"{title}\nchange {change:.1f}", fontsize=9)
    panel.axis("off")
figure.suptitle(f"frame {FRAME}; change: mean difference of all frames, of 255", fontsize=10)
show(
    figure,
    alt="The same frame of films from the same noise: as it is, with gates closed from later or "
    "earlier steps on, with alpha 0, and with only the finest layers closed.",
)
assert np.abs(gates.clips["after"].astype(int) - ungated).mean() < 0.5

# %% [markdown] tags=["subslide"]
# Closed from step 5 on, cat and rocket are still in their places, but the flame has lost its yellow
# and the cat its edges. From step 3 on, both are gone: a pink smear is in the sky and a red one in
# the grass, in a park that stays, with a white fence that was not there before. From step 2 on it
# is much the same. From step 1 on, even the park is gone: in this network the background too comes
# by its token, and the words alone make snow and something red. That film is the one of alpha 0, as
# the last line of the cell asserts. So the *first* step settles the scene, but one step is not
# enough for the things in it. The two finest layers alone, from step 2 on, take pieces out of both,
# more out of the cat.
#
# Now one layer at a time, closed for all steps. The change is measured inside the boxes and outside
# of them, since a layer may also matter to the background.


# %%
def in_boxes(boxes, size):
    """(frame, height, width): which pixels lie in some box."""
    tracks = zip(*boxes.values(), strict=True)
    return np.array([sum(inside(box, size) for box in track) > 0.5 for track in tracks])


within = in_boxes(boxes, frames.shape[1:3])
changes = {}
for layer in layers:
    change = np.abs(closed([layer]).astype(int) - frames).mean(axis=-1)
    changes[layer] = change[within].mean(), change[~within].mean()

figure = Figure(figsize=(7.6, 3.2), dpi=80, layout="constrained")
axis = figure.subplots()
for at, (label, hatch, colour) in enumerate(
    (("inside the boxes", "//", "#d55e00"), ("outside", "", "#56b4e9"))
):
    heights = [pair[at] for pair in changes.values()]
    places = np.arange(len(layers)) + 0.38 * (at - 0.5)
    axis.bar(places, heights, 0.36, color=colour, hatch=hatch, ec="white", label=label)
axis.set_xticks(range(len(layers)), layers, fontsize=8)
axis.set(
    title="one layer's gates closed in all steps",
    xlabel="guided layer, in the order in which they run",
    ylabel="mean change, of 255",
)
axis.legend(loc="upper center")
show(
    figure,
    alt="A pair of bars per guided layer: how much the film changes inside and outside of the "
    "boxes when that layer alone is closed. The values are printed below.",
)
print("change inside the boxes:", ", ".join(f"{k} {v[0]:.1f}" for k, v in changes.items()))

# %% [markdown] tags=["subslide"]
# What is missed most inside the boxes is `up 2.1`, there more than twice as much as outside; the
# other layers of the finest grid are alike in that. `up 1.0` and `down 1.0` are missed more
# outside: they serve the background. The layers of the coarsest grid can be closed and hardly
# anything happens, one at a time at least: others may stand in for one that is missing, and closing
# two can do more than the sum. Compare with the gates above: small gates and small effects go
# together, but not in order. `up 2.0` has wider gates than `up 2.1`, both of them, and is missed
# less.

# %% [markdown] minutes=15 tags=["slide"]
# ## 9 · A and B: move a box
#
# The strongest question of all: does what the token is told change what the film shows, and there?
# B is A with the rocket's box moved to the left. Same noise. The inspector shows both records in
# step and on one scale of colours; the box in each half is that half's own.


# %%
def moved(plan, name, by):
    """The same plan with a thing's boxes moved sideways by a share of the frame."""
    scene = plan.scene(1)
    keyframes = []
    for keyframe in scene.keyframes:
        x0, y0, x1, y1 = keyframe[name]
        keyframes.append({**keyframe, name: (x0 + by, y0, x1 + by, y1)})
    return plan.replace(scenes=[scene.replace(keyframes=keyframes)])


plan_b = moved(plan, "rocket", 0.03 - boxes["rocket"][0][0])
prepared_b = prepare(plan_b, steps=STEPS, frames=FRAMES, preset=model)
frames_b, record_b = record_scene(prepared_b)
boxes_b = frame_boxes(plan_b.scene(1), FRAMES)
both = AttentionInspector(
    record,
    frames,
    plan,
    compare=(record_b, frames_b, plan_b),
    titles=("A: rocket right", "B: rocket left"),
    token="rocket",
    step=STEPS,
    frame=FRAME,
)
display(both)

# %%
for title, one in (("A", record), ("B", record_b)):
    maps = one.mean()[..., one.place("rocket")]
    shares = [np.nanmean(mass_in_box(maps, which["rocket"])) for which in (boxes, boxes_b)]
    print(f"{title}: attention on the rocket {shares[0]:.0%} in A's box, {shares[1]:.0%} in B's")
difference = np.abs(frames_b.astype(int) - frames).mean(axis=-1)
either = in_boxes({"A": boxes["rocket"], "B": boxes_b["rocket"]}, frames.shape[1:3])
print(f"mean change of the film, of 255: {difference[either].mean():.1f} in the two boxes of the")
print(f"rocket, {difference[~either].mean():.1f} elsewhere")

figure = Figure(figsize=(9.6, 3.4), dpi=80, layout="constrained")
panels = figure.subplots(1, 3)
pictures = {"A": frames[FRAME - 1], "B": frames_b[FRAME - 1], "what differs": difference[FRAME - 1]}
for panel, (title, picture) in zip(panels, pictures.items(), strict=True):
    drawn = panel.imshow(picture, cmap="cividis", vmin=0)  # the map is for the last: of one channel
    panel.set_title(title)
    panel.axis("off")
figure.colorbar(drawn, ax=panels[2], label="change, of 255", shrink=0.8)
show(
    figure,
    alt=f"Frame {FRAME} of film A, of film B with the rocket's box moved to the left, and the "
    "difference of the two.",
)

# %% [markdown] tags=["subslide"]
# The rocket goes with its box: attention (50 % in its own box, 14 % or 15 % in the other's) *and*
# film. The film changes some eight times as much in the two boxes as elsewhere; the cat and the
# meadow hardly change, but where the rocket was a sun comes out, and a patch beside the cat goes.
# It is a rocket of the same colours and parts, for its image embedding is the same; how they are
# put together differs.
#
# **What a map explains, and what it does not.** It says where a token's value is read, in one
# layer, at one step. It does not say what the value holds, how much of it passes the gate, or what
# later layers make of it; other ways (convolutions, the words) lead to the same pixels without
# being on any map. A map in the box is no proof that the box is heeded, as section 6 shows; the
# film of section 9 is.

# %% [markdown] tags=["exercise"]
# ## 10 · Exercises
#
# Write in the first cell, run the second: it says whether you are there, or what to look at.

# %% [markdown] tags=["exercise"]
# ### Exercise 1 · Will it fit?
#
# *Difficulty 2/5 · importance 3/5 · 5 to 10 minutes*
#
# Write `steps_that_fit(limit, frames, tokens, layers)`: of how many steps a record fits into
# `limit` bytes, all heads kept. `layers` is a list of `(heads, height, width)`.


# %% tags=["stub"]
def steps_that_fit(limit, frames, tokens, layers):
    return 1  # your code here


# %% tags=["check"]
def check_steps_that_fit(answer):
    small, large = [(2, 16, 16), (4, 8, 8)], [(5, 64, 64), (10, 32, 32), (20, 16, 16)]
    for limit, frames, tokens, layers in (
        (1_000_000, 8, 12, small),
        (1 << 30, 16, 20, large),
        (5_000, 16, 30, large),
    ):
        per_step = 4 * frames * tokens * sum(heads * h * w for heads, h, w in layers)
        truth, value = limit // per_step, answer(limit, frames, tokens, layers)
        if value == truth:
            continue
        if value == limit // (per_step // 4):
            return f"{value} would fit if a weight took one byte; a float32 takes four."
        if value == limit // (4 * frames * tokens * sum(h * w for _, h, w in layers)):
            return f"{value} would fit if only the mean over heads were kept."
        return f"into {limit:,} bytes fit {truth} steps of {per_step:,} bytes, not {value}."
    return "Right. Of a large network the mean over heads is often all that fits (heads=False)."


print(check_steps_that_fit(steps_that_fit))

# %% [markdown] tags=["hint"]
# The formula of section 1 for one step; then `//`.


# %% tags=["solution"]
def steps_that_fit(limit, frames, tokens, layers):
    cells = sum(heads * height * width for heads, height, width in layers)
    return limit // (4 * frames * tokens * cells)


# %% tags=["wrong"]
# says: would fit if a weight took one byte
def steps_that_fit(limit, frames, tokens, layers):
    cells = sum(heads * height * width for heads, height, width in layers)
    return limit // (frames * tokens * cells)


# %% tags=["wrong"]
# says: if only the mean over heads were kept
def steps_that_fit(limit, frames, tokens, layers):
    return limit // (4 * frames * tokens * sum(height * width for _, height, width in layers))


# %% [markdown] tags=["exercise"]
# ### Exercise 2 · The head that looks hardest
#
# *Difficulty 3/5 · importance 4/5 · 10 to 15 minutes*
#
# Write `sharpest_head(record, layer, name, track)`: the number, from 1, of the head of a layer with
# the largest share of its attention on the token `name` inside the boxes `track`. Take the mean of
# the maps over the steps first, then the shares, then their mean over the frames. Use
# `mass_in_box`.


# %% tags=["stub"]
def sharpest_head(record, layer, name, track):
    return 1  # your code here


# %% tags=["check"]
def check_sharpest_head(answer):
    asked = [(layer, name) for layer in record.layers for name in names]
    values = [answer(record, layer, name, boxes[name]) for layer, name in asked]
    truths, loudest = [], []
    for layer, name in asked:
        heads = record.maps[layer][..., record.place(name)].mean(axis=0).swapaxes(0, 1)
        shares = [np.nan_to_num(mass_in_box(head, boxes[name])).mean() for head in heads]
        truths.append(int(np.argmax(shares)) + 1)
        loudest.append(int(np.argmax(heads.mean(axis=(1, 2, 3)))) + 1)
    if values == [truth - 1 for truth in truths]:
        return f"{asked[0][0]}: head {values[0]}? Heads count from 1, as they are shown."
    for (layer, name), value, truth, loud in zip(asked, values, truths, loudest, strict=True):
        if value != truth and value == loud:
            return f"{layer}, {name!r}: {value} has the largest weights, {truth} the largest share."
        if value != truth:
            return f"{layer}, {name!r}: head {truth} has the largest share inside, not {value}."
    return "Right. Compare with the gains: print `box_gain` of the layer beside it."


print(check_sharpest_head(sharpest_head))

# %% [markdown] tags=["hint"]
# `record.maps[layer]` has the axes step, frame, head, height, width, token;
# `record.place(name)` is where the token stands on the last one.

# %% [markdown] tags=["hint"]
# `mass_in_box(maps, track)` takes (frame, height, width): call it once per head. It gives NaN where
# a head does not look at the token at all; `np.nan_to_num` makes 0 of that.


# %% tags=["solution"]
def sharpest_head(record, layer, name, track):
    maps = record.maps[layer][..., record.place(name)].mean(axis=0)
    heads = maps.swapaxes(0, 1)
    shares = [np.nan_to_num(mass_in_box(head, track)).mean() for head in heads]
    return int(np.argmax(shares)) + 1


# %% tags=["wrong"]
# says: Heads count from 1
def sharpest_head(record, layer, name, track):
    maps = record.maps[layer][..., record.place(name)].mean(axis=0)
    heads = maps.swapaxes(0, 1)
    shares = [np.nan_to_num(mass_in_box(head, track)).mean() for head in heads]
    return int(np.argmax(shares))


# %% tags=["wrong"]
# says: has the largest weights
def sharpest_head(record, layer, name, track):
    maps = record.maps[layer][..., record.place(name)]
    return int(np.argmax(maps.mean(axis=(0, 1, 3, 4)))) + 1


# %% [markdown] tags=["exercise"]
# ### Exercise 3 · A fair control
#
# *Difficulty 2/5 · importance 5/5 · 10 minutes*
#
# Chance is one control. Another is a box of the same size where the thing is *not*. Write
# `mirrored(track)`: the boxes of a track, mirrored left to right. A frame without a box (`None`)
# stays without one.


# %% tags=["stub"]
def mirrored(track):
    return track  # your code here


# %% tags=["check"]
def check_mirrored(answer):
    track = [(0.0, 0.5, 0.3, 0.9), None, (0.4, 0.1, 0.6, 0.2), (0.5, 0.2, 1.0, 0.7)]
    made = answer(track)
    for before, after in zip(track, made, strict=True):
        if before is None:
            if after is not None:
                return f"in a frame without a box there is now {after}; it should stay None."
            continue
        if not (after[0] < after[2] and after[1] < after[3]):
            return f"{before} became {after}: x0 must stay left of x1."
        x0, y0, x1, y1 = before
        if not np.allclose(after, (1 - x1, y0, 1 - x0, y1)):
            image = f"({1 - x1:g}, {y0:g}, {1 - x0:g}, {y1:g})"
            return f"{before} became {after}; its mirror image is {image}."
    maps, there = heat[..., record.place("rocket")], boxes["rocket"]
    shares = [np.nanmean(mass_in_box(maps, which)) for which in (there, answer(there))]
    return f"Right. The rocket's: {shares[0]:.0%} in its box, {shares[1]:.0%} in the mirrored one."


print(check_mirrored(mirrored))

# %% [markdown] tags=["hint"]
# What was the right edge is the left edge now.


# %% tags=["solution"]
def mirrored(track):
    return [box and (1 - box[2], box[1], 1 - box[0], box[3]) for box in track]


# %% tags=["wrong"]
# says: x0 must stay left of x1
def mirrored(track):
    return [box and (1 - box[0], box[1], 1 - box[2], box[3]) for box in track]


# %% tags=["wrong"]
# says: it should stay None
def mirrored(track):
    boxes = [box or (0.0, 0.0, 1.0, 1.0) for box in track]
    return [(1 - x1, y0, 1 - x0, y1) for x0, y0, x1, y1 in boxes]


# %% [markdown] tags=["questions"]
# ## 11 · Questions
#
# 1. Over what does the softmax of a gated layer run, and why do a token's weights not sum to one
#    over the frame?
# 2. A token has 30 % of its attention in its box. Is that much?
# 3. Why does the attention stay in the box with all gates closed?
# 4. A gate is at 0.9 and its layer adds nearly nothing. How can that be?
# 5. Closed from step 1 on, the gates leave no park; from step 2 on, they leave a park without a
#    rocket. What did the first step settle?

# %% [markdown] tags=["answers"]
# 1. Over all keys, visual and grounding, for one query; the sum to one is over keys, a map runs
#    over queries.
# 2. It depends on the area of the box: compare with chance, and with another box of that size.
# 3. Weights are computed before the gate; the gate only multiplies what was gathered. And here the
#    gains push heads to the boxes whatever else happens.
# 4. What it multiplies is small beside the features that it is added to.
# 5. The background, but not the things in it: these take more steps with gates.

# %% [markdown] tags=["references"]
# ## References, and what to read next
#
# - Tang et al.: *What the DAAM: Interpreting Stable Diffusion Using Cross Attention*, ACL 2023,
#   [arXiv:2210.04885](https://arxiv.org/abs/2210.04885): attention maps of words, summed over
#   steps.
# - Jain, Wallace: *Attention is not Explanation*, NAACL 2019,
#   [arXiv:1902.10186](https://arxiv.org/abs/1902.10186); Wiegreffe, Pinter: *Attention is not not
#   Explanation*, EMNLP 2019, [arXiv:1908.04626](https://arxiv.org/abs/1908.04626).
# - Adebayo et al.: *Sanity Checks for Saliency Maps*, NeurIPS 2018,
#   [arXiv:1810.03292](https://arxiv.org/abs/1810.03292): maps that do not change with the weights.
# - Li et al.: *GLIGEN*, CVPR 2023, [arXiv:2301.07093](https://arxiv.org/abs/2301.07093): the gates.
# - Lin, Zala, Cho, Bansal: *VideoDirectorGPT*, COLM 2024,
#   [arXiv:2309.15091](https://arxiv.org/abs/2309.15091), section 3.2.
# - In the package: `vdjax/inspect/attention.py`, `records.py` and `gates.py` beside it, and
#   `vdjax/widgets/attention_inspector.py`.
# - Next: [07 · measuring](07_measuring.ipynb), how to say in numbers whether a film follows its
#   plan.
