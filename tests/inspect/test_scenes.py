import jax
import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.inspect import scenes
from vdjax.inspect.scenes import caption_words, record_scene
from vdjax.sample.loop import Sampler
from vdjax.systems.loaded import load
from vdjax.systems.videodirectorgpt import prepare, render

pytestmark = pytest.mark.loose_dtypes


@pytest.fixture(scope="module")
def toy():
    with jax.numpy_dtype_promotion("standard"):
        return load("toy")


@pytest.fixture
def made(toy, plan):
    return prepare(plan, preset=toy, steps=2, alpha=1.0)


def test_a_scene_that_is_looked_at_is_the_scene(made):
    said = []
    frames, record = record_scene(made, 2, say=said.append)
    assert (frames == render(made).frames[1]).all()
    assert record.frames == len(frames)
    assert record.gated == (True, True)
    assert [token.label for token in record.tokens] == [
        *("cat", "dog", "park"),
        *("word the", "word cat", "word meets", "word a", "word dog"),
    ]
    (words,) = said
    assert words.startswith("attention of 2 steps, ")
    assert " and 8 tokens with all heads: " in words
    for maps in record.maps.values():
        assert (maps > 0).all()
        assert (maps[..., 3:].sum(-1) < 1).all()
    _, first = record_scene(made, 2, steps=[2], say=len)
    assert first.timesteps == record.timesteps[1:]
    for layer, maps in first.maps.items():
        np.testing.assert_allclose(maps[0], record.maps[layer][1], rtol=1e-4, atol=1e-7)


@pytest.fixture
def asked(monkeypatch):
    """What is asked of the record, without running a network."""
    calls = []

    def record(*_, **options):
        calls.append(options)
        raise Asked

    monkeypatch.setattr(scenes, "record_attention", record)
    monkeypatch.setattr(Sampler, "stream", lambda self, params, latents, *_: iter([latents] * 3))
    return calls


class Asked(Exception):
    pass


@pytest.mark.parametrize(
    ("alpha", "scheduler", "gated"),
    [(0.5, "dpm++", [True, False]), (0.0, "dpm++", [False] * 2), (0.5, "pndm", [1, 1, 0])],
)
def test_steps_have_gates_as_the_film_has(toy, plan, asked, alpha, scheduler, gated):
    film = prepare(plan, preset=toy, steps=2, alpha=alpha, scheduler=scheduler)
    with pytest.raises(Asked):
        record_scene(film, 2, say=len)
    assert asked[0]["gated"] == gated
    assert list(asked[0]["entities"]) == (["cat", "dog", "park"] if alpha else [])
    last = toy.preset.grounding.max_entities - 1
    if alpha:
        assert asked[0]["entities"]["park"] == (last,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": [3]}, r"steps \[3\]: name at least one of 1 to 2"),
        ({"steps": []}, "name at least one"),
        ({"limit": 100}, "above the limit of 100 bytes"),
        ({"words": False}, "nothing is looked at"),
    ],
)
def test_what_cannot_be_recorded_is_said_before_anything_runs(toy, plan, asked, options, words):
    film = prepare(plan, preset=toy, steps=2, alpha=0.0)
    with pytest.raises(UserError, match=words):
        record_scene(film, 2, say=len, **options)
    assert not asked


def test_words_are_whole_and_marks_are_left_out(toy):
    found = caption_words(toy.tokenizer, "A cat, the cat's skateboard!", 40)
    assert list(found) == ["a", "cat", "the", "cat (2)", "s", "skateboard"]
    places = [place for word in found.values() for place in word]
    assert places == sorted(set(places))
    assert min(places) == 1
    pieces = toy.tokenizer.pieces("A cat, the cat's skateboard!")
    spelt = {name: "".join(pieces[at - 1] for at in where) for name, where in found.items()}
    assert spelt["skateboard"] == "skateboard"
    assert spelt["cat (2)"] == "cat"
    short = caption_words(toy.tokenizer, "A cat, the cat's skateboard!", 4)
    assert [place for word in short.values() for place in word][-1] <= 2
