"""The system under measure: its name tells weights and settings apart; its gates can be off."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.evaluate.generator import Generator, generator
from vdjax.evaluate.layout import Render
from vdjax.systems.loaded import load
from vdjax.systems.videodirectorgpt import film

pytestmark = pytest.mark.loose_dtypes


@pytest.fixture(scope="module")
def toy():
    with jax.numpy_dtype_promotion("standard"):
        return Generator(model=load("toy"), steps=2)  # of which alpha guides one


def test_is_what_the_measure_asks_for(toy):
    assert isinstance(toy, Render)


def test_name_tells_settings_apart(toy):
    names = {toy.name, replace(toy, steps=3).name, replace(toy, guidance=1.5).name}
    assert len({*names, replace(toy, scheduler="ddim").name}) == 4


def test_name_tells_weights_apart(toy):
    params = jax.tree_util.tree_map(np.array, toy.model.params)
    assert replace(toy, model=replace(toy.model, params=params)).name == toy.name
    leaf = next(leaf for leaf in jax.tree_util.tree_leaves(params) if leaf.size)
    leaf.flat[0] += 1
    assert replace(toy, model=replace(toy.model, params=params)).name != toy.name


def test_without_gates_is_the_film_that_no_layout_guides(toy, plan):
    scene = plan.replace(scenes=plan.scenes[:1], groups=None)
    films = [toy(scene, 3, gates=gates, image_grounding=True)[0] for gates in (True, False)]
    assert (films[0] != films[1]).any()
    unguided = film(scene, seed=3, steps=2, alpha=0.0, preset=toy.model).frames[0]
    assert (films[1] == unguided).all()


def test_frames_of_another_size_are_refused():
    with pytest.raises(UserError, match="64 × 64"):
        generator("toy")
