"""The stories and their measure: known answers, and figures that can go down."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdjax.errors import UserError
from vdjax.evaluate.stories import (
    HALVES,
    NAMERS,
    b_cubed,
    exact,
    format_stories,
    linked,
    measure,
    run_stories,
    stories,
)
from vdjax.plan import base_name
from vdjax.plan.vocabulary import Vocabulary

ENTITIES = Vocabulary.storybook().entities


def test_there_are_enough_stories_and_two_equal_halves():
    assert len(stories()) >= 60
    counts = [[s.kind for s in stories(half)] for half in HALVES]
    assert sorted(counts[0]) == sorted(counts[1])
    assert len({story.name for story in stories()}) == len(stories())
    with pytest.raises(UserError, match="half 'other' is not known"):
        stories("other")


def test_every_story_is_marked_as_it_should_be():
    for story in stories():
        assert 3 <= len(story.sentences) <= 6
        assert all(story.mentions)
        for sentence, mentions in zip(story.sentences, story.mentions, strict=True):
            assert not re.search(r"[{}|]", sentence)
            assert all(mention in sentence for mention in mentions)
        names = {name for scene in story.meant for who in scene for name in who}
        if story.kind != "free":
            assert {base_name(name) for name in names} <= set(ENTITIES), story.name


Clusters = list[tuple[str, ...]]


@pytest.mark.parametrize(
    ("gold", "found", "precision", "recall"),
    [
        ("aabb", "ccdd", 1, 1),
        ("aabb", "cccc", 1 / 2, 1),
        ("aabb", "cdef", 1, 1 / 2),
        # Bagga and Baldwin's example: 1 2 3 4 5 | 6 7 | 8 9 A B C, the last two put together.
        ("aaaaabbccccc", "aaaaabbbbbbb", 1 - 5 / 21, 1),
        ("aaaaabbccccc", "aaaaabbaaaaa", 7 / 12, 1),
    ],
)
def test_b_cubed_of_known_answers(gold: str, found: str, precision: float, recall: float):
    one, other = [(c,) for c in gold], [(c,) for c in found]
    assert b_cubed(one, other) == pytest.approx((precision, recall))


def test_several_entities_count_by_what_is_shared():
    gold: Clusters = [("a",), ("b",), ("a", "b")]
    assert b_cubed(gold, gold) == (1, 1)
    half: Clusters = [("x",), ("y",), ("x",)]
    precision, recall = b_cubed(gold, half)
    assert precision == 1
    assert recall == pytest.approx((1 + 1 / 2 + (1 + 0 + 1 / 2) / 3) / 3)
    assert linked(gold, half) == (1, 1, 2)


LABELS = st.lists(st.sampled_from("abc").map(lambda c: (c,)), min_size=1, max_size=8)


@given(st.tuples(LABELS, LABELS).filter(lambda p: len(p[0]) == len(p[1])))
def test_b_cubed_is_a_share_and_turns_round(pair: tuple[Clusters, Clusters]):
    gold, found = pair
    precision, recall = b_cubed(gold, found)
    assert 0 < precision <= 1
    assert 0 < recall <= 1
    assert b_cubed(found, gold) == pytest.approx((recall, precision))


def test_a_namer_that_knows_all_gets_all_and_one_that_knows_nothing_does_not():
    chosen = stories("open")
    answers = {story.sentences: story.meant for story in chosen}

    def oracle(mentions: object, sentences: Sequence[str]) -> Sequence[Sequence[tuple[str, ...]]]:
        return answers[tuple(sentences)]

    best = measure(oracle, chosen)
    assert best["b_cubed"]["f1"] == best["pairs"]["f1"] == best["stories_right"] == 1

    def alike(mentions: Sequence[Sequence[str]], sentences: object) -> list[list[tuple[str, ...]]]:
        return [[("x",) for _ in scene] for scene in mentions]

    assert measure(alike, chosen)["b_cubed"]["precision"] < 0.6
    assert measure(exact, chosen)["b_cubed"]["recall"] < 0.6


def test_the_figures_that_were_asked_for():
    result = run_stories()
    for half in HALVES:
        figures = result[half]
        assert figures["resolve"]["b_cubed"]["f1"] >= 0.9
        assert figures["resolve"]["b_cubed"]["f1"] > figures["exact match"]["b_cubed"]["f1"] + 0.2
        assert figures["plans"]["f1"] >= 0.9
    table = format_stories(result)
    assert all(name in table for name in (*NAMERS, *HALVES))
    assert max(len(line) for line in table.splitlines()) <= 90
