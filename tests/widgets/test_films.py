import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip("anywidget")

from vdjax.errors import UserError
from vdjax.media.film import save_film
from vdjax.plan import PlanError, VideoPlan
from vdjax.widgets.film_player import FilmPlayer
from vdjax.widgets.films import as_films, boxed, told
from vdjax.widgets.gate_inspector import GateInspector
from vdjax.widgets.plan_viewer import PlanViewer


@dataclass
class Made:
    """Like what `vdjax.film` gives."""

    plan: VideoPlan
    frames: list[Any]


@pytest.fixture
def saved(plan, clips, tmp_path):
    return save_film(tmp_path / "film", plan, clips)


@pytest.mark.parametrize("kind", ["made", "folder", "arrays", "mapping"])
def test_whatever_people_call_a_film_becomes_its_clips(kind, plan, clips, request):
    given = {
        "made": lambda: Made(plan, clips),
        "folder": lambda: request.getfixturevalue("saved"),
        "arrays": lambda: clips,
        "mapping": lambda: {"": Made(plan, clips)},
    }[kind]()
    (film,) = as_films(given, plan)
    assert film.plan == plan
    assert film.title == ""
    for ours, theirs in zip(film.clips, clips, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_one_clip_is_a_film_of_one_scene_and_needs_no_plan(clips):
    (film,) = as_films(clips[0])
    assert (len(film.clips), film.plan) == (1, None)
    assert film.scene(0)["boxes"] == {}
    assert told([film]) == "film in 1 scene, 16 frames"


def test_several_films_keep_their_titles_and_their_order(plan, clips):
    films = as_films({"on": clips, "off": clips}, plan)
    assert [film.title for film in films] == ["on", "off"]
    assert told(films).count("scene 2, park: The cat meets a dog (boxes: cat, dog)") == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "empty mapping"),
        ([], "no scenes"),
        (7, "int is no film"),
        ([np.zeros((2, 4, 4, 3))], "uint8"),
        ([np.zeros((2, 4, 4, 3), np.uint8)] * 3, "3 clips: its plan has 2 scenes"),
    ],
)
def test_what_is_no_film_is_refused(given, words, plan):
    with pytest.raises(UserError, match=words):
        as_films(given, plan)


def test_a_folder_without_a_film_is_refused(saved, tmp_path):
    with pytest.raises(UserError, match=r"no plan\.json"):
        as_films(tmp_path)
    for frame in (saved / "scene_2").iterdir():
        frame.unlink()
    with pytest.raises(UserError, match="no frames of scene 2"):
        as_films(saved)
    (saved / "plan.json").write_text("{}")
    with pytest.raises(PlanError):
        as_films(saved)


def test_boxes_are_drawn_where_and_when_the_plan_has_them(plan, clips):
    (film,) = as_films(clips, plan)
    for drawn, clip in zip(boxed(film), clips, strict=True):
        assert drawn.shape == (16, 64, 96, 3)
        changed = (drawn != clip.repeat(2, 1).repeat(2, 2)).any(-1)
        # The cat's lower left corner; then the dog's right side, from the sixth keyframe on.
        assert changed[0, 56, 12]
        assert not changed[0, :25].any()
    assert changed[15, 40, 85]
    assert not changed[0, 40, 85]


def test_a_film_of_three_scenes_is_small_enough_for_a_notebook(plan):
    """Noise on a smooth ground, which packs worse than the films that are made."""
    random = np.random.default_rng(0)
    ground = np.linspace(40, 200, 128, dtype=np.float32)[None, :, None, None]
    noise = random.normal(0, 6, (16, 128, 128, 3))
    clip = np.clip(ground + noise, 0, 255).astype(np.uint8)
    three = plan.replace(scenes=[*plan.scenes, plan.scene(1)], groups=None)
    player = FilmPlayer([clip] * 3, three)
    size = sum(len(scene["sheet"]["data"]) for scene in player.films[0]["scenes"])
    assert size < 1_500_000
    assert len(player.fallback()) < 2_000_000


@pytest.mark.parametrize("kind", [FilmPlayer, GateInspector, PlanViewer])
def test_modules_and_styles_are_whole_and_ask_nobody(kind):
    module, styles = str(kind._esm), str(kind._css)
    for part in ("function h(", "class FrameView", "export default"):
        assert module.count(part) == 1
    assert styles.count(".fs-boxes rect {") == styles.count(".vdjax-row {") == 1
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", module + styles)
    assert ".innerHTML" not in module


def test_every_object_has_the_styles_once(clips):
    class Own(FilmPlayer):
        pass

    assert str(Own(clips)._css) == str(FilmPlayer._css)
