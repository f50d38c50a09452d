"""Layouts in numbers as models write them: read, mended with a note, or refused with advice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from vdjax.plan import PlanError, Scene
from vdjax.plan.answers import AnswerError, LayoutAnswer, layout_schema, read_layout
from vdjax.plan.boxes import Box

NAMES = ("cat", "dog")
Numbers = Callable[[Box], Any]


def layout(frames: int = 9) -> list[dict[str, Box]]:
    """A cat that goes right and a dog at the right edge, all in hundredths."""
    return [
        {
            "cat": (round(0.05 * k, 2), 0.5, round(0.3 + 0.05 * k, 2), 0.9),
            "dog": (0.7, 0.25, 1.0, 1.0),
        }
        for k in range(frames)
    ]


def answer(
    frames: Sequence[Mapping[str, Box]] | None = None, numbers: Numbers = list, **more: Any
) -> str:
    """The layout as JSON, each box written by `numbers`."""
    told = [
        {"boxes": {name: numbers(box) for name, box in frame.items()}, "caption": f"moment {k}"}
        for k, frame in enumerate(layout() if frames is None else frames, 1)
    ]
    return json.dumps({"reasoning": "it walks", "keyframes": told, **more})


def brackets(frames: int = 9, first: int = 1) -> str:
    """The layout in the paper's grammar."""
    lines = []
    for k, frame in enumerate(layout(frames), first):
        boxes = ", ".join(f"[{name}, {list(box)}]" for name, box in frame.items())
        lines.append(f"Frame_{k}: [{boxes}], caption: moment {k - first + 1}")
    return "\n".join([*lines, "Reasoning: it walks"])


def scene(read: LayoutAnswer, names: Sequence[str] = NAMES) -> Scene:
    """The scene that an answer makes; raises if it is not valid."""
    return Scene(
        description="",
        background="park",
        entities=names,
        keyframes=read.keyframes,
        captions=read.captions or None,
        reasoning=read.reasoning,
    )


def close(read: LayoutAnswer, frames: Sequence[Mapping[str, Box]], by: float = 1e-9) -> bool:
    return all(
        set(a) == set(b) and all(a[name] == pytest.approx(b[name], abs=by) for name in b)
        for a, b in zip(read.keyframes, frames, strict=True)
    )


@pytest.mark.parametrize("text", [answer(), brackets(), brackets(first=0)])
def test_a_good_answer_is_read_as_it_is(text: str):
    read = read_layout(text, NAMES)
    assert close(read, layout(), 0)
    assert read.captions == tuple(f"moment {k}" for k in range(1, 10))
    assert read.reasoning == "it walks"
    assert read.notes == ()
    scene(read)


def rewritten(change: Callable[[dict[str, Any]], Any]) -> str:
    return json.dumps(change(json.loads(answer())))


def listed(data: dict[str, Any]) -> Any:
    return [list(frame["boxes"].items()) for frame in data["keyframes"]]


SAME = [
    f"Here you are:\n```json\n{answer()}\n```\nThe cat walks.",
    answer().replace('"', "'"),
    answer().replace("], ", "] "),
    answer().replace("]", ",]"),
    answer().replace(", 0.", " 0."),
    rewritten(lambda data: data["keyframes"]),
    rewritten(listed),
    rewritten(lambda data: {"frames": [{"objects": frame} for frame in listed(data)]}),
    rewritten(lambda data: {f"Frame_{k}": f for k, f in enumerate(data["keyframes"], 1)}),
    rewritten(lambda data: {f"frame {k}": f for k, f in enumerate(listed(data))}),
    rewritten(lambda data: {"keyframes": [f["boxes"] for f in data["keyframes"]]}),
    rewritten(
        lambda data: {
            "keyframes": [
                [{"name": name, "box": box} for name, box in f["boxes"].items()]
                for f in data["keyframes"]
            ]
        }
    ),
    rewritten(
        lambda data: {name: [f["boxes"][name] for f in data["keyframes"]] for name in NAMES}
    ),
    rewritten(lambda data: {"layout": {"boxes": {
        name: [f["boxes"][name] for f in data["keyframes"]] for name in NAMES}}}),
    rewritten(lambda data: data["keyframes"][0]) + "\n" + "\n".join(
        json.dumps(frame) for frame in json.loads(answer())["keyframes"][1:]),
    brackets().replace("[cat, ", "['cat', ").replace("[dog, ", '["dog", '),
    brackets().replace("Frame_", "**Keyframe ").replace(": [[", "**: [["),
    brackets().replace("[cat, [", "cat: (").replace("]], caption", ")], caption"),
    brackets().replace(", 0.", "   0."),
    answer(numbers=lambda b: [f"{round(100 * v)}%" for v in b]),
    answer(numbers=lambda b: [str(v) for v in b]),
    answer(numbers=lambda b: str(list(b))),
    answer(numbers=lambda b: [[b[0], b[1]], [b[2], b[3]]]),
    answer(numbers=lambda b: {"bbox": list(b)}),
    answer(numbers=lambda b: dict(zip(("left", "top", "right", "bottom"), b, strict=True))),
    answer(numbers=lambda b: dict(zip(("x1", "y1", "x2", "y2"), b, strict=True))),
    answer(numbers=lambda b: {"x": b[0], "y": b[1], "w": b[2] - b[0], "h": b[3] - b[1]}),
    answer().replace('"cat"', '"The Cat"').replace('"dog"', '"dogs"'),
]  # fmt: skip


