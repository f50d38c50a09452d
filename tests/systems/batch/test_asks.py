"""Lists of prompts: read whole, or refused with the line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.errors import UserError
from vdjax.systems.batch.asks import read_asks

CAT = {"prompt": "A cat walks on the beach", "id": "cat"}


@pytest.fixture
def written(tmp_path):
    def write(*lines, raw=None):
        path = tmp_path / "prompts.jsonl"
        text = "\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines)
        path.write_bytes(text.encode() if raw is None else raw)
        return path

    return write


def test_a_line_is_an_object_a_sentence_or_one_per_scene(written):
    path = written(
        {**CAT, "seed": 3, "alpha": 1, "frames": None},
        "",
        '"A dog sleeps"',
        {"prompt": ["A dog sleeps", "It runs"]},
    )
    cat, dog, scenes = read_asks(path, {"preset": "toy", "seed": 7})
    assert (cat.id, cat.line) == ("cat", 1)
    assert cat.request == {"prompt": CAT["prompt"], "preset": "toy", "seed": 3, "alpha": 1}
    assert cat.options == {"seed": 3, "alpha": 1}
    assert (dog.line, dog.request["prompt"], dog.options) == (3, "A dog sleeps", {"seed": 7})
    assert scenes.request["prompt"] == ["A dog sleeps", "It runs"]
    assert dog.id.startswith("a-dog-sleeps-")
    assert dog.id != scenes.id


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(written):
    path = written(raw=b'\xef\xbb\xbf"A cat walks"\r\n"A dog sleeps"\r\n')
    assert [ask.request["prompt"] for ask in read_asks(path)] == ["A cat walks", "A dog sleeps"]


prompts = st.text(min_size=1).filter(str.strip)


@given(texts=st.lists(prompts, min_size=1, max_size=5, unique=True), moved=st.randoms())
def test_a_made_id_hangs_on_the_words_alone(tmp_path_factory, texts, moved):
    path = tmp_path_factory.mktemp("list") / "prompts.jsonl"
    path.write_text("\n".join(map(json.dumps, texts)), encoding="utf-8")
    before = {ask.request["prompt"]: ask.id for ask in read_asks(path, {"seed": 3})}
    assert list(before) == texts
    assert len(set(before.values())) == len(texts)
    moved.shuffle(texts)
    path.write_text("\n\n".join(map(json.dumps, texts)), encoding="utf-8")
    assert {ask.request["prompt"]: ask.id for ask in read_asks(path)} == before


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"prompt": "A cat"', "is not JSON"),
        ("A cat walks", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("3", "3 is neither an object nor a prompt"),
        ({"id": "dog"}, "there is no prompt"),
        ([], "there is no prompt"),
        ('"  "', "the prompt is empty"),
        (["A cat", ""], "the prompt is empty"),
        ({"prompt": 3}, "prompt is 3"),
        ({**CAT, "id": "cat"}, "id 'cat' is that of line 1 too"),
        ({**CAT, "id": "CAT"}, "id 'CAT' is that of line 1 too"),
        *(
            ({**CAT, "id": name}, "cannot name a folder")
            for name in ("a/b", "..", ".hidden", "", " ", "a b", "käse", "x" * 101, 3, "a\n")
        ),
        ({**CAT, "id": "manifest.json"}, "not manifest.json"),
        ({"prompt": "A dog", "sead": 3}, "'sead' is unknown: a line has prompt, id, seed"),
        ({"prompt": "A dog", "preset": "toy"}, "an option of the command"),
        ('{"prompt": "A dog", "prompt": "A cat"}', "'prompt' is said twice"),
        ({"prompt": "A dog", "seed": "3"}, "seed is '3': it must be a whole number"),
        ({"prompt": "A dog", "seed": True}, "seed is True"),
        ({"prompt": "A dog", "seed": -1}, "seed is -1"),
        ({"prompt": "A dog", "steps": 0}, "steps is 0"),
        ({"prompt": "A dog", "alpha": 2}, "alpha is 2"),
        ('{"prompt": "A dog", "guidance": NaN}', "NaN is no number"),
        ({"prompt": "A dog", "scheduler": "euler"}, "'euler'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_fault_is_told_with_its_line(written, line, says):
    path = written(CAT, line)
    with pytest.raises(UserError) as refused:
        read_asks(path)
    (told,) = str(refused.value).splitlines()
    assert told.startswith(f"{path}, line 2: ")
    assert says in told


def test_the_same_line_twice_is_one_film_asked_for_twice(written):
    with pytest.raises(UserError, match=r"line 3: id 'a-cat-walks-.*' is that of line 1 too"):
        read_asks(written('"A cat walks"', '"A dog sleeps"', '"A cat walks"'))


@pytest.mark.parametrize("raw", [b"", b"\n \n"])
def test_a_list_of_nothing_is_refused(written, raw):
    with pytest.raises(UserError, match="asks for nothing"):
        read_asks(written(raw=raw))


def test_what_is_no_text_is_refused(written, tmp_path):
    with pytest.raises(UserError, match=r"not text in UTF-8 \(byte 1\)"):
        read_asks(written(raw=b'"\xff"'))
    with pytest.raises(UserError, match=r"cannot read .*no such file"):
        read_asks(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match=r"cannot read .*directory"):
        read_asks(tmp_path)
