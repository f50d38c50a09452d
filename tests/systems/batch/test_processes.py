"""Processes that share a list: who they are is checked before they meet."""

from __future__ import annotations

import pytest

from vdjax.errors import UserError
from vdjax.systems.batch.processes import check_group


def test_a_group_is_said_whole_or_not_at_all():
    assert not check_group(None, None, None)
    assert check_group("127.0.0.1:9911", 2, 1)
    assert check_group("[::1]:9911", 1, 0)


@pytest.mark.parametrize(
    ("group", "says"),
    [
        (("127.0.0.1:9911", None, 0), "--processes missing"),
        ((None, 2, 0), "--coordinator missing"),
        (("127.0.0.1:9911", None, None), "--processes and --process missing"),
        (("127.0.0.1", 2, 0), "'127.0.0.1' is not HOST:PORT"),
        ((":9911", 2, 0), "is not HOST:PORT"),
        (("host:port", 2, 0), "is not HOST:PORT"),
        (("host:70000", 2, 0), "is not HOST:PORT"),
        (("127.0.0.1:9911", 2, 2), "process is 2: of 2 processes it must be from 0 to 1"),
    ],
)
def test_what_is_no_group_is_refused(group, says):
    with pytest.raises(UserError) as refused:
        check_group(*group)
    assert says in str(refused.value)
