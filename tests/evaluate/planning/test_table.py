"""The table: a column for each director, beside what LVD published."""

import pytest

from vdjax.evaluate.planning import measure
from vdjax.evaluate.planning.table import PUBLISHED, format_table
from vdjax.plan import PlanError


class Silent:
    def plan(self, prompt, seed=0):
        raise PlanError("nothing")


@pytest.fixture(scope="module")
def results():
    def run(director, name):
        return measure.run(director, name=name, prompts=2, seed=3, report=lambda line: None)

    return [run("rules", "rules"), run(Silent(), "silent")]


def cells(table, label):
    """The cells of the first row with this label."""
    line = next(line for line in table.splitlines() if line.strip().startswith(label))
    return line.replace(label, "", 1).split("  ")


def test_directors_stand_beside_one_another_and_beside_the_published(results):
    table = format_table(results)
    assert max(map(len, table.splitlines())) <= 100
    head = table.splitlines()[1]
    names = ("rules", "silent", "GPT-4, published", "GPT-3.5, published")
    assert [head.index(name) for name in names] == sorted(head.index(name) for name in names)
    row = [cell.strip() for cell in cells(table, "all five") if cell.strip()]
    assert row[1] == "0 % [0, 28]"
    assert row[2:] == ["98 %", "77 %"]
    assert "2 open, seed 3" in table
    for label in ("numeracy", "its words kept", "direction", "valid plans", "seconds, longest"):
        assert cells(table, label)


def test_what_is_not_known_is_a_dash(results):
    table = format_table(results)
    for label in ("plans all by the model", "repair rounds", "tokens in"):
        assert {cell.strip() for cell in cells(table, label)} - {""} == {"–"}


def test_no_directors_no_table():
    assert format_table([]) == ""


def test_published_means_are_the_means_of_their_parts():
    five = [value for task, value in PUBLISHED["GPT-4"].items() if task != "LVD, all five"]
    assert round(sum(five) / 5) == PUBLISHED["GPT-4"]["LVD, all five"]
