"""COCO's files as they are: crowds, no captions, boxes over the border, pictures that are lost."""

import json

import numpy as np
import pytest

from vdjax.data.coco import Coco
from vdjax.data.sample import Skipped
from vdjax.errors import UserError

CATEGORIES = [
    {"supercategory": "person", "id": 1, "name": "person"},
    {"supercategory": "kitchen", "id": 44, "name": "wine glass"},
]
IMAGES = [
    {"license": 4, "file_name": "000000000009.jpg", "height": 60, "width": 80, "id": 9},
    {"license": 1, "file_name": "größe 25.png", "height": 60, "width": 80, "id": 25},
    {"license": 1, "file_name": "gone.jpg", "height": 60, "width": 80, "id": 30},
    {"license": 1, "file_name": "empty.png", "height": 60, "width": 80, "id": 34},
]


def thing(number, image, box, kind=1, **more):
    outline = [[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]]
    return {
        "segmentation": outline,
        "area": 12.5,
        "iscrowd": 0,
        "image_id": image,
        "bbox": box,
        "category_id": kind,
        "id": number,
        **more,
    }


THINGS = [
    thing(1, 25, [8.0, 6.0, 40.0, 30.0], 44),
    thing(2, 9, [-4.0, 30.0, 24.0, 45.5]),
    thing(3, 25, [70, 50, 20, 20]),
    thing(4, 25, [1, 2, 0, 9]),
    thing(5, 25, [90, 70, 9, 9]),
    thing(6, 9, [0, 0, 60, 60], iscrowd=1, segmentation={"counts": [272, 2, 4], "size": [60, 80]}),
    thing(7, 25, [1, 1, 20, 20], 91),
    thing(8, 25, [1, 1, None, 20]),
    thing(9, 30, [0, 0, 60, 60]),
    thing(10, 77, [0, 0, 60, 60]),
]
CAPTIONS = [
    {"image_id": 9, "id": 1, "caption": "  "},
    {"image_id": 25, "id": 2, "caption": "Ein Glas auf dem Tisch – schön.\n"},
    {"image_id": 9, "id": 3, "caption": "A man\nstands. "},
    {"image_id": 9, "id": 4, "caption": "Another one."},
    {"image_id": 4000, "id": 5, "caption": "Not in the boxes' file."},
]


def instances(**other):
    whole = {"info": {"year": 2017}, "licenses": [], "images": IMAGES, "annotations": THINGS}
    return {**whole, "categories": CATEGORIES, **other}


@pytest.fixture
def coco(tmp_path, draw, write_json):
    root = tmp_path / "coco"
    draw(root / "train2017" / "000000000009.jpg")
    draw(root / "train2017" / "größe 25.png", seed=1)
    draw(root / "train2017" / "empty.png", seed=2)
    write_json(root / "annotations" / "instances_train2017.json", instances())
    captions = {"images": IMAGES, "annotations": CAPTIONS}
    write_json(root / "annotations" / "captions_train2017.json", captions, ensure_ascii=False)
    return root


def test_samples_are_what_the_files_say(coco, draw, tmp_path):
    data = Coco(coco)
    assert len(data) == 5
    first, second = data[0], data[1]
    assert (first.id, first.caption, first.phrases) == ("9", "A man stands.", ("person",))
    np.testing.assert_allclose(first.boxes, [[0, 0.5, 0.25, 1]])
    assert second.caption == "Ein Glas auf dem Tisch – schön."
    assert second.phrases == ("wine glass", "person")
    np.testing.assert_allclose(
        second.boxes, [[0.1, 0.1, 0.6, 0.6], [0.875, 50 / 60, 1, 1]], rtol=1e-6
    )
    np.testing.assert_array_equal(second.image, draw(tmp_path / "again.png", seed=1))


def test_what_is_wrong_with_boxes_is_told(coco):
    assert [fault.reason for fault in Coco(coco)[1].faults] == [
        "box without area",
        "box outside the picture",
        "entity without a phrase",
        "box is not four numbers",
    ]
    assert Coco(coco)[0].faults == ()  # a crowd is no mistake


