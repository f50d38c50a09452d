"""A new identity from a few pictures: what learns, what a film takes, what is refused."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from PIL import Image

import vdjax
from vdjax.errors import ImageError, UserError
from vdjax.plan import plan
from vdjax.systems.looks import Look, load_look, plain_name
from vdjax.systems.videodirectorgpt import prepare
from vdjax.train.entity import (
    COMPOSITES,
    LOOK,
    Composites,
    entity_stage,
    pictures_in,
    read_cutout,
    train_entity,
)
from vdjax.train.stage import Schedule
from vdjax.weights.store import save_tree

pytestmark = pytest.mark.loose_dtypes
SCHEDULE = Schedule(steps=40, batch_size=4, learning_rate=5e-2, warmup_steps=0, ema_decay=0.5)


def cutout(colour, width=28, height=24, margin=4):
    """A thing with nothing around it."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[margin:-margin, margin:-margin] = (*colour, 255)
    return pixels


@pytest.fixture(scope="module")
def toy():
    with jax.numpy_dtype_promotion("standard"):
        return vdjax.load("toy")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dog")
    for number, colour in enumerate([(200, 40, 40), (220, 60, 30), (190, 30, 60)]):
        Image.fromarray(cutout(colour)).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """(the look's file, what was said)."""
    lines = []
    out = tmp_path_factory.mktemp("entity") / "run"
    with jax.numpy_dtype_promotion("standard"):
        path = train_entity(
            "my dog", pictures, out, schedule=SCHEDULE, preset="toy", report=lines.append
        )
    return path, lines


@pytest.fixture(scope="module")
def others(toy):
    """Places, boxes, timesteps and noise that `trained` did not learn from: (where learning of them
    begins, what is lost with parameters on a batch, batches)."""
    schedule = replace(SCHEDULE, batch_size=8, seed=1)
    with jax.numpy_dtype_promotion("standard"):
        stage = entity_stage(toy, "dog", [cutout((200, 40, 40))], schedule)
        first, frozen = stage.init()
        batches = []
        for step in range(8):
            batch = jax.tree_util.tree_map(jax.numpy.asarray, stage.batch(step))
            batches.append(batch | stage.draw(jax.random.key(1000 + step), batch))
    assert set(frozen) == {"unet", "net", "text"}
    loss = jax.jit(lambda params, batch: stage.loss(params, frozen, batch, jax.random.key(0))[0])
    return first, loss, batches


def test_what_learns_is_a_direction_and_a_shift(others):
    first, loss, (batch, *_) = others
    assert {name: leaf.shape for name, leaf in first.items()} == {"image": (32,), "shift": (32,)}
    at_first = float(loss(first, batch))
    # An embedding's length says nothing: tokens are of unit embeddings.
    assert float(loss(first | {"image": 3 * first["image"]}, batch)) == pytest.approx(at_first)
    for name in first:
        assert abs(float(loss(first | {name: first[name] + 1.0}, batch)) - at_first) > 1e-5


def test_a_run_leaves_a_look_that_films_take(trained, toy):
    path, lines = trained
    look = load_look(path)
    assert (look.name, look.preset) == ("dog", "toy")
    assert np.linalg.norm(look.embedding) == pytest.approx(1.0, abs=1e-5)
    assert any(f'--image "dog={path}"' in line for line in lines)
    assert np.abs(look.shift).max() > 0


def test_a_look_explains_what_it_did_not_learn_from_better_than_what_clip_sees(trained, others):
    first, loss, batches = others
    look = load_look(trained[0])
    learnt = {"image": look.embedding, "shift": look.shift}
    gains = [float(loss(first, batch) - loss(learnt, batch)) for batch in batches]
    assert np.mean(gains) > 2 * np.std(gains, ddof=1) / len(gains) ** 0.5


def test_a_film_moves_the_tokens_of_its_entity_alone(toy):
    story = plan("A dog and a cat sit on the beach")
    seen = np.asarray(toy.embed_pictures([np.full((20, 20, 3), 90, np.uint8)]))[0]
    films = [
        prepare(story, seed=0, steps=1, preset=toy, images={"dog": Look(seen, shift, "dog", "toy")})
        for shift in (np.zeros(32, np.float32), np.full(32, 0.5, np.float32))
    ]
    still, moved = (np.asarray(film.scene(1)[1].grounding) for film in films)
    at = list(story.scenes[0].entities).index("dog")
    apart = moved - still
    np.testing.assert_allclose(apart[1, :, at], 0.5, atol=1e-6)  # with conditions
    apart[1, :, at] = 0.0
    assert not apart.any()


def test_it_is_another_look_than_the_pictures_mean(trained, pictures, toy):
    means = np.asarray(toy.embed_pictures([np.full((20, 20, 3), 255, np.uint8)]))[0]
    look = load_look(trained[0]).embedding
    assert not np.allclose(look, means, atol=1e-3)


def test_a_run_that_is_done_is_not_done_again(trained, pictures):
    lines = []
    before = trained[0].read_bytes()
    train_entity(
        "dog", pictures, trained[0].parent, schedule=SCHEDULE, preset="toy", report=lines.append
    )
    assert any("resuming after step 40 of 40" in line for line in lines)
    assert trained[0].read_bytes() == before
    with pytest.raises(UserError, match="entity"):
        train_entity("cat", pictures, trained[0].parent, schedule=SCHEDULE, preset="toy")


