"""Make the films of the README's gallery: python scripts/draw_gallery.py

Each of the sentences below, with seed 0, becomes a film; its scenes play side by side. The first
film that comes is the one that is shown: none is chosen among several.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import vdjax
from vdjax.progress import silent

FOLDER = Path(__file__).parents[1] / "site" / "gallery"
FILMS = {
    "night": "An owl flies to the castle at night, then sits beside a mushroom in the forest",
    "farm": "A cow walks in the park, then a tractor drives past a goat",
    "sea": "A whale swims underwater, then meets an octopus and a crab",
}
MILLISECONDS = 125


def strip(film: vdjax.Film) -> list[Image.Image]:
    """The scenes side by side, a picture per frame."""
    edge = np.full((film.frames[0].shape[0], film.frames[0].shape[1], 4, 3), 255, np.uint8)
    parts = [part for clip in film.frames for part in (clip, edge)][:-1]
    return [Image.fromarray(frame) for frame in np.concatenate(parts, axis=2)]


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, prompt in FILMS.items():
        film = vdjax.film(prompt, seed=0, progress=silent)
        first, *rest = strip(film)
        path = FOLDER / f"{name}.webp"
        first.save(
            path, save_all=True, append_images=rest, duration=MILLISECONDS, loop=0, quality=80
        )
        print(f"{path.name}: {len(film.frames)} scenes, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
