"""What is held out is enough, balanced, and never seen in training."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from vdjax.data.storybook import LOOKS, NAMES, StorybookWorld
from vdjax.data.storybook.splits import (
    held_out_combinations,
    held_out_pairs,
    train_looks,
)
from vdjax.errors import UserError

pytestmark = pytest.mark.usefixtures("few_backgrounds")


def test_enough_pairs_are_held_out_and_evenly():
    pairs = held_out_pairs()
    assert len(pairs) / (len(NAMES) * len(LOOKS)) >= 0.15
    assert set(Counter(look for _, look in pairs).values()) == {10}
    assert max(Counter(name for name, _ in pairs).values()) == 1
    for name in NAMES:
        assert len(train_looks(name)) >= 3
        assert all((name, look) not in pairs for look in train_looks(name))


def test_about_a_tenth_of_the_combinations_is_held_out():
    apart = held_out_combinations()
    assert all(len(pair) == 2 and pair <= set(NAMES) for pair in apart)
    assert 0.08 < len(apart) / len(list(combinations(NAMES, 2))) < 0.12


def test_what_is_held_out_never_changes():
    # Weights are trained against this list; a change here makes their figures meaningless.
    assert sorted(held_out_pairs())[:3] == [
        ("airplane", "noto"),
        ("apple", "twemoji"),
        ("ball", "fluent"),
    ]
    assert len(held_out_combinations()) == 215
    assert frozenset(("cat", "palm tree")) in held_out_combinations()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_training_never_shows_what_is_held_out(split):
    world = StorybookWorld(split, size=32, num_frames=4)
    for index in range(150):
        for sample in (world.image(index), *([world.clip(index)] if index % 3 == 0 else [])):
            assert sample.held_out == ()
            assert not set(zip(sample.names, sample.looks, strict=True)) & held_out_pairs()
            met = {frozenset(pair) for pair in combinations(set(sample.names), 2)}
            assert not met & held_out_combinations()
        _, name, look, _ = world.crop(index)
        assert (name, look) not in held_out_pairs()


def test_held_out_samples_exercise_what_they_say():
    world = StorybookWorld("held_out", size=32, num_frames=4)
    seen = Counter()
    for index in range(150):
        for sample in (world.image(index), *([world.clip(index)] if index % 4 == 0 else [])):
            assert len(sample.held_out) == 1
            seen[sample.held_out[0]] += 1
            met = {frozenset(pair) for pair in combinations(set(sample.names), 2)}
            shown = set(zip(sample.names, sample.looks, strict=True))
            assert bool(shown & held_out_pairs()) == ("pair" in sample.held_out)
            assert bool(met & held_out_combinations()) == ("combination" in sample.held_out)
        _, name, look, _ = world.crop(index)
        assert (name, look) in held_out_pairs()
    assert min(seen[kind] for kind in ("pair", "combination", "form")) > 40


def test_every_training_pair_and_no_other_comes_up():
    world = StorybookWorld("train")
    seen, met = set(), set()
    for seed in range(8000):
        chosen = world._names_and_looks(np.random.default_rng(seed), None)
        seen |= set(chosen)
        met |= {frozenset(pair) for pair in combinations({name for name, _ in chosen}, 2)}
    assert len(seen) == 256 - len(held_out_pairs())
    assert not seen & held_out_pairs()
    assert len(met) > 1600
    assert not met & held_out_combinations()


def test_splits_draw_from_different_streams():
    first, second = (StorybookWorld(split, size=32).image(0) for split in ("train", "validation"))
    assert not np.array_equal(first.frames, second.frames)


def test_unknown_split_is_refused():
    with pytest.raises(UserError, match="split 'test' is not known; choose one of train"):
        StorybookWorld("test")
