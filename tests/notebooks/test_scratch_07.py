"""What notebook 07 builds from scratch is the package's, on boxes and counts of any kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdjax.evaluate import skills, statistics
from vdjax.evaluate.boxes import iou
from vdjax.evaluate.detections import Detection
from vdjax.evaluate.skills import DIRECTIONS, SCALE, SPATIAL, Question, holds, movement, scene_look

NAMES, LOOKS = ("cat", "dog"), ("noto", "fluent")

# Eighths meet often, so that equal areas and centres and boxes inside out are tried as well.
coordinates = st.integers(0, 8).map(lambda eighth: eighth / 8) | st.floats(0, 1, width=32)
boxes = st.tuples(coordinates, coordinates, coordinates, coordinates)
detections = st.builds(
    Detection, st.sampled_from(NAMES), st.sampled_from(LOOKS), st.floats(0.05, 1), boxes
)
frames = st.lists(detections, max_size=4)
relations = st.sampled_from([("spatial", way) for way in SPATIAL] + [("scale", r) for r in SCALE])


@pytest.fixture(scope="module")
def notebook(scratch):
    return scratch("07_measuring")


def test_it_builds_what_it_says(notebook):
    built = {"overlap", "best", "passes", "moves", "voted_look", "wilson", "wald"}
    assert built <= set(notebook)


def test_the_overlap_of_boxes(notebook):
    @given(boxes, boxes)
    @settings(deadline=None)
    def same(a, b):
        theirs = iou(np.array([a], np.float64), np.array([b], np.float64))[0, 0]
        assert notebook["overlap"](a, b) == pytest.approx(theirs, abs=1e-9)

    same()


def test_the_questions(notebook):
    @given(frames, relations, st.integers(1, 4))
    @settings(deadline=None, max_examples=300)
    def same(seen, asked, number):
        skill, relation = asked
        for question in (
            Question(skill=skill, name="cat", other="dog", relation=relation),
            Question(skill=skill, name="cat", other="cat", relation=relation),
            Question(skill="object", name="dog"),
            Question(skill="count", name="cat", number=number),
        ):
            assert notebook["passes"](question, seen) == holds(question, seen)

    same()


def test_the_way_it_moves(notebook):
    @given(frames, frames, st.sampled_from(DIRECTIONS))
    @settings(deadline=None)
    def same(first, last, way):
        found = [notebook["best"](seen, "cat") for seen in (first, last)]
        ends = [one.box if one else None for one in found]
        theirs = movement(Question(skill="movement", name="cat", relation=way), [first, last])
        assert notebook["moves"](*ends, way, skills.LEAST_MOVE) == theirs.right

    same()


def test_the_look_of_a_scene(notebook):
    @given(st.lists(frames, max_size=5))
    @settings(deadline=None)
    def same(scene):
        assert notebook["voted_look"](scene, "cat") == scene_look(scene, "cat")

    same()


@pytest.mark.parametrize("n", [1, 2, 6, 17, 150])
def test_wilsons_interval(notebook, n):
    for passed in range(n + 1):
        theirs = statistics.share([True] * passed + [False] * (n - passed))
        ours = notebook["wilson"](passed, n)
        np.testing.assert_allclose(ours, (theirs.low, theirs.high), atol=1e-12)
    low, high = notebook["wald"](n, n)
    assert low == high == 1.0  # what is wrong with it
