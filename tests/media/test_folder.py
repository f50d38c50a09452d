"""An output folder appears whole or not at all; files that are not vdjax's survive everything."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.errors import OutputError
from vdjax.media import folder


def make_film(path, text="one", **options):
    """The smallest folder that counts as a film."""
    with folder.new_folder(path, **options) as work:
        (work / "scene_1").mkdir()
        (work / "scene_1" / "frame_00.png").write_text(text)
        (work / "plan.json").write_text("{}")
        record = {"format": folder.FORMAT, "files": folder.record_files(work)}
        (work / folder.RECORD).write_text(json.dumps(record))


def tree(path):
    return {
        p.relative_to(path).as_posix(): p.read_text() for p in Path(path).rglob("*") if p.is_file()
    }


def test_folder_appears_with_its_parents_and_nothing_else(tmp_path):
    make_film(tmp_path / "a" / "b" / "film")
    assert tree(tmp_path / "a" / "b" / "film")["scene_1/frame_00.png"] == "one"
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["film"]


def test_folder_can_be_read_by_others_as_the_umask_says(tmp_path):
    former = os.umask(0o022)
    try:
        make_film(tmp_path / "film")
    finally:
        os.umask(former)
    assert (tmp_path / "film").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_when_the_work_fails(tmp_path, error):
    with pytest.raises(error), folder.new_folder(tmp_path / "new" / "film") as work:
        (work / "half").write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_former_film_stays_when_the_work_fails(tmp_path):
    make_film(tmp_path / "film")
    before = tree(tmp_path / "film")
    with pytest.raises(RuntimeError), folder.new_folder(tmp_path / "film") as work:
        (work / "half").write_text("half")
        raise RuntimeError
    assert tree(tmp_path / "film") == before
    assert [p.name for p in tmp_path.iterdir()] == ["film"]


def test_a_former_film_is_replaced_whole(tmp_path):
    make_film(tmp_path / "film")
    make_film(tmp_path / "film", "two")
    assert tree(tmp_path / "film")["scene_1/frame_00.png"] == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["film"]


def test_an_empty_folder_is_used(tmp_path):
    (tmp_path / "film").mkdir()
    make_film(tmp_path / "film")
    assert "plan.json" in tree(tmp_path / "film")


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    make_film(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert "plan.json" in tree(tmp_path / "real")


def add_file(film):
    (film / "notes.txt").write_text("mine")
    return "notes.txt"


def add_folder(film):
    (film / "mine").mkdir()
    return "mine"


def add_link(film):
    (film / "link").symlink_to("/etc/hostname")
    return "link"


def edit_plan(film):
    (film / "plan.json").write_text('{"mine": 1}')
    return "plan.json"


def edit_frame(film):
    (film / "scene_1" / "frame_00.png").write_text("retouched")
    return "scene_1/frame_00.png"


@pytest.mark.parametrize("change", [add_file, add_folder, add_link, edit_plan, edit_frame])
def test_a_film_that_somebody_worked_on_is_left_alone(tmp_path, change):
    make_film(tmp_path / "film")
    name = change(tmp_path / "film")
    before = tree(tmp_path / "film")
    with pytest.raises(OutputError, match=name):
        make_film(tmp_path / "film", "two")
    assert tree(tmp_path / "film") == before


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("mine")
    with pytest.raises(OutputError, match=r"one\.jpg"):
        make_film(tmp_path / "photos")
    assert tree(tmp_path) == {"photos/one.jpg": "mine"}


def test_somebody_elses_report_makes_no_film(tmp_path):
    (tmp_path / "report.json").write_text('{"format": "other", "files": {}}')
    assert folder.foreign_files(tmp_path) == ["report.json"]
    (tmp_path / "report.json").write_text("[1, 2]")
    assert folder.foreign_files(tmp_path) == ["report.json"]


def test_files_that_come_while_the_film_is_made_are_kept(tmp_path):
    make_film(tmp_path / "film")
    with (
        pytest.raises(OutputError, match=r"late\.txt"),
        folder.new_folder(tmp_path / "film") as work,
    ):
        (work / "new").write_text("new")
        (tmp_path / "film" / "late.txt").write_text("mine")
    assert tree(tmp_path / "film")["late.txt"] == "mine"


def test_a_plan_that_is_rendered_where_it_stands_may_be_replaced(tmp_path):
    make_film(tmp_path / "film")
    edit_plan(tmp_path / "film")
    make_film(tmp_path / "film", "two", replaceable=["plan.json"])
    assert tree(tmp_path / "film")["plan.json"] == "{}"


@given(names=st.sets(st.text("abc", min_size=1, max_size=3), max_size=4), extra=st.booleans())
def test_a_film_is_foreign_exactly_by_what_was_added(tmp_path_factory, names, extra):
    film = tmp_path_factory.mktemp("films") / "film"
    with folder.new_folder(film) as work:
        for name in names:
            (work / name).write_text(name)
        record = {"format": folder.FORMAT, "files": folder.record_files(work)}
        (work / folder.RECORD).write_text(json.dumps(record))
    # A film without any file is no film, so even its record is then somebody's.
    own = [] if names else [folder.RECORD]
    if extra:
        (film / "extra").write_text("x")
    assert folder.foreign_files(film) == sorted(own + ["extra"] * extra)


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "film").write_text("a file")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        folder.check_destination(tmp_path / "film")
    with pytest.raises(OutputError, match="film is a file, not a folder"):
        folder.check_destination(tmp_path / "film" / "inside" / "deeper")
    assert (tmp_path / "film").read_text() == "a file"


def test_the_current_folder_is_not_pulled_away(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="current folder"):
        make_film(".")


def test_a_loop_of_links_is_named(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match="loop"):
        make_film(tmp_path / "loop" / "film")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /sys")
def test_a_place_where_nobody_may_write_is_named():
    with pytest.raises(OutputError, match=r"/sys/vdjax-film.*another"):
        make_film("/sys/vdjax-film")


def test_a_place_where_this_user_may_not_write_is_named(tmp_path):
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o555)
    if os.access(shut, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(OutputError, match="no permission to write"):
        folder.check_destination(shut / "film")


def test_a_full_disk_leaves_nothing(small_disk):
    with pytest.raises(OutputError, match="no room left"):
        make_film(small_disk / "film", "x" * 4_000_000)
    assert list(small_disk.iterdir()) == []
    make_film(small_disk / "film", "x" * 200_000)  # the room was given back


def test_a_full_disk_leaves_the_former_film(small_disk):
    make_film(small_disk / "film", "first")
    with pytest.raises(OutputError, match="no room left"):
        make_film(small_disk / "film", "x" * 4_000_000)
    assert tree(small_disk / "film")["scene_1/frame_00.png"] == "first"
    assert [p.name for p in small_disk.iterdir()] == ["film"]


def test_a_mount_point_is_named(small_disk):
    with pytest.raises(OutputError, match="mount point"):
        folder.check_destination(small_disk)


def test_a_file_size_limit_counts_as_no_room(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OutputError, match="no room left"):
            make_film(tmp_path / "film", "x" * 20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "vdjax-test", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
