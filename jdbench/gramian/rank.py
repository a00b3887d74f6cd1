"""Numerical rank of a Gramian in unit rows, with the cut-off derived from the rounding of its entries."""

from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.shapes import Gramian

INNER_PRODUCT_ULPS = 96
"""Error, in units of 2⁻⁵², of one entry of a unit-row Gramian.

An inner product of n terms is summed in blocks of 64 in any order, then pairwise: at most 65 + log₂(n/64)
roundings of 2⁻⁵³, which is 92 up to n = 8·10⁹, relative to the product of the norms. The squared norms err by
as much, half of which is left after each root, and roots, divisions and products add 6: (92 + 92 + 6)/2 < 96.
That is a bound; rows of one sign up to n = 10⁶ come within 4 (`tests/gramian/test_gramian.py`).
"""


def rank_cutoff(m: int) -> float:
    """Return the eigenvalue of a unit-row Gramian below which a direction counts as absent.

    Each entry carries an error of at most κ = 96·2⁻⁵², so the error matrix E has ‖E‖₂ ≤ ‖E‖_F ≤ mκ, and
    by Weyl's inequality an eigenvalue that is zero for the exact rows comes out below mκ. Eigenvalues
    are squared singular values: rows whose relative distance to the span of the others is less than
    √(mκ), about 1.5e-7·√m, count as dependent. No Gramian in float64 can tell them from dependent ones.

    Args:
        m: Number of rows, at least 1.

    Returns:
        The cut-off, a number relative to the unit diagonal.

    Example:
        >>> from jdbench.gramian import rank_cutoff
        >>> f"{rank_cutoff(2):.1e}, {rank_cutoff(100):.1e}"
        '4.3e-14, 2.1e-12'
    """
    return m * INNER_PRODUCT_ULPS * torch.finfo(torch.float64).eps


class Eigen(NamedTuple):
    """Eigen-decomposition of unit-row Gramians up to their rank.

    Attributes:
        values: Ascending, shape ``[..., m]``, those below the cut-off set to zero.
        vectors: In columns, shape ``[..., m, m]``.
        rank: Number of values above the cut-off, shape ``[...]``, int64.

    Example:
        >>> import torch
        >>> from jdbench.gramian import eigen
        >>> eigen(torch.tensor([[1.0, -0.6], [-0.6, 1.0]], dtype=torch.float64)).values.round(decimals=3)
        tensor([0.4000, 1.6000], dtype=torch.float64)
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

    Example:
        >>> import torch
        >>> from jdbench.gramian import eigen, unit_rows
        >>> J = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1e-9, 1e-9]], dtype=torch.float64)
        >>> eigen(unit_rows(J @ J.T).gramian).rank  # three rows of the plane, however short
        tensor(2)
    """
    values, vectors = torch.linalg.eigh(cosines)
    present = values > rank_cutoff(cosines.shape[-1])
    return Eigen(torch.where(present, values, 0.0), vectors, present.sum(-1))
