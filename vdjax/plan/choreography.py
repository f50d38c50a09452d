"""From what a scene says to a stage: verbs become motions, prepositions become ties and wishes.

Enters: a `Reading` (see `english.roles`). Leaves: a `Stage` for `placing`, and notes on what
could not be shown. `ways` finds the motions, `relations` the ties; here each verb with a rule of
its own has it. One motion for each thing; what comes second is named in a note.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from vdjax.plan.english.lexicon import Lexicon
from vdjax.plan.english.order import RELATIONS
from vdjax.plan.english.reading import Event, Reading
from vdjax.plan.motion import Move
from vdjax.plan.relations import RESTING
from vdjax.plan.schema import MAX_ENTITIES, NUM_KEYFRAMES, base_name
from vdjax.plan.stage import Stage, Wish
from vdjax.plan.ways import Ways

_HALF = NUM_KEYFRAMES // 2
FIRST_HALF = tuple(k <= _HALF for k in range(NUM_KEYFRAMES))
SECOND_HALF = tuple(k >= _HALF for k in range(NUM_KEYFRAMES))

_GOING = ("go", "fly", "bounce", "rise", "fall")


def choreograph(reading: Reading, background: str, lexicon: Lexicon, rng: random.Random) -> Stage:
    """The stage for one scene. Adds notes to `reading`."""
    return _Choreography(reading, background, lexicon, rng).stage


class _Choreography(Ways):
    def __init__(
        self, reading: Reading, background: str, lexicon: Lexicon, rng: random.Random
    ) -> None:
        super().__init__(reading, Stage(background, side=rng.choice((1, -1))))
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
        if "away" in event.headings and action in _GOING:
            action = "leave"
        if "in" in event.headings and action in (*_GOING, "approach", "still"):
            action = "enter"
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
            if self._goes_on(name, event):
                continue  # "appears in the upper left and goes to the lower left"
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
        if event.goals and subjects:  # "enters on the left and ends on the right"
            self._move(subjects, self._way(event), event)
            return
        dx, dy = event.direction()
        if event.across is not None and event.across[0][0] is not None:
            dx = 1.0 if event.across[0][0] < 0.5 else -1.0
        if not dx and not dy:
            dx = -self._edge(subjects) or float(self.stage.side)
        self._over_edge(subjects, Move(kind="enter", dx=dx, dy=dy), event)

    def _leave(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        dx, dy = event.direction()
        if event.goals:
            gx, gy = event.goals[0]
            dx = 0.0 if gx in (None, 0.5) else (1.0 if gx > 0.5 else -1.0)  # type: ignore[operator]
            dy = 0.0 if gy in (None, 0.5) else (1.0 if gy > 0.5 else -1.0)  # type: ignore[operator]
        if not dx and not dy:
            dx = self._edge(subjects) or float(self.stage.side)
        self._over_edge(subjects, Move(kind="leave", dx=dx, dy=dy), event)
        for target in objects[:1]:
            for name in subjects:
                self.stage.wishes.append(Wish("beside", name, target))

    def _edge(self, names: Sequence[str]) -> float:
        """The side on which it comes or goes, where one was said; it does not stay there."""
        sides = [self.parts[name].spot[0] for name in names]
        for name in names:
            self.parts[name].spot = (None, self.parts[name].spot[1])
        return next((1.0 if x > 0.5 else -1.0 for x in sides if x is not None and x != 0.5), 0.0)

    def _over_edge(self, names: Sequence[str], move: Move, event: Event) -> None:
        """Into the frame or out of it, at the time that was said."""
        late = event.when == "second"
        for name in names if late else ():
            self.parts[name].present = (True,) * NUM_KEYFRAMES
        self._move(names, replace(move, late=late), event)

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
        elif event.origin is not None and (end := self._onward(event)) is not None:
            self._move(subjects, Move(kind="across", spots=(event.origin, end)), event)
        elif event.origin is not None or "down" in event.headings:
            self._enter(event, subjects, [])
        else:
            self._move(subjects, self._motion(event, "go", []), event)

    def _hold(self, event: Event, subjects: list[str], objects: list[str]) -> None:
        for index, name in enumerate(objects):
            holder = subjects[index % len(subjects)]
            part = self.parts[name]
            if part.word.category in ("animal", "person", "vehicle") or part.word.name in RESTING:
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
        dx, dy = event.direction()
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
