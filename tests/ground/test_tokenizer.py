"""Text to ids: nothing is lost but what is too long, and every text has an encoding."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.ground.tokenizer import Tokenizer, learn_tokenizer
from vdjax.plan.vocabulary import Vocabulary
from vdjax.systems import loaded
from vdjax.weights.presets import Preset

LENGTH = 12
TEXTS = [
    "a cat drives a red car to the beach",
    "two dogs under a palm tree, and a rocket",
    "the fire truck is near 3 snowy mountains",
] * 5
PAD, BEGIN, UNKNOWN, END = range(4)


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "new" / "tokenizer.json"
    learn_tokenizer(TEXTS, path, vocab_size=120)
    return Tokenizer(path, LENGTH)


def body(row):
    """The ids between begin and end; what follows must be padding."""
    row = list(row)
    assert row[0] == BEGIN
    end = row.index(END)
    assert set(row[end + 1 :]) <= {PAD}
    return row[1:end]


def test_special_ids_are_those_that_clip_expects(tokenizer):
    from vdjax.model.hf import CLIPConfig

    assert (CLIPConfig().bos_token_id, CLIPConfig().eos_token_id) == (BEGIN, END)
    np.testing.assert_array_equal(tokenizer([""]), [[BEGIN, END] + [PAD] * (LENGTH - 2)])


def test_frequent_words_become_one_piece_and_pieces_spell_the_text(tokenizer):
    assert tokenizer.pieces("a cat and a red car") == ["a", "cat", "and", "a", "red", "car"]
    assert len(tokenizer.pieces("a zebra")) > 2
    assert "".join(tokenizer.pieces("a zebra")) == "azebra"


def test_rows_are_independent_and_of_one_length(tokenizer):
    texts = ["a cat", "", "a cat drives a red car to the beach " * 5]
    rows = tokenizer(texts)
    assert rows.shape == (3, LENGTH)
    assert rows.dtype == np.int32
    for text, row in zip(texts, rows, strict=True):
        np.testing.assert_array_equal(tokenizer([text])[0], row)


def test_long_texts_are_cut_and_still_end(tokenizer):
    long = "a cat and " * 20
    (row,) = tokenizer([long])
    assert row[-1] == END
    assert len(body(row)) == LENGTH - 2
    # What is cut is the end: the beginning stays.
    np.testing.assert_array_equal(row[:-1], tokenizer(["a cat and " * 4])[0][:-1])
    assert len(tokenizer.pieces(long)) == LENGTH - 2


def test_case_and_spaces_make_no_difference(tokenizer):
    np.testing.assert_array_equal(tokenizer(["A  CAT"]), tokenizer(["a cat"]))


@pytest.mark.parametrize("text", ["", " ", "£", "猫", "\u0000", "🐈 a cat", "<start> <end> <pad>"])
def test_anything_has_an_encoding(tokenizer, text):
    (row,) = tokenizer([text])
    assert PAD not in body(row)


def test_unknown_letters_are_unknown_and_the_rest_is_kept(tokenizer):
    (row,) = tokenizer(["猫 cat"])
    assert body(row) == [UNKNOWN, *body(tokenizer(["cat"])[0])]


WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6)


@given(words=st.lists(WORDS, max_size=4))
def test_letters_and_numbers_survive(tokenizer, words):
    text = " ".join(words)
    pieces = tokenizer.pieces(text)
    whole = "".join(words).lower()
    assert whole.startswith("".join(pieces))
    if len(pieces) < LENGTH - 2:
        assert "".join(pieces) == whole
    (row,) = tokenizer([text])
    assert len(body(row)) == len(pieces)
    assert UNKNOWN not in row


@given(text=st.text(max_size=60))
def test_any_text_gives_a_valid_row(tokenizer, text):
    (row,) = tokenizer([text])
    assert row.min() >= 0
    assert row.max() < tokenizer.vocab_size
    ids = body(row)
    assert not {PAD, BEGIN} & set(ids)
    lowered = unicodedata.normalize("NFKC", text.lower())
    np.testing.assert_array_equal(tokenizer([lowered])[0], row)


def test_the_shipped_toy_tokenizer_fits_its_preset():
    clip = Preset.toy().clip
    path = Path(loaded.__file__).with_name("toy_tokenizer.json")
    tokenizer = Tokenizer(path, clip.text_positions)
    assert tokenizer.vocab_size <= clip.vocab_size
    for name in Vocabulary.storybook().entities:
        assert UNKNOWN not in tokenizer([name])
