"""The ablations' arithmetic and bookkeeping; a whole one is a matter of hours."""

from __future__ import annotations

import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from vdjax.errors import UserError
from vdjax.plan import plan
from vdjax.systems.loaded import load
from vdjax.train import ablate as module
from vdjax.train.ablate import (
    ABLATIONS,
    PAPER,
    ablate,
    format_table,
    over_seeds,
    placed,
    share_of,
)
from vdjax.train.guided import CENTRE_SIDE, Recipe
from vdjax.train.layout import layout_stage
from vdjax.train.partition import counted
from vdjax.train.stage import Schedule

SCHEDULE = Schedule(steps=1, batch_size=2, learning_rate=1e-3)


def test_an_interval_over_seeds_is_students():
    mean, low, high = over_seeds([0.4, 0.5, 0.6])
    assert mean == pytest.approx(0.5)
    assert high - mean == pytest.approx(4.302652729911275 * 0.1 / 3**0.5)  # t of two degrees
    assert mean - low == pytest.approx(high - mean)
    assert over_seeds([0.5, 0.5, 0.5]) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_has_the_papers_way_and_trains_it_once(name):
    arms = ABLATIONS[name]
    alike = [arm for arm in arms if arm.trained_as == PAPER]
    assert alike
    assert all(arm.recipe == Recipe() for arm in alike)
    assert len({arm.label for arm in arms}) == len(arms)
    own = [arm.folder for arm in arms if arm.trained_as is None and arm.learns]
    assert len({*own, alike[0].folder}) == len(own) + 1


def test_shares_of_the_table_are_rules_that_there_are():
    shapes = {"unet": {"down_blocks_0": {"w": np.zeros((2, 2))}}, "net": {"w": np.zeros(2)}}
    for arm in ABLATIONS["share"]:
        assert counted(shapes, arm.recipe.trained).trained > 0


@pytest.mark.parametrize("place", ["box", "centre", "none"])
def test_a_plan_is_told_as_training_was(place):
    made = plan("A cat walks from left to right on the beach")
    told = placed(made, place)
    before, after = (one.scenes[0].keyframes[0]["cat"] for one in (made, told))
    before, after = (tuple(np.ravel(list(box))) for box in (before, after))
    if place == "box":
        assert told == made
    elif place == "none":
        assert after == (0, 0, 1, 1)
    else:
        assert max(after[2] - after[0], after[3] - after[1]) <= CENTRE_SIDE + 1e-6
        assert (after[0] + after[2]) / 2 == pytest.approx((before[0] + before[2]) / 2, abs=0.16)


def test_a_table_says_what_was_measured_and_what_was_not():
    figures = {"iou": 0.5, "boxes filled": 0.25, "object": None, "movement": 1.0, "identity": 0.0}
    result = {
        "ablation": "tokens",
        "seeds": 3,
        "steps": 10,
        "batch_size": 4,
        "afresh": False,
        "plans": 6,
        "shares": {"told by text": 0.165},
        "arms": {"told by text": [figures] * 3},
    }
    head, titles, row = format_table(result).splitlines()
    assert "3 seeds, 10 steps of 4 from the gates that ship, 6 held-out plans" in head
    assert titles.split()[:3] == ["trained", "mean", "IoU"]
    assert row.split() == [
        "told",
        "by",
        "text",
        "16",
        "%",
        "0.50",
        "[0.50,",
        "0.50]",
        "0.25",
        "[0.25,",
        "0.25]",
        "–",
        "1.00",
        "[1.00,",
        "1.00]",
        "0.00",
        "[0.00,",
        "0.00]",
    ]


def test_wrong_questions_are_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "load", lambda name: pytest.fail("something was loaded"))
    with pytest.raises(UserError, match="'colour' is unknown: use one of share"):
        ablate("colour", tmp_path / "out")
    with pytest.raises(UserError, match="at least 3"):
        ablate("alpha", tmp_path / "out", seeds=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rule", ["0.05", "paper"])
def test_the_smallest_share_still_moves_what_layouts_pass_through(rule):
    """Frozen layers whose outputs are zero let nothing through, whatever learns behind them."""
    model = load("storybook")
    stage = layout_stage(model, SCHEDULE, [], Recipe(trained=rule))
    trained, frozen = stage.init()
    assert any({"fuser", "to_out"} <= set(path) for path in flatten_dict(trained["unet"]))
    assert set(flatten_dict(trained["net"])).isdisjoint(flatten_dict(frozen["net"]))
    assert share_of(stage) == pytest.approx(0.05 if rule == "0.05" else 0.17, abs=0.01)
