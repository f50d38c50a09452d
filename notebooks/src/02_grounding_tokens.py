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
# # 02 · Grounding tokens: how the network is told what belongs where
#
# **Goal, in one sentence:** turn a box, a word and a picture into one token, build the gated
# layer that reads it, and show that both are exactly the package's.
#
# ![Left: a box, a word and a picture go through the Fourier code and CLIP's two towers into one
# small network, and one token comes out. Right: visual tokens and grounding tokens go into
# self-attention together; only the visual ones are kept, and a gate decides how much of the
# result is added.](pictures/02_tokens.png)
#
# [![Open in Colab](pictures/colab.png)]({{COLAB}})
#
# **You will be able to**
#
# - write the Fourier code of a box, and say why plain coordinates would not do;
# - make a grounding token by hand from trained parameters;
# - write a gated self-attention layer in thirty lines, and prove that a closed gate changes
#   nothing;
# - find out which of the trained layers listen to the layout.
#
# **You need** NumPy and an idea of what attention is; [00 · start here](00_start_here.ipynb) is a
# help. No network, no GPU. Symbols: [notation](notation.md); words: [glossary](glossary.md).
#
# {{TIMES}}

# %% [markdown] tags=["teacher"]
# Two ideas carry this lesson: a token is *where* and *what* in one vector, and a gate makes a new
# layer harmless on the first day. Learners who know Transformers get stuck elsewhere: that the
# grounding rows are thrown away after attention, and that `null` features stand *before* the linear
# maps. Draw both on the board. The picture in the token (end of section 3) and the geometry (end of
# section 4) are this package's own additions, not the paper's; leave them out when time is short,
# nothing later needs them.

# %% tags=["install"]
# Filled in from install.py.

# %%
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import vdjax
from vdjax.data.storybook import LOOKS, sprite
from vdjax.ground.tokens import Grounding, GroundingNet
from vdjax.inspect.gates import read_gates, scale_gates
from vdjax.inspect.pictures import gate_figure
from vdjax.model.attention import GatedSelfAttention
from vdjax.model.boxes import BoxGeometry, box_code, pictured_in
from vdjax.model.unet3d import UNet3D
from vdjax.widgets import show

PRESET = "storybook"  # the weights that come with the package; "toy" is random, tiny and quick
SEED = 0
model = vdjax.load(PRESET)


def axes(columns=1, width=4.0, height=3.0):
    """An empty figure and its axes."""
    figure = Figure(figsize=(width * columns, height), dpi=80, layout="constrained")
    return figure, figure.subplots(1, columns)


# %% [markdown] minutes=15 tags=["slide"]
# ## 1 · A box becomes 64 numbers
#
# A box is four numbers, $(x_0, y_0, x_1, y_1)$, each from 0 to 1. A network that gets them raw
# finds it hard to tell 0.50 from 0.53: they are nearly the same input. So each coordinate $v$ is
# written as waves of growing frequency (GLIGEN, section 3.1):
#
# $$\gamma(v) = \big(\sin(f_k v),\ \cos(f_k v)\big)_{k=0,\dots,7}, \qquad f_k = 100^{k/8}.$$
#
# The slow waves say roughly where, the fast ones say exactly where. In code, with nothing but
# NumPy:


# %% tags=["scratch"]
def fourier(box):
    """(4,) -> (64,): by frequency, then sine or cosine, then coordinate."""
    frequencies = 100.0 ** (np.arange(8) / 8)
    angles = frequencies[:, None] * np.asarray(box)[None, :]  # (8, 4)
    waves = np.stack([np.sin(angles), np.cos(angles)], axis=1)  # (8, 2, 4)
    return waves.reshape(64)


# %%
box = (0.1, 0.5, 0.4, 0.9)
np.testing.assert_allclose(fourier(box), box_code(jnp.array(box)), atol=1e-5)
print(f"{box} -> {fourier(box).shape[0]} numbers, equal to vdjax.model.boxes.box_code")

