"""One door to all data sets, and what it says where there is none."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from vdjax.data import FORMS, open_data
from vdjax.errors import UserError

INSTANCES = {
    "images": [{"id": 1, "file_name": "a.png", "width": 80, "height": 60}],
    "annotations": [{"image_id": 1, "bbox": [0, 0, 40, 30], "category_id": 1, "id": 1}],
    "categories": [{"id": 1, "name": "cat"}],
}


def write(form, root, write_json):
    """The least that makes a data set of each form."""
    root.mkdir(exist_ok=True)
    if form == "coco":
        write_json(root / "annotations" / "instances_x.json", INSTANCES)
    elif form == "flickr30k":
        for folder in ("Sentences", "Annotations"):
            (root / folder).mkdir()
        (root / "Sentences" / "1.txt").write_text("[/EN#1/people A man] .")
    elif form == "vg":
        write_json(root / "objects.json", [{"image_id": 1, "objects": []}])
    elif form == "tsv":
        (root / "train.tsv").write_text("1\t{}\n")
    elif form == "folder":
        (root / "samples.jsonl").write_text('{"image": "a.png"}\n')


@pytest.mark.parametrize("form", FORMS[1:])
def test_a_form_is_named_or_recognised(tmp_path, write_json, form):
    write(form, tmp_path / "it", write_json)
    for spec in (f"{form}:{tmp_path / 'it'}", str(tmp_path / "it"), tmp_path / "it"):
        data = open_data(spec)
        assert (data.name, len(data)) == (form, 1)
        assert data.mirrors


@pytest.mark.parametrize(
    ("form", "file"),
    [("coco", "annotations/instances_x.json"), ("tsv", "train.tsv"), ("folder", "samples.jsonl")],
)
def test_a_file_is_recognised_by_its_ending(tmp_path, write_json, form, file):
    write(form, tmp_path / "it", write_json)
    assert open_data(tmp_path / "it" / file).name == form


def test_the_storybook_is_a_data_set():
    data = open_data("storybook:12", size=32)
    assert (data.name, len(data), data[3].image.shape) == ("storybook", 12, (32, 32, 3))
    assert len(open_data("storybook")) == 200_000


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("nowhere", "there is no data at 'nowhere': give a path"),
        ("coco:nowhere", "there is no data at 'coco:nowhere'"),
        ("imagenet:nowhere", r"\(storybook, coco, flickr30k, vg, tsv, folder\)"),
        ("storybook:many", "after the colon stands how many"),
        ("storybook:-1", "after the colon stands how many"),
        ("storybook:0", "ask for 1 picture or more"),
        ("coco:", "holds no COCO data"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, monkeypatch, spec, why):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=why):
        open_data(spec)


def test_what_is_not_known_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=r"samples\.jsonl; annotations/instances_\*\.json; objects"):
        open_data(tmp_path)
    with pytest.raises(UserError, match=r"looked for \.tsv, \.jsonl, \.json at its end"):
        open_data(tmp_path / "notes.txt")


@pytest.mark.parametrize("form", FORMS[1:])
def test_an_empty_data_set_is_refused(tmp_path, write_json, form):
    write(form, tmp_path / "it", write_json)
    empty = {
        "coco": ("annotations/instances_x.json", '{"images": [], "annotations": []}'),
        "flickr30k": ("Sentences/1.txt", "\n"),
        "vg": ("objects.json", "[]"),
        "tsv": ("train.tsv", ""),
        "folder": ("samples.jsonl", "\n"),
    }
    file, text = empty[form]
    (tmp_path / "it" / file).write_text(text)
    with pytest.raises(UserError, match="is an empty data set"):
        open_data(tmp_path / "it")


@pytest.fixture
def seen_by_others(tmp_path):
    """A folder that others may look into, and a way to be another than root for a while."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    if os.getuid() == 0:
        os.seteuid(0)
    for path in [place, *place.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(place)


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_path_without_permission_is_told(seen_by_others, write_json, form, what):
    root = seen_by_others / "it"
    write(form, root, write_json)
    files = [path for path in root.rglob("*") if path.is_file()]
    for path in [root] if what == "folder" else files:
        path.chmod(0)
    open_data("storybook:1")  # whatever is imported on the way is so now
    for module in ("coco", "flickr30k", "vg", "tsv", "folder"):
        with pytest.raises(UserError):
            open_data(f"{module}:nowhere")
    if os.getuid() == 0:
        os.seteuid(65534)
    for spec in (root, f"{form}:{root}"):
        with pytest.raises(UserError, match=r"cannot read .*: permission denied; change its"):
            open_data(spec)
