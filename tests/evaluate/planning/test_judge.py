"""The predicates on hand-made plans: each passes where it should and fails where it should."""

from __future__ import annotations

import pytest

from vdjax.evaluate.planning.asks import Ask
from vdjax.evaluate.planning.judge import kind, passes, planned, words_kept
from vdjax.plan.schema import Scene, VideoPlan

LEFT, RIGHT = (0.2, 0.5), (0.8, 0.5)
CENTRES = {"upper left": (0.2, 0.2), "upper right": (0.8, 0.2), "lower left": (0.2, 0.8),
           "lower right": (0.8, 0.8)}  # fmt: skip


def box(x, y, side=0.2):
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def scene(paths, description="a scene"):
    """A scene from {name: its centre, its box, or nine of them, None where it is not seen}."""
    frames: list[dict[str, list[float]]] = [{} for _ in range(9)]
    for name, path in paths.items():
        path = path if isinstance(path, list) else [path] * 9
        for frame, at in zip(frames, path, strict=True):
            if at is not None:
                frame[name] = box(*at) if len(at) < 4 else list(at)
    return Scene(description=description, background="park", entities=list(paths), keyframes=frames)


def film(*scenes, **fields):
    made = [one if isinstance(one, Scene) else scene(one) for one in scenes]
    return VideoPlan(prompt="a film", scenes=made, **fields)


def way(start, end):
    """Nine centres on the straight way."""
    return [tuple(a + (b - a) * k / 8 for a, b in zip(start, end, strict=True)) for k in range(9)]


def stops(*corners):
    """Nine centres over three corners."""
    a, b, c = (CENTRES[corner] for corner in corners)
    return [*way(a, b)[::2], *way(b, c)[2::2]]


def seen(first, last):
    """There at the keyframes from `first` to `last`, counted from 0."""
    return [LEFT if first <= k <= last else None for k in range(9)]


def ask(task, *things, **fields):
    return Ask(task=task, prompt="", things=things, **fields)


CAT, CATS = {"cat": LEFT}, {"cat": LEFT, "cat 2": RIGHT, "dog": (0.5, 0.5)}


@pytest.mark.parametrize("task", ["numeracy", "count"])
@pytest.mark.parametrize(
    ("paths", "number", "right"),
    [
        (CAT, 1, True),
        (CATS, 2, True),
        (CATS, 3, False),
        (CATS, 1, False),
        ({"dog": LEFT}, 1, False),
        ({"cat": LEFT, "cat 2": seen(0, 5)}, 2, True),  # in most frames
        ({"cat": LEFT, "cat 2": seen(0, 2)}, 2, False),
    ],
)
def test_numbers(task, paths, number, right):
    assert passes(ask(task, "cat", number=number), film(paths)) == right


def test_a_number_that_half_of_the_frames_show_is_no_majority():
    plan = film({"cat": LEFT, "cat 2": seen(0, 3)})
    assert not passes(ask("numeracy", "cat", number=2), plan)
    assert not passes(ask("numeracy", "cat", number=1), plan)


@pytest.mark.parametrize(
    ("paths", "things", "right"),
    [
        ({"cat": LEFT, "dog": RIGHT}, ("cat", "dog"), True),
        ({"cat": LEFT}, ("cat", "dog"), False),
        ({"cat": LEFT, "dog": seen(4, 8)}, ("cat", "dog"), True),  # half of the frames
        ({"cat": LEFT, "dog": seen(6, 8)}, ("cat", "dog"), False),
        (CATS, ("cat", "cat"), True),
        (CAT, ("cat", "cat"), False),
    ],
)
def test_attribution(paths, things, right):
    assert passes(ask("attribution", *things, words=("red", "blue")), film(paths)) == right


def test_words_are_kept_in_descriptions_names_or_not_at_all():
    asked = ask("attribution", "cat", "dog", words=("red", "blue"))
    plain = film({"cat": LEFT, "dog": RIGHT})
    assert not words_kept(asked, plain)
    assert words_kept(asked, film({"red cat": LEFT, "blue dog": RIGHT}))
    assert not words_kept(asked, film({"red cat": LEFT, "dog": RIGHT}))
    told = scene({"cat": LEFT, "dog": RIGHT}, "a Red cat looks at a blue dog")
    assert words_kept(asked, film(told))
    looks = {"cat": "its fur is red", "dog": "a blue dog"}
    assert words_kept(asked, plain.replace(entity_descriptions=looks))
    assert not words_kept(asked, film(scene({"cat": LEFT}, "a bored cat and a bluebird")))


