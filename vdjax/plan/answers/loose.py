"""JSON as language models write it.

Enters: text with prose, code fences or thinking around the data. Leaves: the values in it, as
`json` would give them, and which liberties were taken: quotes of any kind or none, quotes inside
texts, missing and trailing commas, comments, brackets that do not match, round brackets, an end
that is missing. Valid JSON is read as `json` reads it. One pass, so the time is linear in the
length; possessive patterns never go back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vdjax.plan.answers.forms import MAX_ANSWER, AnswerError
from vdjax.plan.problems import show

MAX_DEPTH = 24
"""Brackets within brackets; the deepest answer that is asked for has six."""

_BLANK = re.compile(r"(?:\s++|//[^\n]*+|\#[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)*+")
_NUMBER = re.compile(
    r"(?P<number>[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?)(?:[ \t]*+(?P<unit>%|px))?+"
    r"(?=[\s,;:\]}){\[]|$)"
)
_BARE = re.compile(r'[^,;:\[\]{}"“”\n]++')
_BARE_IN_ROUND = re.compile(r'[^,;:\[\]{}()"“”\n]++')
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": '”“"', "‘": "’'"}
_RUNS = {quote: re.compile(rf"[^\\{ends}]++") for quote, ends in _QUOTES.items()}
_AFTER_TEXT = re.compile(r"[ \t]*+(?:$|[\r\n,:;=\]})\"“'‘]|//|/\*|#)")
_UNICODE = re.compile(r"u([0-9a-fA-F]{4})")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_WORDS = {"true": True, "false": False, "null": None, "none": None, "undefined": None}
_PLAIN = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_CLOSER = {"{": "}", "[": "]", "(": ")"}
_OPENER = {closer: opener for opener, closer in _CLOSER.items()}


@dataclass(frozen=True)
class Value:
    """One value of the text, the mappings and lists in it that were never closed because the text
    ended (innermost first), and what was mended."""

    data: Any
    unclosed: tuple[Any, ...]
    repairs: tuple[str, ...]

    @property
    def cut(self) -> bool:
        """Whether the text ended inside this value."""
        return bool(self.unclosed)

    def whole(self, part: Any) -> bool:
        """Whether the text went on after this part of the data."""
        return all(part is not other for other in self.unclosed)


def clean(text: Any) -> str:
    """An answer without what models put around it in thought, and with whole characters only.

    Raises `AnswerError` for an answer that is empty, too long, or no text at all.
    """
    if not isinstance(text, str):
        raise AnswerError(f"the answer is {show(text)}; it must be a text")
    if len(text) > MAX_ANSWER:
        raise AnswerError(
            f"the answer has {len(text)} characters; at most {MAX_ANSWER}: give the data only"
        )
    text = text.encode("utf-8", "replace").decode().replace("\x00", "").removeprefix("\ufeff")
    before, closed, after = text.rpartition("</think>")
    text = after if closed else before + after
    if not closed and text.lstrip().startswith("<think>"):
        raise AnswerError("the answer stops while still thinking; think less and give the data")
    if not text.strip():
        raise AnswerError("the answer is empty; give the data that was asked for")
    return text


def values(text: str) -> Iterator[Value]:
    """Every value in curly or square brackets in the text, in order.

    Raises `AnswerError` for brackets nested more than `MAX_DEPTH` deep.
    """
    opening = re.compile(r"[\[{]")
    at = 0
    while found := opening.search(text, at):
        reader = _Reader(text, found.start())
        data = reader.value(0)
        yield Value(data, tuple(reader.unclosed), tuple(reader.repairs))
        at = max(reader.at, found.end())


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.cut = False
        self.unclosed: list[Any] = []
        self.repairs: dict[str, None] = {}
        self.open: dict[str, int] = {"{": 0, "[": 0, "(": 0}

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise AnswerError(
                f"the answer has brackets nested more than {MAX_DEPTH} deep; give the data as asked"
            )
        sign = self._peek()
        if sign == "{":
            return self._object(depth)
        if sign in _CLOSER:
            return self._array(depth)
        if sign in _QUOTES:
            return self._string()
        number = _NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            return _number(number["number"], number["unit"])
        return self._bare()

    def _peek(self) -> str:
        """The next sign that is no blank and in no comment; "" at the end."""
        found = _BLANK.match(self.text, self.at)
        assert found is not None
        if "/" in found[0] or "#" in found[0]:
            self._repair("comments were left out")
        self.at = found.end()
        return self.text[self.at : self.at + 1]

    def _repair(self, sentence: str) -> None:
        self.repairs[sentence] = None

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        self.open["{"] += 1
        members: dict[str, Any] = {}
        started = False
        while sign := self._next("{", started):
            started = True
            if sign in "{[(":
                self._repair("values without a name were left out")
                self.value(depth + 1)
                continue
            key = self._string() if sign in _QUOTES else str(self._bare("names without quotes"))
            if self._peek() not in (":", "="):
                self._repair("names without a value were left out")
                continue
            self.at += 1
            if self._peek() == ">":  # "=>"
                self.at += 1
            if self._peek() in ("", ",", ";", *_OPENER):
                self._repair("names without a value were left out")
                continue
            if key in members:
                self._repair(f"{show(key)} was given twice; the last one counts")
            members[key] = self.value(depth + 1)
        self.open["{"] -= 1
        if self.cut:
            self.unclosed.append(members)
        return members

    def _array(self, depth: int) -> list[Any] | None:
        bracket = self.text[self.at]
        self.at += 1
        self.open[bracket] += 1
        items: list[Any] = []
        while self._next(bracket, bool(items)):
            item = self.value(depth + 1)
            if isinstance(item, str) and self._peek() == ":":  # a name and its value in a list
                self.at += 1
                item = {item: self.value(depth + 1)} if self._peek() else item
            items.append(item)
        self.open[bracket] -= 1
        if self.cut:
            self.unclosed.append(items)
            if items and all(map(_is_number, items)):
                return None  # half a box is no box
        return items

    def _next(self, bracket: str, started: bool) -> str:
        """The first sign of the next thing in this bracket; "" where the bracket ends."""
        comma = not started
        while True:
            sign = self._peek()
            if not sign:
                self.cut = True
                return ""
            if sign in ",;":
                self.at += 1
                comma = True
            elif sign == _CLOSER[bracket]:
                if comma and started:
                    self._repair("trailing commas were left out")
                self.at += 1
                return ""
            elif sign in _OPENER:
                self._repair("brackets that did not match were mended")
                if self.open[_OPENER[sign]]:
                    return ""  # it closes one further out
                self.at += 1
            else:
                if not comma:
                    self._repair("missing commas were put in")
                return sign

    def _string(self) -> str:
        quote = self.text[self.at]
        if quote != '"':
            self._repair("other quotes were read as double quotes")
        self.at += 1
        pieces = []
        while True:
            run = _RUNS[quote].match(self.text, self.at)
            if run:
                pieces.append(run[0])
                self.at = run.end()
            sign = self.text[self.at : self.at + 1]
            self.at += 1
            if not sign:
                self.cut = True
                break
            if sign == "\\":
                pieces.append(self._escape())
            elif _AFTER_TEXT.match(self.text, self.at):
                break
            else:
                self._repair("quotes inside texts were kept")
                pieces.append(sign)
        text = "".join(pieces)
        if text.isascii():
            return text
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _escape(self) -> str:
        code = _UNICODE.match(self.text, self.at)
        if code:
            self.at = code.end()
            return chr(int(code[1], 16))
        sign = self.text[self.at : self.at + 1]
        self.at += 1
        return _ESCAPES.get(sign, sign)

    def _bare(self, what: str = "texts without quotes") -> Any:
        pattern = _BARE_IN_ROUND if self.open["("] else _BARE
        found = pattern.match(self.text, self.at)
        if not found:
            self.at += 1
            return ""
        self.at = found.end()
        word = found[0].strip()
        if word in _PLAIN:
            return _PLAIN[word]
        if word.lower() in _WORDS:
            if word.lower() != word or word in ("none", "undefined"):
                self._repair(f"{word} was read as {json.dumps(_WORDS[word.lower()])}")
            return _WORDS[word.lower()]
        self._repair(f"{what} were read as they stand")
        return word.rstrip("'`")


def _number(text: str, unit: str | None) -> float:
    whole = text.lstrip("+-").isdecimal() and len(text) < 300
    number = int(text) if whole else float(text)
    return number / 100 if unit == "%" else number


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)
