"""The person's adjectives stay: in descriptions, in captions, in the descriptions of entities."""

from __future__ import annotations

import pytest

from vdjax.plan import Scene, VideoPlan, caption, plan


@pytest.mark.parametrize(
    ("prompt", "description"),
    [
        ("A red car and a blue car", "a red car and a blue car on the road"),
        ("A red and a blue car", "a red car and a blue car on the road"),
        ("Two cars, one red and one blue", "a red car and a blue car on the road"),
        ("One car is red and the other car is blue", "a red car and a blue car on the road"),
        ("Two dogs sit, one is white and the other is black", "a white dog and a black dog sit"),
        ("The cat is black and the dog is white", "a black cat and a white dog"),
        ("The cats are black", "two black cats"),
        ("A cat that is tiny stands near a dog", "a tiny cat that stands near a dog"),
        ("Two happy old dogs", "two happy old dogs"),
        ("A red car and another red car", "a red car and another red car"),
        ("A black cat sees a dog and the cat runs", "a black cat sees a dog and the cat runs"),
        ("A cat on a sunny beach", "a cat at the sunny beach"),
        ("A Persian cat sits", "a persian cat sits"),
        ("An orange cat eats an orange", "an orange cat eats"),
    ],
)
def test_descriptions(prompt: str, description: str):
    (scene,) = plan(prompt).scenes
    assert scene.description.startswith(description)


def test_entities_keep_the_names_of_pictures():
    film = plan("A red car meets a small blue car in the snowy mountains")
    assert film.scenes[0].entities == ("car", "car 2")
    assert film.entity_descriptions == {"car": "a red car", "car 2": "a small blue car"}
    assert plan("A car meets a cat").entity_descriptions is None
    assert "entity_descriptions" not in plan("A car meets a cat").to_json()


def test_what_lasts_is_kept_over_the_scenes():
    film = plan("A hungry black cat sits. Then it runs. Then the cat is white.")
    assert [scene.description.removesuffix(" in the park") for scene in film.scenes] == [
        "a hungry black cat sits",
        "a black cat runs",
        "a white cat",
    ]


def test_captions_say_them_of_the_boxes_that_there_are():
    (scene,) = plan("A red car drives to the left and a blue car drives to the right").scenes
    assert caption(scene) == (
        "a red car drives from right to left and a blue car drives from left to right on the road"
    )
    assert caption(scene.remove("car")).startswith("a red car drives from left to right")


def test_captions_of_other_directors_plans():
    box = (0.1, 0.1, 0.4, 0.4)
    scene = Scene(
        description="Two striped cats and an old robot",
        background="park",
        entities=("cat", "cat 2", "robot"),
        keyframes=[{"cat": box, "cat 2": (0.5, 0.1, 0.8, 0.4), "robot": (0.1, 0.6, 0.4, 0.9)}] * 9,
    )
    assert caption(scene) == "two striped cats and a robot in the park"
    assert VideoPlan(prompt="", scenes=[scene]).entity_descriptions is None
