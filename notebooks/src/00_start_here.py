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
# # 00 · Start here: from a sentence to a film
#
# **Goal, in one sentence:** type a sentence, watch a film of several scenes being made on this
# machine, and see every station it passes on the way.
#
# ![The road of a film, from left to right: a sentence; a plan with a box for every thing in every
# scene; one grounding token per box; frames that come out of noise step by
# step.](pictures/00_road.png)
#
# [![Open in Colab](pictures/colab.png)]({{COLAB}})
#
# **You will be able to**
#
# - turn a sentence into a film in three cells, and save it;
# - read a *video plan*, change it, and render it again;
# - say what each part of the system does, and where to look it up.
#
# **You need** Python, and no network, no key, no GPU: the trained weights come with the package.
# It helps to have seen NumPy before; nothing about diffusion is taken as known. Words that are new
# stand in the [glossary](glossary.md).
#
# {{TIMES}}

# %% [markdown] tags=["teacher"]
# This is the shop window: let everybody see a film of their own sentence within ten minutes, and
# leave every "how" for later. Run `vdjax warmup` on the machines before the class: the first film
# has to be compiled. Learners ask for things that the shipped weights don't know; the
# planner's notes say so, and that is the moment to open the model card. When time is short, keep
# sections 1 and 2 and exercise 1.

# %% tags=["install"]
# Filled in from install.py.

# %%
import re
import sys
import time
from itertools import pairwise
from pathlib import Path

import jax
from IPython.display import display

import vdjax
from vdjax.inspect.pictures import plan_figure
from vdjax.media.storyboard import storyboard
from vdjax.progress import Printed
from vdjax.systems.videodirectorgpt import prepare
from vdjax.widgets import LayoutEditor, play, show

PRESET = "storybook"  # the weights that come with the package; "toy" is random, tiny and quick
STEPS = 4  # denoising steps per scene: more is slower, and shows little more with these weights
SEED = 0
print(f"vdjax {vdjax.__version__}, jax {jax.__version__} on {jax.devices()[0].platform}")

# %% [markdown] minutes=15 tags=["slide"]
# ## 1 · A film in three cells
#
# **First the plan.** The paper behind this package, VideoDirectorGPT (Lin et al., 2023), cuts
# video making in two. A *planner* decides what is to be seen: scenes, things, and a box for every
# thing at nine moments of each scene. A *renderer* decides what it looks like. The planner here
# follows rules of grammar, so it needs no language model and no network; a language model can
# take its place.

# %%
PROMPT = (
    "A cat drives a red car to the beach, then meets a dog under a palm tree, "
    "then they watch a rocket fly up"
)
plan = vdjax.plan.plan(PROMPT, seed=SEED)
print(plan.summary())

# %% [markdown]
# Read the notes: what the planner could not do, or had to guess, stands there. It never drops a
# word in silence. The same plan as a picture, before anything is drawn: the thin box is where a
# thing starts, the thick box where it ends, the dots are the nine keyframes.

# %% tags=["subslide"]
show(
    plan_figure(plan),
    alt="The plan's scenes as empty squares with the first and the last box of every thing.",
)

# %% [markdown]
# **Then the film.** For every scene the renderer starts from noise and removes a little of it in
# each of several steps. It reads the scene's sentence, and it is told the boxes.

# %%
began = time.perf_counter()
film = vdjax.film(plan, seed=SEED, steps=STEPS, preset=PRESET, progress=Printed(sys.stdout))
seconds = time.perf_counter() - began
print(f"\n{len(film.frames)} scenes of {len(film.frames[0])} frames in {seconds:.0f} s")

# %% [markdown]
# **Then look at it.** The storyboard lays what was asked for (the boxes) over what came out (the
# frames). The weights that come with the package are small and know a world of 64 things and 12
# places, so that everything here runs on a laptop. How good they are is measured, not promised:
# the model card beside them says how long they were trained, what to expect, and the figures.

# %%
card = Path(vdjax.__file__).parent / "weights" / PRESET / "README.md"
state = re.search(r"State: (.+?)\*\*", card.read_text(), re.DOTALL) if card.exists() else None
print("Their model card says:", " ".join(state[1].split()) if state else f"see {card.name}")

