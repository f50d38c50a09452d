"""The run-time type checker that pytest puts on every function of the package."""

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

_check = beartype(
    conf=BeartypeConf(is_pep484_tower=True)
)  # an int will do where a float is asked for


def checked(function):
    """Check `function`'s arguments and result, unless it names `Self`, whose class is unknown here."""
    try:
        return _check(function)
    except BeartypeDecorHintPep673Exception:
        return function
