"""Text to token ids for public CLIPs: byte-pair encoding over 49,408 pieces (Radford et al. 2021).

Sentences enter, rows of ids of one length leave: begin, pieces, end, padding. A tokenizer is one
JSON file that says all of that itself, lengths and padding included, made by `build_encoder` of the
two files that CLIPs are published with (vocab.json and merges.txt). Towers differ in what they pad
with: ViT-L/14 with the end itself, ModelScope's ViT-H with "!", of which their states speak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32

from vdjax.ground.tokenizer import EncoderFile

# transformers: convert_slow_tokenizer.py, CLIPConverter; open_clip and OpenAI's CLIP have the same.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_END_OF_WORD = "</w>"


class ClipTokenizer(EncoderFile):
    """A tokenizer file of a public CLIP, which cuts and pads each text to the file's own length."""

    def __call__(self, texts: Sequence[str]) -> Int32[np.ndarray, "text length"]:
        """Ids of each text; what is beyond the length but for begin and end is cut."""
        return np.array([row.ids for row in self._encode(texts)], np.int32)

    def mask(self, texts: Sequence[str]) -> Bool[np.ndarray, "text length"]:
        """Which ids are of the text, begin and end among them, and not of its padding."""
        return np.array([row.attention_mask for row in self._encode(texts)], bool)

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        return self._encoder.encode_batch(list(texts))


def build_encoder(vocab: Mapping[str, int], merges: Sequence[tuple[str, str]], unknown: str) -> Any:
    """The encoder of a CLIP's pieces and of the order in which they are put together.

    Raises:
        ValueError: a merge is of pieces that the vocabulary has not.
    """
    from tokenizers import Regex, models, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as Encoder

    try:
        model = models.BPE(
            vocab=dict(vocab),
            merges=list(merges),
            unk_token=unknown,
            continuing_subword_prefix="",
            end_of_word_suffix=_END_OF_WORD,
        )
    except Exception as error:  # the library raises no narrower one
        raise ValueError(str(error)) from error
    encoder = Encoder(model)
    encoder.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    encoder.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return encoder


def complete_encoder(encoder: Any, *, begin: str, end: str, padding: str, length: int) -> Any:
    """The encoder told what stands around a text, and how long a row is.

    Raises:
        ValueError: one of the three pieces is not in the vocabulary.
    """
    from tokenizers import processors

    ids = {piece: encoder.token_to_id(piece) for piece in (begin, end, padding)}
    if lost := [piece for piece, number in ids.items() if number is None]:
        raise ValueError(f"{lost[0]!r} is not in the vocabulary")
    # Its vocabulary has these pieces; now they are also known to be no part of any text.
    encoder.add_special_tokens(list(dict.fromkeys((begin, end))))
    encoder.post_processor = processors.RobertaProcessing(
        sep=(end, ids[end]), cls=(begin, ids[begin]), trim_offsets=False, add_prefix_space=False
    )
    encoder.enable_truncation(length)
    encoder.enable_padding(length=length, pad_id=ids[padding], pad_token=padding)
    return encoder