# %% [markdown] tags=["discuss"]
# Before you run the next two cells: which of the things in the plan will be easy to recognise, and
# which not? Write a guess down, then look. (3 minutes alone. The two largest, car and palm tree,
# come out best; the rocket, a third of the frame wide, is in its place, but a patch of colours.)

# %% tags=["slide"]
show(
    storyboard(plan, film.frames),
    alt="Storyboard: a row of four frames per scene, with the plan's boxes and names over them.",
    width=800,
)

# %% tags=["subslide"]
play(film.frames, alt=f"The film of: {PROMPT}", width=256)

# %% [markdown]
# `film.save("films/cat")` would write it: `film.mp4`, `film.gif`, the storyboard, every frame,
# the plan as JSON and a report of how it was made. On the command line all of this is one line:
#
# ```sh
# vdjax film "A cat drives a red car to the beach, then meets a dog" -o films/cat
# ```

# %% [markdown] minutes=10 tags=["slide"]
# ## 2 · Change the plan, and render it again
#
# A plan is plain data: read it, change it, render it again. Boxes are `(x0, y0, x1, y1)`; x goes
# from 0 (left) to 1 (right), y from 0 (top) to 1 (bottom). Here scene 1 is mirrored: every box
# goes to the other side. The seed stays, so nothing changes but the boxes: what differs between the
# two is the layout's doing.


# %%
def mirrored(scene):
    """The same scene with every box on the other side."""
    keyframes = [
        {name: (1 - x1, y0, 1 - x0, y1) for name, (x0, y0, x1, y1) in keyframe.items()}
        for keyframe in scene.keyframes
    ]
    return scene.replace(keyframes=keyframes)


scene = plan.scene(1)
other_way = vdjax.VideoPlan(prompt=scene.description, scenes=[mirrored(scene)])
turned = vdjax.film(other_way, seed=SEED, steps=STEPS, preset=PRESET)
play(
    {"as planned": film.frames[0], "boxes mirrored": turned.frames[0]},
    alt=f"Scene 1 ({scene.description}), same seed",
)

# %% [markdown] tags=["discuss"]
# Only the boxes were mirrored, yet more than the places changed. What would have to be true for the
# second film to be the mirror image of the first? (5 minutes in pairs. The noise is not mirrored,
# and neither is the network: it learned what things look like from the left and from the right
# separately.)

# %% [markdown]
# **By hand.** Below is scene 2, its film under its boxes. Drag the cat's box somewhere else (mouse,
# finger, or arrow keys), press *Render this scene*, and watch the film follow, step by step. *Undo*
# takes an edit back. `editor.plan` is the plan as you leave it; `vdjax.film(editor.plan)` films all
# of its scenes.

# %%
made = prepare(plan, seed=SEED, steps=STEPS, preset=PRESET)
editor = LayoutEditor.of_scenes(made, film.frames, scene=2, selected="cat")
display(editor)

# %% [markdown] minutes=5 tags=["slide"]
# ## 3 · The map
#
# A film goes through the package in one direction, and the folders are the stations on its way.
# The notebooks go along the same road; the last three leave it, for other machines, sizes and
# pictures.
#
# {{MAP}}
#
# The report says how long each station took for the film above:

# %%
for station, seconds in film.report["seconds"].items():
    print(f"{station:>8}: {seconds:6.2f} s")
print(f"    each denoising step of a scene: {film.report['seconds_per_step']:.2f} s")

# %% [markdown] tags=["exercise"]
# ## 4 · Exercises
#
# Each one says how hard it is, how much it matters, and how long it takes. Write in the first
# cell, run the second: it says whether you are there, or what to look at. Skip what bores you.

# %% [markdown] tags=["exercise"]
# ### Exercise 1 · Make it rise
#
# *Difficulty 2/5 · importance 4/5 · 5 to 10 minutes*
#
# Write `rising(scene, name)`: the same scene, in which the thing called `name` goes up in a
# straight line until its box touches the top of the frame at the last of the nine keyframes. It
# starts where it starts now, keeps its size, and does not move sideways. Nothing else changes.


# %% tags=["stub"]
def rising(scene, name):
    return scene  # your code here


