"""The shipped detector, on real pictures of its world."""

import numpy as np
import pytest

from vdjax.data.storybook import StorybookWorld, background, sprite
from vdjax.evaluate import degrade
from vdjax.evaluate.accuracy import accuracies
from vdjax.evaluate.composites import real_film
from vdjax.evaluate.cutouts import cut, from_cutout, to_cutout, windows
from vdjax.evaluate.detector import StorybookDetector, _astray
from vdjax.evaluate.plans import choose
from vdjax.evaluate.scores import score
from vdjax.weights.store import shipped_folder


@pytest.fixture(scope="module")
def detector():
    return StorybookDetector.shipped()


def test_it_is_small():
    assert (shipped_folder("storybook") / "detector.safetensors").stat().st_size <= 4 * 2**20


def test_it_finds_names_and_knows_the_looks_of_what_is_in_real_pictures(detector):
    kinds = {name: degrade.DEGRADATIONS[name] for name in ("blur, 1.5 px", "noise, 15 levels")}
    result = accuracies(detector, pictures=48, seed=3, degradations=kinds)
    for accuracy in result.values():
        assert accuracy.found.value >= 0.85
        assert accuracy.look.value >= 0.9
        assert accuracy.overlap.value >= 0.75
        assert accuracy.false_per_picture <= 0.4


def test_real_films_come_close_to_their_plans(detector):
    films = {}
    for one in choose(12):
        film = real_film(one.plan, one.number, num_frames=4)
        films[one] = [detector.detect(frames) for frames in film]
    figures = score(films)
    assert figures["iou"]["value"] >= 0.7
    for skill in ("object", "movement", "identity"):
        assert figures[skill]["value"] == 1.0


def test_an_empty_place_is_empty(detector):
    frames = np.stack([background(name, 5, held_out=True) for name in ("beach", "park", "space")])
    assert sum(map(len, detector.detect(frames))) <= 1


def test_no_frames_no_detections(detector):
    assert detector.detect(np.zeros((0, 128, 128, 3), np.uint8)) == []


def test_frames_are_seen_one_by_one_and_best_first(detector):
    world = StorybookWorld("validation")
    frames = np.stack([world.image(at).frames[0] for at in range(18)])
    together = detector.detect(frames)
    assert len(together) == 18
    alone = detector.detect(frames[17:])[0]
    assert [(one.name, one.look) for one in alone] == [(one.name, one.look) for one in together[17]]
    for seen in together:
        scores = [one.score for one in seen]
        assert scores == sorted(scores, reverse=True)
        for one in seen:
            x0, y0, x1, y1 = one.box
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1


def test_the_digest_tells_detectors_apart(detector):
    other = StorybookDetector(detector._params, threshold=0.9)
    assert other.digest != detector.digest
    assert StorybookDetector(detector._params).digest == detector.digest


def test_coordinates_of_cutouts_go_there_and_back():
    boxes = np.array([[0.2, 0.3, 0.5, 0.9], [0.0, 0.0, 0.4, 0.2]])
    seen = windows(boxes)
    np.testing.assert_allclose(from_cutout(to_cutout(boxes, seen), seen), boxes)
    np.testing.assert_allclose(to_cutout(boxes, seen), [[0.1, 0.1, 0.9, 0.9]] * 2)


def test_a_cutout_shows_what_is_in_the_box():
    frame = np.full((128, 128, 3), 255, np.uint8)
    art = sprite("apple", "fluent", 40)
    height, width = art.shape[:2]
    frame[30 : 30 + height, 60 : 60 + width] = art[..., :3]
    box = np.array([[60, 30, 60 + width, 30 + height]]) / 128
    (small,) = cut(frame, box)
    assert small.shape == (32, 32, 3)
    corner = small[:2].astype(int)  # the margin around the apple is white
    assert corner.min() >= 250
    assert small[12:20, 12:20, 0].mean() > small[12:20, 12:20, 2].mean() + 50  # red, not blue


def test_outside_the_frame_is_grey():
    frame = np.zeros((128, 128, 3), np.uint8)
    (small,) = cut(frame, np.array([[-0.5, 0.2, 0.5, 0.8]]))
    assert (small[16, 2] == 128).all()
    assert (small[16, 28] == 0).all()


def test_a_fit_that_leads_to_a_less_sure_name_is_not_believed():
    chances = np.zeros((2, 4, 256))
    for box, (before, after) in enumerate(
        [((0, 0.6), (1, 0.9)), ((0, 0.6), (5, 0.9)), ((0, 0.9), (5, 0.6)), ((0, 0.9), (1, 0.6))]
    ):
        chances[0, box, before[0]], chances[1, box, after[0]] = before[1], after[1]
    # Drawings 0 and 1 are two looks of one name, drawing 5 is of another.
    np.testing.assert_array_equal(_astray(chances[0], chances[1]), [False, False, True, False])
