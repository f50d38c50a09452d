"""The tokenizer beside a CLIP's text tower: vocab.json with merges.txt, or tokenizer.json.

The folder of a text tower enters; one JSON file leaves that `vdjax.ground.clip_tokenizer` reads. In
a pipeline it lies in the folder "tokenizer" beside the tower's, in a model's own folder with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vdjax.errors import WeightsError
from vdjax.ground.clip_tokenizer import build_encoder, complete_encoder
from vdjax.model.hf import CLIPConfig
from vdjax.weights.convert.source import read_json

VOCAB, MERGES, WHOLE = "vocab.json", "merges.txt", "tokenizer.json"
SETTINGS = ("special_tokens_map.json", "tokenizer_config.json")

# transformers: CLIPTokenizer's own, where the files are silent.
BEGIN, END = "<|startoftext|>", "<|endoftext|>"

LEGACY_END = 2
"""What old configurations say the end's id is; the greatest id of a row is taken for it then."""


def find_tokenizer(tower: Path) -> Path | None:
    """The folder of the tokenizer that a text tower's file or folder was saved with."""
    folder = tower if tower.is_dir() else tower.parent
    for place in (folder, folder.parent / "tokenizer"):
        if (place / WHOLE).exists() or ((place / VOCAB).exists() and (place / MERGES).exists()):
            return place
    return None


def convert_tokenizer(folder: Path, config: CLIPConfig) -> bytes:
    """The tokenizer of a folder, for the tower of that configuration, as one JSON file.

    Raises:
        WeightsError: its files cannot be read, or are of another tower.
    """
    names = _special_names(folder)
    unknown = names.get("unk_token", END)
    try:
        encoder = _encoder(folder, unknown)
        end = names.get("eos_token", END)
        encoder = complete_encoder(
            encoder,
            begin=names.get("bos_token", BEGIN),
            end=end,
            padding=names.get("pad_token", end),
            length=config.text_positions,
        )
    except WeightsError:
        raise
    except ValueError as error:
        raise WeightsError(f"the tokenizer in {folder} is not whole ({error})") from error
    _check(folder, encoder, encoder.token_to_id(end), config)
    return encoder.to_str().encode()


def _encoder(folder: Path, unknown: str) -> Any:
    if not (folder / VOCAB).exists() or not (folder / MERGES).exists():
        from tokenizers import Tokenizer as Encoder

        try:
            return Encoder.from_file(str(folder / WHOLE))
        except Exception as error:  # the library raises no narrower one
            raise ValueError(str(error)) from error
    vocab = read_json(folder / VOCAB)
    if not all(isinstance(number, int) for number in vocab.values()):
        raise ValueError(f"{VOCAB} gives a piece something else than a number")
    return build_encoder(vocab, _merges(folder / MERGES), unknown)


def _merges(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    merges = []
    for line in lines:
        if line.startswith("#version") or not line.strip():
            continue
        one, _, other = line.partition(" ")
        if not one or not other or " " in other:
            raise ValueError(f"{path.name} holds {line!r}, which is no pair")
        merges.append((one, other))
    return merges


def _special_names(folder: Path) -> dict[str, str]:
    """What begins, ends and pads a text, as far as the files say; the later file counts more."""
    names: dict[str, str] = {}
    for file in SETTINGS:
        if not (folder / file).exists():
            continue
        settings: Mapping[str, Any] = read_json(folder / file)
        for key in ("bos_token", "eos_token", "pad_token", "unk_token"):
            value = settings.get(key)
            value = value.get("content") if isinstance(value, dict) else value
            if isinstance(value, str):
                names[key] = value
    return names


def _check(folder: Path, encoder: Any, end: int, config: CLIPConfig) -> None:
    greatest = max(encoder.get_vocab().values())
    if greatest >= config.vocab_size:
        raise WeightsError(
            f"the tokenizer in {folder} has pieces up to number {greatest:,}; its text tower knows "
            f"{config.vocab_size:,}: they are not of one model"
        )
    if config.eos_token_id == LEGACY_END:
        if end != greatest:
            raise WeightsError(
                f"the tokenizer in {folder} ends a text with {end:,}, which is not its greatest "
                f"number of {greatest:,}: its text tower would not find the end"
            )
    elif end != config.eos_token_id:
        raise WeightsError(
            f"the tokenizer in {folder} ends a text with {end:,}, its text tower looks for "
            f"{config.eos_token_id:,}: they are not of one model"
        )
