"""Text to token ids for the small CLIP: byte-pair encoding learnt on the captions of its world.

Sentences enter, rows of ids of one length leave: begin, pieces, end, padding. Unknown words fall
apart into smaller pieces, down to single letters, so that every sentence has an encoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int32

PAD, BOS, UNKNOWN, EOS = "<pad>", "<start>", "<unknown>", "<end>"
SPECIAL = (PAD, BOS, UNKNOWN, EOS)  # ids 0 to 3, as CLIPConfig names them


class EncoderFile:
    """The pieces of a tokenizer file, read when they are first needed."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @cached_property
    def _encoder(self):
        from tokenizers import Tokenizer as Encoder

        encoder = Encoder.from_file(str(self.path))
        encoder.encode_special_tokens = True  # "<end>" in a text is letters like any
        return encoder

    @property
    def vocab_size(self) -> int:
        return self._encoder.get_vocab_size()


class Tokenizer(EncoderFile):
    """A byte-pair tokenizer that cuts or pads each text to `length` ids."""

    def __init__(self, path: str | Path, length: int):
        super().__init__(path)
        self.length = length

    def __call__(self, texts: Sequence[str]) -> Int32[np.ndarray, "text length"]:
        """Ids of each text, lower-cased; what is beyond `length - 2` pieces is cut."""
        rows = np.zeros((len(texts), self.length), np.int32)
        for row, encoding in zip(
            rows, self._encoder.encode_batch([t.lower() for t in texts]), strict=True
        ):
            ids = [1, *encoding.ids[: self.length - 2], 3]
            row[: len(ids)] = ids
        return rows

    def mask(self, texts: Sequence[str]) -> Bool[np.ndarray, "text length"]:
        """Which ids are of the text, begin and end among them, and not of its padding."""
        return self(texts) != SPECIAL.index(PAD)

    def pieces(self, text: str) -> list[str]:
        """The pieces behind the ids of one text, without begin, end and padding."""
        return self._encoder.encode(text.lower()).tokens[: self.length - 2]


def learn_tokenizer(texts: Iterable[str], path: str | Path, vocab_size: int) -> None:
    """Learn the pieces from `texts` and write them as JSON to `path`."""
    from tokenizers import Tokenizer as Encoder
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    encoder = Encoder(models.BPE(unk_token=UNKNOWN))
    encoder.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    encoder.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=list("abcdefghijklmnopqrstuvwxyz0123456789.,;:'!?-"),
        show_progress=False,
    )
    encoder.train_from_iterator(texts, trainer)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    encoder.save(str(path))
