"""A path is never looked up, and a hub that is not there is told in a sentence."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from vdjax.errors import OutputError, WeightsError
from vdjax.weights.convert import hub
from vdjax.weights.convert.run import convert
from vdjax.weights.store import map_checked


@pytest.mark.parametrize(
    "text",
    [
        "owner/name:prior",
        "o/n@v1:prior",
        "owner/name",
        "owner/name@main",
        "a.b-c/d_e",
        "o/n@refs/pr/1",
    ],
)
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
        "tokenizer/vocab.json": True,
        "tokenizer/merges.txt": True,
        "v1-5-pruned.safetensors": False,
        "text_encoder/flax_model.msgpack": False,
    }
    assert {name: wanted(name) for name in files} == files


def published(folder, model, monkeypatch, *, halves):
    """A hub whose repository has some models in half precision only; what is asked of it."""
    import fnmatch

    files = {"unet/config.json": json.dumps(model.config), "model_index.json": "{}"}
    files["safety_checker/config.json"] = '{"architectures": ["Stranger"]}'
    files["scheduler/scheduler_config.json"] = "{}"
    names = ["unet/diffusion_pytorch_model.fp16.safetensors"]
    if not halves:
        names.append("unet/diffusion_pytorch_model.safetensors")
    fetched = []

    def snapshot(repository, *, allow_patterns, ignore_patterns=(), **options):
        for name in (*files, *names):
            wanted = any(fnmatch.fnmatch(name, p) for p in allow_patterns)
            if not wanted or any(fnmatch.fnmatch(name, p) for p in ignore_patterns):
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if name in files:
                (folder / name).write_text(files[name])
            else:
                fetched.append(name)
                kind = np.float16 if "fp16" in name else np.float32
                save_file({k: v.astype(kind) for k, v in model.state.items()}, folder / name)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    return fetched


@pytest.mark.parametrize("name", ["owner/name", "owner/name:unet"])
@pytest.mark.parametrize("halves", [True, False])
def test_half_precision_is_taken_where_there_is_no_other(
    tmp_path, monkeypatch, unet3d_model, halves, name
):
    fetched = published(tmp_path / "hub", unet3d_model, monkeypatch, halves=halves)
    lines = []
    made = convert(name, tmp_path / "out", report=lines.append)
    assert made.parameters.keys() == {"unet"}
    notes = [line for line in lines if line.startswith("note: ")]
    (leaf, *_) = map_checked(tmp_path / "out", "unet")[0]["conv_in"].values()
    if halves:
        assert fetched == ["unet/diffusion_pytorch_model.fp16.safetensors"]
        assert "unet is taken in half precision" in notes[0]
        assert leaf.dtype == np.float16
    else:
        assert fetched == ["unet/diffusion_pytorch_model.safetensors"]
        assert notes == []
        assert leaf.dtype == np.float32


def test_a_folder_that_the_hub_has_not_is_said(tmp_path, monkeypatch, unet3d_model):
    published(tmp_path / "hub", unet3d_model, monkeypatch, halves=False)
    with pytest.raises(WeightsError, match="owner/name on the hub has no weights in a folder 'pri"):
        hub.download("owner/name:prior")


def answer(code):
    import requests

    response = requests.Response()
    response.status_code = code
    return response


def test_terms_to_be_accepted_are_said(monkeypatch):
    from huggingface_hub.errors import GatedRepoError

    fail_with(monkeypatch, GatedRepoError("no", response=answer(403)))
    with pytest.raises(WeightsError, match="for those who accepted its terms"):
        hub.download("owner/name")


def test_a_full_disk_is_no_network(monkeypatch):
    fail_with(monkeypatch, OSError(28, "No space left on device"))
    with pytest.raises(OutputError, match=r"cannot keep owner/name in the hub's cache \(no space"):
        hub.download("owner/name")
