"""Cholesky factors of unit-row Gramians, and whether they certify that the rows are independent."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled, compiled_sums
from jdbench.gramian.rank import rank_cutoff

Floats = npt.NDArray[np.float64]


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
