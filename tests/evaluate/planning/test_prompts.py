"""The prompts: as many as asked for, varied, the same for a seed, and saying what they ask."""

from collections import Counter

import pytest

from vdjax.errors import UserError
from vdjax.evaluate.planning import lvd, vpeval
from vdjax.evaluate.planning.asks import NAMES, plural
from vdjax.evaluate.planning.forms import FORMS

TASKS = [(module, task) for module in (lvd, vpeval) for task in module.TASKS]
each_task = pytest.mark.parametrize(("module", "task"), TASKS, ids=[task for _, task in TASKS])
each_form = pytest.mark.parametrize("forms", FORMS)


@each_task
def test_a_hundred_different_prompts(module, task):
    asks = module.prompts(task)
    assert len(asks) == len({ask.prompt for ask in asks}) == 100
    assert {ask.task for ask in asks} == {task}
    assert len({ask.things[0] for ask in asks}) > 40
    # Not one sentence with the names changed: the openings of the prompts differ.
    assert len({tuple(ask.prompt.split()[:2]) for ask in asks}) > 20


@each_task
def test_a_seed_gives_the_same_prompts_and_another_seed_others(module, task):
    asks = module.prompts(task, 30, seed=4)
    assert module.prompts(task, 30, seed=4) == asks
    assert module.prompts(task, 10, seed=4) == asks[:10]
    others = {ask.prompt for ask in module.prompts(task, 30, seed=5)}
    assert len(others & {ask.prompt for ask in asks}) < 5


@each_task
def test_prompts_are_sentences_that_name_their_things(module, task):
    for ask in module.prompts(task, 60):
        assert ask.prompt[0].isupper()
        assert "{" not in ask.prompt
        assert "  " not in ask.prompt
        for name in ask.things:
            assert name in NAMES
            said = plural(name) if ask.number > 1 else name
            assert said in ask.prompt.lower() or plural(name) in ask.prompt.lower()
        for word in ask.words:
            assert word in ask.prompt


@each_form
@pytest.mark.parametrize("task", lvd.TASKS)
def test_every_form_of_a_task_is_used(task, forms):
    keys = {
        "attribution": ("attribution", "alike"),
        "visibility": ("appears", "disappears"),
        "dynamic spatial": ("across", "past"),
    }.get(task, (task,))
    prompts = [ask.prompt.lower() for ask in lvd.prompts(task, 100, forms=forms)]
    for form in (form for key in keys for form in FORMS[forms][key]):
        fixed = max(form.lower().replace("}", "{").split("{")[::2], key=len).strip(" ,.")
        assert any(fixed in prompt for prompt in prompts), form


def test_held_back_forms_are_no_open_ones():
    assert FORMS["open"].keys() == FORMS["held back"].keys()
    for key, forms in FORMS["open"].items():
        assert not set(forms) & set(FORMS["held back"][key])


@pytest.mark.parametrize(
    ("module", "task", "field"),
    [
        (lvd, "numeracy", "number"),
        (vpeval, "count", "number"),
        (lvd, "visibility", "relation"),
        (lvd, "dynamic spatial", "relation"),
        (vpeval, "spatial", "relation"),
        (vpeval, "scale", "relation"),
        (vpeval, "direction", "relation"),
    ],
)
def test_answers_come_up_about_equally_often(module, task, field):
    counts = Counter(getattr(ask, field) for ask in module.prompts(task))
    assert max(counts.values()) - min(counts.values()) <= 2


def test_sequential_prompts_visit_three_corners():
    for ask in lvd.prompts("sequential"):
        assert len(set(ask.corners)) == 3
        assert set(ask.corners) <= set(lvd.CORNERS)


@pytest.mark.parametrize("count", [0, -1, 1001, True])
def test_a_wrong_number_is_refused(count):
    with pytest.raises(UserError, match="there can be 1 to 1000 for each task"):
        lvd.prompts("numeracy", count)


def test_other_wrong_options_are_refused():
    with pytest.raises(UserError, match="seed is True; it must be a whole number"):
        vpeval.prompts("object", 3, seed=True)
    with pytest.raises(UserError, match="choose one of open, held back"):
        lvd.prompts("numeracy", 3, forms="closed")
