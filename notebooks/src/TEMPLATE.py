# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # NN · Keyframes: a box for every frame
#
# **Goal, in one sentence:** write the rule that makes a box for every frame out of nine keyframes,
# and show that it is the package's.
#
# ![The road of a film, from left to right: a sentence; a plan with a box for every thing in every
# scene; one grounding token per box; frames that come out of noise step by
# step.](pictures/00_road.png)
#
# [![Open in Colab](pictures/colab.png)]({{COLAB}})
#
# **You will be able to**
#
# - say where a frame falls on the axis of the keyframes;
# - interpolate a box, and say what is done where a thing appears or leaves.
#
# **You need** [00 · start here](00_start_here.ipynb). No network, no GPU.
#
# {{TIMES}}

# %% [markdown] tags=["teacher"]
# What the lesson is for, what learners stumble over, what to skip when time is short. The plan with
# its minutes is made from the headings and the exercises; don't write it here.

# %% tags=["install"]
# Filled in from install.py.

# %%
import numpy as np
from matplotlib.figure import Figure

import vdjax
from vdjax.plan import frame_boxes
from vdjax.widgets import show

FRAMES, SEED = 16, 0

# %% [markdown] minutes=10 tags=["slide"]
# ## 1 · One rule per coordinate
#
# A scene has nine keyframes, a film $F$ frames (VideoDirectorGPT, section 3.1). With both ends
# aligned, frame $f$ falls on
#
# $$t_f = \frac{8 f}{F - 1}, \qquad b(t) = (1 - s)\, b_{\lfloor t \rfloor} + s\,
# b_{\lfloor t \rfloor + 1}, \qquad s = t - \lfloor t \rfloor.$$


# %% tags=["scratch"]
def boxes_by_hand(keyframes, frames):
    """(9, 4) -> (frames, 4): each coordinate on its own."""
    times = np.linspace(0, len(keyframes) - 1, frames)
    return np.stack(
        [np.interp(times, range(len(keyframes)), column) for column in np.transpose(keyframes)],
        axis=1,
    )


# %% tags=["slide"]
plan = vdjax.plan.plan("A cat walks from left to right on the beach", seed=SEED)
scene = plan.scene(1)
keyframes = [keyframe["cat"] for keyframe in scene.keyframes]
by_hand = boxes_by_hand(keyframes, FRAMES)
np.testing.assert_allclose(by_hand, frame_boxes(scene, FRAMES)["cat"], atol=1e-6)
print(f"{FRAMES} boxes, equal to vdjax.plan.frame_boxes")

# %% tags=["slide"]
figure = Figure(figsize=(5, 3), dpi=80, layout="constrained")
axis = figure.subplots()
axis.plot(range(1, FRAMES + 1), (by_hand[:, 0] + by_hand[:, 2]) / 2, "o-")
axis.set(title="where the cat is", xlabel="frame", ylabel="middle of its box (1 = right edge)")
show(figure, alt="The middle of the cat's box over 16 frames: a line that rises evenly.")

# %% [markdown] tags=["discuss"]
# Why nine keyframes for sixteen frames, and not one box per frame? (5 minutes; a language model
# writes them, one word at a time.)

# %% [markdown] tags=["discuss"]
# What should the rule do between a keyframe that shows the cat and one that does not? (5 minutes.)

# %% [markdown] tags=["exercise"]
# ## 2 · Exercises
#
# Write in the first cell, run the second: it says whether you are there, or what to look at.

# %% [markdown] tags=["exercise"]
# ### Exercise 1 · Which keyframe is nearest?
#
# *Difficulty 1/5 · importance 3/5 · 5 minutes*
#
# Write `nearest(frame, frames)`: the number of the keyframe (0 to 8) that frame `frame` (0 to
# `frames - 1`) is nearest to.


# %% tags=["stub"]
def nearest(frame, frames):
    return 0  # your code here


# %% tags=["check"]
def check_nearest(answer):
    for frame, frames in ((0, 16), (15, 16), (3, 5), (10, 16)):
        truth, value = round(8 * frame / (frames - 1)), answer(frame, frames)
        if value == round(8 * frame / frames) != truth:
            return f"frame {frame} of {frames}: the last frame is number {frames - 1}."
        if value != truth:
            return f"frame {frame} of {frames} is nearest to keyframe {truth}, not {value}."
    return "Right: both ends are aligned."


