"""The artwork is whole: 64 names in four looks, each tight in its tile, each look its own."""

import itertools

import numpy as np
import pytest

from vdjax.data.storybook import LOOKS, NAMES, sprite
from vdjax.data.storybook.sprites import ART, aspect, facing, tile
from vdjax.errors import UserError

EVERY = list(itertools.product(NAMES, LOOKS))


def test_every_name_has_every_look():
    assert len(EVERY) == 256
    for name, look in EVERY:
        picture = sprite(name, look)
        assert max(picture.shape[:2]) == 96
        assert picture.shape[2] == 4
        assert (picture[:, :, 3] > 128).mean() > 0.15, f"{name} in {look} is nearly empty"


def test_art_touches_all_four_edges_of_its_picture():
    for name, look in EVERY:
        alpha = sprite(name, look)[:, :, 3]
        for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
            assert edge.max() > 0, f"{name} in {look} has an empty edge"


def test_no_two_pictures_are_the_same():
    small = {}
    for name, look in EVERY:
        art = tile(name, look).resize((24, 24))
        small[name, look] = np.asarray(art, np.float32)
    for name in NAMES:
        for first, second in itertools.combinations(LOOKS, 2):
            gap = np.abs(small[name, first] - small[name, second]).mean()
            assert gap > 5, f"{name} looks the same in {first} and {second}"


def test_sprite_keeps_the_aspect_and_mirrors():
    picture = sprite("car", "noto", 48)
    assert picture.shape[1] == 48
    assert picture.shape[1] / picture.shape[0] == pytest.approx(aspect("car", "noto"), rel=0.05)
    mirrored = sprite("car", "noto", 96, mirrored=True)
    np.testing.assert_array_equal(mirrored, sprite("car", "noto", 96)[:, ::-1])


def test_facing_is_known_for_things_that_point_somewhere():
    assert facing("car", "noto") == "left"
    assert facing("rocket", "twemoji") == "right"
    assert facing("ball", "noto") is None
    assert facing("cat", "emojione") is None  # this one looks at us


@pytest.mark.parametrize(("name", "look"), [("dragon", "noto"), ("cat", "oil paint")])
def test_unknown_names_and_looks_are_refused(name, look):
    with pytest.raises(UserError, match=r"'(dragon|oil paint)' is not"):
        tile(name, look)


def test_licences_ship_beside_the_art():
    text = (ART / "LICENSES.md").read_text(encoding="utf-8")
    for look in LOOKS:
        assert f"{look}.webp" in text
    for licence in ("Apache-2.0", "MIT-fluent", "CC-BY-4.0"):
        assert f"licenses/{licence}.txt" in text
        assert len((ART / "licenses" / f"{licence}.txt").read_text(encoding="utf-8")) > 900