# %% [markdown]
# Let a box slide from left to right and look at its code. Rows of low frequency change slowly,
# rows of high frequency quickly; the rows of $y_0$ and $y_1$ stay as they are. On the right: how
# alike (cosine) the codes of two places are. It falls off with distance, for raw coordinates it
# hardly does.

# %% tags=["subslide"]
places = np.linspace(0, 0.7, 71)
codes = np.stack([fourier((x, 0.5, x + 0.3, 0.9)) for x in places])
raw = np.stack([(x, 0.5, x + 0.3, 0.9) for x in places])


def cosine_to_middle(rows):
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows[len(rows) // 2]


figure, (left, right) = axes(2)
image = left.imshow(codes.T, aspect="auto", extent=(0, 0.7, 63.5, -0.5), cmap="cividis")
left.set(title="code of a box that slides", xlabel="x0 of the box", ylabel="number in the code")
figure.colorbar(image, ax=left, label="value")
right.plot(places, cosine_to_middle(codes), label="Fourier code")
right.plot(places, cosine_to_middle(raw), "--", label="raw coordinates")
right.set(title="likeness to the box at x0 = 0.35", xlabel="x0 of the box", ylabel="cosine")
right.legend()
show(
    figure,
    alt="Left: 64 rows of waves over x0, ever faster. Right: the likeness of the code "
    "has a peak at 0.35, that of raw coordinates is nearly flat.",
)

# %% [markdown] tags=["discuss"]
# A learner says: "Eight frequencies are a waste, the network could learn them." What would it have
# to learn, and from which examples? (5 minutes. It is possible; it takes pairs of boxes that differ
# by a hair and look different. The code gives that for nothing, on the first day.)

# %% [markdown] minutes=10 tags=["slide"]
# ## 2 · A word and a picture become vectors
#
# *Where* is told; *what* is missing. It comes from CLIP, a pair of networks trained to give a
# picture and its caption the same direction: $f_\text{text}(e)$ and $f_\text{img}(e)$, each of
# unit length. The CLIP here is small and knows the storybook world, in which every name is drawn
# in four looks.

# %%
NAMES = ("cat", "dog", "car", "rocket", "palm tree")


def on_paper(name, look):
    """The artwork in the middle of a plain light square."""
    art = sprite(name, look, 56).astype(float)
    page = np.full((64, 64, 3), 225.0)
    tall, wide = art.shape[:2]
    top, left = (64 - tall) // 2, (64 - wide) // 2
    share = art[..., 3:] / 255
    window = page[top : top + tall, left : left + wide]
    window[:] = (1 - share) * window + share * art[..., :3]
    return page.astype(np.uint8)


pictures = {(name, look): on_paper(name, look) for name in NAMES for look in LOOKS}
rows = [np.concatenate([pictures[name, look] for name in NAMES], axis=1) for look in LOOKS]
show(
    np.concatenate(rows),
    alt=f"The artwork: a column for each of {', '.join(NAMES)}; a row for each of the four looks.",
    width=400,
)

# %% tags=["subslide"]
of_pictures = np.asarray(model.embed_pictures(list(pictures.values())))
of_words = np.asarray(model.embed_text(NAMES))
likeness = of_pictures @ of_words.T  # (picture, word)
right_word = [name for name, _ in pictures]
found = sum(NAMES[i] == name for i, name in zip(likeness.argmax(1), right_word, strict=True))

figure, axis = axes(width=6, height=4.6)
image = axis.imshow(likeness, aspect="auto", cmap="cividis")
axis.set_xticks(range(len(NAMES)), NAMES)
axis.set_yticks(range(len(pictures)), [f"{name}, {look}" for name, look in pictures], fontsize=7)
axis.set(title="how alike CLIP finds a picture and a word", xlabel="word", ylabel="picture")
figure.colorbar(image, label="cosine")
show(figure, alt="Heat map of the cosine between 20 pictures (rows) and 5 words (columns).")
print(f"the nearest word is the right one for {found} of {len(pictures)} pictures")

# %% [markdown]
# **Where does the picture come from, if you only typed a word?** From the *prior*: a small
# diffusion model that draws an image embedding for a text (the unCLIP step, section 3.2 of
# VideoDirectorGPT). It is drawn **once** per entity and used in all its scenes. Two draws may
# differ, a word alone does not say which cat; two scenes of one film may not. Draw four cats and
# see whose artwork each is nearest to:

# %%
keys = list(jax.random.split(jax.random.key(SEED), 4))
drawn = np.asarray(model.imagine(["cat"] * 4, keys))
owners = list(pictures)
for number, embedding in enumerate(drawn, 1):
    order = np.argsort(-(of_pictures @ embedding))[:2]
    nearest = ", ".join(
        f"{owners[i][0]} in the {owners[i][1]} look ({of_pictures[i] @ embedding:.2f})"
        for i in order
    )
    print(f"draw {number} of a cat is nearest to: {nearest}")

# %% [markdown] minutes=20 tags=["slide"]
# ## 3 · One token per thing and frame
#
# The three parts go through a small network (VideoDirectorGPT, section 3.2):
#
# $$h_e = \mathrm{MLP}\big(P_\text{img}(f_\text{img}(e)),\ P_\text{text}(f_\text{text}(e)),\
# \gamma(\text{box}_e)\big).$$
#
# $P_\text{img}$ and $P_\text{text}$ are linear maps. Their inputs have unit length, so their
# channels are tiny; they are scaled to unit variance first. A thing that is not in a frame gets
# *null* features, learned vectors in place of all three parts. Here is the token by hand, from
# the trained parameters:


# %% tags=["scratch"]
def dense(layer, x):
    return x @ layer["kernel"] + layer["bias"]


def token(net, text, image, box):
    """(text_width,), (image_width,), (4,) -> (width,): one thing in one frame."""
    text = dense(net["project_text"], text * np.sqrt(text.size))
    image = dense(net["project_image"], image * np.sqrt(image.size))
    parts = jnp.concatenate([image, text, fourier(box)])
    return dense(net["linears_2"], jax.nn.silu(dense(net["linears_0"], parts)))


# %% [markdown]
# The package does this for whole clips at once. A `Grounding` holds a fixed number of places (so
# that nothing has to be compiled again for another film); places that are not taken hold nobody.
# Put a cat into the first place, let it walk for four frames, and compare:

# %%
net = model.params["net"]
FRAMES, WALK = 4, [(0.1 * f, 0.5, 0.1 * f + 0.3, 0.9) for f in range(4)]
config = model.preset.grounding
PLACES = config.max_entities
word, picture = of_words[0], drawn[0]

boxes = np.zeros((1, FRAMES, PLACES, 4), np.float32)
present = np.zeros((1, FRAMES, PLACES), bool)
texts = np.zeros((1, PLACES, config.text_width), np.float32)
images = np.zeros((1, PLACES, config.image_width), np.float32)
known = np.zeros((1, PLACES), bool)
boxes[0, :, 0], present[0, :, 0] = WALK, True
texts[0, 0], images[0, 0], known[0, 0] = word, picture, True
grounding = Grounding(
    boxes=jnp.asarray(boxes),
    present=jnp.asarray(present),
    text=jnp.asarray(texts),
    image=jnp.asarray(images),
    has_text=jnp.asarray(known),
    has_image=jnp.asarray(known),
)
carried = GroundingNet(config).apply({"params": net}, grounding)
tokens, their_boxes = carried[..., : config.width], carried[..., -4:]
their_pictures = carried[..., config.width : -4]
by_hand = np.stack([token(net, word, picture, step) for step in WALK])
np.testing.assert_allclose(tokens[0, :, 0], by_hand, rtol=1e-3, atol=1e-4)
np.testing.assert_allclose(their_boxes[0, :, 0], WALK, atol=1e-6)
print(f"tokens: {tokens.shape} (clip, frame, place, width); place 0 equals the token by hand")
print(f"carried beside them, for section 4: the boxes themselves, {their_boxes.shape},")
print(f"and a picture of each thing, {their_pictures.shape}")

# %% [markdown] minutes=10
# **A picture in a token.** The token above is what the paper has. The small network here gets one
# thing more, from a second MLP over the same three parts: what the thing should look like, as the
# *latents* (the four numbers per 8 × 8 pixels that the diffusion network works on) expected in its
# box, and how sure that is. To fit a box of any size, a picture is kept as a sum of cosine waves,
# as in JPEG:
#
# $$s(u, v) = \sum_{k,l=0}^{7} c_{kl}\, \cos(\pi k v)\, \cos(\pi l u), \qquad 0 \le u, v \le 1.$$
#
# Read the pictures of five names in a box in the middle of a frame, let the autoencoder's decoder
# show them, and keep what is inside the box. Smears beside the thing are honest: what is behind
# it, the token cannot know.

# %%
waves = config.picture_waves
side = model.preset.unet.sample_size
middle = jnp.array([[[[0.2, 0.2, 0.8, 0.8]]]])


def picture_of(word, picture):
    """What the token of a thing in the middle expects to see there: pixels of 0..255."""
    alone = Grounding(
        boxes=middle,
        present=jnp.ones((1, 1, 1), bool),
        text=word[None, None],
        image=picture[None, None],
        has_text=jnp.ones((1, 1), bool),
        has_image=jnp.ones((1, 1), bool),
    )
    carried = GroundingNet(config).apply({"params": net}, alone)[..., config.width : -4]
    coefficients = carried.reshape(1, 1, waves, waves, -1)
    u = ((np.arange(side) + 0.5) / side - 0.2) / 0.6  # 0 and 1 are the box's edges
    cosines = np.cos(np.pi * np.clip(u, 0, 1)[:, None] * np.arange(waves))  # (cell, wave)
    seen = np.einsum("yk,xl,klc->yxc", cosines, cosines, coefficients[0, 0])
    theirs = pictured_in(coefficients, middle[0], side, side).reshape(seen.shape)
    np.testing.assert_allclose(seen, theirs, atol=1e-3)
    frame = model.decode(jnp.asarray(seen[None, ..., :4], jnp.float32))[0]
    low, high = round(0.2 * len(frame)), round(0.8 * len(frame))
    return frame[low:high, low:high]


first_draws = model.imagine(NAMES, list(jax.random.split(jax.random.key(SEED), len(NAMES))))
expected = [
    picture_of(jnp.asarray(word), draw) for word, draw in zip(of_words, first_draws, strict=True)
]
show(
    np.concatenate(expected, axis=1),
    alt=f"What the tokens of {', '.join(NAMES)} expect to see in their boxes.",
    width=640,
)

# %% [markdown] minutes=20 tags=["slide"]
# ## 4 · A layer that reads them: gated self-attention
#
# The network that makes the film already has, for every frame, *visual tokens* $v$: one per cell
# of a coarse grid. A gated layer is put between its own layers (GLIGEN, equations 8 and 9):
#
# $$v \leftarrow v + \tanh(\alpha_\text{attn}) \cdot
# \mathrm{SelfAttention}\big(\mathrm{LN}([v;\, W h])\big)_{\text{visual}}
# \qquad v \leftarrow v + \tanh(\alpha_\text{dense}) \cdot \mathrm{FF}\big(\mathrm{LN}(v)\big)$$
#
# Visual and grounding tokens are put into one row and attend to each other; then the grounding
# rows are thrown away. From scratch, one frame at a time:


# %% tags=["scratch"]
def layer_norm(layer, x):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-5) * layer["scale"] + layer["bias"]


