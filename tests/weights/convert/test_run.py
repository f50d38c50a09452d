"""A conversion gives the same numbers, and a whole folder or none."""

from __future__ import annotations

import json
import shutil
import tracemalloc

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import load_file, save_file

from vdjax.errors import OutputError, WeightsError
from vdjax.model.params import merge_params
from vdjax.model.unet3d import UNet3D
from vdjax.weights.convert.run import convert
from vdjax.weights.presets import Preset
from vdjax.weights.store import load_checked, map_checked, verify
from vdjax.weights.system import misfits


def flat(tree):
    return flatten_dict(tree, sep="/")


def everything_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("kind", ["unet3d", "unet2d", "modelscope"])
def test_a_unet_comes_out_as_it_went_in(tmp_path, foreign, kind):
    model = foreign(kind)
    made = convert(model.save(tmp_path / "in"), tmp_path / "out")
    tree, config = load_checked(tmp_path / "out", "unet")
    assert flat(tree).keys() == model.leaves.keys()
    for leaf, value in flat(tree).items():
        np.testing.assert_array_equal(value, model.leaves[leaf])
    assert made.parameters == {"unet": sum(value.size for value in model.state.values())}
    assert verify(tmp_path / "out") == misfits(tmp_path / "out") == []
    assert Preset.from_json(config).unet.temporal == (kind != "unet2d")
    assert everything_below(tmp_path / "out") == ["manifest.json", "unet.safetensors"]


def test_gated_layers_and_their_net_are_a_file_of_their_own(tmp_path, gated_model):
    made = convert(gated_model.save(tmp_path / "in"), tmp_path / "out")
    assert list(made.parameters) == ["unet", "guided"]
    unet, config = load_checked(tmp_path / "out", "unet")
    guided, grounding = load_checked(tmp_path / "out", "guided")
    assert not any("fuser" in leaf for leaf in flat(unet))
    together = flat(unet) | flat(guided["unet"])
    together |= {f"position_net/{leaf}": value for leaf, value in flat(guided["net"]).items()}
    assert together.keys() == gated_model.leaves.keys()
    for leaf, value in together.items():
        np.testing.assert_array_equal(value, gated_model.leaves[leaf])
    preset = Preset.from_json({**config, "grounding": grounding})
    assert preset.unet.gated
    assert preset.grounding.text_only
    assert misfits(tmp_path / "out") == []


def test_the_network_runs_on_weights_that_are_only_mapped(tmp_path, gated_model):
    convert(gated_model.save(tmp_path / "in"), tmp_path / "out")
    (unet, config), (guided, _) = (map_checked(tmp_path / "out", n) for n in ("unet", "guided"))
    assert all(not leaf.flags.owndata and not leaf.flags.writeable for leaf in flat(unet).values())
    preset = Preset.from_json(config)
    latents = jnp.ones((1, 2, 4, 4, 4))
    args = (latents, jnp.array([7]), jnp.ones((1, 3, 6)), jnp.ones((1, 2, 3, 6)))
    params = merge_params(unet, guided["unet"])
    out = jax.jit(UNet3D(preset.unet).apply)({"params": params}, *args)
    assert out.shape == latents.shape
    assert np.isfinite(out).all()
    assert np.std(out) > 0.01


@pytest.mark.parametrize(
    ("name", "kind"),
    [("float16", np.float16), ("bfloat16", ml_dtypes.bfloat16), ("float32", np.float32)],
)
def test_weights_are_kept_in_the_dtype_asked_for(tmp_path, unet3d_model, name, kind):
    half = {key: value.astype(np.float16) for key, value in unet3d_model.state.items()}
    folder = unet3d_model.save(tmp_path / "in")
    save_file(half, folder / "diffusion_pytorch_model.safetensors")
    convert(folder, tmp_path / "out", dtype=name)
    convert(folder, tmp_path / "same")
    asked, kept = (flat(map_checked(tmp_path / n, "unet")[0]) for n in ("out", "same"))
    for leaf, value in unet3d_model.leaves.items():
        assert asked[leaf].dtype == kind
        assert kept[leaf].dtype == np.float16
        np.testing.assert_array_equal(asked[leaf], value.astype(np.float16).astype(kind))


