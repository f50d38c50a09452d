"""`vdjax evaluate layout`: are things there, in their boxes, moving, the same in every scene?

A generator enters as one function; a dictionary of figures leaves, each beside the same figure of
the same generator without its gates and of real composites. What was seen in a film is kept in the
output folder as soon as it is seen, so that an evaluation that was killed goes on where it
stopped, and three frames of every scene are kept beside it for people to look at.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdjax.errors import UserError
from vdjax.evaluate.accuracy import accuracies
from vdjax.evaluate.composites import real_film
from vdjax.evaluate.detections import Detection, Detector
from vdjax.evaluate.plans import HeldOutPlan, choose
from vdjax.evaluate.scores import SeenFilm, score
from vdjax.evaluate.table import format_table
from vdjax.files import replace_file
from vdjax.plan.schema import VideoPlan

__all__ = ["Render", "format_table", "run"]

_VERSION = 2
_ACCURACY_PICTURES = 300


@runtime_checkable
class Render(Protocol):
    """Makes the film of a plan: per scene an array of uint8 frames, 128 × 128 × 3.

    `gates` off: the same backbone, prompts and seed without its gated layers. `image_grounding`
    off: grounding tokens hold names and boxes, but no image embedding.
    """

    def __call__(
        self, plan: VideoPlan, seed: int, *, gates: bool, image_grounding: bool
    ) -> Sequence[UInt8[np.ndarray, "frame 128 128 3"]]: ...


ARMS = ("real", "gates", "no gates", "text only")
"""The ways of making the films of a measure: real composites, and three of the generator's."""


@dataclass(frozen=True)
class _Arm:
    """One way of making the films. `skills` are those it is asked about; None is all."""

    name: str
    render: Render
    gates: bool
    image_grounding: bool
    generator: str
    skills: tuple[str, ...] | None = None