def test_a_picture_without_boxes_has_none(coco):
    sample = Coco(coco)[3]
    assert (sample.id, sample.phrases, sample.boxes.shape) == ("34", (), (0, 4))


@pytest.mark.parametrize(("index", "why"), [(2, "gone.jpg"), (4, "the list of pictures does not")])
def test_lost_pictures_are_skipped(coco, index, why):
    with pytest.raises(Skipped, match=why) as caught:
        Coco(coco)[index]
    assert caught.value.fault.reason == "picture missing"


def test_the_order_of_the_file_does_not_matter(coco, write_json, tmp_path):
    path = coco / "annotations" / "instances_train2017.json"
    before = [Coco(coco)[i] for i in (0, 1, 3)]
    backwards = dict(reversed(instances().items()))
    write_json(path, backwards)
    for sample, was in zip((Coco(coco)[i] for i in (0, 1, 3)), before, strict=True):
        assert (sample.id, sample.phrases, sample.caption) == (was.id, was.phrases, was.caption)
        np.testing.assert_array_equal(sample.boxes, was.boxes)


def test_captions_may_be_missing(coco):
    (coco / "annotations" / "captions_train2017.json").unlink()
    assert Coco(coco)[0].caption == ""


@pytest.mark.parametrize("place", ["images/train2017", "images", "."])
def test_pictures_are_found_where_people_put_them(coco, place):
    (coco / "images").mkdir()
    for picture in (coco / "train2017").iterdir():
        (coco / place).mkdir(exist_ok=True)
        picture.rename(coco / place / picture.name)
    assert Coco(coco)[0].image.shape == (60, 80, 3)


def test_of_several_sets_those_for_training_are_read(coco, write_json):
    folder = coco / "annotations"
    write_json(folder / "instances_val2017.json", instances(images=IMAGES[:1], annotations=[]))
    assert len(Coco(coco)) == 5
    assert len(Coco(folder / "instances_val2017.json")) == 1
    (folder / "instances_train2017.json").rename(folder / "instances_minival.json")
    with pytest.raises(UserError, match=r"holds 2 sets .* as in coco:.*instances_minival\.json"):
        Coco(coco)


def test_another_state_of_the_files_has_another_fingerprint(coco, write_json):
    marks = {Coco(coco).fingerprint}
    write_json(coco / "annotations" / "captions_train2017.json", {"annotations": CAPTIONS[:2]})
    marks.add(Coco(coco).fingerprint)
    write_json(coco / "annotations" / "instances_train2017.json", instances(annotations=THINGS[:2]))
    marks.add(Coco(coco).fingerprint)
    assert len(marks) == 3
    assert Coco(coco).fingerprint in marks


def test_another_format_is_told(tmp_path, write_json):
    path = write_json(tmp_path / "instances_x.json", {"images": [{"name": "a.jpg"}]})
    with pytest.raises(UserError, match=r"byte 12: this is no entry of COCO's images"):
        Coco(path)
    with pytest.raises(UserError, match=r"there is no annotations/instances_\*\.json"):
        Coco(tmp_path / "none")


def test_a_picture_of_another_size_is_skipped_a_smaller_copy_is_not(coco, draw):
    draw(coco / "train2017" / "000000000009.jpg", 40, 30)
    np.testing.assert_allclose(Coco(coco)[0].boxes, [[0, 0.5, 0.25, 1]])
    draw(coco / "train2017" / "000000000009.jpg", 60, 80)
    with pytest.raises(Skipped, match="60 × 80, annotated as 80 × 60"):
        Coco(coco)[0]


def test_what_is_whole_json_but_cut_is_refused_at_once(coco):
    path = coco / "annotations" / "instances_train2017.json"
    path.write_text(json.dumps(instances())[:-60])
    with pytest.raises(UserError, match="cannot be read as JSON"):
        Coco(coco)
