"""Converted folders: what they hold loads as it is, what they lack is said, and they make films."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from weights.convert import publics

import vdjax
from vdjax.commands.weights import GIB
from vdjax.errors import UserError, WeightsError
from vdjax.ground.pictures import shorter_side_then_middle
from vdjax.ground.prior import PriorTransformer, sample_embeddings
from vdjax.model.hf import CLIP
from vdjax.model.unet3d import UNet3D
from vdjax.systems import memory
from vdjax.systems.loaded import load
from vdjax.systems.videodirectorgpt import film, start_latents
from vdjax.weights.convert.run import convert
from vdjax.weights.store import load_tree, map_checked, read_header, save_tree, write_manifest

pytestmark = pytest.mark.loose_dtypes

LATENTS = np.random.default_rng(0).normal(size=(1, 2, 4, 4, 4)).astype(np.float32)
SENTENCE = "A cat walks on the beach"
TEXTS = ["the cat", "", "the dog and the cat"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A whole VideoDirectorGPT, tiny, of public models converted into one folder."""
    with jax.numpy_dtype_promotion("standard"):
        return publics.make_system(tmp_path_factory.mktemp("weights") / "mine")


@pytest.fixture(scope="module")
def model(written):
    with jax.numpy_dtype_promotion("standard"):
        return load(written)


def refusal(source, kind=UserError):
    with pytest.raises(kind) as refused:
        load(source)
    (line,) = str(refused.value).splitlines()
    return line


def flat(tree):
    return flatten_dict(tree, sep="/")


# --- what is there, as it is ---------------------------------------------------------------------


def mapped_from(leaf):
    """The file whose mapping into memory holds a leaf; "" where it is in memory of its own."""
    at = leaf.unsafe_buffer_pointer()
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if first <= at < last:
            return Path(line.split(maxsplit=5)[5]).name if len(line.split()) > 5 else ""
    return ""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_network_alone_is_mapped_in_its_own_dtype(tmp_path, dtype):
    source = publics.write_video_pipeline(tmp_path / "in") / "unet"
    convert(source, tmp_path / "out", dtype=dtype)
    model = load(tmp_path / "out")
    leaves = flat(model.params["unet"])
    kept = flat(map_checked(tmp_path / "out", "unet")[0])
    assert leaves.keys() == kept.keys()
    for path, leaf in leaves.items():
        assert leaf.dtype == kept[path].dtype == np.dtype(getattr(ml_dtypes, dtype, dtype))
        np.testing.assert_array_equal(np.asarray(leaf), kept[path])
    if Path("/proc/self/maps").exists() and jax.default_backend() == "cpu":
        aligned = [leaf for leaf in leaves.values() if leaf.nbytes % 64 == 0]
        assert len(aligned) > len(leaves) / 3
        assert {mapped_from(leaf) for leaf in aligned} == {"unet.safetensors"}


def test_the_network_of_a_folder_predicts_and_the_rest_is_asked_for(tmp_path):
    source = publics.write_video_pipeline(tmp_path / "in") / "unet"
    convert(source, tmp_path / "out", dtype="bfloat16")
    model = load(tmp_path / "out")
    args = jnp.asarray(LATENTS), jnp.array([7]), jnp.ones((1, 3, publics.SCENES))
    prediction = model.unet(*args)
    assert prediction.shape == LATENTS.shape
    assert prediction.dtype == np.float32
    wide = jax.tree_util.tree_map(lambda x: x.astype(np.float32), model.params["unet"])
    alone = jax.jit(UNet3D(model.preset.unet).apply)({"params": wide}, *args)
    np.testing.assert_allclose(prediction, alone, atol=1e-4 * float(np.abs(alone).max()))

    key, picture = jax.random.key(0), np.zeros((9, 9, 3), np.uint8)
    asked = {
        "text": lambda: model.encode_text(["a cat"]),
        "entity": lambda: model.embed_text(["a cat"]),
        "picture": lambda: model.embed_pictures([picture]),
        "prior": lambda: model.imagine(["a cat"], [key]),
        "frames": lambda: model.decode(jnp.asarray(LATENTS[0])),
        "tokens": lambda: model.unet(*args, jnp.ones((1, 2, 1, publics.SCENES))),
    }
    said = {}
    for name, ask in asked.items():
        with pytest.raises(UserError) as refused:
            ask()
        (said[name],) = str(refused.value).splitlines()
    out = tmp_path / "out"
    for name, part, public in (
        ("text", "CLIP of texts and pictures", "openai/clip-vit-large-patch14"),
        ("entity", "CLIP of texts and pictures", "openai/clip-vit-large-patch14"),
        ("picture", "CLIP of texts and pictures", "openai/clip-vit-large-patch14"),
        ("prior", "prior", "kakaobrain/karlo-v1-alpha:prior"),
        ("frames", "autoencoder", "ali-vilab/text-to-video-ms-1.7b:vae"),
    ):
        expected = f"{out} has no {part}: bring one by `vdjax weights convert {public} {out}`"
        assert said[name] == expected
    assert f"{out} has no gated layers" in said["tokens"]


