"""What notebook 09 builds from scratch is the package's: shapes, names, layouts, files, noise."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from vdjax.model.hf import NoiseConfig, make_scheduler
from vdjax.model.params import GATED, TEMPORAL
from vdjax.weights.convert import unet3d
from vdjax.weights.convert.rules import CHANGES, expected_shapes, plan_conversion
from vdjax.weights.convert.unets import wanted
from vdjax.weights.size import is_of_kind, unet_shapes
from vdjax.weights.store import read_header

# The notebook's NumPy computes in float64 and hands that to JAX, as a reader's would.
pytestmark = pytest.mark.loose_dtypes

MODELSCOPE = Path(__file__).parents[1] / "model" / "modelscope_shapes.json"
SMALL = {
    "_class_name": "UNet3DConditionModel",
    "sample_size": 4,
    "block_out_channels": [8, 16],
    "down_block_types": ["CrossAttnDownBlock3D", "DownBlock3D"],
    "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D"],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 6,
    "attention_head_dim": 4,
    "attention_type": "gated",
}


@pytest.fixture(scope="module")
def notebook(scratch):
    return scratch("09_real_weights")


@pytest.fixture(scope="module")
def small():
    return unet3d.configure(SMALL)


def test_shapes_and_kinds(notebook, small):
    ours = notebook["shapes_of"](small.unet)
    assert ours == dict(unet_shapes(small.unet))
    for leaf in ours:
        kind = "gated" if is_of_kind(GATED, leaf) else "spatial"
        kind = "temporal" if is_of_kind(TEMPORAL, leaf) else kind
        assert notebook["kind_of"](leaf) == f"{kind} layers"


def test_every_key_of_a_gated_network(notebook, small):
    rules, leaves = unet3d.rules_for(small), wanted(small)
    moves = plan_conversion(expected_shapes(rules, leaves), rules, leaves)
    assert {notebook["rename"](move.key, len(move.shape)) for move in moves} == set(leaves)
    rng = np.random.default_rng(0)
    for move in moves:
        tensor = rng.normal(size=move.shape)
        np.testing.assert_array_equal(
            notebook["turn"](tensor), CHANGES[move.change].forward(tensor)
        )
        assert notebook["rename"](move.key, tensor.ndim) == move.leaf


def test_every_key_of_modelscope_itself(notebook):
    """The list was taken from PyTorch's class."""
    content = json.loads(MODELSCOPE.read_text())
    leaves = {notebook["rename"](key, len(shape)) for key, shape in content.items()}
    assert len(leaves) == len(content)
    assert not [leaf for leaf in leaves if "." in leaf or leaf.endswith("/weight")]
    assert sum(int(np.prod(shape)) for shape in content.values()) == 1_411_233_860


def test_a_file_is_read_as_the_package_reads_it(notebook, tmp_path):
    path = tmp_path / "some.safetensors"
    tensors = {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.ones((4,), np.float32)}
    save_file(tensors, path)
    assert notebook["read_header"](path) == read_header(path)
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(notebook["read_tensor"](path, key), tensor)


def test_work_is_counted(notebook):
    def two_products(x, y):
        once = jax.jit(lambda a, b: a @ b)(x, y)
        return jax.lax.scan(lambda carry, row: (carry, row @ y), 0, once[:, None])[1]

    program = jax.make_jaxpr(two_products)(jnp.zeros((3, 4)), jnp.zeros((4, 4))).jaxpr
    assert notebook["multiply_adds"](program) == 2 * 3 * 4 * 4

    convolution = jax.make_jaxpr(
        lambda x, k: jax.lax.conv_general_dilated(
            x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
    )(jnp.zeros((1, 5, 5, 2)), jnp.zeros((3, 3, 2, 7))).jaxpr
    assert notebook["multiply_adds"](convolution) == 25 * 7 * 9 * 2


def test_what_is_alive(notebook):
    program = jax.make_jaxpr(lambda x: jnp.sin(jnp.cos(x)) + x)(jnp.zeros(8, jnp.float32)).jaxpr
    assert notebook["live_bytes"](program) == [32, 64, 64]


def test_noise(notebook):
    theirs = make_scheduler("ddim", NoiseConfig()).create_state().common.alphas_cumprod
    np.testing.assert_allclose(notebook["signal_left"](), theirs, rtol=1e-3)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("at", [981, 501, 21])
def test_a_step(notebook, prediction, at):
    rng = np.random.default_rng(at)
    z, answer = (rng.normal(size=(1, 4, 4, 4)).astype(np.float32) for _ in range(2))
    scheduler = make_scheduler("ddim", NoiseConfig(prediction_type=prediction))
    state = scheduler.set_timesteps(scheduler.create_state(), 50, z.shape)
    theirs = scheduler.step(state, jnp.asarray(answer), at, jnp.asarray(z)).prev_sample
    alphas = notebook["signal_left"]()
    ours = notebook["ddim_step"](answer, z, alphas[at], alphas[at - 20], prediction)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
