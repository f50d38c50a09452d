"""The watchers of layout training, on a network as small as the parts allow."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from PIL import Image

import vdjax
from vdjax.data.storybook import BACKGROUNDS, NAMES
from vdjax.errors import UserError
from vdjax.evaluate.detections import Detection
from vdjax.ground.tokens import init_net
from vdjax.inspect.attention import record_attention
from vdjax.inspect.gates import read_gates
from vdjax.model.params import fill_params, init_unet
from vdjax.model.unet3d import UNet3DConfig
from vdjax.train.cache import MAX_ENTITIES, NOBODY, Samples
from vdjax.train.guided import GuidedStage, Recipe, networks
from vdjax.train.loop import run_stage
from vdjax.train.partition import partition
from vdjax.train.rows import StorybookRows
from vdjax.train.stage import Schedule
from vdjax.train.watching.held_out import AT_ONCE, HeldOut, Painter
from vdjax.train.watching.sheet import CELL, COLUMNS, Row, contact_sheet, sheet_size
from vdjax.train.watching.watchers import Attention, Gates, Layouts, Sheets, layout_watchers
from vdjax.weights.presets import Preset

pytestmark = pytest.mark.loose_dtypes

TOY = Preset.toy()
UNET = UNet3DConfig(
    sample_size=8,
    block_out_channels=(8,),
    attention=(False,),  # but at the bottom, where it always is
    text_width=32,
    grounding_width=32,
    head_dim=8,
    norm_num_groups=4,
)
TINY = replace(TOY, name="tiny", unet=UNET, num_inference_steps=2)
COUNT = 6


def samples(count):
    """Made-up samples of a thing, or two, with boxes that differ."""
    rng = np.random.default_rng(0)
    names = np.full((count, MAX_ENTITIES), NOBODY, np.int16)
    names[:, 0] = np.arange(count)
    names[::2, 1] = 40
    boxes = np.zeros((count, MAX_ENTITIES, 1, 4), np.float16)
    boxes[:, 0, 0], boxes[:, 1, 0] = (0.0, 0.0, 0.5, 0.5), (0.5, 0.25, 1.0, 1.0)
    return Samples(
        latents=rng.normal(size=(count, 1, 8, 8, 4)).astype(np.float16),
        ids=rng.integers(3, 100, size=(count, 16)).astype(np.int16),
        names=names,
        boxes=boxes,
        visible=np.broadcast_to((names != NOBODY)[..., None], (*names.shape, 1)).copy(),
        images=rng.normal(size=(count, MAX_ENTITIES, 32)).astype(np.float16),
        backgrounds=(np.arange(count) % len(BACKGROUNDS)).astype(np.int16),
        backdrops=rng.normal(size=(count, 32)).astype(np.float16),
    )


def rows_of(count):
    rng = np.random.default_rng(1)
    words = (rng.normal(size=(len(x), 32)).astype(np.float32) for x in (NAMES, BACKGROUNDS))
    return StorybookRows(samples(count), *words)


@pytest.fixture(scope="module")
def quick():
    """Programs are compiled quickly rather than well."""
    with jax.numpy_dtype_promotion("standard"):
        jax.config.update("jax_disable_most_optimizations", True)
        yield
        jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def stage(quick):
    key = jax.random.key(0)
    unet = fill_params(jax.eval_shape(partial(init_unet, UNET), key))
    net = fill_params(jax.eval_shape(partial(init_net, TINY.grounding), key), seed=1)
    return GuidedStage(
        preset=TINY,
        schedule=Schedule(steps=3, batch_size=2, learning_rate=1e-2, warmup_steps=0),
        data=rows_of(8),
        text_params=vdjax.load("toy").params["clip"],
        start=unet,
        grounding_start=net,
        empty_ids=np.zeros(16, np.int32),
        recipe=Recipe(open_gate=None),
    )


@pytest.fixture(scope="module")
def halves(stage):
    """What is trained and what is frozen, the gates at one half, and all of it random."""
    return jax.tree_util.tree_map(np.asarray, stage.init())


@pytest.fixture(scope="module")
def held_out():
    return HeldOut.of(rows_of(COUNT), COUNT, np.zeros(16, np.int32))


@pytest.fixture(scope="module")
def decode():
    """Latents to small pictures without a network: one cell, one pixel."""

    def decode(latents):
        assert latents.shape == (AT_ONCE, 8, 8, 4)  # one shape, whatever is asked for
        return np.clip(127.5 + 60 * np.asarray(latents)[..., :3], 0, 255).astype(np.uint8)

    return decode


@pytest.fixture(scope="module")
def painter():
    return Painter(preset=TINY)


def with_gates(params, value):
    flat = flatten_dict(params)
    gates = {path: np.float32(value) for path in flat if "alpha_" in path[-1]}
    return unflatten_dict({**flat, **gates})


# --- what is held out ----------------------------------------------------------------------------


def test_held_out_layouts_are_whole_and_named(held_out):
    assert len(held_out) == COUNT
    assert held_out.rows["latents"].shape == (COUNT, 1, 8, 8, 4)
    assert held_out.rows["has_text"].all()
    assert held_out.rows["has_image"].all()
    assert held_out.entities[1] == (NAMES[1], *[""] * 6)
    assert held_out.boxes(2) == {NAMES[2]: [(0, 0, 0.5, 0.5)], NAMES[40]: [(0.5, 0.25, 1, 1)]}
    assert held_out.boxes(1) == {NAMES[1]: [(0, 0, 0.5, 0.5)]}
    few = held_out.first(2)
    assert len(few) == 2
    assert all(len(value) == 2 for value in few.rows.values())


def test_a_recipe_tells_its_layouts_and_true_boxes_stay(held_out):
    recipe = Recipe(told_by="text", place="none")
    told = HeldOut.of(rows_of(COUNT), 2, np.zeros(16, np.int32), recipe)
    assert (told.rows["boxes"] == [0, 0, 1, 1]).all()
    assert told.boxes(1) == held_out.boxes(1)
    assert not told.rows["has_image"].any()


def test_things_without_names_are_numbered_and_clips_are_seen_by_their_first_frame():
    class Others:
        """Another's data: nobody has told what stands where."""

        def __len__(self):
            return 3

        def rows(self, indices):
            one = rows_of(3).rows(indices)
            for name in ("latents", "boxes", "present"):
                one[name] = np.concatenate([one[name], 9 * one[name]], axis=1)
            return one

        def names(self, indices):
            return [f"picture {index}" for index in indices]

    found = HeldOut.of(Others(), 5, np.zeros(16, np.int32))
    assert found.titles == ("picture 0", "picture 1", "picture 2")
    assert found.entities[0][:3] == ("1", "2", "")
    assert found.rows["latents"].shape[1] == 1
    np.testing.assert_array_equal(found.rows["latents"], rows_of(3).rows(np.arange(3))["latents"])


