"""PyTorch's classes beside ours: random weights, our converters, and a table of the worst errors.

Only an environment with torch collects these tests (`make parity`). Nothing is downloaded: weights
are random, norms' scales, gates and biases too, so that no part can be left out unseen.
"""

from __future__ import annotations

from collections import defaultdict
from importlib.util import find_spec

import numpy as np
import pytest
from parity.limits import MODULE_LIMIT

collect_ignore_glob = [] if find_spec("torch") else ["*.py"]

_worst: dict[tuple[str, float], list[float]] = defaultdict(list)


@pytest.fixture
def same():
    """Hold ours against PyTorch's and remember how far they are apart: same(name, ours, theirs)."""

    def check(name: str, ours, theirs, limit: float = MODULE_LIMIT) -> None:
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype == np.float32
        assert np.isfinite(theirs).all()
        assert theirs.std() > 1e-3, "a peer that says nothing is equal to anything"
        # Differences are taken in float64, lest they be rounded too.
        error = np.abs(ours.astype(np.float64) - theirs).max() / np.abs(theirs).max()
        _worst[name, limit].append(float(error))
        assert error <= limit, f"{name}: {error:.1e} beside PyTorch's, more than {limit:.0e}"

    return check


def pytest_terminal_summary(terminalreporter):
    if not _worst:
        return
    terminalreporter.section("worst error beside PyTorch, float32")
    width = max(len(name) for name, _ in _worst)
    terminalreporter.write_line(f"{'module':{width}}  comparisons  worst error  allowed")
    for (name, limit), errors in sorted(_worst.items(), key=lambda item: (item[0][1], item[0][0])):
        terminalreporter.write_line(
            f"{name:{width}}  {len(errors):11d}  {max(errors):11.1e}  {limit:7.0e}"
        )
