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
# # 05 · Multi-scene sampling: from noise to a film
#
# **Goal, in one sentence:** write the sampling loop with its two phases yourself, turn its knobs,
# and see where the network looks while it works.
#
# ![A line of denoising steps from noise to film. The first part of the steps runs with the gates
# on and settles what is where; the rest runs without them and settles what it looks
# like.](pictures/05_two_phases.png)
#
# [![Open in Colab](pictures/colab.png)]({{COLAB}})
#
# **You will be able to**
#
# - write classifier-free guidance and the two phases of layout guidance, equal to the package's
#   to rounding;
# - say what alpha, guidance and the seed change, having moved them;
# - compare a film with and without gates from the same noise;
# - measure how much of the attention on a thing's token lies inside its box, against chance.
#
# **You need** [02 · grounding tokens](02_grounding_tokens.ipynb), or to believe it. No network, no
# GPU. Symbols: [notation](notation.md); words: [glossary](glossary.md).
#
# {{TIMES}}

# %% [markdown] tags=["teacher"]
# The loop in section 2 is the heart: have somebody read it aloud, line by line, beside the
# equation. With the shipped weights the gates' effect can be seen at once (section 3); what
# guidance and seed do, let the class find out and put into words. Section 4 wants a live kernel: on
# two cores a move of a slider takes seconds, so let groups take one knob each. Section 5 is the
# bridge to looking inside; leave out the plot by layers when time is short.

# %% tags=["install"]
# Filled in from install.py.

# %%
import sys
from functools import partial

import ipywidgets
import jax
import jax.numpy as jnp
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

import vdjax
from vdjax.inspect.attention import attention_bytes, chance, mass_in_box, record_attention
from vdjax.inspect.pictures import attention_figure
from vdjax.media.storyboard import storyboard
from vdjax.model.hf import make_scheduler
from vdjax.plan import frame_boxes, identities
from vdjax.progress import Printed
from vdjax.runtime import enable_compilation_cache
from vdjax.systems.videodirectorgpt import (
    identity_embeddings,
    prepare,
    scene_conditions,
    start_latents,
)
from vdjax.widgets import Knobs, LayoutEditor, film_html, play, show

PRESET = "storybook"  # the weights that come with the package; "toy" is random, tiny and quick
STEPS, FRAMES, SEED, GUIDANCE = 8, 8, 0, 2.0  # few steps and frames, so that a laptop keeps up
enable_compilation_cache()
model = vdjax.load(PRESET)

# %% [markdown] minutes=10 tags=["slide"]
# ## 1 · What enters
#
# One sentence per scene this time. The two cats are called the same, so they are one cat.

# %%
plan = vdjax.plan.plan(
    ["A cat walks from left to right on the beach", "The cat meets a dog in the park"], seed=SEED
)
print(plan.summary())

# %% [markdown]
# From the plan, three things are made, once per film or once per scene:
#
# 1. **Identities** (once per film). Every group of equal names gets one image embedding, drawn by
#   the prior with a key of its own. That is all that keeps the cat of scene 1 and the cat of
#   scene 2 the same.
# 2. **Conditions** (per scene). The token states of the scene's sentence, and grounding tokens
#   for every frame. Each has an unconditional twin: the empty sentence, and nobody anywhere.
# 3. **Noise** (per scene), from the seed and the number of the scene.

# %%
embeddings = identity_embeddings(model, plan, SEED, {})
conditions = scene_conditions(model, plan, 1, embeddings, FRAMES)
noise = start_latents(model, jax.random.fold_in(jax.random.key(SEED), 1), FRAMES)
print("one embedding each:", ", ".join(embeddings))
print("text     ", conditions.text.shape, "(without/with, word, width)")
print("grounding", conditions.grounding.shape, "(without/with, frame, place, width)")
print("noise    ", noise.shape, "(clip, frame, height, width, channel)")

