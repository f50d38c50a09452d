"""The cache: what is read from it is what the samples are; it is never mixed, torn or lost."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vdjax.data import open_data
from vdjax.data.cache import RECORD, SKIPPED, build, open_cache
from vdjax.data.prepare import mirrored, prepare
from vdjax.errors import OutputError, UserError


def silent(line):
    """Where a report is of no interest."""


@pytest.fixture
def made(folder_of, tmp_path, networks):
    """Seven samples in shards of three."""
    reader = open_data(folder_of(7))
    data = build(reader, tmp_path / "cache", networks, shard_size=3, report=silent)
    return reader, tmp_path / "cache", data


def test_rows_are_what_the_samples_are(made, networks):
    reader, _, data = made
    assert (len(data), data.pictures) == (14, 7)
    rows = data.rows(np.arange(14))
    assert {name: (array.shape, str(array.dtype)) for name, array in rows.items()} == {
        "latents": ((14, 1, 4, 4, 3), "float16"),
        "ids": ((14, 6), "int32"),
        "boxes": ((14, 1, 31, 4), "float32"),
        "present": ((14, 1, 31), "bool"),
        "text": ((14, 31, 2), "float32"),
        "image": ((14, 31, 3), "float32"),
    }
    for i in range(7):
        ready = prepare(reader[i], 32, 8)
        for side, picture, boxes in (
            (0, ready.image, ready.boxes),
            (1, ready.image[:, ::-1], mirrored(ready.boxes)),
        ):
            row = {name: array[2 * i + side] for name, array in rows.items()}
            wanted = networks.latents(picture[None]).astype(np.float16)
            np.testing.assert_array_equal(row["latents"], wanted)
            np.testing.assert_array_equal(row["ids"], networks.tokens([ready.caption])[0])
            np.testing.assert_array_equal(row["present"][0], np.arange(31) < 2)
            np.testing.assert_allclose(row["boxes"][0, :2], boxes, atol=1e-6)
            wanted = networks.looks(ready.close_ups).astype(np.float16)
            np.testing.assert_array_equal(row["image"][:2], wanted)
            wanted = networks.words(ready.phrases).astype(np.float16)
            np.testing.assert_array_equal(row["text"][:2], wanted)
            assert not any(row[name][2:].any() for name in ("text", "image"))
            assert not row["boxes"][0, 2:].any()


def test_a_mirror_image_is_encoded_not_its_latents_turned(tmp_path, folder_of, networks):
    """A network that looks at its left only: turning its answer is not its answer to the turned."""
    networks.latents = lambda pictures: pictures[:, :2, :2].astype(np.float32)
    data = build(open_data(folder_of(1)), tmp_path / "cache", networks, report=silent)
    plain, turned = data.rows(np.arange(2))["latents"][:, 0]
    ready = prepare(open_data(tmp_path / "mine")[0], 32, 8).image
    np.testing.assert_array_equal(plain, ready[:2, :2])
    np.testing.assert_array_equal(turned, ready[:2, ::-1][:, :2])


def test_names_and_texts_are_those_of_the_rows(made):
    data = made[2]
    assert data.names(np.array([0, 1, 12])) == [
        *("folder 0.png", "folder 0.png (mirrored)", "folder 6.png")
    ]
    assert data.texts(np.array([9, 0])) == [
        ("picture 4", ("large", "small 1")),
        ("picture 0", ("large", "small 0")),
    ]


def test_what_tells_left_from_right_is_not_mirrored(tmp_path, folder_of, networks):
    root = folder_of(3)
    text = (root / "samples.jsonl").read_text().replace("picture 1", "one on the left")
    (root / "samples.jsonl").write_text(text)
    data = build(open_data(root), tmp_path / "cache", networks, report=silent)
    assert data.names(np.arange(len(data))) == [
        *("folder 0.png", "folder 0.png (mirrored)", "folder 1.png"),
        *("folder 2.png", "folder 2.png (mirrored)"),
    ]


def test_networks_see_one_number_of_rows(tmp_path, folder_of, networks):
    """So that each is compiled once."""
    seen = {}
    for name in ("latents", "looks", "words"):
        call = getattr(networks, name)

        def count(rows, name=name, call=call):
            seen.setdefault(name, set()).add(len(rows))
            return call(rows)

        setattr(networks, name, count)
    build(open_data(folder_of(37)), tmp_path / "cache", networks, shard_size=35, report=silent)
    assert seen == {"latents": {32}, "looks": {32}, "words": {32}}


def test_built_again_it_is_read(made, networks):
    reader, folder, data = made
    networks.asked = 0
    again = build(reader, folder, networks, shard_size=3, report=silent)
    assert networks.asked == 0
    for name, rows in again.rows(np.arange(14)).items():
        np.testing.assert_array_equal(rows, data.rows(np.arange(14))[name])
    without = open_cache(folder)
    assert without.names(np.arange(14)) == data.names(np.arange(14))


def test_fewer_samples_are_some_of_them_and_more_are_added(made, networks):
    reader, folder, data = made
    fewer = build(reader, folder, networks, count=4, shard_size=3, report=silent)
    assert fewer.names(np.arange(len(fewer))) == data.names(np.arange(8))
    assert len(open_cache(folder, count=4)) == 8


def test_a_larger_count_goes_on(tmp_path, folder_of, networks):
    reader = open_data(folder_of(7))
    build(reader, tmp_path / "cache", networks, count=4, shard_size=3, report=silent)
    networks.asked = 0
    data = build(reader, tmp_path / "cache", networks, shard_size=3, report=silent)
    assert len(data) == 14
    assert networks.asked == 4  # the shard that was not full, and the last one; both sides of each


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fingerprint": "other"}, "networks fingerprint tiny"),
        ({"crop_size": 9}, "networks crop_size 8"),
    ],
)
def test_other_networks_are_refused(made, networks, change, named):
    reader, folder, _ = made
    with pytest.raises(UserError, match=f"was made from something else: {named}"):
        build(reader, folder, replace(networks, **change), shard_size=3, report=silent)


@pytest.mark.parametrize("options", [{"shard_size": 4}, {"most": 5}, {"least_area": 0.5}])
def test_other_choices_are_refused(made, networks, options):
    reader, folder, _ = made
    with pytest.raises(UserError, match="was made from something else: kept"):
        build(reader, folder, networks, report=silent, **{"shard_size": 3, **options})


def test_another_data_set_is_refused(made, networks, folder_of):
    _, folder, _ = made
    before = sorted(path.name for path in folder.iterdir())
    other = open_data(folder_of(8))
    with pytest.raises(UserError, match="was made from something else: data fingerprint"):
        build(other, folder, networks, shard_size=3, report=silent)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_folder_of_weights_is_left_alone(tmp_path, folder_of, networks):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "unet.safetensors").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"no cache\.json: choose another"):
        build(open_data(folder_of(2)), tmp_path / "cache", networks, report=silent)
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("cut", [0, 5, 200, -1])
def test_a_damaged_shard_is_made_again(made, networks, cut):
    reader, folder, data = made
    wanted = data.rows(np.arange(14))
    path = folder / "000000003.safetensors"
    whole = path.read_bytes()
    path.unlink()  # who has it mapped keeps it
    path.write_bytes(whole[:cut])
    with pytest.raises(UserError, match=r"000000003\.safetensors is damaged"):
        open_cache(folder)
    said = []
    again = build(reader, folder, networks, shard_size=3, report=said.append)
    assert "is damaged" in said[0]
    for name, rows in again.rows(np.arange(14)).items():
        np.testing.assert_array_equal(rows, wanted[name])


def test_no_record_no_cache(tmp_path, made):
    with pytest.raises(UserError, match=r"holds no encoded data: there is no cache\.json"):
        open_cache(tmp_path / "none")
    (made[1] / RECORD).write_text("{")
    with pytest.raises(UserError, match=r"cache\.json cannot be read"):
        open_cache(made[1])


# What cannot be used.

BAD = [
    json.dumps({"image": "gone.png", "entities": []}),
    json.dumps({"image": "cut.png", "entities": []}),
    "{",
    json.dumps({"image": "0.png", "entities": [{"phrase": "speck", "box": [0, 0, 0.05, 0.05]}]}),
    json.dumps(
        {
            "image": "0.png",
            "entities": [
                {"phrase": "in pixels", "box": [10, 20, 30, 40]},
                {"phrase": "whole", "box": [0, 0, 1, 1]},
            ],
        }
    ),
]


@pytest.fixture
def bad_data(folder_of):
    root = folder_of(4)
    with open(root / "samples.jsonl", "a") as file:
        file.write("".join(line + "\n" for line in BAD))
    (root / "cut.png").write_bytes((root / "0.png").read_bytes()[:90])
    return open_data(root)


def test_what_cannot_be_used_is_counted_and_written_down(tmp_path, bad_data, networks):
    said = []
    data = build(bad_data, tmp_path / "cache", networks, shard_size=3, report=said.append)
    assert (len(data), data.pictures) == (10, 5)
    assert "encoding folder: 9/9, 4 left out" in said[-2]
    assert said[-1].startswith("folder: 5 of 9 samples, 5 mirrored as well; samples left out: ")
    for count in ("picture missing 1", "picture unreadable 1", "annotation broken 1"):
        assert count in said[-1]
    assert "no box left 1; boxes left out: box outside the picture 1; see " in said[-1]
    lines = [json.loads(line) for line in (tmp_path / "cache" / SKIPPED).read_text().splitlines()]
    assert [(line["id"], line["left_out"], line["bad"]) for line in lines] == [
        *[("gone.png", "sample", True), ("cut.png", "sample", True), ("line 7", "sample", True)],
        *[("0.png", "sample", False), ("0.png", "box", True)],
    ]
    assert lines == data.faults


@pytest.mark.parametrize("first", range(5))
def test_the_first_is_the_end_where_that_is_wished(tmp_path, folder_of, networks, first):
    root = folder_of(2)
    with open(root / "samples.jsonl", "a") as file:
        file.write(BAD[first] + "\n")
    (root / "cut.png").write_bytes(b"nonsense")
    reader = open_data(root)
    if first == 3:  # nothing is wrong with a picture of small things
        assert len(build(reader, tmp_path / "c", networks, on_bad="stop", report=silent)) == 4
        return
    with pytest.raises(UserError, match=r"folder, sample .*; mend it, or let what cannot be used"):
        build(reader, tmp_path / "c", networks, on_bad="stop", report=silent)
    build(reader, tmp_path / "c", networks, report=silent)
    with pytest.raises(UserError, match=r"folder, sample .*; mend it"):
        build(reader, tmp_path / "c", networks, on_bad="stop", report=silent)


def test_nothing_to_use_is_an_error_that_says_why(tmp_path, folder_of, networks):
    root = folder_of(3)
    for picture in root.glob("*.png"):
        picture.unlink()
    with pytest.raises(UserError, match=r"none of the 3 samples .* picture missing 3; .*skipped"):
        build(open_data(root), tmp_path / "cache", networks, report=silent)
    with pytest.raises(UserError, match="none of the 3 samples"):
        open_cache(tmp_path / "cache")


@pytest.mark.parametrize(
    ("option", "why"), [({"count": 0}, "0 are wanted"), ({"on_bad": "cry"}, "cry")]
)
def test_senseless_wishes_are_refused(tmp_path, folder_of, networks, option, why):
    with pytest.raises(UserError, match=why):
        build(open_data(folder_of(1)), tmp_path / "cache", networks, report=silent, **option)


def test_a_shard_without_samples_is_no_trouble(tmp_path, folder_of, networks):
    root = folder_of(6)
    for i in (2, 3):
        (root / f"{i}.png").unlink()
    data = build(open_data(root), tmp_path / "cache", networks, shard_size=2, report=silent)
    assert data.names(np.arange(0, 8, 2)) == [f"folder {i}.png" for i in (0, 1, 4, 5)]
    assert len(open_cache(tmp_path / "cache")) == 8


def test_complaints_about_pictures_that_can_be_read_are_not_heard(tmp_path, folder_of, networks):
    """Warnings are errors in tests: Pillow warns of this camera's note."""
    root = folder_of(2)
    exif = b"Exif\0\0MM\0*\xff\xff\xff\xffnonsense"
    Image.new("RGB", (48, 64), "red").save(root / "0.png", "JPEG", exif=exif)
    assert len(build(open_data(root), tmp_path / "cache", networks, report=silent)) == 4


