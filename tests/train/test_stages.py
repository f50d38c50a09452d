"""Every stage of a system as small as the parts allow: trained for three steps, shipped, loaded."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import vdjax
from vdjax.data.prepare import close_up
from vdjax.data.storybook import BACKGROUNDS, NAMES, StorybookWorld
from vdjax.errors import UserError
from vdjax.ground.tokens import GroundingNet
from vdjax.model.boxes import picture_width
from vdjax.model.hf import CLIP, Autoencoder
from vdjax.model.params import PICTURES, fill_params, init_unet, merge_params, split_params
from vdjax.model.unet3d import UNet3D, UNet3DConfig
from vdjax.systems import loaded
from vdjax.train import autoencoder, stages, workers
from vdjax.train.autoencoder import AutoencoderStage
from vdjax.train.cache import MAX_ENTITIES, NOBODY, Samples, cached_samples, fingerprint
from vdjax.train.clip import ANY, CLIPStage
from vdjax.train.guided import GuidedStage, emphasis_inside, opened
from vdjax.train.prior import PriorStage
from vdjax.train.rows import StorybookRows
from vdjax.train.ship import ship
from vdjax.train.stage import Schedule
from vdjax.train.state import create_state, in_dtype, make_train_step
from vdjax.weights import presets
from vdjax.weights.presets import Preset
from vdjax.weights.store import load_tree, save_tree, verify

pytestmark = pytest.mark.loose_dtypes

TOY = Preset.toy()
WAVES = 2  # of the pictures in its tokens
GROUNDING = replace(TOY.grounding, carry_boxes=True, picture_waves=WAVES, picture_hidden_width=16)
UNET = UNet3DConfig(
    sample_size=8,
    block_out_channels=(8,),
    attention=(False,),  # but at the bottom, where it always is
    text_width=32,
    grounding_width=GROUNDING.width + picture_width(WAVES) + 4,
    head_dim=8,
    norm_num_groups=4,
    box_geometry=True,
    picture_waves=WAVES,
)
TINY = replace(TOY, name="tiny", unet=UNET, grounding=GROUNDING, shared_noise=0.5)
FILE = "weights.safetensors"
COUNTS = {"image": 5, "clip": 2}
OPTIONS = {"steps": 3, "batch_size": 2, "learning_rate": 1e-2, "warmup_steps": 0}
TOKENIZER = Path(loaded.__file__).with_name("toy_tokenizer.json")
TEMPORAL, GATED = ("transformer_in", "temp_convs", "temp_attentions"), ("fuser",)


def _random_unet(config, key):
    """In place of `init_unet`, which compiles hundreds of small programs."""
    return fill_params(jax.eval_shape(partial(init_unet, config), key))


@pytest.fixture(scope="module")
def here():
    """This process does all the work, compiles quickly rather than well, and knows the preset."""
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        patch.setattr(workers.os, "cpu_count", lambda: 2)
        patch.setitem(presets.PRESETS, "tiny", lambda: TINY)
        patch.setattr(stages, "init_unet", _random_unet)
        jax.config.update("jax_disable_most_optimizations", True)
        yield
        jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def ground(here, tmp_path_factory):
    """A runs folder that holds what the chain stands on, made of random numbers."""
    runs = tmp_path_factory.mktemp("train") / "runs"
    toy = vdjax.load("toy")
    scaled = replace(TOY.autoencoder, scaling_factor=2.5)
    save_tree(runs / "autoencoder" / FILE, toy.params["autoencoder"], asdict(scaled))
    save_tree(runs / "clip" / FILE, toy.params["clip"], asdict(TOY.clip))
    save_tree(runs / "detector" / FILE, {"finder": {"w": np.ones(3, np.float32)}}, {"seed": 0})
    shutil.copyfile(TOKENIZER, runs / "clip" / "tokenizer.json")
    return runs


CHAIN = ("backbone", "motion", "prior", "pictures", "guided")


@pytest.fixture(scope="module")
def chain(ground):
    """The stages that read encoded samples, one after another: (runs folder, what they said)."""
    lines = []
    for name in CHAIN:
        path = stages.run(
            name, runs=ground, preset="tiny", samples=COUNTS, report=lines.append, **OPTIONS
        )
        assert path == ground / name / FILE
    return ground, lines


@pytest.fixture(scope="module")
def shipped(chain, tmp_path_factory):
    """The chain's weights, shipped: (their folder, the sizes that were told)."""
    folder = tmp_path_factory.mktemp("ship") / "tiny"
    return folder, ship(chain[0], folder, "tiny")


def flat(tree):
    """Leaves by their path: "down_blocks_0/resnets_0/conv1/kernel"."""
    return {"/".join(path): np.asarray(leaf) for path, leaf in flatten_dict(tree).items()}