def test_parts_come_in_any_order_and_one_by_one(tmp_path, written):
    sources = written.with_name("mine-from")
    convert(sources / "clip", tmp_path / "out")
    assert load(tmp_path / "out").embed_text(["a cat"]).shape == (1, publics.ENTITIES)
    convert(sources / "video" / "text_encoder", tmp_path / "out")
    states = load(tmp_path / "out").encode_text(["a cat"])
    assert states.shape == (1, 77, publics.SCENES)
    with pytest.raises(UserError, match="has no UNet: bring one by"):
        load(tmp_path / "out").unet(jnp.asarray(LATENTS), jnp.array([7]), states)


def test_a_text_tower_without_its_tokenizer_says_so(tmp_path, written):
    source = shutil.copytree(written.with_name("mine-from") / "clip", tmp_path / "clip")
    (source / "vocab.json").unlink()
    lines = []
    convert(source, tmp_path / "out", report=lines.append)
    assert [line for line in lines if line.startswith("note: clip has no tokenizer beside it")]
    with pytest.raises(UserError, match=r"text tower without its tokenizer: put vocab\.json"):
        load(tmp_path / "out").embed_text(["a cat"])


# --- two text encoders, the prior, and pictures --------------------------------------------------


def test_scenes_and_entities_are_read_by_networks_of_their_own(model):
    assert model.preset.text_encoder == model.preset.scene_text != model.preset.clip
    vocab = publics.vocabulary()
    begin = [vocab[piece] for piece in (publics.BEGIN, "the</w>", "cat</w>", publics.END)]
    ids = {
        name: jnp.array([begin + [vocab[padding]] * 73])
        for name, padding in (("s", "!"), ("e", publics.END))
    }
    scene = CLIP(model.preset.scene_text).text(model.params["text_encoder"], ids["s"])[0]
    np.testing.assert_allclose(model.encode_text(TEXTS[:1]), scene, atol=1e-5)
    entity = CLIP(model.preset.clip).embed_text(model.params["clip"], ids["e"])
    np.testing.assert_allclose(model.embed_text(TEXTS[:1]), entity, atol=1e-5)


def test_the_prior_is_told_which_states_are_padding(model):
    p, key = model.preset, jax.random.key(3)
    assert (p.prior.num_inference_steps, p.prior.guidance_scale) == (25, 4.0)
    clip, ids = CLIP(p.clip), jnp.asarray(model.tokenizer(["the cat", ""]))
    states = clip.text(model.params["clip"], ids)[0]
    embedded = clip.project_text(model.params["clip"], ids)
    rest = embedded[:1], states[:1], embedded[1:], states[1:]
    masks = jnp.asarray(model.tokenizer.mask(["the cat", ""]))

    @jax.jit
    def draw(params, *masks):
        return sample_embeddings(PriorTransformer(p.prior), params, key, *rest, *masks)

    drawn = np.asarray(model.imagine(["the cat"], [key]))
    told, untold = (
        np.asarray(x / jnp.linalg.norm(x))
        for x in (draw(model.params["prior"], *np.split(masks, 2)), draw(model.params["prior"]))
    )
    np.testing.assert_allclose(drawn, told, atol=1e-4)
    assert np.abs(drawn - untold).max() > 1e-3


