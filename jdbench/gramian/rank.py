"""Numerical rank of a Gramian in unit rows, with the cut-off derived from the rounding of its entries."""

from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.shapes import Gramian

INNER_PRODUCT_ULPS = 8
"""Error, in units of 2⁻⁵², of one entry of a unit-row Gramian.

An entry is an inner product of unit vectors, summed blockwise in float64 by BLAS, divided by two
norms. Two square roots, two divisions and two products add at most 4 units; blockwise sums of up to 10⁶
terms add less than 4 (`tests/test_gramian.py` measures both).
"""


def rank_cutoff(m: int) -> float:
    """Return the eigenvalue of a unit-row Gramian below which a direction counts as absent.

    Each entry carries an error of at most κ = 8·2⁻⁵², so the error matrix E has ‖E‖₂ ≤ ‖E‖_F ≤ mκ, and
    by Weyl's inequality an eigenvalue that is zero for the exact rows comes out below mκ. Eigenvalues
    are squared singular values: rows whose relative distance to the span of the others is less than
    √(mκ), about 4e-8·√m, count as dependent. No Gramian in float64 can tell them from dependent ones.

    Args:
        m: Number of rows, at least 1.

    Returns:
        The cut-off, a number relative to the unit diagonal.
    """
    return m * INNER_PRODUCT_ULPS * torch.finfo(torch.float64).eps


class Eigen(NamedTuple):
    """Eigen-decomposition of unit-row Gramians up to their rank.

    Attributes:
        values: Ascending, shape ``[..., m]``, those below the cut-off set to zero.
        vectors: In columns, shape ``[..., m, m]``.
        rank: Number of values above the cut-off, shape ``[...]``, int64.
    """

    values: Tensor
    vectors: Tensor
    rank: Tensor


def eigen(cosines: Gramian) -> Eigen:
    """Return the eigen-decomposition of unit-row Gramians, their noise set to zero.

    Args:
        cosines: Unit-row Gramians, shape ``[..., m, m]``.

    Returns:
        Values, vectors and rank.
    """
    values, vectors = torch.linalg.eigh(cosines)
    present = values > rank_cutoff(cosines.shape[-1])
    return Eigen(torch.where(present, values, 0.0), vectors, present.sum(-1))
