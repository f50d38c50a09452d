"""Trees come back as they were, and a file that is not the recorded one is refused by name."""

import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vdjax.errors import OutputError, WeightsError
from vdjax.weights import store

KEYS = st.text(st.characters(exclude_characters="/", codec="utf-8"), min_size=1, max_size=8)
DTYPES = st.sampled_from(
    ["float16", "float32", "float64", "int8", "int32", "uint8", "uint16", "bool", "bfloat16"]
)


def narrow(wide):
    with np.errstate(over="ignore"):
        return wide.astype(ml_dtypes.bfloat16)


def array(dtype):
    if dtype == "bfloat16":
        wide = hnp.arrays("float32", hnp.array_shapes(min_dims=0, max_dims=3))
        return wide.map(narrow)
    return hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))


TREES = st.recursive(
    st.dictionaries(KEYS, DTYPES.flatmap(array), min_size=1, max_size=3),
    lambda inner: st.dictionaries(KEYS, inner | DTYPES.flatmap(array), min_size=1, max_size=3),
    max_leaves=6,
)


def assert_equal(a, b):
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    else:
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert np.asarray(a).tobytes() == b.tobytes()


@given(tree=TREES, config=st.none() | st.dictionaries(st.text(max_size=4), st.integers()))
def test_trees_come_back_as_they_were(tmp_path_factory, tree, config):
    path = tmp_path_factory.mktemp("weights") / "tree.safetensors"
    store.save_tree(path, tree, config)
    found, made_with = store.load_tree(path)
    assert_equal(tree, found)
    assert made_with == config


def test_jax_arrays_and_views_are_kept(tmp_path):
    import jax.numpy as jnp

    tree = {"a": jnp.arange(6.0).reshape(2, 3), "b": np.arange(6).reshape(2, 3).T}
    store.save_tree(tmp_path / "tree.safetensors", tree)
    found, _ = store.load_tree(tmp_path / "tree.safetensors")
    assert (found["a"] == [[0, 1, 2], [3, 4, 5]]).all()
    assert (found["b"] == tree["b"]).all()


def test_safetensors_itself_reads_the_file(tmp_path):
    from safetensors.numpy import load_file

    store.save_tree(tmp_path / "tree.safetensors", {"a": {"b": np.ones(3, np.float16)}})
    assert load_file(tmp_path / "tree.safetensors")["a/b"].dtype == np.float16


@pytest.mark.parametrize(
    "tree",
    [{}, {"a": {}}, {"a/b": np.ones(1)}, {"": np.ones(1)}],
    ids=["nothing", "empty branch", "slash", "no name"],
)
def test_trees_that_a_file_cannot_hold_are_refused(tmp_path, tree):
    with pytest.raises(ValueError, match=r"cannot hold|must be some text"):
        store.save_tree(tmp_path / "tree.safetensors", tree)
    assert list(tmp_path.iterdir()) == []


def test_saving_where_nothing_can_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*tree\.safetensors"):
        store.save_tree(tmp_path / "file" / "tree.safetensors", {"a": np.ones(1)})


def test_a_failed_save_keeps_the_former_file(tmp_path, monkeypatch):
    path = tmp_path / "tree.safetensors"
    store.save_tree(path, {"a": np.ones(1)})
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="no room left"):
        store.save_tree(path, {"a": np.zeros(1)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def preset(tmp_path):
    for name in ("unet", "clip"):
        store.save_tree(tmp_path / f"{name}.safetensors", {"w": np.arange(99.0)}, {"name": name})
    store.write_manifest(tmp_path)
    return tmp_path


def test_checked_weights_come_with_their_configuration(preset):
    tree, config = store.load_checked(preset, "unet")
    assert (tree["w"] == np.arange(99)).all()
    assert config == {"name": "unet"}
    assert store.verify(preset) == []


def test_other_parts_are_checked_too(preset):
    (preset / "tokenizer.json").write_text('{"words": 1}')
    store.write_manifest(preset)
    assert store.read_checked(preset, "tokenizer.json") == b'{"words": 1}'
    (preset / "tokenizer.json").write_text('{"words": 2}')
    with pytest.raises(WeightsError, match=r"tokenizer\.json is damaged: it has SHA-256"):
        store.read_checked(preset, "tokenizer.json")


def test_a_missing_file_is_named_with_the_way_out(preset):
    (preset / "clip.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"clip\.safetensors is missing; make .* again, by"):
        store.load_checked(preset, "clip")
    assert [fault for fault in store.verify(preset) if "clip.safetensors is missing" in fault]


def test_a_file_cut_short_is_named_with_its_size(preset):
    path = preset / "unet.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(WeightsError, match=rf"damaged: it has {len(whole) - 8} bytes instead"):
        store.load_checked(preset, "unet")


@given(place=st.integers(0, 10_000))
def test_one_flipped_bit_anywhere_is_found(tmp_path_factory, place):
    folder = tmp_path_factory.mktemp("weights")
    store.save_tree(folder / "unet.safetensors", {"w": np.arange(99.0)})
    store.write_manifest(folder)
    data = bytearray((folder / "unet.safetensors").read_bytes())
    data[place % len(data)] ^= 1 << place % 8
    (folder / "unet.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match="has SHA-256"):
        store.load_checked(folder, "unet")


def test_a_file_that_the_manifest_lacks_is_refused(preset):
    store.save_tree(preset / "prior.safetensors", {"w": np.ones(1)})
    with pytest.raises(WeightsError, match=r"lists no prior\.safetensors; it lists clip"):
        store.load_checked(preset, "prior")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other", "files": {}}'])
def test_a_broken_manifest_is_named(preset, text):
    (preset / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match=r"manifest\.json"):
        store.load_checked(preset, "unet")


def test_no_manifest_means_no_weights(tmp_path):
    with pytest.raises(WeightsError, match=r"no manifest\.json"):
        store.load_checked(tmp_path, "unet")


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_safetensors_file_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("weights") / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        store.load_tree(path)


def test_unknown_presets_are_refused():
    with pytest.raises(WeightsError, match="'nonesuch'"):
        store.shipped_folder("nonesuch")


def test_shipped_weights_are_whole_and_small_enough():
    total = 0
    for name in store.shipped_presets():
        folder = store.shipped_folder(name)
        assert store.verify(folder) == []
        listed = json.loads((folder / store.MANIFEST).read_text())["files"]
        assert {path.name for path in folder.glob("*.safetensors")} <= set(listed)
        total += sum(entry["bytes"] for entry in listed.values())
    assert total <= 64_000_000