def test_wide_floats_and_the_unknown_dtype_are_refused_or_narrowed(tmp_path, unet3d_model):
    folder = unet3d_model.save(tmp_path / "in")
    with pytest.raises(WeightsError, match=r"dtype 'int8' is unknown: use one of float32"):
        convert(folder, tmp_path / "out", dtype="int8")
    state = {key: np.zeros(value.shape, np.int8) for key, value in unet3d_model.state.items()}
    save_file(state, folder / "diffusion_pytorch_model.safetensors")
    with pytest.raises(WeightsError, match=r"tensors are of dtype I8 .*not quantised"):
        convert(folder, tmp_path / "out")
    assert everything_below(tmp_path) == everything_below_after_saving(tmp_path)


def everything_below_after_saving(folder):
    files = ("config.json", "diffusion_pytorch_model.safetensors")
    return ["in", *(f"in/{name}" for name in files)]


def edit(folder, change):
    path = folder / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)


@pytest.mark.parametrize(
    ("change", "say"),
    [
        (lambda state: state.pop("conv_in.bias"), r"1 key missing: conv_in\.bias"),
        (
            lambda state: state.update({"lora.weight": np.ones(1)}),
            r"1 key that no rule knows: lora\.weight",
        ),
        (
            lambda state: state.update({"conv_in.bias": np.ones(9, np.float32)}),
            r"1 key of another shape: conv_in\.bias is 9, not 8",
        ),
        (
            lambda state: state["conv_in.bias"].__setitem__(3, np.nan),
            r"conv_in\.bias holds values that are not finite",
        ),
        (
            lambda state: state["conv_out.bias"].__setitem__(0, np.inf),
            r"conv_out\.bias holds values that are not finite",
        ),
    ],
    ids=["missing", "surplus", "misshapen", "nan", "inf"],
)
def test_edited_weights_are_refused_and_leave_nothing(tmp_path, unet3d_model, change, say):
    folder = unet3d_model.save(tmp_path / "in")
    edit(folder, change)
    with pytest.raises(WeightsError, match=say):
        convert(folder, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists() or everything_below(tmp_path / "deep") == []


def test_a_weight_that_half_precision_cannot_hold_is_refused(tmp_path, unet3d_model):
    folder = unet3d_model.save(tmp_path / "in")
    edit(folder, lambda state: state["conv_in.bias"].__setitem__(0, 1e6))
    with pytest.raises(WeightsError, match="not finite as float16"):
        convert(folder, tmp_path / "out", dtype="float16")
    convert(folder, tmp_path / "out", dtype="bfloat16")


def test_a_configuration_that_disagrees_with_its_weights_is_refused(tmp_path, unet3d_model):
    folder = unet3d_model.save(tmp_path / "in")
    config = {**unet3d_model.config, "cross_attention_dim": 7}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"keys of another shape: .*attn2\.to_k\.weight is 8×6"):
        convert(folder, tmp_path / "out")
    config = {**unet3d_model.config, "layers_per_block": 2}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"212 keys missing: down_blocks\.0\.attentions\.1\."):
        convert(folder, tmp_path / "out")


def test_another_architecture_is_refused_by_name(tmp_path, unet3d_model):
    folder = unet3d_model.save(tmp_path / "in")
    (folder / "config.json").write_text('{"_class_name": "FluxTransformer2DModel"}')
    with pytest.raises(WeightsError, match="is of FluxTransformer2DModel; vdjax converts UNet3D"):
        convert(folder, tmp_path / "out")
    (folder / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="names no class"):
        convert(folder, tmp_path / "out")