# %% [markdown] minutes=20 tags=["slide"]
# ## 2 · The loop, by hand
#
# Every step asks the network twice and pushes the two answers apart (classifier-free guidance, Ho
# & Salimans 2022):
#
# $$\hat\epsilon = \epsilon(z_t, \varnothing) + s \cdot \big(\epsilon(z_t, \text{words},
# \text{boxes}) - \epsilon(z_t, \varnothing)\big),$$
#
# where $s$ is the guidance scale (the network may predict a velocity in place of the noise
# $\epsilon$; the rule is the same). And there are **two phases** (VideoDirectorGPT, appendix
# J.1): of $N$ steps, the first $\lfloor \alpha N \rfloor$ run *with* the gated layers, the others
# *without* them. The coarse arrangement is settled early, when all is noise; later the network is
# left to what it learned from films. A scheduler, here DPM-Solver++, turns each answer into the
# next, slightly less noisy latents.


# %%
def sample(params, noise, conditions, guidance, alpha):
    """Noise to latents; also what entered each step, and at which noise level."""
    gated_steps = int(alpha * STEPS)
    scheduler = make_scheduler("dpm++", model.preset.noise)
    state = scheduler.set_timesteps(scheduler.create_state(), STEPS, noise.shape)
    advance = jax.jit(partial(scheduler.step, return_dict=False))
    latents, visited = noise, []
    for i, t in enumerate(state.timesteps):
        visited.append(latents)
        twice = jnp.concatenate([latents, latents])
        tokens = conditions.grounding if i < gated_steps else None  # the two phases
        both = model.unet(twice, jnp.full(2, t), conditions.text, tokens)
        without, with_conditions = jnp.split(both, 2)
        guided = without + guidance * (with_conditions - without)
        latents, state = advance(state, guided, t, latents)
    return latents, visited, [int(t) for t in state.timesteps]


ALPHA = plan.alpha
latents, visited, timesteps = sample(model.params["unet"], noise, conditions, GUIDANCE, ALPHA)
by_hand = model.decode(latents[0])
film = vdjax.film(
    plan,
    seed=SEED,
    steps=STEPS,
    guidance=GUIDANCE,
    frames=FRAMES,
    preset=model,
    progress=Printed(sys.stdout),
)
apart = np.abs(by_hand.astype(int) - film.frames[0].astype(int))
assert apart.mean() < 0.5, "the loop by hand must make the package's film"
print(
    "by hand and vdjax.film, pixels of 0..255: "
    f"mean difference {apart.mean():.4f}, largest {apart.max()}"
)

# %% [markdown] tags=["discuss"]
# Why are the gates on at the beginning and off at the end, and not the other way round? Predict
# what the other way round would look like. (5 minutes in pairs. What is where is settled while all
# is noise; late gates could only repaint.)

# %% [markdown] minutes=10 tags=["slide"]
# ## 3 · The same noise, gates on and off
#
# With $\alpha = 0$ the gated layers are never run: what comes out is the text-to-video model as
# it was before it ever saw a box. The noise is the same, the words are the same. Look at where
# things are, and how they move.

# %% tags=["subslide"]
ungated = vdjax.film(
    plan, seed=SEED, steps=STEPS, guidance=GUIDANCE, alpha=0, frames=FRAMES, preset=model
)
for number, scene in enumerate(plan.scenes):
    play(
        {f"gates on (alpha {ALPHA:g})": film.frames[number], "gates off": ungated.frames[number]},
        alt=f"Scene {number + 1}, {scene.description}, from the same noise",
    )

# %%
show(
    storyboard(plan, film.frames),
    alt="Storyboard with gates on: a row of frames per scene with the plan's boxes over them.",
    width=700,
)

# %% [markdown] minutes=15 tags=["slide"]
# ## 4 · Turn the knobs
#
# Move a slider and let go. Scene 1 is drawn again; a film that was drawn before comes back at
# once. Things to try:
#
# - **alpha** from 0 to 1: from which value on does the layout show, if it does?
# - **guidance** 1 and 10: what does too little, and too much, look like?
# - **seed**: what stays the same when only the noise (and the draw of the cat) changes?


# %%
def scene_html(alpha, guidance, seed):
    only = plan.replace(scenes=plan.scenes[:1], groups=None)
    made = vdjax.film(
        only, seed=seed, steps=STEPS, guidance=guidance, alpha=alpha, frames=FRAMES, preset=model
    )
    words = f"{only.scenes[0].description}, alpha {alpha:g}, guidance {guidance:g}, seed {seed}"
    return film_html(made.frames, alt=words)