def attention(layer, x, context, heads):
    """(q, c), (k, c) -> (q, c): each row of x looks at each row of the context."""

    def split(rows):  # (n, heads * d) -> (heads, n, d)
        return rows.reshape(len(rows), heads, -1).swapaxes(0, 1)

    query = split(x @ layer["to_q"]["kernel"])
    key = split(context @ layer["to_k"]["kernel"])
    value = split(context @ layer["to_v"]["kernel"])
    scores = query @ key.swapaxes(1, 2) / jnp.sqrt(query.shape[-1])
    mixed = jax.nn.softmax(scores, axis=-1) @ value  # (heads, q, d)
    return dense(layer["to_out"], mixed.swapaxes(0, 1).reshape(len(x), -1))


def feed_forward(layer, x):
    value, gate = jnp.split(dense(layer["net_0_proj"], x), 2, axis=-1)
    return dense(layer["net_2"], value * jax.nn.gelu(gate, approximate=False))


def gated_self_attention(params, visual, grounding, heads):
    """(q, c), (k, width) -> (q, c): one frame."""
    row = jnp.concatenate([visual, dense(params["linear"], grounding)])  # [v; W h]
    row = layer_norm(params["norm1"], row)
    attended = attention(params["attn"], row[: len(visual)], row, heads)
    visual = visual + jnp.tanh(params["alpha_attn"]) * attended
    update = feed_forward(params["ff"], layer_norm(params["norm2"], visual))
    return visual + jnp.tanh(params["alpha_dense"]) * update


