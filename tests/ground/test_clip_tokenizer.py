"""The tokenizer of public CLIPs beside transformers' own, on the same files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weights.convert.publics import BEGIN, END, vocabulary, write_tokenizer

from vdjax.ground.clip_tokenizer import ClipTokenizer, build_encoder, complete_encoder
from vdjax.model.hf import CLIPConfig
from vdjax.weights.convert.tokenizer import convert_tokenizer

LENGTH = 24
VOCAB = vocabulary()


@pytest.fixture(scope="module", params=["!", END], ids=["ViT-H", "ViT-L"])
def both(request, tmp_path_factory):
    """Ours, made by the converter, and transformers' of the same folder."""
    from transformers import CLIPTokenizerFast

    folder = write_tokenizer(tmp_path_factory.mktemp("tokenizer"), request.param)
    config = CLIPConfig(
        vocab_size=len(VOCAB), text_positions=LENGTH, bos_token_id=0, eos_token_id=VOCAB[END]
    )
    (folder / "ours.json").write_bytes(convert_tokenizer(folder, config))
    theirs = CLIPTokenizerFast(
        str(folder / "vocab.json"), str(folder / "merges.txt"), pad_token=request.param
    )
    return ClipTokenizer(folder / "ours.json"), theirs


def theirs_of(tokenizer, text):
    found = tokenizer([text], padding="max_length", max_length=LENGTH, truncation=True)
    return found["input_ids"], found["attention_mask"]


def agree(both, text):
    ours, theirs = both
    ids, mask = theirs_of(theirs, text)
    np.testing.assert_array_equal(ours([text]), ids)
    np.testing.assert_array_equal(ours.mask([text]), np.array(mask, bool))


@pytest.mark.parametrize(
    "text",
    [
        "a cat",
        "",
        "  The DOG's\t3 caps, weren't 42??\n",
        "naïve café — 猫 🐈 on ½ a mat",
        "the dog and the cat " * 9,
    ],
)
def test_texts_are_cut_into_the_same_pieces(both, text):
    agree(both, text)


@given(text=st.text(max_size=40))
def test_any_text_is_cut_into_the_same_pieces(both, text):
    if "<|" not in text and "!" not in text:  # there transformers sees marks, ours letters
        agree(both, text)


def test_merges_are_used(both):
    ours, _ = both
    assert list(ours(["cat dog the"])[0, :5]) == [
        *(VOCAB[piece] for piece in (BEGIN, "cat</w>", "dog</w>", "the</w>", END)),
    ]


def test_the_marks_of_begin_and_end_in_a_text_are_letters(both):
    ours, _ = both
    (row,) = ours([f"{END} cat {BEGIN}"])
    body = row[1 : ours.mask([f"{END} cat {BEGIN}"]).sum() - 1]
    assert VOCAB["cat</w>"] in body
    assert not {VOCAB[BEGIN], VOCAB[END]} & set(body.tolist())


def test_an_exclamation_mark_is_read_as_in_training(both):
    """Where "!" pads, transformers takes each in a text for padding; open_clip, whose tokenizer the
    towers were trained with, does not."""
    ours, _ = both
    assert list(ours(["cat!"])[0, 1:3]) == [VOCAB["cat</w>"], VOCAB["!</w>"]]
    assert ours.mask(["cat!"]).sum() == 4


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="vocabulary"):
        build_encoder({"a": 0}, [("a", "b")], "a")
    encoder = build_encoder(VOCAB, [], END)
    with pytest.raises(ValueError, match="'<pad>' is not in the vocabulary"):
        complete_encoder(encoder, begin=BEGIN, end=END, padding="<pad>", length=8)