def trained(runs, stage):
    return flat(load_tree(runs / stage / FILE)[0])


def is_one_of(path, modules):
    return any(part.startswith(modules) for part in path.split("/"))


def changed(before, after):
    return {path for path, leaf in after.items() if not np.array_equal(leaf, before[path])}


# --- the chain -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("preset", "left_out"), [("tiny", ()), ("toy", ("pictures",))])
def test_all_is_every_stage_in_order(monkeypatch, here, ground, preset, left_out):
    """Each is built when those before it are done, for it stands on them; pictures, where there
    are any."""
    seen = []

    class Stage:
        def __init__(self, name, schedule):
            self.name, self.schedule = name, schedule

    def run_stage(stage, folder, **options):
        seen.append((stage.name, folder.name, stage.schedule))
        return folder / FILE

    monkeypatch.setattr(stages, "run_stage", run_stage)
    monkeypatch.setattr(stages.Workshop, "stage", lambda self, name, plan: Stage(name, plan))
    last = stages.run("all", runs=ground, preset=preset, steps=7, batch_size=None)
    assert last == ground / "detector" / FILE
    assert [name for name, _, _ in seen] == [folder for _, folder, _ in seen]
    assert [name for name, _, _ in seen] == [s for s in stages.STAGES if s not in left_out]
    for name, _, schedule in seen:
        assert schedule == replace(stages.SCHEDULES[name], steps=7)


