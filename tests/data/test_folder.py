"""A folder of one's own: lines of JSON beside pictures."""

import json

import numpy as np
import pytest

from vdjax.data.folder import Folder
from vdjax.data.sample import Skipped
from vdjax.errors import UserError


@pytest.fixture
def lines(tmp_path, draw):
    def write(*items):
        draw(tmp_path / "bilder" / "köter.png")
        text = "".join((i if isinstance(i, str) else json.dumps(i)) + "\n" for i in items)
        (tmp_path / "samples.jsonl").write_text(text, encoding="utf-8")
        return Folder(tmp_path)

    return write


def item(**more):
    entity = {"phrase": " ein  Köter ", "box": [-0.1, 0.2, 0.5, 0.8]}
    return {"image": "bilder/köter.png", "caption": "Bello\n schläft", "entities": [entity], **more}


def test_samples_are_what_the_lines_say(lines, tmp_path):
    data = lines(item(), "", item(caption=None, entities=[]))
    assert len(data) == 2
    sample = data[0]
    assert (sample.id, sample.caption) == ("bilder/köter.png", "Bello schläft")
    assert sample.phrases == ("ein Köter",)
    np.testing.assert_allclose(sample.boxes, [[0, 0.2, 0.5, 0.8]], rtol=1e-6)
    assert (data[1].caption, data[1].phrases) == ("", ())
    assert Folder(tmp_path / "samples.jsonl")[0].id == sample.id


def test_boxes_in_pixels_are_found_out(lines):
    """They are the usual mistake; the fault says what was wanted."""
    pixels = {"phrase": "a dog", "box": [100, 120, 300, 400]}
    (fault,) = lines(item(entities=[pixels]))[0].faults
    assert fault.reason == "box outside the picture"
    assert "in 1 × 1" in fault.detail


@pytest.mark.parametrize(
    ("line", "reason", "why"),
    [
        ("{", "annotation broken", ""),
        ("[]", "annotation broken", ""),
        ({"caption": "no picture"}, "annotation broken", "no 'image'"),
        (item(image=7), "annotation broken", "image is 7"),
        (item(image="gone.png"), "picture missing", "gone.png"),
        (item(entities=[{"box": [0, 0, 1, 1]}]), "annotation broken", "no 'phrase'"),
        (item(entities=3), "annotation broken", ""),
        (item(image="."), "picture unreadable", ""),
    ],
)
def test_what_is_broken_skips_its_line_alone(lines, line, reason, why):
    data = lines(line, item())
    with pytest.raises(Skipped) as caught:
        data[0]
    assert caught.value.fault.reason == reason
    assert why in caught.value.fault.detail
    assert data[1].caption == "Bello schläft"


def test_no_lines_are_told(tmp_path):
    with pytest.raises(UserError, match=r"holds no samples\.jsonl: write a line"):
        Folder(tmp_path)
