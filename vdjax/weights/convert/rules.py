"""Renaming weights so that nothing is lost, invented or misread: one rule per PyTorch key.

Keys and shapes of a PyTorch state dict, rules, and the leaves that a network wants enter; the list
of moves that turns one into the other leaves, or one error that lists everything in the way. No
array is read here, so that a conversion is refused before its first byte is written.

A rule's pattern is a whole key in which `{name}` stands for digits and `{name:a|b}` for one of the
words; its target is the path of a leaf with the same names in braces.

    Rule("down_blocks.{i}.attentions.{j}.proj_in.weight",
         "down_blocks_{i}/attentions_{j}/proj_in/kernel", "linear")
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from vdjax.errors import WeightsError

Shape = tuple[int, ...]

SHOWN = 4
"""How many keys of each kind of fault an error names; the rest are counted."""


@dataclass(frozen=True)
class Change:
    """A change of layout of a tensor of `rank` dimensions (None: any), and the way back.

    Both are views of what they are given.
    """

    rank: int | None
    forward: Callable[[Any], Any]
    back: Callable[[Any], Any]


def _transposed(*axes: int) -> Change:
    back = tuple(np.argsort(axes).tolist())
    return Change(len(axes), lambda x: x.transpose(axes), lambda x: x.transpose(back))


# PyTorch keeps (out, in, *window), Flax (*window, in, out).
CHANGES: dict[str, Change] = {
    "as is": Change(None, lambda x: x, lambda x: x),
    "linear": _transposed(1, 0),
    "conv": _transposed(2, 3, 1, 0),
    # A window of (3, 1, 1) over (frame, height, width) becomes one of (3, 1) over (frame, pixel).
    "temporal conv": Change(
        5,
        lambda x: x.squeeze(4).transpose(2, 3, 1, 0),
        lambda x: x.transpose(3, 2, 0, 1)[..., None],
    ),
    # A window of one pixel, or one frame, is a matrix product.
    "conv as linear": Change(4, lambda x: x.squeeze((2, 3)).T, lambda x: x.T[:, :, None, None]),
    "conv1d as linear": Change(3, lambda x: x.squeeze(2).T, lambda x: x.T[:, :, None]),
    # A single row, kept where PyTorch broadcasts it by hand.
    "row": Change(2, lambda x: x.squeeze(0), lambda x: x[None]),
    # Known, and not wanted: an index buffer, or what only training reads.
    "drop": Change(None, lambda x: x, lambda x: x),
}


@dataclass(frozen=True)
class Rule:
    """Where a PyTorch key's tensor goes, and how its layout changes (one of `CHANGES`).

    Raises:
        ValueError: the change is unknown, or pattern and target do not name the same placeholders.
    """

    pattern: str
    target: str
    change: str = "as is"

    def __post_init__(self):
        if self.change not in CHANGES:
            raise ValueError(f"{self.pattern}: change {self.change!r} is none of {list(CHANGES)}")
        names = set(_names(self.pattern)), set(_names(self.target))
        if self.change != "drop" and names[0] != names[1]:
            raise ValueError(f"{self.pattern} and {self.target} name different placeholders")

    def match(self, key: str) -> str | None:
        """The leaf that `key` goes to, or None where the rule does not speak of it."""
        found = self._expression.fullmatch(key)
        return None if found is None else _fill(self.target, found.groupdict())

    def key_of(self, leaf: str) -> str | None:
        """The key that goes to `leaf`, or None where the rule leads elsewhere."""
        found = self._inverse.fullmatch(leaf)
        return None if found is None else _fill(self.pattern, found.groupdict())

    @cached_property
    def _words(self) -> dict[str, str]:
        return {name: words or r"\d+" for name, words in _PLACEHOLDER.findall(self.pattern)}

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return _compile(self.pattern, self._words)

    @cached_property
    def _inverse(self) -> re.Pattern[str]:
        return _compile(self.target, self._words)


def under(pattern: str, target: str, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules of a module, for every place `pattern` that goes to `target`."""
    return tuple(
        replace(rule, pattern=f"{pattern}.{rule.pattern}", target=f"{target}/{rule.target}")
        for rule in rules
    )


def linear(name: str, target: str | None = None, *, bias: bool = True) -> tuple[Rule, ...]:
    """The rules of a linear layer."""
    return _layer(name, target, "kernel", "linear", bias)


def conv(name: str, target: str | None = None, *, change: str = "conv") -> tuple[Rule, ...]:
    """The rules of a convolution with a bias."""
    return _layer(name, target, "kernel", change, True)


def norm(name: str, target: str | None = None) -> tuple[Rule, ...]:
    """The rules of a group or layer norm."""
    return _layer(name, target, "scale", "as is", True)


def _layer(name: str, target: str | None, leaf: str, change: str, bias: bool) -> tuple[Rule, ...]:
    target = _PLACEHOLDER.sub(r"{\1}", name).replace(".", "/") if target is None else target
    weight = Rule(f"{name}.weight", f"{target}/{leaf}", change)
    return (weight, Rule(f"{name}.bias", f"{target}/bias")) if bias else (weight,)


