"""From what a scene says to a stage: verbs become motions, prepositions become ties and wishes.

Enters: a `Reading` (see `english.roles`). Leaves: a `Stage` for `placing`, and notes on what
could not be shown. One motion for each thing: the paper asks for "a single motion per step"
(VideoDirectorGPT, figure 7); what comes second is named in a note.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from vdjax.plan.english.lexicon import Lexicon
from vdjax.plan.english.order import RELATIONS
from vdjax.plan.english.reading import Event, Reading
from vdjax.plan.motion import Move, Spot
from vdjax.plan.schema import MAX_ENTITIES, NUM_KEYFRAMES, base_name
from vdjax.plan.stage import Part, Stage, Wish

_HALF = NUM_KEYFRAMES // 2
FIRST_HALF = tuple(k <= _HALF for k in range(NUM_KEYFRAMES))
SECOND_HALF = tuple(k >= _HALF for k in range(NUM_KEYFRAMES))

#: Animals that others ride on.
_MOUNTS = ("horse", "camel", "elephant", "cow", "whale", "turtle", "goat", "pig")
#: Things that stay where they are, and that others stand under or in.
_RESTING = ("palm tree", "tree", "house", "castle")
_ROOFS = ("palm tree", "tree", "umbrella", "sunflower", "mushroom", "balloon")
_LIFTED = ("umbrella", "balloon")
#: What is gone past stands in the middle of the way.
_BESIDE_A_WAY = ("past", "front", "behind", "by", "across", "along", "over", "beside")
_PASSING = ("pass", "cross", "overtake", "outrun")
_WHERE: dict[str, Spot] = {"on": (0.0, -1.0), "below": (0.0, 1.0), "in": (0.0, 1.0)}


def choreograph(reading: Reading, background: str, lexicon: Lexicon, rng: random.Random) -> Stage:
    """The stage for one scene. Adds notes to `reading`."""
    return _Choreography(reading, background, lexicon, rng).stage


class _Choreography:
    def __init__(
        self, reading: Reading, background: str, lexicon: Lexicon, rng: random.Random
    ) -> None:
        self.reading = reading
        self.stage = Stage(background, side=rng.choice((1, -1)))
        names = reading.entities[:MAX_ENTITIES]
        if len(reading.entities) > MAX_ENTITIES:
            reading.add_note(
                f"warning: at most {MAX_ENTITIES} things in one scene; left out:"
                f" {', '.join(reading.entities[MAX_ENTITIES:])}"
            )
        for name in names:
            part = self.stage.add(name, lexicon.entities[base_name(name)])
            part.scale = reading.scales.get(name, 1.0)
            part.spot = reading.spots.get(name, (None, None))
            part.depth = reading.depths.get(name, "")
            if name in reading.when:
                part.present = FIRST_HALF if reading.when[name] == "first" else SECOND_HALF
        self.parts = self.stage.parts
        self.passed_over: list[str] = []
        for event in reading.events:
            self._event(event)
        sizes = []
        for kind, firsts, seconds in reading.relations:
            first, second = self._here(firsts), self._here(seconds)
            if kind in ("bigger", "smaller", "same"):
                sizes += [(kind, a, b) for a in first for b in second if a != b]
            else:
                self._relate(kind, first, second)
        self.stage.set_sizes()
        for kind, a, b in sizes:
            self.stage.compare(kind, a, b)
        if self.passed_over:
            listed = "; ".join(dict.fromkeys(self.passed_over))
            reading.add_note(f"one motion for each thing; not shown: {listed}")

    def _here(self, names: Sequence[str]) -> list[str]:
        return [name for name in dict.fromkeys(names) if name in self.parts]

    # Verbs

    def _event(self, event: Event) -> None:
        subjects, objects = self._here(event.subjects), self._here(event.objects)
        action = event.verb.action
        if action in ("still", "act", "watch", "begin", "make") and not event.across:
            for preposition, names in event.ways:
                self._relate(preposition, subjects, self._here(names))
            seen = action == "watch" and event.verb.form == "ed"  # "is seen at the top"
            if event.goals and subjects and (seen or action in ("still", "begin")):
                self._move(subjects, self._way(event), event)
            return
        if event.goals and not objects and action in ("meet", "approach"):
            action = "go"  # "visits the upper left, the lower left and the lower right"
        if not subjects and objects and self._is_moved(event):
            subjects, objects, action = objects, [], "go"  # "something pushes a ball to the left"
        movers = self._riders(event, subjects, objects)
        if movers is not None:
            subjects, objects = movers, []
            action = "fly" if self.parts[movers[0]].word.place == "sky" else "go"
        elif action == "mount":
            action = "go"
        subjects = self._companions(event, subjects)
        if not subjects:
            return
        handler = {
            "appear": self._appear,
            "disappear": self._disappear,
            "enter": self._enter,
            "leave": self._leave,
            "chase": self._chase,
            "follow": self._chase,
            "meet": self._meet,
            "approach": self._approach,
            "hold": self._hold,
            "push": self._push,
            "throw": self._throw,
        }.get(action)
        if handler is not None:
            handler(event, subjects, objects)
            return
        if event.verb.lemma == "play" and any(name != "ball" for name in objects):
            self._hold(event, subjects, objects)
            return
        if action == "fly" and objects:
            action = "go"
        if event.verb.lemma in ("walk", "march", "jog") and objects:  # "walks a dog"
            subjects, objects = [*subjects, *objects], []
        if action == "fly":
            for name in subjects:
                if self.parts[name].home == "ground":
                    self.parts[name].home = "sky"
        self._move(subjects, self._motion(event, action, objects), event)

    @staticmethod
    def _is_moved(event: Event) -> bool:
        """Whether the objects of a verb that nobody seen does are sent somewhere by it."""
        if event.verb.action in ("push", "throw"):
            return True
        way = event.headings or event.goals or event.across
        return event.verb.action == "hold" and bool(way)

    def _move(self, names: Sequence[str], move: Move, event: Event) -> None:
        for name in names:
            part = self.parts[name]
            if part.move.kind == "across" and move.kind == "across" and event.goals:
                part.move = Move(kind="across", spots=(*part.move.spots, *move.spots[1:]))
            elif part.move.kind == "still" and name not in self.stage.bonds:
                part.move = move
            elif move.kind != "still" and part.move != move:
                self.passed_over.append(f"{name} {event.verb.lemma}")

    def _direction(self, event: Event) -> tuple[float, float]:
        """The direction that was said, (0, 0) if none was."""
        headings = event.headings
        dx = 1.0 if "right" in headings else -1.0 if "left" in headings else 0.0
        dy = (
            -1.0
            if "up" in headings or "up from" in headings
            else 1.0
            if "down" in headings
            else 0.0
        )
        if not dx and event.origin is not None and event.origin[0] is not None:
            dx = 1.0 if event.origin[0] < 0.5 else -1.0
        if not dy and event.origin is not None and event.origin[1] not in (None, 0.5):
            dy = 1.0 if event.origin[1] < 0.5 else -1.0  # type: ignore[operator]
        return dx, dy

    def _way(self, event: Event) -> Move:
        start: Spot = event.origin or (None, None)
        spot = self.parts[event.subjects[0]].spot if self._here(event.subjects) else (None, None)
        if start == (None, None):
            start = spot
        if start == (None, None):  # it comes from the other side
            x, y = event.goals[0]
            aside = x is not None and x != 0.5
            start = (
                (1 - x, None) if aside and x is not None else (None, None if y is None else 1 - y)
            )
        return Move(kind="across", spots=(start, *event.goals))

    def _motion(self, event: Event, action: str, objects: list[str]) -> Move:
        dx, dy = self._direction(event)
        side = dx or float(self.stage.side)
        speed = event.speed
        for preposition, names in event.ways:
            target = next(iter(self._here(names)), "")
            if preposition == "across of" and target:
                start, end = event.across or ((0.2, None), (0.8, None))
                forward = (end[0] or 0.5) >= (start[0] or 0.5)
                self._in_the_middle(target)
                return Move(kind="pass", dx=1.0 if forward else -1.0, target=target)
        if event.across is not None:
            beside = [n for way, names in event.ways if way in _BESIDE_A_WAY for n in names]
            if event.verb.lemma in _PASSING:
                beside += objects
            for name in self._here(beside)[:1]:
                self._in_the_middle(name)
            return Move(kind="across", spots=(*event.across, *event.goals))
        if event.goals:
            return self._way(event)
        target_move = self._to_target(event, action, side)
        if target_move is not None:
            return target_move
        if action == "circle" or "circle" in event.headings:
            target = next(iter(objects), "")
            return Move(kind="circle", dx=side, target=target)
        if "sway" in event.headings:
            return Move(kind="sway")
        if "bounce" in event.headings and action in ("go", "fly", "bounce"):
            return Move(kind="bounce", dx=dx)
        if action == "bounce":
            return Move(kind="bounce", dx=dx, speed=speed)
        if action == "arc":
            return Move(kind="arc", dx=side, speed=speed)
        if action in ("grow", "shrink"):
            return Move(kind=action)
        if "up" in event.headings and objects and action == "go":  # "crawls up a sunflower"
            return Move(kind="toward", target=objects[0], spots=(_WHERE["on"],))
        if event.verb.lemma in _PASSING and objects:
            self._in_the_middle(objects[0])
            return Move(kind="pass", dx=side, target=objects[0])
        if event.verb.lemma == "climb" and objects:
            return Move(kind="toward", target=objects[0], spots=(_WHERE["on"],))
        if event.verb.lemma == "hover":
            return Move(kind="sway")
        if action == "rise" or (action in ("go", "fly") and dy < 0 and not dx):
            return Move(kind="across", spots=((None, 0.9), (None, 0.1)))
        if action == "fall" or (action in ("go", "fly") and dy > 0 and not dx):
            return Move(kind="across", spots=((None, 0.1), (None, 0.9)))
        if "away" in event.headings:
            return Move(kind="leave", dx=side, speed=speed)
        if "across" in event.headings or "travel" in event.headings:
            speed *= 1.3
        return Move(kind="slide", dx=side, dy=dy, speed=speed)

    def _to_target(self, event: Event, action: str, side: float) -> Move | None:
        """A motion to, over, around or past another thing."""
        for preposition, names in event.ways:
            target = next(iter(self._here(names)), "")
            if not target:
                continue
            if preposition == "around" or (preposition == "on" and action == "circle"):
                self._in_the_middle(target)
                return Move(kind="circle", dx=side, target=target)
            if preposition in ("over", "above") and action in ("bounce", "arc"):
                self._in_the_middle(target)
                return Move(kind="over", dx=side, target=target)
            if preposition in ("over", "above"):
                for name in self._here(event.subjects):
                    self.stage.wishes.append(Wish("above", name, target))
                    if self.parts[name].word.place != "ground":
                        self.parts[name].home = "sky"
                return Move(kind="slide", dx=side, speed=event.speed)
            if preposition in ("past", "across", "through", "along"):
                self._in_the_middle(target)
                return Move(kind="pass", dx=side, target=target)
            if preposition in ("from", "out", "away", "off"):
                return Move(kind="from", dx=side, target=target)
            if preposition in ("to", "into", "at", "for", *RELATIONS) and action != "circle":
                if action == "bounce" and preposition not in ("on", "to", "into"):
                    self._relate(preposition, self._here(event.subjects), [target])
                    return None
                if preposition in ("left", "right"):  # it ends on that side
                    self._in_the_middle(target)
                    dx = 1.0 if preposition == "right" else -1.0
                    return Move(kind="pass", dx=dx, target=target)
                where = _WHERE.get(preposition)
                spots = (where,) if where is not None else ()
                return Move(kind="toward", dx=side, target=target, spots=spots)
        return None

    def _in_the_middle(self, name: str) -> None:
        """Room on both sides of something that others go past."""
        if self.parts[name].spot == (None, None) and self.parts[name].move.kind == "still":
            self.parts[name].spot = (0.5, None)

    def _riders(self, event: Event, subjects: list[str], objects: list[str]) -> list[str] | None:
        """The vehicle that carries the subjects, if the sentence has one."""
        if not subjects or event.verb.action not in (
            "mount",
            "go",
            "fly",
            "leave",
            "enter",
            "approach",
        ):
            return None
        carriers = []
        if event.verb.action in ("mount", "fly"):
            carriers += objects
        for preposition, names in event.ways:
            if preposition in ("in", "on", "by", "into", "with"):
                carriers += self._here(names)
        for carrier in carriers:
            part = self.parts[carrier]
            if carrier in subjects or not self._carries(part):
                continue
            tied = [self.stage.tie("ride", name, carrier) for name in subjects]
            if any(tied):
                event.ways = [way for way in event.ways if carrier not in way[1]]
                return [carrier]
        return None

    @staticmethod
    def _carries(part: Part) -> bool:
        return part.word.category == "vehicle" or part.word.name in _MOUNTS

    def _companions(self, event: Event, subjects: list[str]) -> list[str]:
        """ "with a dog": the dog does the same; "with an umbrella": it is held."""
        rest = []
        for preposition, names in event.ways:
            if preposition != "with":
                rest.append((preposition, names))
                continue
            for name in self._here(names):
                if self.parts[name].word.category in ("animal", "person") or name == "ball":
                    if name not in subjects:
                        subjects = [*subjects, name]
                elif subjects:
                    self._give(subjects[0], name)
        event.ways = rest
        return subjects

    # Verbs with a rule of their own

    def _appear(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        for name in subjects:
            first = event.when == "first"
            self.parts[name].present = FIRST_HALF if first else SECOND_HALF
        for preposition, names in event.ways:
            self._relate(preposition, subjects, self._here(names))

    def _disappear(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        hidden = False
        for preposition, names in event.ways:
            places = self._here(names)
            if places and preposition in RELATIONS:
                self._relate(preposition, subjects, places)
                hidden = True
        if not hidden:
            for name in subjects:
                self.parts[name].present = FIRST_HALF

    def _enter(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        target = next(
            iter([*objects, *(n for _, names in event.ways for n in self._here(names))]), ""
        )
        if target and target not in subjects:
            self._move(subjects, Move(kind="toward", target=target), event)
            return
        dx, dy = self._direction(event)
        if event.across is not None and event.across[0][0] is not None:
            dx = 1.0 if event.across[0][0] < 0.5 else -1.0
        if not dx and not dy:
            dx = float(self.stage.side)
        self._move(subjects, Move(kind="enter", dx=dx, dy=dy), event)

    def _leave(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        dx, dy = self._direction(event)
        if event.goals:
            gx, gy = event.goals[0]
            dx = 0.0 if gx in (None, 0.5) else (1.0 if gx > 0.5 else -1.0)  # type: ignore[operator]
            dy = 0.0 if gy in (None, 0.5) else (1.0 if gy > 0.5 else -1.0)  # type: ignore[operator]
        if not dx and not dy:
            dx = float(self.stage.side)
        self._move(subjects, Move(kind="leave", dx=dx, dy=dy), event)
        for target in objects[:1]:
            for name in subjects:
                self.stage.wishes.append(Wish("beside", name, target))

    def _chase(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        move = self._motion(event, "go", [])
        if move.kind not in ("slide", "circle", "across"):
            move = Move(kind="slide", dx=move.dx or float(self.stage.side), speed=event.speed)
        if not objects:
            self._move(subjects, move, event)
            return
        if any(self.parts[name].word.place == "sky" for name in objects):
            for name in objects:  # a cat after a butterfly: low enough to be chased
                self.parts[name].home = "ground" if self.stage.background != "space" else "float"
        leader = objects[0]
        if self.parts[leader].move.kind == "still":
            dx = move.dx or (1.0 if (move.spots and (move.spots[0][0] or 0) < 0.5) else -1.0)
            self.parts[leader].move = Move(kind="slide", dx=dx, speed=move.speed)
        ahead = leader
        column = [leader]  # two side by side, the next two behind them
        for group in (objects[1:], subjects):
            if group is subjects:
                column = []
            for name in group:
                if len(column) == 1 and self.stage.tie("abreast", name, column[0]):
                    column = []
                elif self.stage.tie("follow", name, ahead):
                    ahead, column = name, [name]

    def _meet(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        for preposition, names in event.ways:
            self._relate(preposition, [*subjects, *objects], self._here(names), leave=subjects)
        if objects:
            self._move(subjects, Move(kind="toward", target=objects[0]), event)
        elif len(subjects) > 1:
            *walking, last = subjects
            self._move(walking, Move(kind="toward", target=last), event)

    def _approach(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        targets = [*objects, *(n for _, names in event.ways for n in self._here(names))]
        targets = [name for name in targets if name not in subjects]
        if targets:
            self._move(subjects, Move(kind="toward", target=targets[0]), event)
        elif event.origin is not None or "down" in event.headings:
            self._enter(event, subjects, [])
        else:
            self._move(subjects, self._motion(event, "go", []), event)

    def _hold(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        for index, name in enumerate(objects):
            holder = subjects[index % len(subjects)]
            part = self.parts[name]
            if part.word.category in ("animal", "person", "vehicle") or part.word.name in _RESTING:
                if event.verb.lemma in ("have", "own", "see"):
                    self.stage.wishes.append(Wish("beside", holder, name))
                else:
                    self._move([holder], Move(kind="toward", target=name), event)
            elif event.verb.lemma == "play with":
                self._move([*subjects, name], Move(kind="bounce"), event)
                self.stage.wishes.append(Wish("beside", holder, name))
            else:
                self._give(holder, name)
        if (
            any(preposition in ("to", "into", "from") for preposition, _ in event.ways)
            or event.across
        ):
            self._move(subjects, self._motion(event, "go", []), event)
            return
        for preposition, names in event.ways:
            self._relate(preposition, subjects, self._here(names))

    def _give(self, holder: str, name: str) -> None:
        part = self.parts[name]
        if part.word.category in ("animal", "person", "vehicle") or part.word.name in _RESTING:
            self.stage.wishes.append(Wish("beside", holder, name))
            return
        kind = "lift" if part.word.name in _LIFTED else "hold"
        if self.stage.tie(kind, name, holder):
            part.scale *= 0.9

    def _push(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        move = self._motion(event, "go", [])
        dx = move.dx or float(self.stage.side)
        if move.kind == "across" and move.spots[0][0] is not None:
            dx = 1.0 if move.spots[0][0] < 0.5 else -1.0
        move = Move(kind="slide", dx=dx, speed=move.speed) if move.kind == "toward" else move
        self._move(subjects, Move(kind=move.kind, dx=dx, dy=move.dy, speed=move.speed,
                                  spots=move.spots, target=move.target), event)  # fmt: skip
        kind = "follow" if event.verb.lemma in ("pull", "drag", "tow") else "push"
        for name in objects:
            self.stage.tie(kind, name, subjects[0])

    def _throw(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        dx, dy = self._direction(event)
        targets = [n for preposition, names in event.ways if preposition in ("to", "at", "into")
                   for n in self._here(names)]  # fmt: skip
        side = dx or float(self.stage.side)
        if event.headings and dy < 0:
            self._move(objects, Move(kind="across", spots=((None, 0.9), (None, 0.1))), event)
        elif event.verb.lemma == "hit" or not objects:
            self._move(subjects, Move(kind="bounce"), event)
        else:
            self._move(objects, Move(kind="arc", dx=side, speed=event.speed), event)
        relation = "left" if side > 0 else "right"
        for thing in objects:
            for name in subjects:
                self.stage.wishes.append(Wish(relation, name, thing))
            for target in targets:
                self.stage.wishes.append(Wish(relation, thing, target))

    # Relations

    def _relate(
        self,
        kind: str,
        firsts: Sequence[str],
        seconds: Sequence[str],
        leave: Sequence[str] = (),
    ) -> None:
        """Tie or wish how things lie to one another; those in `leave` go their own way."""
        if kind == "between" and len(seconds) > 1:
            for name in firsts:
                self.stage.wishes.append(Wish("left", seconds[0], name))
                self.stage.wishes.append(Wish("left", name, seconds[1]))
            return
        if kind == "with" and firsts and seconds:
            for index, name in enumerate(seconds):
                self._give(firsts[index % len(firsts)], name)
            return
        for first in firsts:
            for second in (
                seconds[:1] if kind not in ("left", "right", "above", "below") else seconds
            ):
                if first == second or first in leave:
                    continue
                self._relate_two(kind, first, second)

    def _relate_two(self, kind: str, first: str, second: str) -> None:
        a, b = self.parts[first], self.parts[second]
        stands = a.move.kind == "still" and first not in self.stage.bonds
        if kind == "in" and b.word.name in _LIFTED:
            kind = "below"
        perched = kind in ("in", "on") and b.word.name in ("tree", "palm tree") and stands
        if perched and self.stage.tie("ride", first, second):
            return
        if kind == "below" and b.word.name in _LIFTED and self.stage.tie("lift", second, first):
            return
        if not stands and kind in ("below", "in", "on", "behind", "front"):
            return  # it goes its own way; where that ends has been seen to
        carried = kind in ("in", "on", "into") and self._carries(b)
        if carried and self.stage.tie("ride", first, second):
            return
        if kind == "below" and b.word.name in _ROOFS and self.stage.tie("under", first, second):
            return
        if kind in ("on", "in", "behind", "front") and self.stage.tie(kind, first, second):
            return
        if kind in ("on", "over"):
            kind = "above"
        if kind in ("left", "right", "above", "below", "beside"):
            self.stage.wishes.append(Wish(kind, first, second))
        elif kind in ("near", "at", "by", "around", "along", "past", "with", "between", "from"):
            self.stage.wishes.append(Wish("beside", first, second))
