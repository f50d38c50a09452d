"""The whole evaluation, with eyes and generators whose figures are known beforehand."""

import json

import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.evaluate import layout
from vdjax.evaluate.composites import real_film
from vdjax.evaluate.detections import Detection
from vdjax.evaluate.plans import choose
from vdjax.evaluate.scores import score
from vdjax.plan.layout import frame_boxes
from vdjax.plan.schema import base_name


def film_as_planned(plan, looks=("noto",)):
    """What a perfect eye sees of a perfect film; scene n shows everything in look n."""
    return [
        [
            [
                Detection(base_name(name), looks[number % len(looks)], 0.9, path[at])
                for name, path in frame_boxes(scene).items()
            ]
            for at in range(16)
        ]
        for number, scene in enumerate(plan.scenes)
    ]


def test_a_perfect_film_scores_one_everywhere():
    figures = score({one: film_as_planned(one.plan) for one in choose(36)})
    for name in ("object", "count", "spatial", "scale", "movement", "iou", "identity"):
        assert figures[name]["value"] == pytest.approx(1.0), name
    assert figures["object (middle frame)"]["plans"] == figures["object"]["plans"] == 6


def test_an_empty_film_scores_nothing_anywhere():
    figures = score({one: [[[]] * 16 for _ in one.plan.scenes] for one in choose(36)})
    for name, figure in figures.items():
        value = figure["value"] if isinstance(figure, dict) else 0.0 if figure is None else figure
        if "where found" in name:
            assert value is None
        elif name != "identity: chance, looks equally likely":
            assert value == 0.0, name


def test_half_of_the_frames_is_half_of_the_figure():
    def half(plan):
        return [scene[:8] + [[]] * 8 for scene in film_as_planned(plan)]

    figures = score({one: half(one.plan) for one in choose(36)})
    assert figures["object"]["value"] == pytest.approx(0.5)
    assert figures["iou"]["value"] == pytest.approx(0.5)
    assert figures["object (middle frame)"]["value"] == 0.0
    assert figures["movement"]["value"] == figures["movement: found"]["value"] == 0.0
    assert figures["identity"]["value"] == 1.0


def test_another_look_in_another_scene_is_another_thing():
    films = {one: film_as_planned(one.plan, ("noto", "fluent")) for one in choose(36)}
    figures = score(films)
    assert figures["identity"]["value"] == 0.0
    assert figures["identity: found"]["value"] == 1.0
    assert 1 / 16 <= figures["identity: chance, looks equally likely"] <= 1 / 3
    assert 0.2 < figures["identity: chance, looks as often as seen"] < 0.6


class Eye:
    """Sees one mark: the colour of a frame's first pixel is the number of the plan."""

    digest = "eye"

    def __init__(self):
        self.frames = 0

    def detect(self, frames):
        self.frames += len(frames)
        return [[Detection("cat", "noto", 0.9, (0.1, 0.1, 0.5, 0.5))] for _ in frames]


class Generator:
    """Counts the films it makes; breaks off after `most` of them."""

    def __init__(self, most=10**6):
        self.films, self.most, self.asked = 0, most, []

    def __call__(self, plan, seed, *, gates, image_grounding):
        if self.films == self.most:
            raise KeyboardInterrupt
        self.films += 1
        self.asked.append((plan.prompt, seed, gates, image_grounding))
        return [np.zeros((2, 128, 128, 3), np.uint8) for _ in plan.scenes]


def run(render, out, /, **options):
    given = {"plans": 6, "seed": 40, "out": out, "report": lambda line: None, "detector": Eye()}
    return layout.run(render, **{**given, **options})


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch):
    monkeypatch.setattr(layout, "_ACCURACY_PICTURES", 2)


def test_every_plan_is_asked_for_with_and_without_gates(tmp_path):
    generator = Generator()
    run(generator, tmp_path)
    chosen = choose(6)
    assert len(generator.asked) == 6 * 2 + 1  # and once, for identity, without pictures
    for one in chosen:
        ways = {
            (g, i) for p, s, g, i in generator.asked if (p, s) == (one.plan.prompt, 40 + one.number)
        }
        assert {(True, True), (False, True)} <= ways
        assert ((True, False) in ways) == (one.question.skill == "identity")


def test_a_killed_evaluation_goes_on_where_it_stopped(tmp_path):
    first, second, third = Generator(most=4), Generator(), Generator()
    with pytest.raises(KeyboardInterrupt):
        run(first, tmp_path)
    assert not (tmp_path / "layout.json").exists()
    result = run(second, tmp_path)
    assert second.films == 13 - 4
    assert run(third, tmp_path) == result
    assert third.films == 0
    assert result == run(Generator(), tmp_path / "fresh")


def test_another_generator_or_seed_is_seen_anew(tmp_path):
    run(Generator(), tmp_path, generator="first")
    for options in ({"generator": "second"}, {"generator": "second", "seed": 41}):
        again = Generator()
        run(again, tmp_path, **options)
        assert again.films == 13


def test_a_damaged_record_is_made_again(tmp_path):
    result = run(Generator(), tmp_path)
    record = next((tmp_path / "films" / "gates").glob("*.json"))
    record.write_text(record.read_text()[:40])
    again = Generator()
    assert run(again, tmp_path) == result
    assert again.films == 1


def test_what_is_written_is_what_is_returned(tmp_path):
    result = run(Generator(), tmp_path)
    assert json.loads((tmp_path / "layout.json").read_text()) == result
    assert (tmp_path / "layout.txt").read_text() == layout.format_table(result) + "\n"
    assert len(list((tmp_path / "films" / "gates").glob("*.png"))) == 6


def test_the_table_fits_and_says_what_was_asked(tmp_path):
    lines = layout.format_table(run(Generator(), tmp_path)).split("\n")
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("The detector itself")
    for words in ("object", "count", "spatial", "scale", "movement", "mean IoU", "chance"):
        assert any(words in line for line in lines), words


@pytest.mark.parametrize(
    "film",
    [
        [],
        [np.zeros((2, 64, 64, 3), np.uint8)],
        [np.zeros((2, 128, 128, 3), np.float32)],
        [np.zeros((0, 128, 128, 3), np.uint8)],
    ],
)
def test_a_generator_that_gives_something_else_is_told(tmp_path, film):
    with pytest.raises(ValueError, match="it must give 1 arrays of uint8 frames"):
        run(lambda *_, **__: film, tmp_path, plans=1)


def test_arms_that_are_not_wanted_are_not_made(tmp_path):
    generator = Generator()
    few = run(generator, tmp_path, plans=2, arms=("gates",))
    assert list(few["arms"]) == ["gates"]
    assert generator.films == 2
    lines = layout.format_table(few).split("\n")
    assert any("gates on" in line for line in lines)
    assert not any("gates off" in line or "real composites" in line for line in lines)
    assert lines[0].startswith("Layout, on 2 held-out plans")
    assert few["arms"]["gates"] == run(generator, tmp_path, plans=2)["arms"]["gates"]


@pytest.mark.parametrize(
    "options",
    [
        {"plans": 0},
        {"plans": 1000},
        {"seed": -1},
        {"seed": True},
        {"arms": ("gates", "wings")},
        {"arms": ()},
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(tmp_path, options):
    generator = Generator()
    with pytest.raises(UserError):
        run(generator, tmp_path, **options)
    assert generator.films == 0


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        run(Generator(), tmp_path / "file")


def test_real_films_can_stand_in_for_a_generator(tmp_path):
    result = run(real_film, tmp_path, plans=1)
    assert result["arms"]["gates"] == result["arms"]["real"]
