"""A key has one rule, a leaf one key; whatever is in the way is named, all of it at once."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.errors import WeightsError
from vdjax.weights.convert.rules import (
    CHANGES,
    Rule,
    changed_shape,
    conv,
    expected_shapes,
    linear,
    norm,
    original_shape,
    plan_conversion,
    under,
)

RULES = (
    *under("{way:down|up}_blocks.{i}.resnets.{j}", "{way}_blocks_{i}/resnets_{j}", conv("conv1")),
    *linear("time.linear_{n}", "time/linear_{n}"),
    *norm("norm"),
    Rule("alpha", "alpha"),
    Rule("position_ids", "", "drop"),
)
WANTED = {
    "down_blocks_0/resnets_0/conv1/kernel": (3, 3, 4, 8),
    "down_blocks_0/resnets_0/conv1/bias": (8,),
    "up_blocks_12/resnets_3/conv1/kernel": (3, 3, 8, 4),
    "up_blocks_12/resnets_3/conv1/bias": (4,),
    "time/linear_1/kernel": (2, 5),
    "time/linear_1/bias": (5,),
    "norm/scale": (4,),
    "norm/bias": (4,),
    "alpha": (),
}
SHAPES = expected_shapes(RULES, WANTED)

# Shapes that each change takes; a window's sides are those that the networks have.
SIDE = st.integers(1, 5)
SHAPES_OF = {
    "as is": st.lists(SIDE, max_size=4).map(tuple),
    "drop": st.lists(SIDE, max_size=4).map(tuple),
    "linear": st.tuples(SIDE, SIDE),
    "conv": st.tuples(SIDE, SIDE, SIDE, SIDE),
    "temporal conv": st.tuples(SIDE, SIDE, SIDE, st.just(1), st.just(1)),
    "conv as linear": st.tuples(SIDE, SIDE, st.just(1), st.just(1)),
    "conv1d as linear": st.tuples(SIDE, SIDE, st.just(1)),
    "row": st.tuples(st.just(1), SIDE),
}


def test_every_change_is_tried():
    assert SHAPES_OF.keys() == CHANGES.keys()


@given(data=st.data(), change=st.sampled_from(sorted(CHANGES)))
def test_a_change_can_be_taken_back(data, change):
    shape = data.draw(SHAPES_OF[change])
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    there = CHANGES[change].forward(x)
    assert there.shape == changed_shape(shape, change)
    assert original_shape(there.shape, change) == shape
    np.testing.assert_array_equal(CHANGES[change].back(there), x)
    assert there.size == 0 or np.shares_memory(there, x)


def test_layouts_mean_the_same_arithmetic():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(5, 3)), rng.normal(size=3)
    np.testing.assert_allclose(x @ CHANGES["linear"].forward(weight), weight @ x)
    window = rng.normal(size=(5, 3, 2, 4))
    assert CHANGES["conv"].forward(window)[1, 3, 2, 4] == window[4, 2, 1, 3]
    time = rng.normal(size=(5, 3, 2, 1, 1))
    assert CHANGES["temporal conv"].forward(time)[1, 0, 2, 4] == time[4, 2, 1, 0, 0]


@pytest.mark.parametrize(
    ("change", "shape"),
    [
        ("conv as linear", (5, 3, 2, 2)),
        ("temporal conv", (5, 3, 3, 3, 3)),
        ("linear", (5,)),
        ("conv", (5, 3)),
    ],
)
def test_a_change_of_another_kind_of_tensor_is_none(change, shape):
    assert changed_shape(shape, change) is None


@given(i=st.integers(0, 99), j=st.integers(0, 99), way=st.sampled_from(["down", "up"]))
def test_a_match_leads_there_and_back(i, j, way):
    key = f"{way}_blocks.{i}.resnets.{j}.conv1.weight"
    (leaf,) = [leaf for rule in RULES if (leaf := rule.match(key)) is not None]
    assert leaf == f"{way}_blocks_{i}/resnets_{j}/conv1/kernel"
    assert [key] == [found for rule in RULES if (found := rule.key_of(leaf)) is not None]


@given(key=st.text(st.sampled_from("down_blocks.0resnt1cv/weight"), max_size=45))
def test_nothing_else_matches(key):
    if re.fullmatch(r"down_blocks\.\d+\.resnets\.\d+\.conv1\.(weight|bias)", key) is None:
        assert all(rule.match(key) is None for rule in RULES[:2])


def test_rules_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="change 'turn' is none of"):
        Rule("a", "b", "turn")
    with pytest.raises(ValueError, match="different placeholders"):
        Rule("a.{i}", "a_{j}")


def test_a_plan_moves_everything_once():
    moves = plan_conversion({**SHAPES, "position_ids": (1, 77)}, RULES, WANTED)
    assert [move.leaf for move in moves] == list(WANTED)
    assert {move.key: move.shape for move in moves} == SHAPES
    assert {move.leaf: move.leaf_shape for move in moves} == WANTED


@given(st.data())
def test_all_that_is_in_the_way_is_said_at_once(data):
    """Any keys taken away, added or misshapen are each counted, in one error."""
    keys = st.sets(st.sampled_from(sorted(SHAPES)), max_size=3)
    missing = data.draw(keys)
    misshapen = data.draw(keys) - missing
    unknown = data.draw(st.sets(st.sampled_from(["a.weight", "b.weight", "norm.scale"])))
    shapes = {key: shape for key, shape in SHAPES.items() if key not in missing}
    shapes |= {key: (*SHAPES[key], 7) for key in misshapen} | dict.fromkeys(unknown, (1,))
    if not (missing or misshapen or unknown):
        assert len(plan_conversion(shapes, RULES, WANTED)) == len(WANTED)
        return
    with pytest.raises(WeightsError) as caught:
        plan_conversion(shapes, RULES, WANTED)
    for keys, say in (
        (missing, r"(\d+) keys? missing: "),
        (misshapen, r"(\d+) keys? of another shape: "),
        (unknown, r"(\d+) keys? that no rule knows: "),
    ):
        found = re.search(say, str(caught.value))
        assert (int(found[1]) if found else 0) == len(keys)
        assert all(key in str(caught.value) for key in keys)


def test_many_faults_are_counted_and_a_few_shown():
    with pytest.raises(WeightsError, match=r"30 keys that no rule knows: x0, x1, x2, x3 …$"):
        plan_conversion({**SHAPES, **{f"x{i}": (1,) for i in range(30)}}, RULES, WANTED)


def test_a_key_of_two_rules_is_named_with_both():
    rules = (*RULES, Rule("norm.{kind:weight|scale}", "other/{kind}"))
    with pytest.raises(
        WeightsError,
        match=r"1 keys? that several rules claim: norm\.weight \(norm\.weight and norm\.\{kind:",
    ):
        plan_conversion(SHAPES, rules, WANTED)


def test_two_keys_of_one_leaf_are_named():
    rules = (*RULES, Rule("gate", "alpha"))
    with pytest.raises(WeightsError, match=r"meant for one place: alpha and gate → alpha"):
        plan_conversion({**SHAPES, "gate": ()}, rules, WANTED)


def test_a_leaf_that_is_not_wanted_is_too_much():
    with pytest.raises(WeightsError, match=r"1 key too many: time\.linear_2\.bias$"):
        plan_conversion({**SHAPES, "time.linear_2.bias": (5,)}, RULES, WANTED)


def test_a_leaf_that_no_rule_leads_to_is_missing_by_its_own_name():
    with pytest.raises(WeightsError, match=r"1 key missing: new/kernel$"):
        plan_conversion(SHAPES, RULES, {**WANTED, "new/kernel": (1,)})
    with pytest.raises(ValueError, match="0 rules lead to new/kernel"):
        expected_shapes(RULES, {"new/kernel": (1,)})
