"""Data sets of a few small pictures in their real formats, and networks that are a line each."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def pixels(width, height, seed=0):
    """A picture that is smooth, as pictures are, and the same for the same seed."""
    few = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(few).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def draw():
    """Save a picture and give its pixels."""

    def save(path: Path, width=80, height=60, seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(width, height, seed)).save(path)
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))

    return save


@pytest.fixture
def write_json():
    def write(path: Path, value, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, **options), encoding="utf-8")
        return path

    return write


@pytest.fixture
def folder_of(tmp_path, draw):
    """Write a folder data set: pictures of different sizes, two boxes each, and a caption."""

    root = tmp_path / "mine"

    def write(count):
        lines = []
        for i in range(count):
            width, height = (80, 60) if i % 2 else (48, 64)
            draw(root / f"{i}.png", width, height, seed=i)
            entities = [
                {"phrase": f"small {i % 3}", "box": [0.4, 0.4, 0.6, 0.7]},
                {"phrase": "large", "box": [0.2, 0.1, 0.9, 0.95]},
            ]
            lines.append({"image": f"{i}.png", "caption": f"picture {i}", "entities": entities})
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (root / "samples.jsonl").write_text(text, encoding="utf-8")
        return root

    return write


@dataclass
class TinyNetworks:
    """Networks one can do by heart: means of pixels, and sums of letters."""

    fingerprint: str = "tiny"
    image_size: int = 32
    crop_size: int = 8
    asked: int = 0

    def latents(self, pictures):
        self.asked += 1
        assert pictures.shape[1:] == (32, 32, 3)
        n = len(pictures)
        return pictures.reshape(n, 4, 8, 4, 8, 3).astype(np.float32).mean((2, 4)) / 255

    def looks(self, close_ups):
        assert close_ups.shape[1:] == (8, 8, 3)
        return close_ups.astype(np.float32).mean((1, 2)) / 255

    def words(self, phrases):
        return np.array([[len(phrase), sum(map(ord, phrase)) / 100] for phrase in phrases])

    def tokens(self, captions):
        return np.array([[ord(c) for c in caption[:6].ljust(6)] for caption in captions])


@pytest.fixture
def networks():
    return TinyNetworks()