def test_a_users_picture_is_prepared_as_clips_are(model):
    picture = np.random.default_rng(1).integers(0, 256, (40, 61, 3)).astype(np.uint8)
    pixels = jnp.asarray(shorter_side_then_middle(picture, 28) / np.float32(127.5) - 1)
    expected = CLIP(model.preset.clip).embed_image(model.params["clip"], pixels[None])
    np.testing.assert_allclose(model.embed_pictures([picture]), expected, atol=1e-5)


def test_a_clip_in_halves_is_a_clip(tmp_path, written, model):
    """As in Karlo's pipelines: a text tower and an image tower with one shared space."""
    sources = written.with_name("mine-from")
    for name, config, prefix in (
        ("text_encoder", publics.text_tower(8, "CLIPTextModelWithProjection"), "text_"),
        ("image_encoder", publics.image_tower("CLIPVisionModelWithProjection"), "vis"),
    ):
        from safetensors.numpy import load_file, save_file

        state = load_file(sources / "clip" / "model.safetensors")
        half = {key: value for key, value in state.items() if key.startswith(prefix)}
        (tmp_path / "karlo" / name).mkdir(parents=True)
        save_file(half, tmp_path / "karlo" / name / "model.safetensors")
        (tmp_path / "karlo" / name / "config.json").write_text(json.dumps(config))
    publics.write_tokenizer(tmp_path / "karlo" / "tokenizer", publics.END)
    (tmp_path / "karlo" / "model_index.json").write_text("{}")
    convert(tmp_path / "karlo", tmp_path / "out")
    halves = load(tmp_path / "out")
    assert halves.preset.clip == model.preset.clip
    assert halves.preset.text_encoder is None
    params = {name: part for name, part in model.params["clip"].items() if name != "logit_scale"}
    assert flat(halves.params["clip"]).keys() == flat(params).keys()
    np.testing.assert_array_equal(halves.embed_text(TEXTS), model.embed_text(TEXTS))


# --- films ---------------------------------------------------------------------------------------


def test_a_converted_folder_makes_the_papers_film_from_the_command_line(
    written, tmp_path, vdjax_command
):
    """Entity text, prior, image embedding, fused token, UNet, frames; the preset's defaults."""
    from PIL import Image

    picture = np.zeros((30, 40, 3), np.uint8) + np.uint8([220, 30, 30])
    Image.fromarray(picture).save(tmp_path / "cat.png")
    frames = []
    for name, extra in (("drawn", ()), ("mine", ("--image", f"cat={tmp_path / 'cat.png'}"))):
        done = vdjax_command(
            "film", SENTENCE, "--preset", written, "--frames", 2, "-o", tmp_path / name, *extra
        )
        assert done.returncode == 0, done.stderr
        report = json.loads((tmp_path / name / "report.json").read_text())
        assert (report["steps"], report["guidance"]) == (50, 9.0)
        assert report["gated_steps"] > 0
        paths = sorted((tmp_path / name / "scene_1").glob("*.png"))
        frames.append(np.stack([np.asarray(Image.open(path)) for path in paths]).astype(int))
    assert frames[0].shape == (2, 32, 32, 3)
    assert frames[0].std() > 5
    assert np.abs(frames[0] - frames[1]).max() > 1  # the picture reached the pixels


def test_frames_share_no_noise_and_the_network_predicts_it(model):
    assert model.preset.shared_noise == 0
    assert model.preset.noise.prediction_type == "epsilon"
    noise = np.asarray(start_latents(model, jax.random.key(0), 16)).reshape(16, -1)
    assert np.abs(np.corrcoef(noise)[np.triu_indices(16, 1)].mean()) < 0.1


def test_each_preset_has_steps_and_guidance_of_its_own(model):
    from vdjax.weights.presets import get_preset

    of = {n: get_preset(n) for n in ("storybook", "toy", "modelscope", "lvd", "videodirectorgpt")}
    found = {name: (p.num_inference_steps, p.guidance_scale) for name, p in of.items()}
    small, full = (4, 2.0), (50, 9.0)
    assert found == {
        **dict.fromkeys(("storybook", "toy"), small),
        **dict.fromkeys(("modelscope", "lvd", "videodirectorgpt"), full),
    }
    shipped = load("storybook").preset
    assert (shipped.num_inference_steps, shipped.guidance_scale) == small
    assert (model.preset.num_inference_steps, model.preset.guidance_scale) == full


