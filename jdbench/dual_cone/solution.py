"""A solution of the dual cone's program, with the residuals of Lemma 4's three conditions ([JD] eq. 19)."""

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from jdbench.gramian import unit_rows
from jdbench.shapes import Gramian, WeightRows

ACCURACY = 1e-10
"""Largest residual of a solution that counts as solved.

Exact solvers leave 1e-16 to 1e-12; rows that depend on others within the precision of a Gramian leave up to
`residual_limit`; iterative solvers are asked for 1e-12.
"""


class Status(StrEnum):
    """How good a solution is."""

    SOLVED = "solved"
    INACCURATE = "inaccurate"
    FAILED = "failed"


def residual_limit(m: int) -> float:
    """Return the largest residual in unit rows that the Gramian's own rounding explains.

    A row that depends on others within the Gramian's precision, that is with a pivot of 4·m·2⁻⁵² or
    less, cannot enter an active set; its cosine with the projection is then at most the square root of
    that, times the norm of Jᵀu, which is at most m in unit rows.

    Args:
        m: Number of rows.

    Returns:
        The limit, a pure number.
    """
    return m * math.sqrt(4 * m * torch.finfo(torch.float64).eps)


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights W with rows argmin of vᵀGv over v ≥ u, and how well they satisfy Lemma 4.

    The residuals are those of the program in unit rows: with D the row norms, y = Dw, û = Du, both
    divided by the largest entry of û. They are pure numbers, the same whatever the scale of a row.

    Attributes:
        gramian: G, shape ``[..., m, m]``.
        bounds: U, shape ``[..., k, m]``.
        weights: W, shape ``[..., k, m]``; NaN where the solver failed.
        iterations: The most iterations that one program took; -1 where a solver does not say.
        solver: Name of the solver.
    """

    gramian: Gramian
    bounds: WeightRows
    weights: WeightRows
    iterations: int
    solver: str

    @property
    def status(self) -> Status:
        """The worst ending among all programs: failed (NaN), inaccurate, or solved."""
        worst = float(self.residual().max()) if self.weights.numel() else 0.0
        if math.isnan(worst):
            return Status.FAILED
        return Status.SOLVED if worst <= ACCURACY else Status.INACCURATE

    def residual(self) -> Tensor:
        """Return the largest of the three residuals, shape ``[..., k]``."""
        return torch.stack([self.primal_residual(), self.dual_residual(), self.duality_gap()]).amax(0)

    def primal_residual(self) -> Tensor:
        """Return the largest violation of u ≤ w (19a), shape ``[..., k]``."""
        bounds, weights, _ = self._in_unit_rows()
        return (bounds - weights).clamp(min=0).amax(-1)

    def dual_residual(self) -> Tensor:
        """Return the largest violation of 0 ≤ Gw (19b), shape ``[..., k]``."""
        _, _, slack = self._in_unit_rows()
        return (-slack).clamp(min=0).amax(-1)

    def duality_gap(self) -> Tensor:
        """Return |(w - u)ᵀGw| (19c), shape ``[..., k]``."""
        bounds, weights, slack = self._in_unit_rows()
        return ((weights - bounds) * slack).sum(-1).abs()

    def _in_unit_rows(self) -> tuple[Tensor, Tensor, Tensor]:
        norms, cosines = unit_rows(self.gramian)
        bounds = self.bounds * norms.unsqueeze(-2)
        weights = self.weights * norms.unsqueeze(-2)
        scale = bounds.abs().amax(-1, keepdim=True)
        scale = torch.where(scale > 0, scale, 1.0)
        return bounds / scale, weights / scale, (weights / scale) @ cosines
