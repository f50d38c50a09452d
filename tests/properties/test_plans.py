"""Plans and layouts, whatever is thrown at them."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from vdjax.plan import PlanError, Scene, VideoPlan, caption, frame_boxes, identities, plan
from vdjax.plan.boxes import MIN_SIDE, Box
from vdjax.plan.english import words
from vdjax.plan.fields import MAX_SEED
from vdjax.plan.schema import MAX_ENTITIES, NUM_KEYFRAMES, Direction, Speed
from vdjax.plan.vocabulary import Vocabulary

VOCABULARY = Vocabulary.storybook()


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    """Any valid box."""

    def side() -> tuple[float, float]:
        low = draw(st.floats(0, 1 - 2 * MIN_SIDE))
        return low, draw(st.floats(low + 1.5 * MIN_SIDE, 1))

    (x0, x1), (y0, y1) = side(), side()
    return [x0, y0, x1, y1]


NAMES = st.one_of(
    st.sampled_from(["cat", "cat 2", "fire truck", "ʻōhiʻa", "the <b>thing</b>", "'; --", "{}"]),
    st.text(min_size=1, max_size=20).filter(lambda s: s == s.strip() and s.isprintable()),
)


SENTENCES = st.text(max_size=40).map(lambda s: s.encode("utf-8", "ignore").decode())


@st.composite
def scenes(draw: st.DrawFn) -> dict[str, Any]:
    """Any valid scene, as plain data."""
    *names, background = draw(st.lists(NAMES, min_size=2, max_size=MAX_ENTITIES + 1, unique=True))
    keyframes = []
    for k in range(NUM_KEYFRAMES):
        seen = [n for n in names if k == 4 or draw(st.booleans())]
        keyframes.append({name: draw(boxes()) for name in seen})
    scene = {
        "description": draw(SENTENCES),
        "background": background,
        "entities": names,
        "keyframes": keyframes,
        "notes": [],
    }
    said = SENTENCES.filter(str.strip)
    optional = {
        "camera": st.fixed_dictionaries(
            {
                "direction": st.sampled_from(get_args(Direction)),
                "speed": st.sampled_from(get_args(Speed)),
            }
        ),
        "captions": st.lists(said, min_size=NUM_KEYFRAMES, max_size=NUM_KEYFRAMES),
        "reasoning": SENTENCES,
        "frame_prompts": st.lists(said, min_size=1, max_size=3),
    }
    return {**scene, **draw(st.fixed_dictionaries({}, optional=optional))}


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """Any valid plan, as plain data."""
    plan = {
        "prompt": "anything",
        "scenes": draw(st.lists(scenes(), min_size=1, max_size=3)),
        "alpha": draw(st.floats(0, 1)),
    }
    names = [name for scene in plan["scenes"] for name in scene["entities"]]
    known = st.sampled_from([*names, *(f"{name} in scene 1" for name in names[:1])])
    optional = {
        "seed": st.integers(0, MAX_SEED),
        "director": NAMES,
        "entity_descriptions": st.dictionaries(known, st.sampled_from(["grey", "ein Kätzchen"])),
    }
    return {**plan, **draw(st.fixed_dictionaries({}, optional=optional))}


@given(plans())
@settings(max_examples=25)
def test_any_plan_survives_json(data: dict[str, Any]):
    film = VideoPlan.from_data(data)
    assert VideoPlan.parse(film.to_json()) == film
    assert VideoPlan.parse(json.dumps(data)) == film
    assert VideoPlan.from_data(film.model_dump()) == film
    assert film.summary()
    written = json.loads(film.to_json())
    assert written.keys() - {"version", "groups"} == data.keys()
    assert [scene.keys() for scene in written["scenes"]] == [s.keys() for s in data["scenes"]]
    for number, scene in enumerate(film.scenes, 1):
        assert caption(scene)
        for name in (*scene.entities, scene.background):
            assert identities(film)[number, name] == name


@given(scenes(), st.integers(1, 40))
@settings(max_examples=25)
def test_frames_lie_between_their_keyframes(data: dict[str, Any], num_frames: int):
    scene = Scene(**data)
    found = frame_boxes(scene, num_frames)
    assert list(found) == list(scene.entities)
    for name, path in found.items():
        assert len(path) == num_frames
        for frame, box in enumerate(path):
            time = 4.0 if num_frames == 1 else frame * 8 / (num_frames - 1)
            low, high = int(time), min(int(time) + 1, 8)
            near = [scene.keyframes[k].get(name) for k in (low, high)]
            if box is None:
                assert None in near
                continue
            present = [b for b in near if b is not None]
            assert present
            for axis in range(4):
                values = [b[axis] for b in present]
                assert min(values) - 1e-12 <= box[axis] <= max(values) + 1e-12
            assert box[0] < box[2]
            assert box[1] < box[3]


@given(plans(), st.data())
@settings(max_examples=40)
def test_a_damaged_number_is_never_taken(data: dict[str, Any], draw: st.DataObject):
    scene = draw.draw(st.sampled_from(data["scenes"]))
    box = draw.draw(st.sampled_from([b for k in scene["keyframes"] for b in k.values()]))
    wrong = st.one_of(
        st.floats(max_value=-1e-9), st.floats(min_value=1 + 1e-9), st.just(float("nan")),
        st.none(), st.text(max_size=3), st.booleans(), st.lists(st.integers(), max_size=2),
    )  # fmt: skip
    box[draw.draw(st.integers(0, 3))] = draw.draw(wrong)
    with pytest.raises(PlanError, match=r"box .* of .* in scene \d+, keyframe \d"):
        VideoPlan.from_data(data)


@given(plans(), st.data())
@settings(max_examples=30)
def test_a_cut_or_scratched_file_is_refused_or_valid(data: dict[str, Any], draw: st.DataObject):
    text = json.dumps(data)
    at = draw.draw(st.integers(0, len(text) - 1))
    sign = draw.draw(st.sampled_from(["", "{", "}", ",", '"', "9", "-", "\x00", "é"]))
    for changed in (text[:at], text[:at] + sign + text[at + 1 :]):
        try:
            film = VideoPlan.parse(changed)
        except PlanError:
            continue
        assert VideoPlan.parse(film.to_json()) == film


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "prompt",
                    "scenes",
                    "groups",
                    "alpha",
                    "entities",
                    "keyframes",
                    "cat",
                    "self",
                    "seed",
                    "camera",
                    "captions",
                    "reasoning",
                    "frame_prompts",
                    "entity_descriptions",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=60)
def test_any_other_data_is_refused(data: Any):
    with pytest.raises(PlanError):
        VideoPlan.from_data(data)


LEXICON = sorted(
    {*VOCABULARY.entities, *(word.plural for word in VOCABULARY.entities.values())}
    | {*VOCABULARY.backgrounds, *words.SMALL, *words.PRONOUNS, *words.NUMBERS, *words.DETERMINERS}
    | {*words.VERBS, *(f"{verb}s" for verb in words.VERBS), *(f"{v}ing" for v in words.VERBS)}
    | {*words.COLOURS, *words.SIZES, *words.SPEEDS, *words.QUANTITIES, *words.KIN}
    | {",", ".", ";", "then", "'s", "to the left", "from left to right", "of the", "in front of"}
)


def check_planned(prompt: str | list[str]) -> None:
    """A prompt gives a plan that is valid and sane, or a refusal in words."""
    try:
        film = plan(prompt)
    except PlanError:
        return
    assert VideoPlan.parse(film.to_json()) == film
    for scene in film.scenes:
        assert scene.description == scene.description.lower().strip()
        assert scene.description
        for keyframe in scene.keyframes:
            for box in keyframe.values():
                assert_sane(box)


def assert_sane(box: Box) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    assert min(width, height) > 0.02
    assert max(width, height) < 0.9


@given(st.lists(st.sampled_from(LEXICON), min_size=1, max_size=25).map(" ".join))
@settings(max_examples=60)
@example("cat cat 's 's of of one of the")
@example("the other other cat and another and both")
@example("it chases it and they chase each other around it")
@example("a cat on a dog on a cat on a dog under a cat behind the dog in the cat")
@example("a cat chases a dog and the dog chases the cat")
@example("a cat rides a horse and the horse rides the cat on a bus")
@example("peek puss bicycle rabbit over on come chick they behind they ten to")
@example("from left to right of the of to the left of the")
def test_any_words_give_a_plan_or_a_refusal(prompt: str):
    assume(len(prompt) <= 2000)
    check_planned(prompt)


@given(st.one_of(st.text(max_size=80), st.lists(st.text(max_size=30), max_size=4)))
@settings(max_examples=60)
@example("猫が走る")
@example("a cat \ud800 jumps")
@example("A CAT\x00\x07 JUMPS\u202e!")
@example("<script>alert('a cat')</script>")
@example("a cat's cat's cat's")
@example("9999 cats and ² dogs")
def test_any_text_gives_a_plan_or_a_refusal(prompt: str | list[str]):
    check_planned(prompt)
