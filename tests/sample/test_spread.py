"""The halves of guidance on two devices: the same film, and no change where there is but one."""

from __future__ import annotations

import os
import subprocess
import sys

import jax.numpy as jnp
import numpy as np

from vdjax.sample.spread import spread

# In a process of its own: how many devices there are is settled before JAX starts.
FILM = """
import sys
import jax, numpy as np
from vdjax.plan.schema import VideoPlan
from vdjax.systems.videodirectorgpt import film
from vdjax.sample.spread import spread

plan = VideoPlan.from_json(sys.stdin.read())
made = film(plan, preset="toy", steps=2, frames=int(sys.argv[2]))
np.save(sys.argv[1], np.stack(made.frames))
_, halved = spread({}, jax.numpy.zeros((4, 3)))
print(jax.device_count(), len(halved.sharding.device_set))
"""


def filmed(path, plan, devices, frames):
    flags = f"--xla_force_host_platform_device_count={devices}"
    done = subprocess.run(
        [sys.executable, "-c", FILM, str(path), str(frames)],
        input=plan.to_json(),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XLA_FLAGS": flags},
    )
    assert done.stdout.split() == [str(devices), str(min(devices, 2))]
    return np.load(path)


def test_two_devices_make_the_film_of_one(tmp_path, plan):
    """An odd number of frames is decoded in one piece, an even one in two halves."""
    for frames in (3, 4):
        one = filmed(tmp_path / "one.npy", plan, 1, frames)
        two = filmed(tmp_path / "two.npy", plan, 2, frames)
        assert one.shape == two.shape == (2, frames, 64, 64, 3)
        assert one.std() > 1
        # Sums are taken in another order: a pixel may be rounded the other way.
        assert np.abs(one.astype(int) - two).max() <= 1


def test_one_device_keeps_everything_as_it_is():
    params, halved = {"w": jnp.ones(3)}, {"x": jnp.ones((2, 3)), "y": jnp.zeros(4)}
    same, also = spread(params, halved)
    assert same is params
    assert also is halved