print(check_nearest(nearest))

# %% [markdown] tags=["hint"]
# Where does the frame fall on the axis from 0 to 8? Then `round`.


# %% tags=["solution"]
def nearest(frame, frames):
    return round(8 * frame / (frames - 1))


# %% tags=["wrong"]
# says: the last frame is number
def nearest(frame, frames):
    return round(8 * frame / frames)


# %% [markdown] tags=["exercise"]
# ### Exercise 2 · How fast?
#
# *Difficulty 2/5 · importance 3/5 · 5 to 10 minutes*
#
# Write `speed(boxes)`: how far the middle of a box moves per frame, on average over a track of
# shape (frames, 4), in widths of the frame.


# %% tags=["stub"]
def speed(boxes):
    return 0.0  # your code here


# %% tags=["check"]
def check_speed(answer):
    boxes = np.array([(0.1, 0.2, 0.3, 0.4), (0.4, 0.6, 0.6, 0.8), (0.7, 0.2, 0.9, 0.4)])
    value = float(answer(boxes))
    if abs(value - 0.3) < 1e-6:
        return f"{value:.2f} counts what it moves sideways; up and down count as well."
    if abs(value - 0.5) > 1e-6:
        return f"{value:.2f}; for steps of (0.3, 0.4) and (0.3, -0.4) it should be 0.50."
    return "Right: the length of a step, and the mean of them."


print(check_speed(speed))

# %% [markdown] tags=["hint"]
# The middle is the mean of two corners; `np.diff` gives steps, `np.linalg.norm` their length.


# %% tags=["solution"]
def speed(boxes):
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.linalg.norm(np.diff(middles, axis=0), axis=1).mean()


# %% tags=["wrong"]
# says: up and down count as well
def speed(boxes):
    return np.diff((boxes[:, 0] + boxes[:, 2]) / 2).mean()


# %% [markdown] tags=["exercise"]
# ### Exercise 3 · Stand still
#
# *Difficulty 2/5 · importance 4/5 · 10 minutes*
#
# Write `still(scene, name)`: the same scene, in which the thing called `name` stays where it is at
# the first keyframe. Everything else stays as it was.


# %% tags=["stub"]
def still(scene, name):
    return scene  # your code here


# %% tags=["check"]
def check_still(answer):
    made = answer(scene, "cat")
    track = [keyframe.get("cat") for keyframe in made.keyframes]
    if None in track:
        return "the cat has no box in some keyframe: keep it in all nine."
    if len(set(track)) > 1:
        return f"it still moves, from {track[0]} to {track[-1]}."
    if track[0] != keyframes[0]:
        return f"it stands at {track[0]}; at the first keyframe it was at {keyframes[0]}."
    return "Right: nine equal boxes."


print(check_still(still))

# %% [markdown] tags=["hint"]
# `{**keyframe, name: box}` is a new keyframe with another box; `scene.replace(keyframes=…)`.


# %% tags=["solution"]
def still(scene, name):
    box = scene.keyframes[0][name]
    return scene.replace(keyframes=[{**keyframe, name: box} for keyframe in scene.keyframes])


# %% tags=["wrong"]
# says: at the first keyframe it was
def still(scene, name):
    box = scene.keyframes[-1][name]
    return scene.replace(keyframes=[{**keyframe, name: box} for keyframe in scene.keyframes])


# %% [markdown] tags=["questions"]
# ## 3 · Questions
#
# 1. On which keyframe does the last frame fall?
# 2. How many numbers does a plan hold for one thing in one scene?

# %% [markdown] tags=["answers"]
# 1. On the last: both ends are aligned.
# 2. 36: nine boxes of four numbers.

# %% [markdown] tags=["references"]
# ## References, and what to read next
#
# - Lin, Zala, Cho, Bansal: *VideoDirectorGPT*, COLM 2024,
#   [arXiv:2309.15091](https://arxiv.org/abs/2309.15091), section 3.1.
# - Next: [02 · grounding tokens](02_grounding_tokens.ipynb), how the network is told of the boxes.
