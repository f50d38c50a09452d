"""Shared by the storybook's tests."""

import pytest

from vdjax.data.storybook import world


@pytest.fixture
def few_backgrounds(monkeypatch):
    """Paint three variants of each background, not 48: for tests that do not look at them."""
    monkeypatch.setattr(world, "TRAIN_VARIANTS", 3)
    monkeypatch.setattr(world, "HELD_OUT_VARIANTS", 2)
