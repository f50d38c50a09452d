"""JSON as models write it: valid JSON is read as it is, crooked JSON as it was meant."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.plan.answers.forms import MAX_ANSWER, AnswerError
from vdjax.plan.answers.loose import clean, values

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.one_of(st.lists(JSON, max_size=4), st.dictionaries(st.text(), JSON)), st.booleans())
def test_valid_json_is_read_as_json_reads_it(data: Any, ascii_only: bool):
    (value,) = values(f"{json.dumps(data, ensure_ascii=ascii_only)} ")
    assert value.data == data
    assert value.repairs == ()
    assert not value.cut


@pytest.mark.parametrize(
    ("text", "data", "repair"),
    [
        ("{'a': 'b'}", {"a": "b"}, "other quotes"),
        ("{“a”: “it’s”}", {"a": "it’s"}, "other quotes"),
        ("{'a': 'the cat's ball'}", {"a": "the cat's ball"}, "quotes inside"),
        ('{"a": "a "big" day", "b": 1}', {"a": 'a "big" day', "b": 1}, "quotes inside"),
        ('{a: b, "c": left side}', {"a": "b", "c": "left side"}, "without quotes"),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}, "missing commas"),
        ('["x" "y"\n"z"]', ["x", "y", "z"], "missing commas"),
        ("[0.1 0.2 0.3]", [0.1, 0.2, 0.3], "missing commas"),
        ('{"a": [1, 2,], }', {"a": [1, 2]}, "trailing commas"),
        ('{"a": 1, // one\n "b": 2 /* two */, # three\n}', {"a": 1, "b": 2}, "comments"),
        ('{"a": [1, 2}', {"a": [1, 2]}, "did not match"),
        ('{"a": [1, 2]], "b": 3}', {"a": [1, 2], "b": 3}, "did not match"),
        ('{"a" => 1, "b" = 2}', {"a": 1, "b": 2}, ""),
        ("{'a': None, 'b': True}", {"a": None, "b": True}, "None was read as null"),
        ("[(1, 2), (3, 4)]", [[1, 2], [3, 4]], ""),
        ("[50%, 12px, +.5, 1e-1]", [0.5, 12, 0.5, 0.1], ""),
        ('{"a": 1, "a": 2}', {"a": 2}, "given twice"),
        ('{"a":, "b": 1}', {"b": 1}, "without a value"),
        ('{"a": "\\u00e9\\n\\ud83d\\ude00\\q"}', {"a": "é\n😀q"}, ""),
        ('{"a": "\\ud83d"}', {"a": "�"}, ""),
        ('["cat": [1, 2], "dog": 3]', [{"cat": [1, 2]}, {"dog": 3}], ""),
    ],
)
def test_what_was_meant_is_read_and_the_repair_told(text: str, data: Any, repair: str):
    (value,) = values(text)
    assert value.data == data
    assert repair in "; ".join(value.repairs)
    assert not value.cut


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{"a": [1, {"b": "half of a te', {"a": [1, {"b": "half of a te"}]}),
        ('{"a": [0.1, 0.2, 0.3, 0.', {"a": None}),  # half a box is no box
        ('{"a": 1, "b', {"a": 1}),
        ('{"a": 1, "b":', {"a": 1}),
        ('[["x", 1], ["y", 2]', [["x", 1], ["y", 2]]),
    ],
)
def test_an_end_that_is_missing(text: str, data: Any):
    (value,) = values(text)
    assert value.data == data
    assert value.cut
    assert not value.whole(value.unclosed[-1])


def test_what_was_closed_before_the_end_is_whole():
    (value,) = values('{"scenes": [{"a": 1}, {"a": 2')
    first, second = value.data["scenes"]
    assert value.whole(first)
    assert not value.whole(second)


def test_values_are_found_between_prose():
    found = [value.data for value in values('Of course [as asked]: {"a": 1} and {"b": 2}. Bye!')]
    assert found == [["as asked"], {"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n\x00 ", "is empty"),
        ("<think>a cat, so", "still thinking"),
        ("<think>a cat</think> ", "is empty"),
        ("x" * (MAX_ANSWER + 1), f"at most {MAX_ANSWER}"),
        (b"{}", "must be a text"),
        (None, "must be a text"),
    ],
)
def test_what_is_no_answer(text: Any, message: str):
    with pytest.raises(AnswerError, match=message):
        clean(text)


def test_thinking_and_half_characters_are_taken_away():
    assert clean("<think>{1}</think>{2}") == "{2}"
    assert clean("a\ud800b") == "a?b"


@pytest.mark.parametrize(
    "piece",
    ["[", "{", "(", "}", '"', '{"a":"', "{'a':'b' ", '"x" y ', ",", "/*", "/* */", "#\n", "1",
     "1 ", " ", "[}", "{]", "[(]", "\\", "[/", "1e", "['", "a:", "=>", "“", "' '"],
)  # fmt: skip
def test_long_answers_come_to_an_end(piece: str):
    """Whatever is said over and over; a pattern that went back would not end in years."""
    for start in ("[", '{"a": "'):
        with contextlib.suppress(AnswerError):  # nested too deeply
            for value in values(start + piece * (20_000 // len(piece))):
                assert value.data is None or isinstance(value.data, list | dict)
