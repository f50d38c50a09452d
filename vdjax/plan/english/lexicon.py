"""From a word to what can be drawn, or to the news that it cannot.

Enters: one to three words as they stand in the text. Leaves: a `Noun` (the name of an entity or
of a background, how the word was understood), a verb's lemma and form, or nothing. The order of
search: the names themselves and their plurals, a short table of kin, the keywords that came with
the pictures, and last, for misspellings, likeness of the letters.
"""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass

from vdjax.plan.english import words
from vdjax.plan.vocabulary import EntityWord, Vocabulary

LIKENESS = {5: 0.8, 7: 0.7}
"""How alike two words' letters must be (difflib's ratio) for one to pass as a slip of the other,
from a number of letters on. Short words are alike too easily ("cart" is no car)."""
_LEAST_LETTERS = min(LIKENESS)


@dataclass(frozen=True)
class Noun:
    """A noun that was understood.

    `name` is an entity's or a background's; `said` is the word in the singular as it was written;
    `how` is "name", "kin", "keyword" or "likeness"; `length` counts its words.
    """

    name: str
    place: bool
    plural: bool
    said: str
    how: str
    length: int


@dataclass(frozen=True)
class Verb:
    """A verb: lemma, motion (see `words.VERBS`), form ("s", "ing", "ed", "bare"), words in it."""

    lemma: str
    action: str
    form: str
    length: int


def singulars(word: str) -> tuple[str, ...]:
    """What `word` may be the plural of; the word itself is not among them."""
    if word in words.PLURALS:
        return (words.PLURALS[word],)
    found = []
    if word.endswith("ies") and len(word) > 4:
        found.append(word[:-3] + "y")
    if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        found.append(word[:-2])
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2:
        found.append(word[:-1])
    return tuple(found)


def lemmas(word: str) -> tuple[tuple[str, str], ...]:
    """What verb `word` may be a form of, with the form."""
    found = [(word, "bare")]
    if word in words.IRREGULAR:
        form = "ing" if word.endswith("ing") else "s" if word in ("is", "has", "'s") else "ed"
        found.insert(0, (words.IRREGULAR[word], form))
    if word.endswith("ies"):
        found.append((word[:-3] + "y", "s"))
    if word.endswith("es"):
        found.append((word[:-2], "s"))
    if word.endswith("s"):
        found.append((word[:-1], "s"))
    for ending, form in (("ing", "ing"), ("ed", "ed")):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 1:
            found += [(stem, form), (stem + "e", form)]
            if len(stem) > 2 and stem[-1] == stem[-2]:
                found.append((stem[:-1], form))
            if stem.endswith("i"):
                found.append((stem[:-1] + "y", form))
            if stem.endswith("y") and ending == "ing":
                found.append((stem[:-1] + "ie", form))
    return tuple(found)


