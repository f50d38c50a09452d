"""The storybook world: an endless, seeded supply of annotated pictures and clips.

Enters: a split, a seed and an index. Leaves: a `Clip` with its caption, the names and looks of
the things in it and their boxes in every frame. Nothing is stored: sample `index` is drawn anew
each time and is the same on every machine, so that any number of workers may read any part in any
order.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from vdjax.data.storybook import captions, splits
from vdjax.data.storybook.backgrounds import (
    BACKGROUNDS,
    HELD_OUT_VARIANTS,
    TRAIN_VARIANTS,
    panorama,
)
from vdjax.data.storybook.compose import compose, paste
from vdjax.data.storybook.motion import Path, draw_path
from vdjax.data.storybook.sprites import NAMES, aspect, facing
from vdjax.errors import UserError
from vdjax.plan.vocabulary import Vocabulary

_WORDS = Vocabulary.storybook().entities
#: How many things a sample holds: shares of one, two, three and four.
_COUNT_BOUNDS = (0.32, 0.67, 0.89, 1.01)
#: Their long sides, as shares of the frame, by how many there are.
_LONG_SIDES = {1: (0.30, 0.70), 2: (0.26, 0.60), 3: (0.22, 0.48), 4: (0.22, 0.40)}
#: Share of samples in which a name comes up twice or more.
_REPEAT = 0.1
#: Share of clips whose background pans.
_PAN = 0.2
_CROP = 64


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One sample. A still picture is a clip of one frame.

    `boxes` are x0 y0 x1 y1 in 0..1, tight to the art and clipped to the frame, zeros where a
    thing is not `visible`. Things are listed from the back to the front. `motions` says what each
    does ("slide right", "still"). `held_out` says which held-out things the sample exercises:
    "pair", "combination" or "form". `backdrop` is the first frame's background alone, made small.
    """

    frames: UInt8[np.ndarray, "frame height width 3"]
    caption: str
    names: tuple[str, ...]
    looks: tuple[str, ...]
    boxes: Float32[np.ndarray, "entity frame 4"]
    visible: Bool[np.ndarray, "entity frame"]
    background: str
    mirrored: tuple[bool, ...]
    motions: tuple[str, ...]
    backdrop: UInt8[np.ndarray, "64 64 3"]
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Thing:
    name: str
    look: str
    path: Path
    mirrored: bool