@dataclass(frozen=True)
class Move:
    """One tensor's way: from `key`, in PyTorch's `shape`, to `leaf`, in Flax's `leaf_shape`."""

    key: str
    leaf: str
    change: str
    shape: Shape
    leaf_shape: Shape

    def __call__(self, tensor: np.ndarray) -> np.ndarray:
        """The tensor in its new layout, as a view."""
        return CHANGES[self.change].forward(tensor)


def plan_conversion(
    shapes: Mapping[str, Sequence[int]],
    rules: Sequence[Rule],
    wanted: Mapping[str, Sequence[int]],
) -> list[Move]:
    """The moves that make every wanted leaf, once, of every key: all of them or none.

    `shapes` are those of a PyTorch state dict by key, `wanted` those of a Flax tree by path.

    Raises:
        WeightsError: a key that no rule or more than one speaks of, a leaf that nothing or more
            than one key goes to, a key whose leaf is not wanted, or a shape that does not fit.
    """
    faults = _Faults()
    by_leaf: dict[str, list[Move]] = defaultdict(list)
    for key, shape in shapes.items():
        matches = [(rule, leaf) for rule in rules if (leaf := rule.match(key)) is not None]
        if not matches:
            faults.add("keys that no rule knows", key)
        elif len(matches) > 1:
            faults.add(
                "keys that several rules claim",
                f"{key} ({' and '.join(rule.pattern for rule, _ in matches)})",
            )
        else:
            (rule, leaf), shape = matches[0], tuple(shape)
            if rule.change == "drop":
                continue
            changed = changed_shape(shape, rule.change)
            if leaf not in wanted:
                faults.add("keys too many", key)
            elif changed != tuple(wanted[leaf]):
                expected = original_shape(tuple(wanted[leaf]), rule.change)
                faults.add(
                    "keys of another shape", f"{key} is {_sides(shape)}, not {_sides(expected)}"
                )
            by_leaf[leaf].append(Move(key, leaf, rule.change, shape, changed or ()))
    for leaf, moves in by_leaf.items():
        if len(moves) > 1:
            faults.add(
                "keys meant for one place", f"{' and '.join(move.key for move in moves)} → {leaf}"
            )
    for leaf in wanted:
        if leaf not in by_leaf:
            faults.add("keys missing", next(iter(_keys_of(leaf, rules)), leaf))
    if faults:
        raise WeightsError(f"these weights are not of this architecture: {faults}")
    return [by_leaf[leaf][0] for leaf in wanted]


def expected_shapes(rules: Sequence[Rule], wanted: Mapping[str, Sequence[int]]) -> dict[str, Shape]:
    """The PyTorch keys, with their shapes, that the wanted leaves are made of.

    Raises:
        ValueError: no rule or more than one leads to a leaf.
    """
    shapes = {}
    for leaf, shape in wanted.items():
        found = [(key, rule) for rule in rules if (key := rule.key_of(leaf)) is not None]
        if len(found) != 1:
            raise ValueError(f"{len(found)} rules lead to {leaf}: {[r.pattern for _, r in found]}")
        ((key, rule),) = found
        shapes[key] = original_shape(tuple(shape), rule.change)
    return shapes


def changed_shape(shape: Shape, change: str) -> Shape | None:
    """The shape after a change of layout, or None where the change is of another kind of tensor."""
    how = CHANGES[change]
    if how.rank is not None and len(shape) != how.rank:
        return None
    try:
        return how.forward(_hollow(shape)).shape
    except ValueError:  # a window that is wider than one
        return None


def original_shape(shape: Shape, change: str) -> Shape:
    """The shape before a change of layout."""
    return CHANGES[change].back(_hollow(shape)).shape


class _Faults:
    """What is wrong, kind by kind."""

    def __init__(self):
        self.found: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, what: str) -> None:
        self.found[kind].append(what)

    def __bool__(self) -> bool:
        return bool(self.found)

    def __str__(self) -> str:
        return "; ".join(self._sentence(kind, what) for kind, what in self.found.items())

    def _sentence(self, kind: str, what: list[str]) -> str:
        count = "1 key" if len(what) == 1 else f"{len(what)} keys"
        shown = ", ".join(what[:SHOWN]) + (" …" if len(what) > SHOWN else "")
        return f"{kind.replace('keys', count)}: {shown}"


def _keys_of(leaf: str, rules: Iterable[Rule]) -> Iterable[str]:
    return (key for rule in rules if (key := rule.key_of(leaf)) is not None)


def _hollow(shape: Shape) -> np.ndarray:
    """An array of that shape that takes no memory."""
    return np.broadcast_to(np.empty((), np.int8), shape)


def _sides(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "a single number"


_PLACEHOLDER = re.compile(r"\{(\w+)(?::([^}]*))?\}")


def _names(template: str) -> list[str]:
    return [name for name, _ in _PLACEHOLDER.findall(template)]


def _compile(template: str, words: Mapping[str, str]) -> re.Pattern[str]:
    pieces, at, seen = [], 0, set()
    for found in _PLACEHOLDER.finditer(template):
        name = found[1]
        pieces.append(re.escape(template[at : found.start()]))
        pieces.append(f"(?P={name})" if name in seen else f"(?P<{name}>{words[name]})")
        seen.add(name)
        at = found.end()
    return re.compile("".join(pieces) + re.escape(template[at:]), re.ASCII)


def _fill(template: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)
