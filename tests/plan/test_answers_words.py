"""Layouts in words: what is said is what is seen in the boxes."""

from __future__ import annotations

import itertools
import json

import pytest

from vdjax.plan import Scene
from vdjax.plan.answers import AnswerError, LayoutAnswer, read_layout, words_schema
from vdjax.plan.answers.words import MOTION_WORDS, SIZE_WORDS, X_WORDS, Y_WORDS
from vdjax.plan.boxes import Box, area, centre, intersection
from vdjax.plan.vocabulary import Vocabulary


def read(*things: tuple[str, str, str, str, str]) -> LayoutAnswer:
    """The layout of (name, x, y, size, motion)s."""
    told = {name: dict(zip(("x", "y", "size", "motion"), words, strict=True))
            for name, *words in things}  # fmt: skip
    answer = read_layout(json.dumps({"entities": told}), list(told))
    Scene(description="", background="park", entities=list(told), keyframes=answer.keyframes)
    return answer


def path(name: str, x: str, y: str, size: str, motion: str) -> list[Box | None]:
    return [keyframe.get(name) for keyframe in read((name, x, y, size, motion)).keyframes]


def still(x: str = "center", y: str = "ground", size: str = "medium", name: str = "cat") -> Box:
    boxes = path(name, x, y, size, "still")
    assert len(set(boxes)) == 1
    assert boxes[0] is not None
    return boxes[0]


def test_places_are_in_the_order_of_their_words():
    xs = [centre(still(x=x, size="small"))[0] for x in X_WORDS]
    assert xs == sorted(xs)
    assert len(set(xs)) == len(xs)
    assert xs[1] < 0.4 < xs[2] < 0.6 < xs[3]
    ys = [centre(still(y=y))[1] for y in Y_WORDS]
    assert ys[0] < 0.4 < ys[1] < 0.6 < ys[2]


@pytest.mark.parametrize("name", ["cat", "balloon", "car", "purple dragon"])
def test_sizes_are_in_the_order_of_their_words(name: str):
    boxes = [still(size=size, name=name) for size in SIZE_WORDS]
    assert [area(box) for box in boxes] == sorted(area(box) for box in boxes)
    word = Vocabulary.storybook().entities.get(name)
    for box in boxes:
        aspect = (box[2] - box[0]) / (box[3] - box[1])
        assert aspect == pytest.approx(word.aspect if word else 1.0, rel=0.02)


@pytest.mark.parametrize(
    ("name", "known"),
    [("a fluffy kitten", "cat"), ("red fire engine", "fire truck"), ("cat 2", "cat")],
)  # fmt: skip
def test_the_shape_is_that_of_the_thing_that_is_named(name: str, known: str):
    text = json.dumps({"entities": {name: {"x": "left", "y": "ground", "motion": "still"}}})
    box = read_layout(text, [name]).keyframes[0][name]
    word = Vocabulary.storybook().entities[known]
    assert box[3] - box[1] == pytest.approx(word.height, abs=2e-3)
    assert box[2] - box[0] == pytest.approx(word.height * word.aspect, abs=2e-3)


@pytest.mark.parametrize(
    ("motion", "dx", "dy"),
    [("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1), ("moves from left to right",
     1, 0), ("flies up and to the left", -1, -1), ("towards the right", 1, 0)],
)  # fmt: skip
@pytest.mark.parametrize("x", X_WORDS)
@pytest.mark.parametrize("size", ["tiny", "huge"])
def test_moves_go_where_they_are_said_to_go(motion: str, dx: int, dy: int, x: str, size: str):
    boxes = path("cat", x, "middle", size, motion)
    assert None not in boxes
    (x0, y0), (x1, y1) = (centre(boxes[k] or (0, 0, 0, 0)) for k in (0, 8))
    for way, said in ((x1 - x0, dx), (y1 - y0, dy)):
        if said:
            assert way * said > 0.24
        else:
            assert abs(way) < 1e-6


def test_a_move_begins_at_its_place():
    boxes = path("cat", "left", "ground", "small", "right")
    assert boxes[0] == still(x="left", size="small")


def test_growing_and_shrinking():
    growing, shrinking = (path("cat", "center", "ground", "large", m) for m in ("toward", "away"))
    areas = [area(box) for box in growing if box]
    assert len(areas) == 9
    assert areas == sorted(areas)
    assert areas[8] > 3 * areas[0]
    assert growing == shrinking[::-1]
    assert growing[0] is not None
    assert growing[0][3] == pytest.approx(
        still(size="large")[3], abs=2e-3
    )  # it stays on the ground


@pytest.mark.parametrize("motion", ["bounce", "circle"])
def test_bouncing_and_circling_end_where_they_began(motion: str):
    boxes = [box for box in path("ball", "center", "middle", "small", motion) if box]
    assert len(boxes) == 9
    assert boxes[0] == boxes[8]
    assert max(b[1] for b in boxes) - min(b[1] for b in boxes) > 0.15


@pytest.mark.parametrize("side", ["left", "right"])
def test_entering_and_leaving_go_over_the_edge(side: str):
    entering = path("cat", "center", "ground", "medium", f"enter from {side}")
    assert entering[0] is None
    assert entering[8] == still()
    first = next(box for box in entering if box)
    assert (first[0] == 0) if side == "left" else (first[2] == 1)
    assert path("cat", "center", "ground", "medium", f"leave to {side}") == entering[::-1]


