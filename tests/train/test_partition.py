"""Which parameters learn: the paper's counts at full size, and rules that leave nothing out."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from vdjax.errors import UserError
from vdjax.ground.tokens import init_net
from vdjax.model.hf import Autoencoder
from vdjax.model.params import TEMPORAL, fill_params, init_unet, leaf_shapes
from vdjax.model.unet3d import UNet3D
from vdjax.train.partition import Counted, counted, joined, partition, table
from vdjax.weights.presets import Preset

FUSERS = 211_213_152  # of ModelScope's 16 spatial transformers, context 1024


def shapes(preset):
    key = jax.random.key(0)
    return {
        "unet": jax.eval_shape(partial(init_unet, preset.unet), key),
        "net": jax.eval_shape(partial(init_net, preset.grounding), key),
    }


def size(tree):
    return sum(prod(leaf.shape) for leaf in flatten_dict(tree).values())


@pytest.fixture(scope="module")
def full():
    return shapes(Preset.videodirectorgpt())


@pytest.fixture(scope="module")
def autoencoder():
    """How many parameters the autoencoder has, which the paper's shares are counted of, too."""
    config = Preset.videodirectorgpt().autoencoder
    with jax.numpy_dtype_promotion("standard"):
        return sum(map(prod, leaf_shapes(Autoencoder(config).init).values()))


@pytest.fixture(scope="module")
def toy():
    return fill_params(shapes(Preset.toy()))


@pytest.mark.parametrize(("rule", "percent"), [("paper", 13), ("guided", 27)])
def test_the_shares_are_those_of_the_papers_table(full, autoencoder, rule, percent):
    found = counted(full, rule, besides=autoencoder)
    assert found.trained + found.frozen == size(full)
    assert round(100 * found.share) == percent


def test_the_paper_trains_its_gated_layers_and_its_grounding_net(full):
    trained, frozen = partition(full, "paper")
    assert size(trained["unet"]) == FUSERS
    assert size(trained["net"]) == size(full["net"]) == 2_527_808
    assert size(frozen["unet"]) == 1_411_233_860  # ModelScope's network
    assert all("fuser" in path for path in flatten_dict(trained["unet"]))


def test_lvd_has_as_many_gated_parameters_and_a_net_of_texts(full):
    trained, _ = partition(shapes(Preset.lvd()), "paper")
    assert (size(trained["unet"]), size(trained["net"])) == (FUSERS, 1_346_624)


def test_all_of_guided_attention_is_what_the_spatial_blocks_hold(full):
    paper, guided = (partition(full, rule)[0] for rule in ("paper", "guided"))
    more = set(flatten_dict(guided)) - set(flatten_dict(paper))
    assert {path[4] for path in more} == {"attn1", "attn2", "ff", "norm1", "norm2", "norm3"}
    assert {path[2].rpartition("_")[0] for path in more} == {"attentions"}
    assert len({path[:3] for path in more}) == 16


@pytest.mark.parametrize("rule", ["paper", "guided", "full", 0.01, 0.05, "0.5", 0.9, 1])
def test_every_parameter_is_on_one_side_and_joining_brings_all_back(toy, rule):
    trained, frozen = partition(toy, rule)
    here, there = flatten_dict(trained), flatten_dict(frozen)
    assert not set(here) & set(there)
    assert here
    again = flatten_dict(joined(trained, frozen))
    assert {path: id(leaf) for path, leaf in again.items()} == {
        path: id(leaf) for path, leaf in flatten_dict(toy).items()
    }


@pytest.mark.parametrize("share", [0.02, 0.05, 0.13, 0.3, 0.5, 0.66, 0.9])
def test_a_share_is_met_as_nearly_as_whole_modules_allow(full, share):
    found = counted(full, share)
    # The largest module, a feed-forward's block of 1280 channels, has 2 % of all.
    assert found.share == pytest.approx(share, abs=0.012)


def test_shares_grow_in_the_order_of_the_rules(full):
    sets = [set(flatten_dict(partition(full, s)[0])) for s in (0.03, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0)]
    for less, more in pairwise(sets):
        assert less < more
    for rule in ("paper", "guided"):
        share = counted(full, rule).share
        assert set(flatten_dict(partition(full, share)[0])) == set(
            flatten_dict(partition(full, rule)[0])
        )
    assert sets[-1] == set(flatten_dict(full))
    temporal = {path for path in sets[-1] if any(part.startswith(TEMPORAL) for part in path)}
    assert temporal
    assert not temporal & sets[4]


def test_a_small_share_has_the_grounding_net_and_the_finest_gates(full):
    trained, _ = partition(full, 0.05)
    assert set(flatten_dict(trained["net"])) == set(flatten_dict(full["net"]))
    gated = {path[:2] for path in flatten_dict(trained["unet"])}
    assert {("down_blocks_0", f"attentions_{i}") for i in range(2)} <= gated
    assert {("up_blocks_3", f"attentions_{i}") for i in range(3)} <= gated
    assert ("mid_block", "attentions_0") not in gated
    assert len(gated) == 11  # of 16


