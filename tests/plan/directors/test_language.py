"""The two steps with a language model: what leaves is a valid plan, whatever the model says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan.directors.scripted import ALONE, DEAD, TOGETHER, TWO, Scripted, layout, story

from vdjax.plan import DEFAULT_ALPHA, PlanError, VideoPlan
from vdjax.plan.directors.language import Budget, LanguageDirector
from vdjax.plan.directors.model import ModelError, SchemaRefused
from vdjax.plan.vocabulary import Vocabulary

WORLD = Vocabulary.storybook()
PROMPT = "A cat walks on the beach, then meets a dog"


def director(*answers: str | Exception, **options: object) -> LanguageDirector:
    return LanguageDirector(Scripted(*answers), **{"vocabulary": WORLD, **options})  # type: ignore[arg-type]


def test_two_steps_make_the_models_plan():
    asked = director(TWO, ALONE, TOGETHER)
    made = asked.plan(PROMPT, seed=5)
    assert [scene.background for scene in made.scenes] == ["beach", "park"]
    assert made.scene(2).keyframes[8]["dog"] == (0.55, 0.4, 0.95, 0.9)
    assert made.scene(1).captions == ("a moment",) * 9
    assert made.scene(1).reasoning == "nothing moves"
    assert made.groups["cat"] == (1, 2)
    assert made.seed == 5
    assert made.director == "scripted"
    assert made.alpha == DEFAULT_ALPHA
    assert not made.warnings
    report = asked.last_report
    assert (report["calls"], report["rounds"]) == (3, 0)
    assert (report["model_scenes"], report["fallback_scenes"]) == (2, 0)
    assert report["prompt_tokens"] == 300
    assert report["completion_tokens"] > 100


def test_questions_hold_the_world_the_examples_and_a_schema():
    model = Scripted(TWO, ALONE, TOGETHER)
    LanguageDirector(model, vocabulary=WORLD).plan(PROMPT)
    first, second, third = model.requests
    assert "palm tree" in first.messages[0]["content"]
    assert PROMPT in first.messages[-1]["content"]
    assert first.schema is not None
    assert second.schema is not None
    assert len(second.messages) == 1 + 2 * 5 + 1  # the paper's five examples
    assert "The cat meets a dog" in third.messages[-1]["content"]


def test_sentences_fix_the_scenes():
    model = Scripted(TWO, ALONE, TOGETHER)
    made = LanguageDirector(model, vocabulary=WORLD).plan(["a cat on the beach", "it meets a dog"])
    assert len(made.scenes) == 2
    assert "exactly 2 scenes" in model.requests[0].messages[-1]["content"]
    three = director(TWO, TWO, TWO, ALONE).plan(["a cat", "a dog", "a car"])
    assert len(three.scenes) == 3
    assert "planned by rules" in three.warnings[0]


def test_an_answer_that_cannot_be_used_goes_back_with_the_reason():
    bad = layout(cat=["left", "of", "the", "dog"])  # type: ignore[list-item]
    model = Scripted(TWO, bad, ALONE, TOGETHER)
    asked = LanguageDirector(model, vocabulary=WORLD)
    made = asked.plan(PROMPT)
    repair = model.requests[2].messages
    assert repair[-2] == {"role": "assistant", "content": bad}
    assert repair[-1]["content"].startswith("That cannot be used:")
    assert "cat" in repair[-1]["content"]
    assert repair[:-2] == model.requests[1].messages
    assert asked.last_report["rounds"] == 1
    assert not made.warnings


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_rounds_are_bounded_and_rules_finish_the_scene(rounds: int):
    model = Scripted(TWO, "I cannot do that.")
    asked = LanguageDirector(model, vocabulary=WORLD, budget=Budget(rounds=rounds))
    made = asked.plan(PROMPT)
    assert len(model.requests) == 1 + 2 * (1 + rounds)
    assert [scene.entities for scene in made.scenes] == [("cat",), ("cat", "dog")]
    assert all("planned by rules" in warning for warning in made.warnings)
    assert asked.last_report["fallback_scenes"] == 2


def test_rules_leave_a_scene_where_the_model_put_it():
    told = story(("The dog sleeps", ["dog"], "bedroom"), ("The dog runs", ["dog"], "forest"))
    made = director(told, "I cannot do that.").plan(PROMPT)
    assert [scene.background for scene in made.scenes] == ["bedroom", "forest"]
    assert all("planned by rules" in warning for warning in made.warnings)


def test_server_unplugged_in_the_middle_leaves_its_scene_to_rules():
    made = director(TWO, ALONE, DEAD).plan(PROMPT)
    assert made.scene(1).keyframes[0]["cat"] == (0.1, 0.4, 0.5, 0.9)
    assert list(made.warnings) == [
        "scene 2: planned by rules, for the language model did not: no connection to the server"
    ]


def test_no_answer_at_all_is_a_plan_by_rules_that_says_so():
    asked = director(DEAD)
    made = asked.plan(PROMPT)
    assert len(made.scenes) == 2
    assert len(made.warnings) == 2
    assert asked.last_report["model_scenes"] == 0


def test_tokens_and_seconds_run_out():
    spent = director(TWO, ALONE, budget=Budget(tokens=50)).plan(PROMPT)
    assert all("50 tokens" in warning for warning in spent.warnings)
    assert spent.warnings
    late = director(TWO, budget=Budget(seconds=0.0)).plan(PROMPT)
    assert "0 seconds" in late.warnings[0]


def test_server_without_schemas_is_asked_in_brackets():
    told = "Step 1: [Prompt: A cat sits on the beach; Entities: cat; Background: beach]"
    frames = "\n".join(
        f"Frame_{k}: [[cat, [0.1, 0.4, 0.5, 0.9]]], caption: x" for k in range(1, 10)
    )
    model = Scripted(SchemaRefused("no schema"), told, frames)
    made = LanguageDirector(model, vocabulary=WORLD).plan("A cat sits on the beach")
    assert made.scene(1).keyframes[4]["cat"] == (0.1, 0.4, 0.5, 0.9)
    assert not made.warnings
    assert [request.schema is None for request in model.requests] == [False, True, True]
    assert "Step k:" in model.requests[1].messages[0]["content"]


def test_words_are_asked_for_and_become_boxes():
    words = {"x": "left", "y": "ground", "size": "large", "motion": "right"}
    answer = json.dumps({"entities": {"cat": words}})
    one = story(("A cat walks on the beach", ["cat"], "beach"))
    made = director(one, answer, form="words").plan("A cat walks on the beach")
    first, last = made.scene(1).keyframes[0]["cat"], made.scene(1).keyframes[8]["cat"]
    assert last[0] - first[0] > 0.2
    assert not made.warnings


def test_names_outside_the_world_map_to_what_can_be_drawn_and_the_plan_says_so():
    one = story(("A fluffy kitten sleeps in the woods", ["a fluffy kitten"], "woods"))
    made = director(one, ALONE).plan("A kitten sleeps in the woods")
    (scene,) = made.scenes
    assert scene.entities == ("cat",)
    assert scene.background == "forest"
    assert any("cat" in note and "kitten" in note for note in scene.notes)


def test_what_cannot_be_drawn_is_asked_for_again():
    one = story(("A xylograph hums", ["xylograph"], "beach"))
    model = Scripted(one, TWO, ALONE, TOGETHER)
    LanguageDirector(model, vocabulary=WORLD).plan(PROMPT)
    assert "xylograph" in model.requests[1].messages[-1]["content"]


def test_open_world_keeps_names_as_they_are():
    one = story(("A xylograph hums in the atrium", ["xylograph"], "atrium"))
    made = director(one, layout(xylograph=[0.1, 0.1, 0.9, 0.9]), vocabulary=None).plan("hum")
    assert made.scene(1).entities == ("xylograph",)
    assert made.scene(1).background == "atrium"


def test_pronouns_and_variants_become_one_entity():
    told = story(
        ("A cat sits on the beach", ["a cat"], "beach"),
        ("It walks in the park", ["it"], "park"),
    )
    made = director(told, ALONE).plan("A cat sits, then it walks")
    assert made.groups["cat"] == (1, 2)


def test_alpha_is_asked_for_only_on_request():
    one = story(("A cat sits on the beach", ["cat"], "beach"), alpha=0.2)
    assert director(one, ALONE).plan("a cat sits").alpha == DEFAULT_ALPHA
    asked = Scripted(one, ALONE)
    assert LanguageDirector(asked, vocabulary=WORLD, ask_alpha=True).plan("a cat").alpha == 0.2
    assert "alpha" in asked.requests[0].messages[0]["content"]


def test_scenes_are_shown_while_they_arrive():
    seen: list[tuple[int, bool]] = []
    asked = director(TWO, ALONE, TOGETHER, on_scenes=lambda s, done: seen.append((len(s), done)))
    asked.plan(PROMPT)
    counts = [count for count, _ in seen]
    assert counts == sorted(counts)
    assert 1 in counts
    assert seen[-1] == (2, True)
    assert not any(done for _, done in seen[:-1])


CAMERAS = json.dumps({"cameras": [{"direction": "left", "speed": "slow"}] * 2})
DESCRIBED = json.dumps({"description": "A small orange cat with white paws."})
FRAMES = json.dumps({"frames": [f"A cat, moment {k}" for k in range(8)]})


def test_extras_are_parts_of_the_same_plan():
    made = director(TWO, ALONE, TOGETHER, CAMERAS, extras=["cameras"]).plan(PROMPT)
    assert [s.camera.direction for s in made.scenes if s.camera] == ["left", "left"]
    made = director(TWO, ALONE, TOGETHER, DESCRIBED, extras=["descriptions"]).plan(PROMPT)
    assert made.entity_descriptions
    assert set(made.entity_descriptions) == set(made.groups)
    made = director(TWO, ALONE, TOGETHER, FRAMES, extras=["frame_prompts"]).plan(PROMPT)
    assert made.scene(2).frame_prompts == tuple(f"A cat, moment {k}" for k in range(8))
    assert VideoPlan.parse(made.to_json()) == made


@pytest.mark.parametrize("extra", ["cameras", "descriptions", "frame_prompts"])
@pytest.mark.parametrize("answer", ["nonsense", '{"cameras": [{"direction": "sideways"}]}', DEAD])
def test_extra_that_fails_is_left_out_with_a_note(extra: str, answer: str | Exception):
    made = director(TWO, ALONE, TOGETHER, answer, extras=[extra]).plan(PROMPT)
    assert any(extra.replace("_", " ") in warning for warning in made.warnings)
    assert made.scene(2).keyframes[0]["dog"] == (0.55, 0.4, 0.95, 0.9)


@pytest.mark.parametrize("prompt", ["", "   ", "x" * 2001, [], ["a cat", ""]])
def test_bad_prompts_are_refused_before_anything_is_asked(prompt: str | list[str]):
    model = Scripted(TWO)
    with pytest.raises(PlanError):
        LanguageDirector(model).plan(prompt)
    assert not model.requests


@pytest.mark.parametrize("options", [{"extras": ["smell"]}, {"form": "verse"}])
def test_unknown_options_are_refused(options: dict[str, object]):
    with pytest.raises(PlanError, match=r"smell|verse"):
        director(TWO, **options)


# Longer than any budget of rounds, so that every question meets some of it.
_ANSWERS = st.lists(
    st.one_of(
        st.sampled_from([TWO, ALONE, TOGETHER, CAMERAS, "", "null", "{}", TWO[:60], ALONE[:200]]),
        st.text(max_size=200),
        st.just(ModelError("no")),
    ),
    min_size=1,
    max_size=8,
)


@given(answers=_ANSWERS, form=st.sampled_from(["json", "brackets", "words"]))
def test_whatever_is_answered_the_plan_is_valid(answers: list[str | Exception], form: str):
    made = director(*answers, form=form, extras=["cameras"]).plan(PROMPT)
    assert VideoPlan.parse(made.to_json()) == made
    assert made.scenes
    assert all(scene.entities for scene in made.scenes)


def test_scenes_are_told_as_they_get_their_boxes():
    placed = []
    made = director(
        TWO, ALONE, DEAD, on_placed=lambda number, scene: placed.append((number, scene))
    ).plan(PROMPT)
    assert placed == list(enumerate(made.scenes, 1))  # the second by rules
