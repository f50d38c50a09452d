"""Laying the artwork itself over what was found, to see exactly where it lies.

A window of a frame enters with a drawing that may be in it; the box leaves where that drawing
explains the window best, and how badly it does. This is image registration by Gauss and Newton
(Lucas and Kanade 1981; Baker and Matthews 2004, section 3) with four unknowns, centre and size.
What is drawn is the drawing over a background of smoothly changing colour; residuals are weighed
down where they are large (Geman and McClure), so that a thing half hidden is laid where its visible
part is.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from vdjax.data.storybook.sprites import NAMES, tile
from vdjax.evaluate.network import CUTOUT
from vdjax.plan.vocabulary import LOOKS

REACH = 1.7
"""A window is this many times as wide and as high as the box it was made for."""
_ART = 24  # side of the drawing's square picture, about what it fills of a window
_SCALE = 0.15  # residual (of 1) beyond which a pixel counts less
_STEPS = (6, 5)  # Gauss-Newton steps on the blurred, then on the sharp window


@functools.cache
def art(size: int = _ART) -> Float32[np.ndarray, "drawing side side 4"]:
    """Every drawing, stretched to a square with a clear rim, colours times opacity, in 0..1.

    Drawing `2 * (4 * name + look)`, and its mirror image after it.
    """
    pictures = []
    for name in NAMES:
        for look in LOOKS:
            for mirrored in (False, True):
                inner = tile(name, look, mirrored).convert("RGBa").resize((size, size), 4)
                picture = np.asarray(inner, np.float32) / 255
                pictures.append(np.pad(picture, ((1, 1), (1, 1), (0, 0))))
    return np.stack(pictures)


@jax.jit
def fit(
    windows: Float[Array, "fit 32 32 3"],
    inside: Float[Array, "fit 32 32"],
    drawings: Float[Array, "fit 26 26 4"],
) -> tuple[Float[Array, "fit 4"], Float[Array, " fit"]]:
    """Box of each drawing in its window, x0 y0 x1 y1 in shares of it, and its mean residual.

    The residual is robust, from 0 (explained in full) to 1.

    `inside` is 1 where a window's pixel lies in the frame. Every fit begins at the middle of the
    window, at the size of the box it was made for.
    """
    start = jnp.array([0.5, 0.5, -np.log(REACH), -np.log(REACH)], jnp.float32)
    place = jnp.broadcast_to(start[None], (windows.shape[0], 4))
    for sharp, steps in zip((False, True), _STEPS, strict=True):
        seen = windows if sharp else _blurred(windows)
        shown = drawings if sharp else _blurred(drawings)
        place = jax.lax.fori_loop(
            0,
            steps,
            lambda _, at, seen=seen, shown=shown: jax.vmap(_improved)(at, seen, inside, shown),
            place,
        )
    residual = jax.vmap(lambda *one: _cost(*one))(place, windows, inside, drawings)
    centre, half = place[:, :2], jnp.exp(place[:, 2:]) / 2
    return jnp.concatenate([centre - half, centre + half], axis=1), residual


def _improved(place, window, inside, drawing):
    """One Gauss-Newton step, damped, and kept small."""
    around = _surroundings(place, window, inside, drawing)

    def residuals(at):
        return _residuals(at, window, drawing, *around)

    error = residuals(place)
    slopes = jax.vmap(lambda tangent: jax.jvp(residuals, (place,), (tangent,))[1])(jnp.eye(4))
    slopes = slopes.reshape(4, -1)
    weight = _weights(error, inside).reshape(-1)
    normal = (slopes * weight[None]) @ slopes.T
    damped = normal + jnp.diag(0.03 * jnp.diag(normal) + 0.05)
    step = jnp.linalg.solve(damped, (slopes * weight[None]) @ error.reshape(-1))
    moved = place - jnp.clip(step, -0.08, 0.08)
    low = jnp.array([0.15, 0.15, np.log(0.25), np.log(0.25)], jnp.float32)
    return jnp.clip(moved, low, jnp.array([0.85, 0.85, 0.0, 0.0], jnp.float32))


def _cost(place, window, inside, drawing):
    around = _surroundings(place, window, inside, drawing)
    squared = (_residuals(place, window, drawing, *around) ** 2).mean(-1)
    robust = squared / (squared + _SCALE**2)
    return (robust * inside).sum() / jnp.maximum(inside.sum(), 1.0)


def _weights(error, inside):
    squared = (error**2).mean(-1, keepdims=True)
    weight = inside[..., None] * (_SCALE**2 / (squared + _SCALE**2)) ** 2
    return jnp.broadcast_to(weight, error.shape)


def _residuals(place, window, drawing, background, tint):
    """What the drawing at `place` over the background leaves unexplained."""
    shown = _laid(place, drawing)
    opacity = shown[..., 3:]
    return shown[..., :3] + opacity * tint[None, None] + (1 - opacity) * background - window


def _surroundings(place, window, inside, drawing):
    """The background as a plane of colour fitted around the drawing, and the drawing's new tint.

    Both are taken as given while the place is improved.
    """
    shown = _laid(place, drawing)
    opacity = shown[..., 3]
    outer = ((1 - opacity) * inside).reshape(-1)
    grid = jnp.linspace(-1.0, 1.0, CUTOUT)
    plane = jnp.stack(
        [jnp.ones((CUTOUT, CUTOUT)), *jnp.meshgrid(grid, grid, indexing="ij")], axis=-1
    ).reshape(-1, 3)
    weighted = plane * outer[:, None]
    system = weighted.T @ plane + 0.5 * jnp.eye(3)
    background = plane @ jnp.linalg.solve(system, weighted.T @ window.reshape(-1, 3))
    inner = (opacity * inside)[..., None]
    change = (inner * (window - shown[..., :3] / jnp.maximum(opacity, 0.05)[..., None])).sum((0, 1))
    tint = jnp.clip(change / (inner.sum() + 5.0), -0.12, 0.12)
    return background.reshape(CUTOUT, CUTOUT, 3), tint


def _laid(place, drawing):
    """The drawing laid into a window: colours times opacity, and opacity; clear outside."""
    middles = (jnp.arange(CUTOUT, dtype=jnp.float32) + 0.5) / CUTOUT
    across, down = (((middles - place[i]) / jnp.exp(place[2 + i]) + 0.5) * _ART for i in (0, 1))
    # The rim is one pixel wide, so pixel k of the drawing has its middle at k - 0.5.
    rows, columns = (_hats(at + 0.5, drawing.shape[0]) for at in (down, across))
    return jnp.einsum("us,stc,vt->uvc", rows, drawing, columns)


def _hats(at, side):
    """Linear interpolation at `at` as a matrix: one row per place, one column per pixel."""
    held = jnp.clip(at, 0.0, side - 1.0)
    pixels = jnp.arange(side, dtype=jnp.float32)
    return jnp.maximum(0.0, 1.0 - jnp.abs(held[:, None] - pixels[None]))


def _blurred(pictures):
    """Blurred by (1 2 4 2 1) along both sides."""
    taps = jnp.array([1.0, 2.0, 4.0, 2.0, 1.0]) / 10
    for axis in (1, 2):
        pad = [(0, 0)] * pictures.ndim
        pad[axis] = (2, 2)
        wide = jnp.pad(pictures, pad, mode="edge")
        length = pictures.shape[axis]
        pictures = sum(
            tap * jax.lax.slice_in_dim(wide, at, at + length, axis=axis)
            for at, tap in enumerate(taps)
        )
    return pictures
