"""The exceptions of jdbench: one root, one class for each thing that a caller may handle differently."""

import difflib
import math
from collections.abc import Iterable


class JDBenchError(Exception):
    """Root of every exception that jdbench raises on purpose.

    Example:
        >>> from jdbench.aggregator import resolve
        >>> from jdbench.errors import JDBenchError
        >>> try:
        ...     resolve("UPGrad(preferences=(1, -1))")
        ... except JDBenchError as error:
        ...     print(error)
        preferences=(1, -1), required positive finite numbers, one a row, got others
    """


class InputError(JDBenchError, ValueError):
    """An argument has the wrong value, shape or type; the message names it.

    Example:
        >>> from jdbench.aggregators import CAGrad
        >>> CAGrad(c=-1.0)
        Traceback (most recent call last):
            ...
        jdbench.errors.InputError: c=-1.0, required a finite number ≥ 0, got another, try 0.5
    """


class NonFiniteError(InputError):
    """A matrix holds NaN or infinity, or entries whose squares leave the range of float64.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import Mean
        >>> Mean()(torch.tensor([[1.0, torch.nan]]))
        Traceback (most recent call last):
            ...
        jdbench.errors.NonFiniteError: J[0, 1]=NaN, required finite entries, got 1 of NaN, ...
    """


class UnknownNameError(InputError):
    """A name (aggregator, problem, solver, preset) that nothing answers to.

    Example:
        >>> from jdbench.problem import resolve_problem
        >>> resolve_problem("ZDT5")
        Traceback (most recent call last):
            ...
        jdbench.errors.UnknownNameError: problem='ZDT5', required a known problem, ... did you mean ZDT...?
    """


class StoreError(JDBenchError):
    """A store of records cannot be read or written."""


class DataError(JDBenchError):
    """A data set is not available, or a file of it is not what it should be."""


class SolverError(JDBenchError):
    """A solver stopped without an answer within its tolerance."""


class ProcessEndedError(JDBenchError):
    """Code of others ended the process that called it, or would have; the message says how."""


class ShareLostError(JDBenchError):
    """A rank of a distributed run died, raised or does not answer; the message names it where it is known."""


class MissingExtraError(JDBenchError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Return the error for a name that nothing answers to, with the nearest known names.

    Args:
        what: The kind of thing that was asked for, such as ``"problem"``.
        name: What arrived.
        known: The names that would have been accepted.

    Returns:
        The error, to be raised by the caller.

    Example:
        >>> from jdbench.errors import unknown_name
        >>> print(unknown_name("animal", "mose", ["horse", "moose"]))
        animal='mose', required a known animal, got an unknown one, did you mean moose?
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(names)}"
    return UnknownNameError(f"{what}={name!r}, required a known {what}, got an unknown one, {hint}")


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

    Example:
        >>> from jdbench.errors import checked_number
        >>> checked_number("c", 1, positive=True, hint="0.4")
        1.0
    """
    sound = isinstance(value, int | float) and 0 <= value < math.inf and not (positive and value == 0)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not sound:
        kind = "positive finite number" if positive else "finite number ≥ 0"
        raise InputError(f"{name}={value}, required a {kind}, got another, try {hint}")
    return float(value)
