"""What the dual cone's programs are given and give: shared bounds, and solutions with their residuals.

The residuals are those of Lemma 4's three conditions ([JD] eq. 19).
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from jdbench.gramian import eigen, unit_rows
from jdbench.shapes import Gramian, WeightRows

ACCURACY = 1e-10
"""Largest residual of a solution that counts as solved.

Exact solvers leave 1e-16 to 1e-12 unless rows nearly oppose or depend on others; there up to
`Solution.rounding_limit`. Iterative solvers are asked for 1e-12.
"""


class SharedBounds(NamedTuple):
    """Bounds kept between calls, not to be changed: at m = 8 converting them would take a fifth of the time.

    Attributes:
        tensor: U, shape ``[k, m]``, float64, on the device of the Gramians.
        array: The same on the CPU, shape ``[1, k, m]``.

    Example:
        >>> import torch
        >>> from jdbench.dual_cone import shared_bounds
        >>> bounds = shared_bounds(torch.eye(3, dtype=torch.float64) / 3)  # those of UPGrad for three rows
        >>> bounds.tensor.shape, bounds.array.shape
        (torch.Size([3, 3]), (1, 3, 3))
    """

    tensor: WeightRows
    array: npt.NDArray[np.float64]


def shared_bounds(U: WeightRows) -> SharedBounds:
    """Return the bounds in both forms.

    Args:
        U: Bounds, shape ``[k, m]``, float64.

    Returns:
        The tensor itself and its array.

    Example:
        >>> import torch
        >>> from jdbench.dual_cone import shared_bounds
        >>> bounds = shared_bounds(torch.tensor([[0.5, 0.5]], dtype=torch.float64))  # of DualProj, two rows
        >>> bounds.array
        array([[[0.5, 0.5]]])
    """
    return SharedBounds(U, np.ascontiguousarray(U.numpy(force=True)[None]))


class Status(StrEnum):
    """How good a solution is.

    Example:
        >>> from jdbench.dual_cone import Status
        >>> [str(status) for status in Status]
        ['solved', 'inaccurate', 'failed']
    """

    SOLVED = "solved"
    INACCURATE = "inaccurate"
    FAILED = "failed"


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights W with rows argmin of vᵀGv over v ≥ u, and how well they satisfy Lemma 4.

    The residuals are those of the program in unit rows: with D the row norms, y = Dw, û = Du, both
    divided by the largest entry of û. They are pure numbers and do not depend on the scale of a row.

    Attributes:
        gramian: G, shape ``[..., m, m]``.
        bounds: U, shape ``[..., k, m]``.
        weights: W, shape ``[..., k, m]``; NaN where the solver failed.
        iterations: The most iterations that one program took; -1 where a solver does not say.
        solver: Name of the solver.

    Example:
        >>> import torch
        >>> from jdbench.dual_cone import solve
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> solution = solve(J @ J.T, torch.eye(2))
        >>> solution.weights.round(decimals=3), str(solution.status)
        (tensor([[1.0000, 2.0000],
                [0.2500, 1.0000]], dtype=torch.float64), 'solved')
        >>> bool((solution.residual() < 1e-12).all())
        True
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

    def rounding_limit(self) -> Tensor:
        """Return the largest residual that the rounding of the Gramian explains, shape ``[..., k]``.

        Entries of Ĝ err by ε ≈ 4·m·2⁻⁵². An active set with weights y errs by ε(Σ|yᵢ|)². A row at the
        distance δ from the span of others violates by at most δ‖Jᵀu‖ if it is left out. Brought in, it gets
        a weight of 1/δ and the others κ times that, with κ its coefficients in their span: the price is
        εκ²/δ². The better of the two is at worst (εκ²)^(1/3)‖Jᵀu‖, where ‖Jᵀu‖ ≤ m in unit rows, and κ ≤ 1
        + √(m/λ) with λ the smallest eigenvalue of Ĝ that is not rounding.
        """
        m = self.gramian.shape[-1]
        eps = torch.finfo(torch.float64).eps
        _, cosines = unit_rows(self.gramian)
        values, _, _ = eigen(cosines)
        smallest = torch.where(values > 0, values, torch.inf).amin(-1)
        coefficients = 1 + (m / smallest).sqrt()
        _, weights, _ = self._in_unit_rows()
        size = 1 + weights.abs().sum(-1)
        return m * (4 * m * eps * coefficients.square()).pow(1 / 3).unsqueeze(-1) + 4 * m * eps * size.square()

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