# %% tags=["check"]
def check_rising(answer):
    scene = plan.scene(3)
    name = scene.entities[0]
    made = answer(scene, name)
    before, after = scene.keyframes, made.keyframes
    track = [keyframe.get(name) for keyframe in after]
    if any(box is None for box in track):
        return f"{name!r} has no box in some keyframe: keep it in all nine."
    first = before[0][name]
    tops = [box[1] for box in track]
    others = [{k: v for k, v in keyframe.items() if k != name} for keyframe in before]
    if [{k: v for k, v in keyframe.items() if k != name} for keyframe in after] != others:
        return f"something other than {name!r} has moved: copy the other boxes as they are."
    if max(abs(a - b) for a, b in zip(track[0], first, strict=True)) > 1e-6:
        return f"the first box is {track[0]}; it should stay where it is, at {first}."
    if abs(tops[-1]) > 1e-6:
        return f"the last box has its top at y = {tops[-1]:.2f}; the top of the frame is y = 0."
    if any(abs(box[0] - first[0]) > 1e-6 or abs(box[2] - first[2]) > 1e-6 for box in track):
        return "x0 and x1 change on the way: only y0 and y1 should."
    if any(abs((box[3] - box[1]) - (first[3] - first[1])) > 1e-6 for box in track):
        return "the box changes its height on the way: move y0 and y1 by the same amount."
    steps = [a - b for a, b in pairwise(tops)]
    if max(steps) - min(steps) > 1e-6:
        return "the way is uneven: keyframe k should be k/8 of the way."
    return f"Right: {name!r} rises. Render it with vdjax.film, as in section 2."


print(check_rising(rising))

# %% [markdown] tags=["hint"]
# Keyframe `k` (0 to 8) is `k/8` of the way. With the first box `(x0, y0, x1, y1)`, the box must
# go up by `y0` in all. `scene.keyframes` is a tuple of mappings; make a list of new dictionaries,
# `{**keyframe, name: (…)}`.


# %% tags=["solution"]
def rising(scene, name):
    x0, y0, x1, y1 = scene.keyframes[0][name]
    keyframes = [
        {**keyframe, name: (x0, y0 - y0 * k / 8, x1, y1 - y0 * k / 8)}
        for k, keyframe in enumerate(scene.keyframes)
    ]
    return scene.replace(keyframes=keyframes)


# %% tags=["wrong"]
# says: something other than
def rising(scene, name):
    x0, y0, x1, y1 = scene.keyframes[0][name]
    keyframes = [
        {**scene.keyframes[0], name: (x0, y0 - y0 * k / 8, x1, y1 - y0 * k / 8)} for k in range(9)
    ]
    return scene.replace(keyframes=keyframes)


# %% tags=["wrong"]
# says: changes its height on the way
def rising(scene, name):
    x0, y0, x1, y1 = scene.keyframes[0][name]
    keyframes = [
        {**keyframe, name: (x0, y0 - y0 * k / 8, x1, y1)}
        for k, keyframe in enumerate(scene.keyframes)
    ]
    return scene.replace(keyframes=keyframes)


# %% [markdown] tags=["exercise"]
# ### Exercise 2 · Who must stay the same?
#
# *Difficulty 1/5 · importance 5/5 · 5 minutes*
#
# Section 3.1 of the paper has one rule for consistency: names that are equal, letter by letter,
# belong to one *group*, and a group shares one picture over all its scenes. Write
# `groups(scenes)`, which gives for every entity and every background the list of scene numbers
# (from 1) in which it appears.


# %% tags=["stub"]
def groups(scenes):
    return {}  # your code here


# %% tags=["check"]
def check_groups(answer):
    found = {name: list(numbers) for name, numbers in answer(plan.scenes).items()}
    truth = {name: list(numbers) for name, numbers in plan.groups.items()}
    if missing := sorted(set(truth) - set(found)):
        return f"{missing[0]!r} is missing: it appears in {truth[missing[0]]}."
    if extra := sorted(set(found) - set(truth)):
        return f"{extra[0]!r} is no name of this plan."
    for name in truth:
        if found[name] != truth[name]:
            return f"{name!r} is in scenes {truth[name]}; yours says {found[name]}."
    return "Right: that is the paper's whole rule, and vdjax.plan.exact_groups."