class Lexicon:
    """All the words, for one vocabulary of pictures."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.entities = vocabulary.entities
        self.backgrounds = vocabulary.backgrounds
        self._nouns: dict[str, tuple[str, bool, str]] = {}  # word: (name, is a place, how)
        for name in vocabulary.entities:
            self._nouns[name] = (name, False, "name")
        for name in vocabulary.backgrounds:
            self._nouns.setdefault(name, (name, True, "name"))
        for word, name in words.KIN.items():
            if name in vocabulary.entities:
                self._nouns.setdefault(word, (name, False, "kin"))
        for word, name in words.PLACE_KIN.items():
            if name in vocabulary.backgrounds:
                self._nouns.setdefault(word, (name, True, "kin"))
        for table, place in ((vocabulary.entities, False), (vocabulary.backgrounds, True)):
            for name, entry in table.items():
                keywords = entry.keywords if isinstance(entry, EntityWord) else entry
                for word in keywords:
                    if not self._misleading(word):
                        self._nouns.setdefault(word, (name, place, "keyword"))
        self._plurals = {
            word.plural: name
            for name, word in vocabulary.entities.items()
            if word.plural != name and word.plural not in self._nouns
        }
        self._longest = max(len(word.split()) for word in self._nouns)
        self._spelled = [word for word in self._nouns if len(word) >= _LEAST_LETTERS]

    @staticmethod
    @functools.cache
    def storybook() -> Lexicon:
        """The lexicon of the vocabulary that ships with the package."""
        return Lexicon(Vocabulary.storybook())

    @staticmethod
    def _misleading(word: str) -> bool:
        """Whether a keyword is first of all an adjective or a verb, or no word at all."""
        if word in words.ADJECTIVES or word in words.COLOURS or word in words.SIZES:
            return True
        return word in words.VERBS or any(character.isdigit() for character in word)

    def noun(self, tokens: tuple[str, ...]) -> Noun | None:
        """The longest noun at the beginning of `tokens`, spelled as it should be."""
        if len(tokens) > 1 and " ".join(tokens[:2]) in words.UNDRAWABLE:  # "hot dog" is no dog
            return None
        for length in range(min(self._longest, len(tokens)), 0, -1):
            word = " ".join(tokens[:length])
            found = self._exact(word, length)
            if found:
                return found
        return None

    def _exact(self, word: str, length: int) -> Noun | None:
        if word in self._nouns:
            name, place, how = self._nouns[word]
            return Noun(name, place, word in words.PLURALS and how != "name", word, how, length)
        if word in self._plurals:
            name = self._plurals[word]
            return Noun(name, False, True, name, "name", length)
        head, _, last = word.rpartition(" ")
        for single in singulars(last):
            whole = f"{head} {single}".strip()
            if whole in self._nouns:
                name, place, how = self._nouns[whole]
                return Noun(name, place, True, whole, how, length)
        return None

    def misspelled(self, word: str) -> Noun | None:
        """The noun whose letters are most like `word`, if any are like enough."""
        if len(word) < _LEAST_LETTERS or self.known(word):
            return None
        cutoff = LIKENESS[max(letters for letters in LIKENESS if len(word) >= letters)]
        for spelled in dict.fromkeys((word, *singulars(word))):
            same_start = [other for other in self._spelled if other[0] == spelled[0]]
            match = difflib.get_close_matches(spelled, same_start, n=1, cutoff=cutoff)
            if match:
                name, place, _ = self._nouns[match[0]]
                return Noun(name, place, spelled != word, spelled, "likeness", 1)
        return None

    def known(self, word: str) -> bool:
        """Whether a word stands in any of the lists, drawable or not."""
        if word in words.UNDRAWABLE or word in words.SMALL or self.adjective(word):
            return True
        if word in words.SPEEDS or word in words.PRONOUNS or word in words.NUMBERS:
            return True
        if word in words.AUXILIARIES:
            return True
        if any(single in words.UNDRAWABLE for single in singulars(word)):
            return True
        return self.verb((word,)) is not None

    def undrawable(self, word: str) -> bool:
        """Whether a word is a noun known to have no picture."""
        if self._exact(word, 1) is not None:
            return False
        return word in words.UNDRAWABLE or any(s in words.UNDRAWABLE for s in singulars(word))

    def adjective(self, word: str) -> bool:
        """Whether a word says how something is: its size, colour or another quality."""
        listed = (words.SIZES, words.COLOURS, words.ADJECTIVES, words.COMPARED)
        if any(word in table for table in listed):
            return True
        if word in words.SMALL:  # "later"
            return False
        return any(
            word.endswith(end) and word[: -len(end)] in words.ADJECTIVES | words.SIZES.keys()
            for end in ("er", "r", "est")
        )

    def verb(self, tokens: tuple[str, ...]) -> Verb | None:
        """The verb at the beginning of `tokens`, a particle ("take off") included."""
        if not tokens:
            return None
        for lemma, form in lemmas(tokens[0]):
            for length in (3, 2):
                whole = " ".join((lemma, *tokens[1:length]))
                if len(tokens) >= length and whole in words.VERBS:
                    return Verb(whole, words.VERBS[whole], form, length)
        for lemma, form in lemmas(tokens[0]):
            if lemma in words.VERBS:
                return Verb(lemma, words.VERBS[lemma], form, 1)
        return None
