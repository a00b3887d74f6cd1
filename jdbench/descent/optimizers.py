"""The step taken with a direction: plain descent, or an optimiser of torch given it as gradient ([JD] A.4)."""

from typing import Any

import torch
from torch import Tensor

from jdbench.descent.momentum import METHODS
from jdbench.descent.optimizer import Optimizer
from jdbench.errors import InputError, unknown_name
from jdbench.shapes import Vector
from jdbench.spec import build, parse

DESCENT = "descent"


class Descent(Optimizer):
    """x ← x - ηA(J), the update of Algorithm 1 ([JD]).

    Example:
        >>> import torch
        >>> from jdbench.descent import Descent
        >>> optimizer = Descent(torch.tensor([0.1, 0.5]))  # two members, a rate each
        >>> optimizer.step(torch.ones(2, 1), torch.ones(2, 1), torch.tensor([0, 1]))
        tensor([[0.9000],
                [0.5000]])
    """

    def __init__(self, rates: Tensor) -> None:
        """Keep the learning rates η, shape ``[b]``."""
        self.rates = rates

    def step(self, x: Vector, direction: Vector, members: Tensor) -> Vector:
        """Return x - ηA(J)."""
        return x - self.rates[members].to(x).unsqueeze(-1) * direction


class TorchOptimizer(Optimizer):
    """An optimiser of `torch.optim` with one parameter and one group a member, so that members are independent.

    Example:
        >>> import torch
        >>> from jdbench.descent import TorchOptimizer
        >>> x = torch.zeros(1, 1)
        >>> optimizer = TorchOptimizer(torch.optim.SGD, {"momentum": 0.5}, x, torch.tensor([0.1]))
        >>> for _ in range(3):
        ...     x = optimizer.step(x, torch.ones(1, 1), torch.tensor([0]))
        >>> x.round(decimals=3)  # -0.1 (1 + 1.5 + 1.75)
        tensor([[-0.4250]])
    """

    def __init__(
        self, kind: type[torch.optim.Optimizer], keywords: dict[str, Any], x: Vector, rates: Tensor
    ) -> None:
        """Build the optimiser.

        Args:
            kind: A class of `torch.optim`.
            keywords: Its keywords besides the learning rate.
            x: Starts, shape ``[b, n]``.
            rates: Learning rates, shape ``[b]``.
        """
        self.parameters = [torch.nn.Parameter(point.clone()) for point in x]
        groups = [
            {"params": [parameter], "lr": float(rate)}
            for parameter, rate in zip(self.parameters, rates, strict=True)
        ]
        self.optimizer = kind(groups, **keywords)

    def step(self, x: Vector, direction: Vector, members: Tensor) -> Vector:  # noqa: ARG002
        """Return the parameters after the optimiser's step; members that ended are left alone."""
        for parameter in self.parameters:
            parameter.grad = None
        indices = [int(i) for i in members]
        for index, gradient in zip(indices, direction, strict=True):
            self.parameters[index].grad = gradient.clone()
        self.optimizer.step()
        return torch.stack([self.parameters[index].detach() for index in indices])


def make_optimizer(spec: str, x: Vector, rates: Tensor) -> Optimizer:
    """Return the optimiser that a spec names.

    Args:
        spec: ``descent``, or a class of torch.optim with keywords, such as ``Adam`` or ``SGD(momentum=0.9)``,
            or a class of `jdbench.momentum`: ``HeavyBall``, ``Nesterov``, or one of those that torch has too
            with the aggregator that combines gradient and momentum, such as ``Adam(aggregator='UPGrad')``.
        x: Starts, shape ``[b, n]``.
        rates: Learning rates, shape ``[b]``.

    Returns:
        The optimiser.

    Raises:
        InputError: The keywords do not fit, or the optimiser wants to evaluate the objectives itself.
        UnknownNameError: Torch has no such optimiser.

    Example:
        >>> import torch
        >>> from jdbench.descent import make_optimizer
        >>> x, rates = torch.zeros(1, 2), torch.tensor([0.1])
        >>> type(make_optimizer("Adam(betas=(0.8, 0.9))", x, rates)).__name__  # torch's
        'TorchOptimizer'
        >>> type(make_optimizer("Adam(aggregator='UPGrad')", x, rates)).__name__
        'Adam'
    """
    if spec == DESCENT:
        return Descent(rates)
    parsed = parse(spec, "optimizer")
    known = {name: kind for name, kind in vars(torch.optim).items() if _is_optimizer(kind)}
    if parsed.module or parsed.name not in {*known, *METHODS}:
        raise unknown_name("optimizer", spec, {DESCENT, *known, *METHODS})
    if parsed.name in ("LBFGS", "SparseAdam"):
        raise InputError(
            f"optimizer={spec!r}, required one that takes a dense gradient, got one that line-searches or "
            "takes sparse ones, try Adam"
        )
    if "lr" in parsed.keywords:
        raise InputError(f"optimizer={spec!r}, required no lr, got one, the protocol has the rates")

    def make(**keywords: Any) -> Optimizer:
        if parsed.name in METHODS and ("aggregator" in keywords or parsed.name not in known):
            return METHODS[parsed.name](x, rates, **keywords)
        return TorchOptimizer(known[parsed.name], keywords, x, rates)

    return build(make, parsed, spec, "optimizer")


def check_optimizer(spec: str) -> None:
    """Raise unless `make_optimizer` would take the spec.

    Args:
        spec: Name of an optimiser.

    Example:
        >>> from jdbench.descent import check_optimizer
        >>> check_optimizer("SGD(momentum=0.9)")
        >>> check_optimizer("SGD(lr=0.1)")
        Traceback (most recent call last):
            ...
        jdbench.errors.InputError: optimizer='SGD(lr=0.1)', required no lr, got one, the protocol has the rates
    """
    make_optimizer(spec, torch.zeros(1, 1), torch.ones(1))


def _is_optimizer(kind: object) -> bool:
    return (
        isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and kind is not torch.optim.Optimizer
    )
