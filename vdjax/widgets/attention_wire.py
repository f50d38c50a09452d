"""An attention record as a page reads it: maps of 8 bits, each with its own least and most.

Records enter; bytes leave, laid out so that a page finds any map by counting. What is measured (the
share inside a box, the scales of colours) is measured here, on the record itself, never on what was
rounded for the journey: a code is off by at most 1/510 of its map's range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from vdjax.errors import UserError
from vdjax.inspect.records import AttentionRecord, Kind, readable
from vdjax.inspect.views import (
    Track,
    inside_and_even,
    layer_maps,
    most,
    of_kind,
    pooled,
)

LIMIT = 8_000_000
"""Bytes of maps that travel for one record; a saved page with all heads holds twice as many."""

KINDS: tuple[Kind, ...] = ("box", "word")
_SIDES = (64, 32, 16, 8)


def codes(
    maps: Float[np.ndarray, "*any height width"],
) -> tuple[UInt8[np.ndarray, "*any height width"], Float32[np.ndarray, "*any 2"]]:
    """Maps as whole numbers, 0 for the least of each map to 255 for the most; and those two."""
    low, high = maps.min(axis=(-2, -1)), maps.max(axis=(-2, -1))
    spread = np.where(high > low, high - low, 1.0)
    shares = (maps - low[..., None, None]) / spread[..., None, None]
    ranges: np.ndarray = np.stack([low, high], axis=-1).astype(np.float32)
    return np.rint(255 * shares).astype(np.uint8), ranges


def travelling_side(records: Sequence[AttentionRecord], limit: int = LIMIT) -> int:
    """The largest side at which the means over heads of each record stay under `limit` bytes.

    Raises:
        UserError: even at 8 × 8 they do not.
    """
    for side in _SIDES:
        need = max(_mean_bytes(record, side) for record in records)
        if need <= limit:
            return side
    raise UserError(
        f"the record's maps take {readable(need)} at 8 × 8, above the {readable(limit)} that a "
        "page is given: record fewer steps, or leave out the words"
    )


def _mean_bytes(record: AttentionRecord, side: int) -> int:
    sizes = [maps.shape[3:5] for maps in record.maps.values()]
    sizes.append((max(h for h, _ in sizes), max(w for _, w in sizes)))
    places = sum(min(h, side) * min(w, side) for h, w in sizes)
    return places * (len(record.timesteps) + 1) * record.frames * len(record.tokens)


def packed(record: AttentionRecord, boxes: Mapping[str, Track], side: int) -> dict[str, Any]:
    """The means over heads of a record, with what is measured on them.

    `maps` holds, layer by layer (their mean first), codes[step, token, frame, height, width], the
    mean over steps last; `ranges` is float32[layer, step, token, frame, 2]; `shares`, the parts
    inside the boxes, is float32[layer, step, token, frame], NaN where there is none.
    """
    layers, maps, ranges, shares = [], [], [], []
    for layer in (None, *record.layers):
        whole = layer_maps(record, layer)
        shares.append(_shares(record, whole, boxes))
        by_token = pooled(whole, side).transpose(0, 4, 1, 2, 3)
        coded, limits = codes(by_token)
        heads = 1 if layer is None else record.maps[layer].shape[2]
        height, width = by_token.shape[3:]
        layers.append({"name": layer or "", "heads": heads, "height": height, "width": width})
        maps.append(coded.tobytes())
        ranges.append(limits)
    return {
        "layers": layers,
        "timesteps": list(record.timesteps),
        "gated": list(record.gated),
        "tokens": [{"label": t.label, "name": t.name, "kind": t.kind} for t in record.tokens],
        "frames": record.frames,
        "boxes": {label: list(track) for label, track in boxes.items()},
        "maps": b"".join(maps),
        "ranges": np.stack(ranges).tobytes(),
        "shares": np.stack(shares).tobytes(),
    }


def _shares(
    record: AttentionRecord, maps: Float[np.ndarray, "step frame height width token"], boxes: Any
) -> Float32[np.ndarray, "step token frame"]:
    found = np.full((len(maps), len(record.tokens), record.frames), np.nan, np.float32)
    for place, token in enumerate(record.tokens):
        if token.label in boxes:
            for step, whole in enumerate(maps):
                found[step, place] = inside_and_even(whole[..., place], boxes[token.label])[0]
    return found


def shared_most(records: Sequence[AttentionRecord]) -> dict[str, dict[str, float]]:
    """The most anywhere by kind of token, of `means` over heads and of single `heads`."""
    return {
        "means": {kind: most(records, kind) for kind in KINDS},
        "heads": {kind: most(records, kind, heads=True) for kind in KINDS},
    }


def packed_heads(
    record: AttentionRecord, boxes: Mapping[str, Track], token: str, layer: str, side: int
) -> dict[str, bytes] | None:
    """Every head of one token at one layer; None where the record has no such token.

    `maps` holds codes[head, step, frame, height, width]; `ranges` is float32[head, step, frame, 2],
    `shares` float32[head, step, frame].
    """
    if all(token != one.label for one in record.tokens):
        return None
    place, per_head, shares = record.place(token), [], []
    for head in range(1, record.maps[layer].shape[2] + 1):
        whole = layer_maps(record, layer, head)[..., place : place + 1]
        inside = [inside_and_even(step[..., 0], boxes.get(token))[0] for step in whole]
        shares.append(np.stack(inside))
        per_head.append(pooled(whole, side)[..., 0])
    coded, ranges = codes(np.stack(per_head))
    return {
        "maps": coded.tobytes(),
        "ranges": ranges.tobytes(),
        "shares": np.stack(shares).astype(np.float32).tobytes(),
    }


def heads_bytes(record: AttentionRecord, side: int) -> int:
    """What all heads of all grounding tokens of a record take."""
    places = sum(
        maps.shape[2] * min(maps.shape[3], side) * min(maps.shape[4], side)
        for maps in record.maps.values()
    )
    count = int(of_kind(record, "box").sum())
    return places * (len(record.timesteps) + 1) * record.frames * count
