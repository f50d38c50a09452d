"""A film's folder holds what its report says, and the report says what is in the files."""

import json
import resource

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from vdjax.errors import OutputError
from vdjax.media.film import save_film
from vdjax.media.folder import foreign_files


@pytest.fixture
def report(tmp_path, plan, clips):
    made = {"seed": 7, "seconds": {"sample": 1.5}, "seconds_per_step": 0.1}
    assert save_film(tmp_path / "film", plan, clips, made) == (tmp_path / "film").resolve()
    return json.loads((tmp_path / "film" / "report.json").read_text())


def test_report_says_what_was_made(report):
    assert report["seed"] == 7
    assert report["prompt"] == "A cat walks, then meets a dog"
    assert report["seconds"]["sample"] == 1.5
    assert report["seconds"]["write"] > 0
    assert report["seconds_per_step"] == 0.1
    assert report["peak_memory_bytes"] > 10_000_000
    assert report["versions"]["jax"].count(".") >= 2
    assert report["frames_per_scene"] == 16
    assert (report["frame_width"], report["frame_height"]) == (48, 32)


def test_report_agrees_with_the_mp4(tmp_path, report, decode_mp4):
    shown, about = decode_mp4(tmp_path / "film" / report["film"])
    frames = report["frames_per_scene"] * len(report["scenes"])
    assert shown.shape == (frames, report["height"], report["width"], 3)
    assert f" {report['fps']} fps" in about


def test_frames_are_kept_exactly(tmp_path, report, clips):
    for scene, clip in zip(report["scenes"], clips, strict=True):
        paths = sorted((tmp_path / "film" / scene["path"]).iterdir())
        assert [p.name for p in paths[:2]] == ["frame_00.png", "frame_01.png"]
        assert (np.stack([np.asarray(Image.open(p)) for p in paths]) == clip).all()


def test_plan_comes_back_equal(tmp_path, report, plan):
    from vdjax.plan.schema import VideoPlan

    assert VideoPlan.load(tmp_path / "film" / report["plan"]) == plan


def test_everything_in_the_folder_is_on_record(tmp_path, report):
    files = {
        p.relative_to(tmp_path / "film").as_posix()
        for p in (tmp_path / "film").rglob("*")
        if p.is_file()
    }
    assert files == {*report["files"], "report.json"}
    named = {report[key] for key in ("film", "gif", "storyboard", "plan")}
    assert named <= files
    assert foreign_files(tmp_path / "film") == []


def test_a_second_film_replaces_the_first(tmp_path, report, plan, clips):
    save_film(tmp_path / "film", plan, [255 - clip for clip in clips], {"seed": 8})
    assert json.loads((tmp_path / "film" / "report.json").read_text())["seed"] == 8
    first = np.asarray(Image.open(tmp_path / "film" / "scene_1" / "frame_00.png"))
    assert (first == 255 - clips[0][0]).all()
    assert [p.name for p in tmp_path.iterdir()] == ["film"]


def test_without_ffmpeg_the_film_is_webp_and_the_report_says_so(tmp_path, plan, clips, monkeypatch):
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/nowhere/ffmpeg")
    save_film(tmp_path / "film", plan, clips, {})
    report = json.loads((tmp_path / "film" / "report.json").read_text())
    assert report["film"] == "film.webp"
    assert "pip install imageio-ffmpeg" in report["notes"][0]
    assert not (tmp_path / "film" / "film.mp4").exists()
    with Image.open(tmp_path / "film" / "film.webp") as image:
        assert image.size == (report["width"], report["height"])
        assert image.n_frames == 32


@pytest.mark.parametrize("limit", [500, 3000, 12_000, 30_000])
def test_running_out_of_room_at_any_file_leaves_nothing(tmp_path, plan, limit):
    # Noise does not compress, so each kind of file meets the limit for one of these values.
    noise = np.random.default_rng(0).integers(0, 256, (2, 16, 32, 48, 3), dtype=np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*film: no room left"):
            save_film(tmp_path / "film", plan, list(noise), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_clips_that_do_not_fit_the_plan_leave_nothing(tmp_path, plan, clips):
    with pytest.raises(ValueError, match="argument 2"):
        save_film(tmp_path / "film", plan, clips[:1], {})
    assert list(tmp_path.iterdir()) == []
