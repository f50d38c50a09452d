"""The detector's accuracy, on a picture whose detections are made by hand."""

import dataclasses

import numpy as np

from vdjax.data.storybook import StorybookWorld
from vdjax.evaluate.accuracy import accuracies, tally
from vdjax.evaluate.detections import Detection

CAT, DOG = (0.1, 0.5, 0.4, 0.9), (0.6, 0.5, 0.9, 0.9)


def picture(*things, visible=None):
    """A sample with these (name, look, box) in it."""
    return dataclasses.replace(
        StorybookWorld("validation").image(0),
        names=tuple(name for name, _, _ in things),
        looks=tuple(look for _, look, _ in things),
        boxes=np.array([[box] for _, _, box in things], np.float32),
        visible=np.array([[shown] for shown in visible or [True] * len(things)]),
    )


def test_found_needs_the_name_and_half_the_box():
    sample = picture(("cat", "noto", CAT), ("dog", "fluent", DOG))
    right = [Detection("cat", "noto", 0.9, CAT), Detection("dog", "noto", 0.8, DOG)]
    one = tally(sample, right)
    assert one.found == (True, True)
    assert one.look == (True, False)
    assert one.false == 0
    swapped = [Detection("dog", "noto", 0.9, CAT), Detection("cat", "noto", 0.8, DOG)]
    assert tally(sample, swapped).found == (False, False)
    assert tally(sample, swapped).false == 2
    aside = [Detection("cat", "noto", 0.9, (0.3, 0.5, 0.6, 0.9))]
    assert tally(sample, aside).found == (False, False)


def test_one_detection_finds_one_thing():
    near = (0.12, 0.5, 0.42, 0.9)
    sample = picture(("cat", "noto", CAT), ("dog", "fluent", DOG), ("cat", "fluent", near))
    one = tally(sample, [Detection("cat", "fluent", 0.9, near)])
    assert sum(one.found) == 1
    assert one.look == (True,)


def test_hidden_and_absent_things_are_not_asked_for():
    sample = picture(("cat", "noto", CAT), ("dog", "fluent", (0.05, 0.45, 0.45, 0.95)))
    assert tally(sample, []).found == (False,)  # the cat is wholly behind the dog's box
    sample = picture(("cat", "noto", CAT), ("dog", "fluent", DOG), visible=[True, False])
    assert tally(sample, []).found == (False,)


class Knowing:
    """A detector that knows what is in the pictures; `lost` of them it does not see."""

    digest = "knowing"

    def __init__(self, lost):
        self.lost = lost

    def detect(self, frames):
        world = StorybookWorld("held_out", seed=5)
        seen = []
        for index in range(len(frames)):
            sample = world.image(index)
            boxes = sample.boxes[:, 0].tolist()
            things = zip(sample.names, sample.looks, boxes, strict=True)
            frame = [Detection(name, look, 1.0, tuple(box)) for name, look, box in things]
            seen.append([] if index < self.lost else frame)
        return seen


def test_an_eye_that_knows_is_right_everywhere_and_half_an_eye_half():
    result = accuracies(Knowing(0), pictures=6, seed=5, degradations={"as it is": lambda f, rng: f})
    assert set(result) == {"clean", "as it is"}
    for accuracy in result.values():
        assert accuracy.found.value == accuracy.look.value == 1.0
        assert accuracy.false_per_picture == 0
        assert accuracy.pictures == 6
        assert accuracy.things >= 6
    blind = accuracies(Knowing(6), pictures=6, seed=5, degradations={})["clean"]
    assert blind.found.value == 0.0
    assert blind.look.value is None
