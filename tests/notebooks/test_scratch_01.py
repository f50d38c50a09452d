"""What notebook 01 builds from scratch is the package's, on layouts and plans of any kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdjax.evaluate.planning import judge, vpeval
from vdjax.evaluate.skills import LEAST_MOVE
from vdjax.plan import PlanError, Scene, VideoPlan, exact_groups, frame_boxes, plan
from vdjax.plan.answers import read_layout
from vdjax.plan.check import check

UNIT = st.floats(0, 1).map(lambda value: round(value, 3))


@pytest.fixture(scope="module")
def notebook(scratch):
    return scratch("01_planning")


def scene_of(*keyframes, names=("cat",)):
    return Scene(description="…", background="park", entities=names, keyframes=keyframes)


@st.composite
def boxes(draw, least=0.01):
    x0, y0 = draw(st.floats(0, 0.8)), draw(st.floats(0, 0.8))
    return x0, y0, x0 + draw(st.floats(least, 0.2)), y0 + draw(st.floats(least, 0.2))


def tracks():
    return st.lists(st.none() | boxes(), min_size=9, max_size=9).filter(any)


def test_it_builds_what_it_says(notebook):
    built = {"read_frames", "faults_of_box", "faults", "boxes_of_frames", "jumps", "groups", "goes"}
    assert built <= set(notebook)


def test_every_frame_has_its_box(notebook):
    @given(tracks(), st.integers(1, 40))
    @settings(deadline=None, max_examples=100)
    def same(track, frames):
        theirs = frame_boxes(scene_of(*({"cat": box} if box else {} for box in track)), frames)
        ours = notebook["boxes_of_frames"](track, frames)
        for one, other in zip(ours, theirs["cat"], strict=True):
            assert (one is None) == (other is None)
            assert one is None or np.allclose(one, other, atol=1e-12)

    same()


def test_the_papers_brackets(notebook):
    @given(st.lists(boxes(0.02), min_size=9, max_size=9))
    @settings(deadline=None, max_examples=100)
    def same(track):
        rounded = [[round(value, 3) for value in box] for box in track]
        text = "\n".join(
            f"Frame_{k}: [[big cat, {box}]], caption: a cat, big"
            for k, box in enumerate(rounded, 1)
        )
        theirs = read_layout(text, ["big cat"], form="brackets").keyframes
        assert notebook["read_frames"](text) == [dict(keyframe) for keyframe in theirs]

    same()


def test_who_refuses_what(notebook):
    four = st.tuples(UNIT, UNIT, UNIT, UNIT) | boxes() | st.tuples(UNIT, UNIT, UNIT)
    names = st.sampled_from(["cat", "dog", "cow"])
    keyframe = st.dictionaries(names, boxes(), max_size=2) | st.dictionaries(
        names, four, max_size=2
    )

    @given(
        st.lists(names, max_size=3),
        st.sampled_from(["park", "cat"]),
        st.lists(keyframe, min_size=8, max_size=9),
    )
    @settings(deadline=None, max_examples=100)
    def same(entities, background, keyframes):
        found = notebook["faults"](entities, background, keyframes)
        try:
            Scene(description="…", entities=entities, background=background, keyframes=keyframes)
        except PlanError:
            assert found
        else:
            assert not found

    same()


def test_jumps_and_groups(notebook):
    @given(tracks(), tracks())
    @settings(deadline=None, max_examples=100)
    def same(cat, dog):
        scenes = [
            scene_of(*({"cat": box} if box else {} for box in cat)),
            scene_of(*({"dog": box} if box else {} for box in dog), names=("dog",)),
        ]
        made = VideoPlan(prompt="…", scenes=scenes)
        theirs = [(f.scene, f.name, f.keyframe) for f in check(made) if f.kind == "jump"]
        assert notebook["jumps"](made) == theirs
        assert notebook["groups"](scenes) == exact_groups(scenes)

    same()


def test_who_goes_where(notebook):
    for ask in vpeval.prompts("direction", 12, 3):
        made = plan(ask.prompt)
        for way in ("left", "right", "up", "down"):
            asked = type(ask)(task="direction", prompt="…", things=ask.things, relation=way)
            theirs = judge.passes(asked, made)
            assert notebook["goes"](made, ask.things[0], way, LEAST_MOVE) == theirs
