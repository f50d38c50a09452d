"""What a generator does to pictures, done to real ones: softness, blocks, noise, bent shapes.

A frame enters, a worse one leaves. The detector is trained on random mixtures of these and is then
measured on each of them at a stated strength, so that its errors can be told from the generator's.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageFilter

Frame = UInt8[np.ndarray, "height width 3"]

#: Patches along each side whose corners move when a frame is bent.
_PATCHES = 10


def blur(frame: Frame, sigma: float) -> Frame:
    """Gaussian blur of `sigma` pixels."""
    return np.asarray(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(sigma)))


def soften(frame: Frame, factor: float) -> Frame:
    """Made smaller by `factor` and large again: the softness of an autoencoder."""
    height, width = frame.shape[:2]
    small = max(4, round(width / factor)), max(4, round(height / factor))
    picture = Image.fromarray(frame).resize(small, Image.Resampling.BOX)
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def blocks(frame: Frame, kept: int) -> Frame:
    """Only the lowest `kept` × `kept` cosines of every 8 × 8 block, as a latent may keep them."""
    height, width = frame.shape[0] // 8 * 8, frame.shape[1] // 8 * 8
    keep = _low_pass(kept)
    cut = frame[:height, :width].astype(np.float32).reshape(height // 8, 8, width // 8, 8, 3)
    low = np.einsum("ai,hiwjc,bj->hawbc", keep, cut, keep, optimize=True)
    out = frame.copy()
    out[:height, :width] = _bytes(low.reshape(height, width, 3))
    return out


@functools.cache
def _low_pass(kept: int) -> Float32[np.ndarray, "8 8"]:
    """Projection of eight samples on their lowest `kept` cosines (DCT-II)."""
    at, order = np.arange(8), np.arange(kept)[:, None]
    basis = np.cos(np.pi * (at + 0.5) * order / 8) * np.where(order == 0, 1 / 8, 2 / 8) ** 0.5
    return (basis.T @ basis).astype(np.float32)


def noise(frame: Frame, sigma: float, rng: np.random.Generator) -> Frame:
    """Independent normal noise of `sigma` grey levels."""
    grain = rng.standard_normal(frame.shape, np.float32)
    return _bytes(frame + sigma * grain)


def blotches(frame: Frame, strength: float, rng: np.random.Generator) -> Frame:
    """Smooth patches of wrong colour, of `strength` grey levels."""
    coarse = _smooth_field(rng, frame.shape[:2], 3, bumps=6)
    return _bytes(frame + strength * coarse)


def jpeg(frame: Frame, quality: int) -> Frame:
    """Through JPEG at `quality`, 1 to 95."""
    held = io.BytesIO()
    Image.fromarray(frame).save(held, "JPEG", quality=quality)
    return np.asarray(Image.open(held))


def recolour(
    frame: Frame, gain: float, offset: float, saturation: float, tint: tuple[float, float, float]
) -> Frame:
    """Contrast `gain` about mid-grey; `offset` and `tint` in grey levels; `saturation`."""
    x = frame.astype(np.float32)
    grey = x.mean(-1, keepdims=True)
    x = grey + saturation * (x - grey)
    return _bytes(127.5 + gain * (x - 127.5) + offset + np.asarray(tint, np.float32))


def bend(frame: Frame, pixels: float, rng: np.random.Generator) -> Frame:
    """Shapes bent by a smooth field of about `pixels` pixels."""
    height, width = frame.shape[:2]
    rows, columns = (np.linspace(0, extent, _PATCHES + 1).round() for extent in (height, width))
    field = pixels * _smooth_field(rng, (_PATCHES + 1, _PATCHES + 1), 2, bumps=_PATCHES // 2)
    source = np.stack(np.meshgrid(columns, rows), -1) + field
    source = np.clip(source, 0, [width, height])
    mesh = []
    for i in range(_PATCHES):
        for j in range(_PATCHES):
            target = tuple(int(at) for at in (columns[j], rows[i], columns[j + 1], rows[i + 1]))
            corners = (source[i, j], source[i + 1, j], source[i + 1, j + 1], source[i, j + 1])
            mesh.append((target, tuple(float(at) for corner in corners for at in corner)))
    picture = Image.fromarray(frame)
    bent = picture.transform(picture.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
    return np.asarray(bent)


def mixture(frame: Frame, rng: np.random.Generator) -> Frame:
    """A random mixture at random strengths, as in training; one in five is the frame itself."""
    if rng.random() < 0.2:
        return frame
    if rng.random() < 0.35:
        frame = bend(frame, rng.uniform(0.5, 2.0), rng)
    if rng.random() < 0.5:
        tint = tuple(rng.normal(0, 6, 3))
        frame = recolour(
            frame, rng.uniform(0.75, 1.2), rng.normal(0, 10), rng.uniform(0.6, 1.3), tint
        )
    if rng.random() < 0.25:
        frame = blotches(frame, rng.uniform(5, 20), rng)
    soft = rng.random()
    if soft < 0.3:
        frame = soften(frame, rng.uniform(1.4, 3.4))
    elif soft < 0.55:
        frame = blur(frame, rng.uniform(0.5, 2.0))
    elif soft < 0.75:
        frame = blocks(frame, int(rng.integers(3, 6)))
    rough = rng.random()
    if rough < 0.25:
        frame = noise(frame, rng.uniform(3, 20), rng)
    elif rough < 0.45:
        frame = jpeg(frame, int(rng.integers(15, 70)))
    return frame


#: The degradations a detector is measured on, each at one stated strength.
DEGRADATIONS: Mapping[str, Callable[[Frame, np.random.Generator], Frame]] = MappingProxyType(
    {
        "blur, 1.5 px": lambda frame, rng: blur(frame, 1.5),
        "a third of the resolution": lambda frame, rng: soften(frame, 3.0),
        "3 × 3 of 8 × 8 cosines": lambda frame, rng: blocks(frame, 3),
        "noise, 15 levels": lambda frame, rng: noise(frame, 15, rng),
        "JPEG, quality 20": lambda frame, rng: jpeg(frame, 20),
        "bent by 1.5 px": lambda frame, rng: bend(frame, 1.5, rng),
        "soft, bent and noisy": lambda frame, rng: noise(
            soften(bend(frame, 1.2, rng), 2.2), 8, rng
        ),
    }
)


def _bytes(values: Float32[np.ndarray, "height width 3"]) -> Frame:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], channels: int, bumps: int
) -> Float32[np.ndarray, "height width channel"]:
    """Smooth random values of about unit size, with some `bumps` bumps along each side."""
    coarse = rng.standard_normal((channels, bumps, bumps), np.float32)
    planes = [
        np.asarray(Image.fromarray(plane).resize(shape[::-1], Image.Resampling.BICUBIC))
        for plane in coarse
    ]
    return np.stack(planes, -1)
