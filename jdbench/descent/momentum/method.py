"""What a method with momentum is: a displacement, its options and what it keeps; and how it moves a batch."""

import hashlib
from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from jdbench.aggregator import AnyAggregator, aggregate, resolve
from jdbench.descent.directions import MemberAggregators
from jdbench.descent.momentum.combination import Combination
from jdbench.descent.momentum.options import Option, checked_options, coefficients
from jdbench.descent.optimizer import Optimizer
from jdbench.shapes import Vector


class Momentum(Optimizer):
    """An optimiser whose sums of gradient and momentum are an aggregator's.

    Attributes:
        options: What the method takes besides rates and aggregator, by name; always ``weight_decay``, λ.
        buffers: What it keeps of every entry, with the names that torch's ``state_dict`` has for it.
        counts: What it keeps of every parameter, with torch's names and the values to begin with; always ``t``.
        decoupled: Whether x shrinks by 1 - ηλ before each step, else λx is added to the gradient.
        state: Counts, shape ``[b, 1]`` but for ``t``, shape ``[b]``, and buffers, shape ``[b, n]``.
        rates: Learning rates η, shape ``[b]``.

    Example:
        >>> import torch
        >>> from jdbench.momentum import HeavyBall
        >>> method = HeavyBall(torch.zeros(1, 2), torch.tensor([0.1]))  # one of its subclasses
        >>> a, b = torch.tensor([[4.0, 0.0]]), torch.tensor([[-1.0, 1.0]])
        >>> method.combine(a, b, torch.tensor([0])).round(decimals=3)  # a ⊕ b, where a + b = (3, 1) opposes b
        tensor([[2., 3.]])
    """

    options: ClassVar[dict[str, Option]]
    buffers: ClassVar[dict[str, str]]
    counts: ClassVar[dict[str, tuple[str, float]]] = {"t": ("step", 0.0)}
    decoupled: ClassVar[bool] = False

    def __init__(self, x: Vector, rates: Tensor, aggregator: str = "UPGrad", **options: Any) -> None:
        """Begin without momentum.

        Args:
            x: Starts, shape ``[b, n]``.
            rates: Learning rates, shape ``[b]``.
            aggregator: Spec of A.
            options: The method's, see its class.
        """
        self.rates = rates
        values = checked_options(type(self).__name__, self.options, options)
        self.coefficients = {name: c.to(x.device) for name, c in coefficients([values]).items()}
        self.aggregators = MemberAggregators(resolve(aggregator).aggregator)
        self.state = {
            name: torch.full((len(x),), start, dtype=torch.float64, device=x.device)
            for name, (_, start) in self.counts.items()
        }
        self.state |= {name: torch.zeros_like(x) for name in self.buffers}
        shared = self.aggregators.shared
        self.batched = None if shared is None or shared.random else shared
        self.generators = [] if self.batched else [_generator(*pair) for pair in zip(x, rates, strict=True)]

    @staticmethod
    @abstractmethod
    def displacement(
        g: Vector, state: dict[str, Tensor], options: dict[str, Tensor], sums: Combination
    ) -> Vector:
        """Return what the step takes η times off x, and bring the buffers up to date.

        Args:
            g: Gradients, shape ``[k, n]``.
            state: Counts ``[k, P]`` and buffers ``[k, n]``, entries to be replaced; ``t`` is that of this step.
            options: Shape ``[P]`` each, pairs ``[2, P]``.
            sums: What adds gradient and momentum.

        Returns:
            Shape ``[k, n]``.
        """

    @classmethod
    def advance(
        cls, x: Vector, g: Vector, state: dict[str, Tensor], options: dict[str, Tensor], sums: Combination
    ) -> Vector:
        """Return points ``[k, n]`` after one step, and bring counts and buffers up to date.

        Arguments as of `displacement`, but ``t`` is that of the step before.
        """
        state["t"] = state["t"] + 1
        decay = options["weight_decay"]
        if bool(decay.any()):
            if cls.decoupled:
                x = x * sums.spread(1 - sums.rates * decay, x)
            else:
                g = g + sums.spread(decay, x) * x
        return x - sums.spread(sums.rates, x) * cls.displacement(g, state, options, sums)

    def step(self, x: Vector, direction: Vector, members: Tensor) -> Vector:
        """Return the points after one step of the method."""
        own = {name: whole[members] for name, whole in self.state.items()}
        own |= {name: own[name].unsqueeze(-1) for name in self.counts}
        x = self.advance(x, direction.detach(), own, self.coefficients, self._sums(x, members))
        own |= {name: own[name].squeeze(-1) for name in self.counts}
        for name, whole in self.state.items():
            whole[members] = own[name]
        return x

    def combine(self, a: Vector, b: Vector, members: Tensor, D: Vector | None = None) -> Vector:
        """Return a ⊕ b of some members.

        Args:
            a: Gradient terms, shape ``[k, n]``.
            b: Momentum terms, shape ``[k, n]``.
            members: Their places in the whole batch, shape ``[k]``.
            D: Diagonal of the metric, positive, shape ``[k, n]``; ones if None.

        Returns:
            Shape ``[k, n]``.
        """
        return self._sums(a, members).combine(a, b, D)

    def _sums(self, x: Vector, members: Tensor) -> Combination:
        def aggregated(rows: Tensor, places: Tensor) -> Vector:
            if self.batched:
                return self.batched(rows)
            chosen = members[places].tolist()
            return torch.stack([self._of(i)(J) for i, J in zip(chosen, rows, strict=True)])

        rates = self.rates[members].to(x.device, torch.float64).unsqueeze(-1)
        return Combination(aggregated, rates, torch.tensor([x.shape[-1]]))

    def _of(self, member: int) -> AnyAggregator:
        own, generator = self.aggregators.of(member), self.generators[member]
        return lambda J: aggregate(own, J, generator=generator)


def _generator(x: Tensor, rate: Tensor) -> torch.Generator:
    """Return a generator seeded by a member's start and rate, so that it draws the same in any batch."""
    text = repr((x.tolist(), float(rate)))
    return torch.Generator().manual_seed(int(hashlib.sha256(text.encode()).hexdigest()[:14], 16))