def test_a_file_alone_needs_a_preset_and_must_be_of_it(tmp_path, unet3d_model):
    save_file(unet3d_model.state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"no config\.json beside it: .*modelscope, lvd, sd15"):
        convert(tmp_path / "model.safetensors", tmp_path / "out")
    with pytest.raises(WeightsError, match="keys missing"):
        convert(tmp_path / "model.safetensors", tmp_path / "out", preset="modelscope")
    folder = unet3d_model.save(tmp_path / "in")
    with pytest.raises(WeightsError, match="configured as another network than modelscope"):
        convert(folder, tmp_path / "out", preset="modelscope")


def pipeline(folder, model, prediction_type="v_prediction"):
    model.save(folder / "unet")
    (folder / "model_index.json").write_text("{}")
    for name, config in (
        ("scheduler/scheduler_config.json", {"prediction_type": prediction_type}),
        ("safety_checker/config.json", {"architectures": ["StableDiffusionSafetyChecker"]}),
    ):
        (folder / name).parent.mkdir()
        (folder / name).write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("source", ["", "unet"])
def test_a_pipeline_says_how_its_network_was_trained(tmp_path, unet3d_model, source):
    folder = pipeline(tmp_path / "in", unet3d_model)
    made = convert(folder / source, tmp_path / "out")
    assert Preset.from_json(map_checked(tmp_path / "out", "unet")[1]).noise.prediction_type == (
        "v_prediction"
    )
    expected = {} if source else {"safety_checker": "StableDiffusionSafetyChecker"}
    assert made.left_out == expected


def test_a_pipeline_of_strangers_is_refused(tmp_path, unet3d_model):
    folder = pipeline(tmp_path / "in", unet3d_model)
    shutil.rmtree(folder / "unet")
    with pytest.raises(WeightsError, match="none of safety_checker is a network that vdjax has"):
        convert(folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("field", "value"), [("beta_schedule", "linear"), ("prediction_type", "sample")]
)
def test_other_noise_than_ours_is_refused(tmp_path, unet3d_model, field, value):
    folder = pipeline(tmp_path / "in", unet3d_model)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({field: value}))
    with pytest.raises(WeightsError, match=f"{field} is '{value}'"):
        convert(folder, tmp_path / "out")


def test_parts_are_added_and_none_is_overwritten(tmp_path, unet3d_model):
    folder = unet3d_model.save(tmp_path / "in")
    convert(folder, tmp_path / "out")
    before = (tmp_path / "out" / "unet.safetensors").read_bytes()
    with pytest.raises(OutputError, match=r"holds unet\.safetensors already"):
        convert(folder, tmp_path / "out")
    (tmp_path / "out" / "unet.safetensors").rename(tmp_path / "out" / "other.safetensors")
    from vdjax.weights.store import write_manifest

    write_manifest(tmp_path / "out")
    convert(folder, tmp_path / "out")
    assert (tmp_path / "out" / "unet.safetensors").read_bytes() == before
    assert verify(tmp_path / "out") == []
    listed = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    assert sorted(listed) == ["other.safetensors", "unet.safetensors"]


def test_somebody_elses_folder_is_left_alone(tmp_path, unet3d_model):
    folder = unet3d_model.save(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds no weights of vdjax"):
        convert(folder, tmp_path / "out")
    assert everything_below(tmp_path / "out") == ["thesis.txt"]


def test_too_little_room_is_said_beforehand(tmp_path, unet3d_model, monkeypatch):
    folder = unet3d_model.save(tmp_path / "in")
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10_000})())
    with pytest.raises(OutputError, match=r"GB are needed and 0\.0 GB free"):
        convert(folder, tmp_path / "out")
    assert everything_below(tmp_path) == everything_below_after_saving(tmp_path)