def test_a_network_of_text_boxes_films_without_prior_or_pictures(tmp_path):
    """As LVD's public weights: one text encoder for scenes and entities, tokens of names alone."""
    source = publics.write_video_pipeline(tmp_path / "lvd", attention_type="gated")
    convert(source, tmp_path / "out")
    model = load(tmp_path / "out")
    assert sorted(model.params) == ["autoencoder", "clip", "net", "unet"]
    made = film(SENTENCE, preset=model, frames=2, steps=2, alpha=0.5)
    assert made.frames[0].shape == (2, 32, 32, 3)
    ids = jnp.asarray(model.tokenizer(["cat"]))
    pooled = CLIP(model.preset.clip).text(model.params["clip"], ids)[1]
    np.testing.assert_allclose(model.tell_entities(["cat"]), pooled, atol=1e-5)
    with pytest.raises(UserError, match=r"picture for 'cat': .* by their names alone"):
        film(SENTENCE, preset=model, images={"cat": np.zeros((9, 9, 3), np.uint8)})


def test_a_network_without_gated_layers_films_by_words_alone(tmp_path, written):
    source = written.with_name("mine-from") / "video"
    convert(source, tmp_path / "out")
    with pytest.raises(UserError, match=r"has no gated layers, so boxes can guide nothing: use al"):
        film(SENTENCE, preset=tmp_path / "out", frames=2, steps=2)
    made = film(SENTENCE, preset=tmp_path / "out", frames=2, steps=2, alpha=0.0)
    assert made.report["gated_steps"] == 0
    assert made.frames[0].std() > 1


# --- what cannot be loaded -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("modelscope", ("ali-vilab/text-to-video-ms-1.7b", "1,411,233,860", "5.6 GB", "2.8 GB")),
        ("lvd", ("longlian/text-to-video-lvd-ms", "1,623,793,636", "6.5 GB", "3.2 GB")),
    ],
)
def test_a_known_preset_says_where_its_weights_are(name, says):
    line = refusal(name)
    assert f"preset {name!r} is known, and its weights do not come with vdjax" in line
    assert all(part in line for part in says)


def test_too_little_memory_is_said_before_anything_is_read(written, folder, monkeypatch):
    sizes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    monkeypatch.setattr(memory, "total_memory_bytes", lambda: sizes // 4)
    monkeypatch.setattr("vdjax.systems.loaded.map_checked", None)  # what would read them
    line = refusal(folder)
    assert f"the weights in {folder} take 0.0 GB of memory" in line
    assert "convert them again with `--dtype bfloat16`" in line
    assert sizes < GIB


def test_pytorchs_own_folder_is_to_be_converted_first(written):
    source = written.with_name("mine-from") / "video"
    for place in (source, source / "unet"):
        line = refusal(place, WeightsError)
        assert f"write `vdjax weights convert {place} OUT`, and load OUT" in line
    file = source / "unet" / "diffusion_pytorch_model.safetensors"
    assert f"{file} is a file: write `vdjax weights convert" in refusal(file)


def test_a_truncated_file_is_refused_by_name(folder):
    path = folder / "unet.safetensors"
    path.write_bytes(path.read_bytes()[:-64])
    assert f"weight file {path} is damaged: it has" in refusal(folder, WeightsError)


@pytest.mark.parametrize("part", ["clip_tokenizer.json", "text_encoder_tokenizer.json"])
def test_a_damaged_tokenizer_is_refused_by_name(folder, part):
    data = (folder / part).read_text().replace("cat", "dog", 1)
    (folder / part).write_text(data)
    assert f"{folder / part} is damaged" in refusal(folder, WeightsError)


def test_an_edited_header_is_refused(folder):
    """Of the same length, so that the size says nothing: two leaves share bytes, others none."""
    path = folder / "unet.safetensors"
    header, start = read_header(path)
    two = sorted(name for name, entry in header.items() if entry.get("shape") == [16])[:2]
    header[two[1]]["data_offsets"] = header[two[0]]["data_offsets"]
    text = json.dumps(header).encode()
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + text.ljust(start - 8) + whole[start:])
    assert path.stat().st_size == len(whole)
    assert f"{path} is not a whole safetensors file" in refusal(folder, WeightsError)


