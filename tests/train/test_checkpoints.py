"""Training state on disk: the newest whole checkpoint counts, one of another make is refused."""

from __future__ import annotations

import gc
import resource
import shutil
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.errors import OutputError, UserError
from vdjax.train.checkpoints import Checkpoints
from vdjax.train.stage import Schedule
from vdjax.train.state import TrainState, create_state

# What orbax gave up, when it could not read or write, ends after it has left, with nobody to tell.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _ends_here():
    """And it ends in the test that it belongs to."""
    yield
    gc.collect()


CONFIG = {"config": {"width": 3, "sizes": [1, 2]}, "seed": 0}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


@pytest.fixture
def keeper(folder):
    """Open the checkpoints of the folder; what was opened is closed in the end."""
    opened = []

    def open_(config=CONFIG, **options):
        opened.append(Checkpoints(folder, config, **options))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def state_at(step: int, width: int = 3) -> TrainState:
    """A state in which every number tells the step, or comes from noise, so that files are large
    where it is wide."""
    noise = np.random.default_rng(0).normal(size=(2, width)).astype(np.float32)
    params = {"layer": {"w": jnp.asarray(noise), "b": jnp.zeros(3)}, "gate": jnp.float32(0.5)}
    state = create_state(params, Schedule(steps=9, batch_size=1, learning_rate=1e-3, seed=4))
    state = jax.tree_util.tree_map(
        lambda leaf: leaf + jnp.asarray(step, leaf.dtype), replace(state, key=jnp.uint32([0, 0]))
    )
    return replace(state, step=jnp.int32(step), key=jnp.uint32([7, step]))


def saved(keeper, *steps, width=3, **options):
    """Save these steps and close, as a run that ends."""
    checkpoints = keeper(**options)
    for step in steps:
        checkpoints.save(state_at(step, width), step, samples=8 * step)
    checkpoints.close()


def restored(keeper, width=3, **options):
    state, samples = keeper(**options).restore(state_at(0, width))
    assert samples == 8 * int(state.step)
    return state


def assert_same(a, b):
    assert jax.tree_util.tree_structure(a) == jax.tree_util.tree_structure(b)
    for x, y in zip(jax.tree_util.tree_leaves(a), jax.tree_util.tree_leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def test_an_empty_folder_has_nothing(keeper):
    assert keeper().restore(state_at(0)) is None


def test_a_state_comes_back_as_it_was(keeper):
    saved(keeper, 5)
    assert_same(restored(keeper), state_at(5))


def test_the_newest_counts_and_two_are_kept(keeper, folder):
    saved(keeper, 2, 9, 10, 11)  # ten comes after nine, whatever the alphabet says
    assert {path.name for path in folder.iterdir()} == {"10", "11"}
    assert_same(restored(keeper), state_at(11))


def test_some_are_kept_for_good(keeper, folder):
    saved(keeper, *range(1, 10), keep_every=3)
    assert {path.name for path in folder.iterdir()} == {"3", "6", "8", "9"}


def test_a_step_that_is_there_is_not_written_again(keeper, folder):
    saved(keeper, 5)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    saved(keeper, 5)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_is_saved_while_training_goes_on_is_what_was_given(keeper):
    """Writing goes on behind the caller's back; the next steps reuse the state's memory."""
    checkpoints, width = keeper(), 1 << 20
    state = state_at(3, width)
    checkpoints.save(state, 3, samples=24)
    advance = jax.jit(lambda s: jax.tree_util.tree_map(lambda x: x + x, s), donate_argnums=0)
    for _ in range(5):
        state = advance(state)
    jax.block_until_ready(state)
    checkpoints.close()
    assert_same(restored(keeper, width), state_at(3, width))


def test_a_state_on_the_host_comes_back_to_the_host(keeper):
    """As copies of pmap's are kept: one of them, in numpy."""
    host = jax.tree_util.tree_map(np.asarray, state_at(4))
    checkpoints = keeper()
    checkpoints.save(host, 4, samples=32)
    checkpoints.close()
    found, _ = keeper().restore(host)
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree_util.tree_leaves(found))
    assert_same(found, host)
    assert_same(restored(keeper), state_at(4))  # and to a device, for whom that is asked


def test_checkpoints_of_before_samples_were_counted_are_read(keeper, folder):
    saved(keeper, 5)
    shutil.rmtree(folder / "5" / "data")
    (folder / "5" / "checksums.json").unlink()
    state, samples = keeper().restore(state_at(0))
    assert samples is None
    assert_same(state, state_at(5))


