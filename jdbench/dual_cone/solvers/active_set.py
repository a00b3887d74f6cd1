"""Our exact solver: the programs of a Gramian in unit rows, eight in lockstep, from G and U to W.

With u the bound, y = û + z and z from the non-negative program of matrix Ĝ and linear term Ĝû. Compiled as a
whole, because at m = 8 a single tensor operation takes as long as all its programs.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch

from jdbench.compiled import compiled
from jdbench.dual_cone.kernels.face import Face, empty_face
from jdbench.dual_cone.kernels.lanes import LANES
from jdbench.dual_cone.kernels.lockstep import solve_in_lockstep
from jdbench.dual_cone.kernels.lockstep_bounds import empty_bounds, set_linear_terms, weights_and_residual
from jdbench.dual_cone.kernels.lockstep_programs import empty_programs
from jdbench.dual_cone.kernels.nonnegative_qp import DESCENT, LOCKSTEP, PIVOTING, TABLEAU, chain, column_chain
from jdbench.dual_cone.kernels.principal_pivoting import factorize_independent
from jdbench.dual_cone.kernels.tableau import empty_tableau, reset_tableau
from jdbench.gramian import half_precision, is_sound

HALF_OF_FLOAT64 = half_precision(torch.float64)

WORTH_A_THREAD = 2_000_000
"""k · m² summed over a share of the batch, from which on a thread of its own pays."""

FEW = 3
"""Programs from which on eight in lockstep are quicker than one after the other."""

Array = npt.NDArray[np.float64]

NOWHERE: Array = np.empty((0, 0, 0))


def active_set(
    G: Array,
    U: Array,
    start: Array | None,
    link: int = LOCKSTEP,
    precision: float = HALF_OF_FLOAT64,
    *,
    summed: bool = False,
) -> tuple[Array, int, float]:
    """Return W with rows argmin of vᵀGv over v ≥ u for each Gramian and each of its bounds.

    Gramians are shared out among ``torch.get_num_threads()`` threads; the answer does not depend on how many.

    Args:
        G: Gramians, shape ``[b, m, m]``, contiguous.
        U: Bounds, shape ``[b, k, m]``, or ``[1, k, m]`` for all, contiguous.
        start: Weights near the answer, shape of the answer; None if there are none.
        link: First link of the chain in `nonnegative_qp` that may be tried.
        precision: To which the Gramians are checked, see `is_sound`.
        summed: Whether the rows of W are added up.

    Returns:
        Weights ``[b, k, m]``, or ``[b, 1, m]`` if summed, the most changes of the active set that one program
        took, and the largest residual, as `Solution` defines it, NaN if one is. -1 changes and NaN if a Gramian
        is not sound.
    """
    b, k, m = len(G), U.shape[1], U.shape[2]
    W = np.zeros((b, 1 if summed else k, m))
    begin = NOWHERE if start is None else start
    shares = min(b * k * m * m // WORTH_A_THREAD, b)
    shares = min(shares, torch.get_num_threads()) if shares > 1 else 1
    if shares == 1:
        return W, *_solve(G, U, begin, W, link, precision)

    def part(share: int) -> tuple[int, float]:
        s = slice(b * share // shares, b * (share + 1) // shares)
        return _solve(G[s], U if len(U) == 1 else U[s], begin[s], W[s], link, precision)

    # A pool of its own for each call: one kept alive would be dead in a forked process.
    with ThreadPoolExecutor(shares) as pool:
        changes, residuals = zip(*pool.map(part, range(shares)), strict=True)
    return W, -1 if min(changes) < 0 else max(changes), float(np.max(residuals))


@compiled
def _solve(G: Array, U: Array, start: Array, W: Array, link: int, precision: float) -> tuple[int, float]:
    """Add the weights to W, or their sum if it has one row; return most changes and largest residual."""
    if not is_sound(G, precision):
        return -1, np.nan
    b, k, m = G.shape[0], U.shape[1], U.shape[2]
    face, tableau, programs, group = empty_face(m), empty_tableau(m), empty_programs(m), empty_bounds(m)
    C, d = np.empty((m, m)), np.empty(m)
    most = 0
    worst = 0.0
    for g in range(b):
        _fill_unit_rows(G[g], d, face.gradient, C)
        programs.padded[:m, :m] = C
        bounds = U[g if U.shape[0] > 1 else 0]
        warm = start.shape[0] > 0
        first = max(link, DESCENT) if warm else link
        fresh = False
        for row in range(0, k, LANES):
            count = min(LANES, k - row)
            set_linear_terms(d, bounds, row, count, group, programs)
            programs.wrong[:] = 1.0
            if first == LOCKSTEP and count >= FEW:
                most = max(most, solve_in_lockstep(programs))
            left = 0
            for lane in range(count):
                if programs.wrong[0, lane] == 0.0:
                    continue
                left += 1
                single = group.single[lane]
                if single >= 0 and k > 1 and not warm:
                    if not fresh:
                        reset_tableau(C, tableau)
                        fresh = True
                    changes, _ = column_chain(C, single, tableau, face, max(first, TABLEAU))
                else:
                    p = _factorize_start(C, bounds[row + lane], start[g, row + lane], face) if warm else 0
                    q = programs.q[:, lane].copy()
                    changes, _ = chain(C, q, programs.scale[0, lane], face, p, max(first, PIVOTING))
                most = max(most, changes)
                programs.z[:m, lane] = face.trial
            if 2 * left > count:
                first = max(first, TABLEAU)  # rows that depend on others: the other groups will do the same
            residual = weights_and_residual(d, group, programs, W[g], row, count)
            if not residual <= worst and worst == worst:  # a NaN stays
                worst = residual
    return most, worst


@compiled
def _fill_unit_rows(G: Array, d: Array, inverse: Array, C: Array) -> None:
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
def _factorize_start(C: Array, bound: Array, start: Array, face: Face) -> int:
    """Factorize the columns whose weights are above their bounds at the start, and return their number."""
    p = 0
    for i in range(bound.shape[0]):
        face.inside[i] = start[i] > bound[i] and C[i, i] > 0.0
        if face.inside[i]:
            face.factor.active[p] = i
            p += 1
    return factorize_independent(C, face, p)
