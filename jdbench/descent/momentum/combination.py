"""Momentum combined with the gradient by an aggregator instead of a sum ([JD] Section 3).

The paper gives the idea in a sentence; this is our reading of it. Wherever a method adds a gradient term a to
a momentum term b, it takes a ⊕ b = 2A([a; b]) instead, A being any aggregator of the two rows. With A = Mean
that is a + b and the method is torch's; with a non-conflicting A, a ⊕ b conflicts with neither. A zero term is
no objective: the other one stands alone, as in the first step, where there is no momentum yet.

Where second moments scale the step by D⁻¹, D = diag(√v̂ + ε), it is the step D⁻¹(a ⊕ b) that must not
conflict, so the rows are aggregated in the coordinates D^½x, in which Adam's step is a plain one:
a ⊕ b = D^½ 2A([a; b]D^-½). Then aᵀD⁻¹(a ⊕ b) ≥ 0 and bᵀD⁻¹(a ⊕ b) ≥ 0.

Where parameters have different learning rates η, these scale the step too, and D/η takes the place of D: what
moves faster counts for more. Only the ratios of rates matter, so that one rate for all changes nothing. A
parameter of rate 0 does not move and conflicts with nothing: its terms are added, and have no part in the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from jdbench.shapes import Vector

LARGEST = 1e150
"""Entries beyond it have diverged: they are added, not aggregated."""


@dataclass(frozen=True)
class Combination:
    """The sums of one step of k members, whose n entries are those of P parameters one after the other.

    Attributes:
        aggregate: Returns A of rows ``[j, 2, n]``, shape ``[j, n]``, given the places ``[j]`` of their members.
        rates: Learning rates η, shape ``[k, P]``.
        sizes: Number of entries of each parameter, int64, shape ``[P]``.
    """

    aggregate: Callable[[Tensor, Tensor], Vector]
    rates: Tensor
    sizes: Tensor

    def spread(self, c: Tensor, like: Vector) -> Tensor:
        """Return coefficients of parameters on their entries.

        Args:
            c: Shape ``[..., P]``, float64.
            like: Shape ``[k, n]``.

        Returns:
            Shape ``[..., n]``, or ``[..., 1]`` where they are all the same; dtype and device of ``like``.
        """
        if bool((c == c[..., :1]).all()):
            return c[..., :1].to(like)
        return c.to(like).repeat_interleave(self.sizes.to(like.device), -1, output_size=like.shape[-1])

    def combine(self, a: Vector, b: Vector, D: Vector | None = None) -> Vector:
        """Return a ⊕ b = R 2A([a; b]R⁻¹) with R² = D/η, or the other where one is zero.

        Args:
            a: Gradient terms, shape ``[k, n]``.
            b: Momentum terms, shape ``[k, n]``.
            D: Diagonal of the metric but for the rates, positive, shape ``[k, n]``; ones if None.

        Returns:
            Shape ``[k, n]``.
        """
        root = self._root(a, D)
        rows = torch.stack([a, b], -2)
        if root is not None:
            rows = rows / root.unsqueeze(-2)
        combined = rows.sum(-2)
        both = (rows != 0).any(-1).all(-1) & (rows.abs() <= LARGEST).all(-1).all(-1)
        if bool(both.any()):
            combined[both] = 2 * self.aggregate(rows[both], both.nonzero().flatten())
        return combined if root is None else torch.where(root.isinf(), a + b, combined * root)

    def _root(self, like: Vector, D: Vector | None) -> Vector | None:
        """Return the root of D/η, the largest η counted as 1, infinite where η = 0; None where all is 1."""
        root = None if D is None else D.sqrt()
        if bool((self.rates == self.rates[..., :1]).all()):
            return root
        # A schedule may end a rounding below 0, which is as good as 0 but has no root.
        speed = self.rates.abs()
        speed = self.spread((speed / speed.amax(-1, keepdim=True)).sqrt(), like)
        return 1 / speed if root is None else root / speed