@pytest.mark.parametrize("rule", ["papers", "0", 0.0, -1.0, 1.5, "nan", "lora", "lora:", "lora:0"])
def test_a_rule_that_is_none_is_refused(toy, rule):
    with pytest.raises(UserError, match=r"rule .* is unknown|a number above zero"):
        partition(toy, rule)


@pytest.mark.parametrize("tree", [{}, {"vae": {"w": np.zeros(2)}}])
def test_a_tree_of_something_else_is_refused(tree):
    with pytest.raises(UserError, match="give a tree of unet and net"):
        partition(tree, "paper")


def test_the_table_says_what_each_rule_comes_to(toy):
    rows = table(toy, ["paper", 0.5, "full"], besides=1000).splitlines()[2:]
    whole = size(toy) + 1000
    for row, rule in zip(rows, ["paper", 0.5, "full"], strict=True):
        trained = size(partition(toy, rule)[0])
        share = f"{100 * trained / whole:.1f} %"
        assert row == f"| {rule} | {trained:,} | {whole:,} | {share} |"
    assert Counted("x", 1, 2, 1).share == 0.25


# --- adapters ------------------------------------------------------------------------------------


def test_adapters_at_first_change_nothing(toy):
    trained, frozen = partition(toy, "lora:4")
    before, after = flatten_dict(toy), flatten_dict(joined(trained, frozen))
    assert before.keys() == after.keys()
    for path in before:
        np.testing.assert_array_equal(before[path], after[path])


def test_adapters_stand_beside_every_spatial_projection_and_no_other(toy):
    trained, frozen = partition(toy, "lora:4")
    assert set(trained) == {"lora"}
    assert size(frozen) == size(toy)
    for path, leaf in flatten_dict(trained["lora"]).items():
        kernel = flatten_dict(toy["unet"])[*path[:-1], "kernel"]
        assert leaf.shape == {"down": (kernel.shape[0], 4), "up": (4, kernel.shape[1])}[path[-1]]
    found = {path[:-1] for path in flatten_dict(trained["lora"])}
    wanted = {
        path[:-1]
        for path in flatten_dict(toy["unet"])
        if path[-3:-2] in (("attn1",), ("attn2",))
        and path[-2].startswith("to_")
        and path[-1] == "kernel"
        if "fuser" not in path and not path[1].startswith("temp") and path[0] != "transformer_in"
    }
    assert found == wanted
    assert len(found) == 8 * 7  # four projections, twice, in each spatial transformer


def test_adapters_alone_learn_and_what_they_learn_is_added_for_export(toy):
    """Every gradient but that of `down`, which `up` still hides, is there at the first step."""
    config = Preset.toy().unet
    trained, frozen = partition(toy, "lora:2", seed=3)
    rng = np.random.default_rng(0)
    latents = jnp.asarray(rng.normal(size=(1, 1, 8, 8, 4)), jnp.float32)
    text = jnp.asarray(rng.normal(size=(1, 3, 32)), jnp.float32)

    def output(params):
        given = latents, jnp.array([500]), text
        return UNet3D(config).apply({"params": params}, *given, video=False)

    def loss(trained):
        return (output(joined(trained, frozen)["unet"]) ** 2).mean()

    grads = jax.jit(jax.grad(loss))(trained)
    for path, gradient in flatten_dict(grads).items():
        assert (np.abs(gradient).max() > 0) == (path[-1] == "up"), path
    moved = jax.tree_util.tree_map(
        lambda x, g: x - 0.1 * g / jnp.abs(g).max().clip(1e-9), trained, grads
    )
    exported = joined(moved, frozen)["unet"]
    changed = {
        path
        for path, leaf in flatten_dict(exported).items()
        if not np.array_equal(leaf, flatten_dict(toy["unet"])[path])
    }
    assert changed == {(*path[1:-1], "kernel") for path in flatten_dict(trained)}
    path = next(path for path in sorted(flatten_dict(trained)) if path[-1] == "up")
    flat = flatten_dict(moved)
    product = np.asarray(flat[*path[:-1], "down"]) @ np.asarray(flat[path])
    start = np.asarray(flatten_dict(toy["unet"])[*path[1:-1], "kernel"])
    np.testing.assert_allclose(
        flatten_dict(exported)[*path[1:-1], "kernel"], start + product, atol=1e-6
    )


def test_adapters_of_another_seed_begin_elsewhere(toy):
    one, other = (flatten_dict(partition(toy, "lora:2", seed=s)[0]) for s in (0, 1))
    for path in one:
        assert np.array_equal(one[path], other[path]) == (path[-1] == "up")


@pytest.mark.parametrize(
    ("rule", "message"),
    [("lora:33", "rank 33 .* use a rank of up to 32"), ("lora:two", "as in lora:8")],
)
def test_a_rank_that_cannot_be_is_refused(toy, rule, message):
    with pytest.raises(UserError, match=message):
        partition(toy, rule)


def test_a_network_without_attention_has_nothing_to_adapt():
    with pytest.raises(UserError, match="no spatial attention"):
        partition({"unet": {"conv_in": {"kernel": np.zeros((3, 3, 4, 8))}}}, "lora:2")