# %% [markdown] tags=["discuss"]
# Why self-attention over both kinds of token, and not cross-attention from visual to grounding
# tokens, which would be cheaper? (5 minutes in pairs. The softmax is shared: a cell may look at its
# neighbours *instead of* at the layout, and a place that holds nobody costs it nothing.)

# %% [markdown] tags=["subslide"]
# Now take the parameters of a trained layer, open both gates half-way so that nothing can hide
# behind a small gate, feed random visual tokens and the tokens from above, and compare with the
# package's layer:

# %%
block = model.params["unet"]["mid_block"]["attentions_0"]["transformer_blocks_0"]
channels = block["fuser"]["linear"]["kernel"].shape[1]
heads = channels // model.preset.unet.head_dim
trained = block["fuser"]
half_open = {**trained, "alpha_attn": jnp.arctanh(0.5), "alpha_dense": jnp.arctanh(0.5)}

visual = jax.random.normal(jax.random.key(SEED), (FRAMES, 16, channels))
layer = GatedSelfAttention(heads, model.preset.unet.head_dim, channels)
theirs = layer.apply({"params": half_open}, visual, tokens[0])
ours = jnp.stack(
    [gated_self_attention(half_open, v, t, heads) for v, t in zip(visual, tokens[0], strict=True)]
)
np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
print(f"{visual.shape} visual tokens: equal, largest difference {jnp.abs(ours - theirs).max():.1e}")

