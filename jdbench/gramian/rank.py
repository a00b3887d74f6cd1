"""Numerical rank of a Gramian in unit rows, by its eigenvalues or, where it is full for certain, by Cholesky.

The cut-off is derived from the rounding of the entries.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from jdbench.compiled import compiled, compiled_sums
from jdbench.shapes import Gramian

Floats = npt.NDArray[np.float64]

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


class FullRank(NamedTuple):
    """Gramians taken apart: G = D LLᵀ D with D the row norms.

    Attributes:
        norms: Row norms, shape ``[b, m]``.
        L: Lower triangular, shape ``[b, m, m]``.
        inverse: L⁻¹, lower triangular, shape ``[b, m, m]``.
        trace: tr (LLᵀ)⁻¹, at least the reciprocal of the smallest eigenvalue of the unit-row Gramian, shape
            ``[b]``. Infinite where independence is not certified: nothing else is to be read there.
    """

    norms: Floats
    L: Floats
    inverse: Floats
    trace: Floats


def full_rank(G: Floats) -> FullRank:
    """Return the factors of Gramians whose smallest eigenvalue in unit rows is above `rank_cutoff` for certain.

    That is 1/tr Ĝ⁻¹ > 2 `rank_cutoff`: the factor leaves room for the rounding of the trace. `eigen` is to
    judge the others.

    Args:
        G: Gramians, shape ``[b, m, m]``, float64, checked, contiguous.

    Returns:
        Norms, factors, their inverses, and traces.

    Example:
        >>> import numpy as np
        >>> from jdbench.gramian import full_rank
        >>> G = np.array([[[16.0, -4.0], [-4.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]]])
        >>> full_rank(G).trace.round(3)  # the rows of the second are dependent
        array([ 4., inf])
    """
    b, m, _ = G.shape
    L, inverse, trace = np.zeros_like(G), np.zeros_like(G), np.empty(b)
    norms = np.sqrt(np.diagonal(G, axis1=1, axis2=2))
    _factorize(G, norms, L, inverse, trace, 0.5 / rank_cutoff(m))
    return FullRank(norms, L, inverse, trace)


@compiled
def _factorize(G: Floats, norms: Floats, L: Floats, inverse: Floats, trace: Floats, largest: float) -> None:
    """Fill L, its inverse and the trace, which becomes infinite once it exceeds the largest."""
    for b in range(G.shape[0]):
        trace[b] = 0.0
        for i in range(G.shape[1]):
            trace[b] += _append_row(G[b], norms[b], L[b], inverse[b], i)
            if not trace[b] <= largest:
                trace[b] = np.inf
                break


@compiled_sums
def _append_row(G: Floats, d: Floats, L: Floats, inverse: Floats, i: int) -> float:
    """Fill row i of L and of its inverse, and return the squared length of the latter."""
    if d[i] == 0.0:
        return np.inf
    square = 1.0
    for j in range(i):
        entry = (G[i, j] / d[i]) / d[j]
        for k in range(j):
            entry -= L[i, k] * L[j, k]
        entry *= inverse[j, j]
        L[i, j] = entry
        square -= entry * entry
    if square <= 0.0:
        return np.inf
    L[i, i] = np.sqrt(square)
    inverse[i, i] = 1.0 / L[i, i]
    for k in range(i):
        for j in range(k + 1):
            inverse[i, j] -= L[i, k] * inverse[k, j]
    length = inverse[i, i] * inverse[i, i]
    for j in range(i):
        inverse[i, j] *= inverse[i, i]
        length += inverse[i, j] * inverse[i, j]
    return length
