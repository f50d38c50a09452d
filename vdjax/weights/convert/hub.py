"""Weights from the Hugging Face hub: the files that a conversion reads, and no others.

A hub id ("owner/name", "owner/name@revision", "owner/name:folder") enters, a local folder leaves.
What was downloaded stays in the hub's own cache, where an interrupted download goes on. Where a
model is published in half precision only, those files are taken.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

from vdjax.errors import OutputError, WeightsError
from vdjax.weights.convert.plan import KINDS
from vdjax.weights.convert.settings import kind_of
from vdjax.weights.convert.source import CONFIG, HALF, config_of

_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(@[\w./-]+)?(:[\w][\w.-]*)?")

# The models of a pipeline and the usual names of one model, with what reads its texts; not the same
# weights once more, whole in one file or in half precision, nor in another library's format.
WANTED = (
    *("*.json", "*merges.txt"),
    *("*/*.safetensors", "diffusion_pytorch_model*.safetensors", "model*.safetensors"),
)
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
UNWANTED = ("*.fp16.safetensors", "*.non_ema.safetensors", "onnx/*", "*/onnx/*")


def is_hub_id(text: str) -> bool:
    """Whether a text that is no path could be a repository on the hub."""
    return _ID.fullmatch(text) is not None


def download(name: str) -> Path:
    """The local folder of a repository's configuration, tokenizers and safetensors.

    Raises:
        OutputError: its cache cannot be written.
        WeightsError: the `hub` extra is not installed, the hub cannot be reached or broke off, or
            it has no such repository.
    """
    try:
        import huggingface_hub  # noqa: F401
        from huggingface_hub.errors import (
            GatedRepoError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"{name} is no path here, and getting it from the hub needs huggingface_hub: "
            'python -m pip install "vdjax[hub]", or download it yourself and name its folder'
        ) from error
    place, _, inside = name.partition(":")
    repository, _, revision = place.partition("@")
    try:
        folder = _fetch(repository, revision, inside)
    except GatedRepoError as error:
        raise WeightsError(
            f"{name} is on the hub for those who accepted its terms: do so at "
            f"https://huggingface.co/{repository}, run `hf auth login`, and try again"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise WeightsError(
            f"{name} is no path here, and the hub shows no such repository or revision"
        ) from error
    except Exception as error:  # each HTTP library that the hub's client uses has its own
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise OutputError(
                f"cannot keep {name} in the hub's cache ({os.strerror(error.errno).lower()}): free "
                "some room or set HF_HOME to another place, and try again, which goes on"
            ) from error
        if not _is_network(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(
            f"{name} is no path here, and the hub cannot be reached ({type(error).__name__}: "
            f"{reason}): try again, which goes on where it stopped, or name a local folder"
        ) from error
    if not (folder / inside).is_dir():
        raise WeightsError(f"{name}: {repository} on the hub has no weights in a folder {inside!r}")
    return folder / inside


def _fetch(repository: str, revision: str, inside: str) -> Path:
    """The files that are wanted; then, of models that came without weights, those in half."""
    from huggingface_hub import snapshot_download

    options: dict[str, Any] = {"revision": revision or None}
    wanted = [f"{inside}/*.json", f"{inside}/*merges.txt", f"{inside}/*.safetensors"]
    if inside:  # what lies beside a model and belongs to it
        wanted += ["scheduler/*.json", "tokenizer/*.json", "tokenizer/merges.txt"]
    folder = Path(
        snapshot_download(
            repository,
            allow_patterns=wanted if inside else list(WANTED),
            ignore_patterns=list(UNWANTED),
            **options,
        )
    )
    if half := [f"{where}*{HALF}safetensors" for where in _without_weights(folder, inside)]:
        folder = Path(snapshot_download(repository, allow_patterns=half, **options))
    return folder


def _without_weights(folder: Path, inside: str) -> list[str]:
    """The models that are described and not there, as beginnings of their files' names."""
    found = []
    for config in sorted((*folder.glob(CONFIG), *folder.glob(f"*/{CONFIG}"))):
        where = config.parent.relative_to(folder).as_posix()
        if inside and where != inside:
            continue
        if any(config.parent.glob("*.safetensors")):
            continue
        if kind_of(config_of(config.parent) or {}) in KINDS:
            found.append("" if where == "." else f"{where}/")
    return found


def _is_network(error: Exception) -> bool:
    known = ("huggingface_hub", "requests", "urllib3", "httpx", "httpcore")
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in known
