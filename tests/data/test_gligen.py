"""GLIGEN's rows as its own writer makes them: pictures in base64, phrases as parts of a caption."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from vdjax.data.gligen import GligenTSV
from vdjax.data.sample import Skipped
from vdjax.errors import UserError

EMBEDDING = base64.b64encode(np.zeros(768, np.float32).tobytes()).decode()
CAPTION = "A großer dog and two other dogs run"


def about(box, **more):
    kinds = ("text", "image")
    embeddings = {f"{kind}_embedding_{side}": EMBEDDING for kind in kinds for side in "ab"}
    return {"segmentation": [], "bbox": box, "id": 7, "data_id": 4, **embeddings, **more}


def row(id=4, picture=None, **more):
    file = io.BytesIO()
    Image.new("RGB", (80, 60), "red").save(file, "JPEG")
    encoded = base64.b64encode(file.getvalue()).decode() if picture is None else picture
    item = {
        "data_id": id,
        "image": encoded,
        "file_name": f"{id}.jpg",
        "caption": CAPTION,
        "annos": [
            about([8.0, 6.0, 40.0, 30.0], tokens_positive=[[0, 12]], category_id=1),
            about([60, 30, 40, 30], tokens_positive=[[17, 20], [27, 31]], category_id=1),
            about([90, 70, 9, 9], tokens_positive=[[17, 20]]),
        ],
        **more,
    }
    return f"{id}\t{json.dumps(item)}\n"


DETECTION = {
    "is_det": True,
    "caption": None,
    "annos": [about([8, 6, 40, 30], category_id=3, category_name="Wine Glass")],
}


@pytest.fixture
def write_rows(tmp_path):
    def write(*rows, name="train-00", index=True):
        path = tmp_path / f"{name}.tsv"
        path.write_bytes("".join(rows).encode())
        if index:
            starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
            path.with_suffix(".lineidx").write_text("".join(f"{start}\n" for start in starts))
        return path

    return write


@pytest.mark.parametrize("index", [True, False])
def test_samples_are_what_the_rows_say(write_rows, index):
    data = GligenTSV(write_rows(row(), row(9, **DETECTION), index=index))
    assert len(data) == 2
    first, second = data[0], data[1]
    assert (first.id, first.caption) == ("train-00:4", CAPTION)
    assert first.phrases == ("A großer dog", "two dogs")
    np.testing.assert_allclose(first.boxes, [[0.1, 0.1, 0.6, 0.6], [0.75, 0.5, 1, 1]], rtol=1e-6)
    assert [fault.reason for fault in first.faults] == ["box outside the picture"]
    assert np.ptp(first.image, axis=(0, 1)).max() <= 2
    assert (second.id, second.caption, second.phrases) == ("train-00:9", "", ("Wine Glass",))


def test_pieces_follow_one_another(write_rows, tmp_path):
    write_rows(row(1), row(2), name="train-0000")
    write_rows(name="train-0001")
    write_rows(row(3), name="train-0002")
    data = GligenTSV(tmp_path)
    assert [data[i].id for i in range(len(data))] == [
        *("train-0000:1", "train-0000:2", "train-0002:3")
    ]


@pytest.mark.parametrize(
    "index", ["0\n7\n", "nonsense", "", "5\n", "0\n0\n", "0\n9999999\n", "0\n"]
)
def test_an_index_of_another_file_is_not_believed(write_rows, index):
    path = write_rows(row(1), row(2))
    path.with_suffix(".lineidx").write_text(index)
    assert [GligenTSV(path)[i].id for i in range(2)] == ["train-00:1", "train-00:2"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no tab here\n", "annotation broken"),
        ("4\t{not json}\n", "annotation broken"),
        ('4\t{"image": ""}\n', "annotation broken"),
        (row(picture="*not base64*"), "annotation broken"),
        (row(picture=base64.b64encode(b"not a picture").decode()), "picture unreadable"),
        (row(annos=[{"bbox": [1, 2, 3]}]), "annotation broken"),
        (row(annos=[about([1, 2, 3, 4], tokens_positive=[5])]), "annotation broken"),
    ],
)
def test_what_is_broken_skips_its_row_alone(write_rows, line, why):
    data = GligenTSV(write_rows(line, row(2), index=False))
    with pytest.raises(Skipped) as caught:
        data[0]
    assert caught.value.fault.reason == why
    assert data[1].id == "train-00:2"


def test_no_rows_and_other_rows(write_rows, tmp_path):
    with pytest.raises(UserError, match=r"there is no \*\.tsv in it"):
        GligenTSV(tmp_path)
    marks = {GligenTSV(write_rows(row(1), row(id))).fingerprint for id in (2, 2, 3)}
    assert len(marks) == 2
    assert len(GligenTSV(write_rows())) == 0