@pytest.mark.parametrize("text", SAME, ids=range(len(SAME)))
def test_the_same_layout_in_many_hands(text: str):
    read = read_layout(text, NAMES)
    assert close(read, layout(), 1e-4)
    scene(read)


@pytest.mark.parametrize(
    ("width", "height", "said", "note"),
    [
        (100, 100, "", "percent"),
        (512, 512, "", "pixels of 512 × 512"),
        (1000, 1000, "", "thousandths"),
        (1280, 720, "", "pixels of 1280 × 720"),
        (640, 360, "The canvas is 640x360.", "pixels of 640 × 360"),
    ],
)
def test_other_units_are_known_by_their_size(width: int, height: int, said: str, note: str):
    text = answer(numbers=lambda b: [round(v * s) for v, s in zip(b, (width, height) * 2)])  # noqa: B905
    read = read_layout(said + text, NAMES)
    assert close(read, layout(), 1 / min(width, height))
    assert f"coordinates read as {note}" in read.notes


@pytest.mark.parametrize("scale", [1, 512])
def test_sides_said_to_be_corners(scale: int):
    def sides(box: Box) -> list[float]:
        x0, y0, x1, y1 = (v * scale for v in box)
        return [x0, y0, x1 - x0, y1 - y0]

    read = read_layout(answer(numbers=sides), NAMES)
    assert close(read, layout(), 1e-4)
    assert "boxes read as [x, y, width, height]" in read.notes


def test_corners_the_wrong_way_round_do_not_make_sides():
    frames = layout()
    frames[4]["dog"] = (1.0, 1.0, 0.7, 0.25)
    read = read_layout(answer(frames), NAMES)
    assert close(read, layout())
    assert read.notes == ("corners of 'dog' were given the wrong way round",)


@pytest.mark.parametrize("number", [2, 3, 5, 8, 10, 16, 17])
def test_other_numbers_of_keyframes_are_interpolated(number: int):
    """A way at constant speed keeps its ends and its speed, however many keyframes tell it."""
    ends = ((0.0, 0.5, 0.3, 0.9), (0.4, 0.1, 0.7, 0.5))
    frames = [
        {"cat": tuple(p + (q - p) * k / (number - 1) for p, q in zip(*ends, strict=True))}
        for k in range(number)
    ]
    for text in (answer(frames), answer(frames).replace("keyframes", "frames")):
        read = read_layout(text, ["cat"])
        assert len(read.keyframes) == 9
        for k, keyframe in enumerate(read.keyframes):
            expected = [p + (q - p) * k / 8 for p, q in zip(*ends, strict=True)]
            assert keyframe["cat"] == pytest.approx(expected, abs=2e-4)
        assert f"{number} keyframes read as 9 by interpolation" in read.notes
        assert (read.captions[0], read.captions[-1]) == ("moment 1", f"moment {number}")


@pytest.mark.parametrize(
    "absent", [None, "null", [], [0, 0, 0, 0], "not visible", {}, [None] * 4, [0.2, 0.5, 0.2, 0.9]]
)
def test_what_is_not_there_has_no_box(absent: Any):
    data = json.loads(answer())
    for frame in data["keyframes"][:3]:
        frame["boxes"]["dog"] = absent
    read = read_layout(json.dumps(data), NAMES)
    assert [("dog" in keyframe) for keyframe in read.keyframes] == [False] * 3 + [True] * 6
    scene(read)


def test_appearing_survives_interpolation():
    frames = layout(5)
    for frame in frames[:2]:
        del frame["dog"]
    read = read_layout(answer(frames), NAMES)
    seen = [("dog" in keyframe) for keyframe in read.keyframes]
    assert seen == [False] * 3 + [False] + [True] * 5


def test_boxes_beyond_the_frame_are_cut():
    frames = layout()
    for k, frame in enumerate(frames):
        frame["cat"] = (0.1 * k, 0.5, 0.1 * k + 0.5, 0.9)
    read = read_layout(answer(frames), NAMES)
    assert read.keyframes[8]["cat"] == (0.8, 0.5, 1.0, 0.9)
    assert "boxes of 'cat' were cut at the edge of the frame" in read.notes


