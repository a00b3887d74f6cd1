"""Validated numbers of the methods with momentum."""

from jdbench.aggregators.numbers import checked_number
from jdbench.errors import InputError


def below_one(name: str, value: float) -> float:
    """Return a decay rate as a float.

    Args:
        name: The parameter, for the message of an error.
        value: A number within [0, 1).

    Returns:
        The same number.

    Raises:
        InputError: It is something else.
    """
    if not checked_number(name, value, positive=False, hint="0.9") < 1:
        raise InputError(f"{name}={value}, required a number below 1, got another, try 0.9")
    return float(value)
