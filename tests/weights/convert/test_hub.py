"""A path is never looked up, and a hub that is not there is told in a sentence."""

from __future__ import annotations

import sys

import pytest

from vdjax.errors import WeightsError
from vdjax.weights.convert import hub
from vdjax.weights.convert.run import convert


@pytest.mark.parametrize("text", ["owner/name", "owner/name@main", "a.b-c/d_e", "o/n@refs/pr/1"])
def test_ids_are_known(text):
    assert hub.is_hub_id(text)


@pytest.mark.parametrize(
    "text", ["name", "./a/b", "/a/b", "a/b/c", "../b", "", "a/", "~/x", "a b/c", ".a/b"]
)
def test_paths_are_not_ids(text):
    assert not hub.is_hub_id(text)


def fail_with(monkeypatch, error):
    def never(*args, **options):
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", never)


def test_a_local_path_asks_nobody(tmp_path, monkeypatch, unet3d_model):
    fail_with(monkeypatch, AssertionError("the hub was asked"))
    unet3d_model.save(tmp_path / "owner" / "name")
    monkeypatch.chdir(tmp_path)
    convert("owner/name", tmp_path / "out")


@pytest.mark.parametrize("error", [ConnectionError("no route to host"), TimeoutError("slow")])
def test_a_hub_out_of_reach_is_said(tmp_path, monkeypatch, error):
    fail_with(monkeypatch, error)
    with pytest.raises(WeightsError, match=r"owner/name is no path here, and the hub cannot be"):
        convert("owner/name", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_ours_is_no_network(monkeypatch):
    fail_with(monkeypatch, KeyError("a bug"))
    with pytest.raises(KeyError):
        hub.download("owner/name")


def test_no_client_is_said_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsError, match=r'pip install "vdjax\[hub\]"'):
        hub.download("owner/name")


def test_only_weights_and_configurations_are_downloaded(tmp_path, monkeypatch):
    asked = {}

    def snapshot(repository, **options):
        asked.update(options, repository=repository)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert hub.download("owner/name@v1") == tmp_path
    assert (asked["repository"], asked["revision"]) == ("owner/name", "v1")
    import fnmatch

    def wanted(name):
        return any(fnmatch.fnmatch(name, p) for p in asked["allow_patterns"]) and not any(
            fnmatch.fnmatch(name, p) for p in asked["ignore_patterns"]
        )

    files = {
        "model_index.json": True,
        "unet/config.json": True,
        "unet/diffusion_pytorch_model.safetensors": True,
        "diffusion_pytorch_model-00001-of-00002.safetensors": True,
        "unet/diffusion_pytorch_model.fp16.safetensors": False,
        "unet/diffusion_pytorch_model.bin": False,
        "v1-5-pruned.safetensors": False,
        "text_encoder/flax_model.msgpack": False,
    }
    assert {name: wanted(name) for name in files} == files