def test_nothing_to_watch_is_refused():
    with pytest.raises(UserError, match="0 held-out layouts"):
        HeldOut.of(rows_of(3), 0, np.zeros(16, np.int32))


def test_networks_are_whole_again_whatever_part_of_them_learns(stage, halves):
    whole = {"unet": stage.start, "net": stage.grounding_start}
    wanted = jax.tree_util.tree_map(lambda x: x.shape, whole)
    for rule in ("paper", "guided", "full", "lora:2"):
        trained, frozen = partition(whole, rule)
        unet, net = networks(trained, {**frozen, "text": {}})
        assert jax.tree_util.tree_map(lambda x: x.shape, {"unet": unet, "net": net}) == wanted
    unet, _ = networks(*halves)  # a stage on still pictures holds no temporal layers
    assert set(unet) == set(stage.start) - {"transformer_in"}


# --- gates ---------------------------------------------------------------------------------------


def test_gates_are_told_layer_by_layer(halves):
    params, frozen = halves
    seen = Gates()(100, params, frozen)
    gates = read_gates(networks(params, frozen)[0])
    assert seen["gate/mid 0/attention"] == pytest.approx(gates[0].attention) == np.tanh(0.5)
    assert seen["gate/mid 0/dense"] == pytest.approx(gates[0].dense)
    assert seen["gate/mean"] == pytest.approx(np.tanh(0.5))
    assert Gates()(0, with_gates(params, -0.1), frozen)["gate/mean"] == pytest.approx(np.tanh(0.1))


