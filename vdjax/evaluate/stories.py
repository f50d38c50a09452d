"""Who is the same? `resolve` and exact match on stories with pronouns.

Enter: `planning_stories.json`, 88 short stories of our own, in which every mention is marked with
the entities it means; and a way to name mentions. Leave: B-cubed and pairwise precision, recall and
F1 over the mentions of all scenes. VideoDirectorGPT groups by exact match (section 3.1) and was
measured on Coref-SV, which was never released; nothing here is taken from it. One half of the
stories was used while the rules were written, the other only afterwards: the F1 of `resolve` was
0.931 there. Two plain mistakes that it showed have been mended since, so it is not unseen any more.

    python -m vdjax.evaluate.stories
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vdjax.errors import UserError
from vdjax.evaluate.statistics import mean
from vdjax.plan.directors import Director, get_director
from vdjax.plan.problems import PlanError
from vdjax.plan.resolve import meant

HALVES = ("open", "held back")
_MARK = re.compile(r"\{([^|{}]+)\|([^|{}]+)\}")
_ARTICLE = re.compile(r"^(?:a|an|the) ", re.IGNORECASE)

Names = tuple[str, ...]
Namer = Callable[[Sequence[Sequence[str]], Sequence[str]], Sequence[Sequence[Names]]]
"""From the mentions and the sentences of the scenes to the names that each mention means."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """A story: per scene its sentence, the mentions in it, and the entities each of them means."""

    name: str
    kind: str
    half: str
    sentences: tuple[str, ...]
    mentions: tuple[tuple[str, ...], ...]
    meant: tuple[tuple[Names, ...], ...]


@functools.cache
def stories(half: str = "all") -> tuple[Story, ...]:
    """The stories of a half ("open", "held back") or all. Raises `UserError` for another word."""
    if half not in (*HALVES, "all"):
        raise UserError(f"half {half!r} is not known; choose one of {', '.join(HALVES)}, all")
    path = Path(__file__).with_name("planning_stories.json")
    rows = json.loads(path.read_text(encoding="utf-8"))["stories"]
    return tuple(_story(row) for row in rows if half in (row["half"], "all"))


def _story(row: dict[str, Any]) -> Story:
    marks = [_MARK.findall(scene) for scene in row["scenes"]]
    return Story(
        name=row["name"],
        kind=row["kind"],
        half=row["half"],
        sentences=tuple(_MARK.sub(r"\1", scene) for scene in row["scenes"]),
        mentions=tuple(tuple(said for said, _ in scene) for scene in marks),
        meant=tuple(tuple(tuple(who.split(",")) for _, who in scene) for scene in marks),
    )


def exact(mentions: Sequence[Sequence[str]], sentences: Sequence[str]) -> list[list[Names]]:
    """The paper's rule: the same letters, the same entity."""
    return [[(said,) for said in scene] for scene in mentions]


def exact_nouns(mentions: Sequence[Sequence[str]], sentences: Sequence[str]) -> list[list[Names]]:
    """The paper's rule at its kindest: small letters, and no article."""
    return [[(_ARTICLE.sub("", said).lower(),) for said in scene] for scene in mentions]


NAMERS: dict[str, Namer] = {"resolve": meant, "exact match": exact, "exact nouns": exact_nouns}


def b_cubed(gold: Sequence[Names], found: Sequence[Names]) -> tuple[float, float]:
    """B-cubed precision and recall of one story's mentions.

    Bagga and Baldwin (1998), in the form for mentions of several entities (Amigó, Gonzalo, Artiles
    and Verdejo 2009): a pair of mentions counts by how many entities they share.
    """

    def side(one: Sequence[Names], other: Sequence[Names]) -> float:
        means = []
        for a, b in zip(one, other, strict=True):
            shares = []
            for c, d in zip(one, other, strict=True):
                links = len(set(a) & set(c))
                if links:
                    shares.append(min(links, len(set(b) & set(d))) / links)
            means.append(sum(shares) / len(shares))
        return sum(means) / len(means)

    return side(found, gold), side(gold, found)


