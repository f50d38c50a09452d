"""The doctor finds what is wrong and names the command that mends it."""

import subprocess
import sys
from importlib import metadata

import imageio_ffmpeg
import numpy as np
import pytest
from packaging.requirements import Requirement

from vdjax import doctor
from vdjax.weights import store


def finding(topic):
    (found,) = [found for found in doctor.examine() if found.topic == topic]
    return found


def test_looks_at_every_requirement_of_the_package():
    topics = {found.topic for found in doctor.examine()}
    needed = [Requirement(text) for text in metadata.requires("vdjax")]
    assert {r.name for r in needed if r.marker is None} <= topics
    assert {"python", "jax devices", "memory", "disk", "ffmpeg", "program cache"} <= topics
    assert {
        f"[{extra}]" for extra in metadata.metadata("vdjax").get_all("Provides-Extra")
    } <= topics


def test_says_what_jax_sees():
    import jax

    assert jax.devices()[0].platform in finding("jax devices").text


def without(monkeypatch, missing):
    true_version = metadata.version

    def version(name):
        if name == missing:
            raise metadata.PackageNotFoundError(name)
        return true_version(name)

    monkeypatch.setattr(metadata, "version", version)


def test_a_missing_requirement_is_a_fault(monkeypatch):
    without(monkeypatch, "pydantic")
    found = finding("pydantic")
    assert (found.ok, found.optional, found.text) == (False, False, "missing")
    assert found.mend == f'{sys.executable} -m pip install "pydantic>=2.9"'


def test_a_missing_extra_is_no_fault(monkeypatch):
    without(monkeypatch, "optax")
    found = finding("[train]")
    assert (found.ok, found.optional) == (False, True)
    assert "optax" in found.text
    assert "train" in found.mend


def test_a_wrong_version_is_a_fault(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "0.1")
    found = finding("diffusers")
    assert (found.ok, found.text) == (False, "0.1")


def test_a_jax_that_does_not_start_is_a_fault(monkeypatch):
    monkeypatch.setitem(sys.modules, "flax.linen", None)
    found = finding("jax works")
    assert not found.ok
    assert "flax" in found.text


def test_no_ffmpeg_is_no_fault(monkeypatch):
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/nowhere/ffmpeg")
    found = finding("ffmpeg")
    assert (found.ok, found.optional) == (False, True)
    assert "imageio-ffmpeg" in found.mend


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    store.save_tree(tmp_path / "storybook" / "unet.safetensors", {"w": np.ones(9)})
    store.write_manifest(tmp_path / "storybook")
    monkeypatch.setattr(store, "__file__", str(tmp_path / "store.py"))
    return tmp_path / "storybook"


def test_whole_weights_are_well(shipped):
    assert finding("weights storybook").ok


def test_damaged_weights_are_a_fault(shipped):
    (shipped / "unet.safetensors").write_bytes(b"cut")
    found = finding("weights storybook")
    assert (found.ok, found.optional) == (False, False)
    assert "unet.safetensors is damaged" in found.text


def test_no_weights_are_a_fault(shipped):
    (shipped / "manifest.json").unlink()
    assert not finding("weights").ok


def test_the_table_names_faults_with_what_mends_them():
    good = doctor.Finding(topic="jax", text="0.10.2")
    bad = doctor.Finding(topic="numpy", text="missing", ok=False, mend="pip install numpy")
    odd = doctor.Finding(topic="ffmpeg", text="none", ok=False, optional=True, mend="get one")
    table = doctor.show([good, bad, odd])
    assert table.splitlines()[0] == "ok  jax     0.10.2"
    assert "!!  numpy   missing" in table
    assert "mend: pip install numpy" in table
    assert "--  ffmpeg  none" in table
    assert "1 fault to mend" in table
    assert "all well" in doctor.show([good, odd])


def test_the_command_prints_the_table(vdjax_command):
    done = vdjax_command("doctor")
    assert "ok  jax devices" in done.stdout
    assert done.returncode == (0 if "all well" in done.stdout else 1)
    assert done.stderr == ""


def test_importing_the_doctor_does_not_start_jax():
    code = "import vdjax.doctor, sys; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