def test_what_a_killed_run_was_writing_does_not_count(keeper, folder):
    saved(keeper, 4)
    (folder / "4").rename(folder / "8.orbax-checkpoint-tmp")
    saved(keeper, 6)
    (folder / "7.orbax-checkpoint-tmp-12").mkdir()
    assert_same(restored(keeper), state_at(6))


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
    assert "or another folder" in line
    assert_same(restored(keeper), state_at(5))  # it is still there


# --- damage --------------------------------------------------------------------------------------

WIDE = 1 << 14


def heaviest(checkpoint):
    return max(checkpoint.rglob("*"), key=lambda path: path.stat().st_size * path.is_file())


def truncated(checkpoint):
    path = heaviest(checkpoint)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(checkpoint):
    heaviest(checkpoint).write_bytes(b"")


def overwritten(checkpoint):
    path = heaviest(checkpoint)
    path.write_bytes(np.random.default_rng(1).bytes(path.stat().st_size))


def flipped(checkpoint):
    """One bit, in the middle of the parameters: orbax alone reads it back without a word."""
    path = heaviest(checkpoint)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def removed(checkpoint):
    heaviest(checkpoint).unlink()


def without_state(checkpoint):
    shutil.rmtree(checkpoint / "state")


def without_config(checkpoint):
    shutil.rmtree(checkpoint / "config")


def hollow(checkpoint):
    """What is left when even the checksums are gone."""
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()


DAMAGES = [truncated, emptied, overwritten, flipped, removed, without_state, without_config, hollow]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(keeper, folder, damage):
    saved(keeper, 3, 6, width=WIDE)
    damage(folder / "6")
    lines = []
    checkpoints = keeper(report=lines.append)
    state, samples = checkpoints.restore(state_at(0, WIDE))
    assert samples == 24
    assert_same(state, state_at(3, WIDE))
    (line,) = lines
    assert line.startswith(f"checkpoint {folder}/6 is damaged (")
    assert line.endswith("): going back to step 3")
    # And the step is written anew when training comes to it.
    checkpoints.save(state_at(6, WIDE), 6, samples=48)
    checkpoints.close()
    assert_same(restored(keeper, WIDE), state_at(6, WIDE))


def test_where_all_are_damaged_nothing_begins_anew_in_silence(keeper, folder):
    saved(keeper, 3, 6, width=WIDE)
    truncated(folder / "3")
    removed(folder / "6")
    with pytest.raises(UserError) as refusal:
        keeper().restore(state_at(0, WIDE))
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(f"no checkpoint in {folder} can be read (6: state/")
    assert "is missing; 3: state/" in line
    assert {path.name for path in folder.iterdir()} == {"3", "6"}


def test_a_state_of_another_shape_is_not_taken_for_damage(keeper, folder):
    saved(keeper, 3, 6, width=4)
    with pytest.raises(UserError, match=r"no checkpoint in .* can be read"):
        keeper().restore(state_at(0, 5))
    assert {path.name for path in folder.iterdir()} == {"3", "6"}


# --- room ----------------------------------------------------------------------------------------


@pytest.fixture
def no_room():
    """Files may not grow beyond 16 kB from the call on, as on a full disk, until the test ends."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, former[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, former)


@pytest.mark.parametrize("told_by", ["check", "save", "close"])
def test_no_room_is_told_in_a_sentence_and_the_last_one_stays(keeper, folder, no_room, told_by):
    saved(keeper, 3, width=WIDE)
    checkpoints = keeper()
    no_room()
    with pytest.raises(OutputError) as full:
        checkpoints.save(state_at(6, WIDE), 6, samples=48)
        if told_by == "check":
            for _ in range(1000):
                time.sleep(0.01)
                checkpoints.check()
        elif told_by == "save":
            checkpoints.save(state_at(7, WIDE), 7, samples=56)
        checkpoints.close()
    (line,) = str(full.value).splitlines()
    assert line.startswith(f"cannot write checkpoint {folder}/6: no room left on the disk; step 3")
    checkpoints.close()  # told once
    assert {path.name for path in folder.iterdir()} == {"3"}
    assert_same(restored(keeper, WIDE), state_at(3, WIDE))


def test_trouble_in_writing_does_not_hide_what_ended_training(keeper, no_room):
    with pytest.raises(KeyError, match="first"), keeper() as checkpoints:
        no_room()
        checkpoints.save(state_at(6, WIDE), 6, samples=48)
        raise KeyError("first")