print(check_groups(groups))

# %% [markdown] tags=["hint"]
# `enumerate(scenes, 1)` counts from 1; the names of a scene are
# `(*scene.entities, scene.background)`.


# %% tags=["solution"]
def groups(scenes):
    found = {}
    for number, scene in enumerate(scenes, 1):
        for name in (*scene.entities, scene.background):
            found.setdefault(name, []).append(number)
    return found


# %% tags=["wrong"]
# says: yours says [0
def groups(scenes):
    found = {}
    for number, scene in enumerate(scenes):
        for name in (*scene.entities, scene.background):
            found.setdefault(name, []).append(number)
    return found


# %% tags=["wrong"]
# says: is missing: it appears in
def groups(scenes):
    found = {}
    for number, scene in enumerate(scenes, 1):
        for name in scene.entities:
            found.setdefault(name, []).append(number)
    return found


# %% [markdown] tags=["exercise"]
# ### Exercise 3 · What does a film cost?
#
# *Difficulty 2/5 · importance 3/5 · 5 minutes*
#
# Classifier-free guidance (notebook 05) asks the network twice in every step: once with the words
# and boxes, once without. Write `network_frames(scenes, steps, frames)`: how many single frames
# the network works on in a whole film. Then look at the seconds above: what does one of them cost
# here?


# %% tags=["stub"]
def network_frames(scenes, steps, frames):
    return 0  # your code here


# %% tags=["check"]
def check_network_frames(answer):
    for scenes, steps, frames in ((1, 1, 1), (3, 8, 16), (2, 50, 16)):
        value, truth = answer(scenes, steps, frames), scenes * steps * frames * 2
        what = f"{value} for {scenes} scenes, {steps} steps, {frames} frames"
        if value == truth // 2:
            return f"{what}: the network is asked twice per step."
        if value != truth:
            return f"{what}; it should be {truth}."
    cost = film.report["seconds_per_step"] / (2 * len(film.frames[0]))
    return f"Right. One frame through the network takes {1000 * cost:.0f} ms here."


print(check_network_frames(network_frames))

# %% [markdown] tags=["hint"]
# All frames of a scene go through the network at once, and that happens twice in each step of
# each scene.


# %% tags=["solution"]
def network_frames(scenes, steps, frames):
    return scenes * steps * 2 * frames


# %% tags=["wrong"]
# says: the network is asked twice per step
def network_frames(scenes, steps, frames):
    return scenes * steps * frames


# %% tags=["wrong"]
# says: it should be
def network_frames(scenes, steps, frames):
    return scenes * steps * 2


# %% [markdown] tags=["questions"]
# ## 5 · Questions
#
# Answer aloud, or on paper, before you unfold.
#
# 1. Which two parts does the paper cut video making into, and what passes between them?
# 2. In which direction does y grow in a box?
# 3. How does the renderer know that the cat of scene 3 is the cat of scene 1?
# 4. You want a thing to be elsewhere, and everything else to stay. What do you change, and what
#    must you not change?
# 5. Why does the first film of a session take longer than the second?

# %% [markdown] tags=["answers"]
# 1. A planner and a renderer; between them a plan: scenes, things, and boxes at nine keyframes.
# 2. Downwards: 0 is the top of the frame.
# 3. By its name. Equal names are one group, and a group shares one picture of the thing.
# 4. Its boxes; not the seed, which makes the noise.
# 5. The programs are compiled once, and used again as long as shapes stay the same.

# %% [markdown] tags=["references"]
# ## References, and what to read next
#
# - Lin, Zala, Cho, Bansal: *VideoDirectorGPT: Consistent Multi-Scene Video Generation via
#   LLM-Guided Planning*, COLM 2024, [arXiv:2309.15091](https://arxiv.org/abs/2309.15091).
# - Li et al.: *GLIGEN: Open-Set Grounded Text-to-Image Generation*, CVPR 2023,
#   [arXiv:2301.07093](https://arxiv.org/abs/2301.07093).
# - Next: [01 · planning](01_planning.ipynb), how a sentence becomes scenes and boxes.
