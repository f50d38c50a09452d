"""What vdjax knows of the machine, and the cache that makes a second start quick."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vdjax import runtime

COMPILE = """
import sys
from vdjax.runtime import enable_compilation_cache
folder = enable_compilation_cache(*sys.argv[1:])
import jax
print(jax.jit(lambda x: x * 3 + 1)(2.0), folder)
"""


def compile_in_a_process(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "HOME": "/nonexistent", **environment},
    )
    return done.stdout.split(maxsplit=1)


def test_jit_compiles_with_the_backends_options_and_is_traced_without():
    import jax
    import jax.numpy as jnp

    @runtime.jit
    def square(x):
        return x @ x

    x = jnp.asarray(np.random.default_rng(0).normal(size=(64, 64)), jnp.float32)
    np.testing.assert_allclose(square(x), np.asarray(x) @ np.asarray(x), rtol=1e-4, atol=1e-4)
    assert square.program()._cache_size() == 1
    # In another program: compiler options are for the outermost one only.
    gradient = jax.jit(jax.grad(lambda x: square(x).sum()))(x)
    assert gradient.shape == x.shape
    assert square.program()._cache_size() == 1


def test_this_jax_knows_the_option_that_makes_cpus_quick(monkeypatch):
    import jax

    if jax.default_backend() != "cpu":
        pytest.skip("not on a CPU")
    runtime._backend_options.cache_clear()
    assert runtime._backend_options() == runtime.FAST_CPU
    # A JAX that does not know it does without.
    monkeypatch.setattr(runtime, "FAST_CPU", {"xla_cpu_of_another_version": "1"})
    runtime._backend_options.cache_clear()
    assert runtime._backend_options() == {}
    runtime._backend_options.cache_clear()


def test_compiled_programs_are_kept_and_found_again(tmp_path):
    value, folder = compile_in_a_process(XDG_CACHE_HOME=str(tmp_path))
    assert value == "7.0"
    assert Path(folder.strip()).is_relative_to(tmp_path / "vdjax")
    programs = set(tmp_path.rglob("*-cache"))
    assert programs
    compile_in_a_process(XDG_CACHE_HOME=str(tmp_path))
    assert set(tmp_path.rglob("*-cache")) == programs


def test_a_cache_is_for_its_owner_alone(tmp_path):
    _, folder = compile_in_a_process(XDG_CACHE_HOME=str(tmp_path))
    assert Path(folder.strip()).stat().st_mode & 0o077 == 0


def test_no_place_for_a_cache_is_no_fault(tmp_path):
    (tmp_path / "file").write_text("in the way")
    value, folder = compile_in_a_process(tmp_path / "file" / "cache")
    assert (value, folder.strip()) == ("7.0", "None")


def test_a_cache_that_the_user_chose_is_left_alone(tmp_path):
    _, folder = compile_in_a_process(
        JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"), XDG_CACHE_HOME=str(tmp_path / "xdg")
    )
    assert folder.strip() == str(tmp_path / "own")
    assert not (tmp_path / "xdg").exists()


def test_a_relative_cache_home_is_ignored(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert runtime.cache_dir() == Path.home() / ".cache" / "vdjax"


def test_peak_memory_grows_with_use():
    before = runtime.peak_memory_bytes()
    held = np.ones(30_000_000)  # 240 MB
    assert runtime.peak_memory_bytes() >= before
    assert runtime.peak_memory_bytes() > held.nbytes


def test_peak_memory_is_not_the_parents():
    held = np.ones(60_000_000)
    code = "from vdjax.runtime import peak_memory_bytes; print(peak_memory_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 1_000_000 < int(done.stdout) < held.nbytes


def test_total_memory_is_more_than_is_used():
    assert runtime.total_memory_bytes() > runtime.peak_memory_bytes()


@pytest.mark.parametrize("name", ["python", "vdjax", "jax", "flax", "numpy"])
def test_versions_are_known(name):
    assert runtime.versions()[name][0].isdigit()