# --- attention -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def attention(held_out):
    return Attention(preset=TINY, held_out=held_out)


def test_attention_at_random_is_near_chance_and_always_the_same(attention, halves):
    seen = attention(0, *halves)
    assert seen == attention(7, *halves)
    boxes = [0.25] * COUNT + [0.375] * 3
    assert seen["attention/chance"] == pytest.approx(np.mean(boxes))
    assert seen["attention/inside_low"] <= seen["attention/inside"] <= seen["attention/inside_high"]
    assert seen["attention/inside"] == pytest.approx(seen["attention/chance"], abs=0.05)
    levels = [seen[f"attention/inside/t{time}"] for time in (900, 600, 300)]
    assert seen["attention/inside"] == pytest.approx(np.mean(levels))


def test_attention_is_what_the_inspector_sees(monkeypatch, attention, halves, held_out):
    """Every map is of an entity's own token: maps that have all weight where that token's number
    says are found inside the box that lies there."""
    import vdjax.train.watching.watchers as module

    def looking(*arguments):
        record = record_attention(*arguments)
        maps = {name: np.full_like(heat, 1e-9) for name, heat in record.maps.items()}
        for heat in maps.values():
            heat[..., 0, 0, 0] = 1.0  # the first token is looked at from the upper left
            heat[..., -1, 0, 1] = 1.0  # the second from the lower left, outside its box
        return replace(record, maps=maps)

    monkeypatch.setattr(module, "record_attention", looking)
    seen = attention(0, *halves)
    assert seen["attention/inside"] == pytest.approx(COUNT / (COUNT + 3), abs=1e-5)


# --- samples -------------------------------------------------------------------------------------


def test_samples_follow_gates_and_nothing_else(painter, halves, held_out, decode):
    params, frozen = halves
    paint = partial(painter.paint, frozen=frozen, held_out=held_out, decode=decode)
    without = paint(params=params, gates=False)
    assert without.shape == (COUNT, 8, 8, 3)
    np.testing.assert_array_equal(
        paint(params=params, gates=True), paint(params=params, gates=True)
    )
    assert (paint(params=params, gates=True) != without).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(paint(params=with_gates(params, 0.0), gates=False), without)
    shut = paint(params=with_gates(params, 0.0), gates=True)
    assert np.abs(shut.astype(int) - without).max() <= 1


def test_a_layout_is_drawn_alike_in_any_company(painter, halves, held_out, decode):
    few = painter.paint(*halves, held_out.first(2), decode, gates=True)
    many = painter.paint(*halves, held_out, decode, gates=True)
    assert np.abs(few.astype(int) - many[:2]).max() <= 1


def test_sheets_have_their_size_and_change_with_the_network(
    painter, halves, held_out, decode, tmp_path
):
    params, frozen = halves
    few = held_out.first(2)
    sheets = Sheets(painter=painter, held_out=few, decode=decode, folder=tmp_path / "sheets")
    seen = sheets(500, params, frozen)
    assert 0 < seen["sheet/difference"] < 1
    assert sheets(1000, with_gates(params, 0.0), frozen)["sheet/difference"] < 1e-3
    one, other = (Image.open(tmp_path / "sheets" / f"step_{n:06d}.png") for n in (500, 1000))
    assert one.size == other.size
    assert one.size[0] == len(COLUMNS) * CELL + 2 * 12 + 2 * 16
    assert one.size[1] > 2 * CELL
    first = (16, 0, 16 + CELL, one.size[1])  # the pictures themselves do not change
    head = (0, 60, *one.size)
    assert np.array_equal(
        one.crop(first).crop((0, 60, CELL, 900)), other.crop(first).crop((0, 60, CELL, 900))
    )
    assert not np.array_equal(np.asarray(one.crop(head)), np.asarray(other.crop(head)))
    before = (tmp_path / "sheets" / "step_000500.png").read_bytes()
    sheets(500, params, frozen)
    assert (tmp_path / "sheets" / "step_000500.png").read_bytes() == before