knobs = Knobs(
    scene_html,
    alpha=ipywidgets.FloatSlider(
        value=ALPHA, min=0, max=1, step=0.1, description="alpha", continuous_update=False
    ),
    guidance=ipywidgets.FloatSlider(
        value=GUIDANCE, min=1, max=12, step=0.5, description="guidance", continuous_update=False
    ),
    seed=ipywidgets.IntSlider(
        value=SEED, min=0, max=20, description="seed", continuous_update=False
    ),
)
display(knobs)

# %% [markdown]
# No widgets where you read this? The function behind the sliders is an ordinary one:
# `IPython.display.HTML(scene_html(alpha=0.3, guidance=6, seed=2))`.
#
# **And the boxes.** Draw a new one (*Draw box*, then give it a name the weights know, such as
# balloon), or move one, and press *Render this scene*: the loop of section 2 runs again, with the
# same noise, and the film is shown after each of its steps. After which step is each thing in its
# place?

# %%
made = prepare(plan, seed=SEED, steps=STEPS, guidance=GUIDANCE, frames=FRAMES, preset=model)
editor = LayoutEditor.of_scenes(made, film.frames, selected="cat")
display(editor)

# %% [markdown] minutes=15 tags=["slide"]
# ## 5 · Where are the grounding tokens looked at?
#
# In a gated layer every visual token spreads its attention over all visual tokens and all
# grounding tokens. Take what it gives to one grounding token, say the cat's, and lay it out over
# the frame: that is where the network uses the cat's token. Nothing is recorded unless you ask;
# asking means running the network once more per step, and holding the maps in memory. How much?
# First ask:

# %%
gated = int(ALPHA * STEPS)
places = conditions.grounding.shape[2]
need = attention_bytes(model.preset.unet, model.params["unet"], FRAMES, places, gated)
record = record_attention(
    model.preset.unet,
    model.params["unet"],
    visited[:gated],
    timesteps[:gated],
    conditions.text[1:],  # the conditional half
    conditions.grounding[1:],
)
assert record.nbytes == need
print(
    f"{need / 1e6:.1f} MB: {gated} steps × {len(record.layers)} layers ({', '.join(record.layers)})"
)

# %% [markdown]
# Mean over heads, layers and recorded steps, one row per token. The numbers: the share of the
# token's attention that lies inside its box, and in brackets the share if it were spread evenly,
# which is just the box's area.

# %% tags=["subslide"]
scene = plan.scene(1)
heat = record.mean()
names = list(scene.entities)
boxes = frame_boxes(scene, FRAMES)
maps = {name: heat[..., place] for place, name in enumerate(names)}
show(
    attention_figure(film.frames[0], maps, boxes, "attention on the grounding tokens, scene 1"),
    alt="First row: frames of the film. Below, per thing, the same frames in grey with attention "
    "upon them and the plan's box outlined; the shares inside the box are printed below.",
)
for name in names:
    inside, even = np.nanmean(mass_in_box(maps[name], boxes[name])), np.nanmean(chance(boxes[name]))
    print(f"{name}: {inside:.1%} inside its box, evenly spread would be {even:.1%}")

# %% [markdown] tags=["discuss"]
# More of the attention on the cat's token lies inside its box than by chance. Does that prove that
# the network draws the cat *because of* the token? What else would you have to change, and to
# compare? (10 minutes. Attention shows where a token is read, not what it does: move the box and
# see whether the cat moves; close the gates and see what is left.)

# %% [markdown]
# Does it look there from the start? Step by step and layer by layer:


# %%
def inside_by_step(name, layers=None):
    place = names.index(name)
    means = (record.mean(layers, steps=[step])[..., place] for step in range(gated))
    return [np.nanmean(mass_in_box(mean, boxes[name])) for mean in means]


figure = Figure(figsize=(7, 3.2), dpi=80, layout="constrained")
axis = figure.subplots()
for mark, layer in zip("os^Dvx+*pd", record.layers, strict=False):
    axis.plot(range(1, gated + 1), inside_by_step(names[0], [layer]), marker=mark, label=layer)
