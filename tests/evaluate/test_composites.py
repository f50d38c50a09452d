"""Real films: the plan, drawn with the artwork itself."""

import numpy as np
import pytest

from vdjax.evaluate.composites import real_film, worse
from vdjax.evaluate.degrade import blur
from vdjax.evaluate.plans import held_out_plans
from vdjax.plan.layout import frame_boxes

PLANS = held_out_plans()


def of_skill(skill):
    return next(one for one in PLANS if one.question.skill == skill)


def test_one_array_of_frames_per_scene():
    one = of_skill("identity")
    film = real_film(one.plan, 3)
    assert [frames.shape for frames in film] == [(16, 128, 128, 3)] * len(one.plan.scenes)
    assert all(frames.dtype == np.uint8 for frames in film)


def test_the_same_seed_the_same_film_and_another_seed_another():
    plan = of_skill("object").plan
    np.testing.assert_array_equal(real_film(plan, 3)[0], real_film(plan, 3)[0])
    assert any((real_film(plan, 3)[0] != real_film(plan, seed)[0]).any() for seed in (4, 5))


def test_what_moves_is_in_its_boxes():
    plan = of_skill("movement").plan
    (frames,) = real_film(plan, 0)
    (path,) = frame_boxes(plan.scenes[0]).values()
    changed = (frames[0] != frames[-1]).any(-1)
    inside = np.zeros((128, 128), bool)
    for x0, y0, x1, y1 in (path[0], path[-1]):
        rows, columns = (
            np.round(np.array(pair) * 128).astype(int) for pair in ((y0, y1), (x0, x1))
        )
        inside[rows[0] : rows[1], columns[0] : columns[1]] = True
    assert changed.any()
    assert not (changed & ~inside).any()


def test_a_worse_film_is_the_real_one_made_worse():
    plan = of_skill("object").plan
    film = worse(lambda frame, rng: blur(frame, 2.0))(plan, 1, gates=True, image_grounding=True)
    np.testing.assert_array_equal(film[0][5], blur(real_film(plan, 1)[0][5], 2.0))


@pytest.mark.parametrize("gates", [True, False])
def test_it_takes_what_a_generator_takes(gates):
    plan = of_skill("object").plan
    film = real_film(plan, 0, gates=gates, image_grounding=False, num_frames=2)
    assert film[0].shape[0] == 2
