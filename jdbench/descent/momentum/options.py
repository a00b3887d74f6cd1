"""Validated options of the methods with momentum, as coefficients of parameters, and their groups."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from jdbench.descent.momentum.method import Momentum
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


LABELS = {
    *("params", "param_names", "name"),
    *("initial_lr", "max_lr", "min_lr", "swa_lr", "base_momentum", "max_momentum"),
}
"""What a group may hold that is no option: its parameters and names, and what schedulers write there."""

CHANGING = ("amsgrad", "maximize", "dampening", "nesterov")
"""Options of torch's optimisers that would change the steps; one loaded with them is another method."""


def checked_group(
    method: type[Momentum],
    group: Mapping[str, Any],
    defaults: Mapping[str, Any],
    others: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return a copy of a group with a value for every option of the method and its parameters in a list.

    Raises:
        InputError: An option is unknown or out of its range, or a parameter comes twice.
    """
    if not isinstance(group, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        return group  # torch says what is wrong
    if "params" not in group:
        raise InputError(f"param_group={dict(group)!r}, required a group with params, got none, add them")
    if "aggregator" in group or "seed" in group:
        raise InputError(
            "param_group with an aggregator or a seed, required options of the method, got one of the whole "
            "optimiser, whose rows are all groups together, make an optimiser for each aggregator"
        )
    given = {name: value for name, value in group.items() if name not in {*LABELS, "lr"}}
    options = {name: defaults[name] for name in method.options} | given
    params = group["params"]
    # torch refuses sets, whose order is another in the next process.
    members = [params] if isinstance(params, Tensor) else params
    members = members if isinstance(members, set) else list(cast("Sequence[Any]", members))
    if isinstance(members, list):
        _check_once(members, others)
    return {
        **group,
        "params": members,
        "lr": checked_rate(group.get("lr", defaults["lr"])),
        **checked_options(method.__name__, method.options, options),
    }


def check_loaded(
    method: type[Momentum], state: Mapping[Any, Mapping[str, Any]], groups: Sequence[Mapping[str, Any]]
) -> None:
    """Raise unless a loaded state, by parameter, and the groups saved with it are those of a method.

    Raises:
        InputError: An option is missing or out of its range, or what is kept of a parameter is not what the
            method keeps.
    """
    for i, group in enumerate(groups):
        missing = [name for name in ("lr", *method.options) if name not in group]
        foreign = [name for name in CHANGING if group.get(name)]
        if group.get("decoupled_weight_decay", method.decoupled) != method.decoupled:
            foreign.append("decoupled_weight_decay")
        if missing or foreign:
            raise InputError(
                f"state_dict, required group {i} of {method.__name__}, got one "
                + " and ".join(
                    [f"without {', '.join(missing)}"] * bool(missing)
                    + [f"with {', '.join(foreign)}"] * bool(foreign)
                )
                + ", load it into the optimiser that saved it"
            )
    names = {*method.buffers.values(), *(name for name, _ in method.counts.values())}
    for parameter, own in state.items():
        if not isinstance(parameter, Tensor) or not own:
            continue
        wrong = {*own} ^ names or {
            name
            for name in method.buffers.values()
            if not isinstance(own[name], Tensor) or own[name].shape != parameter.shape
        }
        if wrong:
            raise InputError(
                f"state_dict, required of a parameter of shape {tuple(parameter.shape)} "
                f"{', '.join(sorted(names))} of {method.__name__}, buffers in its shape, got another "
                f"{', '.join(sorted(wrong))}, load it into the optimiser that saved it"
            )


def _check_once(members: list[Any], others: Sequence[Mapping[str, Any]]) -> None:
    """Raise if a parameter comes twice; torch only warns of it within a group, and moves it twice."""
    seen = {id(p) for other in others for p in other["params"]}
    for place, member in enumerate(members):
        parameter = cast("tuple[str, Any]", member)[-1] if isinstance(member, tuple) else member
        if id(parameter) in seen:
            raise InputError(
                f"param_group={len(others)}, required every parameter once, got parameter {place} again, leave "
                "it out of all groups but one"
            )
        seen.add(id(parameter))
