"""The data card's counts are the code's."""

from collections import Counter
from pathlib import Path

from vdjax.data import storybook
from vdjax.data.storybook import backgrounds, captions, splits
from vdjax.plan.vocabulary import LOOK_WORDS, Vocabulary

CARD = Path(storybook.__file__).with_name("README.md").read_text(encoding="utf-8")


def test_counts_of_things_looks_and_backgrounds():
    kinds = Counter(word.category for word in Vocabulary.storybook().entities.values())
    assert (
        f"{sum(kinds.values())}: {kinds['animal']} animals, {kinds['vehicle']} vehicles, "
        f"{kinds['food']} food, {kinds['person']} people, {kinds['object']} objects"
    ) in CARD
    for look, word in LOOK_WORDS.items():
        assert f'`{look}` ("{word}")' in CARD
    assert f"{len(storybook.BACKGROUNDS)}: {', '.join(storybook.BACKGROUNDS)}" in CARD
    assert (
        f"{backgrounds.TRAIN_VARIANTS} for training, {backgrounds.HELD_OUT_VARIANTS} more" in CARD
    )


def test_counts_of_what_is_held_out():
    pairs, apart = len(splits.held_out_pairs()), len(splits.held_out_combinations())
    assert f"{pairs} of 256 ({pairs / 256:.1%})".replace("%", " %") in CARD
    assert f"{apart} of 2,016 ({apart / 2016:.1%})".replace("%", " %") in CARD
    still, clip = len(captions.STILL_FORMS), len(captions.CLIP_FORMS)
    assert f"{still} forms for stills and {clip} for clips" in CARD
    assert f"{len(captions.HELD_OUT_STILL_FORMS)} of {still + 2} for stills" in CARD
    assert f"{len(captions.HELD_OUT_CLIP_FORMS)} of {clip + 2} for clips" in CARD


def test_the_card_names_every_split():
    for split in splits.SPLITS:
        assert f"| `{split}` |" in CARD