def test_an_interrupted_conversion_leaves_nothing(tmp_path, unet3d_model, monkeypatch):
    folder = unet3d_model.save(tmp_path / "in")
    from vdjax.weights.convert.source import Tensor

    read, calls = Tensor.read, []

    def interrupted(self):
        calls.append(self)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return read(self)

    monkeypatch.setattr(Tensor, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(folder, tmp_path / "out")
    assert everything_below(tmp_path) == everything_below_after_saving(tmp_path)


def test_a_disk_that_fills_leaves_nothing(tmp_path, unet3d_model, monkeypatch):
    folder = unet3d_model.save(tmp_path / "in")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="no room left"):
        convert(folder, tmp_path / "out")
    assert everything_below(tmp_path) == everything_below_after_saving(tmp_path)


def test_what_a_killed_conversion_left_is_swept_up(tmp_path, unet3d_model):
    folder = unet3d_model.save(tmp_path / "in")
    left = tmp_path / ".out.4194999.partial"  # beyond what Linux gives to a process
    left.mkdir()
    (left / "unet.safetensors").write_bytes(b"half")
    convert(folder, tmp_path / "out")
    assert not left.exists()


def test_conversion_holds_a_tensor_at_a_time(tmp_path, foreign):
    wide = foreign("unet3d", block_out_channels=[128, 256], norm_num_groups=32)
    folder = wide.save(tmp_path / "in")
    whole = sum(value.nbytes for value in wide.state.values())
    convert(folder, tmp_path / "warm")
    tracemalloc.start()
    try:
        convert(folder, tmp_path / "out", dtype="bfloat16")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    largest = max(value.nbytes for value in wide.state.values())
    assert peak < 4 * largest < whole / 2


def test_a_mapped_file_that_was_cut_is_refused(tmp_path, unet3d_model):
    convert(unet3d_model.save(tmp_path / "in"), tmp_path / "out")
    path = tmp_path / "out" / "unet.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(WeightsError, match=r"unet\.safetensors is damaged: it has"):
        map_checked(tmp_path / "out", "unet")


def test_leaves_that_are_not_the_configurations_are_named(tmp_path, unet3d_model):
    from vdjax.weights.store import save_tree, write_manifest

    convert(unet3d_model.save(tmp_path / "in"), tmp_path / "out")
    tree, config = load_checked(tmp_path / "out", "unet")
    del tree["conv_in"]["bias"]
    tree["conv_out"]["bias"] = np.ones(7, np.float32)
    tree["new"] = np.ones(1, np.float32)
    save_tree(tmp_path / "out" / "unet.safetensors", tree, config)
    write_manifest(tmp_path / "out")
    faults = misfits(tmp_path / "out")
    assert len(faults) == 3
    assert "conv_in/bias is missing" in faults[0]
    assert "new is of no use here" in faults[1]
    assert "conv_out/bias is (7,), its configuration says (4,)" in faults[2]


def test_a_network_of_another_place_in_a_chain_is_left_out(tmp_path, unet3d_model):
    """Karlo's pipeline has UNets that turn embeddings into pictures: none of ours."""
    folder = pipeline(tmp_path / "in", unet3d_model)
    unet3d_model.save(folder / "decoder")
    made = convert(folder, tmp_path / "out")
    assert made.left_out["decoder"] == "UNet3DConditionModel"
    assert list(made.parameters) == ["unet"]


def test_leaves_begin_where_they_can_be_used_as_they_lie(tmp_path, unet3d_model):
    from vdjax.weights.store import ALIGNMENT, is_mapped, read_header

    convert(unet3d_model.save(tmp_path / "in"), tmp_path / "out")
    header, start = read_header(tmp_path / "out" / "unet.safetensors")
    assert is_mapped(header)
    assert start % ALIGNMENT == 0
    places = [e["data_offsets"] for name, e in header.items() if name != "__metadata__"]
    even = [first for first, last in places if (last - first) % ALIGNMENT == 0]
    assert len(even) > len(places) / 3
    assert all(first % ALIGNMENT == 0 for first in even)
    load_file(tmp_path / "out" / "unet.safetensors")  # and the format's own reader agrees
