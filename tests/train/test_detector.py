"""The detector's training pictures and targets."""

import numpy as np
import pytest

from vdjax.evaluate.boxes import iou
from vdjax.evaluate.network import CUTOUT, GRID
from vdjax.train.detector import (
    DetectorStage,
    _box_loss,
    _centre_loss,
    draw_picture,
    grid_targets,
)
from vdjax.train.stage import Schedule

SMALL = Schedule(steps=2, batch_size=3, learning_rate=1e-3)


@pytest.fixture(scope="module")
def batch():
    return DetectorStage(schedule=SMALL).batch(7)


def test_a_step_has_the_same_batch_again_and_another_step_another(batch):
    again = DetectorStage(schedule=SMALL).batch(7)
    for key, value in batch.items():
        np.testing.assert_array_equal(value, again[key])
    assert (batch["frame"] != DetectorStage(schedule=SMALL).batch(8)["frame"]).any()


def test_shapes_and_ranges(batch):
    assert batch["frame"].shape == (3, 128, 128, 3)
    assert batch["frame"].dtype == batch["cutouts"].dtype == np.uint8
    assert batch["cutouts"].shape == (3, 4, CUTOUT, CUTOUT, 3)
    assert batch["heat"].shape == (3, GRID, GRID)
    assert 0 <= batch["heat"].min() <= batch["heat"].max() <= 1
    assert batch["drawing"].min() >= 0
    assert batch["drawing"].max() <= 256


def test_pictures_show_all_pairs_with_boxes_inside_the_frame():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        frame, drawings, boxes = draw_picture(rng)
        assert frame.shape == (128, 128, 3)
        assert len(drawings) == len(boxes)
        assert ((boxes >= 0) & (boxes <= 1)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        seen.update(drawings.tolist())
    assert len(seen) > 80
    assert {drawing % 4 for drawing in seen} == {0, 1, 2, 3}


def test_a_target_gives_back_the_box_it_was_made_from():
    boxes = np.array([[0.1, 0.2, 0.4, 0.8], [0.5, 0.5, 0.9, 0.75]])
    target = grid_targets(boxes, np.ones(2))
    rows, columns = np.nonzero(target["heat"] == 1)
    assert len(rows) == 2
    x, y = (columns + 0.5) / GRID, (rows + 0.5) / GRID
    left, top, right, bottom = target["sides"][rows, columns].astype(float).T
    found = np.stack([x - left, y - top, x + right, y + bottom], 1)
    assert (iou(found, boxes).max(1) > 0.999).all()
    assert (target["weight"][rows, columns] > 0).all()
    assert target["weight"].sum() == pytest.approx(2)  # each thing counts once


def test_a_hidden_thing_is_neither_asked_for_nor_held_against_the_finder():
    boxes = np.array([[0.1, 0.2, 0.4, 0.8]])
    target = grid_targets(boxes, np.array([0.1]))
    assert not target["heat"].any()
    assert not target["weight"].any()
    assert 0 < (target["counts"] == 0).sum() < 20


def grid_loss(sides, wanted):
    weight = np.ones((1, GRID, GRID), np.float32)
    return float(_box_loss(np.float32(sides), np.float32(wanted), weight))


def test_the_box_loss_is_nothing_for_the_right_box_and_more_the_further_off():
    right = np.full((1, GRID, GRID, 4), 0.2)
    near, far = right + np.array([0.02, 0, 0, 0]), right + np.array([0.2, 0, 0, 0])
    assert grid_loss(right, right) == pytest.approx(0.0, abs=1e-6)
    # Half as wide again: two thirds shared, and one edge of four half a side off.
    assert grid_loss(far, right) == pytest.approx(1 / 3 + 0.5 / 4, abs=1e-6)
    assert 0 < grid_loss(near, right) < grid_loss(far, right)


def test_the_centre_loss_is_small_only_where_the_centres_are():
    target = grid_targets(np.array([[0.1, 0.2, 0.4, 0.8]]), np.ones(1))
    heat, counts = target["heat"][None], target["counts"][None]
    peak = heat == 1
    sure = np.where(peak, 8.0, -8.0).astype(np.float32)
    missed = np.full_like(sure, -8.0)
    elsewhere = np.roll(sure, 6, axis=2)
    losses = [float(_centre_loss(logits, heat, counts)) for logits in (sure, missed, elsewhere)]
    assert losses[0] < 0.01
    assert losses[1] > 5
    assert losses[2] > losses[1] + 5


def test_weights_leave_in_half_precision():
    tree, config = DetectorStage(schedule=SMALL).export({"a": np.ones(2, np.float32)}, {})
    assert tree["a"].dtype == np.float16
    assert config["seed"] == 0
