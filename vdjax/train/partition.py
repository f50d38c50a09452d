"""Which parameters learn and which stay as they are, by rule.

The parameters of a network and its grounding net enter, two trees that share no leaf leave: what
gradients and an optimiser's moments are held for, and what is held once. VideoDirectorGPT trains
its gated layers and its grounding MLP (section 3.2: 13 % of the parameters) and finds that training
all of guided 2D attention (27 %, table 12) ruins the pictures. It does not say what these are
percentages of: of the UNet, the grounding net and the autoencoder together both come out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from flax.traverse_util import flatten_dict, unflatten_dict

from vdjax.errors import UserError
from vdjax.model.params import GATED, TEMPORAL, merge_params
from vdjax.train.lora import adapted, adapters

Path = tuple[str, ...]
RULES = {"paper": 1, "guided": 2, "full": 4}
"""The last rank that learns, in the order of `_rank`."""

ADAPTERS = "lora"
"""Where the trained tree holds adapters in place of parameters."""


def partition(
    params: Mapping[str, Any], rule: str | float, *, seed: int = 0
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(trained, frozen) of the parameters {"unet": those of `UNet3D`, "net": `GroundingNet`'s}.

    The rules:
        "paper": the gated layers and the grounding net.
        "guided": these and the self-attention, cross-attention and feed-forward around them.
        "full": everything.
        a share, such as 0.05 or "0.5": about so much of everything, in whole modules. First comes
            the grounding net, without which tokens say nothing, then the gated layers, then what
            stands around them, then the rest of the picture model, last the temporal layers, which
            pictures bypass: 0.13 is "paper" and 0.28 "guided". Among equals the finest level is
            first: boxes are sharpest there, and layers so small that most of them get in.
        "lora:8": low-rank adapters of that rank beside the attention of the spatial layers
            (`vdjax.train.lora`), begun from `seed`; all parameters are frozen.

    Leaves may be shapes (`jax.eval_shape`). `joined` puts the two together again.

    Raises:
        UserError: there is no such rule, or the tree is not one of those parameters.
    """
    flat = flatten_dict(dict(params))
    strangers = {path[0] for path in flat} - {"unet", "net"}
    if strangers or not flat:
        raise UserError(
            f"parameters of {', '.join(sorted(strangers)) or 'nothing'} cannot be parted: "
            "give a tree of unet and net"
        )
    if isinstance(rule, str) and rule.startswith(f"{ADAPTERS}:"):
        return {ADAPTERS: adapters(params["unet"], _rank_of(rule), seed=seed)}, dict(params)
    if rule in RULES:
        chosen = {path for path in flat if _rank(path) <= RULES[str(rule)]}
    else:
        chosen = _leading(flat, _share_of(rule))
    trained = {path: leaf for path, leaf in flat.items() if path in chosen}
    frozen = {path: leaf for path, leaf in flat.items() if path not in chosen}
    return unflatten_dict(trained), unflatten_dict(frozen)


def joined(trained: Mapping[str, Any], frozen: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters, as the network takes them: in a loss, and for export."""
    if ADAPTERS in trained:
        return {**frozen, "unet": adapted(frozen["unet"], trained[ADAPTERS])}
    return merge_params(trained, frozen)


@dataclass(frozen=True)
class Counted:
    """How many parameters a rule trains; `besides` are others, frozen in any case."""

    rule: str
    trained: int
    frozen: int
    besides: int = 0

    @property
    def share(self) -> float:
        return self.trained / (self.trained + self.frozen + self.besides)


def counted(params: Mapping[str, Any], rule: str | float, *, besides: int = 0) -> Counted:
    """What a rule comes to, of parameters or their shapes."""
    trained, frozen = (
        sum(prod(leaf.shape) for leaf in flatten_dict(tree).values())
        for tree in partition(params, rule)
    )
    return Counted(str(rule), trained, frozen, besides)


def table(
    params: Mapping[str, Any], rules: Iterable[str | float] = tuple(RULES), *, besides: int = 0
) -> str:
    """The counts of several rules in Markdown; the paper's shares count the autoencoder, too."""
    lines = ["| rule | trained | of | share |", "|---|---:|---:|---:|"]
    for rule in rules:
        c = counted(params, rule, besides=besides)
        whole = c.trained + c.frozen + c.besides
        lines.append(f"| {c.rule} | {c.trained:,} | {whole:,} | {100 * c.share:.1f} % |")
    return "\n".join(lines)


def _rank(path: Path) -> int:
    """0 the grounding net, 1 gated layers, 2 what is around them, 3 other spatial layers, 4 time's.

    Guided 2D attention is the whole block of figure 3c, without the projections and the norm of
    the transformer that holds it.
    """
    if path[0] == "net":
        return 0
    if _within(path, TEMPORAL):
        return 4
    if _within(path, GATED):
        return 1
    return 2 if _within(path, ("transformer_blocks",)) else 3


def _within(path: Path, markers: tuple[str, ...]) -> bool:
    return any(part.startswith(markers) for part in path)


def _leading(flat: Mapping[Path, Any], share: float) -> set[Path]:
    """The paths of the modules that come first, as near to that share as whole modules get."""
    downs = (re.match(r"down_blocks_(\d+)", path[1]) for path in flat)
    levels = 1 + max(int(found[1]) for found in downs if found)
    modules: dict[tuple[int, int, Path], list[Path]] = {}
    for path in flat:
        module = path[:-1][:3] if path[0] == "unet" else path[:1]
        modules.setdefault((_rank(path), _level(path, levels), module), []).append(path)
    wanted = share * sum(prod(leaf.shape) for leaf in flat.values())
    chosen: set[Path] = set()
    so_far = 0
    for _, paths in sorted(modules.items()):
        size = sum(prod(flat[path].shape) for path in paths)
        if chosen and so_far + size / 2 > wanted:
            break
        chosen.update(paths)
        so_far += size
    return chosen


def _level(path: Path, levels: int) -> int:
    """From 0, the finest, to the bottom of the UNet; what stands in no level counts as finest."""
    if path[0] != "unet" or not (found := re.match(r"(down|up)_blocks_(\d+)|mid_block", path[1])):
        return 0
    if found[1] is None:
        return levels
    return int(found[2]) if found[1] == "down" else levels - 1 - int(found[2])


def _share_of(rule: str | float) -> float:
    try:
        share = float(rule)
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise UserError(
            f"rule {rule!r} is unknown: use {', '.join(RULES)}, a share above 0 and up to 1, "
            f"or {ADAPTERS}:RANK"
        )
    return share


def _rank_of(rule: str) -> int:
    text = rule.partition(":")[2]
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"rule {rule!r}: the rank of adapters is a number above zero, as in lora:8")
    return int(text)