def test_a_place_that_cannot_be_written_is_told(tmp_path, folder_of, networks):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot write"):
        build(open_data(folder_of(1)), tmp_path / "file" / "cache", networks, report=silent)


# Several processes.

BUILDER = """
import sys, time
import numpy as np
from vdjax.data import open_data
from vdjax.data.cache import build

class Slow:
    fingerprint, image_size, crop_size = "tiny", 32, 8
    def latents(self, pictures):
        time.sleep(float(sys.argv[3]))
        n = len(pictures)
        return pictures.reshape(n, 4, 8, 4, 8, 3).astype(np.float32).mean((2, 4)) / 255
    def looks(self, close_ups):
        return close_ups.astype(np.float32).mean((1, 2)) / 255
    def words(self, phrases):
        return np.array([[len(phrase), sum(map(ord, phrase)) / 100] for phrase in phrases])
    def tokens(self, captions):
        return np.array([[ord(c) for c in caption[:6].ljust(6)] for caption in captions])

build(open_data(sys.argv[1]), sys.argv[2], Slow(), shard_size=3,
      report=lambda line: print(line, flush=True))
"""


def start(root, folder, seconds):
    command = [sys.executable, "-c", BUILDER, str(root), str(folder), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_it_goes_on_where_it_stopped(tmp_path, folder_of, networks, how):
    root, folder = folder_of(12), tmp_path / "cache"
    builder = start(root, folder, 0.4)
    assert "encoding folder: 3/12" in builder.stdout.readline()
    assert "encoding folder: 6/12" in builder.stdout.readline()
    time.sleep(0.2)
    builder.send_signal(how)
    builder.communicate(timeout=60)
    assert builder.returncode != 0
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) in (2, 3)
    times = [shard.stat().st_mtime_ns for shard in shards]
    data = build(open_data(root), folder, networks, shard_size=3, report=silent)
    assert networks.asked == 2 * (4 - len(shards))
    assert [shard.stat().st_mtime_ns for shard in shards] == times
    whole = build(open_data(root), tmp_path / "other", networks, shard_size=3, report=silent)
    for name, rows in whole.rows(np.arange(24)).items():
        np.testing.assert_array_equal(data.rows(np.arange(24))[name], rows)


