"""Several of one kind are several boxes, whatever is said of them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vdjax.plan import MAX_ENTITIES, base_name, plan
from vdjax.plan.boxes import area, intersection
from vdjax.plan.vocabulary import Vocabulary

ENTITIES = Vocabulary.storybook().entities
NAMES = sorted(ENTITIES)
COUNTS = ("two", "three", "four", "five", "six", "seven")
RELATIONS = """
in front of; behind; beside; next to; near; on; on top of; in; inside; under; below; above; over;
left of; to the right of; around; with; at; by; across from; between a tree and
""".replace("\n", " ").split(";")
DEEDS = """
run to; walk past; jump over; circle around; chase; are chased by; push; pull; carry; hold; ride;
fly over; run away from; meet; follow; look at; sit on; stand in
""".replace("\n", " ").split(";")
ALONE = """
walk from left to right; run to the left; are on the left; are in the upper left corner; fly up;
grow; jump; enter from the left; leave; appear in the second half; in the lower right corner;
go from the upper left to the lower right; move from left to right, then to the top
""".replace("\n", " ").split(";")


def art(name: str) -> str:
    return ("an " if name[0] in "aeiou" else "a ") + name


def told_apart(prompt: str, seed: int, name: str, count: int) -> None:
    """The plan has so many of the thing, and no detector would take two boxes for one."""
    scenes = plan(prompt, seed=seed).scenes
    assert any(sum(base_name(n) == name for n in scene.entities) == count for scene in scenes)
    for keyframe in (keyframe for scene in scenes for keyframe in scene.keyframes):
        for one, two in itertools.combinations(keyframe, 2):
            if base_name(one) != base_name(two):
                continue
            a, b = keyframe[one], keyframe[two]
            shared = intersection(a, b)
            assert shared / (area(a) + area(b) - shared) <= 0.5, (prompt, one, two)


@given(
    st.integers(2, MAX_ENTITIES - 1),
    st.sampled_from(NAMES),
    st.sampled_from([*RELATIONS, *DEEDS]),
    st.sampled_from(NAMES),
    st.integers(0, 3),
)
@settings(max_examples=80)
@example(3, "cat", "in front of", "house", 0)
@example(6, "fish", "in", "whale", 0)
@example(6, "bee", "circle around", "sunflower", 0)
@example(6, "balloon", "with", "horse", 0)
def test_with_something_else(count: int, name: str, words: str, other: str, seed: int):
    if name == other or "tree" in (name, other):
        return
    if words.startswith("between") and count > MAX_ENTITIES - 2:
        return
    many = f"{COUNTS[count - 2]} {ENTITIES[name].plural}"
    told_apart(f"{many} {words.strip()} {art(other)}", seed, name, count)


@given(
    st.integers(2, MAX_ENTITIES), st.sampled_from(NAMES), st.sampled_from(ALONE), st.integers(0, 3)
)
@settings(max_examples=40)
@example(7, "fish", "go from the upper left to the lower right", 0)
@example(7, "bus", "are in the upper left corner", 0)
def test_on_their_own(count: int, name: str, words: str, seed: int):
    told_apart(f"{COUNTS[count - 2]} {ENTITIES[name].plural} {words.strip()}", seed, name, count)


@pytest.mark.parametrize("prompt", ["a cat and a dog on a horse", "a girl and a boy in a car"])
def test_two_that_are_tied_alike(prompt: str):
    first, second = plan(prompt).scenes[0].entities[:2]
    for keyframe in plan(prompt).scenes[0].keyframes:
        assert keyframe[first] != keyframe[second]
