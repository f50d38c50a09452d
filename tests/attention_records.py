"""An attention record to look at: two layers, three steps, four frames, two entities and words."""

import numpy as np

from vdjax.inspect.records import AttentionRecord, Token

CAT, DOG = (0.05, 0.5, 0.45, 0.9), (0.5, 0.4, 0.9, 0.9)
TOKENS = (Token("cat"), Token("dog"), Token("beach"), Token("cat", "word"), Token("the", "word"))


def make_record(seed=0, gated=(True, True, False), tokens=TOKENS, frames=4):
    """Random weights; in steps without gates entities have none."""
    rng = np.random.default_rng(seed)
    maps = {}
    for layer, (heads, side) in {"down 0.0": (2, 8), "mid 0": (3, 4)}.items():
        shape = (3, frames, heads, side, side, len(tokens))
        maps[layer] = rng.random(shape).astype(np.float32) / len(tokens)
        for step, on in enumerate(gated):
            boxed = [token.kind == "box" for token in tokens]
            if not on:
                maps[layer][step][..., boxed] = 0.0
    return AttentionRecord(maps, (900, 500, 100), tokens, gated)


def make_frames(frames=4, size=(24, 32), seed=1):
    """Frames without edges, which WebP keeps nearly as they are; each differs from the others."""
    rng = np.random.default_rng(seed)
    across, down = np.linspace(0, 1, size[1]), np.linspace(0, 1, size[0])[:, None]
    slopes = rng.random((frames, 1, 1, 3))
    shades = 40 + 80 * across[..., None] * slopes + 80 * down[..., None] * (1 - slopes)
    shades = shades + 20 * np.arange(frames).reshape(-1, 1, 1, 1)
    return np.rint(shades).astype(np.uint8)
