"""Layout training on a folder of pictures with boxes: what learns, is kept out, and comes out."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from PIL import Image

import vdjax
from vdjax.data.storybook.reader import Storybook
from vdjax.errors import UserError
from vdjax.model.params import GATED, split_params
from vdjax.systems.loaded import LoadedModel
from vdjax.train.encoder import SystemEncoder
from vdjax.train.guided import CENTRE_SIDE, Recipe, told
from vdjax.train.layout import (
    WATCHED,
    assemble,
    fresh_gates,
    layout_stage,
    train_layout,
    with_gates,
)
from vdjax.train.rows import Later
from vdjax.train.stage import Schedule
from vdjax.weights.presets import Preset
from vdjax.weights.store import load_tree, save_tree, verify, write_manifest

pytestmark = pytest.mark.loose_dtypes
SCHEDULE = Schedule(steps=2, batch_size=2, learning_rate=1e-2, warmup_steps=0)


def flat(tree):
    return {"/".join(path): np.asarray(leaf) for path, leaf in flatten_dict(tree).items()}


@pytest.fixture(scope="module")
def toy():
    return vdjax.load("toy")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures of a red thing on the left or right, as people describe them."""
    folder = tmp_path_factory.mktemp("pictures")
    lines = []
    for number in range(4):
        pixels = np.full((40, 60, 3), 200, np.uint8)
        left = 5 + 8 * number
        pixels[10:30, left : left + 20] = (220, 20, 20)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        entities = [{"phrase": "red thing", "box": [left / 60, 0.25, (left + 20) / 60, 0.75]}]
        line = {"image": f"{number}.png", "caption": f"thing {number}", "entities": entities}
        lines.append(json.dumps(line))
    (folder / "samples.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """(the run's folder, what it said)."""
    out, lines = tmp_path_factory.mktemp("layout") / "run", []
    with jax.numpy_dtype_promotion("standard"):
        train_layout(SCHEDULE, out, preset="toy", data=pictures, report=lines.append)
    return out, lines


def test_a_run_has_all_that_its_command_promises(trained):
    out, lines = trained
    entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [1, 2]
    assert np.isfinite([entry["loss"] for entry in entries]).all()
    config = json.loads((out / "config.json").read_text())
    assert config["stage"] == "layout"
    assert config["schedule"]["batch_size"] == 2
    assert config["made_of"]["recipe"]["trained"] == "paper"
    assert any("folder: 4 of 4 samples" in line for line in lines)


def test_only_gates_and_the_grounding_net_learn(trained, toy):
    found = flat(load_tree(trained[0] / "weights.safetensors")[0])
    unet = {path.removeprefix("unet/") for path in found if path.startswith("unet/")}
    assert unet == set(flat(split_params(toy.params["unet"], GATED)[0]))
    assert {path.removeprefix("net/") for path in found if path.startswith("net/")} == set(
        flat(toy.params["net"])
    )


def test_what_tells_an_entity_and_where_it_is_is_the_recipes(toy, trained):
    samples = _samples(toy, 3)
    batch = layout_stage(toy, SCHEDULE, samples, Recipe(told_by="image", place="none")).batch(0)
    assert not batch["has_text"].any()
    assert batch["has_image"].all()
    assert (batch["boxes"] == [0, 0, 1, 1]).all()
    assert (batch["inside"][batch["present"]] != [0, 0, 1, 1]).any()  # the loss sees where it is


def _samples(toy, count):
    """Rows of random numbers in the toy's shapes."""
    rng = np.random.default_rng(0)
    g, u = toy.preset.grounding, toy.preset.unet

    class Rows:
        def __len__(self):
            return count

        def rows(self, indices):
            n = len(indices)
            return {
                "latents": rng.normal(size=(n, 1, u.sample_size, u.sample_size, 4)),
                "ids": np.zeros((n, 16), np.int32),
                "boxes": np.tile(np.float32([0.2, 0.2, 0.6, 0.7]), (n, 1, g.max_entities, 1)),
                "present": np.ones((n, 1, g.max_entities), bool),
                "text": rng.normal(size=(n, g.max_entities, g.text_width)).astype(np.float32),
                "image": rng.normal(size=(n, g.max_entities, g.image_width)).astype(np.float32),
            }

        def names(self, indices):
            return [f"row {index}" for index in indices]

    return Rows()


def test_a_step_knows_the_names_of_its_samples(toy):
    stage = layout_stage(toy, SCHEDULE, _samples(toy, 3), Recipe())
    assert stage.sample_ids(0) == stage.sample_ids(0)
    assert set(stage.sample_ids(0)) <= {"row 0", "row 1", "row 2"}


def test_data_that_is_watched_is_not_learnt_from(toy):
    data = Later(_samples(toy, WATCHED + 5), WATCHED)
    assert len(data) == 5
    assert data.names(np.arange(5))[0] == f"row {WATCHED}"


def test_a_warm_start_leaves_the_gates_where_they_are(toy):
    cold = layout_stage(toy, SCHEDULE, _samples(toy, 3), Recipe())
    warm = layout_stage(toy, SCHEDULE, _samples(toy, 3), Recipe(), warm_start=True)
    own = flat(split_params(toy.params["unet"], GATED)[0])
    kept, fresh = (flat(stage.init()[0]["unet"]) for stage in (warm, cold))
    for path, leaf in own.items():
        np.testing.assert_array_equal(kept[path], leaf)
    gates = [path for path in own if "alpha_" in path]
    assert gates
    assert all(fresh[path] == Recipe().open_gate for path in gates)


def test_fresh_gates_are_shut(toy):
    for path, leaf in flat(fresh_gates(toy.preset, 0)).items():
        assert (leaf == 0).all() == ("alpha_" in path or path.endswith("bias")), path


def test_a_system_without_gates_is_given_the_papers(toy):
    """Where there is a CLIP of both kinds: entities are told by text and picture."""
    params = {name: tree for name, tree in toy.params.items() if name != "net"}
    params["unet"] = split_params(params["unet"], GATED)[1]
    preset = replace(toy.preset, unet=replace(toy.preset.unet, gated=False))
    made = with_gates(LoadedModel(preset, params, toy.tokenizer))
    assert made.preset.unet.gated
    assert made.preset.grounding.fused
    assert made.preset.grounding.text_width == toy.preset.clip.projection_dim
    assert made.preset.unet.grounding_width == Preset.videodirectorgpt().grounding.width
    assert with_gates(toy) is toy


@pytest.mark.parametrize("box", [[0.2, 0.4, 0.6, 0.6], [0.0, 0.0, 0.1, 0.1]])
def test_a_centre_point_says_where_and_not_how_large(box):
    boxes = np.array([[box]], np.float32)
    x0, y0, x1, y1 = told(boxes, "centre")[0, 0]
    assert x1 <= (box[0] + box[2]) / 2 + CENTRE_SIDE / 2 + 1e-6
    assert 0 <= x0 < x1 <= 1
    assert 0 <= y0 < y1 <= 1
    np.testing.assert_array_equal(told(boxes, "box"), boxes)


def test_the_encoder_is_the_systems_own(toy):
    encoder = SystemEncoder(toy)
    sample = Storybook(1, size=encoder.image_size)[0]
    latents = encoder.latents(np.repeat(sample.image[None], 2, 0))
    size = toy.preset.unet.sample_size
    assert latents.shape == (2, size, size, toy.preset.unet.in_channels)
    np.testing.assert_array_equal(encoder.tokens(["a cat"])[0], toy.tokenizer(["a cat"])[0])
    assert encoder.fingerprint == SystemEncoder(toy).fingerprint
    other = replace(toy, params={**toy.params, "clip": toy.params["autoencoder"]})
    assert SystemEncoder(other).fingerprint != encoder.fingerprint


def test_a_run_is_put_together_to_a_system_that_films(trained, toy, tmp_path):
    base = tmp_path / "base"
    p = toy.preset
    unet = split_params(toy.params["unet"], GATED)
    told_of = {"name": p.name, "num_frames": p.num_frames, "shared_noise": p.shared_noise}
    save_tree(
        base / "unet.safetensors",
        unet[1],
        {**told_of, "unet": asdict(p.unet), "noise": asdict(p.noise)},
    )
    guided = {"unet": unet[0], "net": toy.params["net"]}
    save_tree(base / "guided.safetensors", guided, asdict(p.grounding))
    for part in ("autoencoder", "clip", "prior"):
        save_tree(base / f"{part}.safetensors", toy.params[part], asdict(getattr(p, part)))
    write_manifest(base)
    model = replace(toy, folder=base)
    made = assemble(model, trained[0] / "weights.safetensors", tmp_path / "model")
    assert verify(made) == []
    learnt = load_tree(trained[0] / "weights.safetensors")[0]
    loaded = vdjax.load(made)
    found = flat(loaded.params["unet"])
    for path, leaf in flat(learnt["unet"]).items():
        np.testing.assert_array_equal(found[path], leaf)
    for path, leaf in flat(unet[1]).items():
        np.testing.assert_array_equal(found[path], leaf)
    assert assemble(toy, trained[0] / "weights.safetensors", tmp_path / "none") is None


def test_data_that_is_none_is_refused(tmp_path):
    with pytest.raises(UserError, match="nothing-here"):
        train_layout(SCHEDULE, tmp_path / "run", preset="toy", data=tmp_path / "nothing-here")
    assert not (tmp_path / "run").exists()


def test_the_same_run_on_other_data_is_refused(trained, tmp_path, pictures):
    other = shutil.copytree(pictures, tmp_path / "other")
    lines = (other / "samples.jsonl").read_text().splitlines()
    (other / "samples.jsonl").write_text("\n".join(lines[:3]) + "\n")
    with pytest.raises(UserError, match="made from something else"):
        train_layout(SCHEDULE, trained[0], preset="toy", data=other)