@pytest.mark.parametrize(
    ("names", "said", "meant"),
    [
        (("fluffy Siamese cat", "dog"), "cat", "fluffy Siamese cat"),
        (("cat", "dog"), "a very fluffy cat", "cat"),
        (("cat", "cat 2"), "cat2", "cat 2"),
        (("cat", "cat 2"), "Cat #2", "cat 2"),
        (("cat", "cat 2"), "second cat", "cat 2"),
        (("cat", "cat 2"), "cat 1", "cat"),
        (("mouse", "dog"), "the mice", "mouse"),
        (("fire truck", "dog"), "fire_truck", "fire truck"),
        (("ʻōhiʻa", "dog"), "ʻōhiʻa", "ʻōhiʻa"),
    ],
)
def test_names_are_matched(names: tuple[str, str], said: str, meant: str):
    frame = {said: [0, 0, 0.5, 0.5], next(n for n in names if n != meant): [0.5, 0.5, 1, 1]}
    read = read_layout(json.dumps({"keyframes": [{"boxes": frame}] * 9}), names)
    assert read.keyframes[0][meant] == (0, 0, 0.5, 0.5)
    assert read.captions == ()
    scene(read, names)


def test_two_of_a_name_are_two_of_a_kind():
    boxes = [["cat", [0, 0, 0.4, 0.4]], ["cat", [0.5, 0.5, 1, 1]]]
    read = read_layout(json.dumps({"keyframes": [boxes] * 9}), ["cat", "cat 2"])
    assert read.keyframes[3] == {"cat": (0, 0, 0.4, 0.4), "cat 2": (0.5, 0.5, 1, 1)}


def test_who_does_not_belong_is_left_out():
    frames = [{**frame, "palm tree": (0.4, 0.1, 0.6, 0.9)} for frame in layout()]
    read = read_layout(answer(frames), NAMES)
    assert close(read, layout())
    assert read.notes == ("'palm tree' is not among the entities; its boxes were left out",)


def test_a_cut_answer_is_read_as_far_as_it_goes():
    text = answer()
    at = text.index("moment 8")
    read = read_layout(text[:at], NAMES)
    assert "cut off" in read.notes[0]
    assert "8 keyframes read as 9 by interpolation" in read.notes
    scene(read)
    inside = text[: text.rindex("[", 0, at) + 7]  # in the midst of the dog's box in keyframe 8
    assert "7 keyframes read as 9 by interpolation" in read_layout(inside, NAMES).notes
    with pytest.raises(AnswerError, match="cut off after 3 keyframes; give 9, with shorter"):
        read_layout(text[: text.index("moment 3")], NAMES)


def test_long_texts_are_cut():
    text = answer(reasoning="why " * 2000).replace("moment 1", "m" * 2000)
    read = read_layout(text, NAMES)
    assert len(read.captions[0]) == 1000
    assert len(read.reasoning) == 4000
    scene(read)


def changed(name: str, value: Any) -> str:
    return rewritten(
        lambda data: {"keyframes": [{"boxes": {**f["boxes"], name: value}} for f in
                                    data["keyframes"]]}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I would put the cat somewhere nice.", "no layout is found in the answer; answer with"),
        ("{}", "no layout is found"),
        (answer([]), "no layout is found"),
        (answer(layout(1)), r"1 keyframe\(s\); give 9"),
        (answer(layout(1) * 121), "121 keyframe"),
        (changed("dog", None), "'dog' has no box in any keyframe; give it one"),
        (changed("dog", [1.2, 0, 1.4, 1]), "'dog' has no box in any keyframe"),
        (changed("dog", [0.1, 0.2, 0.3]), r"of 'dog' in keyframe 1: it has 3 numbers; it must be"),
        (changed("dog", [0.1, 0.2, 0.3, "x"]), "'x' is no number"),
        (changed("dog", [0, 0, 1, float("nan")]), "NaN is no number"),
        (changed("dog", 7), "box 7 of 'dog' in keyframe 1: it must be four numbers"),
        (changed("dog", [0, 0, 9999, 9999]), "coordinates go up to 9999; they must be fractions"),
        (answer().replace("cat", "cow").replace("dog", "pig"), "'cat' has no box in any keyframe"),
        ("[" * 99, "nested more than"),
    ],
)
def test_what_cannot_be_read_says_what_to_give(text: str, message: str):
    with pytest.raises(AnswerError, match=message):
        read_layout(text, NAMES)


@pytest.mark.parametrize(
    ("form", "asked"),
    [("json", '"keyframes"'), ("brackets", "Frame_1"), ("words", '"motion"'), (None, '"boxes"')],
)
def test_the_format_that_was_asked_for_is_asked_for_again(form: Any, asked: str):
    with pytest.raises(AnswerError, match=asked):
        read_layout("Sorry.", NAMES, form=form)
    assert close(read_layout(answer(), NAMES, form=form), layout())


@pytest.mark.parametrize(
    "names", [(), ("cat", "cat"), [f"cat {n}" for n in range(8)], ("",), (" cat",), ("x" * 61,)]
)
def test_entities_must_be_those_of_a_scene(names: Sequence[str]):
    with pytest.raises(PlanError) as caught:
        read_layout(answer(), names)
    assert not isinstance(caught.value, AnswerError)


def test_the_schema_asks_for_every_entity_in_nine_keyframes():
    schema = layout_schema(NAMES)
    keyframes = schema["properties"]["keyframes"]
    assert (keyframes["minItems"], keyframes["maxItems"]) == (9, 9)
    assert keyframes["items"]["properties"]["boxes"]["required"] == ["cat", "dog"]