def test_every_stage_of_the_chain_was_trained(chain):
    runs, lines = chain
    told = [line.split(":")[0] for line in lines if " trained parameters, " in line]
    assert tuple(told) == CHAIN
    for name in CHAIN:
        lines = (runs / name / "log.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        assert [entry["step"] for entry in entries] == [1, 2, 3]
        assert np.isfinite([entry["loss"] for entry in entries]).all()


@pytest.mark.parametrize("part", ["autoencoder", "clip"])
def test_the_first_stages_can_be_stepped(here, ground, part):
    """Their whole step is traced: shapes and dtypes agree from the batch to the next state."""
    workshop = stages.Workshop(ground, TINY, COUNTS, print)
    stage = workshop.stage(part, replace(stages.SCHEDULES[part], batch_size=4))
    params = vdjax.load("toy").params[part]
    frozen = {"lpips": autoencoder.load_lpips()} if part == "autoencoder" else {}
    state = create_state(params, stage.schedule)
    with jax.numpy_rank_promotion("allow"):  # LPIPS is code of others, which needs it
        step = make_train_step(stage.loss, stage.schedule)
        after, metrics = jax.eval_shape(step, state, frozen, stage.batch(0))
    assert jax.tree_util.tree_map(lambda x: (x.shape, x.dtype), state) == (
        jax.tree_util.tree_map(lambda x: (x.shape, x.dtype), after)
    )
    assert {metric.shape for metric in metrics.values()} == {()}


def test_the_autoencoder_measures_the_scale_of_its_latents(here):
    params = vdjax.load("toy").params["autoencoder"]
    stage = AutoencoderStage(config=TOY.autoencoder, schedule=stages.SCHEDULES["autoencoder"])
    tree, config = stage.export(params, {})
    assert tree is params
    frames = np.stack([stage.world.image(i).frames[0] for i in range(64)]).astype(np.float32)
    encoder = Autoencoder(replace(TOY.autoencoder, scaling_factor=config["scaling_factor"]))
    latents = jax.jit(encoder.encode)(params, frames / 127.5 - 1.0)
    assert float(latents.std()) == pytest.approx(1.0, rel=1e-3)
    assert config["scaling_factor"] != 1.0


def test_the_backbone_learns_what_sees_single_frames_and_no_gates(chain):
    start = flat(_random_unet(UNET, jax.random.key(0)))
    found = trained(chain[0], "backbone")
    spatial = {path for path in start if not is_one_of(path, TEMPORAL + GATED)}
    assert set(found) == spatial
    kernels = {path for path in spatial if path.endswith("kernel")}
    assert kernels <= changed(start, found)


def test_motion_learns_the_temporal_layers_alone(chain):
    before = {**flat(_random_unet(UNET, jax.random.key(0))), **trained(chain[0], "backbone")}
    found = trained(chain[0], "motion")
    temporal = {path for path in before if is_one_of(path, TEMPORAL)}
    assert set(found) == temporal | set(trained(chain[0], "backbone"))
    moved = changed(before, found)
    assert moved <= temporal
    assert {path for path in temporal if path.endswith("kernel")} <= moved


def fresh_net():
    """The grounding net as the seed of every schedule makes it."""
    blank = loaded.blank_grounding(TINY, 1, 1)
    return flat(GroundingNet(GROUNDING).init(jax.random.key(0), blank)["params"])


def test_pictures_learns_what_makes_them_and_keeps_the_rest_of_the_net(chain):
    start, found = fresh_net(), trained(chain[0], "pictures")
    assert set(found) == set(start)
    pictures = {path for path in found if is_one_of(path, PICTURES)}
    assert changed(start, found) == pictures
    _, config = load_tree(chain[0] / "pictures" / FILE)
    assert config == asdict(GROUNDING)


def test_guided_goes_on_from_the_pictures_and_leaves_them_alone(chain):
    begun = trained(chain[0], "pictures")
    guided = load_tree(chain[0] / "guided" / FILE)[0]
    found = flat(guided["net"])
    assert set(found) == set(begun)
    pictures = {path for path in found if is_one_of(path, PICTURES)}
    assert pictures
    moved = changed(begun, found)
    assert not moved & pictures
    assert {path for path in found if path.endswith("kernel")} - pictures <= moved


def test_pictures_are_after_the_guided_stage_what_they_were_before_it(chain):
    """Seen from outside: all that they are made from is as it was, too."""
    given = replace(
        loaded.blank_grounding(TINY, 1, 1),
        boxes=jnp.tile(jnp.array([0.1, 0.2, 0.7, 0.9]), (1, 1, 8, 1)),
        present=jnp.ones((1, 1, 8), bool),
        text=jnp.eye(8, 32)[None],
        image=jnp.eye(8, 32)[None],
        has_text=jnp.arange(8)[None] < 6,
        has_image=jnp.arange(8)[None] > 2,
    )
    nets = (load_tree(chain[0] / name / FILE)[0] for name in ("pictures", "guided"))
    before, after = (
        np.asarray(GroundingNet(GROUNDING).apply({"params": net}, given))[..., GROUNDING.width :]
        for net in (next(nets), next(nets)["net"])
    )
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_guided_learns_the_gated_layers_and_the_grounding_net_alone(chain):
    found = trained(chain[0], "guided")
    unet = {path.removeprefix("unet/"): x for path, x in found.items() if path.startswith("unet/")}
    net = {path for path in found if path.startswith("net/")}
    assert set(found) == net | {f"unet/{path}" for path in unet}
    start = flat(opened(split_params(_random_unet(UNET, jax.random.key(0)), GATED)[0], 0.5))
    assert set(unet) == set(start)
    assert all(is_one_of(path, GATED) for path in unet)
    moved = changed(start, unet)
    assert {path for path in unet if path.endswith("kernel")} <= moved
    assert {path for path in unet if "alpha_attn" in path} <= moved
    assert {"net/null_text_feature", "net/null_image_feature", "net/null_position_feature"} <= net


def test_the_prior_learns_from_the_pictures_of_the_cache(chain):
    found = trained(chain[0], "prior")
    samples = np.load(chain[0] / "cache" / "train_image.npz")
    pictures = np.concatenate([samples["images"][samples["names"] != NOBODY], samples["backdrops"]])
    np.testing.assert_allclose(found["clip_mean"], pictures.astype(np.float32).mean(0), atol=1e-6)
    np.testing.assert_allclose(found["clip_std"], pictures.astype(np.float32).std(0), atol=2e-4)


def test_latents_are_encoded_once_for_all_stages_that_read_them(chain):
    encoded = [line for line in chain[1] if line.startswith("encoding ")]
    assert [line.split(":")[0] for line in encoded] == [
        "encoding train images",
        "encoding train clips",
    ]


# --- where the grounding net begins --------------------------------------------------------------


@pytest.fixture
def runs(chain, tmp_path):
    """What the chain left, but for the pictures and the guided layers."""
    left = shutil.ignore_patterns("pictures", "guided", "checkpoints")
    return shutil.copytree(chain[0], tmp_path / "runs", ignore=left)


@pytest.fixture
def known(shipped, monkeypatch):
    """The preset ships, as the chain trained it."""
    monkeypatch.setattr(stages, "shipped_folder", lambda name: shipped[0])
    return shipped[0]


def built(name, runs, *, warm_start=False):
    """(the stage of that name, what it begins with)."""
    workshop = stages.Workshop(runs, TINY, COUNTS, print, warm_start)
    stage = workshop.stage(name, Schedule(**OPTIONS))
    return stage, workshop.start(name, stage) if warm_start else None


def assert_same_leaves(found, expected):
    assert set(found) == set(expected)
    for path, leaf in expected.items():
        np.testing.assert_array_equal(found[path], leaf)


@pytest.mark.parametrize("warm_start", [False, True])
def test_the_guided_stage_begins_with_the_net_of_the_pictures_run(chain, known, warm_start):
    """Its own, not the one that shipped: here numbers tell them apart by their precision."""
    stage, start = built("guided", chain[0], warm_start=warm_start)
    begun = trained(chain[0], "pictures")
    assert_same_leaves(flat(stage.grounding_start), begun)
    if warm_start:
        assert_same_leaves(flat(start["net"]), begun)
        shipped = load_tree(known / "guided.safetensors")[0]["unet"]
        assert_same_leaves(flat(start["unet"]), flat(shipped))


def test_the_guided_stage_waits_for_pictures_even_where_some_ship(runs, known):
    call = partial(stages.run, "guided", runs=runs, preset="tiny", samples=COUNTS, **OPTIONS)
    line = refusal(call)
    assert line.startswith(f"{runs / 'pictures' / FILE} is missing")
    assert f"`vdjax train pictures --runs {runs}`" in line


def test_a_warm_start_begins_with_the_net_that_shipped(runs, known):
    shipped = flat(load_tree(known / "guided.safetensors")[0]["net"])
    for name in ("pictures", "guided"):
        stage, start = built(name, runs, warm_start=True)
        assert_same_leaves(flat(stage.grounding_start), shipped)
        assert_same_leaves(flat(start["net"] if name == "guided" else start), shipped)


def test_pictures_begin_afresh_where_none_shipped(runs, known, tmp_path, monkeypatch):
    tree, config = load_tree(known / "guided.safetensors")
    older = split_params(tree["net"], PICTURES)[1]
    save_tree(tmp_path / "older" / "guided.safetensors", {**tree, "net": older}, config)
    monkeypatch.setattr(stages, "shipped_folder", lambda name: tmp_path / "older")
    fresh = {path: x for path, x in fresh_net().items() if is_one_of(path, PICTURES)}
    for name in ("pictures", "guided"):
        stage, _ = built(name, runs, warm_start=True)
        assert_same_leaves(flat(stage.grounding_start), {**fresh, **flat(older)})


def test_pictures_trained_further_begin_with_those_that_shipped(runs, known):
    options = {**OPTIONS, "steps": 1, "learning_rate": 0.0, "samples": COUNTS}
    lines = []
    path = stages.run(
        "pictures", runs=runs, preset="tiny", warm_start=True, report=lines.append, **options
    )
    shipped = flat(load_tree(known / "guided.safetensors")[0]["net"])
    assert_same_leaves(flat(load_tree(path)[0]), shipped)
    count = sum(leaf.size for name, leaf in shipped.items() if is_one_of(name, PICTURES))
    assert lines[0] == f"pictures: {count:,} parameters begin where earlier weights end"


# --- from runs to the weights that ship ----------------------------------------------------------


def test_weights_ship_in_half_precision_with_checksums(shipped):
    folder, sizes = shipped
    parts = {f"{part}.safetensors" for part in (*loaded.PARTS, "detector")}
    assert set(sizes) == parts
    assert {path.name for path in folder.iterdir()} == parts | {"manifest.json", "tokenizer.json"}
    assert verify(folder) == []
    for name, size in sizes.items():
        assert (folder / name).stat().st_size == size
        tree, _ = load_tree(folder / name)
        assert {leaf.dtype for leaf in flat(tree).values()} == {np.dtype(np.float16)}


def test_what_shipped_is_what_was_trained(chain, shipped):
    model = vdjax.load(shipped[0])
    runs = chain[0]
    scale = load_tree(runs / "autoencoder" / FILE)[1]["scaling_factor"]
    assert model.preset == replace(
        TINY, autoencoder=replace(TINY.autoencoder, scaling_factor=scale)
    )
    guided = trained(runs, "guided")
    expected = {
        "unet": {
            **trained(runs, "motion"),
            **{k.removeprefix("unet/"): v for k, v in guided.items() if k.startswith("unet/")},
        },
        "net": {k.removeprefix("net/"): v for k, v in guided.items() if k.startswith("net/")},
        **{part: trained(runs, part) for part in ("autoencoder", "clip", "prior")},
    }
    assert set(model.params) == set(expected)
    for part, leaves in expected.items():
        found = flat(model.params[part])
        assert set(found) == set(leaves)
        for path, leaf in leaves.items():
            assert found[path].dtype == np.float32
            np.testing.assert_array_equal(found[path], leaf.astype(np.float16))
    assert (model.tokenizer(["a cat"])[0] != 0).sum() > 2


def test_what_shipped_makes_tokens_that_its_network_reads(shipped):
    """Token, picture and box: as wide as the loaded preset says."""
    model = vdjax.load(shipped[0])
    nobody = loaded.blank_grounding(model.preset, 1, 1)
    somebody = replace(
        nobody,
        boxes=nobody.boxes.at[..., 0, :].set(jnp.array([0.0, 0.25, 0.5, 1.0])),
        present=nobody.present.at[..., 0].set(True),
    )
    one, none = model.ground(somebody), model.ground(nobody)
    assert one.shape[-1] == model.preset.unet.grounding_width
    assert np.asarray(one)[0, 0, 0, GROUNDING.width : -4].any()
    assert not np.asarray(none)[..., GROUNDING.width :].any()


@pytest.mark.parametrize(("part", "file"), [("prior", "prior"), ("motion", "unet")])
def test_one_stage_trained_further_replaces_its_own_part(chain, shipped, tmp_path, part, file):
    folder, runs = tmp_path / "tiny", tmp_path / "runs"
    shutil.copytree(shipped[0], folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    was, _ = load_tree(folder / f"{file}.safetensors")
    tree, config = load_tree(chain[0] / part / FILE)
    doubled = jax.tree_util.tree_map(lambda x: 2 * x, tree)
    save_tree(runs / part / FILE, doubled, config)
    ship(runs, folder, "tiny")
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {
        f"{file}.safetensors",
        "manifest.json",
    }
    assert verify(folder) == []
    for path, leaf in flat(load_tree(folder / f"{file}.safetensors")[0]).items():
        # Of the UNet, the motion stage trains the temporal layers.
        factor = 2 if part == "prior" or is_one_of(path, TEMPORAL) else 1
        # The smallest halves are rounded on their way, before they are doubled or after.
        np.testing.assert_allclose(leaf, factor * flat(was)[path], rtol=1e-3, atol=1e-7)


def test_nothing_ships_without_runs(tmp_path):
    with pytest.raises(UserError, match=r"is missing .* run `vdjax train autoencoder`"):
        ship(tmp_path / "runs", tmp_path / "out", "toy")
    assert not (tmp_path / "out").exists()


# --- what cannot be trained ----------------------------------------------------------------------


def refusal(call):
    with pytest.raises(UserError) as refused:
        call()
    (line,) = str(refused.value).splitlines()
    return line


def test_an_unknown_stage_is_refused(tmp_path):
    line = refusal(lambda: stages.run("everything", runs=tmp_path / "runs"))
    assert "stage 'everything' is unknown" in line
    assert all(name in line for name in (*stages.STAGES, "all"))
    assert not (tmp_path / "runs").exists()


def test_an_unknown_preset_is_refused(tmp_path):
    assert "'huge'" in refusal(lambda: stages.run("clip", runs=tmp_path, preset="huge"))


def test_a_preset_without_pictures_has_none_to_train(tmp_path):
    line = refusal(lambda: stages.run("pictures", runs=tmp_path / "runs", preset="toy", **OPTIONS))
    assert "'toy' has no pictures" in line
    assert "`guided`" in line
    assert not (tmp_path / "runs").exists()


def test_a_stage_without_what_it_stands_on_names_it(here, chain, tmp_path):
    call = partial(stages.run, "guided", runs=tmp_path, preset="tiny", **OPTIONS)
    assert f"`vdjax train clip --runs {tmp_path}`" in refusal(call)
    shutil.copytree(chain[0] / "clip", tmp_path / "clip")
    assert f"`vdjax train autoencoder --runs {tmp_path}`" in refusal(call)


def test_presets_that_do_not_ship_cannot_be_trained_further(here, tmp_path):
    assert "'tiny'" in refusal(
        lambda: stages.run("autoencoder", runs=tmp_path, preset="tiny", warm_start=True, **OPTIONS)
    )


# --- the cache of samples ------------------------------------------------------------------------


@pytest.fixture
def encode(here, tmp_path):
    """Samples of the training world by the toy system, through a cache in `tmp_path`."""
    toy = vdjax.load("toy")
    lines = []

    def cached(count=3, source="a", **replaced):
        world = replaced.get("world", StorybookWorld(split="train", size=64, num_frames=4))
        del lines[:]
        samples = cached_samples(
            tmp_path,
            world,
            replaced.get("kind", "image"),
            count,
            Autoencoder(TOY.autoencoder),
            toy.params["autoencoder"],
            CLIP(TOY.clip),
            toy.params["clip"],
            toy.tokenizer,
            source,
            report=lines.append,
        )
        return samples, list(lines)

    return cached


def assert_same_samples(a, b):
    for name in Samples.__annotations__:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype


def test_samples_are_the_worlds(encode):
    samples, _ = encode()
    toy, world = vdjax.load("toy"), StorybookWorld(split="train", size=64, num_frames=4)
    assert len(samples) == 3
    assert samples.latents.shape == (3, 1, 8, 8, 4)
    for i in range(3):
        clip = world.image(i)
        there = len(clip.names)
        assert [NAMES[n] for n in samples.names[i, :there]] == list(clip.names)
        assert (samples.names[i, there:] == NOBODY).all()
        np.testing.assert_array_equal(samples.boxes[i, :there], clip.boxes.astype(np.float16))
        np.testing.assert_array_equal(samples.visible[i, :there], clip.visible)
        assert not samples.visible[i, there:].any()
        assert BACKGROUNDS[samples.backgrounds[i]] == clip.background
        np.testing.assert_array_equal(samples.ids[i], toy.tokenizer([clip.caption])[0])
        # The first entity and the backdrop, as the loaded model sees them.
        near = close_up(clip.frames[0], clip.boxes[0, 0], TOY.clip.image_size)
        seen = np.asarray(toy.embed_pictures([near]))[0]
        np.testing.assert_allclose(samples.images[i, 0], seen, atol=2e-3)
        assert not samples.images[i, there:].any()
        lengths = np.linalg.norm(samples.backdrops[i].astype(np.float32))
        assert lengths == pytest.approx(1, abs=1e-2)


def test_a_cache_is_read_again_and_made_anew_where_it_differs(encode, tmp_path):
    first, said = encode()
    assert said[-1].startswith("encoding train images: 3/3")

    class Unread(StorybookWorld):
        def image(self, index):
            raise AssertionError("the cache was there")

    again, said = encode(world=Unread(split="train", size=64, num_frames=4))
    assert said == []
    assert_same_samples(first, again)
    fewer, said = encode(count=2)
    assert said
    assert len(fewer) == 2
    _, said = encode(count=2, source="b")
    assert said
    _, said = encode(count=2, source="b")
    assert said == []
    (tmp_path / "train_image.json").unlink()  # the cache of a run that was killed while writing
    _, said = encode(count=2, source="b")
    assert said
    assert {path.name for path in tmp_path.iterdir()} == {"train_image.npz", "train_image.json"}


@pytest.mark.parametrize("file", ["train_image.npz", "train_image.json"])
def test_a_damaged_cache_is_named_and_made_again(encode, tmp_path, file):
    first, _ = encode(count=2)
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2])
    again, (damage, *said) = encode(count=2)
    assert damage.startswith(f"{tmp_path / 'train_image.npz'} is damaged (")
    assert said[-1].startswith("encoding train images: 2/2")
    assert_same_samples(first, again)


