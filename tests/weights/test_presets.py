"""Presets: their exact sizes, and what they are when they have travelled as JSON."""

from __future__ import annotations

import json

import pytest

from vdjax.errors import UserError
from vdjax.weights.presets import PRESETS, Preset, get_preset
from vdjax.weights.size import denoiser_size

TEMPORAL = 1_411_233_860 - 865_910_724


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("modelscope", {"spatial layers": 865_910_724, "temporal layers": TEMPORAL}),
        (
            "lvd",
            {
                "spatial layers": 865_910_724,
                "temporal layers": TEMPORAL,
                "gated layers": 211_213_152,
                "grounding net": 1_346_624,
            },
        ),
        (
            "videodirectorgpt",
            {
                "spatial layers": 865_910_724,
                "temporal layers": TEMPORAL,
                "gated layers": 211_213_152,
                # Two projections of 768, then (768 + 768 + 64) to 512 to 1024, and null vectors.
                "grounding net": 2 * (768 * 768 + 768)
                + (1600 * 512 + 512)
                + (512 * 1024 + 1024)
                + 1600,
            },
        ),
        ("sd15", {"spatial layers": 859_520_964}),
        ("sd21", {"spatial layers": 865_910_724}),
    ],
)
def test_full_sizes_are_exact(name, sizes):
    assert denoiser_size(get_preset(name)) == sizes


@pytest.mark.parametrize("name", PRESETS)
def test_presets_travel_as_json(name):
    preset = get_preset(name)
    assert preset.name == name
    assert Preset.from_json(json.loads(json.dumps(preset.to_json()))) == preset


def test_unknown_fields_and_presets_are_refused():
    with pytest.raises(UserError, match="preset 'sd3' is unknown: use one of lvd, modelscope"):
        get_preset("sd3")
    with pytest.raises(UserError, match=r"preset\.unet: unknown field 'depth'"):
        Preset.from_json({"name": "x", "unet": {"depth": 3}})