def rewrite(folder, part, change_tree=None, **changed):
    """A part with another tree or configuration, in its place, mapped, and in the manifest."""
    from vdjax.weights.store import Leaf, write_leaves

    tree, config = map_checked(folder, part)
    leaves = {path: np.array(leaf) for path, leaf in flat(tree).items()}
    if change_tree is not None:
        change_tree(leaves)
    names = {"float32": "F32", "int8": "I8", "float16": "F16"}
    (folder / f"{part}.safetensors").unlink()
    write_leaves(
        folder / f"{part}.safetensors",
        [
            Leaf(path, leaf.shape, names[leaf.dtype.name], lambda leaf=leaf: leaf)
            for path, leaf in leaves.items()
        ],
        {**config, **changed},
    )
    write_manifest(folder)


def integers(leaves):
    leaves["conv_in/bias"] = np.zeros(8, np.int8)


@pytest.mark.parametrize(
    ("part", "change", "config", "says"),
    [
        ("unet", integers, {}, "conv_in/bias is of dtype I8; weights are of F64, F32, F16, BF16"),
        ("unet", lambda t: t.pop("conv_in/bias"), {}, "conv_in/bias is missing"),
        ("prior", lambda t: t.update(new=np.ones(1, np.float32)), {}, "new is of no use here"),
        ("autoencoder", None, {"latent_channels": 3}, "its configuration says"),
        ("clip", None, {"text_width": 16}, "its configuration says"),
        ("unet", None, {"wings": 2}, "unknown field 'wings'"),
        ("unet", None, {"unet": 3}, "preset.unet is 3: it must be fields and their values"),
        ("unet", None, {"num_frames": "many"}, "preset.num_frames is 'many': it must be of type"),
        ("autoencoder", None, {"block_out_channels": "wide"}, "autoencoder.block_out_channels is"),
    ],
)
def test_a_part_that_is_not_its_configurations_is_refused(folder, part, change, config, says):
    rewrite(folder, part, change, **config)
    assert says in refusal(folder)


def test_parts_of_two_systems_are_refused(tmp_path, written, capsys):
    from vdjax.cli import main

    sources = written.with_name("mine-from")
    convert(sources / "video" / "text_encoder", tmp_path / "out")
    other = publics.write_video_pipeline(tmp_path / "other", cross_attention_dim=10)
    convert(other / "unet", tmp_path / "out")
    says = "the UNet reads texts of width 10, and the part beside it gives 12"
    assert says in refusal(tmp_path / "out", WeightsError)
    assert main(["weights", "check", str(tmp_path / "out")]) == 1
    assert says in capsys.readouterr().out


def test_check_looks_at_every_part(folder, capsys):
    from vdjax.cli import main

    assert main(["weights", "check", str(folder)]) == 0
    assert "8 files, all as they were written" in capsys.readouterr().out
    rewrite(folder, "prior", lambda leaves: leaves.pop("clip_mean"))
    assert main(["weights", "check", str(folder)]) == 1
    assert capsys.readouterr().out == f"{folder / 'prior.safetensors'}: clip_mean is missing\n"


def test_what_was_trained_here_is_still_widened(written, model):
    """Gated layers beside a converted network come from training: narrowed to ship, wide in use."""
    tree, _ = load_tree(written / "guided.safetensors")
    assert {leaf.dtype for leaf in flat(tree["net"]).values()} == {np.dtype(np.float16)}
    assert {leaf.dtype for leaf in flat(model.params["net"]).values()} == {np.dtype(np.float32)}
    assert model.preset.unet.gated
    same = replace(model.preset, unet=replace(model.preset.unet, gated=False))
    assert same != model.preset


def test_a_folder_without_any_part_is_no_system(tmp_path):
    save_tree(tmp_path / "detector.safetensors", {"w": np.ones(1)}, {})
    write_manifest(tmp_path)
    assert "holds none of autoencoder, clip" in refusal(tmp_path, WeightsError)


def test_the_package_loads_it_once(written):
    assert vdjax.load(written) is vdjax.load(str(written))