def test_a_sheet_shows_each_picture_in_its_place_with_its_boxes():
    shades = [np.full((64, 64, 3), shade, np.uint8) for shade in (40, 120, 200)]
    rows = [Row(title="ein Ñame ☃", boxes={"cat": [(0.25, 0.5, 0.75, 1.0)]}, pictures=shades)] * 2
    legend = "what it shows " * 20
    sheet = contact_sheet("Step 5", legend, rows)
    assert sheet.size == sheet_size(legend, 2)
    pixels = np.asarray(sheet)
    bottom = sheet.size[1] - 16 - 12
    for row in range(2):
        y = bottom - CELL // 4 - row * (CELL + 12 + 26)
        middles = [pixels[y, 16 + column * (CELL + 12) + CELL // 2] for column in range(3)]
        assert [list(middle) for middle in middles] == [[40] * 3, [120] * 3, [200] * 3]
        for column in range(3):  # the left edge of the box
            x = 16 + column * (CELL + 12) + 64
            assert (pixels[y, x] == [0xD5, 0x5E, 0x00]).all()


# --- layouts -------------------------------------------------------------------------------------


class Sure:
    """Finds one name, always in the same place."""

    digest = "sure"

    def __init__(self, name, box):
        self.name, self.box, self.frames = name, box, []

    def detect(self, frames):
        self.frames.append(frames)
        return [[Detection(self.name, "a", 0.9, self.box)] for _ in frames]


def test_layouts_are_measured_by_name_and_place(painter, halves, held_out, decode):
    detector = Sure(NAMES[40], (0.5, 0.25, 1.0, 1.0))
    layouts = Layouts(painter=painter, held_out=held_out, decode=decode, detector=detector)
    seen = layouts(0, *halves)
    # Three of six layouts have it, beside another that is never found.
    assert seen["layout/iou"] == seen["layout/found"] == seen["layout/iou_without"]
    assert seen["layout/iou"] == pytest.approx(0.25)
    assert 0 <= seen["layout/iou_low"] < 0.25 < seen["layout/iou_high"] <= 0.5
    gates, without = detector.frames
    assert gates.shape == without.shape == (COUNT, 8, 8, 3)
    assert (gates != without).any()
    elsewhere = Sure(NAMES[40], (0.5, 0.25, 1.0, 0.5))
    seen = replace(layouts, detector=elsewhere)(0, *halves)
    assert seen["layout/iou"] == pytest.approx(0.25 / 3)
    assert seen["layout/found"] == 0


# --- in a run ------------------------------------------------------------------------------------


def test_watchers_of_a_run_write_into_its_log_and_change_nothing(stage, held_out, decode, tmp_path):
    detector = Sure(NAMES[40], (0.5, 0.25, 1.0, 1.0))
    few = held_out.first(2)
    watchers = layout_watchers(
        TINY, few, decode, tmp_path / "seen", every=2, shown=2, detector=detector
    )
    lines = []
    for name, those in (("seen", watchers), ("alone", ())):
        run_stage(stage, tmp_path / name, watchers=those, report=lines.append)
    assert not [line for line in lines if "switched off" in line]
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("seen", "alone")]
    assert weights[0] == weights[1]
    log = [json.loads(line) for line in (tmp_path / "seen" / "log.jsonl").read_text().splitlines()]
    for names in ("gate/mid 0/dense", "attention/inside", "sheet/difference", "layout/iou"):
        assert [entry["step"] for entry in log if names in entry][-2:] == [2, 3]
    sheets = sorted(path.name for path in (tmp_path / "seen" / "sheets").iterdir())
    assert sheets == ["step_000002.png", "step_000003.png"]


def test_without_a_detector_layouts_are_not_watched(held_out, decode, tmp_path):
    watchers = layout_watchers(TINY, held_out, decode, tmp_path, every=500)
    assert [type(each) for each in watchers] == [Gates, Attention, Sheets]
    assert [each.every for each in watchers] == [100, 500, 500]
    assert len(watchers[-1].held_out) == 4


def test_watching_holds_no_more_than_a_few_layouts_in_memory(painter, halves, held_out):
    """The program's own memory does not grow with what is watched: it has one shape."""
    shapes = []

    def decode(latents):
        shapes.append(latents.shape)
        return np.zeros((len(latents), 8, 8, 3), np.uint8)

    painter.paint(*halves, held_out, decode, gates=True)
    assert shapes == [(AT_ONCE, 8, 8, 4)] * 2
