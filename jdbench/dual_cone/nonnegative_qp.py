"""Active-set method for min ½zᵀMz + qᵀz over z ≥ 0 with M positive semi-definite, exact at any rank.

The method of Lawson & Hanson for non-negative least squares (*Solving Least Squares Problems*, 1974,
chapter 23), written for the normal matrix M. A column enters when its gradient is negative; a column
that depends on those already inside has a zero gradient in exact arithmetic and never enters, so
singular matrices are solved, not perturbed. In floating point two guards stand for that: the column's
distance to the span of the others, and the size of the weights that it would bring.

The dual cone's program (5) is of this form, and so are the minimum-norm point of MGDA and the
constrained projections of CAGrad: one kernel serves them all.
"""

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled

EPS = 2.0**-52


@compiled
def nonnegative_qp(
    M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], scale: float
) -> tuple[npt.NDArray[np.float64], int]:
    """Return argmin of ½zᵀMz + qᵀz over z ≥ 0.

    Args:
        M: Positive semi-definite, shape ``[m, m]``, diagonal of order 1 (or 0).
        q: Linear term, shape ``[m]``, bounded below along every null direction z ≥ 0 of M.
        scale: Size of the numbers from which q was summed, so that its rounding error is at most
            m · 2⁻⁵² · scale.

    Returns:
        The minimiser z ``[m]``, and the number of changes of the active set. It ends after at most
        40m + 100 changes; columns that depend on the active ones within rounding stay outside, so the
        gradient Mz + q may keep a small negative entry there, for the caller to judge.
    """
    m = q.shape[0]
    z = np.zeros(m)
    gradient = q.copy()
    active = np.zeros(m, dtype=np.int64)  # the columns inside, in order of entry
    inside = np.zeros(m, dtype=np.bool_)
    barred = np.zeros(m, dtype=np.bool_)
    L = np.zeros((m, m))  # Cholesky factor of M over the active columns
    trial = np.zeros(m)
    p = 0
    changes = 0
    best = 0.0
    while changes < 40 * m + 100:
        tolerance = 2 * m * EPS * (scale + np.sum(z))
        j = -1
        lowest = -tolerance
        for i in range(m):
            if not inside[i] and not barred[i] and gradient[i] < lowest:
                lowest = gradient[i]
                j = i
        if j < 0:
            break
        changes += 1
        if not _append(M, L, active, p, j):
            barred[j] = True
            continue
        p += 1
        inside[j] = True
        newcomer = True
        while p > 0:
            _solve(M, L, active, p, q, trial)
            size = np.sum(np.abs(trial[:p]))
            if newcomer and (trial[p - 1] <= 0.0 or 4 * EPS * size * (size + 2 * scale) > -lowest):
                # In exact arithmetic the newcomer gets a positive share: otherwise this is rounding. Large
                # weights move the vector that they combine by the error of M's entries times their square;
                # where that is more than the violation they mend, the violation is the lesser evil.
                p -= 1
                inside[j] = False
                barred[j] = True
                break
            newcomer = False
            step = 1.0
            for k in range(p):
                if trial[k] <= 0.0:
                    step = min(step, z[active[k]] / (z[active[k]] - trial[k]))
            kept = 0
            for k in range(p):
                i = active[k]
                leaves = trial[k] <= 0.0 and z[i] / (z[i] - trial[k]) <= step
                z[i] = 0.0 if leaves else z[i] + step * (trial[k] - z[i])
                if leaves or z[i] <= 0.0:
                    z[i] = 0.0
                    inside[i] = False
                else:
                    active[kept] = i
                    kept += 1
            if kept == p:
                break
            changes += p - kept
            p = 0
            for k in range(kept):
                if _append(M, L, active, p, active[k]):
                    p += 1
                else:
                    inside[active[k]] = False
                    z[active[k]] = 0.0
        for i in range(m):
            total = q[i]
            for k in range(p):
                total += M[i, active[k]] * z[active[k]]
            gradient[i] = total
        value = 0.5 * np.dot(q + gradient, z)
        if value < best - EPS * scale * scale:
            best = value
            barred[:] = False
        else:
            barred[j] = True  # no progress beyond rounding: end after at most m of these in a row
    return z, changes


@compiled
def _append(
    M: npt.NDArray[np.float64],
    L: npt.NDArray[np.float64],
    active: npt.NDArray[np.int64],
    p: int,
    j: int,
) -> bool:
    """Append column j to the factor, unless it depends on the first p, and say whether."""
    square = M[j, j]
    for k in range(p):
        total = M[j, active[k]]
        for i in range(k):
            total -= L[p, i] * L[k, i]
        L[p, k] = total / L[k, k]
        square -= L[p, k] ** 2
    # The pivot is a squared distance to the span of the active columns; below its own rounding error
    # it says nothing, and the column's gradient is as good as zero.
    if square <= 4 * (p + 1) * EPS * M[j, j]:
        return False
    L[p, p] = np.sqrt(square)
    active[p] = j
    return True


@compiled
def _solve(
    M: npt.NDArray[np.float64],
    L: npt.NDArray[np.float64],
    active: npt.NDArray[np.int64],
    p: int,
    q: npt.NDArray[np.float64],
    trial: npt.NDArray[np.float64],
) -> None:
    """Solve M z = -q over the active columns into ``trial``, with one step of iterative refinement."""
    right = np.empty(p)
    trial[:p] = 0.0
    for _ in range(2):
        for k in range(p):
            right[k] = -q[active[k]]
            for i in range(p):
                right[k] -= M[active[k], active[i]] * trial[i]
            for i in range(k):
                right[k] -= L[k, i] * right[i]
            right[k] /= L[k, k]
        for k in range(p - 1, -1, -1):
            for i in range(k + 1, p):
                right[k] -= L[i, k] * right[i]
            right[k] /= L[k, k]
        for k in range(p):
            trial[k] += right[k]