class StorybookWorld:
    """The world as a random-access source of samples.

    `split` is "train", "validation" (the same distribution, other samples) or "held_out" (each
    sample holds at least one thing that training never shows). `size` is the side of a frame in
    pixels, `num_frames` the length of a clip.
    """

    def __init__(
        self, split: str = "train", seed: int = 0, size: int = 128, num_frames: int = 16
    ) -> None:
        if split not in splits.SPLITS:
            raise UserError(
                f"split '{split}' is not known; choose one of {', '.join(splits.SPLITS)}"
            )
        if size < 16 or num_frames < 1:
            raise UserError(
                f"size {size} and num_frames {num_frames} are too small; at least 16 and 1 will do"
            )
        self.split, self.seed, self.size, self.num_frames = split, seed, size, num_frames

    def clip(self, index: int) -> Clip:
        """Clip number `index` (0 or more): `num_frames` frames of things that move."""
        rng = self._rng(1, index)
        tested = self._tested(rng)
        things = self._things(rng, tested)
        form = None
        if tested == "form":
            form = captions.HELD_OUT_CLIP_FORMS[
                int(rng.integers(len(captions.HELD_OUT_CLIP_FORMS)))
            ]
        name = BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))]
        return self._sample(
            rng,
            name,
            self._backdrops(rng, name, self.num_frames),
            things,
            tested,
            form,
            still=False,
        )

    def image(self, index: int) -> Clip:
        """Picture number `index` (0 or more): one frame, laid out as some moment of a clip."""
        rng = self._rng(2, index)
        tested = self._tested(rng)
        things = self._things(rng, tested)
        present = np.stack([thing.path.present for thing in things])
        # A moment at which something is there. What is not there then is not in the picture at all.
        moments = np.flatnonzero(present.any(0))
        at = int(moments[int(rng.random() * len(moments))])
        things = [
            _Thing(
                name=thing.name,
                look=thing.look,
                path=Path(
                    kind="still",
                    direction="",
                    boxes=thing.path.boxes[at : at + 1],
                    present=thing.path.present[at : at + 1],
                ),
                mirrored=thing.mirrored,
            )
            for thing in things
            if thing.path.present[at]
        ]
        form = None
        if tested == "form":
            form = captions.HELD_OUT_STILL_FORMS[
                int(rng.integers(len(captions.HELD_OUT_STILL_FORMS)))
            ]
        name = BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))]
        return self._sample(
            rng, name, self._backdrops(rng, name, 1), things, tested, form, still=True
        )

    def crop(self, index: int) -> tuple[UInt8[np.ndarray, "64 64 3"], str, str, str]:
        """Close-up number `index`: one thing that fills most of a 64 x 64 picture, its name, look
        and caption.

        In "held_out", every close-up shows a held-out (name, look) pair.
        """
        rng = self._rng(3, index)
        if self.split == "held_out":
            pairs = sorted(splits.held_out_pairs())
            name, look = pairs[int(rng.integers(len(pairs)))]
        else:
            name = NAMES[int(rng.integers(len(NAMES)))]
            looks = splits.train_looks(name)
            look = looks[int(rng.integers(len(looks)))]
        place = None
        kind = rng.random()
        if kind < 0.25:
            colour = tuple(int(channel) for channel in rng.integers(0, 256, 3))
            picture = Image.new("RGB", (_CROP, _CROP), colour)
        else:
            place = BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))]
            # Half of them show the whole place made small, the others a corner of it.
            wide = panorama(place, self._variant(rng), 64 if kind < 0.65 else 128)
            top, left = (int(rng.integers(extent - _CROP + 1)) for extent in wide.shape[:2])
            picture = Image.fromarray(
                np.ascontiguousarray(wide[top : top + _CROP, left : left + _CROP])
            )
            place = place if kind < 0.65 else None
        width, height = _shape(rng, name, look, rng.uniform(0.68, 1.0))
        x, y = (rng.uniform(min(0.0, 1 - side), max(0.0, 1 - side)) for side in (width, height))
        paste(picture, name, look, (x, y, x + width, y + height), bool(rng.random() < 0.3))
        return np.asarray(picture), name, look, captions.crop_caption(rng, name, look, place)

    def _rng(self, stream: int, index: int) -> np.random.Generator:
        if index < 0:
            raise UserError(f"index {index} is negative; samples are numbered from 0")
        return np.random.default_rng([splits.SPLITS[self.split], stream, self.seed, index])

    def _tested(self, rng: np.random.Generator) -> str | None:
        """What of the held-out part this sample exercises; None in the other splits."""
        return (
            ("pair", "combination", "form")[int(rng.integers(3))]
            if self.split == "held_out"
            else None
        )

    def _variant(self, rng: np.random.Generator) -> int:
        if self.split == "held_out":
            return TRAIN_VARIANTS + int(rng.integers(HELD_OUT_VARIANTS))
        return int(rng.integers(TRAIN_VARIANTS))

    def _backdrops(self, rng: np.random.Generator, name: str, count: int) -> list[np.ndarray]:
        """One view of a background per frame: standing still, or panning a little."""
        wide = panorama(name, self._variant(rng), self.size)
        if rng.random() < 0.5:
            wide = wide[:, ::-1]
        room = wide.shape[1] - self.size
        start = stop = rng.random() * room
        if count > 1 and rng.random() < _PAN:
            stop = min(
                max(start + rng.uniform(0.3, 1.0) * room * (1 if rng.random() < 0.5 else -1), 0),
                room,
            )
        starts = np.linspace(start, stop, count).round().astype(int)
        if start == stop:
            return [np.ascontiguousarray(wide[:, starts[0] : starts[0] + self.size])] * count
        return [np.ascontiguousarray(wide[:, at : at + self.size]) for at in starts]

    def _names_and_looks(
        self, rng: np.random.Generator, tested: str | None
    ) -> list[tuple[str, str]]:
        draw = rng.random()
        count = next(number for number, bound in enumerate(_COUNT_BOUNDS, 1) if draw < bound)
        chosen: list[tuple[str, str]] = []
        apart = splits.held_out_combinations()
        pair_tested: tuple[str, ...] = ()
        if tested == "pair":
            pairs = sorted(splits.held_out_pairs())
            chosen.append(pairs[int(rng.integers(len(pairs)))])
        elif tested == "combination":
            together = sorted(tuple(sorted(pair)) for pair in apart)
            pair_tested = together[int(rng.integers(len(together)))]
            chosen += [(name, _look(rng, name)) for name in pair_tested]
        if rng.random() < _REPEAT:
            count = max(count, 2)
            if not chosen:
                name = NAMES[int(rng.integers(len(NAMES)))]
                chosen.append((name, _look(rng, name)))
            name, look = chosen[0]
            repeats = 2 if count > 3 and rng.random() < 0.4 else 1
            same = rng.random() < 0.5 or tested == "pair"
            chosen += [(name, look if same else _look(rng, name)) for _ in range(repeats)]
        while len(chosen) < count:
            name = NAMES[int(rng.integers(len(NAMES)))]
            if all(name != other and frozenset((name, other)) not in apart for other, _ in chosen):
                chosen.append((name, _look(rng, name)))
        return [chosen[int(at)] for at in rng.permutation(len(chosen))]

    def _things(self, rng: np.random.Generator, tested: str | None) -> list[_Thing]:
        """What is in a sample, from the back to the front, with its paths."""
        chosen = self._names_and_looks(rng, tested)
        things: list[_Thing] = []
        low, high = _LONG_SIDES[min(len(chosen), 4)]
        for name, look in chosen:
            place = _WORDS[name].place
            tries: list[tuple[float, Path]] = []
            # Some overlap is wanted (things in front of others), heaps are not.
            allowed = 0.5 if rng.random() < 0.2 else 0.08
            while len(tries) < 5 and not (tries and tries[-1][0] <= allowed):
                width, height = _shape(rng, name, look, rng.uniform(low, high))
                path = draw_path(
                    rng, width, height, place, self.num_frames, lasting=tested is not None
                )
                crowding = max((_overlap(path, other.path) for other in things), default=0.0)
                tries.append((crowding, path))
            best = min(tries, key=lambda one: one[0])[1]
            heading = facing(name, look)
            mirrored = bool(rng.random() < 0.3)
            if heading and best.direction in ("left", "right"):
                mirrored = heading != best.direction
            things.append(_Thing(name=name, look=look, path=best, mirrored=mirrored))
        if rng.random() < 0.75:  # mostly the small in front of the large, so that little is hidden
            things.sort(key=lambda thing: -_area(thing.path))
        return things

    def _sample(self, rng, name, backdrops, things, tested, form, still) -> Clip:
        drawn = [
            (thing.name, thing.look, thing.path.boxes, thing.path.present, thing.mirrored)
            for thing in things
        ]
        frames, boxes, visible = compose(backdrops, drawn)
        told = [
            captions.Told(
                name=thing.name,
                look=thing.look,
                kind=thing.path.kind,
                direction=thing.path.direction,
                boxes=boxes[number][visible[number]],
            )
            for number, thing in enumerate(things)
        ]
        write = captions.still_caption if still else captions.clip_caption
        return Clip(
            frames=frames,
            caption=write(rng, name, told, form),
            names=tuple(thing.name for thing in things),
            looks=tuple(thing.look for thing in things),
            boxes=boxes,
            visible=visible,
            background=name,
            mirrored=tuple(thing.mirrored for thing in things),
            motions=tuple(f"{thing.path.kind} {thing.path.direction}".strip() for thing in things),
            backdrop=np.asarray(
                Image.fromarray(backdrops[0]).resize((_CROP, _CROP), Image.Resampling.BOX)
            ),
            held_out=(tested,) if tested else (),
        )


