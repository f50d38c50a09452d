"""The run-time type checker that pytest puts on every function of the package."""

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

# By PEP 484 an int will do where a float is asked for.
_check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function):
    """Check what goes in and out of `function`, unless it names `Self`, a class unknown here."""
    try:
        return _check(function)
    except BeartypeDecorHintPep673Exception:
        return function
