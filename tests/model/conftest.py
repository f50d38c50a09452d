"""A UNet as small as it gets with every kind of layer in it, compiled once for all tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdjax.model.params import fill_params, init_unet
from vdjax.model.unet3d import UNet3D, UNet3DConfig

BATCH, FRAMES = 2, 3


@dataclass(frozen=True)
class Network:
    """The UNet with random parameters in every leaf (gates half open), and a batch to run it on."""

    config: UNet3DConfig
    params: dict
    latents: jax.Array
    timesteps: jax.Array
    text: jax.Array
    grounding: jax.Array

    def __call__(self, *, params=None, gated=True, video=True, **changed) -> np.ndarray:
        names = ("latents", "timesteps", "text", "grounding")
        args = [changed.get(name, getattr(self, name)) for name in names]
        if not gated:
            args[-1] = None
        return np.asarray(
            _run(self.config, self.params if params is None else params, *args, video)
        )


# Compiling is most of what these tests cost: optimise as little as the compiler knows how to.
@partial(jax.jit, static_argnums=(0, 6), compiler_options={"xla_backend_optimization_level": 0})
def _run(config, params, latents, timesteps, text, grounding, video):
    args = (latents, timesteps, text, grounding)
    return UNet3D(config).apply({"params": params}, *args, video=video)


@pytest.fixture(scope="session")
def network() -> Network:
    config = UNet3DConfig(
        sample_size=4,
        block_out_channels=(8, 16),
        attention=(False, True),
        text_width=6,
        grounding_width=5,
        head_dim=4,
        norm_num_groups=4,
    )
    shapes = jax.eval_shape(partial(init_unet, config), jax.random.key(0))
    rng = np.random.default_rng(1)

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    return Network(
        config=config,
        params=fill_params(shapes),
        latents=normal(BATCH, FRAMES, 4, 4, 4),
        timesteps=jnp.array([40, 900]),
        text=normal(BATCH, 7, 6),
        grounding=normal(BATCH, FRAMES, 3, 5),
    )
