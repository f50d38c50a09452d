"""The rules director on coming, going, passing and moving on, in English that nobody taught it:
each sentence says what a cat does, and the boxes must show it, whatever they show besides."""

from __future__ import annotations

import pytest

from vdjax.evaluate.planning.asks import Ask
from vdjax.evaluate.planning.judge import passes
from vdjax.plan import plan

APPEARS = """
A cat is nowhere to be seen until half-way through the clip
The frame stays empty until a cat walks in
A cat emerges in the second half
There is no cat at first, but one turns up at the end
Towards the end of the clip a cat enters the picture
A cat joins the scene later on
A cat only arrives near the end
Halfway through the video, out of nowhere, a cat appears
After several seconds of nothing, a cat shows up
An empty park. A cat walks into view.
A cat becomes visible in the second half
A cat is absent at the beginning and present at the end
A cat isn't there yet in the first half, but it is in the second half
Eventually a cat comes into the picture
A cat fades in
You cannot see a cat until the last half of the video
A cat is hidden at first and later revealed
A cat steps into the frame from the left
The video starts without a cat and ends with one
A cat is only seen in the last part of the video
For the first half there is nothing; then a cat comes in
A cat does not show up until the end
We do not see the cat at first, but later it is there
A cat shows itself only towards the end
Nobody is there, then a cat arrives
In the latter half of the clip a cat can be seen
A cat comes into the frame after a while
Out of the blue a cat appears
A cat is not visible to begin with but is visible at the end
The cat is missing at the start
A cat runs into the picture from the right
A cat walks onto the scene
All of a sudden there is a cat
A cat turns up late in the video
First there is nothing, and then there is a cat
A cat rises into view
A cat pops into existence
The cat makes its entrance in the second half
"""
DISAPPEARS = """
A cat is present at the beginning but absent at the end
A cat stays only for the first few seconds
A cat walks out of the frame
A cat wanders off and never returns
A cat is nowhere to be seen in the second half
At first there is a cat, but it soon disappears
A cat fades out
A cat exits the picture on the right
A cat drops out of view half-way
By the end of the clip, the cat is gone
A cat is no longer visible after the first half
A cat slips away in the middle of the clip
The video starts with a cat and ends without it
A cat is lost from sight after a few seconds
Half-way through, a cat ceases to be visible
A cat can be seen only until the middle of the video
A cat departs from the scene before the video is over
A cat runs away and is not seen again
A cat is visible for a while and then it is not
A cat goes away half-way through
The cat is there in the beginning, but not at the end
A cat is only seen in the first part of the video
A cat quits the scene
First there is a cat, and then there is nothing
A cat leaves before the clip ends
A cat is gone by the end of the video
The cat vanishes from view
A cat walks off
A cat disappears from the picture after a moment
A cat runs off to the right
In the second half of the clip a cat is no longer there
A cat shows itself at the start and then hides
All of a sudden a cat is gone
A cat sits there until it vanishes
"""
ACROSS = """
A cat makes its way from the left edge to the right edge
A cat travels rightwards across the screen, starting at the far left
A cat enters on the left and ends at the right
A cat shifts from the left-hand side to the right-hand side
A cat changes its place from left to right
At the start a cat is on the left; at the end it is on the right
A cat that was on the left moves over to the right
A cat switches from the left of the picture to the right of the picture
A cat leaves the left side and heads for the right side
Initially on the left, a cat later stands on the right
A cat is carried from left to right
Moving from left to right, a cat crosses the frame
A cat goes left to right
A cat walks to the right side of the picture, having started on the left
A cat comes from the left and goes to the right
A cat begins on the left-hand side and finishes on the right-hand side
On the left at first, a cat ends up on the right
A cat is moving towards the right
A cat drives from the left part of the image into the right part
A cat gets from left to right
A cat starts out at the left edge and ends at the right edge
From its place on the left a cat moves to a place on the right
A cat slides over from left to right
A cat passes through the frame from left to right
"""
PAST = """
A cat goes around a house from its left side to its right side
A cat that is left of a house at first is right of it at the end
Starting left of a house, a cat walks until it is right of it
A cat passes by a house from left to right
A cat moves past a house to its right
At the start a cat is to the left of a house, at the end it is to the right of it
A house has a cat on its left at first and on its right at last
A cat hops over a house from the left to the right
With a house in the middle, a cat walks from its left to its right
A cat is on the left of a house and then moves to the right side of the house
A cat walks by a house, from the left of it to the right of it
A cat goes from left of a house to right of it
A cat runs behind a house, from left to right
A cat moves from one side of a house to the other, left to right
There is a house in the middle and a cat runs past it from left to right
A cat is to the left of a house. Then it is to the right of the house.
A cat walks in front of a house from left to right
The cat, first left of a house, ends up right of it
A house is passed by a cat from left to right
A cat moves from the left side of a house over to its right side
A cat starts to the left of a house and finishes to its right
"""
CORNERS = """
A cat appears in the upper left, goes down to the lower left and then across to the lower right
A cat wanders through three corners: upper left, lower left, lower right
Starting from the upper left corner, a cat heads to the lower left corner and ends up in the lower\
 right corner
A cat is located at the upper left, after which it shifts to the lower left, and lastly to the\
 lower right
The upper left is where a cat begins; then it goes to the lower left; it ends in the lower right
A cat travels to the lower right from the upper left by way of the lower left
A cat runs upper left, lower left, lower right
A cat leaves the upper left corner for the lower left one and from there goes to the lower right
A cat is in the upper left corner at first. After that it is in the lower left corner. In the end\
 it is in the lower right corner.
A cat stops at the upper left, the lower left and the lower right, in that order
From upper left a cat goes down to lower left, from where it goes on to lower right
A cat goes to three places: the upper left, the lower left and the lower right
A cat starts at the top left, proceeds to the bottom left, and finishes at the bottom right
Beginning in the top left corner, a cat runs to the bottom left corner, then to the bottom\
 right corner
A cat is first in the top left corner, second in the bottom left corner, third in the bottom\
 right corner
The cat moves from the upper left corner down to the lower left corner and from there to the\
 lower right corner
A cat sits in the upper left. After a while it sits in the lower left. Finally it sits in the\
 lower right.
A cat goes upper left to lower left to lower right
A cat visits first the upper left, then the lower left, then the lower right
A cat in the upper left wanders to the lower left and ends at the lower right
From the top left a cat comes down to the bottom left and goes over to the bottom right
"""


