"""Training state on disk: the newest whole checkpoint counts, one of another make is refused."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.train.checkpoints import Checkpoints
from vdjax.train.stage import Schedule
from vdjax.train.state import TrainState, create_state

CONFIG = {"config": {"width": 3, "sizes": [1, 2]}, "seed": 0}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


@pytest.fixture
def keeper(folder):
    """Open the checkpoints of the folder; what was opened is closed in the end."""
    opened = []

    def open_(config=CONFIG):
        opened.append(Checkpoints(folder, config))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def state_at(step: int) -> TrainState:
    """A state in which every number tells the step."""
    params = {"layer": {"w": jnp.ones((2, 3)), "b": jnp.zeros(3)}, "gate": jnp.float32(0.5)}
    state = create_state(params, Schedule(steps=9, batch_size=1, learning_rate=1e-3, seed=4))
    state = jax.tree_util.tree_map(
        lambda leaf: leaf + jnp.asarray(step, leaf.dtype), replace(state, key=jnp.uint32([0, 0]))
    )
    return replace(state, step=jnp.int32(step), key=jnp.uint32([7, step]))


def saved(keeper, *steps, config=CONFIG):
    """Save these steps and close, as a run that ends."""
    checkpoints = keeper(config)
    for step in steps:
        checkpoints.save(state_at(step))
    checkpoints.close()


def assert_same(a, b):
    assert jax.tree_util.tree_structure(a) == jax.tree_util.tree_structure(b)
    for x, y in zip(jax.tree_util.tree_leaves(a), jax.tree_util.tree_leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def test_an_empty_folder_has_nothing(keeper):
    assert keeper().restore(state_at(0)) is None


def test_a_state_comes_back_as_it_was(keeper):
    saved(keeper, 5)
    assert_same(keeper().restore(state_at(0)), state_at(5))


def test_the_newest_counts_and_two_are_kept(keeper, folder):
    saved(keeper, 2, 9, 10, 11)  # ten comes after nine, whatever the alphabet says
    assert {path.name for path in folder.iterdir()} == {"10", "11"}
    assert_same(keeper().restore(state_at(0)), state_at(11))


def test_what_is_saved_while_training_goes_on_is_what_was_given(keeper):
    """Writing goes on behind the caller's back; the next step may reuse the state's memory."""
    checkpoints = keeper()
    state = state_at(3)
    checkpoints.save(state)
    advance = jax.jit(lambda s: jax.tree_util.tree_map(lambda x: x + x, s), donate_argnums=0)
    advance(state)
    checkpoints.close()
    assert_same(keeper().restore(state_at(0)), state_at(3))


def test_what_a_killed_run_was_writing_does_not_count(keeper, folder):
    saved(keeper, 4)
    (folder / "4").rename(folder / "8.orbax-checkpoint-tmp")
    saved(keeper, 6)
    (folder / "7.orbax-checkpoint-tmp-12").mkdir()
    assert_same(keeper().restore(state_at(0)), state_at(6))


@pytest.mark.parametrize(
    ("config", "differs"),
    [
        ({**CONFIG, "seed": 1}, "seed"),
        ({**CONFIG, "config": {"width": 4, "sizes": [1, 2]}}, "config"),
        ({**CONFIG, "crop": 64}, "crop"),
        ({"config": CONFIG["config"]}, "seed"),
        ({**CONFIG, "seed": 1, "config": {}}, "config, seed"),
    ],
    ids=["another value", "a nested one", "one more", "one less", "two"],
)
def test_a_checkpoint_of_another_make_is_refused(keeper, folder, config, differs):
    saved(keeper, 5)
    with pytest.raises(UserError) as refusal:
        keeper(config).restore(state_at(0))
    (line,) = str(refusal.value).splitlines()
    assert f"{folder}/5 was made with another configuration (differing: {differs})" in line
    assert "or another --runs folder" in line
    assert_same(keeper().restore(state_at(0)), state_at(5))  # it is still there
