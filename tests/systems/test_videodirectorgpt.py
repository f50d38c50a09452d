"""From a sentence to a film: the order of steps, on the smallest system there is."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vdjax
from vdjax.errors import UserError
from vdjax.plan import VideoPlan
from vdjax.plan import plan as make_plan
from vdjax.plan.editing import add, move
from vdjax.plan.schema import Scene
from vdjax.systems.loaded import load
from vdjax.systems.videodirectorgpt import (
    Film,
    _check_picture,
    film,
    identity_embeddings,
    prepare,
    scene_conditions,
    start_latents,
)

pytestmark = pytest.mark.loose_dtypes

RED = np.zeros((20, 30, 3), np.uint8) + np.uint8([220, 30, 30])


@pytest.fixture(scope="module")
def toy():
    with jax.numpy_dtype_promotion("standard"):
        return load("toy")


def make(toy, prompt, **options):
    """A film in two steps."""
    return film(prompt, **{"preset": toy, "steps": 2, **options})


def scene(name="cat", background="beach", **changes):
    boxes = [{name: [0.1, 0.4, 0.5, 0.9]}] * 9
    return Scene(
        **{
            "description": f"A {name} on the {background}",
            "background": background,
            "entities": [name],
            "keyframes": boxes,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def short():
    """One scene with a cat in it."""
    return VideoPlan(prompt="A cat", scenes=[scene()], alpha=0.5)


@pytest.fixture(scope="module")
def short_film(toy, short):
    with jax.numpy_dtype_promotion("standard"):
        return make(toy, short, seed=3)


def with_gates(model, value):
    """The same model with every gate at this value."""
    unet = jax.tree_util.tree_map_with_path(
        lambda path, leaf: (
            jnp.full_like(leaf, value) if "alpha_" in jax.tree_util.keystr(path) else leaf
        ),
        model.params["unet"],
    )
    return with_params(model, unet=unet)


def with_params(model, **params):
    other = replace(model, params={**model.params, **params})
    vars(other)["_programs"] = model._programs  # they are the preset's: nothing is compiled again
    return other


def frames_of(made):
    (frames,) = made.frames
    return frames.astype(int)


# --- films ---------------------------------------------------------------------------------------


def test_the_package_offers_it():
    assert vdjax.film is film


def test_a_film_has_frames_for_each_scene_and_a_report(toy, plan):
    calls = []
    made = make(
        toy, plan, seed=4, alpha=0.5, guidance=3.0, progress=lambda *call: calls.append(call)
    )
    assert isinstance(made, Film)
    assert made.plan is plan
    assert [(clip.shape, clip.dtype) for clip in made.frames] == [((4, 64, 64, 3), np.uint8)] * 2
    assert (made.frames[0] != made.frames[1]).any()
    seconds = made.report.pop("seconds")
    assert set(seconds) == {"load", "ground", "denoise", "decode"}
    assert made.report.pop("seconds_per_step") > 0
    assert made.report == {
        "seed": 4,
        "preset": "toy",
        "scheduler": "dpm++",
        "steps": 2,
        "gated_steps": 1,
        "alpha": 0.5,
        "guidance": 3.0,
    }
    assert calls == [(f"scene {number} of 2", done, 2) for number in (1, 2) for done in (0, 1, 2)]


def test_a_sentence_is_planned_first(toy):
    sentence = "A dog sleeps in the kitchen"
    made = make(toy, sentence, seed=3)
    assert made.plan == make_plan(sentence, seed=3)
    assert made.report["alpha"] == made.plan.alpha
    again = make(toy, made.plan, seed=3)
    np.testing.assert_array_equal(again.frames[0], made.frames[0])


def test_the_seed_alone_decides(toy, short, short_film):
    again, other = make(toy, short, seed=3), make(toy, short, seed=5)
    np.testing.assert_array_equal(frames_of(again), frames_of(short_film))
    assert np.abs(frames_of(other) - frames_of(short_film)).mean() > 1


def test_scenes_of_one_description_start_from_noise_of_their_own(toy, short):
    twice = short.replace(scenes=[scene(), scene()], groups=None)
    first, second = make(toy, twice, seed=3).frames
    assert (first != second).any()


def test_the_plans_alpha_counts_unless_told_otherwise(toy, short, short_film):
    assert short_film.report["gated_steps"] == 1
    everywhere = make(toy, short.replace(alpha=1.0), seed=3)
    assert everywhere.report["gated_steps"] == 2
    told = make(toy, short.replace(alpha=1.0), seed=3, alpha=0.5)
    np.testing.assert_array_equal(frames_of(told), frames_of(short_film))
    assert (frames_of(everywhere) != frames_of(short_film)).any()


def test_without_alpha_no_gated_layer_takes_part(toy, short):
    """It is the film of a network whose gates are closed, and whatever they hold."""
    none = frames_of(make(toy, short, seed=3, alpha=0.0))
    for value in (0.0, 3.0):
        changed = with_gates(toy, value)
        np.testing.assert_array_equal(frames_of(make(changed, short, seed=3, alpha=0.0)), none)
    closed = frames_of(make(with_gates(toy, 0.0), short, seed=3, alpha=1.0))
    assert np.abs(closed - none).max() <= 1  # another program, rounded elsewhere
    opened = frames_of(make(toy, short, seed=3, alpha=1.0))
    assert np.abs(opened - none).max() > 1


def test_boxes_move_the_picture_only_through_the_gates(toy, short):
    moved = [{"cat": [0.5, 0.1, 0.9, 0.6]}] * 9
    other = short.replace(scenes=[scene(keyframes=moved)])
    guided = [frames_of(make(toy, plan, seed=3)) for plan in (short, other)]
    assert (guided[0] != guided[1]).any()
    unguided = [frames_of(make(toy, plan, seed=3, alpha=0.0)) for plan in (short, other)]
    np.testing.assert_array_equal(*unguided)


def test_the_caption_is_followed_as_much_as_asked(toy, short, short_film):
    assert (frames_of(make(toy, short, seed=3, guidance=1.0)) != frames_of(short_film)).any()
    # At zero nothing of the scene is left: neither its words nor its boxes.
    words = short.replace(scenes=[scene(description="Rockets in space")])
    blind = [frames_of(make(toy, plan, seed=3, guidance=0.0)) for plan in (short, words)]
    assert np.abs(blind[0] - blind[1]).max() <= 1


def test_pictures_count_only_where_images_are_grounded(toy, short, short_film):
    pictured = frames_of(make(toy, short, seed=3, images={"cat": RED}))
    assert (pictured != frames_of(short_film)).any()
    by_text = frames_of(make(toy, short, seed=3, image_grounding=False))
    assert (by_text != frames_of(short_film)).any()
    both = make(toy, short, seed=3, image_grounding=False, images={"cat": RED})
    np.testing.assert_array_equal(frames_of(both), by_text)


# --- identities ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def story():
    """The same cat in three scenes, two of them on the same beach."""
    scenes = [scene(), scene(background="park"), scene()]
    return VideoPlan(prompt="A cat everywhere", scenes=scenes)


def test_a_group_has_one_embedding_over_all_its_scenes(toy, story):
    found = identity_embeddings(toy, story, 3, {})
    assert set(found) == {"cat", "beach", "park"}
    apart = story.replace(groups={"cat": (1, 3), "beach": (1, 3), "park": (2,)})
    parted = identity_embeddings(toy, apart, 3, {})
    assert set(parted) == {"cat", "cat in scene 2", "beach", "park"}
    for name in found:  # who else is in the film changes nobody
        np.testing.assert_array_equal(parted[name], found[name])
    assert np.abs(parted["cat in scene 2"] - parted["cat"]).max() > 1e-3


def test_identities_are_drawn_from_the_seed(toy, story):
    one, again, other = (identity_embeddings(toy, story, seed, {}) for seed in (3, 3, 4))
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
        assert np.abs(one[name] - other[name]).max() > 1e-3


def test_two_of_a_kind_share_their_name_but_not_their_look(toy, short):
    boxes = [{"cat": [0.1, 0.4, 0.4, 0.9], "cat 2": [0.5, 0.4, 0.9, 0.9]}] * 9
    cats = short.replace(scenes=[scene(entities=["cat", "cat 2"], keyframes=boxes)], groups=None)
    found = identity_embeddings(toy, cats, 3, {})
    assert np.abs(found["cat"] - found["cat 2"]).max() > 1e-3
    key = jax.random.fold_in(jax.random.key(3), _checksum("cat 2"))
    np.testing.assert_array_equal(found["cat 2"], toy.imagine(["cat"], [key])[0])


def _checksum(text):
    import zlib

    return zlib.crc32(text.encode())


def test_a_picture_is_the_identity_in_all_scenes(toy, story):
    seen = toy.embed_pictures([RED])[0]
    found = identity_embeddings(toy, story, 3, {"cat": RED})
    np.testing.assert_array_equal(found["cat"], seen)
    drawn = identity_embeddings(toy, story, 3, {})
    np.testing.assert_array_equal(found["beach"], drawn["beach"])
    apart = story.replace(groups={"cat": (1,), "beach": (1, 3), "park": (2,)})
    found = identity_embeddings(toy, apart, 3, {"cat": RED})
    np.testing.assert_array_equal(found["cat in scene 2"], seen)


def test_pictures_may_be_of_different_sizes(toy, plan):
    blue = np.zeros((50, 20, 3), np.uint8) + np.uint8([20, 30, 220])
    found = identity_embeddings(toy, plan, 3, {"cat": RED, "dog": blue})
    np.testing.assert_array_equal(found["cat"], toy.embed_pictures([RED])[0])
    np.testing.assert_array_equal(found["dog"], toy.embed_pictures([blue])[0])


# --- what a scene is made from -------------------------------------------------------------------


def test_tokens_are_of_who_is_there_and_the_background_is_last(toy, plan):
    """Scene 2 has a dog that appears half-way."""
    embeddings = identity_embeddings(toy, plan, 3, {})
    made = scene_conditions(toy, plan, 2, embeddings, 4)
    tokens = np.asarray(made.grounding)
    assert tokens.shape == (2, 4, 8, toy.preset.grounding.width)
    null = tokens[0, 0, 0]
    assert np.abs(tokens[0] - null).max() < 1e-6  # the unconditional half shows nobody
    somebody = np.abs(tokens[1] - null).max(-1) > 1e-3
    expected = np.zeros((4, 8), bool)
    expected[:, [0, 7]] = True  # the cat and the background, in every frame
    expected[2:, 1] = True  # the dog in the second half
    np.testing.assert_array_equal(somebody, expected)
    still = np.abs(tokens[1] - tokens[1, :1]).max((0, 2)) < 1e-6
    np.testing.assert_array_equal(still, [True, False, *[True] * 6])


def test_boxes_move_the_tokens_from_frame_to_frame(toy, plan):
    embeddings = identity_embeddings(toy, plan, 3, {})
    tokens = np.asarray(scene_conditions(toy, plan, 1, embeddings, 4).grounding)[1]
    steps = np.abs(np.diff(tokens, axis=0)).max(-1)
    assert (steps[:, 0] > 1e-3).all()  # the cat slides
    assert (steps[:, 7] < 1e-6).all()  # the beach stays


def test_words_are_the_scenes_beside_none(toy, plan):
    embeddings = identity_embeddings(toy, plan, 3, {})
    text = scene_conditions(toy, plan, 2, embeddings, 4).text
    np.testing.assert_array_equal(text, toy.encode_text(["", plan.scenes[1].description]))


def test_more_entities_than_the_model_takes_are_refused(toy, plan):
    grounding = replace(toy.preset.grounding, max_entities=2)
    small = replace(toy, preset=replace(toy.preset, grounding=grounding))
    embeddings = dict.fromkeys(("cat", "dog", "park"), jnp.ones(32))
    with pytest.raises(UserError, match=r"scene 2 has 2 entities; this model takes at most 1"):
        scene_conditions(small, plan, 2, embeddings, 4)


def test_frames_share_as_much_noise_as_the_preset_says(toy):
    def likeness(share):
        model = replace(toy, preset=replace(toy.preset, shared_noise=share))
        noise = np.asarray(start_latents(model, jax.random.key(0), 16))
        assert noise.shape == (1, 16, 8, 8, 4)
        assert noise.std() == pytest.approx(1, abs=0.15)
        return np.corrcoef(noise.reshape(16, -1))[np.triu_indices(16, 1)].mean()

    assert likeness(0.0) == pytest.approx(0.0, abs=0.05)
    assert likeness(0.9) == pytest.approx(0.9, abs=0.05)


# --- bad arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 501}, "steps is 501"),
        ({"guidance": -0.1}, "guidance is -0.1"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"guidance": 101.0}, "guidance is 101.0"),
        ({"alpha": 1.1}, "alpha is 1.1"),
        ({"alpha": -0.1}, "alpha is -0.1"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"scheduler": "magic"}, "'magic' is unknown: use one of dpm++, ddim, pndm"),
        ({"frames": 0}, "frames is 0"),
        ({"frames": 65}, "frames is 65"),
        ({"preset": "huge"}, "'huge'"),
        ({"prompt": ""}, "empty"),
        ({"prompt": "A cat", "director": "kubrick"}, "'kubrick'"),
        ({"images": {"whale": RED}}, "picture for 'whale': the plan has no entity of that name"),
        ({"images": {"beach": RED}}, "it has cat"),
    ],
    ids=str,
)
def test_a_bad_argument_is_one_clear_refusal(short, options, says):
    options = {"prompt": short, "preset": "toy", **options}
    with pytest.raises(UserError) as refused:
        film(options.pop("prompt"), **options)
    (line,) = str(refused.value).splitlines()
    assert says in line


@pytest.mark.parametrize(
    "picture",
    [
        RED.astype(np.float32),
        RED[..., 0],
        RED[..., :2],
        RED[:0],
        "cat.png",
    ],
    ids=["floats", "grey", "two channels", "no pixels", "a path"],
)
def test_what_is_no_picture_is_refused(picture):
    # The function behind `film`: here, where signatures are checked, nothing else gets to it.
    with pytest.raises(
        UserError, match=r"picture for 'cat' is .*: it must be an array of 0\.\.255"
    ):
        _check_picture("cat", picture)


def test_a_picture_is_accepted():
    _check_picture("cat", RED)


def test_an_edited_plan_keeps_looks_and_gives_its_own_film(toy, short):
    made = prepare(short, preset=toy, steps=2, images={"cat": RED})
    moved = short.with_scene(1, move(short.scene(1), "cat", right=0.3))
    again = made.with_plan(moved)
    assert again.embeddings is made.embeddings
    both = moved.with_scene(1, add(moved.scene(1), "dog", (0.1, 0.1, 0.4, 0.4)))
    more = made.with_plan(both)
    assert {"dog"} == set(more.embeddings) - set(made.embeddings)
    np.testing.assert_array_equal(more.embeddings["cat"], made.embeddings["cat"])
    for plan, ready in ((moved, again), (both, more)):
        *_, latents = ready.stream(1)
        whole = make(toy, plan, images={"cat": RED})
        np.testing.assert_array_equal(toy.decode(latents[0]), whole.frames[0])


@pytest.fixture
def loose_threads():
    """What `loose_dtypes` is for this thread, for those that it starts."""
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    yield
    jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.mark.usefixtures("loose_threads")
def test_an_editor_renders_the_scene_it_was_given(toy, short):
    pytest.importorskip("anywidget")
    from vdjax.widgets import LayoutEditor

    editor = LayoutEditor.of_scenes(prepare(short, preset=toy, steps=2), selected="cat")
    editor.plan = short.with_scene(1, move(short.scene(1), "cat", right=0.3))
    editor.render_scene(1)
    assert editor.wait(120)
    assert editor.rendering["state"] == "done"
    np.testing.assert_array_equal(editor.clips[0], make(toy, editor.plan).frames[0])
