"""Sizes of problems, checked at construction: a file of its own, since every family checks its sizes alike."""

from jdbench.errors import InputError


def check_size(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raise unless a size is an integer within its range.

    Args:
        name: Name of the argument.
        value: What was given.
        least: Smallest that is allowed.
        most: Largest that is allowed; None for no limit.

    Raises:
        InputError: It is not.
    """
    if not (isinstance(value, int) and value >= least and (most is None or value <= most)):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InputError(f"{name}={value!r}, required an integer {span}, got another, try {least}")