# %% [markdown] minutes=10
# One thing more is done in the trained network. To look at "the cat on the left" a visual token
# must know that it is on the left, and to draw the cat's ear it must know that it is where the ear
# goes. Stable Diffusion's network learnt such things from very many pictures. When this small one
# was first trained, mirroring all boxes changed nothing. So here the layer is told (a
# `BoxGeometry`, its third argument), cell by cell:
#
# - where the cell lies in the frame: the box code of the cell itself is added to what attention
#   sees;
# - how much of it lies in each box: scores rise by that share times a gain, which every head learns
#   for itself. Some heads start at zero and look anywhere, some look at little but their own box;
# - where in each box it lies, 0 at one edge to 1 at the other, and what the token's picture shows
#   there: codes of that are added to the token's value, so that what a cell takes from the cat is
#   "the cat, upper left part, which should look like this".

# %%
coefficients = their_pictures[0].reshape(FRAMES, PLACES, waves, waves, -1)
geometry = BoxGeometry.of(their_boxes[0], 4, 4, coefficients)
print("share of each of 4 × 4 cells that lies in the cat's box, first frame:")
print(np.asarray(geometry.inside[0, :, 0]).reshape(4, 4).round(2))
print("where each cell's middle lies across that box (held to half a box beyond its edges):")
print(np.asarray(geometry.placed[0, :, 0, 0]).reshape(4, 4).round(2))
print("gain per head:", np.asarray(trained["box_gain"]).round(2))
told = layer.apply({"params": half_open}, visual, tokens[0], geometry)
print(f"largest difference that this makes: {jnp.abs(told - theirs).max():.2f}")

