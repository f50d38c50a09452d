"""Does a plan show what its prompt asks? Rules on planned boxes, no model and no picture.

An `Ask` and a plan enter; yes or no leaves. LVD's five tasks follow the rules of its released
evaluation, which reads six evenly spaced frames; here the boxes are the plan's own, as the
interpolation gives them. Departures: a film of several scenes is read as one, six frames from each
scene, and LVD's "first two" and "last two" frames are the first and last third. VPEval's
predicates were made for one picture; a plan passes where they hold in at least half of the
frames. Boxes carry no colours, so attribution asks for both things, as LVD does of its detector,
and `words_kept` says apart from that whether the plan still knows how they look.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from vdjax.evaluate.detections import Detection, named
from vdjax.evaluate.planning.asks import Ask
from vdjax.evaluate.skills import Question, centre, holds, movement
from vdjax.plan.english.chunks import Reader
from vdjax.plan.english.lexicon import Lexicon
from vdjax.plan.layout import frame_boxes
from vdjax.plan.schema import VideoPlan, base_name

Frames = Sequence[Sequence[Detection]]

FRAMES = 6
"""Frames of a scene that are read, evenly spaced: what LVD's planner and evaluation use."""


def passes(ask: Ask, plan: VideoPlan) -> bool:
    """Whether the boxes of the plan show what was asked for."""
    return _RULES[ask.task](ask, planned(plan))


def planned(plan: VideoPlan, num_frames: int = FRAMES) -> list[list[Detection]]:
    """The plan as a perfect eye would see it: `num_frames` frames of every scene, one after the
    other, with everything named in the words of the vocabulary."""
    frames = []
    for scene in plan.scenes:
        boxes = frame_boxes(scene, num_frames)
        frames += [
            [Detection(kind(name), "", 1.0, box) for name in boxes if (box := boxes[name][at])]
            for at in range(num_frames)
        ]
    return frames


@functools.cache
def kind(name: str) -> str:
    """What a planned name is in the vocabulary: "cat" for "cat 2", "cat_2" and "a grey kitten".

    A name that no picture stands for stays as it is.
    """
    base = base_name(name)
    lexicon = Lexicon.storybook()
    if base in lexicon.entities:
        return base
    text = re.sub(r"[\W_\d]+", " ", name)
    for chunk in Reader(text, lexicon, {}).read():
        if chunk.kind == "thing" and chunk.noun is not None:
            return chunk.noun.name
    return base


def words_kept(ask: Ask, plan: VideoPlan) -> bool:
    """Whether the plan still says how each thing looks: in a description, or in a name."""
    said = [scene.description for scene in plan.scenes]
    said += [name for scene in plan.scenes for name in scene.entities]
    said += (plan.entity_descriptions or {}).values()
    text = " . ".join(said).lower()
    return all(re.search(rf"\b{re.escape(word)}\b", text) for word in ask.words)


def _numeracy(ask: Ask, frames: Frames) -> bool:
    """The number that most frames show is the one asked for."""
    counts = Counter(len(named(seen, ask.things[0])) for seen in frames)
    wanted = counts.pop(ask.number, 0)
    return wanted > max(counts.values(), default=0)


def _attribution(ask: Ask, frames: Frames) -> bool:
    """Each of the two things is there in at least half of the frames."""
    wanted = Counter(ask.things)
    return all(
        _half(len(named(seen, name)) >= number for seen in frames)
        for name, number in wanted.items()
    )


def _visibility(ask: Ask, frames: Frames) -> bool:
    """Not there in the first third and there in the last, or the other way round."""
    third = len(frames) // 3
    first, last = (
        any(named(seen, ask.things[0]) for seen in part)
        for part in (frames[:third], frames[-third:])
    )
    return (first, last) == ((False, True) if ask.relation == "appears" else (True, False))


def _dynamic_spatial(ask: Ask, frames: Frames) -> bool:
    """Alone: further on that side in the last frame than in the first. With another: on its other
    side in the first frame, on that side in the last."""
    sign = 1 if ask.relation == "right" else -1
    ends = []
    for seen in (frames[0], frames[-1]):
        found = [named(seen, name)[:1] for name in ask.things]
        if not all(found):
            return False
        ends.append([centre(one[0].box)[0] for one in found])
    first, last = ends
    if len(ask.things) == 1:
        return sign * (last[0] - first[0]) > 0
    return sign * (first[0] - first[1]) < 0 < sign * (last[0] - last[1])


def _sequential(ask: Ask, frames: Frames) -> bool:
    """In the corners named in the first, the middle and the last frame."""
    moments = (frames[0], frames[len(frames) // 2], frames[-1])
    return all(
        any(_corner(one) == corner for one in named(seen, ask.things[0]))
        for seen, corner in zip(moments, ask.corners, strict=True)
    )


def _corner(seen: Detection) -> str:
    x, y = centre(seen.box)
    return f"{'upper' if y < 0.5 else 'lower'} {'left' if x < 0.5 else 'right'}"


def _skill(ask: Ask, frames: Frames) -> bool:
    return _half(holds(_question(ask), seen) for seen in frames)


def _direction(ask: Ask, frames: Frames) -> bool:
    return movement(_question(ask), frames).right


def _question(ask: Ask) -> Question:
    other = ask.things[1] if len(ask.things) > 1 else ""
    return Question(
        skill="movement" if ask.task == "direction" else ask.task,
        name=ask.things[0],
        other=other,
        relation=ask.relation,
        number=ask.number,
    )


def _half(held: Iterable[bool]) -> bool:
    values = list(held)
    return 2 * sum(values) >= len(values)


_RULES: dict[str, Callable[[Ask, Frames], bool]] = {
    "numeracy": _numeracy,
    "attribution": _attribution,
    "visibility": _visibility,
    "dynamic spatial": _dynamic_spatial,
    "sequential": _sequential,
    "object": _skill,
    "count": _skill,
    "spatial": _skill,
    "scale": _skill,
    "direction": _direction,
}
