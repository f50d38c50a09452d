"""The code of a box, and how cells lie in boxes, against plain loops."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.model.boxes import (
    BOX_CODE_WIDTH,
    PICTURE_CHANNELS,
    PLACED_WIDTH,
    BoxGeometry,
    box_code,
    cell_codes,
    cells_inside,
    picture_width,
    pictured_in,
    placed_in,
)


def random_pictures(*shape, waves=3, seed=0):
    """Pictures with every wave in every channel, so that any mix-up of axes shows."""
    size = (*shape, waves, waves, PICTURE_CHANNELS)
    return jnp.asarray(np.random.default_rng(seed).normal(size=size), jnp.float32)


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


def test_where_a_cell_lies_in_a_box_against_a_plain_loop():
    boxes = [[0.25, 0.0, 0.75, 1.0], [0.6, 0.5, 0.7, 0.55], [0.0, 0.0, 1.0, 1.0]]
    height, width = 2, 4
    codes = np.asarray(placed_in(jnp.array(boxes)[None], height, width))
    assert codes.shape == (1, height * width, len(boxes), PLACED_WIDTH)
    for row in range(height):
        for column in range(width):
            for number, (x0, y0, x1, y1) in enumerate(boxes):
                expected = []
                for middle, low, high, cells in (
                    ((column + 0.5) / width, x0, x1, width),
                    ((row + 0.5) / height, y0, y1, height),
                ):
                    at = min(max((middle - low) / (high - low), -0.5), 1.5)
                    angles = [math.pi * at * 2**octave for octave in range(4)]
                    expected += [at, *map(math.sin, angles), *map(math.cos, angles)]
                    expected.append(math.log((high - low) * cells))
                got = codes[0, row * width + column, number]
                np.testing.assert_allclose(got, expected, atol=1e-4)


def test_where_things_are_in_a_box_moves_and_grows_with_the_box():
    """The same cell of a box reads the same wherever the box stands, but for its size."""
    box = jnp.array([[0.0, 0.25, 0.5, 0.75]])
    here = np.asarray(placed_in(box[None], 8, 8))[0].reshape(8, 8, PLACED_WIDTH)
    there = np.asarray(placed_in(box[None] + jnp.array([[[0.25, 0.0, 0.25, 0.0]]]), 8, 8))[0]
    there = there.reshape(8, 8, PLACED_WIDTH)
    np.testing.assert_allclose(there[2:6, 2:6], here[2:6, :4], atol=1e-5)


def test_a_box_without_extent_places_nothing():
    """The box of a thing that is not there."""
    for box in ([0.0] * 4, [0.5, 0.2, 0.5, 0.8]):
        assert not np.asarray(placed_in(jnp.array([[box]]), 4, 4)).any()


def test_what_a_cell_reads_off_a_picture_against_a_plain_loop_of_cosines():
    """Waves down come before waves across; beyond the box its edge holds."""
    boxes = [
        [[0.25, 0.0, 0.75, 1.0], [0.6, 0.5, 0.7, 0.55]],
        [[0.0, 0.0, 1.0, 1.0], [-0.1, 0.3, 0.4, 1.2]],
    ]
    height, width, waves = 3, 4, 3
    pictures = random_pictures(2, 2, waves=waves)
    seen = np.asarray(pictured_in(pictures, jnp.array(boxes), height, width))
    assert seen.shape == (2, height * width, 2, PICTURE_CHANNELS)
    for row, number in np.ndindex(2, 2):
        x0, y0, x1, y1 = boxes[row][number]
        for y, x in np.ndindex(height, width):
            across = min(max(((x + 0.5) / width - x0) / (x1 - x0), 0), 1)
            down = min(max(((y + 0.5) / height - y0) / (y1 - y0), 0), 1)
            expected = np.zeros(PICTURE_CHANNELS)
            for k, n in np.ndindex(waves, waves):
                wave = math.cos(math.pi * k * down) * math.cos(math.pi * n * across)
                expected += wave * np.asarray(pictures[row, number, k, n], np.float64)
            np.testing.assert_allclose(seen[row, y * width + x, number], expected, atol=1e-4)


def seen_by(box, size, seed=0):
    """A grid of what its cells read off one picture, stretched over one box."""
    seen = pictured_in(random_pictures(1, seed=seed), jnp.array([box]), size, size)
    return np.asarray(seen).reshape(size, size, PICTURE_CHANNELS)


@pytest.mark.parametrize("seed", range(3))
def test_a_picture_moves_and_grows_with_its_box(seed):
    whole = seen_by([0.0, 0.0, 1.0, 1.0], 4, seed)
    assert whole.std(axis=(0, 1)).min() > 0.1
    for left, top in ((0, 0), (3, 1), (4, 4)):
        box = [left / 8, top / 8, (left + 4) / 8, (top + 4) / 8]
        there = seen_by(box, 8, seed)
        np.testing.assert_allclose(there[top : top + 4, left : left + 4], whole, atol=1e-4)
    # Cut in three each way, a cell keeps its middle.
    grown = seen_by([0.0, 0.0, 1.0, 1.0], 12, seed)
    np.testing.assert_allclose(grown[1::3, 1::3], whole, atol=1e-4)


def test_beyond_its_box_a_picture_stays_what_it_is_at_the_edge():
    seen = seen_by([0.25, 0.25, 0.75, 0.75], 8)
    for beyond in (seen[:2], seen[6:]):
        np.testing.assert_allclose(beyond[0], beyond[1], atol=1e-5)
    for beyond in (seen[:, :2], seen[:, 6:]):
        np.testing.assert_allclose(beyond[:, 0], beyond[:, 1], atol=1e-5)
    assert np.abs(seen[2] - seen[3]).max() > 1e-2


def test_a_box_without_extent_shows_no_picture():
    """Not even to a cell whose middle it holds."""
    for box in ([0.0] * 4, [0.5, 0.2, 0.5, 0.8], [0.2, 0.6, 0.8, 0.4]):
        assert not seen_by(box, 4).any()
    assert seen_by([0.5, 0.2, 0.6, 0.8], 4).all()


def test_the_geometry_is_made_of_its_three_parts():
    boxes = jnp.sort(jnp.asarray(np.random.default_rng(0).random((2, 3, 2, 2))), axis=2)
    boxes = boxes.reshape(2, 3, 4).astype(jnp.float32)
    geometry = BoxGeometry.of(boxes, 4, 8)
    np.testing.assert_array_equal(geometry.cells, cell_codes(4, 8))
    np.testing.assert_array_equal(geometry.inside, cells_inside(boxes, 4, 8))
    np.testing.assert_array_equal(geometry.placed, placed_in(boxes, 4, 8))


@pytest.mark.parametrize("waves", [1, 4])
def test_pictures_are_read_behind_the_places_in_the_boxes(waves):
    boxes = jnp.array([[[0.1, 0.2, 0.6, 0.9], [0.0, 0.0, 1.0, 1.0]], [[0.0] * 4, [0.3] * 4]])
    pictures = random_pictures(2, 2, waves=waves)
    assert pictures[0, 0].size == picture_width(waves)
    plain, geometry = BoxGeometry.of(boxes, 4, 8), BoxGeometry.of(boxes, 4, 8, pictures)
    np.testing.assert_array_equal(geometry.cells, plain.cells)
    np.testing.assert_array_equal(geometry.inside, plain.inside)
    np.testing.assert_array_equal(geometry.placed[..., :PLACED_WIDTH], plain.placed)
    seen = geometry.placed[..., PLACED_WIDTH:]
    np.testing.assert_array_equal(seen, pictured_in(pictures, boxes, 4, 8))
    assert seen[0].any()
    assert not seen[1].any()
