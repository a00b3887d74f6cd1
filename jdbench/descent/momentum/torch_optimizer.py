"""The methods of this package as an optimiser of torch, for any training loop.

What is kept of each parameter, under torch's names, and the flat vectors that a step is computed with.

Buffers have the dtype of their parameter, as torch's `load_state_dict` makes them. Counts are Python's numbers,
which it leaves as they are: it would round a tensor to the dtype of the parameter, which may be half-precise.
"""

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, cast

import torch
from torch import Tensor

from jdbench.aggregator import AnyAggregator, aggregate, resolve
from jdbench.descent.directions import MemberAggregators
from jdbench.descent.momentum.combination import Combination
from jdbench.descent.momentum.groups import check_loaded, checked_group
from jdbench.descent.momentum.method import Momentum
from jdbench.descent.momentum.options import checked_options, checked_rate, coefficients
from jdbench.errors import InputError
from jdbench.shapes import Vector


class CombinedOptimizer(torch.optim.Optimizer):
    """A method with momentum over all parameters at once, the gradient in their ``.grad``.

    One row is the gradient of all parameters that have one, the other their momentum, across groups: groups
    give options, and dividing parameters into groups of equal options changes nothing. With
    ``aggregator="Mean"`` it is torch's optimiser of the method's name. It is saved, loaded, copied and
    scheduled as torch's are.

    A parameter whose ``.grad`` is None, or that requires no gradient, is passed over as if it were not
    there: it neither moves nor decays, its momentum has no part in the rows, and its state waits, as in
    torch. (Where ``requires_grad`` is off and an old ``.grad`` is left, torch goes on moving; this does
    not.) Gradients with entries that are NaN or beyond 1e150 are added, not aggregated, and spoil the
    parameters as they do in torch.

    Parameters may have different dtypes and devices: a step is computed in the widest dtype among them, at
    least float32, on the device of the first. Complex ones count as pairs of real ones. Random aggregators
    draw from a generator seeded by ``seed`` and the steps taken, so that a training that goes on from its
    ``state_dict``, and replicas on other processes, draw the same. What somebody else's aggregator
    remembers from call to call is no part of ``state_dict``; pickling and copying the optimiser keep it.

    Example:
        >>> import torch
        >>> from jdbench.momentum import AdamW, CombinedOptimizer
        >>> model = torch.nn.Linear(3, 1)
        >>> groups = [{"params": [model.weight]}, {"params": [model.bias], "weight_decay": 0.0}]
        >>> optimizer = CombinedOptimizer(groups, AdamW, lr=1e-3, aggregator="UPGrad")
        >>> model(torch.ones(2, 3)).square().mean().backward()
        >>> optimizer.step()
        >>> sorted(optimizer.state[model.weight])
        ['exp_avg', 'exp_avg_sq', 'step']
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]],
        method: type[Momentum],
        lr: float | Tensor,
        aggregator: str | AnyAggregator = "UPGrad",
        *,
        seed: int = 0,
        **options: Any,
    ) -> None:
        """Set the method.

        Args:
            params: Parameters, perhaps with names, or groups of them with options of their own.
            method: A class of `jdbench.momentum`.
            lr: Learning rate η ≥ 0.
            aggregator: A, by its spec or itself.
            seed: Of a random aggregator's draws.
            options: The method's, see its class.

        Raises:
            InputError: There are no parameters, one comes twice, or an option is unknown or out of its range.
        """
        if not (isinstance(method, type) and issubclass(method, Momentum)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(
                f"method={method!r}, required a class of jdbench.momentum, got another, try "
                "jdbench.momentum.Adam"
            )
        self.method = method
        self.seed = seed
        self.aggregators = MemberAggregators(_aggregator(aggregator))
        given = params if isinstance(params, Tensor) else list(cast("Iterable[Any]", params))
        if not isinstance(given, Tensor) and not given:
            raise InputError("params=[], required at least one parameter, got none, pass model.parameters()")
        defaults = {"lr": checked_rate(lr), **checked_options(method.__name__, method.options, options)}
        super().__init__(given, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take more parameters, from the next step on, with momentum 0.

        Args:
            param_group: ``params``, and options that differ from those the optimiser was made with; it is not
                changed.

        Raises:
            InputError: A parameter comes twice, or an option is unknown or out of its range.
        """
        group = checked_group(self.method, param_group, self.defaults, self.param_groups)
        try:
            super().add_param_group(group)
        except ValueError as error:
            raise InputError(
                f"param_group={len(self.param_groups)}, required parameters that torch can optimise, got: "
                f"{error}, mend the group"
            ) from error

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move the parameters that have gradients.

        Args:
            closure: Evaluates the loss again, if given.

        Returns:
            What the closure returned, or None.

        Raises:
            InputError: A gradient is sparse; nothing has moved then.
        """
        with torch.enable_grad():
            loss = closure() if closure else None
        with torch.no_grad():
            self._move()
        return loss

    def _move(self) -> None:
        moving = [
            (p, group)
            for i, group in enumerate(self.param_groups)
            for j, p in enumerate(cast("list[Tensor]", group["params"]))
            if p.requires_grad and _dense(p.grad, i, j)
        ]
        if not moving:
            return
        parameters, groups = [p for p, _ in moving], [group for _, group in moving]
        generator = self._generator()
        layout = FlatParameters(parameters)
        own = [begun(self.method, p, self.state[p]) for p in parameters]
        state = gathered(self.method, own, layout)
        options = coefficients([{name: group[name] for name in self.method.options} for group in groups])
        sums = Combination(
            lambda rows, _: aggregate(self.aggregators.of(0), rows, generator=generator),
            torch.tensor([[float(group["lr"]) for group in groups]], dtype=torch.float64),
            torch.tensor(layout.sizes),
        )
        x, g = layout.flat(parameters), layout.flat([cast("Tensor", p.grad) for p in parameters])
        layout.scatter(self.method.advance(x, g, state, options, sums), parameters)
        keep(self.method, state, own, layout)

    def _generator(self) -> torch.Generator:
        """Return a generator for this step: the steps of all parameters together grow with every one."""
        states = cast("Mapping[Tensor, dict[str, Any]]", self.state).values()
        steps = sum(int(own.get("step", 0)) for own in states)
        digest = hashlib.sha256(repr((self.seed, steps)).encode()).hexdigest()
        return torch.Generator().manual_seed(int(digest[:14], 16))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state, this method's or that of torch's optimiser of its name.

        Args:
            state_dict: What `state_dict` gave. It is copied: torch's optimisers would share its tensors, and
                two that were loaded from it would move each other's momentum.

        Raises:
            InputError: It is another method's; nothing has changed then.
        """
        super().load_state_dict({**state_dict, "state": copy.deepcopy(state_dict["state"])})

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickling keeps: torch's part, and the method with its aggregator."""
        own = {name: self.__dict__[name] for name in ("method", "aggregators", "seed")}
        return {**super().__getstate__(), **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was pickled, or what `load_state_dict` was given, if it is this method's."""
        check_loaded(state.get("method") or self.method, state["state"], state["param_groups"])
        super().__setstate__(state)


def _aggregator(given: str | AnyAggregator) -> AnyAggregator:
    if isinstance(given, str):
        return resolve(given).aggregator
    if not callable(given):
        raise InputError(f"aggregator={given!r}, required a spec or a callable, got neither, try 'UPGrad'")
    return given


def _dense(gradient: Tensor | None, group: int, place: int) -> bool:
    """Tell whether there is a gradient, and refuse one that is sparse."""
    if gradient is not None and gradient.layout != torch.strided:
        raise InputError(
            f"gradient of parameter {place} of group {group}, required a dense one, got one of layout "
            f"{gradient.layout}, make its layer with sparse=False or give it an optimiser of its own"
        )
    return gradient is not None


class FlatParameters:
    """The entries of some parameters one after the other, in the dtype and on the device of a step.

    Attributes:
        sizes: Number of real entries of each, complex ones being two.
        dtype: The widest of the parameters', at least float32: half precision has too few digits for sums, and
            too small a range for squares.
        device: That of the first.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        """Lay the parameters out."""
        self.sizes = [p.numel() * (2 if p.is_complex() else 1) for p in parameters]
        self.dtype = reduce(torch.promote_types, {p.dtype for p in parameters}, torch.float32).to_real()
        self.device = parameters[0].device

    def flat(self, tensors: Sequence[Tensor]) -> Vector:
        """Return the entries of tensors, one a parameter and in its shape, as a vector ``[1, n]``."""
        return torch.cat([_real(t).reshape(-1).to(self.device, self.dtype) for t in tensors]).unsqueeze(0)

    def scatter(self, whole: Vector, tensors: Sequence[Tensor]) -> None:
        """Write the parts of a vector ``[1, n]`` to the tensors whose entries they are."""
        for t, part in zip(tensors, whole.squeeze(0).split(self.sizes), strict=True):
            target = _real(t)
            target.copy_(part.view(target.shape))


def begun(method: type[Momentum], parameter: Tensor, own: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a parameter, begun without momentum if it was empty."""
    if not own:
        own |= dict(method.counts.values())
        own |= {name: torch.zeros_like(parameter) for name in method.buffers.values()}
    return own


def gathered(
    method: type[Momentum], states: Sequence[dict[str, Any]], layout: FlatParameters
) -> dict[str, Tensor]:
    """Return the states as a method wants them: counts ``[1, P]`` and buffers ``[1, n]``."""
    state = {
        name: torch.tensor([[float(own[saved]) for own in states]], dtype=torch.float64)
        for name, (saved, _) in method.counts.items()
    }
    if "product" in state:
        # As torch keeps it. Float32's rounding, up to 1e-6 of a step, is then torch's too.
        state["product"] = state["product"].to(torch.get_default_dtype())
    return state | {name: layout.flat([own[saved] for own in states]) for name, saved in method.buffers.items()}


def keep(
    method: type[Momentum], state: dict[str, Tensor], states: Sequence[dict[str, Any]], layout: FlatParameters
) -> None:
    """Write counts and buffers back to the states they were gathered from."""
    for name, (saved, _) in method.counts.items():
        for own, value in zip(states, state[name].squeeze(0).tolist(), strict=True):
            own[saved] = value
    for name, saved in method.buffers.items():
        layout.scatter(state[name], [own[saved] for own in states])


def _real(t: Tensor) -> Tensor:
    """Return a view of a tensor as real numbers."""
    return torch.view_as_real(t) if t.is_complex() else t
