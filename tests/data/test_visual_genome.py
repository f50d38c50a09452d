"""Visual Genome's files as they are: objects, regions, pictures under numbers or old addresses."""

import numpy as np
import pytest

from vdjax.data.sample import Skipped
from vdjax.data.visual_genome import REGIONS_TOLD, VisualGenome
from vdjax.errors import UserError

ADDRESS = "https://cs.stanford.edu/people/rak248/"
IMAGES = [
    {"width": 80, "url": f"{ADDRESS}VG_100K_2/1.jpg", "height": 60, "image_id": 1, "coco_id": None},
    {"width": 80, "url": f"{ADDRESS}VG_100K/237.jpg", "height": 60, "image_id": 241, "coco_id": 5},
    {"width": 80, "url": f"{ADDRESS}VG_100K/3.jpg", "height": 60, "image_id": 3, "coco_id": None},
]


def region(x, y, width, height, phrase):
    return {
        "region_id": 1382,
        "width": width,
        "height": height,
        "image_id": 1,
        "phrase": phrase,
        "y": y,
        "x": x,
    }


REGIONS = [
    {
        "regions": [
            region(40, 30, 50, 50, "the clock is green\n in colour"),
            region(-2, 0, 20, 12, "café sign"),
            *(region(0, 0, n, n, f"patch {n}") for n in range(1, 6)),
            region(0, 0, 80, 60, "a street"),
        ],
        "id": 1,
    },
    {"regions": [region(0, 0, 8, 6, "a wall")], "id": 241},
]
OBJECTS = [
    {
        "image_id": 1,
        "objects": [
            {
                "synsets": ["clock.n.01"],
                "h": 30,
                "object_id": 1058498,
                "w": 40,
                "y": 30,
                "merged_object_ids": [],
                "names": ["clock", "big clock"],
                "x": 40,
            },
            {"synsets": [], "h": 30, "object_id": 2, "w": 0, "y": 0, "x": 0, "names": ["man"]},
        ],
        "image_url": f"{ADDRESS}VG_100K_2/1.jpg",
    },
    {"image_id": 241, "objects": []},
]


@pytest.fixture
def genome(tmp_path, draw, write_json):
    root = tmp_path / "vg"
    write_json(root / "image_data.json", IMAGES)
    write_json(root / "region_descriptions.json", REGIONS, ensure_ascii=False)
    write_json(root / "objects.json", OBJECTS)
    draw(root / "VG_100K_2" / "1.jpg")
    draw(root / "VG_100K" / "237.jpg", seed=1)
    return root


def test_objects_are_the_entities_and_regions_the_caption(genome):
    sample = VisualGenome(genome)[0]
    assert (sample.id, sample.phrases) == ("1", ("clock",))
    np.testing.assert_allclose(sample.boxes, [[0.5, 0.5, 1, 1]])
    assert sample.caption == ("a street, the clock is green in colour, café sign, patch 5, patch 4")
    assert len(sample.caption.split(", ")) == REGIONS_TOLD
    assert [fault.reason for fault in sample.faults] == ["box without area"]


def test_without_objects_regions_are_the_entities(genome):
    (genome / "objects.json").unlink()
    sample = VisualGenome(genome)[0]
    assert sample.caption == ""
    assert sample.phrases[:2] == ("the clock is green in colour", "café sign")
    np.testing.assert_allclose(sample.boxes[:2], [[0.5, 0.5, 1, 1], [0, 0, 0.225, 0.2]])


def test_without_regions_there_is_no_caption(genome):
    (genome / "region_descriptions.json").unlink()
    sample = VisualGenome(genome)[0]
    assert (sample.caption, sample.phrases) == ("", ("clock",))


def test_a_picture_is_found_by_its_address_or_its_number(genome):
    assert VisualGenome(genome)[1].image.shape == (60, 80, 3)
    (genome / "image_data.json").unlink()
    data = VisualGenome(genome)
    np.testing.assert_allclose(data[0].boxes, [[0.5, 0.5, 1, 1]])
    with pytest.raises(Skipped, match=r"picture missing .*VG_100K/241\.jpg"):
        data[1]
    (genome / "VG_100K" / "237.jpg").rename(genome / "241.jpg")
    assert data[1].id == "241"


def test_pictures_without_annotations_and_lost_ones(genome, write_json, draw):
    data = VisualGenome(genome)
    assert len(data) == 3
    assert data[1].phrases == ()
    with pytest.raises(Skipped, match="picture missing"):
        data[2]
    draw(genome / "VG_100K" / "3.jpg")
    assert data[2].phrases == ()


def test_a_broken_entry_skips_its_sample(genome, write_json):
    broken = [{"image_id": 1, "objects": [{"names": ["man"], "x": 1}]}, *OBJECTS[1:]]
    write_json(genome / "objects.json", broken)
    data = VisualGenome(genome)
    with pytest.raises(Skipped, match=r"annotation broken \(no 'y'\)"):
        data[0]
    assert data[1].id == "241"


def test_what_is_no_visual_genome_is_told(genome, write_json):
    write_json(genome / "objects.json", [{"objects": []}])
    with pytest.raises(UserError, match=r"objects\.json, byte 1: no image_id"):
        VisualGenome(genome)
    for name in ("objects", "region_descriptions"):
        (genome / f"{name}.json").unlink()
    with pytest.raises(UserError, match=r"no objects\.json or region_descriptions\.json"):
        VisualGenome(genome)


def test_another_state_of_the_files_has_another_fingerprint(genome, write_json):
    before = VisualGenome(genome).fingerprint
    assert before == VisualGenome(genome).fingerprint
    write_json(genome / "objects.json", OBJECTS[:1])
    assert before != VisualGenome(genome).fingerprint
