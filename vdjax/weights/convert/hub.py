"""Weights from the Hugging Face hub: the files that a conversion reads, and no others.

A hub id ("owner/name", or "owner/name@revision") enters, a local folder leaves. What was downloaded
stays in the hub's own cache, where an interrupted download goes on.
"""

from __future__ import annotations

import re
from pathlib import Path

from vdjax.errors import WeightsError

_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(@[\w./-]+)?")

# The models of a pipeline and the usual names of one model; not the same weights once more, whole
# in one file or in half precision, nor in another library's format.
WANTED = ("*.json", "*/*.safetensors", "diffusion_pytorch_model*.safetensors", "model*.safetensors")
UNWANTED = ("*.fp16.safetensors", "*.non_ema.safetensors", "onnx/*", "*/onnx/*")


def is_hub_id(text: str) -> bool:
    """Whether a text that is no path could be a repository on the hub."""
    return _ID.fullmatch(text) is not None


def download(name: str) -> Path:
    """The local folder of a repository's configuration and safetensors.

    Raises:
        WeightsError: the `hub` extra is not installed, the hub cannot be reached, or it has no such
            repository.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"{name} is no path here, and getting it from the hub needs huggingface_hub: "
            'python -m pip install "vdjax[hub]", or download it yourself and name its folder'
        ) from error
    repository, _, revision = name.partition("@")
    try:
        folder = snapshot_download(
            repository,
            revision=revision or None,
            allow_patterns=list(WANTED),
            ignore_patterns=list(UNWANTED),
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise WeightsError(
            f"{name} is no path here, and the hub shows no such repository or revision"
        ) from error
    except Exception as error:  # each HTTP library that the hub's client uses has its own
        if not _is_network(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(
            f"{name} is no path here, and the hub cannot be reached ({type(error).__name__}: "
            f"{reason}): try again, which goes on where it stopped, or name a local folder"
        ) from error
    return Path(folder)


def _is_network(error: Exception) -> bool:
    known = ("huggingface_hub", "requests", "urllib3", "httpx", "httpcore")
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in known