def test_two_builders_in_one_folder_are_refused_and_the_first_is_not_harmed(
    tmp_path, folder_of, networks
):
    root, folder = folder_of(9), tmp_path / "cache"
    builder = start(root, folder, 0.3)
    builder.stdout.readline()
    with pytest.raises(UserError, match=f"process {builder.pid} on .* encodes into .*: wait until"):
        build(open_data(root), folder, networks, shard_size=3, report=silent)
    assert len(open_cache(folder)) in (6, 12)  # what is there may be read meanwhile
    data = build(open_data(root), folder, networks, shard_size=3, wait=True, report=silent)
    assert (len(data), networks.asked) == (18, 0)  # the other did it all
    builder.communicate(timeout=60)
    assert builder.returncode == 0


def test_a_finished_cache_is_read_by_several_at_once(made, tmp_path):
    """None of them locks, asks a network or changes a file."""
    _, folder, _ = made
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    readers = [start(tmp_path / "mine", folder, 1000) for _ in range(3)]
    for reader in readers:
        said, wrong = reader.communicate(timeout=60)
        assert (reader.returncode, wrong) == (0, "")
        assert said.splitlines()[-1].startswith("folder: 7 of 7 samples")
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
"""


def test_a_full_disk_leaves_no_part_of_a_shard(tmp_path, folder_of):
    """A limit on the size of files, enough for the record alone, stands in for the disk's end."""
    root, folder = folder_of(9), tmp_path / "cache"
    command = [sys.executable, "-c", LIMITED + BUILDER, str(root), str(folder), "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "OutputError" in done.stderr
    assert "no room left on the disk" in done.stderr
    assert {path.name for path in folder.iterdir()} == {RECORD, "lock"}