def test_composites_hold_the_thing_where_their_box_says(toy):
    rows = Composites.of(toy, "dog", [np.full((16, 32, 4), 255, np.uint8)], seed=0)
    batch = rows.rows(np.arange(len(rows)))
    boxes = batch["boxes"][:, 0, 0]
    assert len(boxes) == COMPOSITES
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    sides = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(sides[:, 0], 2 * sides[:, 1], atol=2 / 64)
    assert sides.max() > 0.6
    assert sides[:, 0].min() < 0.35
    assert batch["present"][:, 0].sum(axis=1).tolist() == [2] * COMPOSITES
    assert len({tuple(ids) for ids in batch["ids"]}) > 5  # places


@pytest.mark.parametrize(
    ("preset", "width", "says"),
    [("storybook", 32, "trained for 'storybook'"), ("toy", 8, "(8 numbers), not for 'toy' (32)")],
)
def test_a_look_of_another_system_is_refused(toy, preset, width, says):
    look = Look(np.ones(width, np.float32), np.zeros(32, np.float32), "dog", preset)
    made_plan = plan("A dog walks on the beach")
    with pytest.raises(UserError, match=r"train it again") as refused:
        prepare(made_plan, seed=0, steps=1, preset=toy, images={"dog": look})
    assert says in str(refused.value)


def test_an_owners_word_is_not_part_of_the_name(toy):
    story = plan("My dog and a cat sit on the beach")
    look = Look(np.ones(32, np.float32), np.zeros(32, np.float32), "dog", "toy")
    made = prepare(story, seed=0, steps=1, preset=toy, images={"my dog": look})
    assert look in made.embeddings.values()
    with pytest.raises(UserError, match="'dog' is given two"):
        prepare(story, seed=0, steps=1, preset=toy, images={"my dog": look, "dog": look})
    with pytest.raises(UserError, match=r"'my cow': the plan has no entity .* it has cat, dog"):
        prepare(story, seed=0, steps=1, preset=toy, images={"my cow": look})


@pytest.mark.parametrize(
    ("said", "name"),
    [("my dog", "dog"), (" The  big dog ", "big dog"), ("dog 2", "dog 2"), ("my", "my"), (" ", "")],
)
def test_what_plans_call_it(said, name):
    assert plain_name(said) == name


def test_what_is_clear_around_a_thing_is_none_of_it(toy, tmp_path):
    seen = []
    for margin in (1, 40):
        folder = tmp_path / str(margin)
        folder.mkdir()
        pixels = cutout((200, 40, 40), 20 + 2 * margin, 20 + 2 * margin, margin)
        Image.fromarray(pixels).save(folder / "0.png")
        cutouts = [read_cutout(path) for path in pictures_in(folder)]
        seen.append(Composites.of(toy, "dog", cutouts, seed=0, count=8).columns["latents"])
    np.testing.assert_array_equal(*seen)


@pytest.mark.parametrize("mode", ["CMYK", "L", "LA", "P", "RGB"])
def test_pictures_of_any_kind_are_read(tmp_path, mode):
    path = tmp_path / ("0.jpg" if mode == "CMYK" else "0.png")
    Image.new("RGB", (20, 20), (204, 204, 204)).convert(mode).save(path)
    cutout = read_cutout(path)
    assert cutout.shape == (20, 20, 4)
    np.testing.assert_allclose(cutout[..., :3], 204, atol=3)
    assert cutout[..., 3].min() == 255  # placed whole


def test_one_picture_will_do_and_is_said_to_be_few(tmp_path):
    Image.fromarray(cutout((200, 40, 40))).save(tmp_path / "0.png")
    lines = []
    train_entity(
        "dog",
        tmp_path,
        tmp_path / "run",
        schedule=replace(SCHEDULE, steps=1),
        preset="toy",
        report=lines.append,
    )
    assert lines[0] == "entity: pictures: 1; 3 to 5 would show more of it"


def test_a_file_of_something_else_is_refused(tmp_path):
    save_tree(tmp_path / "other.safetensors", {"weights": np.ones(3)})
    with pytest.raises(UserError, match="holds no look of an entity"):
        load_look(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("name", "pixels", "count", "says"),
    [
        (" ", cutout((9, 9, 9)), 1, "name is empty"),
        ("dog", cutout((9, 9, 9)), 0, "holds 0 pictures: give a folder of 1 to 20"),
        ("dog", cutout((9, 9, 9)), 21, "holds 21 pictures"),
        ("dog", cutout((9, 9, 9), 40, 17), 1, "shows 32 × 9 pixels"),
        ("dog", np.zeros((20, 20, 4), np.uint8), 1, "transparent all over"),
    ],
)
def test_pictures_that_show_nothing_are_refused(tmp_path, name, pixels, count, says):
    for number in range(count):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    with pytest.raises(UserError, match=says):
        train_entity(name, tmp_path, tmp_path / "run", schedule=SCHEDULE, preset="toy")
    assert not (tmp_path / "run").exists()


def test_a_damaged_picture_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"broken\.png is not a picture"):
        train_entity("dog", tmp_path, tmp_path / "run", schedule=SCHEDULE, preset="toy")


def test_the_file_is_beside_the_run(trained):
    assert trained[0].name == LOOK
    assert (trained[0].parent / "log.jsonl").read_text().count("\n") == SCHEDULE.steps
