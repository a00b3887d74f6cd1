"""Momentum combined with the gradient by an aggregator instead of a sum ([JD] Section 3).

The paper gives the idea in a sentence; this is our reading of it. Wherever a method adds a gradient term a to
a momentum term b, it takes a ⊕ b = 2A([a; b]) instead, A being any aggregator of the two rows. With A = Mean
that is a + b and the method is torch's; with a non-conflicting A, a ⊕ b conflicts with neither. A zero term is
no objective: the other one stands alone, as in the first step, where there is no momentum yet.

Where second moments scale the step by D⁻¹, D = diag(√v̂ + ε), it is the step D⁻¹(a ⊕ b) that must not
conflict, so the rows are aggregated in the coordinates D^½x, in which Adam's step is a plain one:
a ⊕ b = D^½ 2A([a; b]D^-½). Then aᵀD⁻¹(a ⊕ b) ≥ 0 and bᵀD⁻¹(a ⊕ b) ≥ 0.
"""

import hashlib
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from jdbench.aggregator import aggregate, resolve
from jdbench.copies import Copies
from jdbench.optimizer import Optimizer
from jdbench.shapes import Vector

LARGEST = 1e150
"""Entries beyond it have diverged: they are added, not aggregated."""


class Momentum(Optimizer):
    """An optimiser whose sums of gradient and momentum are an aggregator's.

    Attributes:
        state: Step counts ``t``, shape ``[b]``, and the method's buffers, shape ``[b, n]``.
        rates: Learning rates η, shape ``[b]``.
        weight_decay: λ; x shrinks by 1 - ηλ before each step.
    """

    buffers: ClassVar[tuple[str, ...]]
    weight_decay: float = 0.0

    def __init__(self, x: Vector, rates: Tensor, aggregator: str) -> None:
        """Begin without momentum.

        Args:
            x: Starts, shape ``[b, n]``.
            rates: Learning rates, shape ``[b]``.
            aggregator: Spec of A.
        """
        self.rates = rates
        self.aggregators = Copies(resolve(aggregator).aggregator)
        self.state = {"t": torch.zeros(len(x), dtype=torch.float64, device=x.device)}
        self.state |= {name: torch.zeros_like(x) for name in self.buffers}
        shared = self.aggregators.shared
        self.batched = None if shared is None or shared.random else shared
        self.generators = [] if self.batched else [_generator(*pair) for pair in zip(x, rates, strict=True)]

    @abstractmethod
    def displacement(self, g: Vector, state: dict[str, Tensor], members: Tensor) -> Vector:
        """Return what the step takes η times off x, and bring the buffers up to date.

        Args:
            g: Gradients, shape ``[k, n]``.
            state: Counts and buffers of these members, entries to be replaced; the count is that of this step.
            members: Their places in the whole batch, shape ``[k]``.

        Returns:
            Shape ``[k, n]``.
        """

    def step(self, x: Vector, direction: Vector, members: Tensor) -> Vector:
        """Return (1 - ηλ)x - η times the `displacement`."""
        own = {name: whole[members] for name, whole in self.state.items()}
        own["t"] = own["t"] + 1
        rate = self.rates[members].to(x).unsqueeze(-1)
        x = x * (1 - rate * self.weight_decay) - rate * self.displacement(direction.detach(), own, members)
        for name, whole in self.state.items():
            whole[members] = own[name]
        return x

    def combine(self, a: Vector, b: Vector, members: Tensor, D: Vector | None = None) -> Vector:
        """Return a ⊕ b = D^½ 2A([a; b]D^-½), or the other where one is zero.

        Args:
            a: Gradient terms, shape ``[k, n]``.
            b: Momentum terms, shape ``[k, n]``.
            members: Their places in the whole batch, shape ``[k]``.
            D: Diagonal of the metric, positive, shape ``[k, n]``; ones if None.

        Returns:
            Shape ``[k, n]``.
        """
        root = torch.ones_like(a) if D is None else D.sqrt()
        rows = torch.stack([a, b], -2) / root.unsqueeze(-2)
        combined = rows.sum(-2)
        both = (rows != 0).any(-1).all(-1) & (rows.abs() <= LARGEST).all(-1).all(-1)
        if self.batched:
            if bool(both.any()):
                combined[both] = 2 * self.batched(rows[both])
        else:
            for i in both.nonzero().flatten().tolist():
                member = int(members[i])
                own, generator = self.aggregators.of(member), self.generators[member]
                combined[i] = 2 * aggregate(own, rows[i], generator=generator)
        return combined * root


def _generator(x: Tensor, rate: Tensor) -> torch.Generator:
    """Return a generator seeded by a member's start and rate, so that it draws the same in any batch."""
    text = repr((x.tolist(), float(rate)))
    return torch.Generator().manual_seed(int(hashlib.sha256(text.encode()).hexdigest()[:14], 16))
