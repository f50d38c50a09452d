"""What a scene's boxes show, in the words of the training captions.

Enters: a scene. Leaves: a line such as "a car drives from left to right and a cat stays still at
the beach". A director's description says what was asked for ("a cat meets a dog"); this says what
will be seen, in the few words that a small text encoder was trained on, and it stays true when the
boxes are edited by hand.
"""

from __future__ import annotations

from vdjax.plan.boxes import Box, area, centre
from vdjax.plan.english.chunks import Reader
from vdjax.plan.english.lexicon import Lexicon
from vdjax.plan.english.rewrite import indefinite, place_phrase, things
from vdjax.plan.schema import NUM_KEYFRAMES, Scene, base_name
from vdjax.plan.vocabulary import Vocabulary

_MOVED = 0.15
"""Least way, as a share of the frame, that counts as moving from one place to another."""
_GROWN = 1.8
"""Least ratio of areas that counts as growing."""
_HOP = 0.08


def caption(scene: Scene, vocabulary: Vocabulary | None = None) -> str:
    """The scene in the words of the training captions. Names outside the vocabulary just "move"."""
    words = Vocabulary.storybook() if vocabulary is None else vocabulary
    doing = {name: _doing(scene, name, words) for name in scene.entities}
    looks = _looks(scene)
    place = place_phrase(scene.background)

    def plural(name: str) -> str:
        return words.entities[name].plural if name in words.entities else name + "s"

    if set(doing.values()) == {"stays still"}:
        return f"{things(scene.entities, plural, looks=looks)} {place}"
    clauses, told = [], set()
    for name in scene.entities:
        kind = base_name(name)
        if kind in told:
            continue
        told.add(kind)
        members = [other for other in scene.entities if base_name(other) == kind]
        if len({doing[member] for member in members}) == 1:
            clause = doing[name] if len(members) == 1 else _plural(doing[name])
            clauses.append(f"{things(members, plural, looks=looks)} {clause}")
            continue
        which = ("one", "another", "a third", "a fourth", "a fifth", "a sixth", "a seventh")
        for index, member in enumerate(members):
            words_for = " ".join((*looks.get(member, ()), kind))
            first = indefinite(words_for) if member in looks else which[index]
            clauses.append(f"{first} {words_for} {doing[member]}")
    listed = clauses[0] if len(clauses) == 1 else f"{', '.join(clauses[:-1])} and {clauses[-1]}"
    return f"{listed} {place}"


def _looks(scene: Scene) -> dict[str, tuple[str, ...]]:
    """The adjectives that the description has for each entity."""
    found: dict[str, tuple[str, ...]] = {}
    for chunk in Reader(scene.description, Lexicon.storybook(), {}).read():
        if chunk.kind != "thing" or chunk.noun is None or chunk.definite or not chunk.qualities:
            continue
        kind = (chunk.noun.name, chunk.noun.said)
        free = [n for n in scene.entities if base_name(n) in kind and n not in found]
        found.update(dict.fromkeys(free[: chunk.count or len(free)], chunk.qualities))
    return found


def _doing(scene: Scene, name: str, words: Vocabulary) -> str:
    """What the boxes of one entity show, in the third person singular."""
    seen = scene.visible(name)
    boxes = [keyframe[name] for keyframe in scene.keyframes if name in keyframe]
    (x0, y0), (x1, y1) = centre(boxes[0]), centre(boxes[-1])
    dx, dy = x1 - x0, y1 - y0
    flies = base_name(name) in words.entities and words.entities[base_name(name)].place == "sky"
    if not seen[0]:
        return f"enters from the {_side(boxes[0])}" if _cut(boxes[0]) else "appears"
    if not seen[NUM_KEYFRAMES - 1]:
        return f"leaves to the {_side(boxes[-1])}" if _cut(boxes[-1]) else "disappears"
    ratio = area(boxes[-1]) / area(boxes[0])
    if ratio >= _GROWN or ratio <= 1 / _GROWN:
        return "grows" if ratio > 1 else "shrinks"
    if max(abs(dx), abs(dy)) >= _MOVED:
        if abs(dx) >= abs(dy):
            arc = min(y0, y1) - min(centre(box)[1] for box in boxes) > _HOP
            side, other = ("right", "left") if dx > 0 else ("left", "right")
            if arc:
                return f"{'flies in an arc' if flies else 'jumps'} to the {side}"
            return f"{_verb(name, words)} from {other} to {side}"
        if dy < 0:
            return "flies up" if flies else "moves up"
        return "flies down" if flies else "moves down"
    return _on_the_spot(boxes)


def _on_the_spot(boxes: list[Box]) -> str:
    xs, ys = zip(*(centre(box) for box in boxes), strict=True)
    wide, high = max(xs) - min(xs), max(ys) - min(ys)
    if high > _HOP and wide > _HOP:
        return "moves in a circle"
    return "bounces up and down" if high > _HOP else "stays still"


def _cut(box: Box) -> bool:
    """Whether the box touches a side edge of the frame, as when something comes in over it."""
    return box[0] <= 0 or box[2] >= 1


def _side(box: Box) -> str:
    return "left" if centre(box)[0] < 0.5 else "right"


def _verb(name: str, words: Vocabulary) -> str:
    word = words.entities.get(base_name(name))
    if word is None:
        return "moves"
    if word.place == "sky":
        return "flies"
    if word.name in ("sailboat", "bicycle", "motorcycle", "ball"):
        return {"sailboat": "sails", "ball": "rolls"}.get(word.name, "rides")
    if word.place == "water":
        return "swims"
    if word.category == "vehicle":
        return "drives"
    return "walks" if word.category in ("person", "animal") else "moves"


def _plural(clause: str) -> str:
    verb, _, rest = clause.partition(" ")
    bare = "fly" if verb == "flies" else verb.removesuffix("s")
    return f"{bare} {rest}".strip()
