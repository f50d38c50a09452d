"""Which way a thing goes: a verb with its headings, goals and prepositions becomes a `Move`.

Enters: an `Event`. Leaves: one motion; the paper asks for "a single motion per step"
(VideoDirectorGPT, figure 7). Whoever is gone past is set where there is room to do so.
"""

from __future__ import annotations

from vdjax.plan.english.order import RELATIONS
from vdjax.plan.english.reading import Event
from vdjax.plan.motion import Move, Spot
from vdjax.plan.relations import Relations
from vdjax.plan.stage import Wish

#: What is gone past stands in the middle of the way.
_BESIDE_A_WAY = ("past", "front", "behind", "by", "across", "along", "over", "beside")
_PASSING = ("pass", "cross", "overtake", "outrun")
_WHERE: dict[str, Spot] = {"on": (0.0, -1.0), "below": (0.0, 1.0), "in": (0.0, 1.0)}


class Ways(Relations):
    """Finds motions for the things on a stage."""

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
        dx, dy = event.direction()
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
                ends = [way for way, others in event.ways if target in others]
                dx = 1.0 if "right" in ends else -1.0 if "left" in ends else side
                return Move(kind="pass", dx=dx, target=target)
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

    def _onward(self, event: Event) -> Spot | None:
        """Where it goes after it came: "comes from the left and goes to the right"."""
        for other in self.reading.events:
            if other is event or other.subjects != event.subjects:
                continue
            for side, x in (("left", 0.2), ("right", 0.8)):
                if side in other.headings:
                    return (x, None)
            if other.goals:
                return other.goals[0]
        return None

    def _goes_on(self, name: str, event: Event) -> bool:
        """Whether something else is said of its way: then that it appears is where this begins."""
        return any(
            name in other.subjects and (other.goals or other.across)
            for other in self.reading.events
            if other is not event
        )