axis.axhline(np.nanmean(chance(boxes[names[0]])), color="black", linestyle="--", label="even")
axis.set(
    title=f"attention on the token of {names[0]!r}",
    xlabel="denoising step",
    ylabel="share inside the box",
    xticks=range(1, gated + 1),
)
axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
show(
    figure, alt="Share of the attention inside the box over the denoising steps, a line per layer."
)

# %% [markdown]
# From the first step on, in the layers of fine cells. In the four between them, `down 2.0` to
# `up 0.1`, every place looks at the token alike; their attention gates are all but shut (04).

# %% [markdown] minutes=10 tags=["slide"]
# ## 6 · The same cat?
#
# The cat's image embedding is in its token in both scenes. Leave the picture out
# (`image_grounding=False`) and only the word is left, as in GLIGEN's text-only grounding: nothing
# then says *which* cat. The middle frames of both scenes, cut out around the cat's box. One film
# proves nothing, so here are four; with every seed the noise is another, and so is the prior's cat:

# %%
SEEDS = (0, 1, 2, 3)
WAYS = {"word and picture": True, "word only": False}


def cut_out(made, number, name="cat"):
    """The middle frame of a scene, inside the box of `name`."""
    frame = made.frames[number - 1][FRAMES // 2]
    x0, y0, x1, y1 = frame_boxes(made.plan.scene(number), FRAMES)[name][FRAMES // 2]
    tall, wide = frame.shape[:2]
    return frame[int(y0 * tall) : int(y1 * tall), int(x0 * wide) : int(x1 * wide)]


figure = Figure(figsize=(7, 1.9 * len(SEEDS)), dpi=80, layout="constrained")
panels = figure.subplots(len(SEEDS), 4)
for column, (title, pictured) in enumerate(WAYS.items()):
    alike = []
    for row, seed in zip(panels, SEEDS, strict=True):
        made = vdjax.film(
            plan,
            seed=seed,
            steps=STEPS,
            guidance=GUIDANCE,
            frames=FRAMES,
            preset=model,
            image_grounding=pictured,
        )
        pair = [cut_out(made, number) for number in (1, 2)]
        one, two = np.asarray(model.embed_pictures(pair))
        alike.append(one @ two)
        for number in (1, 2):
            panel = row[2 * column + number - 1]
            panel.imshow(pair[number - 1])
            panel.set_title(f"{title}\nseed {seed}, scene {number}", fontsize=8)
            panel.axis("off")
    each = ", ".join(f"{value:.2f}" for value in alike)
    print(
        f"{title}: CLIP finds the two cut-outs alike by {each}; mean {np.mean(alike):.2f} (cosine)"
    )
show(
    figure,
    alt="The cat's box cut out of both scenes, a row per seed: left by word and picture, right by "
    "the word.",
)

# %% [markdown]
# With the picture in the token CLIP finds the two cats alike with every seed, 0.76 at least; with
# the word alone it does so with seed 0 only. The eye sees why. With the picture, what is yellow on
# the beach is yellow in the park (seed 1), and what is reddish stays reddish, if paler on the sand.
# With the word alone an orange cat comes back pink (seed 2), and on the beach of seeds 1 and 3
# stands something dark that nobody would call a cat: there the picture tells not only *which* cat,
# but what a cat looks like at all. Of its shape it keeps less (seed 0: from the front on the beach,
# from the side in the park).
#
# Four films are few, and one pair of places. `vdjax evaluate layout` asks many films of many
# things, with chance and intervals: see "Identity over scenes" in the card beside the weights,
# `vdjax/weights/storybook/README.md`; 07 reads it.

# %% [markdown] tags=["exercise"]
# ## 7 · Exercises
#
# Write in the first cell, run the second: it says whether you are there, or what to look at.

# %% [markdown] tags=["exercise"]
# ### Exercise 1 · How large must alpha be?
#
# *Difficulty 2/5 · importance 3/5 · 5 to 10 minutes*
#
# Write `smallest_alpha(steps, wanted)`: the smallest multiple of 0.05 for which
# $\lfloor \alpha N \rfloor$ is at least `wanted` steps. Mind what 0.1 · 10 is in floating point;
# count in whole numbers as long as you can.


# %% tags=["stub"]
def smallest_alpha(steps, wanted):
    return 1.0  # your code here


# %% tags=["check"]
def check_smallest_alpha(answer):
    for steps, wanted in ((8, 1), (8, 5), (10, 3), (50, 5), (20, 0), (16, 16)):
        truth = next(k for k in range(21) if k * steps // 20 >= wanted) / 20
        value = answer(steps, wanted)
        if value < truth - 1e-9:
            got = int(value * steps)
            return f"for {wanted} of {steps} steps {value:g} is too small: it gives {got}."
        if value > truth + 1e-9:
            return f"for {wanted} of {steps} steps {value:g} does, but {truth:g} is enough."
    return "Right. The paper runs 5 of 50 steps with gates: alpha = 0.1."


print(check_smallest_alpha(smallest_alpha))

# %% [markdown] tags=["hint"]
# Alpha is `k / 20` with a whole `k`; try `k = 0, 1, 2, …` and compare `k * steps // 20` with
# `wanted`.


# %% tags=["solution"]
def smallest_alpha(steps, wanted):
    k = 0
    while k * steps // 20 < wanted:
        k += 1
    return k / 20


# %% tags=["wrong"]
# says: is too small: it gives
def smallest_alpha(steps, wanted):
    return round(20 * wanted / steps) / 20


# %% tags=["wrong"]
# says: is enough
def smallest_alpha(steps, wanted):
    return (20 * wanted // steps + 1) / 20


# %% [markdown] tags=["exercise"]
# ### Exercise 2 · Mass inside a box
#
# *Difficulty 3/5 · importance 5/5 · 15 minutes*
#
# Write `share_inside(heat, box)` for one frame: `heat` is a map (height, width) that is nowhere
# negative, `box` is `(x0, y0, x1, y1)` in 0..1. The answer is the share of the map's sum inside
# the box. A cell that the box cuts counts by the part of it that lies inside.


# %% tags=["stub"]
def share_inside(heat, box):
    return 0.0  # your code here


# %% tags=["check"]
def check_share_inside(answer):
    rng = np.random.default_rng(0)
    cases = [
        (np.ones((4, 4)), (0.0, 0.0, 1.0, 1.0), "the whole frame"),
        (np.ones((4, 4)), (0.25, 0.5, 0.75, 1.0), "an even map, a box along cell edges"),
        (np.ones((4, 4)), (0.1, 0.1, 0.6, 0.4), "an even map, a box that cuts cells"),
        (rng.random((4, 6)), (0.0, 0.25, 0.5, 0.5), "an uneven map with more columns than rows"),
        (rng.random((8, 8)), (0.13, 0.27, 0.61, 0.9), "an uneven map, a box that cuts cells"),
    ]
    for heat, box, what in cases:
        truth = mass_in_box(heat[None], [box])[0]
        value = float(answer(heat, box))
        if abs(value - truth) > 1e-6:
            return f"{what}: {value:.3f}; it should be {truth:.3f}."
    return "Right, and equal to vdjax.inspect.attention.mass_in_box."


print(check_share_inside(share_inside))

# %% [markdown] tags=["hint"]
# Along one axis: cell `i` of `n` spans `i/n` to `(i+1)/n`. The part of it inside is
# `min(x1, (i+1)/n) - max(x0, i/n)`, not below 0, times `n`. Do so for both axes and multiply
# (`np.outer`).


# %% tags=["solution"]
def share_inside(heat, box):
    def covered(low, high, n):
        edges = np.arange(n + 1) / n
        return np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None) * n

    rows = covered(box[1], box[3], heat.shape[0])
    columns = covered(box[0], box[2], heat.shape[1])
    return (heat * np.outer(rows, columns)).sum() / heat.sum()


# %% tags=["wrong"]
# says: an even map, a box that cuts cells
def share_inside(heat, box):
    tall, wide = heat.shape
    x0, y0, x1, y1 = box
    rows, columns = slice(int(y0 * tall), int(y1 * tall)), slice(int(x0 * wide), int(x1 * wide))
    return heat[rows, columns].sum() / heat.sum()


# %% tags=["wrong"]
# says: an uneven map with more columns than rows
def share_inside(heat, box):
    def covered(low, high, n):
        edges = np.arange(n + 1) / n
        return np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None) * n

    rows = covered(box[1], box[3], heat.shape[0])
    columns = covered(box[0], box[2], heat.shape[1])
    return np.outer(rows, columns).mean()


# %% [markdown] tags=["exercise"]
# ### Exercise 3 · Another cat
#
# *Difficulty 2/5 · importance 5/5 · 10 minutes*
#
# In the second scene it should be *another* cat. Write `two_cats(plan)`: the same plan, in which
# the cat has an identity of its own in each scene. Don't rename anybody: change the groups.


# %% tags=["stub"]
def two_cats(plan):
    return plan  # your code here


# %% tags=["check"]
def check_two_cats(answer):
    made = answer(plan)
    if [scene.entities for scene in made.scenes] != [scene.entities for scene in plan.scenes]:
        return "somebody was renamed: leave the scenes as they are and change `groups`."
    who = identities(made)
    if who[1, "cat"] == who[2, "cat"]:
        return "the cat of scene 1 and the cat of scene 2 still share one identity."
    before = identities(plan)
    if changed := [key for key in before if key[1] != "cat" and who[key] != before[key]]:
        return f"{changed[0][1]!r} lost its group as well: only the cat should change."
    return "Right: two draws of the prior now, one per scene. Render it and look."


print(check_two_cats(two_cats))

# %% [markdown] tags=["hint"]
# A scene that is not in a name's group gives that name an identity of its own there.
# `plan.groups` is a mapping name → scene numbers; `plan.replace(groups=…)` makes a new plan.


# %% tags=["solution"]
def two_cats(plan):
    return plan.replace(groups={**plan.groups, "cat": [1]})


# %% tags=["wrong"]
# says: still share one identity
def two_cats(plan):
    return plan.replace(groups={**plan.groups, "cat": [1, 2]})


# %% tags=["wrong"]
# says: somebody was renamed
def two_cats(plan):
    scene = plan.scenes[1]
    keyframes = [
        {("other cat" if name == "cat" else name): box for name, box in keyframe.items()}
        for keyframe in scene.keyframes
    ]
    entities = ["other cat" if name == "cat" else name for name in scene.entities]
    other = scene.replace(entities=entities, keyframes=keyframes)
    return plan.replace(scenes=[plan.scenes[0], other], groups=None)


# %% [markdown] tags=["questions"]
# ## 8 · Questions
#
# 1. How often is the network asked in one step, and with what?
# 2. What does guidance 1 do? And guidance 0?
# 3. Alpha is 0.1 and there are 8 steps. How many run with gates?
# 4. Two scenes, one cat: what do they share, and what do they not share?
# 5. A token's attention lies to 60 % inside its box. When is that much, and when is it nothing?

# %% [markdown] tags=["answers"]
# 1. Twice: with the words and boxes, and with the empty sentence and nobody anywhere.
# 2. At 1 the conditional answer is taken as it is; at 0 the conditions are ignored.
# 3. None: the whole part of 0.8 is 0.
# 4. One image embedding; not the noise, the sentence or the boxes.
# 5. Much, if the box is a tenth of the frame; nothing, if it is 60 % of it: chance is its area.

# %% [markdown] tags=["references"]
# ## References, and what to read next
#
# - Lin, Zala, Cho, Bansal: *VideoDirectorGPT*, COLM 2024,
#   [arXiv:2309.15091](https://arxiv.org/abs/2309.15091), section 3.2 and appendix J.1.
# - Ho, Salimans: *Classifier-Free Diffusion Guidance*, 2022,
#   [arXiv:2207.12598](https://arxiv.org/abs/2207.12598).
# - Lu et al.: *DPM-Solver++*, 2022, [arXiv:2211.01095](https://arxiv.org/abs/2211.01095): the
#   scheduler.
# - Tang et al.: *What the DAAM: Interpreting Stable Diffusion Using Cross Attention*, ACL 2023,
#   [arXiv:2210.04885](https://arxiv.org/abs/2210.04885): attention maps.
# - Next: [06 · looking inside](06_looking_inside.ipynb), where the network looks while it does
#   this.
