"""What can be read is read tensor by tensor; what cannot is refused with the way out."""

from __future__ import annotations

import json
import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from vdjax.errors import WeightsError
from vdjax.weights.convert.source import open_source

STATE = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b.weight": np.arange(4, dtype=np.float16),
    "c.weight": np.arange(4, dtype=ml_dtypes.bfloat16),
    "gate": np.array(0.5, np.float32),
}


def save(folder, name="model.safetensors", state=None):
    folder.mkdir(exist_ok=True)
    save_file(STATE if state is None else state, folder / name)
    return folder / name


def save_shards(folder, **changes):
    save(folder, "model-00001-of-00002.safetensors", {"a.weight": STATE["a.weight"]})
    rest = {key: STATE[key] for key in STATE if key != "a.weight"}
    save(folder, "model-00002-of-00002.safetensors", rest)
    places = dict.fromkeys(rest, "model-00002-of-00002.safetensors")
    index = {"weight_map": {"a.weight": "model-00001-of-00002.safetensors", **places, **changes}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def assert_is_the_state(source):
    assert source.tensors.keys() == STATE.keys()
    for key, value in STATE.items():
        found = source.tensors[key].read()
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value)
    assert source.shapes == {key: value.shape for key, value in STATE.items()}


def test_a_file_and_its_folder_are_read_alike(tmp_path):
    path = save(tmp_path / "m")
    for where in (path, path.parent):
        assert_is_the_state(open_source(where))
        assert open_source(where).config is None
    (path.parent / "config.json").write_text('{"_class_name": "X"}')
    for where in (path, path.parent):
        assert open_source(where).config == {"_class_name": "X"}


def test_shards_are_one_model(tmp_path):
    folder = save_shards(tmp_path)
    assert_is_the_state(open_source(folder))
    assert_is_the_state(open_source(folder / "model.safetensors.index.json"))


def test_the_usual_name_is_taken_before_variants(tmp_path):
    save(tmp_path, "diffusion_pytorch_model.safetensors")
    save(tmp_path, "diffusion_pytorch_model.fp16.safetensors", {"x": np.ones(1)})
    save(tmp_path, "adapter.safetensors", {"x": np.ones(1)})
    assert_is_the_state(open_source(tmp_path))


@pytest.mark.parametrize("length", [0x80, 0x280, 0x4B50])
def test_a_header_whose_length_looks_like_a_pickle_is_none(tmp_path, length):
    path = tmp_path / "model.safetensors"
    header = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    path.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + b"\x07")
    assert open_source(path).tensors["a"].read().tolist() == [7]


def test_several_weights_are_not_guessed_between(tmp_path):
    for name in ("one.safetensors", "two.safetensors"):
        save(tmp_path, name)
    with pytest.raises(WeightsError, match=r"several weights \(one.safetensors, two.safetensors\)"):
        open_source(tmp_path)


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt", ".pth"])
def test_pickles_are_refused_with_the_way_out(tmp_path, suffix):
    class Never:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    path = tmp_path / f"pytorch_model{suffix}"
    path.write_bytes(pickle.dumps(Never()))
    for where in (path, tmp_path):
        with pytest.raises(WeightsError, match=r"is a pickle.*save_file\(torch\.load\("):
            open_source(where)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x02}q"])
def test_a_pickle_by_another_name_is_one(tmp_path, start):
    path = tmp_path / "model.safetensors"
    path.write_bytes(start + bytes(100))
    with pytest.raises(WeightsError, match="is a pickle"):
        open_source(path)


@given(cut=st.integers(1, 400))
def test_a_file_cut_short_anywhere_is_refused(tmp_path_factory, cut):
    path = save(tmp_path_factory.mktemp("cut"))
    whole = path.read_bytes()
    path.write_bytes(whole[: -min(cut, len(whole))])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        open_source(path)


@given(data=st.binary(max_size=200).filter(lambda data: not data.startswith((b"PK", b"\x80"))))
def test_bytes_that_are_nothing_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("noise") / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        open_source(path)


def test_shards_that_do_not_fit_their_index_are_refused(tmp_path):
    folder = save_shards(tmp_path / "absent", new="model-00002-of-00002.safetensors")
    with pytest.raises(WeightsError, match=r"promises 1 tensors that its files lack: new"):
        open_source(folder)
    folder = save_shards(tmp_path / "gone")
    (folder / "model-00001-of-00002.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model-00001-of-00002\.safetensors is missing"):
        open_source(folder)
    folder = save_shards(tmp_path / "twice")
    save(folder, "model-00001-of-00002.safetensors")
    with pytest.raises(WeightsError, match=r"repeats b\.weight of another shard"):
        open_source(folder)
    folder = save_shards(tmp_path / "outside", **{"a.weight": "../x.safetensors"})
    with pytest.raises(WeightsError, match="not a file beside it"):
        open_source(folder)


@pytest.mark.parametrize(("text", "say"), [("{", "is not JSON"), ("[]", "holds list")])
def test_a_broken_configuration_is_named(tmp_path, text, say):
    save(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=say):
        open_source(tmp_path)


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(WeightsError, match="holds no safetensors"):
        open_source(tmp_path)
    with pytest.raises(WeightsError, match="is missing"):
        open_source(tmp_path / "nonesuch.safetensors")


def test_a_file_that_shrinks_meanwhile_is_refused(tmp_path):
    path = save(tmp_path)
    source = open_source(path)
    path.write_bytes(path.read_bytes()[:-16])
    with pytest.raises(WeightsError, match="became shorter"):
        for tensor in source.tensors.values():
            tensor.read()