# %% [markdown] minutes=10 tags=["slide"]
# ## 5 · A closed gate changes nothing
#
# A network that already makes films must not be spoilt by new layers. $\tanh 0 = 0$: with both
# gates at zero a layer gives back what came in, whatever else is in it. That is how GLIGEN and
# the paper start training. The weights here took another road to the same start (`opened` in
# `vdjax/train/guided.py`): the gates begin open, and the last projection behind each of them begins
# at zero, which learns sooner from few examples. Either way, what training adds can be taken away
# again by closing the gates. First the layer alone:

# %%
closed = {**trained, "alpha_attn": jnp.array(0.0), "alpha_dense": jnp.array(0.0)}
out = layer.apply({"params": closed}, visual, tokens[0])
assert (np.asarray(out) == np.asarray(visual)).all()
print("with closed gates the layer gives back its input, bit by bit")

# %% [markdown]
# Then the whole network. `scale_gates(params, factor)` multiplies every gate by a factor. At 0
# the network must predict what it predicts without any grounding; between 0 and 1 the layout
# takes hold. How large is that on one noisy frame?

# %%
u = model.preset.unet
noise = jax.random.normal(jax.random.key(SEED), (1, 1, u.sample_size, u.sample_size, u.in_channels))
states = model.encode_text(["a cat on the beach"])
one_frame = carried[:, :1]
time = jnp.array([600])


def predict(params, grounding):
    return UNet3D(u).apply({"params": params}, noise, time, states, grounding, video=False)


predict = jax.jit(predict)
without = predict(model.params["unet"], None)
factors = (0.0, 0.25, 0.5, 0.75, 1.0)
effect = []
for factor in factors:
    prediction = predict(scale_gates(model.params["unet"], factor), one_frame)
    effect.append(float(jnp.linalg.norm(prediction - without) / jnp.linalg.norm(without)))
assert effect[0] < 1e-5, "closed gates must not change the prediction"

figure, axis = axes(width=5)
axis.plot(factors, [100 * value for value in effect], "o-")
axis.set(
    title="how much the layout changes one prediction",
    xlabel="factor on every gate (0 closed, 1 as trained)",
    ylabel="relative change in %",
    ylim=(0, None),
)
show(figure, alt="Change of the prediction over the factor on the gates; zero at factor zero.")
print("change in %:", ", ".join(f"{100 * value:.2f}" for value in effect))

# %% [markdown] minutes=10 tags=["slide"]
# ## 6 · Which layers listen?
#
# Two scalars per layer, read off the trained weights. The sign of a gate has no meaning of its own
# (the layer behind it can turn it round), and a small gate may still let a loud answer through. So
# look at the gates, and then close each layer alone and see by how much the prediction changes.

# %%
gates = read_gates(model.params["unet"])
show(
    gate_figure(gates, f"gates of the weights {PRESET!r}"),
    alt="Bars: the attention gate and the feed-forward gate of each guided layer, printed below.",
)
for gate in gates:
    print(f"{gate.layer:>8}: attention {gate.attention:+.3f}, feed-forward {gate.dense:+.3f}")

# %%
whole = predict(model.params["unet"], one_frame)
layers = [gate.layer for gate in gates]
missed = []
for name in layers:
    prediction = predict(scale_gates(model.params["unet"], 0.0, [name]), one_frame)
    missed.append(100 * float(jnp.linalg.norm(prediction - whole) / jnp.linalg.norm(whole)))

figure, axis = axes(width=8)
axis.bar(layers, missed, color="#0072b2")
axis.set(
    title="what is missed when one layer is closed",
    xlabel="guided layer, in the order in which they run",
    ylabel="relative change in %",
)
show(figure, alt="A bar per guided layer: how much the prediction changes when it alone is closed.")
print(
    "change in %:", ", ".join(f"{n} {value:.2f}" for n, value in zip(layers, missed, strict=True))
)

# %% [markdown] tags=["exercise"]
# ## 7 · Exercises
#
# Write in the first cell, run the second: it says whether you are there, or what to look at.

