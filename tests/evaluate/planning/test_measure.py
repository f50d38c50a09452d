"""The whole measurement, with directors whose figures are known beforehand."""

import json

import pytest

from vdjax.errors import UserError
from vdjax.evaluate.planning import lvd, measure, vpeval
from vdjax.plan import PlanError, get_director
from vdjax.plan.schema import VideoPlan

ONE_BOX = VideoPlan(
    prompt="a cat",
    scenes=[
        {
            "description": "a cat",
            "background": "park",
            "entities": ["cat"],
            "keyframes": [{"cat": [0.1, 0.1, 0.5, 0.5]}] * 9,
        }
    ],
)
TASKS = (*lvd.TASKS, *vpeval.TASKS)


class Scripted:
    """Gives its answers in turn, again and again; raises those that are errors."""

    def __init__(self, *answers, report=None):
        self.answers, self.asked = answers, []
        if report is not None:
            self.last_report = {}
        self.report = report

    def plan(self, prompt, seed=0):
        answer = self.answers[len(self.asked) % len(self.answers)]
        self.asked.append((prompt, seed))
        if isinstance(answer, Exception):
            raise answer
        if self.report is not None:
            self.last_report = dict(self.report)
        return answer


def run(director, prompts=4, **options):
    return measure.run(
        director, name="scripted", prompts=prompts, report=lambda line: None, **options
    )


@pytest.fixture(scope="module")
def rules():
    return run("rules", prompts=12)


def test_rules_do_what_they_are_taught(rules):
    """A floor under the figures of rules; the whole table takes a thousand prompts."""
    for task in TASKS:
        assert rules["figures"][task]["value"] >= 10 / 12, (task, rules["misses"])
    assert rules["figures"]["valid"] == {**rules["figures"]["valid"], "value": 1.0, "plans": 120}


def test_the_same_run_gives_the_same_result(rules):
    again = run(get_director("rules"), prompts=12)
    assert again["figures"] == rules["figures"]
    assert again["misses"] == rules["misses"]
    assert json.loads(json.dumps(rules)) == rules


def test_every_prompt_is_asked_once_with_a_seed_of_its_own():
    director = Scripted(ONE_BOX)
    run(director, seed=7)
    assert len(director.asked) == len(set(director.asked)) == 40
    first = [ask.prompt for ask in lvd.prompts("numeracy", 4, 7)]
    assert director.asked[:4] == [(prompt, 7 + k) for k, prompt in enumerate(first)]


def test_held_back_forms_are_asked_where_they_are_wanted():
    director = Scripted(ONE_BOX)
    result = run(director, forms="held back")
    assert result["forms"] == "held back"
    assert director.asked[0][0] == lvd.prompts("numeracy", 1, forms="held back")[0].prompt


def test_a_director_that_fails_is_counted_and_never_stops_the_run():
    result = run(Scripted(PlanError("no idea"), ONE_BOX))
    assert result["figures"]["valid"]["value"] == 0.5
    failed = [miss for miss in result["misses"] if miss["why"] == "no plan: no idea"]
    assert len(failed) == 20
    assert {miss["task"] for miss in failed} == set(TASKS)


def test_something_else_than_a_plan_is_no_plan():
    result = run(Scripted({"scenes": []}, None))
    assert result["figures"]["valid"]["value"] == 0.0
    assert result["figures"]["LVD, all five"]["value"] == 0.0
    assert all(miss["why"].startswith("no plan: the director gave") for miss in result["misses"])


def test_another_error_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run(Scripted(ZeroDivisionError()))


def test_what_a_plan_cost_is_collected():
    report = {"rounds": 1, "prompt_tokens": 300, "completion_tokens": 50, "seconds": 2.0,
              "model_scenes": 3, "fallback_scenes": 1, "calls": "many"}  # fmt: skip
    cost = run(Scripted(ONE_BOX, report=report))["cost"]
    assert cost["reported"] == {key: report[key] for key in list(report)[:4]}
    assert cost["scenes by the model"] == 0.75
    assert cost["plans by the model"]["value"] == 0.0
    assert 0 < cost["seconds"]["mean"] <= cost["seconds"]["most"]


def test_the_report_of_the_plan_before_is_not_counted_for_a_failure():
    director = Scripted(ONE_BOX, PlanError("no"), report={"rounds": 2, "fallback_scenes": 0})
    cost = run(director)["cost"]
    assert cost["reported"]["rounds"] == 2
    assert cost["plans by the model"] == {
        **cost["plans by the model"],
        "value": 1.0,
        "plans": 20,
    }


def test_a_director_without_a_report_has_no_cost_but_time():
    cost = run(Scripted(ONE_BOX))["cost"]
    assert set(cost["reported"].values()) == {None}
    assert cost["scenes by the model"] is cost["plans by the model"] is None


@pytest.mark.parametrize("options", [{"prompts": 0}, {"seed": True}, {"forms": "all"}])
def test_wrong_options_are_refused_before_anything_is_planned(options):
    director = Scripted(ONE_BOX)
    with pytest.raises(UserError):
        run(director, **options)
    assert not director.asked