def _look(rng: np.random.Generator, name: str) -> str:
    looks = splits.train_looks(name)
    return looks[int(rng.random() * len(looks))]


def _shape(rng: np.random.Generator, name: str, look: str, long_side: float) -> tuple[float, float]:
    """Width and height for art of this long side, its aspect changed by up to 15 %."""
    ratio = aspect(name, look) * np.exp(rng.uniform(-0.14, 0.14))
    return (long_side, long_side / ratio) if ratio > 1 else (long_side * ratio, long_side)


def _overlap(first: Path, second: Path) -> float:
    """How much of the smaller box is covered: the mean, or more if one frame is crowded."""
    a, b = first.boxes, second.boxes
    width = np.minimum(a[:, 2], b[:, 2]) - np.maximum(a[:, 0], b[:, 0])
    height = np.minimum(a[:, 3], b[:, 3]) - np.maximum(a[:, 1], b[:, 1])
    least = np.minimum(
        (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1]), (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    )
    covered = width.clip(0) * height.clip(0) / least
    return float(max(covered.mean(), covered.max() - 0.35))


def _area(path: Path) -> float:
    """Mean area of a path's boxes."""
    sides = path.boxes[:, 2:] - path.boxes[:, :2]
    return float((sides[:, 0] * sides[:, 1]).mean())
