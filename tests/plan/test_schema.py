"""Plans are checked completely, and every refusal says what, where and how to mend it."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from vdjax.errors import UserError
from vdjax.plan import PlanError, Scene, VideoPlan, base_name
from vdjax.plan.schema import MAX_ENTITIES, MAX_SCENES, Camera


def raw_plan() -> dict[str, Any]:
    """Two scenes in plain data: a cat, then a cat and a dog."""
    cat, dog = [0.1, 0.2, 0.4, 0.8], [0.5, 0.2, 0.9, 0.8]
    return {
        "prompt": "a cat, then a dog",
        "scenes": [
            {
                "description": "a cat at the beach",
                "background": "beach",
                "entities": ["cat"],
                "keyframes": [{"cat": list(cat)} for _ in range(9)],
                "notes": ["kitten → cat"],
            },
            {
                "description": "a cat and a dog in the park",
                "background": "park",
                "entities": ["cat", "dog"],
                "keyframes": [{"cat": list(cat), "dog": list(dog)} for _ in range(9)],
            },
        ],
    }


def test_a_good_plan_is_taken_as_it_is():
    plan = VideoPlan.from_data(raw_plan())
    assert plan.scenes[1].entities == ("cat", "dog")
    assert plan.scene(1).keyframes[8]["cat"] == (0.1, 0.2, 0.4, 0.8)
    assert plan.scene(1).notes == ("kitten → cat",)
    assert plan.version == 1
    assert 0 <= plan.alpha <= 1


def test_groups_left_out_are_made_from_the_names():
    plan = VideoPlan.from_data(raw_plan())
    assert dict(plan.groups) == {"cat": (1, 2), "beach": (1,), "dog": (2,), "park": (2,)}
    assert VideoPlan.from_data({**raw_plan(), "groups": {}}).groups == {}


def _box(value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        data["scenes"][1]["keyframes"][2]["cat"] = value

    return change


def _scene(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data["scenes"][1].update(fields)


def _plan(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update(fields)


NAN = float("nan")
CAT = [0.1, 0.2, 0.4, 0.8]

BAD = [
    (
        _box([0.2, 0.9, 0.1, 1.0]),
        "box [0.2, 0.9, 0.1, 1.0] of 'cat' in scene 2, keyframe 3: x0 must",
    ),
    (_box([0.2, 0.9, 0.3, 0.1]), "scene 2, keyframe 3: y0 must be below y1"),
    (_box([0.2, 0.1, 0.2, 1.0]), "its width is zero"),
    (_box([0.2, 0.4, 0.4, 0.4]), "its height is zero"),
    (_box([0.2, 0.1, 0.201, 1.0]), "its width is 0.001; the least is 0.005"),
    (_box([NAN, 0.1, 0.5, 1.0]), "x0 is NaN, outside 0 to 1"),
    (_box([0.0, 0.1, float("inf"), 1.0]), "x1 is Infinity"),
    (_box([-0.1, 0.1, 0.5, 1.0]), "x0 is -0.1, outside 0 to 1"),
    (_box([0.0, 0.1, 0.5, 1.2]), "y1 is 1.2, outside 0 to 1"),
    (_box([10, 20, 120, 100]), "fractions of the frame, not pixels"),
    (_box([0, 0, 1]), "it has 3 numbers; it must be four"),
    (_box(["0", 0, 1, 1]), "x0 is '0'; it must be a number from 0 to 1"),
    (_box([True, 0, 1, 1]), "x0 is True"),
    (_box([0, 0, 10**400, 1]), "outside 0 to 1"),
    (_box("left"), "it must be four numbers"),
    (_box(None), "it must be four numbers"),
    (lambda d: d["scenes"][1]["keyframes"].pop(), "scene 2: it has 8 keyframes; it must have 9"),
    (lambda d: d["scenes"][1]["keyframes"].append({}), "it has 10 keyframes"),
    (lambda d: d["scenes"][1]["keyframes"].__setitem__(4, [CAT]), "scene 2, keyframe 5: it is [["),
    (
        lambda d: d["scenes"][1]["keyframes"][3].update(dug=CAT),
        "scene 2: keyframe 4 has a box of 'dug', which is not in 'entities' (cat, dog)",
    ),
    (_scene(entities=["cat", "dog", "cow"]), "'cow' is in 'entities' but has no box"),
    (_scene(entities=["cat", "dog", "cat"]), "'cat' is listed twice"),
    (_scene(entities=[]), "scene 2: it has no entities"),
    (_scene(entities=[f"cat {n}" for n in range(MAX_ENTITIES + 1)]), "it has 8 entities"),
    (_scene(entities="cat"), "'entities' is 'cat'; it must be a list of names"),
    (_scene(entities=["cat", " dog"]), "blanks around it"),
    (_scene(entities=["cat", "d\x00g"]), "signs that cannot be shown"),
    (_scene(entities=["cat", "d" * 99]), "has 99 characters; at most 60"),
    (_scene(entities=["cat", 3]), "an entity is 3; it must be a text"),
    (_scene(background="cat"), "'cat' is both the background and an entity"),
    (_scene(background=""), "'background' is empty"),
    (_scene(description=7), "'description' is 7; it must be a text in quotes"),
    (_scene(notes="none"), "'notes' is 'none'; it must be a list of texts"),
    (_scene(bakground="x"), "'bakground' is not a key of a scene (did you mean 'background'?)"),
    (lambda d: d["scenes"][1].pop("background"), "scene 2: 'background' is missing; add it"),
    (lambda d: d.pop("prompt"), "'prompt' is missing; add it"),
    (_plan(scenes=[]), "the plan has no scenes"),
    (_plan(scenes=[raw_plan()["scenes"][0]] * (MAX_SCENES + 1)), "17 scenes; at most 16"),
    (_plan(scenes=["a cat"]), "scene 1: it is 'a cat'; it must be a mapping"),
    (_plan(scenes={"1": {}}), "'scenes' is"),
    (_plan(seens=[]), "'seens' is not a key of a plan (did you mean 'scenes'?)"),
    (_plan(self=1), "'self' is not a key of a plan"),
    (_plan(prompt="x" * 2001), "'prompt' has 2001 characters; at most 2000"),
    (_plan(groups={"cow": [1]}), "group 'cow' is neither an entity nor a background"),
    (_plan(groups={"cat": [3]}), "group 'cat' names scene 3; the plan has scenes 1, 2"),
    (_plan(groups={"dog": [1]}), "group 'dog' names scene 1, where it does not appear"),
    (_plan(groups={"cat": [1, 1]}), "names a scene twice"),
    (_plan(groups={"cat": []}), "it must be a list of scene numbers"),
    (_plan(groups={"cat": [True]}), "scenes are numbered 1, 2"),
    (_plan(groups=[1]), "'groups' is [1]; it must be a mapping"),
    (_plan(alpha=1.5), "alpha is 1.5; it must be a number from 0 to 1"),
    (_plan(alpha=NAN), "alpha is NaN"),
    (_plan(alpha="much"), "alpha is 'much'"),
    (_plan(seed=-1), "'seed' is -1; it must be a whole number from 0 to 4294967295"),
    (_plan(seed=2**32), "'seed' is 4294967296"),
    (_plan(seed=1.0), "'seed' is 1.0; it must be a whole number"),
    (_plan(seed=True), "'seed' is True"),
    (_plan(director=3), "'director' is 3; it must be a text"),
    (_plan(director="a\nb"), "signs that cannot be shown"),
    (_plan(director="x" * 121), "has 121 characters; at most 120"),
    (_plan(entity_descriptions=["cat"]), "'entity_descriptions' is ['cat']; it must be a mapping"),
    (_plan(entity_descriptions={"cow": "brown"}), "'cow' is described but neither an entity"),
    (_plan(entity_descriptions={"dog in scene 1": "x"}), "'dog in scene 1' is described but"),
    (_plan(entity_descriptions={"cat": ""}), "the description of 'cat' is empty"),
    (_plan(entity_descriptions={"cat": "a\nb"}), "the description of 'cat' has several lines"),
    (_plan(entity_descriptions={"cat": "x" * 1001}), "of 'cat' has 1001 characters; at most 1000"),
    (_scene(camera="left"), "scene 2: 'camera' is 'left'; it must be a mapping"),
    (
        _scene(camera={"direction": "sideways"}),
        "scene 2: the camera's direction is 'sideways'; it must be static, left, right, up,",
    ),
    (_scene(camera={"direction": "forwards"}), "is 'forwards' (did you mean 'forward'?)"),
    (_scene(camera={"direction": "up", "speed": 3}), "the camera's speed is 3; it must be slow"),
    (_scene(camera={"speed": "slow"}), "'direction' is missing"),
    (_scene(camera={"direction": "up", "zoom": 1}), "'zoom' is not a key of a camera"),
    (_scene(captions=["a"] * 8), "scene 2: 8 captions; there must be 9, one per keyframe"),
    (_scene(captions="a"), "'captions' is 'a'; it must be a list of texts"),
    (_scene(captions=["a"] * 4 + [" "] + ["a"] * 4), "a caption (number 5) is empty"),
    (_scene(reasoning=["a"]), "'reasoning' is ['a']; it must be a text in quotes"),
    (_scene(reasoning="x" * 4001), "'reasoning' has 4001 characters; at most 4000"),
    (_scene(frame_prompts=[]), "0 prompts of frames; there must be 1 to 64"),
    (_scene(frame_prompts=["a"] * 65), "65 prompts of frames"),
    (_scene(frame_prompts=["a", 2]), "a frame's prompt (number 2) is 2; it must be a text"),
    (_plan(version=2), "plan version 2 is not known; this vdjax reads version 1"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_plan_is_refused_in_words(change: Callable[[dict[str, Any]], Any], message: str):
    data = raw_plan()
    change(data)
    with pytest.raises(PlanError) as caught:
        VideoPlan.from_data(data, "plan.json")
    text = str(caught.value)
    assert message in text
    assert text.startswith("plan.json: ")
    assert "\n" not in text


OPTIONAL_OF_A_PLAN = {
    "seed": 2**32 - 1,
    "director": "chat (some-model)",
    "entity_descriptions": {
        "cat": "A small grey cat with a white tail.",
        "dog in scene 2": "A brown dog.",
        "park": "A park in autumn.",
    },
}
OPTIONAL_OF_A_SCENE = {
    "camera": {"direction": "forward", "speed": "slow"},
    "captions": [f"a cat, {k}" for k in range(9)],
    "reasoning": "The cat\nsits.",
    "frame_prompts": ["a cat sits", "a cat stands"],
}


def test_optional_parts_are_kept_and_absent_ones_not_written():
    data = {**raw_plan(), **OPTIONAL_OF_A_PLAN}
    data["scenes"][0].update(OPTIONAL_OF_A_SCENE)
    plan = VideoPlan.from_data(data)
    assert plan.seed == 2**32 - 1
    assert plan.scene(1).camera == Camera(direction="forward", speed="slow")
    assert plan.scene(1).frame_prompts == ("a cat sits", "a cat stands")
    assert plan.scene(2).camera is None
    for again in (VideoPlan.parse(plan.to_json()), VideoPlan.from_data(plan.model_dump())):
        assert again == plan
    written = json.loads(plan.to_json())
    assert written.keys() - {"groups", "alpha", "version"} == data.keys()
    assert written["scenes"][0] == data["scenes"][0]
    assert written["scenes"][1].keys() - {"notes"} == data["scenes"][1].keys()
    summary = plan.summary()
    for words in ("camera: forward, slow", "seed     4294967295", "planned by chat", "brown dog"):
        assert words in summary


def test_a_camera_moves_at_a_medium_speed_unless_told():
    assert Camera(direction="left").speed == "medium"


def test_regrouping_leaves_the_descriptions_valid():
    plan = VideoPlan.from_data({**raw_plan(), **OPTIONAL_OF_A_PLAN})
    assert plan.replace(groups={"cat": [1]}).entity_descriptions == plan.entity_descriptions


def test_several_problems_are_counted():
    data = raw_plan()
    del data["scenes"][0]["background"]
    data["scenes"][1]["keyframes"][2]["cat"] = [1, 1, 0, 0]
    with pytest.raises(PlanError, match=r"missing.*\(and 1 more problem\)") as caught:
        VideoPlan.from_data(data)
    assert [kind for _, kind, _ in caught.value.problems] == ["missing", "box"]


def test_a_scene_on_its_own_is_checked_as_well():
    with pytest.raises(PlanError, match=r"^box \[1, 0, 0, 1\] of 'cat' in keyframe 1: x0 must"):
        Scene(
            description="a cat",
            background="park",
            entities=["cat"],
            keyframes=[{"cat": [1, 0, 0, 1]}] + [{"cat": CAT}] * 8,
        )


@pytest.mark.parametrize("data", [[], 3, None, "plan"])
def test_what_is_no_mapping_is_no_plan(data: object):
    with pytest.raises(PlanError, match="a plan is a mapping"):
        VideoPlan.from_data(data)


def test_plan_errors_are_user_errors():
    assert issubclass(PlanError, UserError)


def test_a_plan_cannot_be_changed_in_place_but_replaced():
    plan = VideoPlan.from_data(raw_plan())
    with pytest.raises(TypeError, match="replace"):
        plan.scenes[0].keyframes[0]["cat"] = (0.9, 0.9, 0.1, 0.1)  # type: ignore[index]
    with pytest.raises(TypeError, match="replace"):
        plan.groups.clear()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="frozen"):
        plan.alpha = 0.1  # type: ignore[misc]
    changed = plan.replace(alpha=0.1)
    assert (plan.alpha, changed.alpha) == (1.0, 0.1)
    with pytest.raises(PlanError, match="alpha is 7"):
        plan.replace(alpha=7)


def test_copies_and_pickles_are_equal():
    plan = VideoPlan.from_data(raw_plan())
    assert copy.deepcopy(plan) == plan
    assert pickle.loads(pickle.dumps(plan)) == plan


@pytest.mark.parametrize(
    ("name", "base"),
    [("cat", "cat"), ("cat 2", "cat"), ("fire truck 13", "fire truck"), ("cat 1", "cat 1"),
     ("area 51b", "area 51b"), ("2", "2")],
)  # fmt: skip
def test_base_name(name: str, base: str):
    assert base_name(name) == base


def test_scene_numbers_start_at_one():
    plan = VideoPlan.from_data(raw_plan())
    assert plan.scene(2) is plan.scenes[1]
    for number in (0, 3, True):
        with pytest.raises(PlanError, match="the plan has scenes 1, 2"):
            plan.scene(number)


def test_visible_names_the_keyframes():
    data = raw_plan()
    del data["scenes"][1]["keyframes"][0]["dog"]
    scene = VideoPlan.from_data(data).scene(2)
    assert scene.visible("dog") == (False, *[True] * 8)
    with pytest.raises(PlanError, match="'cow' is not in this scene; it has cat, dog"):
        scene.visible("cow")
