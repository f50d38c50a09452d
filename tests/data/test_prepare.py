"""The square and its boxes: what GLIGEN's own arithmetic says, for any picture and any boxes."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vdjax.data.prepare import (
    LEAST_AREA,
    MOST_ENTITIES,
    areas,
    close_up,
    in_square,
    largest,
    mirrored,
    prepare,
    seen_in_square,
    squared,
)
from vdjax.data.sample import Background, Sample, Skipped, framed

SIDES = st.integers(8, 90)


@st.composite
def some_boxes(draw, most=40):
    """Any boxes with an area, in shares of the picture."""
    corners = st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), max_size=most)
    boxes = np.array(draw(corners), np.float32).reshape(-1, 4)
    x, y = np.sort(boxes[:, ::2], axis=1), np.sort(boxes[:, 1::2], axis=1)
    boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)
    return boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)]


def sample(boxes, width=80, height=60, **more):
    phrases = tuple(f"thing {i}" for i in range(len(boxes)))
    image = np.zeros((height, width, 3), np.uint8)
    return Sample(
        **{"id": "it", "image": image, "caption": "", "phrases": phrases, "boxes": boxes, **more}
    )


def as_gligen_does(box, width, height, size=64):
    """Scale so that the shorter side fits, take the crop off, cut, and drop what is below 1 %."""
    scale = size / min(width, height)
    left, top = (width * scale - size) / 2, (height * scale - size) / 2
    x0, y0, x1, y1 = box.astype(float) * [width, height, width, height] * scale
    x0, y0 = max(x0 - left, 0), max(y0 - top, 0)
    x1, y1 = min(x1 - left, size), min(y1 - top, size)
    if x0 > size or y0 > size or x1 < 0 or y1 < 0:
        return None
    return np.array([x0, y0, x1, y1]) / size if (x1 - x0) * (y1 - y0) / size**2 >= 0.01 else None


@given(boxes=some_boxes(), width=SIDES, height=SIDES)
def test_boxes_are_those_gligen_keeps(boxes, width, height):
    wanted = [as_gligen_does(box, width, height) for box in boxes]
    found = in_square(boxes, width, height)
    assume((np.abs(areas(found) - LEAST_AREA) > 1e-6).all())  # where rounding decides
    kept = largest(found)
    assert {int(i) for i in kept} <= {i for i, box in enumerate(wanted) if box is not None}
    assert len(kept) == min(sum(box is not None for box in wanted), MOST_ENTITIES)
    for i in kept:
        np.testing.assert_allclose(found[i], wanted[i], atol=1e-5)


@given(boxes=some_boxes(), width=SIDES, height=SIDES, most=st.integers(1, 9))
def test_kept_boxes_lie_inside_and_come_from_large_to_small(boxes, width, height, most):
    ready = sample(boxes, width, height)
    found = in_square(boxes, width, height)
    enough = areas(found) >= LEAST_AREA
    if not enough.any():
        with pytest.raises(Skipped, match="no box left") as caught:
            prepare(ready, 16, 8, most=most)
        assert not caught.value.bad
        return
    ready = prepare(ready, 16, 8, most=most)
    assert ((ready.boxes >= 0) & (ready.boxes <= 1)).all()
    covered = areas(ready.boxes)
    assert (covered >= LEAST_AREA).all()
    assert (np.diff(covered) <= 0).all()
    assert len(covered) == min(enough.sum(), most)
    assert covered.min() >= np.sort(areas(found))[::-1][: len(covered)].min()
    numbers = [int(phrase.split()[1]) for phrase in ready.phrases]
    np.testing.assert_array_equal(ready.boxes, found[numbers])
    assert ready.caption == ", ".join(ready.phrases)
    assert ready.image.shape == (16, 16, 3)
    assert ready.close_ups.shape == (len(covered), 8, 8, 3)


@given(boxes=some_boxes())
def test_mirrored_twice_is_the_identity(boxes):
    once = mirrored(boxes)
    assert ((once >= 0) & (once <= 1)).all()
    np.testing.assert_allclose(areas(once), areas(boxes), atol=1e-6)
    np.testing.assert_array_equal(once[:, 1::2], boxes[:, 1::2])
    np.testing.assert_allclose(mirrored(once), boxes, atol=1e-7)


@given(boxes=some_boxes(), width=SIDES, height=SIDES)
def test_there_and_back_again(boxes, width, height):
    """What lies in the square comes back to where it was."""
    found = in_square(boxes, width, height)
    inside = ((found > 0) & (found < 1)).all(axis=1)
    back = seen_in_square(found, width, height)
    np.testing.assert_allclose(back[inside], boxes[inside], atol=1e-5)


@given(width=SIDES, height=SIDES, at=st.tuples(*[st.floats(0.3, 0.7)] * 2))
def test_boxes_stay_on_what_they_are_of(width, height, at):
    """A bright patch in the picture is bright where its box is told to be, mirrored or not."""
    x, y = int(at[0] * width), int(at[1] * height)
    across, down = max(width // 5, 3), max(height // 5, 3)
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + down, x : x + across] = 255
    box = np.array([[x / width, y / height, (x + across) / width, (y + down) / height]], np.float32)
    small = squared(image, 64).astype(float)
    for picture, boxes in ((small, in_square(box, width, height)), (small[:, ::-1], None)):
        told = mirrored(in_square(box, width, height)) if boxes is None else boxes
        inside = told[0] * 64
        if areas(told)[0] < 0.02:
            continue
        x0, y0, x1, y1 = np.array([*np.ceil(inside[:2]), *np.floor(inside[2:])], int)
        assert picture[y0:y1, x0:x1].mean() > 200
        picture = picture.copy()
        x0, y0 = np.floor(inside[:2]).astype(int) - 3
        x1, y1 = np.ceil(inside[2:]).astype(int) + 3
        picture[max(y0, 0) : y1, max(x0, 0) : x1] = 0
        assert picture.max() < 60


def test_a_close_up_keeps_the_aspect_and_sees_a_little_around():
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:60, 30:70] = 255
    seen = close_up(image, np.array([0.3, 0.4, 0.7, 0.6], np.float32), 50)
    bright = seen[..., 0] > 128
    assert bright.any(0).sum() == pytest.approx(50 / 1.12, abs=1.5)
    assert bright.any(1).sum() == pytest.approx(25 / 1.12, abs=1.5)


def test_a_caption_of_its_own_and_a_background_are_kept():
    boxes = np.array([[0.2, 0.2, 0.8, 0.8]], np.float32)
    beach = Background(phrase="beach", image=np.full((20, 20, 3), 9, np.uint8))
    ready = prepare(sample(boxes, caption="A caption", background=beach), 16, 8)
    assert (ready.caption, ready.background) == ("A caption", "beach")
    assert (ready.backdrop == 9).all()


@pytest.mark.parametrize(
    ("caption", "phrases", "sides"),
    [
        ("A man on the left", ("man",), True),
        ("A man", ("the Right-hand one",), True),
        ("leftmost dog", (), True),
        ("Bright lights and leftovers", ("cleft",), False),
        ("", (), False),
    ],
)
def test_words_of_sides_are_found(caption, phrases, sides):
    boxes = np.tile(np.array([[0, 0, 1, 1]], np.float32), (max(len(phrases), 1), 1))
    phrases = phrases or ("thing",)
    ready = prepare(sample(boxes, caption=caption, phrases=phrases), 16, 8)
    assert ready.tells_sides == sides


@given(
    corners=st.lists(
        st.floats(-50, 150) | st.sampled_from([np.nan, np.inf]), min_size=4, max_size=4
    )
)
def test_framed_boxes_are_inside_or_told_of(corners):
    phrases, boxes, faults = framed([("a  thing ", corners)], 100, 50)
    assert len(boxes) + len(faults) == len(phrases) + len(faults) == 1
    assert ((boxes >= 0) & (boxes <= 1)).all()
    assert (areas(boxes) > 0).all()
    assert phrases in ((), ("a thing",))


@pytest.mark.parametrize("box", [None, "no box", [1, 2, 3], [[1, 2], [3, 4]], {}, 7])
def test_what_is_no_box_is_told(box):
    assert framed([("thing", box)])[2][0].reason == "box is not four numbers"


@pytest.mark.parametrize("phrase", [None, "", " \n", 7, ["a"]])
def test_what_is_no_phrase_is_told(phrase):
    assert framed([(phrase, [0, 0, 1, 1])])[2][0].reason == "entity without a phrase"
