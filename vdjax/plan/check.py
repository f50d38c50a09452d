"""Can one believe this layout? Findings in words, each with its place; nothing is changed.

Enters: a plan that is valid. Leaves: what would look wrong in the film or is not likely to be
followed: boxes that jump or swell, one identity in two sizes, boxes too small or hidden, things
that come from nowhere, things that stand still or go another way though the words say that they
move, names without a picture. VideoDirectorGPT only tells its language model that boxes should
change little between frames (section 3.1); here it is looked at. The limits leave every motion of
the `rules` director and of the training clips alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vdjax.plan.boxes import Box, area, centre, intersection
from vdjax.plan.consistency import identities
from vdjax.plan.english.chunk import Chunk
from vdjax.plan.english.chunks import Reader
from vdjax.plan.english.lexicon import Lexicon
from vdjax.plan.layout import painting_order
from vdjax.plan.problems import nearest
from vdjax.plan.said import contraries
from vdjax.plan.schema import Scene, VideoPlan, base_name
from vdjax.plan.vocabulary import Vocabulary

MAX_STEP = 0.3
"""Furthest that a centre goes between two keyframes, as a share of the frame. The training clips'
fastest slide goes 0.09 a step; the fastest that `rules` was seen to plan, a bee around a flower,
0.25."""
MAX_SWELL = 1.7
"""Largest ratio of areas between two keyframes of a box that the frame does not cut; growing from
0.4 of its size in a scene, the training clips' most, needs 1.41 in the first step."""
MAX_RESIZED = 2.5
"""Largest ratio of one identity's size (the side of a square as large) from scene to scene."""
MIN_AREA = 0.01
"""Smallest area: GLIGEN's training leaves boxes below 1 % of the picture out, so that nothing has
learned to follow them."""
MAX_HIDDEN = 0.8
"""Share of a box under one box in front of it, from which on it counts as hidden."""
EDGE = 0.04
"""Nearer than this to an edge of the frame, something may come in or leave over it."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is hard to believe.

    `kind` is "jump", "swell", "size", "tiny", "hidden", "from nowhere", "still",
    "contrary" or "unknown";
    `scene` and `keyframe` count from 1, `keyframe` is None where the whole scene is meant.
    """

    kind: str
    scene: int
    name: str
    words: str
    keyframe: int | None = None

    def __str__(self) -> str:
        spot = f"scene {self.scene}" + (f", keyframe {self.keyframe}" if self.keyframe else "")
        return f"{spot}: {self.name!r} {self.words}"


def check(plan: VideoPlan, vocabulary: Vocabulary | None = None) -> list[Finding]:
    """What is hard to believe in a plan, scene by scene; an empty list for a plan without faults.

    With a vocabulary, names and backgrounds that it has no picture of are found too.
    """
    found: list[Finding] = []
    for number, scene in enumerate(plan.scenes, 1):
        for name in scene.entities:
            found += _of_path(number, scene, name)
        found += _hidden(number, scene)
        found += _contrary(number, scene)
        if vocabulary is not None:
            found += _unknown(number, scene, vocabulary)
    found += _resized(plan)
    return sorted(found, key=lambda finding: finding.scene)


def _of_path(number: int, scene: Scene, name: str) -> Iterator[Finding]:
    """What is wrong with the boxes of one thing, on their own; each fault once, at its worst."""
    boxes = [keyframe.get(name) for keyframe in scene.keyframes]
    steps = [
        (k, a, b)
        for k, (a, b) in enumerate(itertools.pairwise(boxes), 2)
        if a is not None and b is not None
    ]
    k, far = max(((k, _way(a, b)) for k, a, b in steps), key=lambda p: p[1], default=(0, 0.0))
    if far > MAX_STEP:
        yield Finding(
            kind="jump",
            scene=number,
            keyframe=k,
            name=name,
            words=f"jumps {far:.2f} of the frame from the keyframe before; more than {MAX_STEP} in"
            " one step looks like a cut",
        )
    whole = [(k, _ratio(a, b)) for k, a, b in steps if not (_cut(a) or _cut(b))]
    k, swell = max(whole, key=lambda p: p[1], default=(0, 1.0))
    if swell > MAX_SWELL:
        yield Finding(
            kind="swell",
            scene=number,
            keyframe=k,
            name=name,
            words=f"changes its area by a factor of {swell:.1f} from the keyframe before;"
            f" {MAX_SWELL} is the most that looks like one thing",
        )
    small, k = min((area(box), k) for k, box in enumerate(boxes, 1) if box is not None)
    if small < MIN_AREA:
        yield Finding(
            kind="tiny",
            scene=number,
            keyframe=k,
            name=name,
            words=f"has a box of {100 * small:.2g} % of the frame; models of this kind never"
            f" learned boxes below {100 * MIN_AREA:.0f} %",
        )
    yield from _from_nowhere(number, scene, name, boxes)


