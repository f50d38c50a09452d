"""Any server that speaks OpenAI's chat completions: OpenAI, vLLM, llama.cpp's own server, Ollama.

The `openai` client does the talking: it waits as a server's Retry-After says, and tries again with
growing pauses. Here its troubles become sentences, an answer that does not
end is cut off, and what a server does not know (a seed, a schema) is left out and asked again. The
key stays inside the client: it is in no message, record, pickle or plan.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

from vdjax.plan.directors.model import Answer, ModelError, OnText, Request, SchemaRefused

OPENAI = "https://api.openai.com/v1"
TIMEOUT = 60.0
"""Seconds without a sign of life before a server counts as hung."""
RETRIES = 2
MAX_CHARACTERS = 200_000
"""Longest answer that is read: a film of 16 scenes in numbers takes about 30,000."""

_OPTIONAL = ("stream_options", "seed", "temperature")
"""What the older and the stricter servers refuse, and an answer can do without."""


class ChatModel:
    """A model on a server.

    Args:
        model: its name there; `OPENAI_MODEL` where None, or the server's only one.
        base_url: the server's address up to and with /v1; `OPENAI_BASE_URL` where None, else
            OpenAI's.
        api_key: `OPENAI_API_KEY` where None; servers of one's own often need none.
        timeout: seconds without a sign of life, at most.
        retries: how often the client tries again what may pass: a busy server, a lost connection.

    Raises:
        ModelError: the address is not one.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
    ) -> None:
        url = base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI
        key = api_key or os.environ.get("OPENAI_API_KEY") or ""
        self.base_url, self._key = _without_user(url), key
        if not key and url == OPENAI:
            raise ModelError(
                "OpenAI's server asks for a key: put it into the environment as OPENAI_API_KEY, or "
                "name a server of your own with --base-url, such as http://127.0.0.1:8080/v1"
            )
        self.timeout, self.retries = timeout, retries
        self._url = url
        self.name = model or os.environ.get("OPENAI_MODEL") or ""
        """The model's name on the server; empty until the first answer where nobody gave one."""
        self._refused: set[str] = set()

    def __repr__(self) -> str:
        return f"ChatModel({self.name!r}, base_url={self.base_url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process makes its own client, with the key of its own environment."""
        return _again, (self.name or None, self.base_url, self.timeout, self.retries)

    def answer(self, request: Request, *, seconds: float, on_text: OnText | None = None) -> Answer:
        """The model's answer, read as it is written.

        Raises:
            SchemaRefused: the request has a schema and the server takes none.
            ModelError: no answer: no connection, a refusal, a hang, an error, something that is no
                completion.
        """
        import openai

        self.name = self.name or self._only_model()
        deadline = time.monotonic() + seconds
        while True:
            wanted = self._wanted(request)
            try:
                return self._read(wanted, deadline, request, on_text)
            except openai.BadRequestError as error:
                self._leave_out(error, wanted)
            except openai.UnprocessableEntityError as error:
                self._leave_out(error, wanted)
            except openai.OpenAIError as error:
                self._explain(error)

    def _client(self, timeout: float) -> Any:
        """A client for one question; whatever becomes of it, its connections are closed."""
        import openai

        return openai.OpenAI(
            base_url=self._url,
            api_key=self._key or "none",
            timeout=timeout,
            max_retries=self.retries,
        )

    def _wanted(self, request: Request) -> dict[str, Any]:
        limit = "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens"
        wanted = {
            "model": self.name,
            "messages": [dict(message) for message in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": request.temperature,
            "seed": request.seed,
            limit: request.max_tokens,
        }
        if request.schema is not None:
            shape = {"name": "answer", "strict": True, "schema": dict(request.schema)}
            wanted["response_format"] = {"type": "json_schema", "json_schema": shape}
        return {name: value for name, value in wanted.items() if name not in self._refused}

    def _leave_out(self, error: Any, wanted: Mapping[str, Any]) -> None:
        """Note what the server does not take, or raise that it cannot be helped."""
        said = str(error).lower()
        if "response_format" in wanted and any(
            word in said for word in ("response_format", "json_schema", "schema", "grammar")
        ):
            raise SchemaRefused(f"the server at {self.base_url} takes no JSON schema") from None
        for option in ("max_tokens", *_OPTIONAL):
            if option in wanted and option in said:
                self._refused.add(option)
                return
        self._explain(error)

    def _read(
        self, wanted: dict[str, Any], deadline: float, request: Request, on_text: OnText | None
    ) -> Answer:
        left = max(deadline - time.monotonic(), 1.0)
        parts: list[str] = []
        length, usage, finish, refusal = 0, None, "", ""
        with (
            self._client(min(self.timeout, left)) as client,
            client.chat.completions.create(**wanted) as stream,
        ):
            kind = stream.response.headers.get("content-type", "")
            if "event-stream" not in kind:
                raise ModelError(
                    f"the server at {self.base_url} answered with {kind or 'nothing'} where a chat "
                    "completion was asked for: is the address right? It usually ends in /v1"
                )
            for event in self._events(stream):
                usage = event.usage or usage
                for choice in event.choices[:1]:
                    finish = choice.finish_reason or finish
                    refusal += getattr(choice.delta, "refusal", None) or ""
                    if piece := choice.delta.content or "":
                        parts.append(piece)
                        length += len(piece)
                        if on_text is not None:
                            on_text("".join(parts))
                if length > MAX_CHARACTERS:
                    raise ModelError(
                        f"{self.name} does not stop: more than {MAX_CHARACTERS:,} characters where "
                        f"{request.max_tokens:,} tokens were allowed"
                    )
                if time.monotonic() > deadline:
                    raise ModelError(
                        f"{self.name} was not done in the time there was; {length:,} characters "
                        "had come: allow more seconds, or take a quicker model"
                    )
        text = "".join(parts)
        if refusal or finish == "content_filter":
            raise ModelError(f"{self.name} refused to answer: {refusal or 'filtered'!s:.200}")
        if not text.strip():
            raise ModelError(f"{self.name} gave an empty answer")
        return Answer(
            text=text,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
            complete=finish != "length",
        )

    def _events(self, stream: Any) -> Iterator[Any]:
        """The stream's events; a connection that breaks meanwhile is a trouble with a name."""
        import openai

        try:
            yield from stream
        except openai.APITimeoutError:
            raise
        except ValueError as error:  # no UTF-8, or no JSON, in the middle of a stream
            raise ModelError(
                f"the server at {self.base_url} sent what cannot be read: {error!s:.100}"
            ) from None
        except Exception as error:
            # Older clients let the errors of their own HTTP library through here.
            ours = isinstance(error, openai.APIConnectionError)
            if not (ours or type(error).__module__.startswith("httpx")):
                raise
            broken = f"the connection to {self.base_url} broke in the middle of an answer"
            raise ModelError(f"{broken}: {self._hidden(str(error))}") from None

    def _only_model(self) -> str:
        import openai

        try:
            with self._client(self.timeout) as client:
                names = [model.id for model in client.models.list()]
        except openai.OpenAIError as error:
            self._explain(error)
        except (ValueError, TypeError, AttributeError):  # some other kind of server
            names = []
        if len(names) == 1:
            return str(names[0])
        some = ", ".join(map(str, names[:8])) + (", …" if len(names) > 8 else "")
        raise ModelError(
            f"which model of {self.base_url}? Name one with --model or OPENAI_MODEL"
            + (f"; it has {some}" if names else "")
        )

    def _explain(self, error: Exception) -> NoReturn:
        """Say in a sentence what the client met."""
        import openai

        said = self._hidden(str(error))[:300]
        where = f"the server at {self.base_url}"
        if isinstance(error, openai.APITimeoutError):
            sentence = f"{where} gave no sign of life for {self.timeout:g} s"
        elif isinstance(error, openai.APIConnectionError):
            cause = self._hidden(str(error.__cause__ or error))[:200]
            sentence = f"no connection to {where}: {cause}; is it running, and the address right?"
        elif isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            sentence = f"{where} refused the key: set OPENAI_API_KEY to one that it takes ({said})"
        elif isinstance(error, openai.RateLimitError):
            sentence = f"{where} is busy, or the account has no quota left ({said})"
        elif isinstance(error, openai.NotFoundError):
            sentence = f"{where} knows no model {self.name!r}, or is no such server ({said})"
        else:
            sentence = f"{where} failed: {said}"
        raise ModelError(sentence) from None

    def _hidden(self, text: str) -> str:
        """A text without the key in it; servers like to repeat what they refuse."""
        text = " ".join(text.split())
        return text.replace(self._key, "…") if len(self._key) > 3 else text


def _again(model: str | None, base_url: str, timeout: float, retries: int) -> ChatModel:
    return ChatModel(model, base_url=base_url, timeout=timeout, retries=retries)


def _without_user(url: str) -> str:
    """The address without a name and password in it. Raises `ModelError` where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelError(f"{url!r} is no address of a server: write it as http://127.0.0.1:8080/v1")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
