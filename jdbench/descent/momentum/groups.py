"""What a group of parameters may contain, when it is added and when it is loaded."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor

from jdbench.descent.momentum.method import Momentum
from jdbench.descent.momentum.options import checked_options, checked_rate
from jdbench.errors import InputError

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
