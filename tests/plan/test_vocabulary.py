"""The vocabulary is complete, unambiguous and cheap to load."""

import subprocess
import sys

from vdjax.plan.vocabulary import LOOK_WORDS, LOOKS, Vocabulary


def test_there_are_64_things_and_12_backgrounds():
    vocabulary = Vocabulary.storybook()
    assert len(vocabulary.entities) == 64
    assert len(vocabulary.backgrounds) == 12
    assert set(LOOK_WORDS) == set(LOOKS)


def test_every_field_is_in_range():
    for name, word in Vocabulary.storybook().entities.items():
        assert word.name == name
        assert word.plural
        assert word.category in {"animal", "vehicle", "food", "person", "object"}
        assert word.place in {"ground", "sky", "water", "any"}
        assert 0.2 <= word.height <= 0.6
        assert 0.5 < word.aspect < 2


def test_a_keyword_means_one_thing_only():
    vocabulary = Vocabulary.storybook()
    meaning: dict[str, str] = {}
    listed = [(name, word.keywords) for name, word in vocabulary.entities.items()]
    for name, keywords in [*listed, *vocabulary.backgrounds.items()]:
        for keyword in keywords:
            assert keyword == keyword.lower().strip()
            assert keyword not in vocabulary.entities, f"'{keyword}' of '{name}' is itself a name"
            assert keyword not in meaning, f"'{keyword}' means {meaning.get(keyword)} and {name}"
            meaning[keyword] = name
    assert meaning["kitten"] == "cat"
    assert meaning["soccer ball"] == "ball"
    assert meaning["seaside"] == "beach"


def test_it_loads_without_jax_or_numpy():
    code = (
        "import sys; from vdjax.plan.vocabulary import Vocabulary; Vocabulary.storybook(); "
        "print([m for m in ('jax', 'numpy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