# %% [markdown] tags=["exercise"]
# ### Exercise 1 · Boxes from a detector
#
# *Difficulty 1/5 · importance 3/5 · 5 minutes*
#
# Many detectors give a box as centre and size: `(cx, cy, w, h)`. Write `code_of_centre_box`,
# which gives the 64 numbers of such a box. Use `fourier`.


# %% tags=["stub"]
def code_of_centre_box(cx, cy, w, h):
    return fourier((cx, cy, w, h))  # your code here


# %% tags=["check"]
def check_centre_box(answer):
    truth = np.asarray(box_code(jnp.array([0.2, 0.25, 0.6, 0.75])))
    value = np.asarray(answer(0.4, 0.5, 0.4, 0.5))
    if value.shape != (64,):
        return f"the code has shape {value.shape}; it should have 64 numbers."
    if np.allclose(value, fourier((0.4, 0.5, 0.4, 0.5)), atol=1e-4):
        return "that is the code of the four numbers as they are: first turn them into two corners."
    if np.allclose(value, fourier((0.4, 0.5, 0.8, 1.0)), atol=1e-4):
        return "that takes (cx, cy) for the upper left corner; it is the middle."
    if not np.allclose(value, truth, atol=1e-4):
        return "not yet: for centre (0.4, 0.5) and size (0.4, 0.5), x0 is 0.2 and y1 is 0.75."
    return "Right: x0 = cx - w/2, x1 = cx + w/2, and the same for y."


print(check_centre_box(code_of_centre_box))

# %% [markdown] tags=["hint"]
# The left edge is half a width left of the centre.


# %% tags=["solution"]
def code_of_centre_box(cx, cy, w, h):
    return fourier((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2))


# %% tags=["wrong"]
# says: that takes (cx, cy) for the upper left corner
def code_of_centre_box(cx, cy, w, h):
    return fourier((cx, cy, cx + w, cy + h))


# %% tags=["wrong"]
# says: not yet: for centre (0.4, 0.5)
def code_of_centre_box(cx, cy, w, h):
    return fourier((cx - w, cy - h, cx + w, cy + h))


# %% [markdown] tags=["exercise"]
# ### Exercise 2 · The token of nobody
#
# *Difficulty 3/5 · importance 4/5 · 10 to 15 minutes*
#
# Places that hold nobody have tokens as well, and the visual tokens look at them. Write
# `null_token()`: the token of an absent thing, from `net["null_text_feature"]`,
# `net["null_image_feature"]` and `net["null_position_feature"]`. The null features stand where
# the features would stand *before* the linear maps, and they are not scaled.


# %% tags=["stub"]
def null_token():
    return jnp.zeros(config.width)  # your code here


# %% tags=["check"]
def check_null_token(answer):
    truth = np.asarray(tokens[0, 0, 1])  # place 1 holds nobody
    value = np.asarray(answer())
    if value.shape != truth.shape:
        return f"the token has shape {value.shape}; it should have {truth.shape}."
    if not value.any():
        return (
            "it is all zeros; biases alone make it something else: send the null features through."
        )
    scaled = token(net, net["null_text_feature"], net["null_image_feature"], (0.0, 0.0, 0.0, 0.0))
    if np.allclose(value, scaled, atol=1e-4) and not np.allclose(value, truth, atol=1e-4):
        return "close: that codes a box of zeros, or scales the features; use them as they are."
    if not np.allclose(value, truth, rtol=1e-3, atol=1e-4):
        return "not yet: the order in the MLP is image, text, position, as in `token`."
    return "Right: what is not there has a token of its own, learned like the rest."


print(check_null_token(null_token))

# %% [markdown] tags=["hint"]
# Copy `token` and take the null features in place of `text * …`, `image * …` and `fourier(box)`.


# %% tags=["solution"]
def null_token():
    text = dense(net["project_text"], net["null_text_feature"])
    image = dense(net["project_image"], net["null_image_feature"])
    parts = jnp.concatenate([image, text, net["null_position_feature"]])
    return dense(net["linears_2"], jax.nn.silu(dense(net["linears_0"], parts)))


# %% tags=["wrong"]
# says: close: that codes a box of zeros
def null_token():
    return token(net, net["null_text_feature"], net["null_image_feature"], (0.0, 0.0, 0.0, 0.0))


