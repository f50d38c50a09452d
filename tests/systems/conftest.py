"""What tests of loaded systems share."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(written, tmp_path):
    """A copy, to damage, of the system that the test's module has `written`."""
    return Path(shutil.copytree(written, tmp_path / "mine"))
