"""The code of a box against a plain loop."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.model.boxes import BOX_CODE_WIDTH, box_code, cell_codes, cells_inside


def test_the_code_runs_over_frequencies_then_waves_then_coordinates():
    box = [0.1, 0.25, 0.5, 1.0]
    expected = []
    for k in range(8):
        for wave in (math.sin, math.cos):
            for coordinate in box:
                expected.append(wave(coordinate * 100 ** (k / 8)))
    assert len(expected) == BOX_CODE_WIDTH == 64
    np.testing.assert_allclose(box_code(jnp.array(box)), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 5, 4)])
def test_every_box_is_coded_by_itself(shape):
    boxes = np.random.default_rng(0).random(shape).astype(np.float32)
    codes = box_code(jnp.asarray(boxes))
    assert codes.shape == (*shape[:-1], 64)
    alone = [box_code(jnp.asarray(box)) for box in boxes.reshape(-1, 4)]
    np.testing.assert_allclose(codes.reshape(-1, 64), alone, atol=1e-6)


def test_different_boxes_have_different_codes():
    """Coordinates are told apart to a hundredth: half a pixel of the latents."""
    grid = jnp.linspace(0, 1, 101)
    codes = np.asarray(box_code(jnp.stack([grid] * 4, axis=-1)))
    distances = np.linalg.norm(codes[:, None] - codes[None], axis=-1)
    assert distances[~np.eye(101, dtype=bool)].min() > 0.1


def test_the_cells_of_a_grid_are_boxes_in_reading_order():
    codes = cell_codes(2, 4)
    assert codes.shape == (8, 64)
    for cell, corner in ((0, (0, 0)), (3, (0.75, 0)), (4, (0, 0.5)), (7, (0.75, 0.5))):
        box = jnp.array([*corner, corner[0] + 0.25, corner[1] + 0.5], jnp.float32)
        np.testing.assert_allclose(codes[cell], box_code(box), atol=1e-5)


def test_a_cell_counts_by_the_part_of_it_inside_the_box():
    boxes = jnp.array(
        [[0.0, 0.0, 1.0, 1.0], [0.25, 0.5, 0.75, 1.0], [0.1, 0.0, 0.2, 0.25], [0] * 4]
    )
    shares = np.asarray(cells_inside(boxes[None, None], 2, 4))
    assert shares.shape == (1, 1, 8, 4)
    expected = [[1] * 8, [0, 0, 0, 0, 0, 1, 1, 0], [0.4 * 0.5, *[0] * 7], [0] * 8]
    np.testing.assert_allclose(shares[0, 0].T, expected, atol=1e-6)
    random = np.sort(np.random.default_rng(0).random((5, 2, 2)), axis=1).reshape(5, 4)
    areas = (random[:, 2] - random[:, 0]) * (random[:, 3] - random[:, 1])
    np.testing.assert_allclose(cells_inside(jnp.asarray(random), 8, 8).mean(0), areas, rtol=1e-4)
