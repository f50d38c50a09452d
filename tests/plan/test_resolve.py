"""Who is meant by "it", "the other one", "Mittens": over scenes, with and without sentences."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vdjax.plan import PlanError, plan
from vdjax.plan.english import words
from vdjax.plan.resolve import meant, resolve
from vdjax.plan.vocabulary import Vocabulary

VOCABULARY = Vocabulary.storybook()


def told(*scenes: str) -> list[list[str]]:
    """Resolve sentences in which mentions stand in braces."""
    mentions = [[part.split("}")[0] for part in scene.split("{")[1:]] for scene in scenes]
    return resolve(mentions, [scene.replace("{", "").replace("}", "") for scene in scenes])


def test_the_many_names_of_a_cat():
    names = [["the cat"], ["it"], ["Mittens the cat", "a dog"], ["a fluffy cat"], ["Mittens"]]
    assert resolve(names) == [["cat"], ["cat"], ["cat", "dog"], ["cat"], ["cat"]]


def test_a_name_that_stays_the_same_stays_as_it_is():
    names = [["fluffy Siamese cat", "bed"], ["fluffy Siamese cat"], ["gourmet cat snack"]]
    assert resolve(names) == names


@pytest.mark.parametrize(
    ("scenes", "last"),
    [
        # pronouns: the part in the sentence, the verb, the gender
        (("{A cat} finds {a ball}.", "{It} sleeps."), ["cat"]),
        (("{A cat} finds {a ball}.", "{It} bounces."), ["ball"]),
        (("{A cat} finds {a ball}.", "{A dog} takes {it}."), ["dog", "ball"]),
        (("{A boy} meets {a princess}.", "{She} waves at {him}."), ["princess", "boy"]),
        (("{A cat} sees {a car}.", "{It} drives away."), ["car"]),
        (("{A cat} sees {a car}.", "{It} climbs into {it}."), ["cat", "car"]),
        (("{A mouse} eats {a cake} beside {a guitar}.", "{A pig} plays {it}."), ["pig", "guitar"]),
        (("{A cat} washes {itself}.",), ["cat", "cat"]),
        # several
        (("{A cat} and {a dog} sit.", "{A bee} chases {them}."), ["bee", "cat and dog"]),
        (("{A pig} meets {a cow}.", "{They} dance."), ["pig and cow"]),
        (("{Two ducks} swim.", "{Both ducks} fly."), ["duck and duck 2"]),
        (("{A pig}, {a cow} and {a goat} sing.", "{The pig} stops.", "{The others} go on."),
         ["cow and goat"]),
        (("{A bee} chases {a dog} and {a cat}.", "{The bee} waits.", "{Both of them} run."),
         ["dog and cat"]),
        # one and the other
        (("{Two cats} sit.", "{One cat} jumps.", "{The other one} sleeps."), ["cat 2"]),
        (("{A dog} runs.", "{Another dog} comes.", "{The first dog} barks."), ["dog"]),
        (("{A dog} and {a cat} sit.", "{One of them} barks.", "{The other} runs."), ["cat"]),
        (("{A black cat} and {a white cat} sit.", "{The white one} runs."), ["white cat"]),
        (("{A big dog} meets {a small dog}.", "{The little dog} runs."), ["small dog"]),
        # names and kinds
        (("{A dog named Rex} runs.", "{A cat} sees {Rex}."), ["cat", "dog"]),
        (("{Salt the dog} and {Ash the dog} run.", "{Ash} stops."), ["dog 2"]),
        (("{A dog named Rex} and {a dog named Ash} run.", "{Ash} stops."), ["dog 2"]),
        (("{Tom} meets {Anna}.", "{She} greets {him}."), ["Anna", "Tom"]),
        (("{A kitten} sits.", "{The cat} sleeps."), ["kitten"]),
        (("{A tiger} sees {a bus}.", "{The animal} runs after {the vehicle}."), ["tiger", "bus"]),
        (("{A robot} finds {a lamp}.", "{The robot} repairs {it}."), ["robot", "lamp"]),
        (("{A lion} meets {a tiger}.", "{The lion} roars."), ["lion"]),
    ],
)  # fmt: skip
def test_who_is_meant(scenes: tuple[str, ...], last: list[str]):
    assert told(*scenes)[-1] == last


@pytest.mark.parametrize(
    ("prompt", "last"),
    [
        ("Two dancers bow. The two dancers jump.", {"dancer", "dancer 2"}),
        ("A black cat and a white cat sit. The white one jumps.", {"cat 2"}),
        ("A dog and a cat sit. One of them barks. The other jumps.", {"cat"}),
        ("A pig, a cow and a goat sit. The pig jumps. The others run.", {"cow", "goat"}),
        ("A cat sees a ball. The animal jumps.", {"cat"}),
        ("A cat sees a ball. The toy bounces.", {"ball"}),
        ("A dog named Rex and a dog named Ash sit. Ash jumps.", {"dog 2"}),
        ("A cat puts a cake next to a guitar. A pig plays it.", {"pig", "guitar"}),
    ],
)
def test_rules_ask_the_same_cast(prompt: str, last: set[str]):
    assert set(plan(prompt).scenes[-1].entities) == last


def test_in_a_list_everybody_is_somebody_else():
    assert resolve([["black cat", "cat"], ["cat", "black cat"]]) == [
        ["black cat", "cat"],
        ["cat", "black cat"],
    ]
    assert resolve([["cat", "cat"], ["cat 2"]]) == [["cat", "cat 2"], ["cat 2"]]


def test_with_a_vocabulary_its_names_are_used():
    names = [["a kitten", "a big fox", "a wolf", "robot"]]
    assert meant(names) == [[("kitten",), ("big fox",), ("wolf",), ("robot",)]]
    assert meant(names, vocabulary=VOCABULARY) == [[("cat",), ("dog",), ("dog 2",), ("robot",)]]


def test_what_means_nobody_keeps_its_words():
    assert resolve([["it"], ["They", "he"]]) == [["it"], ["They", "he"]]


def test_sentences_are_one_for_each_scene():
    with pytest.raises(PlanError, match="1 sentences for 2 scenes"):
        resolve([["cat"], ["it"]], ["A cat."])


@pytest.mark.parametrize(
    "prompt",
    [
        "A cat meets a dog. They dance. Another cat comes.",
        "Two cats sit. One cat jumps. The other cat sleeps.",
        "A police car chases a car. It stops at a tree.",
        "three ducks and a duck swim, then an owl and an owl fly",
    ],
)
def test_the_names_of_rules_mean_what_they_mean(prompt: str):
    scenes = plan(prompt).scenes
    for vocabulary in (None, VOCABULARY):
        told = [scene.description for scene in scenes]
        found = meant([scene.entities for scene in scenes], told, vocabulary)
        assert found == [[(name,) for name in scene.entities] for scene in scenes]


MENTIONS = st.lists(
    st.one_of(
        st.lists(
            st.sampled_from(
                [
                    *(*VOCABULARY.entities, *words.PRONOUNS, *words.DETERMINERS, *words.NUMBERS),
                    *("other", "one", "named", "called", "Rex", "'s", "second", "black", "of"),
                ]
            ),
            max_size=4,
        ).map(" ".join),
        st.text(max_size=12),
    ),
    max_size=5,
)


@given(st.lists(MENTIONS, max_size=4), st.booleans())
@example([["cat 2", "CAT", "the", "", "a", "the other", "'s"]], True)
@example([["Two cats named A, B and C", "the second cat", "B"]], True)
def test_any_names_have_an_answer(mentions: list[list[str]], sentences: bool):
    texts = [", ".join(scene) for scene in mentions] if sentences else []
    found = meant(mentions, texts)
    assert [len(scene) for scene in found] == [len(scene) for scene in mentions]
    assert all(names for scene in found for names in scene)
    assert meant(mentions, texts) == found
