"""The description of a scene: the sentence again, in simple words and with everybody's name.

Enters: a `Reading` and the background. Leaves: one line in lower case, in the manner of the
training captions: "a cat and a dog watch a rocket fly up at the beach". Pronouns become names,
other words for a thing become its name, what cannot be drawn is left out, and the place is said
at the end when the sentence did not say it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from vdjax.plan.english.chunk import Chunk
from vdjax.plan.english.reading import Reading
from vdjax.plan.schema import base_name

_PLACES = {
    "beach": "at the beach", "forest": "in the forest", "city": "in the city",
    "desert": "in the desert", "snowy mountains": "in the snowy mountains", "night": "at night",
    "underwater": "underwater", "kitchen": "in the kitchen", "bedroom": "in the bedroom",
    "park": "in the park", "road": "on the road", "space": "in space",
}  # fmt: skip
#: Prepositions that keep their meaning before a place: "flies over the city".
_KEPT = ("to", "over", "above", "through", "across", "along", "from", "past", "towards")
Looks = Mapping[str, Sequence[str]]
"""The adjectives of a name."""
LONGEST = 240
"""Characters in a description; a longer one is cut down to who is there and where."""
_COUNTS = ("no", "a", "two", "three", "four", "five", "six", "seven")


def place_phrase(background: str, looks: Sequence[str] = ()) -> str:
    """ "at the beach", "at the sunny beach"; names outside the vocabulary get "in the"."""
    words = _PLACES.get(background, f"in the {background}")
    return words.replace(f"the {background}", " ".join(("the", *looks, background)))


def things(
    names: Sequence[str],
    plural: Callable[[str], str],
    article: str = "a",
    looks: Looks | None = None,
) -> str:
    """ "a cat and two dogs" for ("cat", "dog", "dog 2"); with "the": "the cat and the two dogs";
    with the adjectives of some: "a black cat and two dogs"."""
    counts: dict[tuple[str, ...], int] = {}
    for name in names:
        told = (*(looks or {}).get(name, ()), base_name(name))
        counts[told] = counts.get(told, 0) + 1
    parts = []
    for told, count in counts.items():
        if count > 1:
            words = " ".join((_COUNTS[min(count, 7)], *told[:-1], plural(told[-1])))
            parts.append(f"the {words}" if article == "the" else words)
        else:
            words = " ".join(told)
            parts.append(f"{article if article == 'the' else indefinite(words)} {words}")
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def indefinite(words: str) -> str:
    """The article for these words: "a" or "an"."""
    return "an" if words[0] in "aeiou" else "a"


def describe(reading: Reading, background: str, plural: Callable[[str], str]) -> str:
    """The description of a scene before this background."""
    pieces: list[str] = []
    spoken: set[str] = set()
    looks = reading.looks
    here = place_phrase(background, looks.get(background, ()))
    if reading.silent_subject:
        pieces.append(things(reading.silent_subject, plural, looks=looks))
        spoken.update(reading.silent_subject)
    placed = many = alone = False
    verbs = 0
    dropping = False  # after a subject without a picture: its verb goes, too
    for (chunk, names), following in itertools.zip_longest(reading.said, reading.said[1:]):
        after = following[0] if following else None
        if chunk.kind in ("thing", "pronoun"):
            if names:
                pieces.append(_named(names, spoken, plural, looks))
                spoken.update(names)
                dropping, many = False, len(names) > 1 or (many and pieces[-2:-1] == ["and"])
                alone = len(names) == 1 and chunk.value == "they"
            else:
                _drop_dangling(pieces)
        elif chunk.kind == "place":
            assert chunk.noun is not None
            if chunk.noun.name != background or placed or not chunk.words:
                _drop_dangling(pieces)
                continue
            preposition = pieces[-1] if pieces and pieces[-1] in _KEPT else ""
            _drop_dangling(pieces)
            dropping = dropping or (
                not placed and after is not None and after.kind == "verb" and not pieces
            )
            plain = background in ("night", "underwater", "space")
            told = " ".join((preposition, "the", *looks.get(background, ()), background))
            pieces.append(told if preposition and not plain else here)
            placed = True
        elif chunk.kind == "unknown":
            subject = not pieces or pieces[-1] in ("and", ",", "while")
            _drop_dangling(pieces)
            dropping = subject and after is not None and after.kind == "verb"
        elif chunk.kind == "verb":
            if not dropping:
                pieces += _verb_words(chunk, after, many, alone)
                alone = False
                verbs += 1
        elif chunk.kind == "one of them":
            _drop_dangling(pieces)
        elif chunk.kind in ("quality", "adverb", "manner", "strange verb", "when", "far", "near"):
            if chunk.kind not in ("quality", "adverb"):
                pieces.append(" ".join(chunk.words))
        elif chunk.kind == "small":
            if chunk.words[0] in ("to", "up", "down", "not", "together", "again", "away"):
                pieces.append(chunk.words[0])
        elif chunk.kind == "link":
            if verbs or after is None or after.kind != "verb":
                pieces += _link_words(chunk, pieces, after, verbs)
        elif chunk.kind == "prep" and not dropping:
            pieces.append(_preposition(chunk))
        elif not dropping:
            pieces.append(" ".join(chunk.words))
    _drop_dangling(pieces)
    text = " ".join(piece for piece in pieces if piece)
    if not any(name in spoken for name in reading.entities):
        text = things(reading.entities, plural, looks=looks)
    missing = [name for name in reading.entities if name not in spoken]
    if missing and spoken:
        text = f"{text} with {things(missing, plural, looks=looks)}"
    if background == "space" and text.endswith("into space"):
        placed = True
    if not placed:
        text = f"{text} {here}"
    text = text.replace(" ,", ",").strip()
    if len(text) > LONGEST:
        text = f"{things(reading.entities, plural)} {place_phrase(background)}"
    return text


def _drop_dangling(pieces: list[str]) -> None:
    """Take away words at the end that wait for a noun that does not come."""
    while pieces and (
        pieces[-1] in (",", "and", "or", "while", "as", "when", "that", "which", "who", "to", "of")
        or pieces[-1].split(" ")[-1] in _WAITING
    ):
        head, _, last = pieces.pop().rpartition(" ")
        if head and last in ("at", "to", "with", "by", "in", "on"):  # "looks at"
            pieces.append(head)


_WAITING = frozenset(
    ("on", "in", "at", "with", "by", "from", "into", "onto", "through", "across", "along", "past",
     "over", "above", "below", "under", "behind", "beside", "near", "between", "for", "like",
     "without", "than", "around", "toward", "towards", "to", "of", "is", "are", "was", "were")
)  # fmt: skip


def _named(
    names: Sequence[str], spoken: set[str], plural: Callable[[str], str], looks: Looks
) -> str:
    """ "a black cat" when first named, "the cat" later; "another cat" beside one named before."""
    others = spoken - set(names)
    alike = {base_name(name) for name in others} & {base_name(name) for name in names}
    if set(names) <= spoken:
        return things(names, plural, "the", looks if alike else None)
    if len(names) == 1 and alike:
        told = looks.get(names[0], ())
        if all(looks.get(name, ()) == told for name in others if base_name(name) in alike):
            return " ".join(("another", *told, base_name(names[0])))
    return things(names, plural, looks=looks)


def _verb_words(chunk: Chunk, after: Chunk | None, many: bool, alone: bool) -> list[str]:
    assert chunk.verb is not None
    if after is None and chunk.words in (("is",), ("are",), ("was",), ("were",)):
        return []
    if many and chunk.verb.form == "s" and chunk.words[0] not in ("is", "has", "'s"):
        return [" ".join((chunk.verb.lemma.split(" ")[0], *chunk.words[1:]))]
    if alone and chunk.verb.form == "bare":
        return [" ".join((third_person(chunk.words[0]), *chunk.words[1:]))]
    return [" ".join(chunk.words)]


def third_person(verb: str) -> str:
    """ "flies" for "fly"."""
    if verb in ("are", "be"):
        return "is"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")


def _link_words(chunk: Chunk, pieces: list[str], after: Chunk | None, verbs: int) -> list[str]:
    word = " ".join(chunk.words)
    if not pieces or after is None or pieces[-1] in (",", "and", "while"):
        return []
    if chunk.value == "clause" and not verbs:
        return ["and"]
    if chunk.value == "clause":
        return ["while"] if word in ("while", "as", "whilst", "when", "whereas") else [word]
    return [word]


def _preposition(chunk: Chunk) -> str:
    words = "along" if chunk.value == "along" else " ".join(chunk.words)
    return {"underneath": "under", "beneath": "under", "towards": "to", "toward": "to"}.get(
        words, words
    )
