"""The command line as a user meets it: in a process of its own, with good input and with bad."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from vdjax import cli
from vdjax.media.folder import new_folder
from vdjax.plan import VideoPlan

CAT = "A cat walks from left to right on the beach"


def refused(done):
    """The one line of a refusal."""
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("vdjax: ")
    return line


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_plan_writes_a_plan_and_says_what_is_in_it(tmp_path, vdjax_command):
    done = vdjax_command("plan", CAT, "-o", "plan.json")
    assert done.returncode == 0, done.stderr
    assert "cat" in done.stdout
    assert "beach" in done.stdout
    assert VideoPlan.load(tmp_path / "plan.json").prompt == CAT


def test_plan_without_a_file_prints_only_the_plan(vdjax_command):
    done = vdjax_command("plan", CAT)
    assert VideoPlan.parse(done.stdout).scenes[0].background == "beach"


def test_several_sentences_are_one_scene_each(vdjax_command):
    done = vdjax_command("plan", CAT, "A dog sleeps in the kitchen")
    assert [scene.background for scene in VideoPlan.parse(done.stdout).scenes] == [
        "beach",
        "kitchen",
    ]


def test_a_plan_that_was_worked_on_is_kept(tmp_path, vdjax_command):
    vdjax_command("plan", CAT, "-o", "plan.json")
    edited = (tmp_path / "plan.json").read_text().replace(CAT, "Mine")
    (tmp_path / "plan.json").write_text(edited)
    done = vdjax_command("plan", CAT, "-o", "plan.json")
    assert "kept the former plan.json as plan.json~" in done.stdout
    assert VideoPlan.load("plan.json~").prompt == "Mine"
    assert VideoPlan.load("plan.json").prompt == CAT


def test_what_cannot_be_drawn_is_a_warning(vdjax_command):
    done = vdjax_command("plan", "A cat reads a telegram from the ministry on the beach")
    assert done.returncode == 0
    assert "warning: " in done.stderr


def test_planning_does_not_load_jax():
    code = (
        "import sys; from vdjax.cli import main\n"
        f"main(['plan', {CAT!r}, '-o', 'plan.json'])\n"
        "print(sorted({'jax', 'numpy', 'flax', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture(scope="module")
def toy_film(tmp_path_factory):
    """A film by the smallest model, made once."""
    where = tmp_path_factory.mktemp("toy")
    command = [sys.executable, "-m", "vdjax", "film", CAT, "A dog sleeps in the kitchen"]
    command += ["--preset", "toy", "--steps", "2", "--seed", "5", "-o", "film"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=where, timeout=600)
    assert done.returncode == 0, done.stderr
    return where / "film", done


def test_film_makes_the_promised_folder(toy_film):
    folder, done = toy_film
    report = json.loads((folder / "report.json").read_text())
    for name in ("film.mp4", "film.gif", "storyboard.png", "plan.json"):
        assert (folder / name).stat().st_size > 100
    assert report["seed"] == 5
    assert report["seconds"].keys() >= {"plan", "write"}
    assert report["seconds_per_step"] > 0
    assert report["peak_memory_bytes"] > 0
    assert [scene["path"] for scene in report["scenes"]] == ["scene_1", "scene_2"]
    for scene in report["scenes"]:
        assert len(list((folder / scene["path"]).iterdir())) == report["frames_per_scene"]
    assert "storyboard.png" in done.stdout
    assert "2 scenes" in done.stdout


def test_render_makes_the_same_film_from_its_plan(toy_film, tmp_path, vdjax_command):
    folder, _ = toy_film
    options = ("--preset", "toy", "--steps", 2, "--seed", 5, "-o", "again")
    done = vdjax_command("render", folder / "plan.json", *options)
    assert done.returncode == 0, done.stderr
    first = np.asarray(Image.open(folder / "scene_2" / "frame_01.png"))
    assert (np.asarray(Image.open(tmp_path / "again" / "scene_2" / "frame_01.png")) == first).all()


def test_a_plan_edited_in_its_folder_is_rendered_there(toy_film, tmp_path, vdjax_command):
    folder, _ = toy_film
    subprocess.run(["cp", "-r", folder, tmp_path / "film"], check=True)
    plan = VideoPlan.load(tmp_path / "film" / "plan.json").replace(prompt="Mine")
    plan.save(tmp_path / "film" / "plan.json")
    options = ("--preset", "toy", "--steps", 1, "-o", "film")
    refusal = refused(vdjax_command("film", CAT, *options))
    assert "plan.json" in refusal
    done = vdjax_command("render", "film/plan.json", *options)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "film" / "report.json").read_text())["prompt"] == "Mine"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_film_that_is_stopped_leaves_nothing(tmp_path, number):
    command = [sys.executable, "-m", "vdjax", "film", CAT, "--preset", "toy", "-o", "film"]
    command += ["--steps", "900"]  # so long that it cannot be done before the signal comes
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith(b"making"):
                break
        time.sleep(0.5)
        process.send_signal(number)
        process.communicate(timeout=120)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_writing_that_is_stopped_leaves_nothing(tmp_path):
    former = signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(SystemExit) as left,
        cli._tidy_when_stopped(),
        new_folder(tmp_path / "film") as work,
    ):
        (work / "half").write_text("half")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert left.value.code == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is former


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "COMMAND"),
        (("fil",), "'fil'"),
        (("film",), "prompt"),
        (("film", ""), "empty"),
        (("film", "   "), "empty"),
        (("film", "x " * 1500), "2000"),
        (("film", CAT, "--nope"), "--nope"),
        (("film", "A", "cat", "walks"), "put the sentence in quotes"),
        (("film", CAT, "--director", "kubrick"), "'kubrick'"),
        (("film", CAT, "--seed", "-1"), "'-1' is not a whole number from 0"),
        (("film", CAT, "--seed", "4294967296"), "4294967295"),
        (("film", CAT, "--steps", "0"), "'0' is not a whole number from 1"),
        (("film", CAT, "--steps", "many"), "'many'"),
        (("film", CAT, "--steps", "5000"), "steps"),
        (("film", CAT, "--guidance", "nan"), "'nan' is not a number from 0"),
        (("film", CAT, "--guidance", "-1"), "'-1'"),
        (("film", CAT, "--alpha", "1.5"), "'1.5' is not a number from 0 to 1"),
        (("film", CAT, "--alpha", "nan"), "'nan'"),
        (("film", CAT, "--frames", "0"), "'0'"),
        (("film", CAT, "--frames", "1000"), "frames"),
        (("film", CAT, "--scheduler", "magic"), "'magic'"),
        (("film", CAT, "--preset", "huge"), "'huge'"),
        (("film", CAT, "--image", "cat"), "write NAME=PATH"),
        (("film", CAT, "--image", "=a.png"), "write NAME=PATH"),
        (("film", CAT, "--image", "cat=none.png"), "none.png"),
        (("film", CAT, "--image", "cat=a.png", "--image", "cat=b.png"), "two pictures"),
        (("film", CAT, "--image", "cat=text.png"), "text.png is not a picture"),
        (("film", CAT, "--image", "whale=red.png", "--preset", "toy"), "'whale'"),
        (("film", CAT, "-o", "text.png"), "text.png is a file"),
        (("film", CAT, "-o", "text.png/film"), "is a file, not a folder"),
        (("film", CAT, "-o", "."), "current folder"),
        (("film", CAT, "-o", "photos"), "one.jpg"),
        (("plan", CAT, "-o", "photos"), "photos"),
        (("render", "none.json"), "none.json"),
        (("render", "text.png"), "text.png"),
        (("render", "photos"), "photos"),
        (("train", "everything"), "'everything'"),
        (("evaluate", "beauty"), "'beauty'"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, arguments, says):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("mine")
    (tmp_path / "text.png").write_text("a text")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vdjax: ")
    assert says in line
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_refusal_is_one_line_in_a_process_too(vdjax_command):
    assert "'0' is not" in refused(vdjax_command("film", CAT, "--steps", 0))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[: len(text) // 2], "not valid JSON"),
        (lambda text: text.replace("0.5", "1.5", 1), "1.5"),
        (lambda text: text.replace("0.5", "NaN", 1), "plan.json"),
        (lambda text: text.replace('"alpha"', '"alhpa"'), "alhpa"),
    ],
    ids=["cut short", "out of range", "NaN", "unknown key"],
)
def test_broken_plans_are_refused(tmp_path, plan, capsys, change, says):
    broken = change(plan.to_json())
    assert broken != plan.to_json()
    (tmp_path / "plan.json").write_text(broken)
    assert cli.main(["render", "plan.json", "-o", "film"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert not (tmp_path / "film").exists()


def test_frames_that_the_measure_cannot_see_are_refused(vdjax_command):
    done = vdjax_command("evaluate", "layout", "--preset", "toy", "-o", "figures")
    assert "64 × 64" in refused(done)


def test_debugging_shows_where_a_refusal_came_from(vdjax_command):
    done = vdjax_command("film", "", env={"VDJAX_DEBUG": "1"})
    assert "Traceback" in done.stderr


def test_a_missing_extra_is_named_with_its_command(capsys, monkeypatch):
    def missing(options):
        raise ModuleNotFoundError("No module named 'optax'", name="optax")

    monkeypatch.setattr("vdjax.commands.train._stage", missing)
    assert cli.main(["train", "clip"]) == 2
    assert 'pip install "vdjax[train]"' in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_fault():
    command = f"{sys.executable} -m vdjax plan {CAT!r} | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout == "{"
    assert done.stderr == ""


def test_help_names_every_option_of_the_film(vdjax_command):
    said = vdjax_command("film", "--help").stdout
    for option in ("seed", "steps", "guidance", "alpha", "scheduler", "frames", "preset", "image"):
        assert f"--{option}" in said


def test_help_names_what_the_libraries_take(vdjax_command):
    from vdjax.model.hf import SCHEDULERS
    from vdjax.train.stages import STAGES

    film, train = (vdjax_command(name, "--help").stdout for name in ("film", "train"))
    for scheduler in SCHEDULERS:
        assert scheduler in film
    for stage in STAGES:
        assert stage in train


def test_version(vdjax_command):
    from vdjax import __version__

    assert vdjax_command("--version").stdout == f"vdjax {__version__}\n"


@pytest.mark.skipif(os.name != "posix", reason="make and a shell")
def test_make_lists_its_commands():
    from pathlib import Path

    root = Path(__file__).parents[1]
    done = subprocess.run(["make", "-C", root, "-s"], capture_output=True, text=True, check=True)
    for target in ("film", "test", "lab", "lint", "train", "doctor", "clean"):
        assert f"make {target}" in done.stdout
