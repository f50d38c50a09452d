"""JSON of any size is gone through piece by piece, and each element is found again by its bytes."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.data import reading
from vdjax.data.reading import elements, fingerprint, line_starts, listed, read_between
from vdjax.errors import UserError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=4), some, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(params=[1, 7, 1 << 20])
def pieces(request, monkeypatch):
    monkeypatch.setattr(reading, "_PIECE", request.param)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("json") / "some.json"


@given(
    rows=st.lists(VALUES, max_size=5),
    other=VALUES,
    ascii=st.booleans(),
    indent=st.sampled_from([None, 2]),
    size=st.sampled_from([1, 7, 1 << 20]),
)
def test_every_element_comes_with_its_bytes(place, rows, other, ascii, indent, size):
    whole = {"other": other, "wanted": rows, "unwanted": [1, {"wanted": [2]}], "after": other}
    before = reading._PIECE
    reading._PIECE = size
    try:
        for value, keys in ((whole, ("wanted",)), (rows, ())):
            text = json.dumps(value, ensure_ascii=ascii, indent=indent)
            place.write_bytes(text.encode("utf-8", "surrogatepass"))
            found = list(elements(place, *keys))
            assert [element.value for element in found] == rows
            for key, start, stop, value in found:
                assert key == (keys[0] if keys else "")
                assert read_between(place, start, stop) == value
    finally:
        reading._PIECE = before


def test_several_lists_are_told_apart(tmp_path, write_json, pieces):
    path = write_json(tmp_path / "a.json", {"b": [1, 22], "a": ["ä", "b"], "c": {}, "d": 333})
    assert [(e.key, e.value) for e in elements(path, "a", "b")] == [
        *[("b", 1), ("b", 22), ("a", "ä"), ("a", "b")]
    ]


def test_a_mark_of_byte_order_is_no_trouble(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf [1, 2]")
    assert [element.value for element in elements(tmp_path / "a.json")] == [1, 2]


@pytest.mark.parametrize(
    "text",
    ['{"a": [1, 2', '{"a": [1 2]}', "", "nonsense", '{"a"}', "[1, 2]", '{"a": [{"b": }]}'],
)
def test_what_is_broken_is_said_with_its_place(tmp_path, text, pieces):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"broken\.json cannot be read as JSON at byte \d+"):
        list(elements(path, "a"))


def test_what_is_not_utf8_is_said(tmp_path):
    (tmp_path / "a.json").write_bytes(b'["\xff\xfe"]')
    with pytest.raises(UserError, match="not UTF-8"):
        list(elements(tmp_path / "a.json"))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_begin_where_they_begin(tmp_path, end, pieces):
    lines = [b"first", b"", "sécond".encode(), b"third"]
    path = tmp_path / "lines"
    for last in (b"", end):
        path.write_bytes(end.join(lines) + last)
        found = [path.read_bytes()[at:].split(end)[0] for at in line_starts(path)]
        assert found == [lines[0], lines[2], lines[3]]
    path.write_bytes(b"{" + end + end + b"x")
    assert line_starts(path).tolist() == [0]  # one letter without an end is no row of anything
    path.write_bytes(b"")
    assert len(line_starts(path)) == 0
    assert line_starts(path).dtype == np.int64


def test_what_cannot_be_read_is_said(tmp_path):
    for ask in (line_starts, fingerprint, lambda path: list(elements(path))):
        with pytest.raises(UserError, match=r"cannot read .*: is a directory"):
            ask(tmp_path)
    assert listed(tmp_path / "none") == []


def test_fingerprints_tell_parts_apart(tmp_path):
    (tmp_path / "a").write_text("x")
    marks = {fingerprint("ab", "c"), fingerprint("a", "bc"), fingerprint("abc")}
    marks |= {fingerprint(tmp_path / "a"), fingerprint(str(tmp_path / "a"))}
    assert len(marks) == 5