def linked(gold: Sequence[Names], found: Sequence[Names]) -> tuple[int, int, int]:
    """Pairs of mentions that share an entity: in both, in `found`, in `gold`."""

    def links(names: Sequence[Names]) -> set[tuple[int, int]]:
        pairs = itertools.combinations(range(len(names)), 2)
        return {(a, b) for a, b in pairs if set(names[a]) & set(names[b])}

    one, other = links(gold), links(found)
    return len(one & other), len(other), len(one)


def measure(namer: Namer, chosen: Sequence[Story]) -> dict[str, Any]:
    """B-cubed figures as means over mentions, their F1 by story with its interval, pairwise
    figures, and the share of stories all right."""
    precision = recall = 0.0
    count = 0
    pairs = [0, 0, 0]
    by_story = []
    for story in chosen:
        gold = list(itertools.chain(*story.meant))
        found = list(itertools.chain(*namer(story.mentions, story.sentences)))
        one, other = b_cubed(gold, found)
        precision += one * len(gold)
        recall += other * len(gold)
        count += len(gold)
        pairs = [a + b for a, b in zip(pairs, linked(gold, found), strict=True)]
        by_story.append(_f1(one, other))
    precision, recall = precision / count, recall / count
    return {
        "stories": len(chosen),
        "mentions": count,
        "b_cubed": {"precision": precision, "recall": recall, "f1": _f1(precision, recall)},
        "f1_by_story": mean(by_story).as_dict(),
        "pairs": {
            "precision": pairs[0] / max(pairs[1], 1),
            "recall": pairs[0] / pairs[2],
            "f1": 2 * pairs[0] / (pairs[1] + pairs[2]),
        },
        "stories_right": by_story.count(1.0) / len(chosen),
    }


def measure_director(director: Director, chosen: Sequence[Story]) -> dict[str, Any]:
    """F1 of (scene, name) in a director's plans against the names the stories are marked with.

    Stories of the kind "free" are left out: they speak of things without pictures.
    """
    hits = planned = wanted = right = count = 0
    for story in chosen:
        if story.kind == "free":
            continue
        gold = {(n, name) for n, row in enumerate(story.meant) for who in row for name in who}
        try:
            scenes = director.plan(list(story.sentences)).scenes
        except PlanError:
            scenes = ()
        found = {(n, name) for n, scene in enumerate(scenes) for name in scene.entities}
        hits, planned, wanted = hits + len(gold & found), planned + len(found), wanted + len(gold)
        right, count = right + (gold == found), count + 1
    return {
        "stories": count,
        "precision": hits / max(planned, 1),
        "recall": hits / wanted,
        "f1": 2 * hits / (planned + wanted),
        "stories_right": right / count,
    }


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def run_stories(director: str | Director = "rules") -> dict[str, Any]:
    """All the figures: by half, for every way of naming and for a director's plans."""
    one = get_director(director)
    return {
        half: {
            **{name: measure(namer, stories(half)) for name, namer in NAMERS.items()},
            "plans": measure_director(one, stories(half)),
        }
        for half in HALVES
    }


def format_stories(result: dict[str, Any]) -> str:
    """The figures as a table for a terminal; in brackets 95 % intervals over stories."""
    lines = []
    for half, figures in result.items():
        count = figures["resolve"]
        lines.append(f"{half}: {count['stories']} stories, {count['mentions']} mentions")
        lines.append(
            f"  {'':<14}{'B-cubed P':>10}{'R':>7}{'F1':>7}"
            f"{'F1 by story':>21}{'pairs F1':>10}{'right':>7}"
        )
        for name in NAMERS:
            one = figures[name]
            values = [one["b_cubed"][key] for key in ("precision", "recall", "f1")]
            spread = "{value:.3f} [{low:.3f}, {high:.3f}]".format(**one["f1_by_story"])
            lines.append(
                f"  {name:<14}{values[0]:>10.3f}{values[1]:>7.3f}{values[2]:>7.3f}"
                f"{spread:>21}{one['pairs']['f1']:>10.3f}{one['stories_right']:>7.2f}"
            )
        plans = figures["plans"]
        lines.append(
            f"  names in plans: P {plans['precision']:.3f}, R {plans['recall']:.3f},"
            f" F1 {plans['f1']:.3f}; {plans['stories_right']:.2f} of {plans['stories']}"
            " stories all right"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(format_stories(run_stories()))
