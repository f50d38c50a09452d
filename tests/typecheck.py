"""The run-time type checker that pytest puts on every function of the package."""

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception, BeartypeDecorHintPep3119Exception

# By PEP 484 an int will do where a float is asked for.
_check = beartype(conf=BeartypeConf(is_pep484_tower=True))


# `Self` in a lone method, and Protocols, whose methods are for mypy to check.
_BEYOND_RUN_TIME = (BeartypeDecorHintPep673Exception, BeartypeDecorHintPep3119Exception)


def checked(function):
    """Check what goes in and out of `function`, unless its types can only be checked unrun."""
    try:
        return _check(function)
    except _BEYOND_RUN_TIME:
        return function
