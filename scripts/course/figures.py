"""Figures that say not enough, read off the code that draws them.

Wherever a cell draws on axes, the same cell sets their title and labels, with units where there are
any; axes that are switched off (pictures) need a title only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_DRAWS = {"plot", "bar", "barh", "scatter", "hist", "step", "errorbar", "fill_between", "boxplot"}
_DRAWS |= {"imshow", "pcolormesh", "contourf", "violinplot", "stackplot", "matshow", "semilogy"}
_SAYS = {"title", "xlabel", "ylabel"}


def unlabelled(code: str) -> Iterator[str]:
    """A sentence for each axes object in a cell that is drawn on and lacks a title or a label."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a line of IPython's own
        return
    if not {"Figure", "plt", "subplots", "axes"} & set(_names(tree)):
        return
    drawn: dict[str, set[str]] = {}
    said: dict[str, set[str]] = {}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Attribute):
            continue
        owner, method = ast.unparse(call.func.value), call.func.attr
        if method in _DRAWS:
            drawn.setdefault(owner, set()).add(method)
        elif method == "set":
            said.setdefault(owner, set()).update(key.arg or "" for key in call.keywords)
        elif method.removeprefix("set_") in _SAYS:
            said.setdefault(owner, set()).add(method.removeprefix("set_"))
        elif method in ("axis", "set_axis_off"):
            said.setdefault(owner, set()).update({"xlabel", "ylabel"})
    for owner in drawn:
        if lacks := _SAYS - said.get(owner, set()):
            yield f"draws on {owner!r} without {', '.join(sorted(lacks))}"


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
