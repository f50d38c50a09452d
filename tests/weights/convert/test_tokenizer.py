"""Tokenizers travel with their text towers, and only with those."""

from __future__ import annotations

import json
import shutil

import pytest
from weights.convert.publics import END, VIT_H, VIT_L, vocabulary, write_tokenizer

from vdjax.errors import WeightsError
from vdjax.ground.clip_tokenizer import ClipTokenizer
from vdjax.weights.convert import clip
from vdjax.weights.convert.tokenizer import convert_tokenizer, find_tokenizer

ENTITIES = clip.configure(VIT_L)


@pytest.fixture
def folder(tmp_path):
    return write_tokenizer(tmp_path / "tokenizer", END)


def test_it_is_found_beside_the_tower_or_with_it(folder, tmp_path):
    (tmp_path / "text_encoder").mkdir()
    assert find_tokenizer(tmp_path / "text_encoder") == folder
    assert find_tokenizer(tmp_path / "text_encoder" / "model.safetensors") == folder
    shutil.copytree(folder, tmp_path / "own" / "model")
    assert find_tokenizer(tmp_path / "own" / "model") == tmp_path / "own" / "model"
    (folder / "merges.txt").unlink()
    assert find_tokenizer(tmp_path / "text_encoder") is None


def test_one_file_is_as_good_as_two(folder, tmp_path):
    from transformers import CLIPTokenizerFast

    CLIPTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(
        tmp_path / "theirs"
    )
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / "theirs" / name).unlink(missing_ok=True)
    made = []
    for i, source in enumerate((folder, tmp_path / "theirs")):
        (tmp_path / f"{i}.json").write_bytes(convert_tokenizer(source, ENTITIES))
        made.append(ClipTokenizer(tmp_path / f"{i}.json"))
    texts = ["The cat's dog, 3 times!", "", "a " * 99]
    assert made[0](texts).tolist() == made[1](texts).tolist()
    assert made[0].mask(texts).tolist() == made[1].mask(texts).tolist()


def test_old_configurations_take_the_greatest_id_for_the_end(folder):
    old = clip.configure(VIT_H)
    assert old.eos_token_id == 2
    convert_tokenizer(folder, old)
    vocab = {**vocabulary(), "late": len(vocabulary())}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    larger = clip.configure({**VIT_H, "vocab_size": len(vocab)})
    with pytest.raises(WeightsError, match="not its greatest number"):
        convert_tokenizer(folder, larger)


def spoil(folder, name, change):
    path = folder / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "change", "say"),
    [
        ("vocab.json", lambda text: text[:-9], "is not JSON"),
        ("vocab.json", lambda text: '{"a": "b"}', "something else than a number"),
        ("vocab.json", lambda text: text.replace(END, "<end>"), "is not in the vocabulary"),
        ("merges.txt", lambda text: text + "one two three\n", "which is no pair"),
        ("merges.txt", lambda text: text + "ca zebra\n", "not whole"),
        (
            "special_tokens_map.json",
            lambda text: text.replace(END, "cat</w>"),
            "its text tower looks for 519",
        ),
        (
            "vocab.json",
            lambda text: text[:-1] + ', "more": 999}',
            r"up to number 999; its text tower knows 520: they are not of one model",
        ),
    ],
)
def test_what_is_not_the_towers_is_refused(folder, name, change, say):
    spoil(folder, name, change)
    with pytest.raises(WeightsError, match=say) as refused:
        convert_tokenizer(folder, ENTITIES)
    assert len(str(refused.value).splitlines()) == 1