def run(
    render: Render,
    *,
    plans: int | None = None,
    seed: int = 0,
    out: Path,
    report: Callable[[str], None] = print,
    generator: str = "",
    detector: Detector | None = None,
    arms: Sequence[str] = ARMS,
) -> dict[str, Any]:
    """Measure a generator on the held-out plans and write what was found to the folder `out`.

    Args:
        render: the generator.
        plans: how many of the held-out plans, taken from the skills in turn; None for all.
        seed: the film of plan number n is made from seed + n.
        out: gains `layout.json` (the result), `layout.txt` (the table) and `films/` (what was seen
            in each film, and three frames of each scene). Started again on the same folder, films
            that were seen are not made again.
        report: takes lines of progress.
        generator: names the generator's weights and settings. What was seen of a generator of
            another name, or with another detector or seed, is not used.
        detector: another one than the shipped one.
        arms: the ways of making films, of `ARMS`, where not all of them are wanted. The detector's
            own accuracy is measured beside the real composites.

    Returns:
        The result, as in `layout.json`; `format_table` makes it readable.

    Raises:
        UserError: `plans` is out of range, there is no such arm, or the folder cannot be written.
        ValueError: the generator gave something other than one array of frames per scene.
    """
    chosen = choose(plans)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**31:
        raise UserError(f"seed is {seed!r}; it must be a whole number from 0 to {2**31 - 1}")
    if not arms or not set(arms) <= set(ARMS):
        raise UserError(f"arms are {', '.join(arms) or 'none'}: use some of {', '.join(ARMS)}")
    out = Path(out)
    if detector is None:
        from vdjax.evaluate.detector import StorybookDetector

        detector = StorybookDetector.shipped()
    known = (
        _Arm("real", real_film, True, True, "real composites"),
        _Arm("gates", render, True, True, generator),
        _Arm("no gates", render, False, True, generator),
        _Arm("text only", render, True, False, generator, skills=("identity",)),
    )
    wanted = [arm for arm in known if arm.name in arms]
    own = _own_accuracy(out, detector, report) if "real" in arms else {}
    seen = _see_all(chosen, wanted, seed, out, detector, report)
    result = {
        "version": _VERSION,
        "generator": generator,
        "seed": seed,
        "plans": len(chosen),
        "scenes": sum(len(one.plan.scenes) for one in chosen),
        "detector": {"digest": detector.digest, "accuracy": own},
        "arms": {arm.name: score(seen[arm.name]) for arm in wanted},
    }
    _write(out / "layout.json", json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    _write(out / "layout.txt", format_table(result) + "\n")
    return result


def _own_accuracy(
    out: Path, detector: Detector, report: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """The detector's accuracy on real pictures, measured once per folder and detector."""
    path = out / "films" / "detector.json"
    mark = f"{_VERSION} {detector.digest} {_ACCURACY_PICTURES}"
    if (kept := _kept(path, mark)) is None:
        report(f"measuring the detector itself on {_ACCURACY_PICTURES} real pictures ...")
        measured = accuracies(detector, _ACCURACY_PICTURES)
        kept = {name: accuracy.as_dict() for name, accuracy in measured.items()}
        _keep(path, mark, kept)
    found: dict[str, dict[str, Any]] = kept
    return found


def _see_all(
    chosen: Sequence[HeldOutPlan],
    arms: Sequence[_Arm],
    seed: int,
    out: Path,
    detector: Detector,
    report: Callable[[str], None],
) -> dict[str, dict[HeldOutPlan, SeenFilm]]:
    """What is seen in every film of every arm, by arm and plan."""
    jobs = [
        (one, arm)
        for one in chosen
        for arm in arms
        if arm.skills is None or one.question.skill in arm.skills
    ]
    seen: dict[str, dict[HeldOutPlan, SeenFilm]] = {arm.name: {} for arm in arms}
    made, began = 0, time.monotonic()
    for number, (one, arm) in enumerate(jobs, 1):
        path = out / "films" / arm.name.replace(" ", "_") / f"{one.label}.json"
        mark = _mark(one, arm, seed, detector)
        if (kept := _kept(path, mark)) is None:
            film = _checked(
                one,
                arm.render(
                    one.plan,
                    seed + one.number,
                    gates=arm.gates,
                    image_grounding=arm.image_grounding,
                ),
            )
            kept = [[[asdict(see) for see in frame] for frame in detector.detect(s)] for s in film]
            replace_file(path.with_suffix(".png"), _picture(film))
            _keep(path, mark, kept)
            if arm.render is not real_film:
                made += 1
                left = (time.monotonic() - began) / number * (len(jobs) - number)
                report(
                    f"{number}/{len(jobs)}  {arm.name}: {one.label}  about {left / 60:.0f} min left"
                )
        seen[arm.name][one] = [[[_detection(s) for s in frame] for frame in sc] for sc in kept]
    report(f"{len(jobs)} films seen, {made} of them made now")
    return seen


def _checked(one: HeldOutPlan, film: Any) -> list[np.ndarray]:
    """The film as arrays, if it is one array of frames per scene."""
    scenes = [np.asarray(frames) for frames in film]
    shapes = [f"{frames.dtype} {frames.shape}" for frames in scenes]
    good = all(
        frames.dtype == np.uint8
        and frames.ndim == 4
        and len(frames) > 0
        and frames.shape[1:] == (128, 128, 3)
        for frames in scenes
    )
    if len(scenes) != len(one.plan.scenes) or not good:
        raise ValueError(
            f"the generator gave {shapes} for {one.label}; it must give "
            f"{len(one.plan.scenes)} arrays of uint8 frames, (frame, 128, 128, 3)"
        )
    return scenes


def _mark(one: HeldOutPlan, arm: _Arm, seed: int, detector: Detector) -> str:
    """Names everything that what is seen in a film depends on."""
    parts = (
        _VERSION,
        one.plan.to_json(),
        arm.gates,
        arm.image_grounding,
        arm.generator,
        seed,
        detector.digest,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _kept(path: Path, mark: str) -> Any:
    """What was kept under this mark, or None: not there, unreadable, or of another run."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content["seen"] if content["mark"] == mark else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, mark: str, seen: Any) -> None:
    _write(path, json.dumps({"mark": mark, "seen": seen}))


def _write(path: Path, text: str) -> None:
    replace_file(path, text.encode())


def _detection(fields: Mapping[str, Any]) -> Detection:
    x0, y0, x1, y1 = fields["box"]
    return Detection(fields["name"], fields["look"], fields["score"], (x0, y0, x1, y1))


def _picture(film: Sequence[np.ndarray]) -> bytes:
    """The first, middle and last frame of each scene, scene under scene, as PNG."""
    rows = [np.concatenate([s[0], s[len(s) // 2], s[-1]], axis=1) for s in film]
    held = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(held, "PNG")
    return held.getvalue()
