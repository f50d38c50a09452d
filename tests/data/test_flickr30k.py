"""Flickr30k Entities as it is: marked sentences, chains of several boxes, scenes, things unseen."""

import numpy as np
import pytest

from vdjax.data.flickr30k import Flickr30k, read_boxes, read_sentence
from vdjax.data.sample import Skipped
from vdjax.errors import UserError

SENTENCES = """\
[/EN#1/people Two young guys] with [/EN#2/bodyparts shaggy hair] look at [/EN#0/notvisual their] \
hands while hanging out in [/EN#4/scene the yard] .
[/EN#1/people/other Two guys] and [/EN#5/animals  a chien géant] .

A sentence of nobody .
"""
XML = """<annotation>
  <filename>100.jpg</filename>
  <size><width>80</width><height>60</height><depth>3</depth></size>
  <object><name>1</name><bndbox>
    <xmin>1</xmin><ymin>1</ymin><xmax>40</xmax><ymax>60</ymax></bndbox></object>
  <object><name>1</name><name>2</name><bndbox>
    <xmin>41</xmin><ymin>31</ymin><xmax>95</xmax><ymax>60</ymax></bndbox></object>
  <object><name>4</name><scene>1</scene><nobndbox>0</nobndbox></object>
  <object><name>5</name><scene>0</scene><nobndbox>1</nobndbox></object>
</annotation>
"""


@pytest.fixture
def flickr(tmp_path, draw):
    root = tmp_path / "flickr"
    for folder in ("Sentences", "Annotations"):
        (root / folder).mkdir(parents=True)
    for name in ("100", "200"):
        (root / "Sentences" / f"{name}.txt").write_text(SENTENCES, encoding="utf-8")
        (root / "Annotations" / f"{name}.xml").write_text(XML)
        draw(root / "flickr30k-images" / f"{name}.jpg")
    return root


def test_a_sentence_loses_its_marks():
    caption, mentions = read_sentence(SENTENCES.splitlines()[0])
    assert caption == (
        "Two young guys with shaggy hair look at their hands while hanging out in the yard ."
    )
    assert mentions == [("1", "Two young guys"), ("2", "shaggy hair"), ("4", "the yard")]


def test_pixels_are_counted_from_one():
    size, boxes = read_boxes(XML.encode())
    assert size == (80, 60)
    assert boxes == {"1": [[0, 0, 40, 60], [40, 30, 95, 60]], "2": [[40, 30, 95, 60]]}


def test_each_sentence_is_a_sample_and_each_box_an_entity(flickr):
    data = Flickr30k(flickr)
    assert [data[i].id for i in range(len(data))] == [
        *("100#0", "100#1", "100#2", "200#0", "200#1", "200#2")
    ]
    first, second, nobody = data[0], data[1], data[2]
    assert first.phrases == ("Two young guys", "Two young guys", "shaggy hair")
    np.testing.assert_allclose(first.boxes, [[0, 0, 0.5, 1], [0.5, 0.5, 1, 1], [0.5, 0.5, 1, 1]])
    assert second.caption == "Two guys and a chien géant ."
    assert second.phrases == ("Two guys", "Two guys")
    assert (nobody.caption, nobody.phrases) == ("A sentence of nobody .", ())


def test_splits_and_unrelated_captions_are_heeded(flickr):
    (flickr / "train.txt").write_text("200\n300\n")
    (flickr / "UNRELATED_CAPTIONS").write_text("# format: <imageID> <sentence number>\n200 2\n")
    data = Flickr30k(flickr)
    assert [data[i].id for i in range(len(data))] == ["200#0", "200#2"]


def test_annotations_may_lie_in_a_folder_of_their_own(flickr, tmp_path):
    (flickr / "annotations").mkdir()
    for name in ("Sentences", "Annotations"):
        (flickr / name).rename(flickr / "annotations" / name)
    assert Flickr30k(flickr)[0].image.shape == (60, 80, 3)
    with pytest.raises(UserError, match=r"there is no Sentences/\*\.txt"):
        Flickr30k(tmp_path / "flickr" / "flickr30k-images")


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (lambda root: (root / "Annotations" / "100.xml").unlink(), "annotation unreadable"),
        (
            lambda root: (root / "Annotations" / "100.xml").write_text(XML[:200]),
            "annotation broken",
        ),
        (
            lambda root: (root / "Annotations" / "100.xml").write_text(XML.replace("80", "wide")),
            "annotation broken",
        ),
        (lambda root: (root / "flickr30k-images" / "100.jpg").unlink(), "picture missing"),
        (lambda root: (root / "Sentences" / "100.txt").write_text(""), "annotation broken"),
    ],
)
def test_what_is_broken_skips_its_samples_alone(flickr, break_it, why):
    data = Flickr30k(flickr)
    break_it(flickr)
    with pytest.raises(Skipped) as caught:
        data[0]
    assert caught.value.fault.reason == why
    assert data[3].id == "200#0"


def test_another_state_of_the_files_has_another_fingerprint(flickr):
    marks = {Flickr30k(flickr).fingerprint}
    (flickr / "Annotations" / "100.xml").write_text(XML.replace("<xmax>40", "<xmax>4"))
    marks.add(Flickr30k(flickr).fingerprint)
    (flickr / "Sentences" / "100.txt").write_text("[/EN#1/people A] .")
    marks.add(Flickr30k(flickr).fingerprint)
    (flickr / "train.txt").write_text("200")
    marks.add(Flickr30k(flickr).fingerprint)
    assert len(marks) == 4
