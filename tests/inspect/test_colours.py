import sys

import numpy as np
import pytest

from vdjax.errors import UserError
from vdjax.inspect import colours
from vdjax.inspect.colours import COLOUR_MAPS, colour_table


@pytest.fixture
def without_matplotlib(monkeypatch):
    colour_table.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    yield
    colour_table.cache_clear()


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_maps_grow_lighter_and_are_nearly_the_same_without_matplotlib(name, without_matplotlib):
    plain = colour_table(name)
    light = plain @ np.array([0.299, 0.587, 0.114])
    assert light[-1] - light[0] > 150
    assert (np.diff(light.reshape(16, 16).mean(axis=1)) > 0).all()
    assert plain.shape == (256, 3)


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_what_is_embedded_is_near_to_matplotlibs(name):
    pytest.importorskip("matplotlib")
    apart = colour_table(name).astype(int) - colours._interpolated(name)
    assert np.abs(apart).max() <= 11


def test_an_unknown_map_is_refused():
    with pytest.raises(UserError, match="colours are 'jet': use one of viridis, cividis, magma"):
        colour_table("jet")