def shows(prompt: str, seed: int, **asked: object) -> bool:
    """Whether the boxes show what is asked, by the rules that LVD's benchmark has."""
    return passes(Ask(prompt=prompt, **asked), plan(prompt, seed=seed))  # type: ignore[arg-type]


@pytest.mark.parametrize("prompt", APPEARS.strip().splitlines())
def test_appearing(prompt: str):
    for seed in range(3):
        assert shows(prompt, seed, task="visibility", things=("cat",), relation="appears")


@pytest.mark.parametrize("prompt", DISAPPEARS.strip().splitlines())
def test_disappearing(prompt: str):
    for seed in range(3):
        assert shows(prompt, seed, task="visibility", things=("cat",), relation="disappears")


def mirrored(prompt: str) -> str:
    """The same sentence with left and right exchanged."""
    return prompt.replace("left", "\0").replace("right", "left").replace("\0", "right")


@pytest.mark.parametrize("prompt", ACROSS.strip().splitlines())
def test_from_side_to_side(prompt: str):
    for seed in range(2):
        assert shows(prompt, seed, task="dynamic spatial", things=("cat",), relation="right")
        other = mirrored(prompt)
        assert shows(other, seed, task="dynamic spatial", things=("cat",), relation="left")


@pytest.mark.parametrize("prompt", PAST.strip().splitlines())
def test_from_one_side_of_a_house_to_the_other(prompt: str):
    things = ("cat", "house")
    for seed in range(2):
        assert shows(prompt, seed, task="dynamic spatial", things=things, relation="right")
        other = mirrored(prompt)
        assert shows(other, seed, task="dynamic spatial", things=things, relation="left")


@pytest.mark.parametrize("prompt", CORNERS.strip().splitlines())
def test_one_corner_after_the_other(prompt: str):
    corners = ("upper left", "lower left", "lower right")
    for seed in range(2):
        assert shows(prompt, seed, task="sequential", things=("cat",), corners=corners)
