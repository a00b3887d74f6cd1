"""Our exact solver: the programs of a Gramian one after the other in unit rows, from G and U to W.

With u the bound, y = û + z and z from the non-negative program of matrix Ĝ and linear term Ĝû. Compiled as a
whole, because at m = 8 a single tensor operation takes as long as a program.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch

from jdbench.compiled import compiled, compiled_sums
from jdbench.dual_cone.face import Face, empty_face
from jdbench.dual_cone.nonnegative_qp import DESCENT, PIVOTING, TABLEAU, chain, column_chain, first_link
from jdbench.dual_cone.principal_pivoting import factorize_independent
from jdbench.dual_cone.tableau import empty_tableau, fresh_tableau

WORTH_A_THREAD = 2_000_000
"""k · m² summed over a share of the batch, from which on a thread of its own pays."""

Array = npt.NDArray[np.float64]

NOWHERE: Array = np.empty((0, 0, 0))


def active_set(G: Array, U: Array, start: Array | None, link: int = TABLEAU) -> tuple[Array, int, float]:
    """Return W with rows argmin of vᵀGv over v ≥ u for each Gramian and each of its bounds.

    Gramians are shared out among ``torch.get_num_threads()`` threads; the answer does not depend on how many.

    Args:
        G: Gramians, shape ``[b, m, m]``, checked, contiguous.
        U: Bounds, shape ``[b, k, m]``, or ``[1, k, m]`` for all, contiguous.
        start: Weights near the answer, shape of the answer; None if there are none.
        link: First link of the chain in `nonnegative_qp` that may be tried.

    Returns:
        Weights ``[b, k, m]``, the most changes of the active set that one program took, and the largest
        residual, as `Solution` defines it, NaN if one is.
    """
    b, k, m = len(G), U.shape[1], U.shape[2]
    W = np.empty((b, k, m))
    begin = NOWHERE if start is None else start
    shares = min(b * k * m * m // WORTH_A_THREAD, b)
    shares = min(shares, torch.get_num_threads()) if shares > 1 else 1
    if shares == 1:
        return W, *_solve(G, U, begin, W, link)

    def part(share: int) -> tuple[int, float]:
        s = slice(b * share // shares, b * (share + 1) // shares)
        return _solve(G[s], U if len(U) == 1 else U[s], begin[s], W[s], link)

    # A pool of its own for each call: one kept alive would be dead in a forked process.
    with ThreadPoolExecutor(shares) as pool:
        changes, residuals = zip(*pool.map(part, range(shares)), strict=True)
    return W, max(changes), float(np.max(residuals))


@compiled
def _solve(G: Array, U: Array, start: Array, W: Array, link: int) -> tuple[int, float]:
    """Fill W, and return the most changes of the active set and the largest residual."""
    b, k, m = W.shape
    face, tableau, C, d, u = empty_face(m), empty_tableau(m), np.empty((m, m)), np.empty(m), np.empty(m)
    most = 0
    worst = 0.0
    for g in range(b):
        _unit_rows(G[g], d, face.gradient, C)
        first = -1
        for row in range(k):
            bound = U[g if U.shape[0] > 1 else 0, row]
            scale, single = _scaled(bound, d, u)
            if start.shape[0] > 0:
                p = _near(C, bound, start[g, row], face)
                changes, _ = chain(C, _linear_term(C, u), np.sum(np.abs(u)), face, p, max(link, DESCENT))
            elif single >= 0 and k > 1:
                if first < 0:
                    first = max(link, first_link(C, face))
                    fresh_tableau(C, tableau)
                changes, _ = column_chain(C, single, tableau, face, first)
            else:
                changes, _ = chain(C, _linear_term(C, u), np.sum(np.abs(u)), face, 0, max(link, PIVOTING))
            most = max(most, changes)
            for i in range(m):
                # A weight at its bound is that bound, bit for bit.
                W[g, row, i] = bound[i] + (face.trial[i] * scale / d[i] if d[i] > 0.0 else 0.0)
            residual = _residual(C, d, scale, bound, W[g, row], face.gradient)
            if not residual <= worst and worst == worst:  # a NaN stays
                worst = residual
    return most, worst


@compiled
def _unit_rows(G: Array, d: Array, inverse: Array, C: Array) -> None:
    """Fill the row norms d and the cosines C, to the bit as `jdbench.gramian.unit_rows` does."""
    m = d.shape[0]
    for i in range(m):
        d[i] = np.sqrt(G[i, i])
        inverse[i] = 1.0 / d[i] if d[i] > 0.0 else 0.0
    for i in range(m):
        for j in range(m):
            # One factor at a time: the product of two reciprocal norms can leave the range of float64.
            C[i, j] = min(max((G[i, j] * inverse[i]) * inverse[j], -1.0), 1.0)
        C[i, i] = 1.0 if d[i] > 0.0 else 0.0


@compiled
def _scaled(bound: Array, d: Array, u: Array) -> tuple[float, int]:
    """Fill û, the bound in unit rows over its largest entry.

    Returns:
        That entry, and the position of the only entry that is not zero, if it is positive; -1 otherwise.
    """
    scale = 0.0
    single = -1
    for i in range(u.shape[0]):
        u[i] = bound[i] * d[i]
        if u[i] != 0.0:
            single = i if scale == 0.0 and u[i] > 0.0 else -1
            scale = max(scale, abs(u[i]))
    scale = scale if scale > 0.0 else 1.0
    for i in range(u.shape[0]):
        u[i] /= scale
    return scale, single


@compiled_sums
def _linear_term(C: Array, u: Array) -> Array:
    """Return Ĝû."""
    q = np.zeros_like(u)
    for i in range(u.shape[0]):
        if u[i] != 0.0:
            for j in range(u.shape[0]):
                q[j] += u[i] * C[i, j]
    return q


@compiled
def _near(C: Array, bound: Array, start: Array, face: Face) -> int:
    """Factorize the columns whose weights are above their bounds at the start, and return their number."""
    p = 0
    for i in range(bound.shape[0]):
        face.inside[i] = start[i] > bound[i] and C[i, i] > 0.0
        if face.inside[i]:
            face.factor.active[p] = i
            p += 1
    return factorize_independent(C, face, p)


@compiled_sums
def _residual(C: Array, d: Array, scale: float, bound: Array, w: Array, slack: Array) -> float:
    """Return the largest residual of Lemma 4 in unit rows, as `Solution` computes it from the weights."""
    m = d.shape[0]
    slack[:] = 0.0
    for i in range(m):
        y = w[i] * d[i] / scale
        if y != 0.0:
            for j in range(m):
                slack[j] += y * C[i, j]
    gap = 0.0
    worst = 0.0
    for i in range(m):
        below = (bound[i] - w[i]) * d[i] / scale
        gap -= below * slack[i]
        worst = max(worst, max(below, -slack[i]))
    worst = max(worst, abs(gap))
    return worst if np.isfinite(gap) else np.nan
