"""Captions name everything that is there, say what it does, and follow the grammar."""

import re

import numpy as np
import pytest

from vdjax.data.storybook import BACKGROUNDS, LOOKS, StorybookWorld
from vdjax.data.storybook.captions import (
    CLIP_FORMS,
    HELD_OUT_CLIP_FORMS,
    HELD_OUT_STILL_FORMS,
    NOUNS,
    PLACES,
    STILL_FORMS,
    Told,
    clip_caption,
    crop_caption,
    relation,
    still_caption,
)
from vdjax.plan.vocabulary import LOOK_WORDS, Vocabulary

pytestmark = pytest.mark.usefixtures("few_backgrounds")

WORDS = Vocabulary.storybook().entities
HELD_OUT_WORDING = re.compile(r"^(here (is|are)|you can see|see how)\b|^[a-z ]+, while\b")


def told(name="cat", look="fluent", kind="still", direction="", box=(0.1, 0.1, 0.4, 0.4)):
    return Told(
        name=name, look=look, kind=kind, direction=direction, boxes=np.array([box], np.float32)
    )


def captions_of(split, count=50):
    """(caption, sample) of stills and clips, the clips made small to be quick."""
    world = StorybookWorld(split, size=32, num_frames=4)
    for index in range(count):
        for sample in (world.image(index), world.clip(index)):
            yield sample.caption, sample


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_captions_name_every_thing_its_place_and_only_true_looks(split):
    for caption, sample in captions_of(split):
        for name in set(sample.names):
            many = sample.names.count(name) > 1
            plural = re.search(rf"\b{WORDS[name].plural}\b", caption)
            single = re.search(rf"\b(one|another) (\w+ )?{name}\b", caption)
            assert (plural or single) if many else re.search(rf"\b{name}\b", caption), caption
        places = (*PLACES[sample.background], NOUNS[sample.background])
        assert any(place in caption for place in places), caption
        for look, word in LOOK_WORDS.items():
            if re.search(rf"\b{word}\b", caption):
                assert look in sample.looks, caption


def test_captions_are_tidy():
    for caption, _ in captions_of("train"):
        assert caption == caption.strip()
        assert "  " not in caption
        assert caption.isascii()
        assert not re.search(r"\ba [aeiou]", caption), caption
        assert not re.search(r"\ban [^aeiou]", caption), caption
        assert re.fullmatch(r"[a-z,; ]+", caption), caption


def test_clip_captions_tell_directions_truly():
    checked = 0
    for index in range(250):
        sample = StorybookWorld("train", size=32, num_frames=4).clip(index)
        if len(sample.names) != 1 or not sample.motions[0].startswith("slide"):
            continue
        heading = sample.motions[0].split()[1]
        if re.search(rf"\bto (the )?{heading}\b", sample.caption):
            checked += 1
        x0, x1 = sample.boxes[0, 0, 0], sample.boxes[0, -1, 0]
        if " to the right" in sample.caption or "left to right" in sample.caption:
            assert x1 > x0
        if " to the left" in sample.caption or "right to left" in sample.caption:
            assert x1 < x0
    assert checked >= 5


def test_looks_are_named_in_about_a_quarter():
    rng = np.random.default_rng(0)
    texts = [still_caption(rng, "park", [told("cat", "fluent")]) for _ in range(2000)]
    named = sum("glossy" in text for text in texts) / 2000
    assert named == pytest.approx(0.25, abs=0.03)


def test_held_out_forms_are_never_trained_on_and_always_recognised():
    assert not set(HELD_OUT_STILL_FORMS) & set(STILL_FORMS)
    assert not set(HELD_OUT_CLIP_FORMS) & set(CLIP_FORMS)
    for caption, _ in captions_of("train", 80):
        assert not HELD_OUT_WORDING.search(caption), caption
    for caption, sample in captions_of("held_out"):
        assert bool(HELD_OUT_WORDING.search(caption)) == ("form" in sample.held_out), caption


