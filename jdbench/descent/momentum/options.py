"""Validated options of the methods with momentum, and what becomes of them: coefficients, one a parameter."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from jdbench.errors import InputError, checked_number


class Option(NamedTuple):
    """An option of a method.

    Attributes:
        default: Its value if none is given.
        check: Called with name and value, returns the value or raises `InputError`.
    """

    default: Any
    check: Callable[[str, Any], Any]


def below_one(name: str, value: float) -> float:
    """Return a decay rate within [0, 1) as a float; the name is for the message of an error.

    Raises:
        InputError: It is something else.
    """
    if not checked_number(name, value, positive=False, hint="0.9") < 1:
        raise InputError(f"{name}={value}, required a number below 1, got another, try 0.9")
    return float(value)


def _inside(name: str, value: float) -> float:
    checked_number(name, value, positive=True, hint="0.9")
    return below_one(name, value)


def _pair(name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, tuple | list) or len(cast("Sequence[Any]", value)) != 2:
        raise InputError(f"{name}={value!r}, required a pair of numbers, got another, try (0.9, 0.999)")
    first, second = cast("Sequence[float]", value)
    return below_one(f"{name}[0]", first), below_one(f"{name}[1]", second)


def _not_negative(name: str, value: float) -> float:
    return checked_number(name, value, positive=False, hint="0.01")


def _positive(name: str, value: float) -> float:
    return checked_number(name, value, positive=True, hint="1e-8")


def checked_rate(value: Any) -> Any:
    """Return a learning rate as it is: a finite number ≥ 0, or a tensor that holds one, which schedulers fill.

    Raises:
        InputError: It is something else.
    """
    number = cast("float", value.item() if isinstance(value, Tensor) and value.numel() == 1 else value)
    checked_number("lr", number, positive=False, hint="1e-3")
    return value


MOMENTUM = Option(0.9, below_one)
"""μ within [0, 1)."""

SOME_MOMENTUM = Option(0.9, _inside)
"""μ within (0, 1)."""

BETAS = Option((0.9, 0.999), _pair)
"""β₁ and β₂, both within [0, 1)."""

EPS = Option(1e-8, _positive)
"""ε > 0: it keeps the metric positive where all gradients so far are 0."""

MOMENTUM_DECAY = Option(0.004, _not_negative)
"""ψ ≥ 0."""


def weight_decay(default: float) -> Option:
    """Return the option λ ≥ 0 with a default."""
    return Option(default, _not_negative)


def checked_options(owner: str, options: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given value of every option of a method, or its default.

    Raises:
        InputError: A name is none of the options, or a value is out of its range.
    """
    for name, value in given.items():
        if name not in options:
            raise InputError(
                f"{name}={value!r}, required keywords that {owner} takes ({', '.join(options)}), got another, "
                "leave it out"
            )
    return {name: option.check(name, given.get(name, option.default)) for name, option in options.items()}


def coefficients(values: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Return options as tensors, computed with before they are rounded to the dtype of parameters.

    They are float64, shape ``[P]`` for P parameters, or ``[2, P]`` for pairs.
    """
    return {
        name: torch.tensor([own[name] for own in values], dtype=torch.float64).movedim(0, -1)
        for name in values[0]
    }