def test_fingerprints_tell_files_apart(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1"), two.write_bytes(b"2")
    assert fingerprint(one, two) == fingerprint(one, two)
    assert len({fingerprint(one), fingerprint(two), fingerprint(one, two)}) == 3


def test_a_close_up_is_the_square_around_the_box():
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[40:60, 30:70] = 255
    seen = close_up(frame, np.array([0.3, 0.4, 0.7, 0.6]), 50)
    assert seen.shape == (50, 50, 3)
    white = seen[..., 0] > 127
    rows, columns = np.flatnonzero(white.any(1)), np.flatnonzero(white.any(0))
    # 40 of 44.8 pixels wide, 20 of 44.8 high: the margin is around it, its aspect is kept.
    assert columns[-1] - columns[0] + 1 == pytest.approx(50 * 40 / 44.8, abs=1)
    assert rows[-1] - rows[0] + 1 == pytest.approx(50 * 20 / 44.8, abs=1)
    assert rows.mean() == pytest.approx(24.5, abs=1)


# --- batches, and what they leave out ------------------------------------------------------------


@pytest.fixture(scope="module")
def samples():
    """Sixteen made-up samples of two entities at most; embeddings tell whose they are."""
    rng = np.random.default_rng(0)
    names = np.full((16, MAX_ENTITIES), NOBODY, np.int16)
    names[:, 0] = np.arange(16)
    names[8:, 1] = 40
    visible = np.zeros((16, MAX_ENTITIES, 1), bool)
    visible[:, :2] = True  # also where nobody is: such a place must not be taken for somebody
    images = np.zeros((16, MAX_ENTITIES, 4), np.float16)
    images[:, 0, 0] = np.arange(16)
    return Samples(
        latents=rng.normal(size=(16, 1, 8, 8, 4)).astype(np.float16),
        ids=np.arange(16, dtype=np.int16)[:, None] + np.zeros((16, 5), np.int16),
        names=names,
        boxes=rng.uniform(size=(16, MAX_ENTITIES, 1, 4)).astype(np.float16),
        visible=visible,
        images=images,
        backgrounds=(np.arange(16) % len(BACKGROUNDS)).astype(np.int16),
        backdrops=np.full((16, 4), -1, np.float16),
    )


@pytest.fixture
def guided(samples):
    return GuidedStage(
        preset=TINY,
        schedule=Schedule(steps=1, batch_size=4000, learning_rate=1e-3),
        data=StorybookRows(
            samples,
            np.tile(np.arange(len(NAMES), dtype=np.float32)[:, None], (1, 4)),
            np.tile(100 + np.arange(len(BACKGROUNDS), dtype=np.float32)[:, None], (1, 4)),
        ),
        text_params={},
        start={},
        grounding_start={},
        empty_ids=np.full(5, 99, np.int32),
    )


def test_guided_batches_show_each_entity_with_its_own_box_and_embeddings(guided, samples):
    batch = guided.batch(0)
    who = batch["image"][:, 0, 0].astype(int)  # the row of each sample, told by its first image
    assert set(who) == set(range(16))
    np.testing.assert_array_equal(batch["latents"], samples.latents[who])
    np.testing.assert_array_equal(batch["text"][:, 0, 0], who)
    np.testing.assert_array_equal(batch["text"][who >= 8, 1, 0], 40)
    np.testing.assert_array_equal(batch["text"][:, -1, 0], 100 + who % len(BACKGROUNDS))
    assert (batch["image"][:, -1] == -1).all()
    assert (batch["boxes"][:, 0, -1] == [0, 0, 1, 1]).all()
    np.testing.assert_array_equal(batch["boxes"][:, 0, 0], samples.boxes[who, 0, 0])
    present = batch["present"][:, 0]
    kept = present[:, -1]  # the background is there unless all grounding is dropped
    np.testing.assert_array_equal(present[:, 0], kept)
    np.testing.assert_array_equal(present[:, 1], kept & (who >= 8))
    assert not present[:, 2:-1].any()


def test_guided_batches_leave_out_what_gligens_do(guided):
    batch = guided.batch(0)
    captioned = (batch["ids"][:, 0] != 99).mean()
    grounded = batch["present"][:, 0, -1].mean()
    text, image = batch["has_text"], batch["has_image"]
    assert captioned == pytest.approx(0.5, abs=0.04)
    assert grounded == pytest.approx(0.9, abs=0.03)
    assert (text | image).all()  # nobody loses both
    assert (text & image).mean() == pytest.approx(0.5, abs=0.02)
    assert text.mean() == pytest.approx(0.75, abs=0.02)
    assert image.mean() == pytest.approx(0.75, abs=0.02)


def test_the_loss_heeds_cells_inside_present_boxes_more():
    # A box over the left half, the same box of somebody absent, and the background's.
    boxes = jnp.tile(jnp.array([[0.0, 0, 0.5, 1], [0.5, 0, 1, 1], [0, 0, 1, 1]]), (2, 1, 1, 1))
    present = jnp.array([[[True, False, True]], [[False, False, True]]])
    weights = emphasis_inside(boxes, present, 4, 4, 2.0)
    assert weights.shape == (2, 1, 4, 4, 1)
    assert float(weights.mean()) == pytest.approx(1.0)
    inside, outside = weights[0, :, :, :2], weights[0, :, :, 2:]
    np.testing.assert_allclose(inside, 3 * outside, rtol=1e-6)
    np.testing.assert_allclose(weights.mean(axis=(1, 2, 3, 4)), 1.0, rtol=1e-6)
    np.testing.assert_allclose(weights[1], 1.0, rtol=1e-6)  # nobody there


def test_a_step_has_the_same_batch_again_and_another_step_another(guided):
    one, again, other = guided.batch(3), guided.batch(3), guided.batch(4)
    for name, value in one.items():
        np.testing.assert_array_equal(value, again[name])
    assert (one["ids"] != other["ids"]).any()
    assert (one["has_text"] != other["has_text"]).any()


def test_the_prior_is_shown_each_picture_with_its_own_word(samples):
    stage = PriorStage(
        preset=TINY,
        schedule=Schedule(steps=1, batch_size=1, learning_rate=1e-3),
        samples=samples,
        text_embeddings=np.zeros((len(NAMES) + len(BACKGROUNDS) + 1, 4), np.float32),
        text_states=np.zeros((len(NAMES) + len(BACKGROUNDS) + 1, 5, 4), np.float32),
    )
    texts, pictures = stage._pairs()
    assert len(texts) == len(pictures) == 16 + 8 + 16
    first = pictures[:, 0] > 0  # those made of `images[:, 0]`, but the first, whose number is 0
    np.testing.assert_array_equal(texts[first], pictures[first, 0])
    places = pictures[:, 1] == -1
    np.testing.assert_array_equal(texts[places], len(NAMES) + samples.backgrounds)
    rows = np.concatenate([stage.batch(step)["rows"] for step in range(600)])
    assert set(rows) == set(range(40))


def test_clip_sees_close_ups_backgrounds_and_scenes(tmp_path):
    shutil.copyfile(TOKENIZER, tmp_path / "tokenizer.json")
    stage = CLIPStage(
        config=TOY.clip,
        schedule=Schedule(steps=1, batch_size=16, learning_rate=1e-3),
        tokenizer_path=tmp_path / "tokenizer.json",
    )
    batch = stage.batch(0)
    assert batch["images"].shape == (16, 16, 16, 3)
    assert batch["images"].dtype == np.uint8
    subject, look, told = batch["subject"], batch["look"], batch["told_look"]
    assert (subject[:14] < len(NAMES)).all()
    assert (look[:14] != ANY).all()
    assert ((told[:14] == ANY) | (told[:14] == look[:14])).all()
    assert (look[14:] == ANY).all()
    assert subject[14] >= 1000
    assert len(NAMES) <= subject[15] < len(NAMES) + len(BACKGROUNDS)
    place = BACKGROUNDS[subject[15] - len(NAMES)]
    np.testing.assert_array_equal(batch["ids"][15], stage.tokenizer([place])[0])


# --- gates ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    """The UNet with random numbers in every leaf, its inputs, and the function it computes."""
    params = _random_unet(UNET, jax.random.key(0))
    rng = np.random.default_rng(1)
    shapes = {
        "latents": (2, 1, 8, 8, 4),
        "text": (2, 3, 32),
        "grounding": (2, 1, 2, UNET.grounding_width),
    }
    given = {
        name: jnp.asarray(rng.normal(size=shape), jnp.float32) for name, shape in shapes.items()
    }

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def run(params, grounding):
        return UNet3D(UNET).apply(
            {"params": params},
            given["latents"],
            jnp.array([10, 700]),
            given["text"],
            grounding,
            video=False,
        )

    return params, given["grounding"], run


def test_opened_gates_leave_the_function_of_the_network_unchanged(network):
    params, grounding, run = network
    gated, rest = split_params(params, GATED)
    open_ = merge_params(opened(gated, 0.5), rest)
    plain = run(params, None)
    assert np.abs(run(params, grounding) - plain).max() > 1e-2  # the gates do matter
    np.testing.assert_allclose(run(open_, grounding), plain, atol=1e-6)


def test_opened_gates_are_open_and_only_what_they_let_out_is_zero(network):
    gated, _ = split_params(network[0], GATED)
    before, after = flat(gated), flat(opened(gated, 0.5))
    assert set(before) == set(after)
    for path, leaf in after.items():
        if "alpha_" in path:
            assert leaf == 0.5
        elif "/to_out/" in path or "/net_2/" in path:
            assert not leaf.any()
        else:
            np.testing.assert_array_equal(leaf, before[path])


@pytest.mark.parametrize("name", ["backbone", "guided"])
def test_remat_computes_a_unets_levels_twice(chain, name):
    """Traced, not run: `test_unet3d` holds the numbers against each other."""
    runs = chain[0]

    def convolutions(remat: str | None) -> int:
        schedule = Schedule(steps=1, batch_size=2, learning_rate=1e-3, remat=remat)
        stage = stages.Workshop(runs, TINY, COUNTS, print).stage(name, schedule)
        gradient = jax.grad(lambda *given: stage.loss(*given)[0])
        key = jax.random.key(0)
        program = jax.make_jaxpr(gradient)(*stage.init(), stage.batch(0), key)
        return str(program).count("conv_general_dilated[")

    assert convolutions("nothing_saveable") > convolutions(None)


@pytest.mark.parametrize("name", ["backbone", "guided"])
def test_the_loss_is_the_mean_of_the_losses_of_its_rows(chain, name):
    """With what it draws beside them: so it may be cut, for devices or for parts."""
    schedule = Schedule(steps=1, batch_size=4, learning_rate=1e-3)
    stage = stages.Workshop(chain[0], TINY, COUNTS, print).stage(name, schedule)
    params, frozen = stage.init()
    key, batch = jax.random.key(7), stage.batch(0)
    loss = jax.jit(stage.loss)
    by_itself, _ = loss(params, frozen, batch, key)
    drawn = {**batch, **stage.draw(key, batch)}
    given, _ = loss(params, frozen, drawn, key)
    assert float(given) == pytest.approx(float(by_itself), rel=1e-5)
    rows = [{name: x[i : i + 1] for name, x in drawn.items()} for i in range(4)]
    parts = [float(loss(params, frozen, row, key)[0]) for row in rows]
    assert np.mean(parts) == pytest.approx(float(given), rel=1e-5)
    assert len(set(parts)) == 4


def test_the_guided_unet_computes_in_the_precision_asked_for(chain):
    def convolutions(precision: str) -> set[str]:
        schedule = Schedule(steps=1, batch_size=2, learning_rate=1e-3, precision=precision)
        stage = stages.Workshop(chain[0], TINY, COUNTS, print).stage("guided", schedule)
        both = in_dtype(stage.init(), precision)
        program = str(jax.make_jaxpr(stage.loss)(*both, stage.batch(0), jax.random.key(0)))
        return set(re.findall(r":(\w+)\[[^\]]*\] = conv_general_dilated", program))

    assert convolutions("bfloat16") == {"bf16"}
    assert convolutions("float32") == {"f32"}