@pytest.mark.parametrize(
    ("path", "appears", "disappears"),
    [
        (seen(5, 8), True, False),
        (seen(0, 3), False, True),
        (seen(0, 8), False, False),
        (seen(3, 5), False, False),
        (seen(1, 8), False, False),  # already in the second frame
    ],
)
def test_visibility(path, appears, disappears):
    plan = film({"cat": path})
    assert passes(ask("visibility", "cat", relation="appears"), plan) == appears
    assert passes(ask("visibility", "cat", relation="disappears"), plan) == disappears


@pytest.mark.parametrize(
    ("paths", "things", "end"),
    [
        ({"cat": way(LEFT, RIGHT)}, ("cat",), "right"),
        ({"cat": way(RIGHT, LEFT)}, ("cat",), "left"),
        ({"cat": way(LEFT, RIGHT), "dog": (0.5, 0.5)}, ("cat", "dog"), "right"),
        ({"cat": way(RIGHT, LEFT), "dog": (0.5, 0.9)}, ("cat", "dog"), "left"),
        ({"cat": LEFT}, ("cat",), ""),
        ({"cat": way(LEFT, (0.4, 0.5)), "dog": (0.5, 0.5)}, ("cat", "dog"), ""),
        ({"cat": way(LEFT, RIGHT)}, ("cat", "dog"), ""),
        ({"cat": [*way(LEFT, RIGHT)[:5], None, None, None, None]}, ("cat",), ""),
    ],
)
def test_dynamic_spatial(paths, things, end):
    for side in ("left", "right"):
        asked = ask("dynamic spatial", *things, relation=side)
        assert passes(asked, film(paths)) == (side == end)


def test_sequential():
    corners = ("upper left", "lower left", "lower right")
    asked = ask("sequential", "cat", corners=corners)
    assert passes(asked, film({"cat": stops(*corners)}))
    assert not passes(asked, film({"cat": stops(*corners[::-1])}))
    assert not passes(asked, film({"cat": stops("upper left", "upper right", "lower right")}))
    assert not passes(asked, film({"cat": [*stops(*corners)[:8], None]}))
    assert not passes(asked, film({"dog": stops(*corners)}))


def test_a_film_of_several_scenes_is_read_as_one():
    corners = ("upper left", "lower left", "lower right")
    scenes = [{"cat": CENTRES[corner]} for corner in corners]
    assert passes(ask("sequential", "cat", corners=corners), film(*scenes))
    assert passes(ask("visibility", "cat", relation="appears"), film({"dog": LEFT}, CAT))
    assert len(planned(film(CAT, CAT))) == 12


@pytest.mark.parametrize(
    ("second", "relations"),
    [
        ((0.2, 0.5), {"left"}),
        ((0.8, 0.5), {"right"}),
        ((0.5, 0.2), {"above"}),
        ((0.5, 0.8), {"below"}),
        ((0.2, 0.2), {"left", "above"}),
        ((0.51, 0.5), set()),
    ],
)
def test_spatial(second, relations):
    plan = film({"cat": (0.5, 0.5), "dog": second})
    for relation in ("left", "right", "above", "below"):
        asked = ask("spatial", "cat", "dog", relation=relation)
        assert passes(asked, plan) == (relation in relations)


@pytest.mark.parametrize(("side", "right"), [(0.4, "bigger"), (0.1, "smaller"), (0.2, "same")])
def test_scale(side, right):
    plan = film({"cat": LEFT, "dog": (0.7, 0.5, side)})
    for relation in ("bigger", "smaller", "same"):
        assert passes(ask("scale", "cat", "dog", relation=relation), plan) == (relation == right)


def test_a_skill_must_hold_in_half_of_the_frames():
    assert passes(ask("object", "cat"), film({"cat": seen(0, 4), "dog": LEFT}))
    assert not passes(ask("object", "cat"), film({"cat": seen(0, 2), "dog": LEFT}))


@pytest.mark.parametrize(
    ("end", "direction"),
    [((0.8, 0.5), "right"), ((0.2, 0.5), "left"), ((0.5, 0.2), "up"), ((0.5, 0.8), "down"),
     ((0.52, 0.5), "")],
)  # fmt: skip
def test_direction(end, direction):
    plan = film({"cat": way((0.5, 0.5), end)})
    for one in ("left", "right", "up", "down"):
        assert passes(ask("direction", "cat", relation=one), plan) == (one == direction)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("cat", "cat"),
        ("cat 2", "cat"),
        ("cat_2", "cat"),
        ("a fluffy grey kitten", "cat"),
        ("police car", "police car"),
        ("Red Fire Truck", "fire truck"),
        ("flurb", "flurb"),
    ],
)
def test_planned_names_become_words_of_the_vocabulary(name, found):
    assert kind(name) == found