@pytest.mark.parametrize("form", [*STILL_FORMS, *HELD_OUT_STILL_FORMS])
def test_every_still_form_can_be_asked_for(form):
    things = [told(), told("dog", "noto", box=(0.6, 0.1, 0.9, 0.4)), told("apple", "noto")]
    for count in (1, 2, 3):
        text = still_caption(np.random.default_rng(0), "park", things[:count], form)
        assert "cat" in text
        assert ("apple" in text) == (count == 3)


@pytest.mark.parametrize("form", [*CLIP_FORMS, *HELD_OUT_CLIP_FORMS])
def test_every_clip_form_can_be_asked_for(form):
    things = [told(kind="slide", direction="right"), told("house", box=(0.1, 0.2, 0.6, 0.7))]
    for count in (1, 2):
        text = clip_caption(np.random.default_rng(1), "road", things[:count], form)
        assert "cat" in text
        assert ("house" in text) == (count == 2)


def test_things_of_one_name_share_a_clause_or_get_their_own():
    slide = [told(kind="slide", direction="right"), told(kind="slide", direction="right")]
    text = clip_caption(np.random.default_rng(0), "park", slide, "clauses, place")
    assert re.match(r"two (glossy )?cats (walk|run|move) (to the right|from left to right) ", text)
    apart = [told(kind="grow"), told(kind="still")]
    text = clip_caption(np.random.default_rng(0), "park", apart, "clauses, place")
    assert re.match(r"one (glossy )?cat \w+.* and another (glossy )?cat \w+ ", text)


def test_relations_follow_the_boxes():
    left, right = told(box=(0.0, 0.4, 0.3, 0.7)), told("dog", box=(0.6, 0.4, 0.9, 0.7))
    low = told("dog", box=(0.0, 0.7, 0.3, 1.0))
    over = told("dog", box=(0.1, 0.5, 0.4, 0.8))
    assert relation(left, right) == "to the left of"
    assert relation(right, left) == "to the right of"
    assert relation(left, low) == "above"
    assert relation(low, left) == "below"
    assert relation(left, over) == "behind"


def test_crop_captions_name_the_thing_and_nothing_else():
    for seed in range(200):
        text = crop_caption(np.random.default_rng(seed), "owl", "twemoji", None)
        assert re.fullmatch(r"(a picture of )?((an |a flat )?owl|flat owl)", text), text
    place = [crop_caption(np.random.default_rng(s), "owl", LOOKS[0], "city") for s in range(100)]
    assert 10 < sum("city" in text for text in place) < 70


def test_every_background_has_words():
    assert set(PLACES) == set(NOUNS) == set(BACKGROUNDS)


def test_any_scene_can_be_told():
    """Every kind of motion beside every relation, by every form: no words are missing."""
    kinds = [
        *(("slide", way) for way in ("left", "right", "up", "down")),
        *((kind, "") for kind in ("still", "grow", "shrink", "bounce", "appear", "disappear")),
        *((kind, way) for kind in ("arc", "bounce", "enter", "leave") for way in ("left", "right")),
        ("circle", "clockwise"),
    ]
    boxes = [
        (0.0, 0.4, 0.3, 0.7),
        (0.6, 0.4, 0.9, 0.7),
        (0.0, 0.75, 0.3, 1.0),
        (0.1, 0.5, 0.4, 0.8),
    ]
    names = ["owl", "car", "ball", "whale"]
    rng = np.random.default_rng(0)
    for kind, direction in kinds:
        for box in boxes:
            for name in names:
                first = told(name, kind=kind, direction=direction)
                second = told("house", box=box)
                for form in (*CLIP_FORMS, *HELD_OUT_CLIP_FORMS):
                    for things in ([first, second], [second, first], [first, first]):
                        text = clip_caption(rng, "road", things, form)
                        assert name in text or WORDS[name].plural in text