def test_appearing_and_disappearing_happen_half_way():
    seen = [[box is not None for box in path("cat", "left", "ground", "tiny", motion)]
            for motion in ("appear", "disappear")]  # fmt: skip
    assert seen == [[False] * 4 + [True] * 5, [True] * 5 + [False] * 4]


def test_every_word_of_the_schema_is_known():
    cycles = map(itertools.cycle, (X_WORDS, Y_WORDS, SIZE_WORDS))
    for x, y, size, motion in zip(*cycles, MOTION_WORDS, strict=False):
        assert read(("cat", x, y, size, motion)).notes == ()


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("x", X_WORDS)
def test_things_at_the_same_place_stand_apart(number: int, x: str):
    names = ["cat", "dog", "tree"][:number]
    answer = read(*((name, x, "ground", "small", "still") for name in names))
    boxes = list(answer.keyframes[0].values())
    for a, b in itertools.combinations(boxes, 2):
        assert intersection(a, b) <= 0.1 * min(area(a), area(b))


def test_who_moves_keeps_out_of_the_way():
    answer = read(
        ("tree", "center", "ground", "large", "still"), ("bee", "left", "sky", "small", "right")
    )
    for keyframe in answer.keyframes:
        assert intersection(keyframe["tree"], keyframe["bee"]) < 0.5 * area(keyframe["bee"])


def test_left_of_stays_left_of():
    answer = read(("dog", "right", "ground", "medium", "still"), ("cat", "left", "ground",
                  "medium", "still"))  # fmt: skip
    assert answer.keyframes[0]["cat"][2] < answer.keyframes[0]["dog"][0]


def test_a_thing_is_as_large_in_every_scene():
    def size(box: Box) -> tuple[float, float]:
        return round(box[2] - box[0], 2), round(box[3] - box[1], 2)

    alone = still(size="medium")
    others = read(
        ("cat", "left", "ground", "medium", "right"), ("dog", "right", "ground", "large", "still")
    )
    assert size(alone) == size(others.keyframes[0]["cat"])


def test_too_many_for_the_frame_become_smaller_and_it_is_told():
    names = ("cat", "dog", "horse", "cow", "pig")
    answer = read(*((name, "center", "ground", "large", "still") for name in names))
    assert any("smaller, so that all have room" in note for note in answer.notes)
    assert len({round(max(b[2] - b[0], b[3] - b[1]), 2) for b in answer.keyframes[0].values()}) == 1


WORDS = {"x": "left", "y": "ground", "size": "large", "motion": "right"}
TREE = {"x": "right", "y": "ground", "size": "huge", "motion": "still"}
SAME = [
    json.dumps({"cat": WORDS, "tree": TREE}),
    json.dumps({"layout": {"The Cat": WORDS, "trees": TREE}, "reasoning": "why not"}),
    json.dumps({"entities": [{"name": "cat", **WORDS}, {"name": "tree", **TREE}]}),
    json.dumps([{"entity": "cat", **WORDS}, {"object": "tree", **TREE}]),
    json.dumps({"cat": list(WORDS.values()), "tree": list(TREE.values())}),
    "{'cat': {'X': 'on the left', 'Y': 'the floor', 'Size': 'big', 'Movement': 'walks to the right'"
    "}, 'tree': {'x': 'right side', 'y': 'bottom', 'size': 'giant', 'motion': 'none'}",
    "cat: x: left, y: ground, size: large, motion: right\n"
    "tree: x: right, y: ground, size: huge, motion: still",
    "Here is the layout:\n1. **cat**: left, ground, large, moves right\n"
    "2. **tree** - right, ground, huge, still\n\nGood luck!",
    "| entity | x | y | size | motion |\n|---|---|---|---|---|\n"
    "| cat | left | ground | large | right |\n| tree | right | ground | huge | still |",
    "cat:\n  x: left\n  y: ground\n  size: large\n  motion: right\n"
    "tree:\n  x: right\n  y: ground\n  size: huge\n  motion: still",
    "cat: large, on the left, stands at the bottom, walks right\n"
    "tree: huge; right; ground; does not move, still",
]  # fmt: skip


@pytest.mark.parametrize("text", SAME, ids=range(len(SAME)))
def test_the_same_words_in_many_hands(text: str):
    expected = read(("cat", *WORDS.values()), ("tree", *TREE.values()))
    assert read_layout(text, ["cat", "tree"], form="words").keyframes == expected.keyframes


def test_words_that_are_missing_or_unknown_are_told():
    answer = read(("cat", "left", "ground", "gigantesque", "dances"))
    assert answer.notes == (
        "size 'gigantesque' of 'cat' is not known; read as its usual size",
        "motion 'dances' of 'cat' is not known; read as still",
    )
    answer = read_layout('{"cat": {"x": "left"}}', ["cat"])
    assert "no y for 'cat'; read as ground" in answer.notes


def test_a_thing_that_is_missing_is_asked_for():
    with pytest.raises(AnswerError, match="'dog' is missing; say its x, y, size and motion"):
        read_layout('{"cat": {"x": "left", "motion": "still"}}', ["cat", "dog"])


def test_two_cats_of_one_name():
    text = json.dumps([{"name": "cat", **WORDS}, {"name": "cat", **TREE}])
    keyframe = read_layout(text, ["cat", "cat 2"]).keyframes[0]
    assert keyframe["cat"][0] < keyframe["cat 2"][0]


def test_the_schema_names_every_entity_and_word():
    schema = words_schema(["cat", "dog"])["properties"]["entities"]
    assert schema["required"] == ["cat", "dog"]
    assert schema["properties"]["dog"]["properties"]["motion"]["enum"] == list(MOTION_WORDS)
