"""Validated scalar parameters of aggregators."""

import math

from jdbench.errors import InputError


def checked_number(name: str, value: float, *, positive: bool, hint: str) -> float:
    """Return a parameter as a float.

    Args:
        name: The parameter, for the message of an error.
        value: A finite number, at least 0.
        positive: Whether 0 is refused too.
        hint: A value to try.

    Returns:
        The same number.

    Raises:
        InputError: It is something else.
    """
    sound = isinstance(value, int | float) and 0 <= value < math.inf and not (positive and value == 0)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not sound:
        kind = "positive finite number" if positive else "finite number ≥ 0"
        raise InputError(f"{name}={value}, required a {kind}, got another, try {hint}")
    return float(value)