def _from_nowhere(
    number: int, scene: Scene, name: str, boxes: Sequence[Box | None]
) -> Iterator[Finding]:
    """Coming and going in mid-frame, where no word of the description gives a reason."""
    if _told_to(scene.description, ("appear", "disappear", "enter", "leave")):
        return
    for k, (a, b) in enumerate(itertools.pairwise(boxes), 2):
        box = b if a is None else a if b is None else None
        if box is not None and not _cut(box, EDGE):
            does = "appears" if a is None else "vanishes"
            yield Finding(
                kind="from nowhere",
                scene=number,
                keyframe=k,
                name=name,
                words=f"{does} in mid-frame; the description gives no reason for it",
            )
            return


def _hidden(number: int, scene: Scene) -> Iterator[Finding]:
    order = painting_order(scene)
    for at, name in enumerate(order):
        for other in order[at + 1 :]:
            both = [(k[name], k[other]) for k in scene.keyframes if name in k and other in k]
            shares = [intersection(a, b) / area(a) for a, b in both]
            if len(both) == sum(scene.visible(name)) and min(shares, default=0.0) > MAX_HIDDEN:
                yield Finding(
                    kind="hidden",
                    scene=number,
                    name=name,
                    words=f"is {100 * min(shares):.0f} % under {other!r} all the time",
                )
                break


def _contrary(number: int, scene: Scene) -> Iterator[Finding]:
    """Things that do another thing than the words say."""
    for one in contraries(scene):
        said = "description" if one.keyframe is None else "caption"
        yield Finding(
            kind="still" if one.still else "contrary",
            scene=number,
            keyframe=one.keyframe,
            name=one.name,
            words=f"{one.does}, but the {said} says that it should {one.should}",
        )


def _resized(plan: VideoPlan) -> Iterator[Finding]:
    """One identity, much larger in one scene than in the scene where it was seen before."""
    sizes: dict[str, tuple[int, float]] = {}
    who = identities(plan)
    for number, scene in enumerate(plan.scenes, 1):
        for name in scene.entities:
            areas = sorted(area(k[name]) for k in scene.keyframes if name in k)
            size = math.sqrt(areas[len(areas) // 2])
            before, last = sizes.get(who[number, name], (number, size))
            ratio = max(size / last, last / size)
            if ratio > MAX_RESIZED:
                than = "larger" if size > last else "smaller"
                yield Finding(
                    kind="size",
                    scene=number,
                    name=name,
                    words=f"is {ratio:.1f} times {than} than in scene {before}; from"
                    f" {MAX_RESIZED} on it seems to be another one",
                )
            sizes[who[number, name]] = (number, size)


def _unknown(number: int, scene: Scene, vocabulary: Vocabulary) -> Iterator[Finding]:
    for name in scene.entities:
        if base_name(name) not in vocabulary.entities:
            hint = nearest(base_name(name), vocabulary.entities)
            yield Finding(
                kind="unknown", scene=number, name=name, words=f"has no picture in this world{hint}"
            )
    if scene.background not in vocabulary.backgrounds:
        hint = nearest(scene.background, vocabulary.backgrounds)
        yield Finding(
            kind="unknown",
            scene=number,
            name=scene.background,
            words=f"is no background of this world{hint}",
        )


def _chunks(description: str) -> list[Chunk]:
    return Reader(description, Lexicon.storybook(), {}).read()


def _told_to(description: str, actions: Sequence[str]) -> bool:
    """Whether a verb of the description makes one of these motions, or it tells when."""
    return any(
        chunk.kind == "when" or (chunk.verb is not None and chunk.verb.action in actions)
        for chunk in _chunks(description)
    )


def _cut(box: Box, margin: float = 1e-9) -> bool:
    """Whether the box ends at an edge of the frame, or nearly."""
    return min(box[0], box[1], 1 - box[2], 1 - box[3]) <= margin


def _way(a: Box, b: Box) -> float:
    return math.dist(centre(a), centre(b))


def _ratio(a: Box, b: Box) -> float:
    return max(area(a) / area(b), area(b) / area(a))
