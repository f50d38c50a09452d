"""What training never sees: held-out (name, look) pairs, combinations of two names, and forms of
caption.

Everything here is fixed by hashes of the names themselves, so that it is the same on every
machine and stays the same when names are added. Leaves: `held_out_pairs`, `held_out_combinations`
and the split names; the held-out caption forms live beside the others in `captions.py`.
"""

import functools
import hashlib
import itertools

from vdjax.data.storybook.sprites import NAMES
from vdjax.plan.vocabulary import LOOKS

#: Split name -> number that starts its random streams. "validation" is distributed as "train".
SPLITS = {"train": 1, "validation": 2, "held_out": 3}

#: Held out: this many pairs of 256, at most one per name and as many from each look...
PAIRS = 40
#: ...and this share of the 2,016 combinations of two names.
COMBINATION_SHARE = 0.1


def _hash(*words: str) -> float:
    """A number in [0, 1) that depends on the words alone."""
    digest = hashlib.sha256("storybook|".join(words).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@functools.cache
def held_out_pairs() -> frozenset[tuple[str, str]]:
    """The (name, look) pairs that training never shows: ten per look, each of another name."""
    chosen = sorted(NAMES, key=lambda name: _hash("pair", name))[:PAIRS]
    return frozenset((name, LOOKS[number % len(LOOKS)]) for number, name in enumerate(chosen))


@functools.cache
def train_looks(name: str) -> tuple[str, ...]:
    """The looks in which training shows `name`: three or four of the four."""
    return tuple(look for look in LOOKS if (name, look) not in held_out_pairs())


@functools.cache
def held_out_combinations() -> frozenset[frozenset[str]]:
    """Pairs of different names that never meet in a training sample."""
    pairs = itertools.combinations(sorted(NAMES), 2)
    return frozenset(
        frozenset(pair) for pair in pairs if _hash("together", *pair) < COMBINATION_SHARE
    )