# %% tags=["wrong"]
# says: the order in the MLP is image, text, position
def null_token():
    text = dense(net["project_text"], net["null_text_feature"])
    image = dense(net["project_image"], net["null_image_feature"])
    parts = jnp.concatenate([text, image, net["null_position_feature"]])
    return dense(net["linears_2"], jax.nn.silu(dense(net["linears_0"], parts)))


# %% [markdown] tags=["exercise"]
# ### Exercise 3 · Deaf, but not asleep
#
# *Difficulty 3/5 · importance 4/5 · 10 minutes*
#
# Write `deaf(params)`: the parameters of a gated layer that does not hear the grounding tokens at
# all, yet still changes the visual tokens. `params` itself must stay as it is.


# %% tags=["stub"]
def deaf(params):
    return params  # your code here


# %% tags=["check"]
def check_deaf(answer):
    given = dict(half_open)
    params = answer(given)
    if any(given[key] is not half_open[key] for key in half_open):
        return "the parameters that came in were changed: make a new dictionary, {**params, …}."
    one = layer.apply({"params": params}, visual, tokens[0])
    two = layer.apply({"params": params}, visual, tokens[0] + 1.0)
    if not np.allclose(one, two, atol=1e-5):
        return "the layer still hears: with other grounding tokens it gives something else."
    if np.allclose(one, visual, atol=1e-6):
        return "now the layer does nothing at all: leave open the gate that never reads the tokens."
    return "Right: the attention gate is the one that the layout comes through."


print(check_deaf(deaf))

# %% [markdown] tags=["hint"]
# Of the two equations in section 4, only one has $h$ in it.


# %% tags=["solution"]
def deaf(params):
    return {**params, "alpha_attn": jnp.array(0.0)}


# %% tags=["wrong"]
# says: now the layer does nothing at all
def deaf(params):
    return {**params, "alpha_attn": jnp.array(0.0), "alpha_dense": jnp.array(0.0)}


# %% tags=["wrong"]
# says: the layer still hears
def deaf(params):
    return {**params, "alpha_dense": jnp.array(0.0)}


# %% tags=["wrong"]
# says: the parameters that came in were changed
def deaf(params):
    params["alpha_attn"] = jnp.array(0.0)
    return params


# %% [markdown] tags=["questions"]
# ## 8 · Questions
#
# 1. What three things does a grounding token say, and which network says each?
# 2. Why are the waves' frequencies spread over two powers of ten?
# 3. Which rows of the output of self-attention are kept, and which are thrown away?
# 4. Both gates are at zero. Which of a layer's parameters get a gradient in the first step?
# 5. A place holds nobody. What do visual tokens see there?

# %% [markdown] tags=["answers"]
# 1. Where (the Fourier code of the box), which word (CLIP's text tower), which look (CLIP's image
#    tower, or the prior's draw).
# 2. Slow waves tell far places apart, fast waves near ones.
# 3. The visual rows are kept; the grounding rows have done their work.
# 4. Only the gates: all else is multiplied by $\tanh 0 = 0$.
# 5. The token that the null features make, the same for every empty place.

# %% [markdown] tags=["references"]
# ## References, and what to read next
#
# - Li et al.: *GLIGEN: Open-Set Grounded Text-to-Image Generation*, CVPR 2023,
#   [arXiv:2301.07093](https://arxiv.org/abs/2301.07093): the Fourier code, the gates.
# - Lin, Zala, Cho, Bansal: *VideoDirectorGPT*, COLM 2024,
#   [arXiv:2309.15091](https://arxiv.org/abs/2309.15091), section 3.2: one token of text, image
#   and box, in every frame.
# - Ramesh et al.: *Hierarchical Text-Conditional Image Generation with CLIP Latents* (unCLIP),
#   2022, [arXiv:2204.06125](https://arxiv.org/abs/2204.06125): the prior.
# - Next: [03 · the UNet](03_unet3d_and_gated_attention.ipynb), the network that the tokens meet.
