"""The scripts that make the notebooks, as a module; the mark of tests that run them whole."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_notebooks.py"


def pytest_configure(config):
    config.addinivalue_line("markers", "notebooks: runs whole notebooks, up to three minutes each")


@pytest.fixture(scope="session")
def building():
    """scripts/build_notebooks.py."""
    spec = importlib.util.spec_from_file_location("build_notebooks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_notebooks"] = module
    spec.loader.exec_module(module)
    return module
